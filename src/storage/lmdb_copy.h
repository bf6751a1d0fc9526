/*
 * lmdb_copy.h - copies of an index file: as it is, and without its free pages.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_COPY_H
#define ISX_LMDB_COPY_H

#include "storage/lmdb_check.h"
#include "storage/lmdb_file.h"

/* Copy the last snapshot of `file` to `path`, as isx_index_backup().
 *   rules  the copy is checked by
 * ISX_CORRUPT: it is damaged; there is no copy. */
ISX_MUST_CHECK enum isx_status isx_lmdb_backup(struct isx_lmdb_file *file, const char *path,
					       const struct isx_check_rules *rules, bool replace,
					       isx_progress_fn *progress, void *arg,
					       struct isx_err *err);

/* Is all right that has to be true of the index? To be asked before isx_lmdb_block_writers(), as it takes longer
 * than the copy, and writers need not wait for it. ISX_CORRUPT: it must not be compacted. */
ISX_MUST_CHECK enum isx_status isx_lmdb_check_to_copy(struct isx_lmdb_file *file,
						      const struct isx_check_rules *rules,
						      struct isx_err *err);

/* Write what is in use of the last snapshot of `file` to the new file `path`, and on to disk. The
 * caller holds the writers off (isx_lmdb_block_writers()). On failure there is no file. ISX_CORRUPT: the pages
 * of the index, or of the copy, are damaged. */
ISX_MUST_CHECK enum isx_status isx_lmdb_copy_compact(struct isx_lmdb_file *file, const char *path,
						     isx_progress_fn *progress, void *arg,
						     struct isx_err *err);

#endif
