/*
 * readiness.h - the cached answer of /readyz.
 *
 * /readyz needs no key, so unauthenticated clients may request it at any rate. Checking every index
 * may take longer than a search: beyond some hundred indexes, each is opened and closed again. So
 * the answer is cached, and concurrent requests share one check.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_READINESS_H
#define ISX_HTTP_READINESS_H

#include "base/buf.h"
#include "base/status.h"

struct isx_readiness;

/* Make the cache for a store, which is borrowed.
 *   name_options  as in struct isx_server_settings
 *   readiness  new, free with isx_readiness_free() */
ISX_MUST_CHECK enum isx_status isx_readiness_new(struct isx_store *store,
						 void (*name_options)(struct isx_err *err),
						 struct isx_readiness **readiness,
						 struct isx_err *err);

/* Free it. No thread may use it any more. NULL is allowed. */
void isx_readiness_free(struct isx_readiness *readiness);

/* Append the answer, JSON, and return its HTTP status: 200 or 503. Names of indexes, and messages,
 * which contain paths, are added only with the key. Thread-safe; may wait for the check of another
 * thread. */
unsigned isx_readiness_tell(struct isx_readiness *readiness, bool has_key, struct isx_buf *payload);

/* Append the member `loading` of /readyz and /status, with a comma in front, if this host loads an
 * index; names are added only with the key. */
void isx_readiness_add_loads(struct isx_store *store, bool has_key, struct isx_buf *buf);

#endif
