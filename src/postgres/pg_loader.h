/*
 * pg_loader.h - long work on followers, done in a thread of its own and not in one that searches.
 *
 * What is wished for is done one after the other. A wish is known by its index (the incarnation):
 * as long as it is pending it is not wished for again, and how it failed is kept for whoever asks
 * next.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_LOADER_H
#define ISX_PG_LOADER_H

#include "postgres/pg_head.h"

struct isx_pg_loader;

struct isx_pg_load_request {
	struct isx_pg_pool *pool; /* of the server that `head` is from; borrowed */
	struct isx_pg_head head;
	bool sweeps;        /* remove the followers of indexes that are gone, instead */
	bool is_background; /* nobody waits for it: others come first, and how it fails is not kept */
};

/* What became of a wish. */
struct isx_pg_work {
	bool at_fault; /* on failure: it was the follower, not the database */
	bool was_busy; /* somebody else is at the follower: nothing was done */
};

/* Fulfil a wish.
 *   work  filled */
typedef enum isx_status isx_pg_load_fn(void *arg, const struct isx_pg_load_request *request,
				       struct isx_pg_work *work, struct isx_err *err);

/* The thread is started at once.
 *   arg     borrowed until the loader is freed
 *   loader  new, free with isx_pg_loader_free() (NULL is allowed), which ends what is being done */
ISX_MUST_CHECK enum isx_status isx_pg_loader_new(isx_pg_load_fn *fn, void *arg,
						 struct isx_pg_loader **loader,
						 struct isx_err *err);
void isx_pg_loader_free(struct isx_pg_loader *loader);

/* Wish for something, unless it is pending already. What is wished for in the background while
 * it is being done is done once more. */
ISX_MUST_CHECK enum isx_status isx_pg_loader_request(struct isx_pg_loader *loader,
						     const struct isx_pg_load_request *request,
						     struct isx_err *err);

/* Is something being done for this index, or wished for by a search? */
bool isx_pg_loader_is_at(struct isx_pg_loader *loader, int64_t generation);

/* How the last wish for an index failed, a moment ago; ISX_OK: it did not. Told once. */
ISX_MUST_CHECK enum isx_status isx_pg_loader_failure(struct isx_pg_loader *loader,
						     int64_t generation, bool *at_fault,
						     struct isx_err *err);

/* May the work go on? For struct isx_pg_conn; ISX_UNAVAILABLE: the loader is being freed. */
ISX_MUST_CHECK enum isx_status isx_pg_loader_goes_on(void *loader, struct isx_err *err);

#endif
