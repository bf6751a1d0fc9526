/*
 * lmdb_copy.c - copy an index file: as it is (backup), or without its free pages (compact).
 *
 * A copy is written under a name of its own, synced, checked, and renamed: under its final name it
 * is complete and correct, or not there. The pages of the original are verified before, as LMDB
 * trusts them. A copy holds a snapshot while it is written: pages that writers free meanwhile are
 * not used again before it is done.
 *
 * LMDB numbers the transactions of a compacted copy from 1 again, so isx:derived (lmdb_format.h),
 * which was copied, names a transaction that has not happened yet. It is set anew before another
 * process can see the copy. Otherwise everything would be derived again; or, after as many
 * transactions of iscc-search 0.3.3, changes of 0.3.3 would be overlooked.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_copy.h"

#include "base/clock.h"
#include "base/status.h"
#include "base/thread.h"
#include "storage/lmdb_snapshot.h"
#include "storage/lmdb_verify.h"
#include "storage/store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- copying ---------------------------------------------------------------------------------- */

/* LMDB copies in one call and without a callback. It is called in a thread of the library, so that
 * the caller can report progress meanwhile, and because LMDB starts another thread to write a copy
 * without free pages, which has the signal mask of the thread that starts it. */
struct copying {
	MDB_env *env;
	int fd;
	unsigned flags;
	pthread_mutex_t lock; /* guards the members below */
	pthread_cond_t changed;
	bool done;
	int code; /* of LMDB */
};

static void *run_copying(void *arg)
{
	struct copying *copying = arg;
	int code = mdb_env_copyfd2(copying->env, copying->fd, copying->flags);
	pthread_mutex_lock(&copying->lock);
	copying->code = code;
	copying->done = true;
	pthread_cond_signal(&copying->changed);
	pthread_mutex_unlock(&copying->lock);
	return NULL;
}

/* Wait for the copy, and report its size 10 times a second: LMDB does not say how far it is.
 * progress() is called in the caller's thread, with copying->lock held. */
static void wait_for_copy(struct copying *copying, isx_progress_fn *progress, void *arg)
{
	enum { PAUSE_NS = 100000000 };
	MDB_envinfo info;
	MDB_stat stat;
	struct stat copy;
	if (progress && (mdb_env_info(copying->env, &info) || mdb_env_stat(copying->env, &stat)))
		progress = NULL;
	pthread_mutex_lock(&copying->lock);
	while (!copying->done) {
		(void)isx_clock_wait(&copying->changed, &copying->lock, isx_clock_ns() + PAUSE_NS);
		if (progress && fstat(copying->fd, &copy) == 0)
			progress((uint64_t)copy.st_size,
				 ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize, arg);
	}
	pthread_mutex_unlock(&copying->lock);
}

/* Copy the last snapshot to `fd`. Returns a code of LMDB; EAGAIN: no thread could be started.
 *   flags  of mdb_env_copyfd2() */
static int copy_file(MDB_env *env, int fd, unsigned flags, isx_progress_fn *progress, void *arg)
{
	struct copying copying = { .env = env, .fd = fd, .flags = flags };
	pthread_t thread;
	pthread_mutex_init(&copying.lock, NULL);
	isx_clock_cond_init(&copying.changed);
	int rc = isx_thread_start(&thread, "isx-copy", run_copying, &copying);
	if (!rc) {
		wait_for_copy(&copying, progress, arg);
		pthread_join(thread, NULL);
		rc = copying.code;
	}
	pthread_cond_destroy(&copying.changed);
	pthread_mutex_destroy(&copying.lock);
	return rc;
}

