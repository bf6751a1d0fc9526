/*
 * payload.h - collects the body of a request, within ceilings of memory.
 *
 * Requests with the key share one purse, requests without it another, small one: bodies of
 * unauthenticated clients never take memory from the others.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_PAYLOAD_H
#define ISX_HTTP_PAYLOAD_H

#include "http/encoding.h"
#include "http/purse.h"
#include "http/request.h"
#include "http/spool.h"

/* The purses of one server. */
struct http_payload_purses {
	size_t body_bytes_max;             /* of one body */
	struct http_purse authenticated;   /* requests with the key, or that need none */
	struct http_purse unauthenticated; /* requests that will get a 401 */
};

/* The body of one request. `{ 0 }` is none. */
struct http_payload {
	struct isx_buf bytes;
	size_t bytes_max;
	enum http_coding coding;
	bool is_lines;          /* it is read line by line from `spool`: `bytes` stays empty */
	struct isx_spool spool; /* without a ceiling for its size */
	struct isx_quota quota; /* of the spool's memory, from `hold` */
	struct http_hold hold;
};

/* Set up the purses for bodies of at most `body_bytes_max`. */
void isx_http_payload_purses_init(struct http_payload_purses *purses, size_t body_bytes_max);

/* Prepare for the body of a request whose headers are read. A Content-Encoding that cannot be
 * decoded becomes `req->cut`.
 *   lines_directory  borrowed: the body goes to a spool, whose file is there, for a handler that reads it
 *                    line by line; only for a request with the key. NULL: it is collected in memory */
void isx_http_payload_open(struct http_payload *payload, struct http_payload_purses *purses,
			   const char *content_encoding, const char *lines_directory,
			   struct http_req *req);

/* Append a piece of the body while the ceilings allow it. Beyond them `req->cut` gets the reason,
 * and the whole body is dropped. */
void isx_http_payload_add(struct http_payload *payload, const char *bytes, size_t len,
			  struct http_req *req);

/* The body is far too large: set `req->cut`, read nothing. */
void isx_http_payload_refuse(struct http_payload *payload, struct http_req *req);

/* The body is complete: decode it if it is encoded. A fault becomes `req->cut`. */
void isx_http_payload_finish(struct http_payload *payload, struct http_req *req);

/* Free the body and return its memory to the purse. */
void isx_http_payload_drop(struct http_payload *payload);

#endif
