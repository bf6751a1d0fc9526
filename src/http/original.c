/*
 * original.c - finds the functions of libmicrohttpd that library.c overrides.
 *
 * A file of its own, below exchange.c, which answers by them; library.c calls exchange.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/original.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static struct {
	enum MHD_Result (*queue_response)(struct MHD_Connection *, unsigned, struct MHD_Response *);
	enum MHD_Result (*set_value)(struct MHD_Connection *, enum MHD_ValueKind, const char *,
				     size_t, const char *, size_t);
} library;

/* memcpy() because ISO C has no conversion from an object pointer to a function pointer. */
static void find_library(void)
{
	void *queue_response = dlsym(RTLD_NEXT, "MHD_queue_response");
	void *set_value = dlsym(RTLD_NEXT, "MHD_set_connection_value_n");
	memcpy(&library.queue_response, &queue_response, sizeof queue_response);
	memcpy(&library.set_value, &set_value, sizeof set_value);
}

/* False if libmicrohttpd is linked statically. */
static bool has_library(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, find_library);
	return library.queue_response && library.set_value;
}

enum MHD_Result isx_original_queue_response(struct MHD_Connection *connection, unsigned status,
					    struct MHD_Response *response)
{
	return has_library() ? library.queue_response(connection, status, response) : MHD_NO;
}

enum MHD_Result isx_original_set_value(struct MHD_Connection *connection, enum MHD_ValueKind kind,
				       const char *name, size_t name_len, const char *value,
				       size_t value_len)
{
	if (!has_library())
		return MHD_YES;
	return library.set_value(connection, kind, name, name_len, value, value_len);
}
