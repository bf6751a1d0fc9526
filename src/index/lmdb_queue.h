/*
 * lmdb_queue.h - changes to one index file, grouped into transactions (commit_queue.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_QUEUE_H
#define ISX_LMDB_QUEUE_H

#include "index/commit_queue.h"
#include "index/lmdb_file.h"

/* One change. `{ .check = ..., .apply = ... }` */
struct isx_lmdb_change {
	struct isx_commit commit; /* first: the queue's own */
	/* May the change be made to this index? Writes nothing. */
	enum isx_status (*check)(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err);
	/* Make it. May be called again if the first transaction failed. */
	enum isx_status (*apply)(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err);
};

/* What writes the groups of file->queue: an isx_commit_fn over struct isx_lmdb_change. */
enum isx_status isx_lmdb_write_group(void *file, struct isx_commit *group, struct isx_err *err);

/* Make a change; returns when it is durable and visible, or refused, or failed: then nothing of it
 * is there. */
ISX_MUST_CHECK enum isx_status isx_lmdb_queue_run(struct isx_lmdb_file *file,
						  struct isx_lmdb_change *change,
						  struct isx_err *err);

#endif
