/*
 * open_files.c - the index files that a store has open: each once, counted, closed when it has gone.
 *
 * LMDB must not open one file twice in a process, so open files are kept in a list and counted. At
 * each use the device and inode of the open file are compared with those of the name: when another
 * process has deleted the index, or another file has taken its place, the old one is closed as soon
 * as its last user is done. A thread looks too, now and then: a process that nobody asks must not
 * keep the disk space of what another has deleted.
 *
 * Files are opened and closed without the lock of the list, as both may take long: an index that is
 * slow (a damaged file is read as a whole first) must not hold up the others. Who wants the same one
 * meanwhile waits. That a file is damaged is remembered until it changes.
 *
 * There may be more indexes than address space (1 TiB for each) or file descriptors can hold open: of
 * those that nobody uses the one that was used longest ago is closed for the next.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/open_files.h"
#include "engine/index_info.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/thread.h"
#include "storage/lock_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum {
	SWEEP_SECONDS = 1, /* between two looks for files that have gone */
	OPENINGS_MAX = 8   /* as others may keep replacing a file while it is opened */
};

enum state { OPENING, OPEN, REFUSED, CLOSING };

struct isx_open_index {
	struct isx_open_index *next;
	char name[ISX_INDEX_NAME_MAX + 1];
	enum state state;
	size_t users;
	uint64_t used; /* when it was, last */
	bool gone;     /* the name means another file, or none: close when the last user is done */
	struct isx_lmdb_file *file;
	struct stat named;    /* what the file was when it was opened, or refused */
	struct isx_err cause; /* it was */
};

/* --- the list: all of it is called with the lock ---------------------------------------------- */

static struct isx_open_index *find_name(struct isx_open_files *files, const char *name)
{
	struct isx_open_index *index = files->first;
	while (index && (index->gone || strcmp(index->name, name) != 0))
		index = index->next;
	return index;
}

static bool is_same(const struct isx_open_index *index, const struct stat *file)
{
	const struct stat *named = &index->named;
	if (named->st_dev != file->st_dev || named->st_ino != file->st_ino)
		return false;
	return index->state != REFUSED ||
	       (named->st_size == file->st_size && named->st_ctim.tv_sec == file->st_ctim.tv_sec &&
		named->st_ctim.tv_nsec == file->st_ctim.tv_nsec);
}

/* Is this file still open under a name that it lost, or being closed? Then it is not to be opened: the
 * system keeps one set of locks for a file and a process, which the first to close it gives up. */
static bool is_still_open(const struct isx_open_files *files, const struct stat *file)
{
	for (const struct isx_open_index *index = files->first; index; index = index->next)
		if (index->gone && is_same(index, file))
			return true;
	return false;
}

static struct isx_open_index *add_entry(struct isx_open_files *files, const char *name,
					enum state state)
{
	struct isx_open_index *index = isx_mem_array(1, sizeof *index);
	if (!index)
		return NULL;
	snprintf(index->name, sizeof index->name, "%s", name);
	index->state = state;
	index->next = files->first;
	files->first = index;
	return index;
}

/* Take an entry out of the list, and tell those who wait for that. */
static void remove_entry(struct isx_open_files *files, struct isx_open_index *index)
{
	struct isx_open_index **place = &files->first;
	while (*place != index)
		place = &(*place)->next;
	*place = index->next;
	isx_mem_free(index);
	pthread_cond_broadcast(&files->changed);
}

/* Close a file that nobody uses. The lock is given up meanwhile. */
static void close_index(struct isx_open_files *files, struct isx_open_index *index)
{
	index->gone = true;
	index->state = CLOSING;
	pthread_mutex_unlock(&files->lock);
	isx_lmdb_file_close(index->file);
	pthread_mutex_lock(&files->lock);
	remove_entry(files, index);
}

/* The name of an index means another file, or none. */
static void forget_index(struct isx_open_files *files, struct isx_open_index *index)
{
	index->gone = true;
	if (!index->users)
		close_index(files, index);
}

/* The file that nobody uses, of those the one that was used longest ago; NULL: all are in use. */
static struct isx_open_index *find_idle(const struct isx_open_files *files)
{
	struct isx_open_index *idle = NULL;
	for (struct isx_open_index *index = files->first; index; index = index->next)
		if (index->state == OPEN && !index->users && (!idle || index->used < idle->used))
			idle = index;
	return idle;
}

static size_t count_open(const struct isx_open_files *files)
{
	size_t count = 0;
	for (const struct isx_open_index *index = files->first; index; index = index->next)
		count += index->state != REFUSED;
	return count;
}

