/*
 * lmdb_copy.h - copy an index file: as it is (backup), or without its free pages (compact).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_COPY_H
#define ISX_LMDB_COPY_H

#include "storage/lmdb_check.h"
#include "storage/lmdb_file.h"

/* Copy the last snapshot of `file` to `path`, as isx_index_backup(). Takes no writer lock.
 * ISX_CORRUPT: the index is damaged; there is no copy. */
ISX_MUST_CHECK enum isx_status isx_lmdb_backup(struct isx_lmdb_file *file, const char *path,
					       bool replace, isx_progress_fn *progress, void *arg,
					       struct isx_err *err);

/* Check all invariants of the index. To be called before isx_lmdb_block_writers(): the check takes
 * longer than the copy, and writers need not wait for it. ISX_CORRUPT: the index must not be
 * compacted. */
ISX_MUST_CHECK enum isx_status isx_lmdb_check_to_copy(struct isx_lmdb_file *file,
						      struct isx_err *err);

/* Copy the pages in use of the last snapshot of `file` to the new file `path`, and sync it. It gets the
 * owner, the group and the mode of `file`, as far as this process may set them. The caller holds
 * the writer lock (isx_lmdb_block_writers()). On failure there is no file.
 * ISX_CORRUPT: pages of the index, or of the copy, are damaged. */
ISX_MUST_CHECK enum isx_status isx_lmdb_copy_compact(struct isx_lmdb_file *file, const char *path,
						     isx_progress_fn *progress, void *arg,
						     struct isx_err *err);

#endif
