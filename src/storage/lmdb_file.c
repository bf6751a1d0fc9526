/*
 * lmdb_file.c - open an index file, look up its tables, begin and end transactions.
 *
 * LMDB keeps handles of named tables per environment, not per transaction, and wants them opened
 * by one transaction at a time, which then has to commit. So handles are looked up under
 * `opening`, published under `publishing` once their transaction has committed, and every view
 * works on a copy taken before its transaction began. A new table of another process shows in the
 * number of named tables, which costs nothing to read.
 *
 * Lock order: LMDB's writer lock (of all processes), then `opening`, then `publishing` or
 * watch.lock. `verifying` may be taken under the writer lock, never under `opening`. Readers take
 * `publishing` for a copy, and `opening` only when there are new tables.
 *
 * Must not know what the rows of the tables mean: struct isx_lmdb_kind has that.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_file.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/lmdb_kind.h"
#include "storage/lmdb_pages.h"
#include "storage/lmdb_snapshot.h"
#include "storage/lmdb_verify.h"
#include "storage/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
	LOOK_UPS_MAX = 8,             /* tries while another program keeps writing */
	WRITES_PER_READER_CHECK = 32, /* looks for slots of dead readers: one in so many writes */
	FULL_BLOCKS = 16              /* a disk with fewer free blocks counts as full */
};

/* --- handles ---------------------------------------------------------------------------------- */

int isx_lmdb_open_table(struct isx_lmdb_view *view, const char *name, unsigned flags,
			MDB_dbi *table)
{
	if (*table)
		return 0;
	/* Only a view that writes creates tables; a reader finds MDB_NOTFOUND. */
	unsigned found = 0;
	int rc = mdb_dbi_open(view->txn, name, flags | (view->writes ? MDB_CREATE : 0), table);
	if (!rc)
		rc = mdb_dbi_flags(view->txn, *table, &found);
	if (!rc && found != flags) /* LMDB goes by the stored flags, whatever is asked for */
		rc = MDB_INCOMPATIBLE;
	if (rc)
		*table = 0;
	return rc;
}

/* The main table has an entry for each named table. 0 on an error: the tables are then looked
 * up. */
static size_t count_tables(const struct isx_lmdb_view *view)
{
	MDB_stat stat;
	return mdb_stat(view->txn, ISX_LMDB_MAIN_TABLE, &stat) ? 0 : stat.ms_entries;
}

/* Open the table called `name`, if files of this kind, or of every kind, have it. */
static int open_by_name(struct isx_lmdb_view *view, const char *name)
{
	if (strcmp(name, ISX_TABLE_FIELDS) == 0)
		return isx_lmdb_open_table(view, name, ISX_FIELDS_FLAGS, &view->tables.fields);
	return view->file->kind->open_by_name(view, name);
}

/* Open every table of the file; the caller holds `opening`. The names are copied first, with
 * the NUL that LMDB's keys do not have. */
static int look_up_tables(struct isx_lmdb_view *view)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	struct isx_buf names = { 0 };
	int rc = mdb_cursor_open(view->txn, ISX_LMDB_MAIN_TABLE, &cursor);
	if (rc)
		return rc;
	while (!(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		isx_buf_add(&names, key.mv_data, key.mv_size);
		isx_buf_char(&names, '\0');
	}
	mdb_cursor_close(cursor);
	rc = rc == MDB_NOTFOUND ? 0 : rc;
	if (names.failed)
		rc = ENOMEM;
	for (size_t at = 0; !rc && at < names.len; at += strlen(names.ptr + at) + 1)
		rc = open_by_name(view, names.ptr + at);
	isx_buf_release(&names);
	view->tables.count = count_tables(view);
	return rc;
}

/* Make the handles of a committed transaction available to all threads. The caller holds
 * `opening`. */
static void publish_tables(const struct isx_lmdb_view *view)
{
	struct isx_lmdb_file *file = view->file;
	/* Most commits open no handle: then no reader has to wait for the lock. */
	if (memcmp(&file->tables, &view->tables, sizeof file->tables) == 0)
		return;
	pthread_rwlock_wrlock(&file->publishing);
	file->tables = view->tables;
	pthread_rwlock_unlock(&file->publishing);
	atomic_fetch_add(&file->handles_opened, 1);
}

