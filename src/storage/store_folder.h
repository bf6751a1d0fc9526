/*
 * store_folder.h - the directory of a store: where an index lies in it, and who may rename there.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_STORE_FOLDER_H
#define ISX_STORE_FOLDER_H

#include "base/limits.h"
#include "base/status.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

struct isx_store_folder {
	char *path;         /* owned; NULL: the files have no names (memory://) */
	const char *suffix; /* as in isx_lmdb_kind: the index NAME is the entry NAME + suffix, */
	const char *inside; /* with its file in it, or, with NULL, the file itself */
	atomic_uint names_made;
	struct isx_logger logger;
};

/* Where the entry of an index is, and its LMDB file. False for a name that no index can have. */
bool isx_store_folder_entry(const struct isx_store_folder *folder, const char *name,
			    char entry[PATH_MAX]);
bool isx_store_folder_file(const struct isx_store_folder *folder, const char *name,
			   char path[PATH_MAX]);

/* The LMDB file of the index whose entry lies at `entry`, which may be a private one. */
bool isx_store_folder_file_in(const struct isx_store_folder *folder, const char *entry,
			      char path[PATH_MAX]);

/* The name of the index that an entry of the directory may be; false if it is none. */
bool isx_store_folder_name_of(const struct isx_store_folder *folder, const char *entry,
			      char name[ISX_INDEX_NAME_MAX + 1]);

/* A path beside the indexes that nobody else uses, to make (or delete) one at. What is there when its
 * process has ended is removed by the next one to open the store. */
struct isx_staging {
	char path[PATH_MAX];
	int lock; /* says that somebody is at work */
};

/* Get such a place; it is given back, empty or not, with isx_staging_end(). */
ISX_MUST_CHECK enum isx_status isx_staging_begin(struct isx_store_folder *folder, const char *name,
						 const char *why, struct isx_staging *place,
						 struct isx_err *err);
void isx_staging_end(struct isx_staging *place);

/* Remove what processes that were killed have left in such places, if nobody is at work now. */
void isx_store_folder_clean(const struct isx_store_folder *folder);

/* Lock the directory against other processes and threads: LOCK_SH or LOCK_EX. *lock is given back with
 * isx_store_folder_unlock(). */
ISX_MUST_CHECK enum isx_status isx_store_folder_lock(const struct isx_store_folder *folder, int how,
						     int *lock, struct isx_err *err);
void isx_store_folder_unlock(int lock);

/* Hold the lock the other way: for a moment nobody may hold it. */
ISX_MUST_CHECK enum isx_status isx_store_folder_relock(const struct isx_store_folder *folder,
						       int how, int lock, struct isx_err *err);

/* Remove an entry and its lock file; what could not be removed is said in the log. */
void isx_store_folder_remove(const struct isx_store_folder *folder, const char *entry);
void isx_store_folder_remove_lock_file(const struct isx_store_folder *folder, const char *entry);

/* Bring the names in a directory, or in that of a file, to the disk. */
void isx_sync_folder(const char *path);
void isx_sync_folder_of(const char *path);

#endif
