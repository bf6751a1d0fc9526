/*
 * loader.h - adds assets in batches: one is read while the one before is written.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LOADER_H
#define ISX_LOADER_H

#include "base/buf.h"
#include "base/mem.h"
#include "cli/rehearsal.h"
#include "cli/seen.h"

struct loader; /* has a thread that writes */

/* How far a run has read its input. */
struct loader_point {
	uint64_t file;      /* number of the file, from 1; 0: nothing is read */
	int64_t files_hash; /* resume_add_file() of the files up to this one */
	uint32_t line;      /* the line or row; 0: the whole file */
	int64_t line_hash;  /* resume_line_hash() of the line; 0: not known */
};

/* Called by the writing thread when a full batch is stored, and behind each part of a batch that is written
 * in parts, as an asset of it was refused.
 *   point    how far the input was read with the last asset that is stored or refused
 *   iscc_id  of the asset that was stored last, "" if it is not known; borrowed */
typedef void loader_stored_fn(void *stored_arg, const struct loader_point *point,
			      const char *iscc_id);

/* The results of a run. */
struct loader_totals {
	size_t created;
	size_t updated;
	size_t errors;
	size_t duplicates;  /* assets that replaced another one of this run */
	uint64_t simprints; /* of all assets that were stored; the store may keep none of them */
	char last[24]; /* the ISCC-ID of the asset that was stored last; "": none, or not known */
	struct seen_place place; /* of that asset */
};

/* Start to load into an index of a store (borrowed).
 *   paths    the paths that places refer to, each terminated; borrowed
 *   verbose  print each stored file and each error on standard error
 *   loader   new, end with loader_finish() */
ISX_MUST_CHECK enum isx_status loader_new(struct isx_store *store, const char *name,
					  size_t batch_assets, const char *paths, bool verbose,
					  struct loader **loader, struct isx_err *err);

/* Call `stored` behind each full batch, and each part. Call before the first asset.
 *   now  where the asset that is given is from (borrowed); the loader knows its line itself */
void loader_set_stored(struct loader *loader, const struct loader_point *now,
		       loader_stored_fn *stored, void *stored_arg);

/* Only check the assets, and count what would become of them (borrowed). Call before the first asset. */
void loader_set_rehearsal(struct loader *loader, struct rehearsal *rehearsal);

/* End at the first asset that is refused: those before it are stored. Call before the first asset. */
void loader_set_stops(struct loader *loader, bool stops);

/* Has it ended so? Then nothing more is stored. */
bool loader_has_stopped(struct loader *loader);

/* The arena for the next asset; freed after its batch is written. */
struct isx_arena *loader_arena(struct loader *loader);

/* Add an asset in the memory of loader_arena(), and the place it came from. May wait for the batch
 * before. Fails if the store has failed. */
ISX_MUST_CHECK enum isx_status loader_give(struct loader *loader, const struct isx_asset *asset,
					   struct seen_place place, struct isx_err *err);

/* Write what was given, and wait until it is written: a search then finds it. Memory of
 * loader_arena() that belongs to no asset that was given stays valid for the next one. */
ISX_MUST_CHECK enum isx_status loader_flush(struct loader *loader, struct isx_err *err);

/* Count an error of a source that could not be read, and keep its message. Thread-safe. */
void loader_error(struct loader *loader, const char *source, const char *message);

/* The same for a place. */
void loader_error_at(struct loader *loader, struct seen_place place, const char *message);

/* Append a place: path, or path:line. */
void loader_add_place(const struct loader *loader, struct isx_buf *buf, struct seen_place place);

/* Write no further batch, and wait for the one that is being written, at most `wait_ms`. May be
 * called again, from any thread.
 *   totals   filled: assets that are stored
 *   pending  filled: number of assets in the batch that is still being written, or 0 */
void loader_halt(struct loader *loader, unsigned wait_ms, struct loader_totals *totals,
		 size_t *pending);

/* The reading thread looks into the store itself between these two calls. */
void loader_look_begin(struct loader *loader);
void loader_look_end(struct loader *loader);

/* Close the store, which syncs one that was opened with relaxed durability. After a loader_halt() without pending
 * assets, from the thread of signals, behind which the process exits: the reading thread looks into the store no more.
 * A look that takes longer than `wait_ms` leaves the store open. */
void loader_close_store(struct loader *loader, unsigned wait_ms);

/* Assets written so far. */
size_t loader_written(struct loader *loader);

/* Messages, one per line, escaped for the terminal; the first 1,000 of each kind. */
struct loader_messages {
	struct isx_buf errors;
	struct isx_buf duplicates;
};
void loader_messages_release(struct loader_messages *messages);

/* Write the rest. Invalid assets count as errors; a failure is one of the store, such as a full
 * disk or a server that does not answer.
 *   totals, messages  filled, also on failure */
ISX_MUST_CHECK enum isx_status loader_finish(struct loader *loader, struct loader_totals *totals,
					     struct loader_messages *messages, struct isx_err *err);

/* Free the loader, after loader_finish(). NULL is allowed. */
void loader_free(struct loader *loader);

#endif
