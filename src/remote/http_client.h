/*
 * http_client.h - requests to other servers, over libcurl.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_CLIENT_H
#define ISX_HTTP_CLIENT_H

#include "base/buf.h"

struct isx_http_client; /* one request at a time; keeps its connection */

/* What is asked. */
struct isx_http_request {
	const char *method;   /* "GET" */
	const char *url;      /* http:// or https:// */
	const char *api_key;  /* sent as X-API-Key; NULL: none */
	struct isx_span json; /* the body, if not empty */
	size_t answer_bytes_max;
	long timeout_ms;
};

/* A new client, free with isx_http_client_free(). */
ISX_MUST_CHECK enum isx_status isx_http_client_new(struct isx_http_client **client,
						   struct isx_err *err);
void isx_http_client_free(struct isx_http_client *client);

/* Send a request and wait for its answer.
 *   code    filled: the HTTP status
 *   answer  filled: the body is appended
 * ISX_UNAVAILABLE: no answer came ("GET URL: could not connect"); ISX_TOO_LARGE: over
 * answer_bytes_max. */
ISX_MUST_CHECK enum isx_status isx_http_client_send(struct isx_http_client *client,
						    const struct isx_http_request *request,
						    long *code, struct isx_buf *answer,
						    struct isx_err *err);

#endif
