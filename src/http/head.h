/*
 * head.h - is the head of a request what RFC 9112 asks for, to the byte?
 *
 * libmicrohttpd passes over much: a header with a blank in front of its colon, a line that goes on
 * in the next one, a NUL behind which the rest of a line is gone. Two opinions on where a request
 * ends are how a request is smuggled past a proxy, so such a head is refused.
 *
 * Must not know: libmicrohttpd's functions. What it knows is how the library (0.9.75) leaves a head
 * in its read buffer: as it came, but with a NUL in the place of the two spaces of the request line,
 * of the colon of each header, and of each byte of a line end.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_HEAD_H
#define ISX_HTTP_HEAD_H

#include "base/span.h"
#include "iscc_search.h"

/* A head that is being looked at: isx_head_begin(), isx_head_field() for each header as it comes,
 * isx_head_end(). All texts lie in one buffer, and are borrowed. */
struct isx_head {
	unsigned status;    /* of the answer that refuses the request; 0: nothing is wrong yet */
	const char *detail; /* static: what is wrong, for the client */
	const char *target;
	const char *next; /* where the next part begins, if no byte is passed over */
	bool is_1_0;
	unsigned hosts;
	unsigned lengths;
	unsigned codings;
};

/* Begin behind the request line.
 *   target  a text, with the version of HTTP behind it */
void isx_head_begin(struct isx_head *head, const char *target);

/* Look at the next header. Returns whether the library may know of it: not if it would answer by
 * itself that it cannot read the value.
 *   value  as it came; a length or coding loses the blanks behind it, which the library does not
 *          take */
ISX_MUST_CHECK bool isx_head_field(struct isx_head *head, struct isx_span name,
				   struct isx_span *value);

/* Look at the method, and at what has to hold for all headers together.
 *   bytes  the whole head, from the method to the end of the empty line */
void isx_head_end(struct isx_head *head, struct isx_span bytes);

/* How many parameters has a query? */
size_t isx_head_params(struct isx_span query);

#endif