/* Copy the published handles to `tables`, which is all zeros: the rest of its room is not written.
 * Called before a transaction begins: a transaction knows no handle that was opened after that. */
static void copy_tables(struct isx_lmdb_file *file, struct isx_lmdb_tables *tables)
{
	pthread_rwlock_rdlock(&file->publishing);
	memcpy(tables, &file->tables,
	       offsetof(struct isx_lmdb_tables, of_engine) + file->kind->tables_bytes);
	pthread_rwlock_unlock(&file->publishing);
}

/* Can the file only be read without its lock file (read-only mount, no permission)? It may be,
 * as long as no other process writes: a writer would not know of this reader and use its pages
 * again. */
static bool is_lockless(const struct isx_lmdb_file *file, int lock_code)
{
	return file->read_only && (lock_code == EROFS || lock_code == EACCES || lock_code == EPERM);
}

/* Take `opening`, unless other handles are published before: false then. The handles that a reader
 * has copied may be those before the last commit, and the next writer may hold `opening` by now, for
 * as long as it writes: what the reader looks for has been published then.
 *   opened  handles_opened, read before the handles were copied */
static bool begin_opening(struct isx_lmdb_file *file, unsigned opened)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	while (pthread_mutex_trylock(&file->opening)) {
		if (atomic_load(&file->handles_opened) != opened)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* Learn of tables that another process has made. Takes `opening`; called without a view. Returns
 * without a look if other handles have been published meanwhile.
 *   opened  as in begin_opening() */
static int refresh_tables(struct isx_lmdb_file *file, unsigned opened)
{
	struct isx_lmdb_view view = { .file = file };
	if (!begin_opening(file, opened))
		return 0;
	copy_tables(file, &view.tables);
	int rc = isx_lmdb_begin_snapshot(file, &view.txn);
	if (!rc) {
		rc = look_up_tables(&view);
		int ended = mdb_txn_commit(view.txn); /* keeps the handles */
		rc = rc ? rc : ended;
		if (!rc)
			publish_tables(&view);
	}
	pthread_mutex_unlock(&file->opening);
	return rc;
}

/* --- metadata --------------------------------------------------------------------------------- */

/* Borrow the value of exactly `count` bytes under `name` in __metadata__. Returns a code of
 * LMDB: MDB_NOTFOUND if there is none. */
static int get_meta(const struct isx_lmdb_view *view, const char *name, size_t count,
		    const void **bytes)
{
	MDB_val key = isx_lmdb_val(name, strlen(name)), value;
	int rc = view->tables.metadata ? mdb_get(view->txn, view->tables.metadata, &key, &value)
				       : MDB_NOTFOUND;
	if (!rc && value.mv_size != count)
		rc = MDB_CORRUPTED;
	if (!rc)
		*bytes = value.mv_data;
	return rc;
}

enum isx_status isx_lmdb_get_u32(struct isx_lmdb_view *view, const char *name, bool *found,
				 uint32_t *value, struct isx_err *err)
{
	const void *bytes;
	int rc = get_meta(view, name, sizeof *value, &bytes);
	*found = rc == 0;
	if (rc == 0)
		*value = isx_load_be32(bytes);
	if (rc == MDB_CORRUPTED) {
		char what[80];
		snprintf(what, sizeof what, "%s in the metadata is not a number of %zu bytes", name,
			 sizeof *value);
		return isx_lmdb_fail_damaged(view->file, what, err);
	}
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, name, err);
}

/* Needs a view that writes, in which the table of metadata is open (prepare_write()). */
enum isx_status isx_lmdb_put_meta(struct isx_lmdb_view *view, const char *name, const void *bytes,
				  size_t count, struct isx_err *err)
{
	MDB_val key = isx_lmdb_val(name, strlen(name));
	MDB_val value = isx_lmdb_val(bytes, count);
	return isx_lmdb_status(mdb_put(view->txn, view->tables.metadata, &key, &value, 0), name,
			       err);
}

/* Was the last committed change made by this program and by its present rule? Then everything
 * derived is up to date. In a view that writes, the last committed transaction is the one
 * before its own. */
