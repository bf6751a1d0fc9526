/*
 * store_folder.c - the directory of a store: where an index lies in it, the lock that openers and
 *                  renamers take, and staging directories.
 *
 * An index appears and disappears in one step for every process: it is made (and deleted) at a
 * staging path, whose name begins with a dot, and renamed. A file and its lock file are two names,
 * though, and a file must never meet the lock file of another one (lock_file.c). So a process that
 * opens an index holds the directory's lock (flock) shared, and one that renames an index or
 * removes a lock file holds it alone.
 *
 * Two locks lie on the same directory and are independent of each other: the flock above, held for
 * moments, and a record lock (fcntl, of the open file description) that each staging path holds
 * for as long as it is used. The record lock is only taken under the flock.
 *
 * Knows names and locks; must not know LMDB, nor what is in the files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/store_folder.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"
#include "storage/lock_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- names ------------------------------------------------------------------------------------ */

/* Write "FOLDER/NAMESUFFIX" to `path`. False if it is too long for the system. */
static bool join(char path[PATH_MAX], const char *folder, const char *name, const char *suffix)
{
	int len = snprintf(path, PATH_MAX, "%s/%s%s", folder, name, suffix);
	return len > 0 && len < PATH_MAX;
}

/* Can this be the name of an index on disk? Any other name gives "not found", so that a path in
 * a request never leaves the directory, and a hidden name is never taken for an index. */
static bool is_possible_name(const char *name)
{
	return name[0] && name[0] != '.' && strlen(name) <= ISX_INDEX_NAME_MAX &&
	       !strchr(name, '/');
}

bool isx_store_folder_entry(const struct isx_store_folder *folder, const char *name,
			    char entry[PATH_MAX])
{
	return is_possible_name(name) && join(entry, folder->path, name, folder->suffix);
}

bool isx_store_folder_file_in(const struct isx_store_folder *folder, const char *entry,
			      char path[PATH_MAX])
{
	if (folder->inside)
		return join(path, entry, folder->inside, "");
	snprintf(path, PATH_MAX, "%s", entry);
	return true;
}

bool isx_store_folder_file(const struct isx_store_folder *folder, const char *name,
			   char path[PATH_MAX])
{
	char entry[PATH_MAX];
	return isx_store_folder_entry(folder, name, entry) &&
	       isx_store_folder_file_in(folder, entry, path);
}

bool isx_store_folder_name_of(const struct isx_store_folder *folder, const char *entry,
			      char name[ISX_INDEX_NAME_MAX + 1])
{
	size_t len = strlen(entry), suffix_len = strlen(folder->suffix);
	if (len <= suffix_len || len - suffix_len > ISX_INDEX_NAME_MAX ||
	    strcmp(entry + len - suffix_len, folder->suffix) != 0)
		return false;
	/* The lengths were compared above, so the name is never cut. */
	snprintf(name, ISX_INDEX_NAME_MAX + 1, "%.*s", (int)(len - suffix_len), entry);
	return is_possible_name(name);
}

/* --- locking ---------------------------------------------------------------------------------- */

enum isx_status isx_store_folder_relock(const struct isx_store_folder *folder, int how, int lock,
					struct isx_err *err)
{
	/* No time limit: the exclusive lock is held for a rename, the shared one while LMDB
	 * opens a file. */
	while (flock(lock, how) != 0)
		if (errno != EINTR)
			return isx_fail_errno(err, "lock", folder->path);
	return ISX_OK;
}

enum isx_status isx_store_folder_lock(const struct isx_store_folder *folder, int how, int *lock,
				      struct isx_err *err)
{
	/* A new open file description each time: flock() then also keeps threads of this
	 * process apart. */
	*lock = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0)
		return isx_fail_errno(err, "open", folder->path);
	enum isx_status st = isx_store_folder_relock(folder, how, *lock, err);
	if (st)
		close(*lock);
	return st;
}

void isx_store_folder_unlock(int lock)
{
	close(lock);
}

