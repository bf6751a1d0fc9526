/*
 * access_log.h - the access log and request ids.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ACCESS_LOG_H
#define ISX_ACCESS_LOG_H

#include "base/span.h"

#include <sys/socket.h>

enum { HTTP_REQUEST_ID_MAX = 128, HTTP_REQUEST_ID_BYTES = 17 };

/* A request that has ended. Texts are borrowed; NULL: not known. */
struct http_access {
	const char *request_id;
	const char *method;
	struct isx_span path; /* as sent; the query is left out, as it may hold a key */
	const char *route;    /* its template */
	unsigned status;      /* 0: none was sent */
	size_t sent_bytes;    /* of the answer's body */
	uint64_t duration_ns; /* from the request line to the last byte of the answer */
	bool is_complete;     /* all of the answer was sent */
	const struct sockaddr *client;
};

/* Write the line of a request at level info. Cheap if that level is off. */
void isx_access_log(const struct http_access *access);

/* Is the X-Request-ID of a client valid, so that the answer repeats it: 1 to 128 letters, digits
 * and "-._:=+/"? */
bool isx_request_id_is_valid(const char *id);

/* Make a request id, number `count` of a server with the random number `seed`: 16 hexadecimal
 * digits. */
void isx_request_id_make(uint64_t seed, uint64_t count, char id[HTTP_REQUEST_ID_BYTES]);

#endif