static int is_derived(const struct isx_lmdb_view *view, bool *derived)
{
	const void *bytes;
	uint64_t last = mdb_txn_id(view->txn) - (view->writes ? 1 : 0);
	int rc = get_meta(view, ISX_META_DERIVED, sizeof last, &bytes);
	*derived = rc == 0 && isx_load_be64(bytes) == isx_lmdb_derived_mark(last);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* --- views ------------------------------------------------------------------------------------ */

/* Begin a read with the handles of all tables. Returns a code of LMDB; the view has begun if
 * that is 0.
 *   derived  filled: may the view be used, or is something derived out of date? */
static int begin_read(struct isx_lmdb_file *file, struct isx_lmdb_view *view, bool *derived)
{
	for (int i = 0; i < ISX_LMDB_TABLES_MAX; i++) { /* each turn has seen a new table */
		const unsigned opened = atomic_load(&file->handles_opened);
		*view = (struct isx_lmdb_view){ .file = file };
		copy_tables(file, &view->tables);
		int rc = isx_lmdb_begin_snapshot(file, &view->txn);
		if (rc)
			return rc;
		if (count_tables(view) == view->tables.count) {
			rc = is_derived(view, derived);
			if (rc)
				isx_lmdb_end(view);
			return rc;
		}
		isx_lmdb_end(view);
		rc = refresh_tables(file, opened);
		if (rc)
			return rc;
	}
	return MDB_BAD_TXN; /* too many concurrent table creations */
}

enum isx_status isx_lmdb_read(struct isx_lmdb_file *file, enum isx_pages_extent extent,
			      struct isx_lmdb_view *view, struct isx_err *err)
{
	/* Before the transaction: a damaged page must not be read by LMDB at all. */
	enum isx_status st = isx_lmdb_verify(file, extent, false, err);
	for (int i = 0; !st && i < LOOK_UPS_MAX; i++) {
		bool derived = false;
		st = isx_lmdb_status(begin_read(file, view, &derived), "read", err);
		if (st || derived)
			return st;
		isx_lmdb_end(view);
		if (file->read_only)
			return isx_lmdb_fail_stale(err);
		struct isx_lmdb_view writer; /* a write brings everything derived up to date */
		st = isx_lmdb_write(file, &writer, err);
		if (!st)
			st = isx_lmdb_commit(&writer, err);
	}
	return st ? st
		  : isx_fail(err, ISX_UNAVAILABLE, "another program keeps writing to the index");
}

enum isx_status isx_lmdb_fail_stale(struct isx_err *err)
{
	return isx_fail(err, ISX_READ_ONLY,
			"the index was last written by another program, or another version of this "
			"one: open it once for writing, so that its codes can be read again");
}

enum isx_status isx_lmdb_read_as_is(struct isx_lmdb_file *file, struct isx_lmdb_view *view,
				    bool *derived, struct isx_err *err)
{
	enum isx_status st = isx_lmdb_verify(file, ISX_PAGES_BRIEF, false, err);
	return st ? st : isx_lmdb_status(begin_read(file, view, derived), "read", err);
}

/* LMDB gives a new reader the newest snapshot and cannot open an older one, so whether a writer has
 * committed in between is seen from the transaction's number afterwards: equal numbers are the same
 * snapshot. Nothing of a newer one is looked up, as that might wait for its writer. */
bool isx_lmdb_read_again(const struct isx_lmdb_view *view, struct isx_lmdb_view *again)
{
	*again = (struct isx_lmdb_view){ .file = view->file, .tables = view->tables };
	if (isx_lmdb_begin_snapshot(view->file, &again->txn))
		return false;
	if (mdb_txn_id(again->txn) == mdb_txn_id(view->txn))
		return true;
	isx_lmdb_end(again);
	return false;
}

/* Refuse a file that a later version wrote. */
static enum isx_status check_format(struct isx_lmdb_view *view, struct isx_err *err)
{
	bool found;
	uint32_t format = ISX_FORMAT_VERSION;
	enum isx_status st = isx_lmdb_get_u32(view, ISX_META_FORMAT, &found, &format, err);
	if (!st && found && !view->tables.assets) /* made in one transaction: its name is damaged */
		st = isx_lmdb_fail_damaged(view->file, "there is no table of assets", err);
	if (!st && format > ISX_FORMAT_VERSION)
		st = isx_fail(
			err, ISX_CORRUPT,
			"%s: the index has format %u, this program knows formats up to %d: use "
			"a newer version of this program",
			view->file->path ? view->file->path : "memory://", format,
			ISX_FORMAT_VERSION);
	return st;
}

/* Bring a writing view up to date: the tables that every index has, and everything derived. So each
 * commit of this program may record that what is derived is up to date. */
static enum isx_status prepare_write(struct isx_lmdb_view *view, struct isx_err *err)
{
	bool derived = false;
	enum isx_status st = check_format(view, err);
	if (!st)
		st = view->file->kind->make_tables(view, err);
	if (!st)
		st = isx_lmdb_status(is_derived(view, &derived), "read metadata", err);
	if (!st && !derived)
		st = view->file->kind->derive(view, err);
	return st;
}

/* Begin a write transaction of the file that has the name of the index *now*. compact holds the
 * writer lock of the old file from before the copy until after the rename. So a writer that
 * waited for that lock finds another inode under the name as soon as it has the lock, and must
 * not write: no process would ever read it. A writer that finds the same inode may write: while
 * it has the lock, no other file can take the name. (An index may be deleted at any time; the
 * write then came before.) */
static enum isx_status begin_write(struct isx_lmdb_file *file, MDB_txn **txn, struct isx_err *err)
{
	struct stat named;
	int dead = 0;
	*txn = NULL;
	if (file->read_only)
		return isx_fail(err, ISX_READ_ONLY, "the store was opened for reading only");
	/* The snapshot of a reader that was killed keeps pages from being used again. */
	if (atomic_fetch_add(&file->writes_begun, 1) % WRITES_PER_READER_CHECK == 0)
		mdb_reader_check(file->env, &dead);
	int rc = mdb_txn_begin(file->env, NULL, 0, txn);
	isx_lmdb_note_panic(file, rc);
	if (rc)
		return isx_lmdb_status(rc, "begin to write", err);
	/* Files without a name (memory://) cannot be replaced. */
	if (!file->path || (stat(file->path, &named) == 0 && named.st_dev == file->device &&
			    named.st_ino == file->inode))
		return ISX_OK;
	mdb_txn_abort(*txn);
	*txn = NULL;
	atomic_store(&file->is_replaced, true);
	return isx_fail(err, ISX_UNAVAILABLE, "the file of the index was replaced: try again");
}

enum isx_status isx_lmdb_queue_run(struct isx_lmdb_file *file, struct isx_lmdb_change *change,
				   struct isx_err *err)
{
	return isx_commit_queue_run(file->queue, &change->commit, err);
}

enum isx_status isx_lmdb_block_writers(struct isx_lmdb_file *file, MDB_txn **hold,
				       struct isx_err *err)
{
	/* A program that does not know this one may write between the read, which brings
	 * everything derived up to date, and the lock: then once more. */
	for (int i = 0; i < LOOK_UPS_MAX; i++) {
		struct isx_lmdb_view view;
		bool derived = false;
		enum isx_status st = isx_lmdb_read(file, ISX_PAGES_SAFE, &view, err);
		if (st)
			return st;
		isx_lmdb_end(&view);
		/* No `opening`: no handle is opened by this transaction. */
		st = begin_write(file, hold, err);
		if (st)
			return st;
		st = isx_lmdb_read_as_is(file, &view, &derived, err);
		if (!st)
			isx_lmdb_end(&view);
		if (!st && derived)
			return ISX_OK;
		isx_lmdb_unblock_writers(*hold);
		if (st)
			return st;
	}
	return isx_fail(err, ISX_UNAVAILABLE, "another program keeps writing to the index");
}

void isx_lmdb_unblock_writers(MDB_txn *hold)
{
	mdb_txn_abort(hold);
}

/* Begin a write that may open handles; holds LMDB's writer lock and `opening` at exit. The
 * writer lock may take long to get, and a reader that learns of new tables must not wait for
 * it, so `opening` is taken second. But a transaction knows no handle that was opened after it
 * began: if that happened, it begins once more. So it does when another process has made tables: their
 * handles are opened and published first, as a reader would wait for them until this write ends. */
static enum isx_status begin_to_open(struct isx_lmdb_view *view, struct isx_err *err)
{
	struct isx_lmdb_file *file = view->file;
	enum isx_status st = ISX_OK;
	for (int i = 0; !st && i < ISX_LMDB_TABLES_MAX; i++) {
		unsigned opened = atomic_load(&file->handles_opened);
		st = begin_write(file, &view->txn, err);
		if (st)
			return st;
		pthread_mutex_lock(&file->opening);
		const bool has_all = count_tables(view) == file->tables.count;
		if (has_all && opened == atomic_load(&file->handles_opened))
			return ISX_OK;
		mdb_txn_abort(view->txn);
		view->txn = NULL;
		pthread_mutex_unlock(&file->opening);
		if (!has_all)
			st = isx_lmdb_status(refresh_tables(file, opened), "look up tables", err);
	}
	return st ? st
		  : isx_fail(err, ISX_UNAVAILABLE,
			     "too many concurrent table creations: try again");
}

enum isx_status isx_lmdb_write(struct isx_lmdb_file *file, struct isx_lmdb_view *view,
			       struct isx_err *err)
{
	*view = (struct isx_lmdb_view){ .file = file, .writes = true };
	/* All pages: a write moves entries, and takes pages from the lists of free ones. */
	enum isx_status st = isx_lmdb_verify(file, ISX_PAGES_SAFE, false, err);
	if (!st)
		st = begin_to_open(view, err);
	if (st)
		return st;
	/* From here on this process may change the file's modification time. */
	isx_lmdb_watch_begin(file);
	/* After the transaction began, but under `opening`: nothing is published meanwhile. */
	copy_tables(file, &view->tables);
	st = prepare_write(view, err);
	if (st)
		isx_lmdb_end(view);
	return st;
}

/* Commit; returns a code of LMDB. A write that was cut short is EIO for LMDB: that is how a
 * disk that gets full within several pages shows, or a file that reaches the size that it may
 * have, so EIO becomes ENOSPC or EFBIG then. */
static int commit_or_full(const struct isx_lmdb_view *view)
{
	struct statvfs disk;
	struct rlimit size_max;
	struct stat file;
	int fd;
	int rc = mdb_txn_commit(view->txn);
	if (rc != EIO || mdb_env_get_fd(view->file->env, &fd))
		return rc;
	if (!fstatvfs(fd, &disk) && disk.f_bavail < FULL_BLOCKS)
		return ENOSPC;
	if (!getrlimit(RLIMIT_FSIZE, &size_max) && !fstat(fd, &file) &&
	    (rlim_t)file.st_size >= size_max.rlim_cur)
		return EFBIG;
	return rc;
}

enum isx_status isx_lmdb_commit(struct isx_lmdb_view *view, struct isx_err *err)
{
	uint8_t number[8];
	const uint64_t txn_id = mdb_txn_id(view->txn);
	/* The mark belongs to this transaction alone: after the next write of a program that does
	 * not set it, what is derived counts as out of date. */
	isx_store_be64(number, isx_lmdb_derived_mark(txn_id));
	enum isx_status st = isx_lmdb_put_meta(view, ISX_META_DERIVED, number, 8, err);
	isx_store_be32(number, ISX_FORMAT_VERSION);
	if (!st)
		st = isx_lmdb_put_meta(view, ISX_META_FORMAT, number, 4, err);
	if (st) {
		isx_lmdb_end(view);
		return st;
	}
	/* The tables that this transaction has created are counted only now. */
	view->tables.count = count_tables(view);
	st = isx_lmdb_status(commit_or_full(view), "write to disk", err);
	view->txn = NULL; /* mdb_txn_commit() frees the transaction, also when it fails */
	isx_lmdb_watch_end(view->file, st ? 0 : txn_id);
	if (!st)
		publish_tables(view);
	if (!st && view->file->counters)
		__atomic_fetch_add(&view->file->counters->commits, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&view->file->opening);
	return st;
}

void isx_lmdb_end(struct isx_lmdb_view *view)
{
	if (!view->txn)
		return;
	mdb_txn_abort(view->txn);
	view->txn = NULL;
	/* Added once per view, not per page: all threads share the counter. */
	if (view->meter.rows && view->file->counters)
		__atomic_fetch_add(&view->file->counters->rows_scanned, view->meter.rows,
				   __ATOMIC_RELAXED);
	/* What begin_to_open() and isx_lmdb_write() have begun; a view that reads holds
	 * neither. */
	if (view->writes) {
		isx_lmdb_watch_end(view->file, 0);
		pthread_mutex_unlock(&view->file->opening);
	}
}

/* --- the file --------------------------------------------------------------------------------- */

/* Open the environment with `map` bytes of address space, or half of it, and so on, but not
 * less than `least`. Each try needs a new environment. Returns a code of LMDB. */
static int open_env(MDB_env **env, const char *path, unsigned flags, uint64_t map, uint64_t least)
{
	int rc = ENOMEM;
	for (; rc == ENOMEM && map >= least; map /= 2) {
		rc = mdb_env_create(env);
		if (rc)
			return rc;
		rc = mdb_env_set_mapsize(*env, (size_t)map);
		if (!rc)
			rc = mdb_env_set_maxdbs(*env, ISX_LMDB_TABLES_MAX);
		if (!rc)
			rc = mdb_env_set_maxreaders(*env, ISX_LMDB_READERS_MAX);
		if (!rc)
			rc = mdb_env_open(*env, path, flags, 0644);
		if (rc) {
			mdb_env_close(*env);
			*env = NULL;
		}
	}
	return rc;
}

/* Record the device and inode of the open file, to see later whether its name still means it. */
static enum isx_status identify(struct isx_lmdb_file *file, const char *path, struct isx_err *err)
{
	struct stat opened;
	int fd;
	int rc = mdb_env_get_fd(file->env, &fd);
	if (!rc && fstat(fd, &opened) != 0)
		rc = errno;
	if (rc)
		return isx_lmdb_status(rc, path, err);
	/* Of the open descriptor and not of the path, which may mean another file already. */
	file->device = opened.st_dev;
	file->inode = opened.st_ino;
	file->path = isx_mem_text(path, strlen(path));
	return file->path ? ISX_OK : isx_fail_memory(err);
}

/* Check that LMDB can open the file. Its first two pages are checked before LMDB divides by
 * what they say. */
static enum isx_status check_path(const char *path, unsigned how, struct isx_err *err)
{
	struct stat found;
	if (stat(path, &found) != 0) /* LMDB creates it, or fails with the reason */
		return ISX_OK;
	if (!S_ISREG(found.st_mode))
		return isx_fail(err, ISX_CORRUPT, "%s: expected a regular file", path);
	if (found.st_size > 0)
		return isx_lmdb_pages_head(path, err);
	if (how & ISX_LMDB_CREATE)
		return ISX_OK;
	return isx_fail(err, ISX_CORRUPT, "%s: the file is empty; bring a backup back",
			path); /* LMDB would make a new index of it */
}

/* Open LMDB's environment, with the lock file or, for reading only, without it. MDB_NOTLS: read
 * transactions belong to views and not to threads. */
static enum isx_status attach(struct isx_lmdb_file *file, const char *path, unsigned how,
			      const struct isx_options *options, struct isx_err *err)
{
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS;
	enum isx_status st = check_path(path, how, err);
	if (st)
		return st;
	if (options->read_only)
		flags |= MDB_RDONLY;
	if (options->relaxed || how & ISX_LMDB_VOLATILE)
		flags |= MDB_NOSYNC;
	int rc = how & ISX_LMDB_WITHOUT_LOCK ? EACCES : isx_lock_file_prepare(path);
	if (is_lockless(file, rc)) {
		if (isx_lock_file_is_held(path))
			return isx_lmdb_status(EBUSY, path, err);
		file->is_lockless = true;
		flags |= MDB_NOLOCK;
	} else if (rc == ENOTSUP || rc == EISDIR || rc == ENXIO || rc == ENOENT) {
		return isx_fail(err, ISX_IO, "%s-lock: expected a regular file; remove it", path);
	} else if (rc) {
		return isx_lmdb_status(rc, path, err);
	}
	/* The map is never resized later: other processes have the file mapped with it. */
	uint64_t map = options->map_bytes        ? options->map_bytes
		       : how & ISX_LMDB_VOLATILE ? ISX_MAP_BYTES_VOLATILE
						 : ISX_MAP_BYTES;
	bool is_all = how & ISX_LMDB_WHOLE_MAP || map < ISX_MAP_BYTES_MIN;
	rc = open_env(&file->env, path, flags, map, is_all ? map : ISX_MAP_BYTES_MIN);
	if (rc == ENOMEM && !(how & ISX_LMDB_WHOLE_MAP))
		return isx_fail(err, ISX_FULL, "%s: no address space is left for it (map_bytes)",
				path);
	return rc ? isx_lmdb_status(rc, path, err) : identify(file, path, err);
}

/* An isx_commit_fn: make a group of struct isx_lmdb_change in one transaction. A refused change
 * has its own status and does not end the transaction; a change that cannot be made does. */
static enum isx_status write_group(void *arg, struct isx_commit *group, struct isx_err *err)
{
	struct isx_lmdb_file *file = arg;
	struct isx_lmdb_view view;
	enum isx_status st = isx_lmdb_write(file, &view, err);
	if (st)
		return st;
	/* Changes are applied in the order in which they came: the last add of an asset wins. */
	for (struct isx_commit *one = group; one && !st; one = one->next) {
		struct isx_lmdb_change *change = (struct isx_lmdb_change *)one;
		one->status = change->check(change, &view, &one->err);
		if (!one->status)
			st = change->apply(change, &view, err);
	}
	if (!st)
		return isx_lmdb_commit(&view, err);
	isx_lmdb_end(&view);
	return st;
}

enum isx_status isx_lmdb_file_attach(const char *path, const struct isx_lmdb_kind *kind,
				     const struct isx_options *options, unsigned how,
				     struct isx_lmdb_file **file, struct isx_err *err)
{
	struct isx_lmdb_file *opened = isx_mem_array(1, sizeof *opened);
	if (!opened)
		return isx_fail_memory(err);
	opened->kind = kind;
	opened->read_only = options->read_only;
	opened->counters = options->counters;
	opened->logger = options->logger;
	pthread_mutex_init(&opened->opening, NULL);
	pthread_mutex_init(&opened->verifying, NULL);
	pthread_mutex_init(&opened->watch.lock, NULL);
	pthread_rwlock_init(&opened->publishing, NULL);
	isx_pass_queue_init(&opened->passes);
	isx_pass_queue_init(&opened->passage_passes);
	isx_leaf_lists_init(&opened->leaves);
	/* From here on isx_lmdb_file_close() can free what there is. */
	enum isx_status st = isx_commit_queue_new(write_group, opened, &opened->queue, err);
	if (!st)
		st = attach(opened, path, how, options, err);
	if (st)
		isx_lmdb_file_close(opened);
	else
		*file = opened;
	return st;
}

/* The length of a value of the metadata in bytes; 0 without the value. */
static size_t meta_bytes(const struct isx_lmdb_view *view, MDB_dbi metadata, const char *name)
{
	MDB_val key = isx_lmdb_val(name, strlen(name)), value;
	return mdb_get(view->txn, metadata, &key, &value) ? 0 : value.mv_size;
}

/* The scheme of the engine that has written the file; NULL: the file does not tell. The lengths are those
 * of lmdb_format.h. Opens the metadata itself: handles are published only if all tables could be opened. */
static const char *scheme_of(const struct isx_lmdb_view *view)
{
	MDB_val key = isx_lmdb_val(ISX_TABLE_INSTANCE, strlen(ISX_TABLE_INSTANCE)), value;
	MDB_dbi metadata;
	if (!mdb_get(view->txn, ISX_LMDB_MAIN_TABLE, &key, &value))
		return ISX_SCHEME_SIM;
	if (mdb_dbi_open(view->txn, ISX_TABLE_METADATA, 0, &metadata))
		return NULL;
	const size_t created = meta_bytes(view, metadata, ISX_META_CREATED);
	const size_t realm = meta_bytes(view, metadata, ISX_META_REALM);
	if (created == 8 || (created == 0 && realm == 4))
		return ISX_SCHEME_SIM;
	return created >= 10 || (created == 0 && realm == 1) ? ISX_SCHEME_PREFIX : NULL;
}

/* Refuse a file of another engine: its tables have the same names, and other keys and values. */
static enum isx_status check_scheme(const struct isx_lmdb_view *view, struct isx_err *err)
{
	const char *scheme = scheme_of(view);
	if (!scheme || strcmp(scheme, view->file->kind->scheme) == 0)
		return ISX_OK;
	return isx_fail(err, ISX_CORRUPT,
			"%s: this is a file of %s, and not of %s: open it with that URI, as %s",
			view->file->path, scheme, view->file->kind->scheme,
			strcmp(scheme, ISX_SCHEME_SIM) == 0 ? "FOLDER/NAME/index.lmdb"
							    : "FOLDER/NAME.lmdb");
}

/* Check that the file has a format that this program knows, and is of this engine, without writing. */
static enum isx_status check_opened(struct isx_lmdb_file *file, struct isx_err *err)
{
	struct isx_lmdb_view view = { .file = file };
	enum isx_status st = isx_lmdb_status(isx_lmdb_begin_snapshot(file, &view.txn), file->path,
					     err);
	if (st)
		return st;
	copy_tables(file, &view.tables);
	st = check_format(&view, err);
	if (!st)
		st = check_scheme(&view, err);
	isx_lmdb_end(&view);
	return st;
}

enum isx_status isx_lmdb_file_start(struct isx_lmdb_file *file, unsigned how, struct isx_err *err)
{
	struct isx_lmdb_view view;
	int dead = 0;
	mdb_reader_check(file->env, &dead); /* frees the slots of processes that were killed */
	enum isx_status st = isx_lmdb_verify_opening(file, err);
	if (st)
		return st;
	int rc = refresh_tables(file, 0);
	if (rc == MDB_INCOMPATIBLE) /* a file of the other engine? */
		st = check_opened(file, err);
	if (!st)
		st = isx_lmdb_status(rc, file->path, err);
	/* The first commit makes the tables of the kind and sets isx:format. */
	if (!st && how & ISX_LMDB_CREATE) {
		st = isx_lmdb_write(file, &view, err);
		if (!st)
			st = isx_lmdb_commit(&view, err);
	} else if (!st) {
		st = check_opened(file, err);
	}
	if (!st && how & ISX_LMDB_VOLATILE) { /* the caller unlinks it: no name to compare with */
		isx_mem_free(file->path);
		file->path = NULL;
	}
	return st;
}

enum isx_status isx_lmdb_file_open(const char *path, const struct isx_lmdb_kind *kind,
				   const struct isx_options *options, unsigned how,
				   struct isx_lmdb_file **file, struct isx_err *err)
{
	struct isx_lmdb_file *opened;
	enum isx_status st = isx_lmdb_file_attach(path, kind, options, how, &opened, err);
	if (st)
		return st;
	st = isx_lmdb_file_start(opened, how, err);
	if (st)
		isx_lmdb_file_close(opened);
	else
		*file = opened;
	return st;
}

/* Sync a file that was opened with relaxed durability: until here, commits did not wait for the
 * disk. Nothing to do for a file that has no name any more. */
static void flush_unsynced(struct isx_lmdb_file *file)
{
	struct stat opened;
	unsigned flags = 0;
	int fd;
	if (file->read_only || mdb_env_get_flags(file->env, &flags) || !(flags & MDB_NOSYNC) ||
	    mdb_env_get_fd(file->env, &fd) || (fstat(fd, &opened) == 0 && opened.st_nlink == 0))
		return;
	int rc = mdb_env_sync(file->env, 1);
	if (rc)
		isx_log_to(&file->logger, ISX_LOG_ERROR,
			   "%s: the last writes may not be on disk: %s",
			   file->path ? file->path : "an index", mdb_strerror(rc));
}

void isx_lmdb_file_close(struct isx_lmdb_file *file)
{
	if (!file)
		return;
	/* Safe on a file that was attached in part. No view is left, so no lock is needed.
	 * Closing the environment frees the lock file's slots of this process; commits of a
	 * relaxed store reach the disk before that. */
	if (file->env) {
		flush_unsynced(file);
		mdb_env_close(file->env);
	}
	isx_mem_free(atomic_load(&file->known));
	isx_commit_queue_free(file->queue);
	isx_pass_queue_release(&file->passes);
	isx_pass_queue_release(&file->passage_passes);
	isx_leaf_lists_release(&file->leaves);
	pthread_rwlock_destroy(&file->publishing);
	pthread_mutex_destroy(&file->watch.lock);
	pthread_mutex_destroy(&file->verifying);
	pthread_mutex_destroy(&file->opening);
	isx_mem_free(file->path);
	isx_mem_free(file);
}
