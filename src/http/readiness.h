/*
 * readiness.h - what /readyz answers, which anybody may ask as often as he likes.
 *
 * To look at every index may take longer than a search: beyond some hundred, each is opened and
 * closed again. So an answer is kept for a while, and those who ask meanwhile share one look.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_READINESS_H
#define ISX_HTTP_READINESS_H

#include "base/buf.h"
#include "base/status.h"

struct isx_readiness;

/* Make one for a store, which is borrowed.
 *   readiness  new, free with isx_readiness_free() */
ISX_MUST_CHECK enum isx_status isx_readiness_new(struct isx_store *store,
						 struct isx_readiness **readiness,
						 struct isx_err *err);

/* Free what no thread uses any more. NULL is allowed. */
void isx_readiness_free(struct isx_readiness *readiness);

/* Append what to answer, as JSON, and return its HTTP status: 200 or 503. Names and messages, which
 * hold paths, are for those who have the key. From any thread; may wait for a look of another. */
unsigned isx_readiness_tell(struct isx_readiness *readiness, bool has_key, struct isx_buf *payload);

/* Append the member `loading` of /readyz and /status, with a comma in front, if this host loads an
 * index; names are for those who have the key. */
void isx_readiness_add_loads(struct isx_store *store, bool has_key, struct isx_buf *buf);

#endif
