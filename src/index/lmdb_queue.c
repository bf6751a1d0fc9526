/*
 * lmdb_queue.c - a group of changes as one transaction of an index file.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/lmdb_queue.h"

enum isx_status isx_lmdb_write_group(void *arg, struct isx_commit *group, struct isx_err *err)
{
	struct isx_lmdb_file *file = arg;
	struct isx_lmdb_view view;
	enum isx_status st = isx_lmdb_write(file, &view, err);
	if (st)
		return st;
	for (struct isx_commit *one = group; one && !st; one = one->next) {
		struct isx_lmdb_change *change = (struct isx_lmdb_change *)one;
		one->status = change->check(change, &view, &one->err);
		if (!one->status)
			st = change->apply(change, &view, err);
	}
	if (!st)
		return isx_lmdb_commit(&view, err);
	isx_lmdb_end(&view);
	return st;
}

enum isx_status isx_lmdb_queue_run(struct isx_lmdb_file *file, struct isx_lmdb_change *change,
				   struct isx_err *err)
{
	return isx_commit_queue_run(file->queue, &change->commit, err);
}
