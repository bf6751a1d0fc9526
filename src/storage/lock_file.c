/*
 * lock_file.c - LMDB's lock file beside an index, and the record of which file it belongs to.
 *
 * The lock file holds the number of the last transaction and the readers of *one* file, but its
 * name is independent of that file. When another file takes the place of an index (a restored
 * backup, a replica's next copy, compact), processes that have the old file open keep the lock
 * file in use, and LMDB would trust it when it opens the new file: readers would take the wrong
 * one of the two newest snapshots, and two writers could write at once.
 *
 * So a file beside it, "PATH-lock-of", records its owner: the device and inode of the index file.
 * A process that opens an index and finds another owner removes the lock file first, with the
 * directory locked alone. Processes that have the old file open continue with the old lock file,
 * which has no name any more. An inode is enough to tell files apart: a process that uses a lock
 * file has its index open, too, and until then the system gives that inode to no other file.
 *
 * The order, lock file first, makes it safe to be killed in between: the record still names the
 * old file, or is gone, and then there is no lock file either. A lock file without a record was
 * made by iscc-search 0.3.3, which may have it open: it is taken over as it is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lock_file.h"

#include "storage/lmdb_format.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OWNER_TEXT_BYTES = 48 };

/* The suffixes are LMDB's: "-lock" behind the path of the file (MDB_NOSUBDIR). */
static bool lock_path(const char *path, const char *suffix, char lock[PATH_MAX])
{
	return snprintf(lock, PATH_MAX, "%s-lock%s", path, suffix) < PATH_MAX;
}

static void owner_text(dev_t device, ino_t inode, char text[OWNER_TEXT_BYTES])
{
	snprintf(text, OWNER_TEXT_BYTES, "%llx-%llx", (unsigned long long)device,
		 (unsigned long long)inode);
}

/* Read the owner record; "" if there is none, or if it is no regular file. */
static void read_owner(const char *path, char text[OWNER_TEXT_BYTES])
{
	char name[PATH_MAX];
	const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK; /* it may be a FIFO */
	struct stat file;
	int fd = lock_path(path, "-of", name) ? open(name, flags) : -1;
	bool is_file = fd >= 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
	ssize_t len = is_file ? read(fd, text, OWNER_TEXT_BYTES - 1) : 0;
	text[len > 0 ? len : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Called with the directory locked alone, so that no other process reads the record meanwhile.
 * It is unlinked first: O_EXCL then follows no link that is there. A record that a full disk
 * cuts off matches no file, and is replaced at the next opening. */
static int write_owner(const char *path, dev_t device, ino_t inode)
{
	char name[PATH_MAX], text[OWNER_TEXT_BYTES];
	owner_text(device, inode, text);
	ssize_t len = (ssize_t)strlen(text);
	if (!lock_path(path, "-of", name))
		return ENAMETOOLONG;
	if (unlink(name) != 0 && errno != ENOENT)
		return errno;
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno;
	ssize_t written = write(fd, text, (size_t)len);
	int rc = written == len ? 0 : written < 0 ? errno : ENOSPC;
	close(fd);
	return rc;
}

bool isx_lock_file_fits(const char *path, dev_t device, ino_t inode)
{
	char recorded[OWNER_TEXT_BYTES], expected[OWNER_TEXT_BYTES];
	read_owner(path, recorded);
	owner_text(device, inode, expected);
	return strcmp(recorded, expected) == 0;
}

bool isx_lock_file_is_foreign(const char *path, dev_t device, ino_t inode)
{
	char recorded[OWNER_TEXT_BYTES];
	read_owner(path, recorded);
	return recorded[0] && !isx_lock_file_fits(path, device, inode);
}

static bool is_denied(int code)
{
	return code == EROFS || code == EACCES || code == EPERM;
}

int isx_lock_file_claim(const char *path, dev_t device, ino_t inode)
{
	int rc = 0;
	if (isx_lock_file_fits(path, device, inode))
		return 0;
	if (isx_lock_file_is_foreign(path, device, inode))
		rc = isx_lock_file_remove(path);
	if (rc)
		return rc;
	rc = write_owner(path, device, inode);
	return is_denied(rc) ? 0 : rc; /* a process that may only read writes no record */
}

bool isx_lock_file_is_at(const char *path)
{
	static const char *const suffixes[] = { "-lock", "-lock-of" };
	char owner[PATH_MAX];
	size_t len = strlen(path);
	for (size_t i = 0; i < 2; i++) {
		size_t suffix = strlen(suffixes[i]);
		if (len <= suffix || len >= sizeof owner ||
		    strcmp(path + len - suffix, suffixes[i]) != 0)
			continue;
		snprintf(owner, sizeof owner, "%.*s", (int)(len - suffix), path);
		if (access(owner, F_OK) == 0)
			return true;
	}
	return false;
}

int isx_lock_file_remove(const char *path)
{
	static const char *const suffixes[] = { "", "-of" };
	char name[PATH_MAX];
	for (size_t i = 0; i < 2; i++) {
		if (!lock_path(path, suffixes[i], name))
			return ENAMETOOLONG;
		if (unlink(name) != 0 && errno != ENOENT && errno != ENOTDIR)
			return errno;
	}
	return 0;
}

int isx_lock_file_prepare(const char *path)
{
	enum { LOCK_BYTES = (ISX_LMDB_READERS_MAX + 2) * 64 }; /* LMDB: 64 bytes for each reader */
	char name[PATH_MAX];
	const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK; /* it may be a device */
	struct stat file;
	int fd = lock_path(path, "", name) ? open(name, flags, 0644) : -1;
	if (fd < 0)
		return errno;
	if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) {
		close(fd);
		return ENOTSUP;
	}
	int rc = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LOCK_BYTES) ? errno : 0;
	close(fd);
	return rc == ENOSPC || rc == EDQUOT ? rc : 0; /* not every file system can promise room */
}

/* LMDB holds a record lock on the first byte of its lock file while it has the index open. */
bool isx_lock_file_is_held(const char *path)
{
	char name[PATH_MAX];
	struct flock held = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int fd = lock_path(path, "", name) ? open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	if (fd < 0)
		return errno != ENOENT; /* not readable: assume that it is held */
	bool asked = fcntl(fd, F_GETLK, &held) == 0;
	close(fd);
	return !asked || held.l_type != F_UNLCK;
}
