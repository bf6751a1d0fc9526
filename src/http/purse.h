/*
 * purse.h - a purse is a ceiling of memory that the requests of a server share.
 *
 * A request *holds* bytes of a purse. The first bytes of each hold are free: the number of
 * connections and threads bounds them already. So a small body or answer is never refused because
 * others are large. A large hold cannot use the last quarter of its purse.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_PURSE_H
#define ISX_HTTP_PURSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct http_purse {
	size_t bytes_max;
	atomic_size_t bytes; /* held by all requests */
};

/* What one request holds. */
struct http_hold {
	struct http_purse *purse;  /* borrowed */
	size_t free_bytes;         /* not counted in the purse */
	atomic_size_t bytes;       /* held, including the free ones */
	atomic_size_t purse_bytes; /* the part that is counted in the purse */
};

/* Hold nothing yet. */
void isx_hold_init(struct http_hold *hold, struct http_purse *purse, size_t free_bytes);

/* Hold `bytes` more. False: the purse has no room, and nothing has changed. Thread-safe. */
bool isx_hold_more(struct http_hold *hold, size_t bytes);

/* From now on hold `bytes` in all, of which `free_bytes` are free. False: the purse has no room,
 * and nothing has changed; holding less never fails, unless `free_bytes` shrinks. No other thread
 * may use the hold. */
bool isx_hold_only(struct http_hold *hold, size_t bytes, size_t free_bytes);

/* Return all bytes to the purse. */
void isx_hold_release(struct http_hold *hold);

#endif
