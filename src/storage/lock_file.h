/*
 * lock_file.h - LMDB's lock file beside an index, and the record of which file it belongs to.
 *
 * `path` is always that of the LMDB file; device and inode are those of a file. Functions that
 * return an int return 0 or a code of errno. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LOCK_FILE_H
#define ISX_LOCK_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <sys/stat.h>

/* Is the lock file beside `path` recorded as that of the file with this device and inode? Then LMDB
 * may open it. The answer stays true while the caller holds the directory's lock, shared or
 * alone. */
bool isx_lock_file_fits(const char *path, dev_t device, ino_t inode);

/* Is the lock file recorded as that of another file? False also when there is no record. */
bool isx_lock_file_is_foreign(const char *path, dev_t device, ino_t inode);

/* Record the file with this device and inode as the owner of the lock file; a lock file of another
 * file is removed first. Called with the directory locked alone. On failure the lock file must not
 * be used. */
int isx_lock_file_claim(const char *path, dev_t device, ino_t inode);

/* Create the lock file and reserve all its room on the disk: LMDB writes it through a mapping, and
 * on a disk that is full by then a SIGBUS would end the process. Called before LMDB opens the lock
 * file: a descriptor that is closed afterwards would give up LMDB's record locks. ENOTSUP: there is
 * something else than a regular file. */
int isx_lock_file_prepare(const char *path);

/* Does another process have the file at `path` open with LMDB? Must not be called while this
 * process has it open with its lock file: the check would give up LMDB's record locks. */
bool isx_lock_file_is_held(const char *path);

/* Is `path` that of a lock file, or of its owner record, beside an existing file? */
bool isx_lock_file_is_at(const char *path);

/* Remove the lock file and its owner record. */
int isx_lock_file_remove(const char *path);

#endif
