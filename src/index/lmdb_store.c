/*
 * lmdb_store.c - a directory of index files: names, open files, creating, deleting, listing.
 *
 * LMDB must not open one file twice in a process, so open files are kept in a list and counted. A
 * file is looked up by its device and inode at each use: when another process has deleted the
 * index, or made a new one of that name, the old file is closed as soon as its last user is done. A
 * thread looks too, now and then: a process that nobody asks must not keep the disk space of what
 * another has deleted.
 *
 * An index appears and disappears in one step for every process: it is made (and deleted) under a
 * name with a dot and renamed. A file and its lock file are two names, though, and a file must never
 * meet the lock file of another one (lock_file.c): so whoever opens holds the directory's lock
 * (flock) shared, whoever renames or removes a lock file holds it alone. The files of memory:// are
 * unlinked once they are open.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/lmdb_store.h"

#include "base/log.h"
#include "base/span.h"
#include "index/lmdb_check.h"
#include "index/lmdb_copy.h"
#include "index/lock_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	SWEEP_SECONDS = 1, /* between two looks for files that have gone */
	OPENINGS_MAX = 8   /* as others may keep replacing a file while it is opened */
};

struct isx_open_index {
	struct isx_open_index *next;
	char name[ISX_INDEX_NAME_MAX + 1];
	size_t users;
	bool gone; /* deleted or replaced: close when the last user is done */
	struct isx_lmdb_file *file;
};

struct lmdb_store {
	struct isx_engine engine; /* first */
	const struct isx_lmdb_kind *kind;
	char *directory;      /* NULL: memory:// */
	pthread_mutex_t lock; /* guards the list, and what is below it */
	struct isx_open_index *open;
	pthread_t sweeper;
	pthread_cond_t closing_now; /* the sweeper is to end */
	bool sweeps;                /* there is a sweeper */
	bool closing;
	atomic_uint names_made;
};

static struct lmdb_store *store_of(struct isx_engine *engine)
{
	return (struct lmdb_store *)engine;
}

static enum isx_status fail_errno(struct isx_err *err, const char *doing, const char *path)
{
	enum isx_status st = isx_lmdb_status(errno, doing, err);
	return isx_err_at(err, st, "%s", path);
}

static enum isx_status fail_no_index(struct isx_err *err, const char *name)
{
	return isx_fail(err, ISX_NOT_FOUND, "Index '%s' not found", name);
}

static enum isx_status fail_stat(struct isx_err *err, const char *name, const char *path)
{
	return errno == ENOENT || errno == ENOTDIR ? fail_no_index(err, name)
						   : fail_errno(err, "open", path);
}

/* "FOLDER/NAME" and "SUFFIX" behind it. False when it is too long for the system. */
static bool join(char path[PATH_MAX], const char *folder, const char *name, const char *suffix)
{
	int len = snprintf(path, PATH_MAX, "%s/%s%s", folder, name, suffix);
	return len > 0 && len < PATH_MAX;
}

/* The entry of the directory that is the index `name`. */
static bool entry_path(const struct lmdb_store *store, const char *name, char path[PATH_MAX])
{
	return join(path, store->directory, name, store->kind->suffix);
}

/* The LMDB file of the index at `entry`. */
static bool file_path(const struct lmdb_store *store, const char *entry, char path[PATH_MAX])
{
	if (store->kind->inside)
		return join(path, entry, store->kind->inside, "");
	snprintf(path, PATH_MAX, "%s", entry);
	return true;
}

/* Can this be the name of an index on disk? Anything else is not found, wherever it points. */
static bool is_possible_name(const char *name)
{
	return name[0] && name[0] != '.' && strlen(name) <= ISX_INDEX_NAME_MAX &&
	       !strchr(name, '/');
}

/* --- open files ------------------------------------------------------------------------------- */

static void close_index(struct isx_open_index *index)
{
	isx_lmdb_file_close(index->file);
	isx_mem_free(index);
}

/* Take an index out of the list: at once, or when its last user is done. Called with the lock. */
static void forget_index(struct lmdb_store *store, struct isx_open_index *index)
{
	index->gone = true;
	if (index->users)
		return;
	struct isx_open_index **place = &store->open;
	while (*place != index)
		place = &(*place)->next;
	*place = index->next;
	close_index(index);
}

static struct isx_open_index *find_open(struct lmdb_store *store, const char *name)
{
	for (struct isx_open_index *index = store->open; index; index = index->next)
		if (!index->gone && strcmp(index->name, name) == 0)
			return index;
	return NULL;
}

/* Lock the directory against other processes (LOCK_SH or LOCK_EX); unlock_directory() ends it. */
static enum isx_status lock_directory(struct lmdb_store *store, int how, int *lock,
				      struct isx_err *err)
{
	*lock = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0)
		return fail_errno(err, "open", store->directory);
	while (flock(*lock, how) != 0) {
		if (errno == EINTR)
			continue;
		close(*lock);
		return fail_errno(err, "lock", store->directory);
	}
	return ISX_OK;
}

