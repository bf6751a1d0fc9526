/*
 * lmdb_queue.h - group commit: changes that wait for the disk together share one transaction.
 *
 * The first thread that finds nobody writing becomes the writer: it takes everything that has
 * queued up, applies it in one transaction, syncs once and wakes the others. While it waits for the
 * disk the next group gathers.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_QUEUE_H
#define ISX_LMDB_QUEUE_H

#include "index/lmdb_file.h"

/* One change, prepared by the thread that waits for it. `{ .check = ..., .apply = ... }` */
struct isx_lmdb_change {
	/* May the change be made to this index? Writes nothing. */
	enum isx_status (*check)(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err);
	/* Make it. May be called again if the first transaction failed. */
	enum isx_status (*apply)(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err);
	/* The queue's own: */
	struct isx_lmdb_change *next;
	enum isx_status status;
	struct isx_err err;
	bool done;
};

struct isx_lmdb_queue;

/* A queue of changes to `file` (borrowed). New, free with isx_lmdb_queue_free() (NULL is allowed).
 */
ISX_MUST_CHECK enum isx_status isx_lmdb_queue_new(struct isx_lmdb_file *file,
						  struct isx_lmdb_queue **queue,
						  struct isx_err *err);
void isx_lmdb_queue_free(struct isx_lmdb_queue *queue);

/* Make a change; returns when it is durable and visible, or refused, or failed: then nothing of it
 * is there. */
ISX_MUST_CHECK enum isx_status isx_lmdb_queue_run(struct isx_lmdb_queue *queue,
						  struct isx_lmdb_change *change,
						  struct isx_err *err);

#endif
