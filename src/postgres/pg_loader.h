/*
 * pg_loader.h - a thread that does the long work on followers, in place of the threads that search.
 *
 * The thread runs load requests one after the other. A request is identified by the generation
 * of its index: while one is queued, further requests for the same index are merged into it. If
 * it fails, the next search of that index gets the error.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_LOADER_H
#define ISX_PG_LOADER_H

#include "postgres/pg_head.h"

struct isx_pg_loader;

struct isx_pg_load_request {
	struct isx_pg_pool *pool; /* of the server that `head` was read from; borrowed */
	struct isx_pg_head head;
	bool sweeps;        /* instead: remove the followers of deleted indexes */
	bool is_background; /* no search waits: runs after others, its error is dropped */
};

/* The outcome of a load request, besides its status. */
struct isx_pg_work {
	bool at_fault; /* on failure: of the follower (disk, file), not of the database */
	bool was_busy; /* another process works on the follower: nothing was done */
};

/* Run a load request, on the loader's thread and without its lock.
 *   work  filled */
typedef enum isx_status isx_pg_load_fn(void *arg, const struct isx_pg_load_request *request,
				       struct isx_pg_work *work, struct isx_err *err);

/* Start the thread.
 *   arg     for fn(), borrowed until the loader is freed
 *   loader  new, free with isx_pg_loader_free() (NULL is allowed), which makes the request that is
 *           running fail soon and waits for it */
ISX_MUST_CHECK enum isx_status isx_pg_loader_new(isx_pg_load_fn *fn, void *arg,
						 struct isx_pg_loader **loader,
						 struct isx_err *err);
void isx_pg_loader_free(struct isx_pg_loader *loader);

/* Queue a request, or merge it into the one for the same index. A background request that arrives
 * while the index is being worked on is run once more afterwards, as it may be for a later change.
 * ISX_UNAVAILABLE: too many are queued. */
ISX_MUST_CHECK enum isx_status isx_pg_loader_request(struct isx_pg_loader *loader,
						     const struct isx_pg_load_request *request,
						     struct isx_err *err);

/* Is a request for this index running, or one of a search queued? */
bool isx_pg_loader_is_at(struct isx_pg_loader *loader, int64_t generation);

/* The error of a search's request for an index that failed in the last 2 s; ISX_OK: none did.
 * The error is handed out once, so that the next search tries again.
 *   at_fault  filled on failure, as in struct isx_pg_work */
ISX_MUST_CHECK enum isx_status isx_pg_loader_failure(struct isx_pg_loader *loader,
						     int64_t generation, bool *at_fault,
						     struct isx_err *err);

/* The cancel_check() of long work: ISX_UNAVAILABLE when the loader is being freed. */
ISX_MUST_CHECK enum isx_status isx_pg_loader_goes_on(void *loader, struct isx_err *err);

#endif
