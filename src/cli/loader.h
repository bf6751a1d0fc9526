/*
 * loader.h - add assets in batches: one is read while the one before it is written.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LOADER_H
#define ISX_LOADER_H

#include "base/buf.h"
#include "base/mem.h"
#include "cli/seen.h"

struct loader; /* its own thread writes */

/* What came of everything that was given. */
struct loader_totals {
	size_t created;
	size_t updated;
	size_t errors;
	size_t duplicates; /* that took the place of another one of this run */
};

/* Start to load into an index of a store (borrowed).
 *   paths    the names that places are in, each terminated; borrowed
 *   verbose  say on standard error which files have been written, and what has been refused
 *   loader   new, end with loader_finish() */
ISX_MUST_CHECK enum isx_status loader_new(struct isx_store *store, const char *name,
					  size_t batch_assets, const char *paths, bool verbose,
					  struct loader **loader, struct isx_err *err);

/* Memory for the next asset, until it has been written. */
struct isx_arena *loader_arena(struct loader *loader);

/* Give an asset whose memory is loader_arena(), and where it came from. May wait for the batch before.
 * Fails when no asset can be written any more. */
ISX_MUST_CHECK enum isx_status loader_give(struct loader *loader, const struct isx_asset *asset,
					   struct seen_place place, struct isx_err *err);

/* Count an error of something that could not be read, and keep its message. */
void loader_error(struct loader *loader, const char *source, const char *message);

/* The same for a place. */
void loader_error_at(struct loader *loader, struct seen_place place, const char *message);

/* Write no further batch, and wait for the one that is being written, at most `wait_ms`. May be called
 * again, from any thread.
 *   totals   filled: what is in, in whole batches
 *   pending  filled: assets of the batch that is still being written, 0 if none is */
void loader_halt(struct loader *loader, unsigned wait_ms, struct loader_totals *totals,
		 size_t *pending);

/* Assets written so far. */
size_t loader_written(struct loader *loader);

/* What there is to tell: one line each, as it is shown, of the first 1,000. */
struct loader_messages {
	struct isx_buf errors;
	struct isx_buf duplicates;
};
void loader_messages_release(struct loader_messages *messages);

/* Write what is left. Assets that are refused are counted as errors; a failure is one of the store: a
 * full disk, a server that does not answer.
 *   totals, messages  filled, also on failure */
ISX_MUST_CHECK enum isx_status loader_finish(struct loader *loader, struct loader_totals *totals,
					     struct loader_messages *messages, struct isx_err *err);

/* After loader_finish(); nothing may use it any more. NULL is allowed. */
void loader_free(struct loader *loader);

#endif