static void unlock_directory(int lock)
{
	close(lock);
}

/* Hold the lock alone instead of shared, or the other way: for a moment nobody may hold it. */
static enum isx_status change_lock(struct lmdb_store *store, int lock, int how, struct isx_err *err)
{
	while (flock(lock, how) != 0)
		if (errno != EINTR)
			return fail_errno(err, "lock", store->directory);
	return ISX_OK;
}

/* Has the index still the file that was copied? It may have been deleted meanwhile, and even made
 * again: neither the old assets nor the old index must come back. */
static enum isx_status check_unchanged(struct isx_lmdb_file *file, struct isx_err *err)
{
	struct stat named;
	if (stat(file->path, &named) != 0)
		return isx_fail(err, ISX_NOT_FOUND, "the index has been deleted");
	if (named.st_dev == file->device && named.st_ino == file->inode)
		return ISX_OK;
	atomic_store(&file->is_replaced, true);
	return isx_fail(err, ISX_UNAVAILABLE, "the file of the index was replaced: try again");
}

/* Let the complete file at `made` take the place of `file`, whose writer lock the caller holds. Who is
 * killed behind the renaming leaves the old lock file to the next one to open the index. */
static enum isx_status replace_file(struct lmdb_store *store, const char *made,
				    struct isx_lmdb_file *file, struct isx_err *err)
{
	struct stat copy;
	int lock, rc;
	enum isx_status st = lock_directory(store, LOCK_EX, &lock, err);
	if (st)
		return st;
	st = check_unchanged(file, err);
	if (!st && stat(made, &copy) != 0)
		st = fail_errno(err, "open", made);
	if (!st && rename(made, file->path) != 0)
		st = fail_errno(err, "replace", file->path);
	if (!st && (rc = isx_lock_file_claim(file->path, copy.st_dev, copy.st_ino)))
		isx_log(ISX_LOG_WARNING, "%s: its lock file could not be replaced: %s", file->path,
			strerror(rc));
	unlock_directory(lock);
	return st;
}

/* Is the open index (may be NULL) still the one at `path`? *index is NULL if there is another. */
static enum isx_status check_open(struct lmdb_store *store, const char *name, const char *path,
				  struct isx_open_index **index, struct isx_err *err)
{
	struct stat file;
	struct isx_open_index *found = find_open(store, name);
	*index = NULL;
	if (stat(path, &file) != 0) {
		enum isx_status st = fail_stat(err, name, path);
		if (found)
			forget_index(store, found);
		return st;
	}
	if (found && (found->file->device != file.st_dev || found->file->inode != file.st_ino))
		forget_index(store, found);
	else
		*index = found;
	return ISX_OK;
}

/* Close what has been deleted or replaced by others. Called with the lock. */
static void sweep(struct lmdb_store *store)
{
	for (struct isx_open_index *index = store->open, *next; index; index = next) {
		char entry[PATH_MAX], path[PATH_MAX];
		struct stat file;
		next = index->next;
		if (index->gone || !entry_path(store, index->name, entry) ||
		    !file_path(store, entry, path))
			continue;
		bool there = stat(path, &file) == 0;
		if (there ? file.st_dev != index->file->device || file.st_ino != index->file->inode
			  : errno == ENOENT || errno == ENOTDIR)
			forget_index(store, index);
	}
}

