/*
 * payload.h - the body of a request while it arrives: what is kept of it, and for how much of whose
 *             memory.
 *
 * All bodies with the key share one purse, those without it share another, a small one: what
 * strangers send never counts against the others.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_PAYLOAD_H
#define ISX_HTTP_PAYLOAD_H

#include "http/purse.h"
#include "http/request.h"

/* The purses of one server. */
struct http_payload_purses {
	size_t body_bytes_max; /* of one body */
	struct http_purse known;
	struct http_purse strangers;
};

/* The body of one request. `{ 0 }` is none. */
struct http_payload {
	struct isx_buf bytes;
	size_t bytes_max;
	bool is_gzip;
	struct http_hold hold;
};

/* Set up the purses for bodies of at most `body_bytes_max`. */
void isx_http_payload_purses_init(struct http_payload_purses *purses, size_t body_bytes_max);

/* Get ready for the body of a request whose headers are there. A Content-Encoding that cannot be
 * decoded becomes `req->cut`. */
void isx_http_payload_open(struct http_payload *payload, struct http_payload_purses *purses,
			   const char *content_encoding, struct http_req *req);

/* Keep a piece of the body as long as all pieces stay below their ceilings; otherwise `req->cut` says
 * why the body is not there, and nothing of it is kept. */
void isx_http_payload_add(struct http_payload *payload, const char *bytes, size_t len,
			  struct http_req *req);

/* The body is too large to be worth reading: so `req->cut`. */
void isx_http_payload_refuse(struct http_payload *payload, struct http_req *req);

/* The body is complete: decode it if it is encoded. What is wrong with it becomes `req->cut`. */
void isx_http_payload_finish(struct http_payload *payload, struct http_req *req);

/* Forget the body and give its memory back. */
void isx_http_payload_drop(struct http_payload *payload);

#endif
