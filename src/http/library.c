/*
 * library.c - overrides functions of libmicrohttpd that answer or store by themselves.
 *
 * libmicrohttpd (0.9.75) has no setting for what it does before it calls the program:
 * - A request that it cannot parse (an invalid request line, header, length or chunk, or more than
 *   the memory of a connection holds) gets an HTML page without a request id.
 * - Each query parameter and each cookie is stored in the memory of the connection. If that is
 *   full, parse_initial_message_line() continues as if nothing were wrong, and never answers.
 * - parse_connection_headers() continues, too: if it refuses a cookie or a Content-Length, the
 *   headers of the answer are sent twice.
 *
 * But libmicrohttpd calls its own public functions through the procedure linkage table, where a
 * function of the same name in the program takes precedence. So it calls the two MHD_ functions
 * below; they call the originals (original.h). If libmicrohttpd is ever built to call itself
 * directly, no header arrives here, every HTTP/1.1 request is refused because it lacks a Host
 * header, and every test in tests/http fails.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/exchange.h"
#include "http/original.h"

#include <strings.h>

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
				   struct MHD_Response *response)
{
	struct MHD_Response *ours = isx_exchange_give_up(connection, &status);
	if (!ours)
		return isx_original_queue_response(connection, status, response);
	enum MHD_Result queued = isx_original_queue_response(connection, status, ours);
	MHD_destroy_response(ours);
	return queued;
}

/* libmicrohttpd has parsed a query parameter, a cookie, a header or a trailer. Only headers
 * are stored: url.c reads the query. `value` lies in the read buffer, so it can be shortened
 * in place. */
enum MHD_Result MHD_set_connection_value_n(struct MHD_Connection *connection,
					   enum MHD_ValueKind kind, const char *name,
					   size_t name_len, const char *value, size_t value_len)
{
	struct isx_span sent = { value, value_len };
	if (kind == MHD_FOOTER_KIND)
		isx_exchange_trailer(connection);
	if (kind != MHD_HEADER_KIND)
		return MHD_YES;
	bool is_wanted = isx_exchange_field(connection, (struct isx_span){ name, name_len }, &sent);
	if (!is_wanted || strcasecmp(name, MHD_HTTP_HEADER_COOKIE) == 0)
		return MHD_YES;
	if (sent.len < value_len)
		((char *)(uintptr_t)sent.ptr)[sent.len] = '\0';
	return isx_original_set_value(connection, kind, name, name_len, sent.ptr, sent.len);
}
