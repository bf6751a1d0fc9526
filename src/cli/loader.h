/*
 * loader.h - add assets in batches: one is read while the one before it is written.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LOADER_H
#define ISX_LOADER_H

#include "base/buf.h"
#include "base/mem.h"

struct loader; /* its own thread writes */

/* What came of everything that was given. */
struct loader_totals {
	size_t created;
	size_t updated;
	size_t errors;
};

/* Start to load into an index of a store (borrowed).
 *   verbose  say on standard error which files have been written, and what has been refused
 *   loader   new, end with loader_finish() */
ISX_MUST_CHECK enum isx_status loader_new(struct isx_store *store, const char *name,
					  size_t batch_assets, bool verbose, struct loader **loader,
					  struct isx_err *err);

/* Memory for the next asset, until it has been written. */
struct isx_arena *loader_arena(struct loader *loader);

/* Give an asset whose memory is loader_arena(); `source` says in messages where it came from
 * (copied), `is_file` whether that is a whole file and not a line of one. May wait for the batch
 * before. Fails when no asset can be written any more. */
ISX_MUST_CHECK enum isx_status loader_give(struct loader *loader, const struct isx_asset *asset,
					   const char *source, bool is_file, struct isx_err *err);

/* Count an error of something that could not be read, and keep its message. */
void loader_error(struct loader *loader, const char *source, const char *message);

/* Assets written so far. */
size_t loader_written(struct loader *loader);

/* Write what is left and end the loader. Assets that are refused are counted as errors; a failure
 * is one of the store: a full disk, a server that does not answer.
 *   totals, messages  filled, also on failure; messages: one line per error, the first 1,000 */
ISX_MUST_CHECK enum isx_status loader_finish(struct loader *loader, struct loader_totals *totals,
					     struct isx_buf *messages, struct isx_err *err);

#endif