/* Copy the last snapshot to the new file `path` and fsync() it. Removes it on failure. */
static enum isx_status copy_to(struct isx_lmdb_file *file, const char *path, unsigned flags,
			       isx_progress_fn *progress, void *arg, struct isx_err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return isx_lmdb_status(errno, path, err);
	int rc = copy_file(file->env, fd, flags, progress, arg);
	if (!rc && fsync(fd) != 0)
		rc = errno;
	/* Network file systems may report a failed write only here. */
	if (close(fd) != 0 && !rc)
		rc = errno;
	if (rc)
		unlink(path);
	if (rc == MDB_INCOMPATIBLE) /* LMDB: the page counts of the trees do not add up */
		return isx_fail(err, ISX_CORRUPT,
				"%s: the pages of the file do not add up: see index check", path);
	if (rc == EAGAIN) /* from pthread_create(), here or in LMDB */
		return isx_fail(err, ISX_NO_MEMORY,
				"%s: no thread could be started to write it: memory or threads "
				"have run out",
				path);
	return isx_lmdb_status(rc, path, err);
}

/* Fail with the findings of a check of `file`, or of its copy: the message names the index in
 * both cases, as its pages are where the damage comes from. */
static enum isx_status fail_found(const struct isx_lmdb_file *file,
				  const struct isx_first_finding *found, struct isx_err *err)
{
	return isx_fail(err, ISX_CORRUPT,
			"%s: not copied, as it is damaged: %s%s; bring a backup back (iscc-search "
			"index check NAME lists what is wrong)",
			file->path, found->text, found->count > 1 ? ", and more" : "");
}

enum isx_status isx_lmdb_check_to_copy(struct isx_lmdb_file *file, struct isx_err *err)
{
	struct isx_check report;
	struct isx_first_finding found = { 0 };
	enum isx_status st = isx_lmdb_check(file, &report, isx_finding_keep_first, &found, err);
	return st || !found.count ? st : fail_found(file, &found, err);
}

/* Check a copy before it takes the place of what may be the last good file.
 *   is_full  check all invariants, and not only the pages */
static enum isx_status check_copy(const struct isx_lmdb_file *file, const char *path, bool is_full,
				  struct isx_err *err)
{
	struct isx_lmdb_file *copy;
	struct isx_err cause = { 0 };
	struct isx_first_finding found = { 0 };
	struct isx_check report;
	struct stat named;
	if (stat(path, &named) != 0)
		return isx_lmdb_status(errno, path, err);
	/* No lock file, since no other process knows the copy; and a map as small as the copy,
	 * since the index itself is mapped, too. */
	struct isx_options options = {
		.read_only = true,
		.map_bytes = ((uint64_t)named.st_size + ISX_MAP_BYTES_LEAST) & ~(uint64_t)4095
	};
	enum isx_status st = isx_lmdb_file_open(path, file->kind, &options,
						ISX_LMDB_WITHOUT_LOCK | ISX_LMDB_WHOLE_MAP, &copy,
						&cause);
	if (!st) {
		st = isx_lmdb_verify(copy, ISX_PAGES_SAFE, false, &cause);
		if (!st && is_full)
			st = isx_lmdb_check(copy, &report, isx_finding_keep_first, &found, &cause);
		isx_lmdb_file_close(copy);
	}
	if (st == ISX_CORRUPT)
		isx_finding_keep_first(cause.msg, &found);
	else if (st)
		return isx_fail(err, st, "%s", cause.msg);
	return found.count ? fail_found(file, &found, err) : ISX_OK;
}

/* Set isx:derived of the copy to the number of the transaction that sets it. Returns a code of
 * LMDB. */
static int mark_derived(MDB_env *env)
{
	MDB_txn *txn;
	MDB_dbi metadata;
	uint8_t number[8];
	int rc = mdb_txn_begin(env, NULL, 0, &txn);
	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, ISX_TABLE_METADATA, 0, &metadata);
	if (!rc) {
		MDB_val key = isx_lmdb_val(ISX_META_DERIVED, strlen(ISX_META_DERIVED));
		MDB_val value = isx_lmdb_val(number, sizeof number);
		isx_store_be64(number, isx_lmdb_derived_mark(mdb_txn_id(txn)));
		rc = mdb_put(txn, metadata, &key, &value, 0);
	}
	if (!rc)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* Give a copy that takes the place of `file` its owner, group and mode, as far as this process may:
 * an index that an administrator compacts stays one that the server can write. */
