/*
 * lock_file.h - LMDB's lock file beside an index, and which file it belongs to.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LOCK_FILE_H
#define ISX_LOCK_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <sys/stat.h>

/* Is the lock file beside `path` known to belong to the file of that number? Then LMDB may open it.
 * It stays so while the caller has the directory locked, shared or alone. */
bool isx_lock_file_fits(const char *path, dev_t device, ino_t inode);

/* Is it known to belong to another one? (It may also be that nobody has written down whose it is.) */
bool isx_lock_file_is_foreign(const char *path, dev_t device, ino_t inode);

/* Let the file of that number have a lock file that no other file ever had. Called with the directory
 * locked alone. Returns a code of the system: the lock file must not be used then. */
int isx_lock_file_claim(const char *path, dev_t device, ino_t inode);

/* Make sure of the lock file, and of all its room on the disk: it is written through a mapping, and
 * where the disk is full by then SIGBUS would end the process. Called before LMDB opens it: to close
 * it afterwards would give up LMDB's locks. Returns a code of the system; ENOTSUP: what is there is no
 * regular file. */
int isx_lock_file_prepare(const char *path);

/* Has another process the file at `path` open? Not to be asked where this one has. */
bool isx_lock_file_is_held(const char *path);

/* Is this the path of a lock file, or of what says whose it is, beside a file that is there? */
bool isx_lock_file_is_at(const char *path);

/* Remove the lock file and what says whose it is. Returns a code of the system. */
int isx_lock_file_remove(const char *path);

#endif
