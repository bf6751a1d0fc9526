/*
 * store_folder.h - the directory of a store: where an index lies in it, the lock that openers and
 *                  renamers take, and staging directories.
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
	const char *suffix; /* the index NAME is the entry NAME + suffix (struct isx_lmdb_kind) */
	const char *inside; /* name of the LMDB file in that entry; NULL: the entry is the file */
	atomic_uint names_made; /* staging names so far: keeps those of one process apart */
	struct isx_logger logger;
};

/* The path of the entry of an index, and of its LMDB file. False for a name that no index can
 * have. */
bool isx_store_folder_entry(const struct isx_store_folder *folder, const char *name,
			    char entry[PATH_MAX]);
bool isx_store_folder_file(const struct isx_store_folder *folder, const char *name,
			   char path[PATH_MAX]);

/* The LMDB file of the index whose entry lies at `entry`, which may be in a staging directory. */
bool isx_store_folder_file_in(const struct isx_store_folder *folder, const char *entry,
			      char path[PATH_MAX]);

/* The name of the index to which an entry of the directory belongs; false if it is no index. */
bool isx_store_folder_name_of(const struct isx_store_folder *folder, const char *entry,
			      char name[ISX_INDEX_NAME_MAX + 1]);

/* A hidden path in the directory of the store that belongs to one thread, where an index is made or
 * deleted. If its process is killed, the next process that opens the store removes what is
 * there. */
struct isx_staging {
	char path[PATH_MAX];
	int lock; /* descriptor that holds a shared record lock: the staging path is in use */
};

/* Choose a staging path and lock it; end with isx_staging_end(), which leaves the files as they
 * are. Takes the directory's lock shared for a moment: the caller must not hold it.
 *   purpose  "new", "deleted" or "compact"; becomes a part of the name */
ISX_MUST_CHECK enum isx_status isx_staging_begin(struct isx_store_folder *folder, const char *name,
						 const char *purpose, struct isx_staging *place,
						 struct isx_err *err);
void isx_staging_end(struct isx_staging *place);

/* Remove what killed processes have left at staging paths, unless a staging path is in use now.
 * Takes the directory's lock alone. */
void isx_store_folder_clean(const struct isx_store_folder *folder);

/* Lock the directory against other processes and threads.
 *   how   LOCK_SH to open an index file, LOCK_EX to rename one or to remove a lock file
 *   lock  filled: give back with isx_store_folder_unlock() */
ISX_MUST_CHECK enum isx_status isx_store_folder_lock(const struct isx_store_folder *folder, int how,
						     int *lock, struct isx_err *err);
void isx_store_folder_unlock(int lock);

/* Change the lock from shared to exclusive or back. flock() gives it up in between: another process
 * may take it, so the caller has to look again at what it read before. */
ISX_MUST_CHECK enum isx_status isx_store_folder_relock(const struct isx_store_folder *folder,
						       int how, int lock, struct isx_err *err);

/* Remove an entry and its lock file. A failure is logged and not returned: the index has already
 * lost its name. */
void isx_store_folder_remove(const struct isx_store_folder *folder, const char *entry);
void isx_store_folder_remove_lock_file(const struct isx_store_folder *folder, const char *entry);

/* Make room for a new index: remove the folder at `entry` if it holds nothing but lock files of an index
 * that is gone. An index stays, and is no error. The caller holds the directory's lock (LOCK_EX).
 * ISX_IO: something else is there; it is not removed. */
ISX_MUST_CHECK enum isx_status isx_store_folder_vacate(const struct isx_store_folder *folder,
						       const char *entry, struct isx_err *err);

/* fsync() a directory, or the directory of a file, so that a rename survives a power failure.
 * Errors are ignored: some file systems cannot do it. */
void isx_sync_folder(const char *path);
void isx_sync_folder_of(const char *path);

#endif