/* Close one file, if there are too many open. False if not; else the lock was given up. */
static bool make_room(struct isx_open_files *files)
{
	struct isx_open_index *idle = count_open(files) < files->open_max ? NULL : find_idle(files);
	if (idle)
		close_index(files, idle);
	return idle != NULL;
}

/* Close all that nobody uses; returns whether there were any. */
static bool close_idle(struct isx_open_files *files)
{
	struct isx_open_index *idle;
	bool closed = false;
	for (; (idle = find_idle(files)); closed = true)
		close_index(files, idle);
	return closed;
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum isx_status fail_stat(struct isx_err *err, const char *name, const char *path)
{
	return errno == ENOENT || errno == ENOTDIR ? isx_fail_no_index(err, name)
						   : isx_fail_errno(err, "open", path);
}

/* Make sure that the lock file beside `path` is that of the file that is there now, with the directory
 * locked shared at entry and exit.
 *   how  gets ISX_LMDB_WITHOUT_LOCK when it is not, and cannot be, which a reader can do with */
static enum isx_status claim_lock_file(const struct isx_open_files *files, const char *name,
				       const char *path, int lock, unsigned *how,
				       struct isx_err *err)
{
	struct stat named;
	if (stat(path, &named) != 0)
		return fail_stat(err, name, path);
	if (isx_lock_file_fits(path, named.st_dev, named.st_ino))
		return ISX_OK;
	enum isx_status st = isx_store_folder_relock(files->folder, LOCK_EX, lock, err);
	if (st)
		return st;
	if (stat(path, &named) != 0)
		return fail_stat(err, name, path);
	errno = isx_lock_file_claim(path, named.st_dev, named.st_ino);
	if ((errno == EROFS || errno == EACCES || errno == EPERM) && files->options->read_only)
		*how |= ISX_LMDB_WITHOUT_LOCK;
	else if (errno == EISDIR)
		return isx_fail(err, ISX_IO, "%s-lock-of: expected a regular file; remove it",
				path);
	else if (errno)
		return isx_fail_errno(err, "replace the lock file of", path);
	return isx_store_folder_relock(files->folder, LOCK_SH, lock, err);
}

/* Attach to the file of an index: the one that has the name, with its own lock file. Others may rename
 * files without asking for the directory's lock: then what was opened is closed again, and *again set.
 */
static enum isx_status attach_once(const struct isx_open_files *files, const char *name,
				   const char *path, unsigned how, struct isx_lmdb_file **file,
				   bool *again, struct isx_err *err)
{
	int lock;
	enum isx_status st = isx_store_folder_lock(files->folder, LOCK_SH, &lock, err);
	if (st)
		return st;
	st = claim_lock_file(files, name, path, lock, &how, err);
	if (!st)
		st = isx_lmdb_file_attach(path, files->layout, files->options, how, file, err);
	*again = !st && !(*file)->is_lockless &&
		 isx_lock_file_is_foreign(path, (*file)->device, (*file)->inode);
	if (*again)
		isx_lmdb_file_close(*file);
	isx_store_folder_unlock(lock);
	return st;
}

static enum isx_status open_file(const struct isx_open_files *files, const char *name,
				 const char *path, unsigned how, struct isx_lmdb_file **file,
				 struct isx_err *err)
{
	bool again = true;
	for (int i = 0; again && i < OPENINGS_MAX; i++) {
		enum isx_status st = attach_once(files, name, path, how, file, &again, err);
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

/* The same; where there is no address space left, close others first, and take less only then. */
static enum isx_status open_with_room(struct isx_open_files *files, const char *name,
				      const char *path, struct isx_lmdb_file **file,
				      struct isx_err *err)
{
	pthread_mutex_lock(&files->lock);
	unsigned how = files->map_size_reduced ? 0 : ISX_LMDB_WHOLE_MAP;
	pthread_mutex_unlock(&files->lock);
	enum isx_status st = open_file(files, name, path, how, file, err);
	if (st != (how ? ISX_NO_MEMORY : ISX_FULL))
		return st;
	pthread_mutex_lock(&files->lock);
	bool closed = close_idle(files), is_alone = count_open(files) == 1;
	pthread_mutex_unlock(&files->lock);
	if (closed)
		st = open_file(files, name, path, how, file, err);
	if (st != ISX_NO_MEMORY)
		return st;
	st = open_file(files, name, path, 0, file, err);
	pthread_mutex_lock(&files->lock);
	files->map_size_reduced |= !st && is_alone;
	pthread_mutex_unlock(&files->lock);
	return st;
}

/* Open the file that is at `path` and list it, or that it is damaged. Called with the lock, which is
 * given up meanwhile. */
static enum isx_status open_index(struct isx_open_files *files, const char *name, const char *path,
				  const struct stat *named, struct isx_open_index **index,
				  struct isx_err *err)
{
	struct isx_lmdb_file *file = NULL;
	struct isx_err cause = { 0 };
	struct isx_open_index *opened = add_entry(files, name, OPENING);
	if (!opened)
		return isx_fail_memory(err);
	pthread_mutex_unlock(&files->lock);
	enum isx_status st = open_with_room(files, name, path, &file, &cause);
	pthread_mutex_lock(&files->lock);
	if (!st) {
		opened->state = OPEN;
		opened->file = file;
		opened->named.st_dev = file->device;
		opened->named.st_ino = file->inode;
		*index = opened;
	} else if (st == ISX_CORRUPT) {
		opened->state = REFUSED;
		opened->named = *named;
		opened->cause = cause;
	} else {
		remove_entry(files, opened);
	}
	pthread_cond_broadcast(&files->changed);
	return st ? isx_fail(err, st, "%s", cause.msg) : ISX_OK;
}

/* --- sweeping --------------------------------------------------------------------------------- */

/* An entry whose name means another file by now, or none. */
static struct isx_open_index *find_gone(const struct isx_open_files *files)
{
	for (struct isx_open_index *index = files->first; index; index = index->next) {
		char path[PATH_MAX];
		struct stat file;
		if (index->gone || index->state == OPENING ||
		    !isx_store_folder_file(files->folder, index->name, path))
			continue;
		bool there = stat(path, &file) == 0;
		if (there ? !is_same(index, &file) : errno == ENOENT || errno == ENOTDIR)
			return index;
	}
	return NULL;
}

static void sweep(struct isx_open_files *files)
{
	struct isx_open_index *index;
	while ((index = find_gone(files)))
		forget_index(files, index);
}

void isx_open_files_sweep(struct isx_open_files *files)
{
	pthread_mutex_lock(&files->lock);
	sweep(files);
	pthread_mutex_unlock(&files->lock);
}

static void *sweep_until_closed(void *arg)
{
	struct isx_open_files *files = arg;
	pthread_mutex_lock(&files->lock);
	while (!files->closing) {
		uint64_t next_ns = isx_clock_ns() + SWEEP_SECONDS * (uint64_t)1000000000;
		if (!isx_clock_wait(&files->closing_now, &files->lock, next_ns))
			sweep(files);
	}
	pthread_mutex_unlock(&files->lock);
	return NULL;
}

/* Start to sweep, once there is something open. Without a thread for it, files that have gone are
 * still closed when they are asked for. Called with the lock. */
static void start_sweeper(struct isx_open_files *files)
{
	if (!files->sweeps)
		files->sweeps = isx_thread_start(&files->sweeper, "isx-sweep", sweep_until_closed,
						 files) == 0;
}

static void stop_sweeper(struct isx_open_files *files)
{
	pthread_mutex_lock(&files->lock);
	files->closing = true;
	pthread_cond_signal(&files->closing_now);
	pthread_mutex_unlock(&files->lock);
	if (files->sweeps)
		pthread_join(files->sweeper, NULL);
}

/* --- using ------------------------------------------------------------------------------------ */

/* Find or open the file that has the name of an index now. Called with the lock. */
static enum isx_status find_or_open(struct isx_open_files *files, const char *name,
				    struct isx_open_index **index, struct isx_err *err)
{
	char path[PATH_MAX];
	struct stat named;
	if (!isx_store_folder_file(files->folder, name, path))
		return isx_fail_no_index(err, name);
	for (;;) {
		struct isx_open_index *found = find_name(files, name);
		int code = stat(path, &named) == 0 ? 0 : errno;
		bool is_settled = found && found->state != OPENING;
		if (is_settled && (code || !is_same(found, &named))) {
			forget_index(files, found);
		} else if (code) {
			errno = code;
			return fail_stat(err, name, path);
		} else if (is_settled) {
			*index = found;
			return found->state == OPEN
				       ? ISX_OK
				       : isx_fail(err, found->cause.status, "%s", found->cause.msg);
		} else if (found || is_still_open(files, &named)) {
			pthread_cond_wait(&files->changed, &files->lock);
		} else if (!make_room(files)) {
			start_sweeper(files);
			return open_index(files, name, path, &named, index, err);
		}
	}
}

enum isx_status isx_open_files_pin(struct isx_open_files *files, const char *name, bool is_probe,
				   struct isx_open_index **index, struct isx_lmdb_file **file,
				   struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	char path[PATH_MAX];
	struct stat named;
	bool is_named = files->folder->path && isx_store_folder_file(files->folder, name, path) &&
			stat(path, &named) == 0; /* asked here: all requests want the lock */
	pthread_mutex_lock(&files->lock);
	*index = find_name(files, name);
	if (is_named && *index && (*index)->state == OPEN && is_same(*index, &named)) {
		st = ISX_OK;
	} else if (files->folder->path) {
		st = find_or_open(files, name, index, err);
	} else if (!*index) {
		st = isx_fail_no_index(err, name);
	}
	if (!st) {
		(*index)->users++;
		if (!is_probe)
			(*index)->used = ++files->uses;
		*file = (*index)->file;
	}
	if (st)
		*index = NULL; /* what was refused is not in use, and must not be ended */
	pthread_mutex_unlock(&files->lock);
	return st;
}

/* List a file that turned out to be damaged while it was used as one that is refused, until it changes;
 * it is closed when its last user is done. */
static void refuse_index(struct isx_open_files *files, struct isx_open_index *index)
{
	char path[PATH_MAX];
	struct stat named;
	if (!files->folder->path || !isx_store_folder_file(files->folder, index->name, path) ||
	    stat(path, &named) != 0 || !is_same(index, &named))
		return;
	struct isx_open_index *refused = add_entry(files, index->name, REFUSED);
	if (!refused)
		return; /* the file itself says no */
	refused->named = named;
	refused->cause = index->file->damage;
	index->gone = true;
}

void isx_open_files_unpin(struct isx_open_files *files, struct isx_open_index *index)
{
	pthread_mutex_lock(&files->lock);
	if (atomic_load(&index->file->is_damaged) && !index->gone)
		refuse_index(files, index);
	if (--index->users == 0 && index->gone)
		close_index(files, index);
	pthread_mutex_unlock(&files->lock);
}

enum isx_status isx_open_files_add(struct isx_open_files *files, const char *name,
				   struct isx_lmdb_file *file, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	pthread_mutex_lock(&files->lock);
	if (find_name(files, name)) {
		st = isx_fail(err, ISX_EXISTS, "Index '%s' already exists", name);
	} else {
		struct isx_open_index *index = add_entry(files, name, OPEN);
		if (index)
			index->file = file;
		else
			st = isx_fail_memory(err);
	}
	pthread_mutex_unlock(&files->lock);
	if (st)
		isx_lmdb_file_close(file);
	return st;
}

enum isx_status isx_open_files_drop(struct isx_open_files *files, const char *name,
				    struct isx_err *err)
{
	pthread_mutex_lock(&files->lock);
	struct isx_open_index *index = find_name(files, name);
	enum isx_status st = index ? ISX_OK : isx_fail_no_index(err, name);
	if (index)
		forget_index(files, index);
	pthread_mutex_unlock(&files->lock);
	return st;
}

void isx_open_files_names(struct isx_open_files *files, struct isx_buf *names)
{
	pthread_mutex_lock(&files->lock);
	for (struct isx_open_index *index = files->first; index; index = index->next)
		if (!index->gone)
			isx_buf_add(names, index->name, strlen(index->name) + 1);
	pthread_mutex_unlock(&files->lock);
}

/* --- all -------------------------------------------------------------------------------------- */

void isx_open_files_init(struct isx_open_files *files, const struct isx_store_folder *folder,
			 const struct isx_lmdb_layout *layout, const struct isx_options *options)
{
	enum { FILES_EACH = 8 }; /* three of LMDB; most of them are for connections */
	struct rlimit most;
	*files = (struct isx_open_files){ .folder = folder, .layout = layout, .options = options };
	files->open_max = ISX_OPEN_INDEXES_MAX;
	if (getrlimit(RLIMIT_NOFILE, &most) == 0 &&
	    most.rlim_cur / FILES_EACH < ISX_OPEN_INDEXES_MAX)
		files->open_max = (size_t)(most.rlim_cur / FILES_EACH);
	pthread_mutex_init(&files->lock, NULL);
	pthread_cond_init(&files->changed, NULL);
	isx_clock_cond_init(&files->closing_now);
}

void isx_open_files_release(struct isx_open_files *files)
{
	stop_sweeper(files);
	pthread_mutex_lock(&files->lock);
	while (files->first)
		close_index(files, files->first);
	pthread_mutex_unlock(&files->lock);
	pthread_cond_destroy(&files->closing_now);
	pthread_cond_destroy(&files->changed);
	pthread_mutex_destroy(&files->lock);
}
