/*
 * library.c - what libmicrohttpd would decide by itself is decided here.
 *
 * What the library (0.9.75) does with a request before it asks the program, there is no setting for:
 * - What it cannot read (a request line, a header, a length or a chunk that is none, or more than the
 *   memory of a connection holds) it answers with a page in HTML, without a name for the request.
 * - Each parameter of the query and each cookie is kept in the memory of the connection. Where that is
 *   full, parse_initial_message_line() goes on as if nothing were wrong: there is never an answer.
 * - parse_connection_headers() goes on, too: where it refuses a cookie or a Content-Length, the headers of
 *   the answer are sent twice.
 *
 * But the library calls its own public functions through the table that the dynamic linker fills, and
 * a function of the same name in the program comes first in it. So the two MHD_ functions below are
 * called by the library; they call what they take the place of by way of dlsym(). If a libmicrohttpd
 * is ever built to call itself directly, no header arrives here, every request of HTTP/1.1 is refused
 * for its lack of a Host header, and every test in tests/http says so.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/library.h"

#include "http/exchange.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

static struct {
	enum MHD_Result (*queue_response)(struct MHD_Connection *, unsigned, struct MHD_Response *);
	enum MHD_Result (*set_value)(struct MHD_Connection *, enum MHD_ValueKind, const char *,
				     size_t, const char *, size_t);
} library;

static void find_library(void)
{
	void *queue_response = dlsym(RTLD_NEXT, "MHD_queue_response");
	void *set_value = dlsym(RTLD_NEXT, "MHD_set_connection_value_n");
	memcpy(&library.queue_response, &queue_response, sizeof queue_response);
	memcpy(&library.set_value, &set_value, sizeof set_value);
}

/* False where the library is not a shared one. */
static bool has_library(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, find_library);
	return library.queue_response && library.set_value;
}

enum MHD_Result isx_library_queue_response(struct MHD_Connection *connection, unsigned status,
					   struct MHD_Response *response)
{
	return has_library() ? library.queue_response(connection, status, response) : MHD_NO;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
				   struct MHD_Response *response)
{
	struct MHD_Response *ours = isx_exchange_give_up(connection, &status);
	if (!ours)
		return isx_library_queue_response(connection, status, response);
	enum MHD_Result queued = isx_library_queue_response(connection, status, ours);
	MHD_destroy_response(ours);
	return queued;
}

/* The library has found a parameter, a cookie, or a header or trailer. Only headers are of use: url.c
 * reads the query. `value` is a text in the read buffer. */
enum MHD_Result MHD_set_connection_value_n(struct MHD_Connection *connection,
					   enum MHD_ValueKind kind, const char *name,
					   size_t name_len, const char *value, size_t value_len)
{
	struct isx_span sent = { value, value_len };
	if (kind == MHD_FOOTER_KIND)
		isx_exchange_trailer(connection);
	if (kind != MHD_HEADER_KIND || !has_library())
		return MHD_YES;
	bool is_wanted = isx_exchange_field(connection, (struct isx_span){ name, name_len }, &sent);
	if (!is_wanted || strcasecmp(name, MHD_HTTP_HEADER_COOKIE) == 0)
		return MHD_YES;
	if (sent.len < value_len)
		((char *)(uintptr_t)sent.ptr)[sent.len] = '\0';
	return library.set_value(connection, kind, name, name_len, sent.ptr, sent.len);
}