static void keep_owner(const struct isx_lmdb_file *file, const char *path)
{
	struct stat was;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (stat(file->path, &was) == 0) {
		if (fchown(fd, was.st_uid, was.st_gid) != 0)
			(void)!fchown(fd, (uid_t)-1, was.st_gid);
		(void)!fchmod(fd, was.st_mode & 0777);
		(void)fsync(fd);
	}
	close(fd);
}

enum isx_status isx_lmdb_copy_compact(struct isx_lmdb_file *file, const char *path,
				      isx_progress_fn *progress, void *arg, struct isx_err *err)
{
	enum { ROOM_BYTES = 16 << 20 }; /* for the pages of one small transaction */
	MDB_env *env = NULL;
	struct stat copy;
	enum isx_status st = isx_lmdb_verify(file, ISX_PAGES_SAFE, true, err);
	if (!st)
		st = copy_to(file, path, MDB_CP_COMPACT, progress, arg, err);
	if (st)
		return st;
	int rc = stat(path, &copy) == 0 ? mdb_env_create(&env) : errno;
	if (!rc)
		rc = mdb_env_set_maxdbs(env, 1);
	if (!rc) /* a small map: the index itself has its own at the same time */
		rc = mdb_env_set_mapsize(env, ((size_t)copy.st_size + ROOM_BYTES) & ~(size_t)4095);
	if (!rc) /* without a lock file: no other process knows this file */
		rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0644);
	if (!rc)
		rc = mark_derived(env);
	if (env)
		mdb_env_close(env);
	st = rc ? isx_lmdb_status(rc, path, err) : check_copy(file, path, false, err);
	if (st)
		unlink(path);
	else
		keep_owner(file, path);
	return st;
}

/* --- backup ----------------------------------------------------------------------------------- */

static enum isx_status fail_exists(const char *path, struct isx_err *err)
{
	return isx_fail(err, ISX_EXISTS, "%s is there already", path);
}

enum isx_status isx_lmdb_backup(struct isx_lmdb_file *file, const char *path, bool replace,
				isx_progress_fn *progress, void *arg, struct isx_err *err)
{
	char partial[PATH_MAX];
	int len = snprintf(partial, sizeof partial, "%s.partial-%ld-%llx", path, (long)getpid(),
			   (unsigned long long)isx_clock_ns());
	if (len >= (int)sizeof partial)
		return isx_fail(err, ISX_INVALID, "the path of the backup is too long");
	/* Only to fail early; the rename decides. */
	if (!replace && access(path, F_OK) == 0)
		return fail_exists(path, err);
	/* Without MDB_CP_COMPACT, all pages as they are: the number of the last transaction stays
	 * the one that isx:derived names, so a write by another program can still be detected. */
	uint64_t last_change = isx_lmdb_last_change(file);
	enum isx_status st = isx_lmdb_verify(file, ISX_PAGES_SAFE, true, err);
	if (!st)
		st = copy_to(file, partial, 0, progress, arg, err);
	if (st)
		return st;
	st = isx_lmdb_check_unmodified(file, last_change, err);
	if (!st)
		st = check_copy(file, partial, true, err);
	if (st) {
		unlink(partial);
		return st;
	}
	/* RENAME_NOREPLACE: a file that appeared at `path` meanwhile is not overwritten. */
	if (renameat2(AT_FDCWD, partial, AT_FDCWD, path, replace ? 0 : RENAME_NOREPLACE) != 0) {
		int code = errno;
		unlink(partial);
		return code == EEXIST ? fail_exists(path, err) : isx_lmdb_status(code, path, err);
	}
	isx_sync_folder_of(path);
	return ISX_OK;
}
