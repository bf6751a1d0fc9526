/*
 * lmdb_copy.h - copies of an index file: as it is, and without its free pages.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_COPY_H
#define ISX_LMDB_COPY_H

#include "index/lmdb_file.h"

/* Copy the last snapshot of `file` to `path`, as isx_index_backup(). */
ISX_MUST_CHECK enum isx_status isx_lmdb_backup(struct isx_lmdb_file *file, const char *path,
					       bool replace, isx_progress_fn *progress, void *arg,
					       struct isx_err *err);

/* Write what is in use of the last snapshot of `file` to the new file `path`, and on to disk. The
 * caller holds the writers off (isx_lmdb_hold()). On failure there is no file. */
ISX_MUST_CHECK enum isx_status isx_lmdb_copy_compact(struct isx_lmdb_file *file, const char *path,
						     isx_progress_fn *progress, void *arg,
						     struct isx_err *err);

#endif