static void *sweep_until_closed(void *arg)
{
	struct lmdb_store *store = arg;
	pthread_mutex_lock(&store->lock);
	while (!store->closing) {
		struct timespec next;
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_sec += SWEEP_SECONDS;
		if (pthread_cond_timedwait(&store->closing_now, &store->lock, &next) == ETIMEDOUT)
			sweep(store);
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

/* Start to sweep, once there is something open. Without a thread for it, files that have gone are
 * still closed when they are asked for. Called with the lock. */
static void start_sweeper(struct lmdb_store *store)
{
	sigset_t all, before;
	if (store->sweeps)
		return;
	sigfillset(&all); /* signals are for the threads of the program */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	store->sweeps = pthread_create(&store->sweeper, NULL, sweep_until_closed, store) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_sweeper(struct lmdb_store *store)
{
	pthread_mutex_lock(&store->lock);
	store->closing = true;
	pthread_cond_signal(&store->closing_now);
	pthread_mutex_unlock(&store->lock);
	if (store->sweeps)
		pthread_join(store->sweeper, NULL);
}

/* --- opening -------------------------------------------------------------------------------- */

/* Make sure that the lock file beside `path` is that of the file that is there now, with the directory
 * locked shared at entry and exit.
 *   how  gets ISX_LMDB_WITHOUT_LOCK when it is not, and cannot be, which a reader can do with */
static enum isx_status claim_lock_file(struct lmdb_store *store, const char *name, const char *path,
				       int lock, unsigned *how, struct isx_err *err)
{
	struct stat named;
	if (stat(path, &named) != 0)
		return fail_stat(err, name, path);
	if (isx_lock_file_fits(path, named.st_dev, named.st_ino))
		return ISX_OK;
	enum isx_status st = change_lock(store, lock, LOCK_EX, err);
	if (st)
		return st;
	if (stat(path, &named) != 0)
		return fail_stat(err, name, path);
	errno = isx_lock_file_claim(path, named.st_dev, named.st_ino);
	if ((errno == EROFS || errno == EACCES || errno == EPERM) &&
	    store->engine.options.read_only)
		*how |= ISX_LMDB_WITHOUT_LOCK;
	else if (errno)
		return fail_errno(err, "replace the lock file of", path);
	return change_lock(store, lock, LOCK_SH, err);
}

/* Attach to the file of an index: the one that has the name, with its own lock file. Others may rename
 * files without asking for the directory's lock: then what was opened is closed again, and *again set.
 */
static enum isx_status attach_once(struct lmdb_store *store, const char *name, const char *path,
				   struct isx_lmdb_file **file, bool *again, struct isx_err *err)
{
	unsigned how = 0;
	int lock;
	enum isx_status st = lock_directory(store, LOCK_SH, &lock, err);
	if (st)
		return st;
	st = claim_lock_file(store, name, path, lock, &how, err);
	if (!st)
		st = isx_lmdb_file_attach(path, store->kind->layout, &store->engine.options, how,
					  file, err);
	*again = !st && !(*file)->is_lockless &&
		 isx_lock_file_is_foreign(path, (*file)->device, (*file)->inode);
	if (*again)
		isx_lmdb_file_close(*file);
	unlock_directory(lock);
	return st;
}

static enum isx_status open_file(struct lmdb_store *store, const char *name, const char *path,
				 struct isx_lmdb_file **file, struct isx_err *err)
{
	bool again = true;
	for (int i = 0; again && i < OPENINGS_MAX; i++) {
		enum isx_status st = attach_once(store, name, path, file, &again, err);
		if (st)
			return st;
	}
	if (again)
		return isx_fail(err, ISX_UNAVAILABLE, "%s: its file is replaced all the time",
				path);
	enum isx_status st = isx_lmdb_file_start(*file, 0, err);
	if (st)
		isx_lmdb_file_close(*file);
	return st;
}

/* Add an open file to the list. Called with the lock. */
static enum isx_status add_open(struct lmdb_store *store, const char *name,
				struct isx_lmdb_file *file, struct isx_open_index **index,
				struct isx_err *err)
{
	struct isx_open_index *opened = isx_mem_array(1, sizeof *opened);
	if (!opened) {
		isx_lmdb_file_close(file);
		return isx_fail_memory(err);
	}
	snprintf(opened->name, sizeof opened->name, "%s", name);
	opened->file = file;
	opened->next = store->open;
	store->open = opened;
	*index = opened;
	return ISX_OK;
}

/* Find or open an index on disk. Called with the lock. */
static enum isx_status acquire_on_disk(struct lmdb_store *store, const char *name,
				       struct isx_open_index **index, struct isx_err *err)
{
	char entry[PATH_MAX], path[PATH_MAX];
	struct isx_lmdb_file *file;
	if (!is_possible_name(name) || !entry_path(store, name, entry) ||
	    !file_path(store, entry, path))
		return fail_no_index(err, name);
	enum isx_status st = check_open(store, name, path, index, err);
	if (st || *index)
		return st;
	st = open_file(store, name, path, &file, err);
	if (!st)
		st = add_open(store, name, file, index, err);
	if (!st)
		start_sweeper(store);
	return st;
}

/* Begin to use an index. End with release(). */
static enum isx_status acquire(struct lmdb_store *store, const char *name,
			       struct isx_open_index **index, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	pthread_mutex_lock(&store->lock);
	if (store->directory) {
		st = acquire_on_disk(store, name, index, err);
	} else {
		*index = find_open(store, name);
		if (!*index)
			st = fail_no_index(err, name);
	}
	if (!st)
		(*index)->users++;
	pthread_mutex_unlock(&store->lock);
	return st;
}

static void release(struct lmdb_store *store, struct isx_open_index *index)
{
	pthread_mutex_lock(&store->lock);
	if (--index->users == 0 && index->gone)
		forget_index(store, index);
	pthread_mutex_unlock(&store->lock);
}

/* The same, and has the call to be made again? A write may find that the index has another file now.
 */
static bool release_and_retry(struct lmdb_store *store, struct isx_open_index *index,
			      enum isx_status status)
{
	bool again = status == ISX_UNAVAILABLE && index->file->is_replaced;
	release(store, index);
	return again;
}

enum isx_status isx_lmdb_store_acquire(struct isx_engine *engine, const char *name,
				       struct isx_open_index **index, struct isx_lmdb_file **file,
				       struct isx_err *err)
{
	enum isx_status st = acquire(store_of(engine), name, index, err);
	if (!st)
		*file = (*index)->file;
	return st;
}

void isx_lmdb_store_release(struct isx_engine *engine, struct isx_open_index *index)
{
	release(store_of(engine), index);
}

/* --- creating and deleting -------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
	(void)stat, (void)kind, (void)where;
	return remove(path);
}

static void remove_tree(const char *path)
{
	enum { OPEN_DIRECTORIES = 8 };
	if (nftw(path, remove_one, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
		isx_log(ISX_LOG_WARNING, "could not remove %s: %s", path, strerror(errno));
}

/* Remove LMDB's lock file beside an index that is a file itself. Nobody may use it any more, or
 * only those who have a deleted index open. */
static void remove_lock_file(const struct lmdb_store *store, const char *entry)
{
	int rc = store->kind->inside ? 0 : isx_lock_file_remove(entry);
	if (rc)
		isx_log(ISX_LOG_WARNING, "could not remove the lock file of %s: %s", entry,
			strerror(rc));
}

static void remove_entry(const struct lmdb_store *store, const char *entry)
{
	remove_tree(entry);
	remove_lock_file(store, entry);
}

static void sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
}

/* A name beside the indexes that nobody else uses: ".NAME.WHY-PID-N". It has no suffix: 0.3.3 takes
 * whatever ends in ".lmdb" for an index. */
static bool private_path(struct lmdb_store *store, const char *name, const char *why,
			 char path[PATH_MAX])
{
	char hidden[ISX_INDEX_NAME_MAX + 64];
	snprintf(hidden, sizeof hidden, ".%s.%s-%ld-%u", name, why, (long)getpid(),
		 atomic_fetch_add(&store->names_made, 1));
	return join(path, store->directory, hidden, "");
}

/* Make a complete index at `entry`. */
static enum isx_status make_index(struct lmdb_store *store, const char *entry, struct isx_err *err)
{
	char path[PATH_MAX];
	struct isx_lmdb_file *file = NULL;
	if (store->kind->inside && mkdir(entry, 0755) != 0)
		return fail_errno(err, "create", entry);
	if (!file_path(store, entry, path))
		return isx_fail(err, ISX_INVALID, "the path of the index is too long");
	enum isx_status st = isx_lmdb_file_open(path, store->kind->layout, &store->engine.options,
						ISX_LMDB_CREATE, &file, err);
	isx_lmdb_file_close(file);
	return st;
}

/* Let a complete index appear under its name. */
static enum isx_status publish_index(struct lmdb_store *store, const char *name, const char *made,
				     const char *entry, struct isx_err *err)
{
	int lock;
	enum isx_status st = lock_directory(store, LOCK_EX, &lock, err);
	if (st)
		return st;
	if (access(entry, F_OK) != 0)
		remove_lock_file(store, entry); /* 0.3.3 leaves it behind */
	if (renameat2(AT_FDCWD, made, AT_FDCWD, entry, RENAME_NOREPLACE) != 0)
		st = errno == EEXIST ? isx_fail(err, ISX_EXISTS, "Index '%s' already exists", name)
				     : fail_errno(err, "create", entry);
	unlock_directory(lock);
	return st;
}

static enum isx_status create_on_disk(struct lmdb_store *store, const char *name,
				      struct isx_err *err)
{
	char made[PATH_MAX], entry[PATH_MAX];
	if (!private_path(store, name, "new", made) || !entry_path(store, name, entry))
		return isx_fail(err, ISX_INVALID, "the path of the index is too long");
	if (access(entry, F_OK) == 0)
		return isx_fail(err, ISX_EXISTS, "Index '%s' already exists", name);
	enum isx_status st = make_index(store, made, err);
	if (!st)
		st = publish_index(store, name, made, entry, err);
	if (st) {
		remove_entry(store, made);
		return st;
	}
	remove_lock_file(store, made);
	sync_directory(store->directory);
	return ISX_OK;
}

/* Make an index whose files have no name any more once they are open. */
static enum isx_status create_in_memory(struct lmdb_store *store, const char *name,
					struct isx_err *err)
{
	char directory[PATH_MAX], path[PATH_MAX];
	struct isx_open_index *index;
	struct isx_lmdb_file *file;
	const char *parent = store->engine.options.temporary_directory;
	int len = snprintf(directory, sizeof directory, "%s/iscc-search-XXXXXX",
			   parent ? parent : "/tmp");
	if (len >= (int)sizeof directory || !mkdtemp(directory))
		return fail_errno(err, "create", directory);
	enum isx_status st = ISX_OK;
	if (!join(path, directory, "index.lmdb", ""))
		st = isx_fail(err, ISX_INVALID, "the path of temporary files is too long");
	if (!st)
		st = isx_lmdb_file_open(path, store->kind->layout, &store->engine.options,
					ISX_LMDB_CREATE | ISX_LMDB_VOLATILE, &file, err);
	pthread_mutex_lock(&store->lock);
	if (!st && find_open(store, name)) {
		st = isx_fail(err, ISX_EXISTS, "Index '%s' already exists", name);
		isx_lmdb_file_close(file);
	} else if (!st) {
		st = add_open(store, name, file, &index, err);
	}
	pthread_mutex_unlock(&store->lock);
	remove_tree(directory);
	return st;
}

static enum isx_status store_create(struct isx_engine *engine, const char *name,
				    struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	if (engine->options.read_only)
		return isx_fail(err, ISX_READ_ONLY, "the store was opened for reading only");
	return store->directory ? create_on_disk(store, name, err)
				: create_in_memory(store, name, err);
}

static enum isx_status drop_on_disk(struct lmdb_store *store, const char *name, struct isx_err *err)
{
	char entry[PATH_MAX], path[PATH_MAX], doomed[PATH_MAX];
	int lock;
	if (!is_possible_name(name) || !entry_path(store, name, entry) ||
	    !file_path(store, entry, path) || !private_path(store, name, "deleted", doomed) ||
	    access(path, F_OK) != 0)
		return fail_no_index(err, name);
	enum isx_status st = lock_directory(store, LOCK_EX, &lock, err);
	if (st)
		return st;
	if (rename(entry, doomed) != 0)
		st = errno == ENOENT ? fail_no_index(err, name) : fail_errno(err, "delete", entry);
	else
		remove_lock_file(store, entry);
	unlock_directory(lock);
	if (st)
		return st;
	sync_directory(store->directory);
	remove_entry(store, doomed);
	return ISX_OK;
}

static enum isx_status store_drop(struct isx_engine *engine, const char *name, struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	enum isx_status st = ISX_OK;
	if (engine->options.read_only)
		return isx_fail(err, ISX_READ_ONLY, "the store was opened for reading only");
	pthread_mutex_lock(&store->lock);
	struct isx_open_index *index = find_open(store, name);
	if (store->directory)
		st = drop_on_disk(store, name, err);
	else if (!index)
		st = fail_no_index(err, name);
	if (!st && index)
		forget_index(store, index);
	pthread_mutex_unlock(&store->lock);
	return st;
}

/* --- stat and list ---------------------------------------------------------------------------- */

enum isx_status isx_index_part_add(struct isx_index_info *info, const char *name, uint64_t bytes,
				   struct isx_err *err)
{
	struct isx_index_part *parts = isx_mem_resize(info->parts, info->part_count + 1,
						      sizeof *parts);
	if (!parts)
		return isx_fail_memory(err);
	info->parts = parts;
	snprintf(parts[info->part_count].name, sizeof parts->name, "%s", name);
	parts[info->part_count++].bytes = bytes;
	return ISX_OK;
}

/* How many assets and bytes an index has. */
static enum isx_status measure(struct isx_lmdb_view *view, struct isx_index_info *info,
			       struct isx_err *err)
{
	MDB_stat stat = { 0 };
	MDB_envinfo env;
	int rc = view->tables.assets ? mdb_stat(view->txn, view->tables.assets, &stat) : 0;
	info->assets = stat.ms_entries;
	if (!rc)
		rc = mdb_env_info(view->file->env, &env);
	if (!rc)
		rc = mdb_env_stat(view->file->env, &stat);
	if (rc)
		return isx_lmdb_status(rc, "measure the index", err);
	info->bytes = ((uint64_t)env.me_last_pgno + 1) * stat.ms_psize;
	return ISX_OK;
}

static enum isx_status describe(const struct isx_lmdb_kind *kind, struct isx_lmdb_file *file,
				const char *name, struct isx_index_info *info, struct isx_err *err)
{
	struct isx_lmdb_view view;
	*info = (struct isx_index_info){ 0 };
	snprintf(info->name, sizeof info->name, "%s", name);
	enum isx_status st = isx_lmdb_read(file, &view, err);
	if (st)
		return st;
	st = measure(&view, info, err);
	if (!st)
		st = isx_index_part_add(info, "lmdb", 0, err);
	if (!st && kind->describe)
		st = kind->describe(&view, info, err);
	isx_lmdb_end(&view);
	if (st) {
		isx_index_info_release(info);
		return st;
	}
	info->readers = isx_lmdb_count_readers(file);
	uint64_t others = 0;
	for (size_t i = 1; i < info->part_count; i++)
		others += info->parts[i].bytes;
	info->parts[0].bytes = info->bytes > others ? info->bytes - others : 0;
	return ISX_OK;
}

static enum isx_status store_stat(struct isx_engine *engine, const char *name,
				  struct isx_index_info *info, struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	struct isx_open_index *index;
	enum isx_status st;
	do {
		st = acquire(store, name, &index, err);
		if (st)
			return st;
		st = describe(store->kind, index->file, name, info, err);
	} while (release_and_retry(store, index, st));
	return st;
}

static int by_name(const void *left, const void *right)
{
	const struct isx_index_info *a = left, *b = right;
	return strcmp(a->name, b->name);
}

/* What a look at all indexes has found. */
struct listing {
	struct isx_index_info *infos;
	size_t count;
	struct isx_trouble *troubles; /* indexes that cannot be used */
	size_t trouble_count;
};

static void release_listing(struct listing *listing)
{
	isx_index_list_free(listing->infos, listing->count);
	isx_mem_free(listing->troubles);
}

static enum isx_status add_trouble(struct listing *listing, const char *name,
				   const struct isx_err *why, struct isx_err *err)
{
	struct isx_trouble *grown = isx_mem_resize(listing->troubles, listing->trouble_count + 1,
						   sizeof *grown);
	if (!grown)
		return isx_fail_memory(err);
	listing->troubles = grown;
	grown += listing->trouble_count++;
	snprintf(grown->name, sizeof grown->name, "%s", name);
	grown->why = *why;
	return ISX_OK;
}

/* Add one index to what was found; one that has gone meanwhile is left out. */
static enum isx_status list_index(struct lmdb_store *store, const char *name,
				  struct listing *listing, struct isx_err *err)
{
	struct isx_index_info info;
	struct isx_err why;
	enum isx_status st = store_stat(&store->engine, name, &info, &why);
	if (st == ISX_NO_MEMORY)
		return isx_fail_memory(err);
	if (st == ISX_NOT_FOUND)
		return ISX_OK;
	if (st)
		return add_trouble(listing, name, &why, err);
	struct isx_index_info *grown = isx_mem_resize(listing->infos, listing->count + 1,
						      sizeof *grown);
	if (!grown) {
		isx_index_info_release(&info);
		return isx_fail_memory(err);
	}
	grown[listing->count++] = info;
	listing->infos = grown;
	return ISX_OK;
}

/* The name of the index that an entry of the directory may be. */
static bool name_of_entry(const struct lmdb_store *store, const char *entry,
			  char name[ISX_INDEX_NAME_MAX + 1])
{
	const char *suffix = store->kind->suffix;
	size_t len = strlen(entry), suffix_len = strlen(suffix);
	if (len <= suffix_len || len - suffix_len > ISX_INDEX_NAME_MAX ||
	    strcmp(entry + len - suffix_len, suffix) != 0)
		return false;
	snprintf(name, ISX_INDEX_NAME_MAX + 1, "%.*s", (int)(len - suffix_len), entry);
	return is_possible_name(name);
}

static enum isx_status list_directory(struct lmdb_store *store, struct listing *listing,
				      struct isx_err *err)
{
	struct dirent *entry;
	char name[ISX_INDEX_NAME_MAX + 1];
	enum isx_status st = ISX_OK;
	DIR *directory = opendir(store->directory);
	if (!directory)
		return fail_errno(err, "list", store->directory);
	while (!st && (entry = readdir(directory)))
		if (name_of_entry(store, entry->d_name, name))
			st = list_index(store, name, listing, err);
	closedir(directory);
	return st;
}

static enum isx_status list_open(struct lmdb_store *store, struct listing *listing,
				 struct isx_err *err)
{
	struct isx_buf names = { 0 };
	pthread_mutex_lock(&store->lock);
	for (struct isx_open_index *index = store->open; index; index = index->next)
		if (!index->gone)
			isx_buf_add(&names, index->name, strlen(index->name) + 1);
	pthread_mutex_unlock(&store->lock);
	enum isx_status st = isx_buf_status(&names, err);
	for (size_t at = 0; !st && at < names.len; at += strlen(names.ptr + at) + 1)
		st = list_index(store, names.ptr + at, listing, err);
	isx_buf_release(&names);
	return st;
}

static enum isx_status list_all(struct lmdb_store *store, struct listing *listing,
				struct isx_err *err)
{
	enum isx_status st = store->directory ? list_directory(store, listing, err)
					      : list_open(store, listing, err);
	if (!st && listing->count)
		qsort(listing->infos, listing->count, sizeof *listing->infos, by_name);
	return st;
}

static enum isx_status store_list(struct isx_engine *engine, struct isx_index_info **infos,
				  size_t *count, struct isx_err *err)
{
	struct listing listing = { 0 };
	enum isx_status st = list_all(store_of(engine), &listing, err);
	for (size_t i = 0; !st && i < listing.trouble_count; i++) {
		const struct isx_trouble *trouble = &listing.troubles[i];
		if (trouble->why.status == ISX_UNAVAILABLE) /* no list is short for a while */
			st = isx_fail(err, ISX_UNAVAILABLE, "index %s: %s", trouble->name,
				      trouble->why.msg);
		else
			isx_log(ISX_LOG_WARNING, "index %s is left out of the list: %s",
				trouble->name, trouble->why.msg);
	}
	if (!st) {
		*infos = listing.infos;
		*count = listing.count;
		listing.infos = NULL;
		listing.count = 0;
	}
	release_listing(&listing);
	return st;
}

static enum isx_status store_ready(struct isx_engine *engine, struct isx_trouble **troubles,
				   size_t *count, struct isx_err *err)
{
	struct listing listing = { 0 };
	enum isx_status st = list_all(store_of(engine), &listing, err);
	if (!st) {
		*troubles = listing.troubles;
		*count = listing.trouble_count;
		listing.troubles = NULL;
	}
	release_listing(&listing);
	return st;
}

/* --- copies and checks ------------------------------------------------------------------------ */

/* Refuse to write over what is in use: every write since then would be lost. */
static enum isx_status check_backup_target(struct lmdb_store *store, const char *target,
					   struct isx_err *err)
{
	char name[ISX_INDEX_NAME_MAX + 1], index[PATH_MAX], path[PATH_MAX];
	struct stat there, file;
	struct dirent *entry;
	enum isx_status st = ISX_OK;
	if (isx_lock_file_is_at(target))
		return isx_fail(err, ISX_INVALID, "%s is the lock file of an index", target);
	if (stat(target, &there) != 0)
		return ISX_OK;
	DIR *directory = store->directory ? opendir(store->directory) : NULL;
	while (!st && directory && (entry = readdir(directory)))
		if (name_of_entry(store, entry->d_name, name) && entry_path(store, name, index) &&
		    file_path(store, index, path) && stat(path, &file) == 0 &&
		    file.st_dev == there.st_dev && file.st_ino == there.st_ino)
			st = isx_fail(err, ISX_INVALID, "%s is the file of the index '%s'", target,
				      name);
	if (directory)
		closedir(directory);
	if (!st && isx_lock_file_is_held(target))
		st = isx_fail(err, ISX_INVALID, "%s is an index that is in use", target);
	return st;
}

static enum isx_status store_backup(struct isx_engine *engine, const char *name, const char *path,
				    bool replace, isx_progress_fn *progress, void *arg,
				    struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	struct isx_open_index *index;
	enum isx_status st = check_backup_target(store, path, err);
	if (!st)
		st = acquire(store, name, &index, err);
	if (st)
		return st;
	st = isx_lmdb_backup(index->file, path, replace, progress, arg, err);
	release(store, index);
	return st;
}

static uint64_t bytes_of(const char *path)
{
	struct stat file;
	return stat(path, &file) == 0 ? (uint64_t)file.st_size : 0;
}

/* Put a copy without free pages in place of the index's file. The writer lock of the old file is held
 * over the copy *and* the renaming (lmdb_file.c, begin_write()): what was acknowledged is in the
 * copy, and nothing can be written to the old file afterwards. */
static enum isx_status compact_file(struct lmdb_store *store, struct isx_lmdb_file *file,
				    const char *made, isx_progress_fn *progress, void *arg,
				    struct isx_err *err)
{
	MDB_txn *hold;
	enum isx_status st = isx_lmdb_hold(file, &hold, err);
	if (st)
		return st;
	st = isx_lmdb_copy_compact(file, made, progress, arg, err);
	if (!st) {
		st = replace_file(store, made, file, err);
		if (st)
			unlink(made);
	}
	isx_lmdb_let_go(hold);
	return st;
}

static enum isx_status store_compact(struct isx_engine *engine, const char *name,
				     struct isx_compaction *done, isx_progress_fn *progress,
				     void *arg, struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	struct isx_open_index *index;
	char made[PATH_MAX], folder[PATH_MAX], path[PATH_MAX];
	enum isx_status st;
	if (!store->directory)
		return isx_fail(err, ISX_INVALID, "an index of memory:// has no file to compact");
	do {
		st = acquire(store, name, &index, err);
		if (st)
			return st;
		snprintf(path, sizeof path, "%s", index->file->path);
		done->bytes_before = bytes_of(path);
		if (!private_path(store, name, "compact", made))
			st = isx_fail(err, ISX_INVALID, "the path of the index is too long");
		else
			st = compact_file(store, index->file, made, progress, arg, err);
	} while (release_and_retry(store, index, st));
	if (st)
		return st;
	done->bytes_after = bytes_of(path);
	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
	sync_directory(folder);
	sync_directory(store->directory);
	return ISX_OK;
}

static enum isx_status store_check(struct isx_engine *engine, const char *name,
				   struct isx_check *report, isx_finding_fn *found, void *arg,
				   struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	struct isx_open_index *index;
	enum isx_status st = acquire(store, name, &index, err);
	if (st)
		return st;
	st = isx_lmdb_check(index->file, store->kind->check, report, found, arg, err);
	release(store, index);
	return st;
}

/* --- assets ----------------------------------------------------------------------------------- */

static enum isx_status store_add(struct isx_engine *engine, const char *name,
				 const struct isx_asset *assets, size_t count,
				 enum isx_outcome *outcomes, struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	struct isx_open_index *index;
	enum isx_status st;
	do {
		st = acquire(store, name, &index, err);
		if (st)
			return st;
		st = store->kind->add(index->file, assets, count, outcomes, err);
	} while (release_and_retry(store, index, st));
	return st;
}

static enum isx_status store_get(struct isx_engine *engine, const char *name, const char *iscc_id,
				 struct isx_buf *json, struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	struct isx_open_index *index;
	enum isx_status st;
	do {
		st = acquire(store, name, &index, err);
		if (st)
			return st;
		st = store->kind->get(index->file, iscc_id, json, err);
	} while (release_and_retry(store, index, st));
	return st;
}

static enum isx_status store_remove(struct isx_engine *engine, const char *name,
				    const char *iscc_id, struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	struct isx_open_index *index;
	enum isx_status st;
	do {
		st = acquire(store, name, &index, err);
		if (st)
			return st;
		st = store->kind->remove(index->file, iscc_id, err);
	} while (release_and_retry(store, index, st));
	return st;
}

static enum isx_status store_search(struct isx_engine *engine, const char *name,
				    const struct isx_query *query, struct isx_arena *arena,
				    struct isx_result *result, struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	struct isx_open_index *index;
	enum isx_status st;
	do {
		st = acquire(store, name, &index, err);
		if (st)
			return st;
		st = store->kind->search(index->file, &engine->options, query, arena, result, err);
	} while (release_and_retry(store, index, st));
	return st;
}

/* --- opening and closing ---------------------------------------------------------------------- */

static void store_close(struct isx_engine *engine)
{
	struct lmdb_store *store = store_of(engine);
	stop_sweeper(store);
	while (store->open) {
		struct isx_open_index *index = store->open;
		store->open = index->next;
		close_index(index);
	}
	pthread_cond_destroy(&store->closing_now);
	pthread_mutex_destroy(&store->lock);
	isx_mem_free(store->directory);
	isx_mem_free(store);
}

static const struct isx_engine_ops store_ops = {
	.close = store_close,
	.list = store_list,
	.ready = store_ready,
	.create = store_create,
	.drop = store_drop,
	.stat = store_stat,
	.add = store_add,
	.get = store_get,
	.remove = store_remove,
	.search = store_search,
	.backup = store_backup,
	.compact = store_compact,
	.check = store_check,
};

static struct lmdb_store *new_store(const struct isx_lmdb_kind *kind,
				    const struct isx_options *options)
{
	struct lmdb_store *store = isx_mem_array(1, sizeof *store);
	if (store) {
		store->engine.ops = &store_ops;
		store->kind = kind;
		store->engine.options = *options;
		pthread_mutex_init(&store->lock, NULL);
		pthread_condattr_t steady; /* a clock that nobody sets */
		pthread_condattr_init(&steady);
		pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
		pthread_cond_init(&store->closing_now, &steady);
		pthread_condattr_destroy(&steady);
	}
	return store;
}

/* Create `path` and what is missing above it. */
static enum isx_status make_directories(const char *path, struct isx_err *err)
{
	char partial[PATH_MAX];
	size_t len = strlen(path);
	if (len >= sizeof partial)
		return isx_fail(err, ISX_INVALID, "the path of the store is too long");
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(partial, path, i);
		partial[i] = '\0';
		if (mkdir(partial, 0755) != 0 && errno != EEXIST && errno != EISDIR)
			return fail_errno(err, "create", partial);
	}
	return ISX_OK;
}

/* Make sure that there is a directory to work in. */
static enum isx_status check_directory(const char *directory, bool read_only, struct isx_err *err)
{
	struct stat found;
	enum isx_status st = read_only ? ISX_OK : make_directories(directory, err);
	if (st)
		return st;
	if (stat(directory, &found) != 0)
		return fail_errno(err, "open", directory);
	if (!S_ISDIR(found.st_mode))
		return isx_fail(err, ISX_INVALID, "%s is not a directory", directory);
	return ISX_OK;
}

enum isx_status isx_lmdb_store_open(const struct isx_lmdb_kind *kind, const char *directory,
				    const struct isx_options *options, struct isx_engine **engine,
				    struct isx_err *err)
{
	enum isx_status st = directory ? check_directory(directory, options->read_only, err)
				       : ISX_OK;
	if (st)
		return st;
	struct lmdb_store *store = new_store(kind, options);
	if (!store)
		return isx_fail_memory(err);
	if (!directory) {
		store->engine.options.read_only = false;
	} else {
		store->directory = isx_mem_text(directory, strlen(directory));
		if (!store->directory) {
			store_close(&store->engine);
			return isx_fail_memory(err);
		}
	}
	*engine = &store->engine;
	return ISX_OK;
}
