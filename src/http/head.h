/*
 * head.h - validates the head of a request strictly by RFC 9112.
 *
 * libmicrohttpd tolerates a blank before the colon of a header, folded lines, and NULs, behind
 * which it drops the rest of the line. If a proxy and a server disagree on where a request ends,
 * requests can be smuggled past the proxy: so such heads are refused.
 *
 * Must not know: the functions of libmicrohttpd. It relies on how the library (0.9.75) leaves a
 * head in its read buffer: as it came, but with a NUL in the place of the two spaces of the request
 * line, of the colon of each header, and of each byte of a line end.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_HEAD_H
#define ISX_HTTP_HEAD_H

#include "base/span.h"
#include "iscc_search.h"

/* A head being validated: isx_head_begin(), isx_head_field() for each header as it comes,
 * isx_head_end(). All texts lie in one buffer, and are borrowed. */
struct isx_head {
	unsigned status;    /* of the answer that refuses the request; 0: nothing is wrong yet */
	const char *detail; /* static: the fault, for the client */
	const char *target;
	const char *next; /* where the next part has to begin */
	bool is_1_0;
	unsigned hosts;
	unsigned lengths;
	unsigned codings;
};

/* Start after the request line.
 *   target  the request target, terminated, with the HTTP version behind it in the same buffer */
void isx_head_begin(struct isx_head *head, const char *target);

/* Validate the next header. Returns whether the library may see it: false if the library would
 * answer by itself that the value is invalid.
 *   value  as it came; the blanks behind a length or coding are cut off, because the library
 *          refuses them */
ISX_MUST_CHECK bool isx_head_field(struct isx_head *head, struct isx_span name,
				   struct isx_span *value);

/* Validate the method, and the headers together.
 *   bytes  the whole head, from the method to the end of the empty line */
void isx_head_end(struct isx_head *head, struct isx_span bytes);

/* The number of parameters of a query. */
size_t isx_head_params(struct isx_span query);

#endif