/* --- removing --------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
	(void)stat, (void)kind, (void)where;
	return remove(path);
}

/* FTW_PHYS: a symbolic link in an index is removed, never followed. */
static void remove_tree(const struct isx_store_folder *folder, const char *path)
{
	enum { OPEN_DIRECTORIES = 8 };
	if (nftw(path, remove_one, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
		isx_log_to(&folder->logger, ISX_LOG_WARNING, "could not remove %s: %s", path,
			   strerror(errno));
}

/* With `inside` the lock file lies in the directory of the index and goes with it. Otherwise
 * the caller makes sure that no process uses the lock file, except for a deleted index that is
 * still open. */
void isx_store_folder_remove_lock_file(const struct isx_store_folder *folder, const char *entry)
{
	int rc = folder->inside ? 0 : isx_lock_file_remove(entry);
	if (rc)
		isx_log_to(&folder->logger, ISX_LOG_WARNING,
			   "could not remove the lock file of %s: %s", entry, strerror(rc));
}

void isx_store_folder_remove(const struct isx_store_folder *folder, const char *entry)
{
	remove_tree(folder, entry);
	isx_store_folder_remove_lock_file(folder, entry);
}

/* A folder without an index may be left by a process that was killed, by iscc-search 0.3.3, or by an
 * administrator who removed the file. A link is not followed: its target belongs to somebody else. */
enum isx_status isx_store_folder_vacate(const struct isx_store_folder *folder, const char *entry,
					struct isx_err *err)
{
	char path[PATH_MAX];
	struct stat found;
	if (!folder->inside || lstat(entry, &found) != 0 ||
	    !isx_store_folder_file_in(folder, entry, path) ||
	    faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return ISX_OK;
	if (!S_ISDIR(found.st_mode))
		return isx_fail(err, ISX_IO,
				"%s: expected the folder of an index, or nothing: move what is "
				"there away, or choose another name",
				entry);
	(void)isx_lock_file_remove(
		path); /* if that fails, rmdir() says that the folder is not empty */
	if (rmdir(entry) == 0)
		return ISX_OK;
	return isx_fail(
		err, ISX_IO,
		"%s: the folder holds no index and cannot be replaced by one (%s): move the "
		"folder away, or choose another name",
		entry, strerror(errno));
}

/* --- staging ---------------------------------------------------------------------------------- */

/* ".NAME.PURPOSE-PID-TIME-COUNT". No suffix: iscc-search 0.3.3 takes everything that ends in
 * ".lmdb" for an index. */
static bool staging_path(struct isx_store_folder *folder, const char *name, const char *purpose,
			 char path[PATH_MAX])
{
	char hidden[ISX_INDEX_NAME_MAX + 80];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now); /* containers may share a process number: often 1 */
	snprintf(hidden, sizeof hidden, ".%s.%s-%ld-%llx%09lx-%x", name, purpose, (long)getpid(),
		 (unsigned long long)now.tv_sec, now.tv_nsec,
		 atomic_fetch_add(&folder->names_made, 1));
	return join(path, folder->path, hidden, "");
}

/* Does an entry have the form of a staging name, or of its lock file? Strict, because what has
 * this form is deleted: a user's hidden file must not match by accident. */
static bool is_staging_name(const char *entry)
{
	static const char *const purposes[] = { ".new-", ".deleted-", ".compact-" };
	for (size_t i = 0; entry[0] == '.' && i < sizeof purposes / sizeof purposes[0]; i++) {
		const char *rest = strstr(entry + 1, purposes[i]);
		if (!rest)
			continue;
		rest += strlen(purposes[i]);
		rest += strspn(rest, "0123456789abcdef-");
		if (!*rest || strcmp(rest, "lock") == 0 || strcmp(rest, "lock-of") == 0)
			return true;
	}
	return false;
}

/* The record lock lasts as long as the staging path. It is taken while the flock is held
 * shared: isx_store_folder_clean(), which holds the flock alone, sees every staging path that
 * is in use and knows that no other can begin. */
enum isx_status isx_staging_begin(struct isx_store_folder *folder, const char *name,
				  const char *purpose, struct isx_staging *place,
				  struct isx_err *err)
{
	struct flock in_use = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int lock;
	if (!staging_path(folder, name, purpose, place->path))
		return isx_fail(err, ISX_INVALID, "the path of the index is too long");
	enum isx_status st = isx_store_folder_lock(folder, LOCK_SH, &lock, err);
	if (st)
		return st;
	place->lock = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->lock < 0 || fcntl(place->lock, F_OFD_SETLK, &in_use) != 0)
		st = isx_fail_errno(err, "lock", folder->path);
	isx_store_folder_unlock(lock);
	if (st && place->lock >= 0)
		close(place->lock);
	return st;
}

void isx_staging_end(struct isx_staging *place)
{
	close(place->lock);
}

/* Append all staging names, each with its NUL. */
static void list_staging(const struct isx_store_folder *folder, struct isx_buf *names)
{
	struct dirent *entry;
	DIR *directory = opendir(folder->path);
	while (directory && (entry = readdir(directory)))
		if (is_staging_name(entry->d_name))
			isx_buf_add(names, entry->d_name, strlen(entry->d_name) + 1);
	if (directory)
		closedir(directory);
}

void isx_store_folder_clean(const struct isx_store_folder *folder)
{
	struct isx_buf names = { 0 };
	struct flock in_use = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	int lock;
	/* Almost always empty: then the store opens without waiting for the exclusive lock. */
	list_staging(folder, &names);
	if (names.len && !isx_store_folder_lock(folder, LOCK_EX, &lock, NULL)) {
		bool is_unused = fcntl(lock, F_OFD_GETLK, &in_use) == 0 && in_use.l_type == F_UNLCK;
		/* List again under the lock: what was seen before may have been renamed to an
		 * index meanwhile. */
		isx_buf_clear(&names);
		if (is_unused)
			list_staging(folder, &names);
		isx_store_folder_unlock(lock);
		/* Removing many files takes long, so without the lock: the owners of these
		 * names are dead. */
		for (size_t at = 0; at < names.len; at += strlen(names.ptr + at) + 1)
			if (!names.failed && join(path, folder->path, names.ptr + at, ""))
				remove_tree(folder, path);
	}
	isx_buf_release(&names);
}

/* --- the disk --------------------------------------------------------------------------------- */

void isx_sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
}

void isx_sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1,
		 slash ? path : ".");
	isx_sync_folder(folder[0] ? folder : "/");
}
