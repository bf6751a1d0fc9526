/*
 * purse.h - ceilings of memory that the requests of a server share.
 *
 * A request *holds* bytes of a purse. The first bytes of each hold are free: every connection, or
 * every thread, has memory of its own for them, so a small body or answer is never refused because
 * others are large. A large hold may not take the last quarter of its purse.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_PURSE_H
#define ISX_HTTP_PURSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct http_purse {
	size_t bytes_max;
	atomic_size_t bytes; /* held now */
};

/* What one request holds. */
struct http_hold {
	struct http_purse *purse;  /* borrowed */
	size_t free_bytes;         /* that are not counted in the purse */
	atomic_size_t bytes;       /* held, the free ones among them */
	atomic_size_t purse_bytes; /* of them, counted in the purse */
};

/* Hold nothing yet. */
void isx_hold_init(struct http_hold *hold, struct http_purse *purse, size_t free_bytes);

/* Hold `bytes` more. False: the purse has no room, and nothing has changed. Any thread. */
bool isx_hold_more(struct http_hold *hold, size_t bytes);

/* From now on hold `bytes` in all, of which `free_bytes` are free. False: the purse has no room, and
 * nothing has changed; with as many free bytes as before or more, less has always room. No other
 * thread may use the hold. */
bool isx_hold_only(struct http_hold *hold, size_t bytes, size_t free_bytes);

/* Give everything back. */
void isx_hold_release(struct http_hold *hold);

#endif
