/*
 * open_files.c - the index files that a store has open: each once, counted, and closed when its
 *                name means another file.
 *
 * LMDB must not open one file twice in a process, under whatever names, so open files are kept in a
 * list and counted. At each use the device and inode of the open file are compared with those of
 * the name: when another process has deleted the index, or another file has taken its place, the
 * old file is closed as soon as its last user is done. A thread (isx-sweep) compares them once a
 * second, too: a process without requests must not keep the disk space of what another process has
 * deleted.
 *
 * `lock` guards the list and is held for list operations and stat() only. Files are opened and
 * closed without it, as both may take long: a slow index (a damaged file is read as a whole first)
 * must not hold up the others. Their entries are OPENING or CLOSING meanwhile, and a thread that
 * wants the same index waits for `changed`. That a file is damaged is remembered until it changes.
 *
 * There may be more indexes than address space (1 TiB for each) or file descriptors can hold open:
 * of the files that are not in use, the one with the oldest use is closed for the next.
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
	OPENINGS_MAX = 8,  /* tries: other programs may replace a file while it is being opened */
	/* A file that has got another name, or was repaired in place, is opened again when all uses
	 * under its old name have ended. Searches end soon; but others must not wait for the export
	 * of a slow client. */
	HANDOVER_MS = 5000
};

/* REFUSED: the file is damaged; the entry keeps the reason and no file. */
enum state { OPENING, OPEN, REFUSED, CLOSING };

struct isx_open_index {
	struct isx_open_index *next;
	char name[ISX_INDEX_NAME_MAX + 1];
	enum state state;
	size_t users;
	uint64_t used; /* `uses` of the list at its last use */
	bool gone;     /* the name means another file, or none: close when the last user is done */
	struct isx_lmdb_file *file;
	struct stat named;    /* the file as it was when it was opened, or refused */
	struct isx_err cause; /* of REFUSED: what is damaged */
};

/* --- the list (called with the lock) ---------------------------------------------------------- */

/* The entry that has the name now. There may be entries with the same name that are `gone`. */
static struct isx_open_index *find_name(struct isx_open_files *files, const char *name)
{
	struct isx_open_index *index = files->first;
	while (index && (index->gone || strcmp(index->name, name) != 0))
		index = index->next;
	return index;
}

/* Is this the file of the entry? A refused file is also compared by size and change time: once
 * it was repaired in place it is another file. */
static bool is_same(const struct isx_open_index *index, const struct stat *file)
{
	const struct stat *named = &index->named;
	if (named->st_dev != file->st_dev || named->st_ino != file->st_ino)
		return false;
	return index->state != REFUSED ||
	       (named->st_size == file->st_size && named->st_ctim.tv_sec == file->st_ctim.tv_sec &&
		named->st_ctim.tv_nsec == file->st_ctim.tv_nsec);
}

/* The entry by which a file is open, or is being opened or closed, under whatever name; NULL: none.
 * The file must not be opened a second time: the system keeps one set of record locks for each file
 * and process, and the first descriptor to be closed gives up all of them. Another process then
 * takes the lock file for unused, and begins a new list of readers and new writer locks in it. */
static struct isx_open_index *find_file(struct isx_open_files *files, const struct stat *file)
{
	struct isx_open_index *index = files->first;
	while (index && (index->state == REFUSED || !is_same(index, file)))
		index = index->next;
	return index;
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

/* Take an entry out of the list, and wake the threads that wait for that. */
static void remove_entry(struct isx_open_files *files, struct isx_open_index *index)
{
	struct isx_open_index **place = &files->first;
	while (*place != index)
		place = &(*place)->next;
	*place = index->next;
	isx_mem_free(index);
	pthread_cond_broadcast(&files->changed);
}

/* Close the file of an entry without users and remove the entry. The lock is given up
 * meanwhile: callers have to look at the list again. */
static void close_index(struct isx_open_files *files, struct isx_open_index *index)
{
	index->gone = true;
	index->state = CLOSING;
	pthread_mutex_unlock(&files->lock);
	isx_lmdb_file_close(index->file);
	pthread_mutex_lock(&files->lock);
	remove_entry(files, index);
}

/* The name of an index means another file, or none: close the file if it is unused. May give up
 * the lock. */
static void forget_index(struct isx_open_files *files, struct isx_open_index *index)
{
	index->gone = true;
	if (!index->users)
		close_index(files, index);
}

/* The open file without users whose last use is the oldest; NULL: all are in use. */
static struct isx_open_index *find_idle(const struct isx_open_files *files)
{
	struct isx_open_index *idle = NULL;
	for (struct isx_open_index *index = files->first; index; index = index->next)
		if (index->state == OPEN && !index->users && (!idle || index->used < idle->used))
			idle = index;
	return idle;
}

/* Files that have address space and descriptors: those being opened or closed count. */
static size_t count_open(const struct isx_open_files *files)
{
	size_t count = 0;
	for (const struct isx_open_index *index = files->first; index; index = index->next)
		count += index->state != REFUSED;
	return count;
}

/* Close one unused file if too many are open. Returns whether a file was closed; the lock was
 * given up then. */
static bool make_room(struct isx_open_files *files)
{
	struct isx_open_index *idle = count_open(files) < files->open_max ? NULL : find_idle(files);
	if (idle)
		close_index(files, idle);
	return idle != NULL;
}

/* Close all unused files; returns whether there were any. Gives up the lock. */
static bool close_idle(struct isx_open_files *files)
{
	struct isx_open_index *idle;
	bool closed = false;
	for (; (idle = find_idle(files)); closed = true)
		close_index(files, idle);
	return closed;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Turns errno of stat() into a status; a missing file is a missing index. */
static enum isx_status fail_stat(struct isx_err *err, const char *name, const char *path)
{
	return errno == ENOENT || errno == ENOTDIR ? isx_fail_no_index(err, name)
						   : isx_fail_errno(err, "open", path);
}

/* Make sure that the lock file beside `path` is that of the file that is there now. Called with
 * the directory locked shared, and so at exit; in between the lock may have been exclusive.
 *   how  gets ISX_LMDB_WITHOUT_LOCK if the lock file belongs to another file and cannot be
 *        replaced: a read-only store then reads without it */
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

/* Attach to the file that has the name of an index, with its own lock file. Other programs
 * rename files without the directory's lock: if that happened meanwhile, the file is closed
 * again and *again is set. */
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
		st = isx_lmdb_file_attach(path, files->kind, files->options, how, file, err);
	*again = !st && !(*file)->is_lockless &&
		 isx_lock_file_is_foreign(path, (*file)->device, (*file)->inode);
	if (*again)
		isx_lmdb_file_close(*file);
	isx_store_folder_unlock(lock);
	return st;
}

/* Open a file without the lock of the list. Only attaching, which is short, is done under the
 * directory's lock; isx_lmdb_file_start() may read all of the file. */
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
		return isx_fail(err, ISX_UNAVAILABLE,
				"%s: another program keeps replacing the file: try again", path);
	enum isx_status st = isx_lmdb_file_start(*file, 0, err);
	if (st)
		isx_lmdb_file_close(*file);
	return st;
}

/* Open a file with all the address space that options ask for. If that is short, close all
 * unused files and try again, and then accept less. Called without the lock of the list. */
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
	/* Less although no other file was open: do not try in full at each opening. */
	files->map_size_reduced |= !st && is_alone;
	pthread_mutex_unlock(&files->lock);
	return st;
}

/* Open the file at `path` and list it as OPEN, or as REFUSED if it is damaged. Called with the
 * lock, which is given up meanwhile; the entry is OPENING then, which makes other threads wait. */
static enum isx_status open_index(struct isx_open_files *files, const char *name, const char *path,
				  const struct stat *named, struct isx_open_index **index,
				  struct isx_err *err)
{
	struct isx_lmdb_file *file = NULL;
	struct isx_err cause = { 0 };
	struct isx_open_index *opened = add_entry(files, name, OPENING);
	if (!opened)
		return isx_fail_memory(err);
	opened->named = *named; /* find_file() */
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
		opened->cause = cause;
	} else {
		remove_entry(files, opened);
	}
	pthread_cond_broadcast(&files->changed);
	return st ? isx_fail(err, st, "%s", cause.msg) : ISX_OK;
}

/* --- sweeping --------------------------------------------------------------------------------- */

/* Find an entry whose name means another file by now, or none. An error other than ENOENT (a
 * network file system that does not answer) is no reason to close a file. */
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
	/* From the beginning each time: forget_index() may have given up the lock. */
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

/* Start the sweeper with the first open file. Without the thread (none could be started) a file
 * that has gone is still closed at its next use. Called with the lock. */
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

/* Does the name of an entry still mean its file? */
static bool has_its_name(const struct isx_open_files *files, const struct isx_open_index *index)
{
	char path[PATH_MAX];
	struct stat file;
	return isx_store_folder_file(files->folder, index->name, path) && stat(path, &file) == 0 &&
	       is_same(index, &file);
}

/* Find or open the file that has the name of an index now. Called with the lock, which may be
 * given up: each turn of the loop looks at the name and the list again. A file that is open under
 * another name is used as it is while it has that name, too (a symbolic link); where the index was
 * renamed, the file is closed and opened again. */
static enum isx_status find_or_open(struct isx_open_files *files, const char *name,
				    struct isx_open_index **index, struct isx_err *err)
{
	char path[PATH_MAX];
	struct stat named;
	const uint64_t until_ns = isx_clock_after_ms(HANDOVER_MS);
	if (!isx_store_folder_file(files->folder, name, path))
		return isx_fail_no_index(err, name);
	for (;;) {
		struct isx_open_index *found = find_name(files, name), *holder = NULL;
		int code = stat(path, &named) == 0 ? 0 : errno;
		bool is_settled = found && found->state != OPENING;
		if (is_settled && (code || !is_same(found, &named))) {
			forget_index(files, found);
		} else if (code) {
			errno = code;
			return fail_stat(err, name, path);
		} else if (is_settled) {
			*index = found;
			return found->state == OPEN ? ISX_OK : isx_err_pass(err, &found->cause);
		} else if (found ||
			   ((holder = find_file(files, &named)) && holder->state != OPEN)) {
			pthread_cond_wait(&files->changed, &files->lock);
		} else if (holder && holder->gone) {
			if (!isx_clock_wait(&files->changed, &files->lock, until_ns))
				return isx_fail(err, ISX_UNAVAILABLE,
						"%s: the file is in use under the name that it had "
						"before: try again",
						path);
		} else if (holder && has_its_name(files, holder)) {
			*index = holder;
			return ISX_OK;
		} else if (holder) {
			forget_index(files, holder);
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
			stat(path, &named) == 0; /* before the lock, which every request takes */
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
		*index = NULL; /* a refused index is not pinned, and must not be unpinned */
	pthread_mutex_unlock(&files->lock);
	return st;
}

/* List a file that turned out to be damaged in use as REFUSED, until it changes. The old entry
 * is `gone` and is closed when its last user is done. Called with the lock. */
static void refuse_index(struct isx_open_files *files, struct isx_open_index *index)
{
	char path[PATH_MAX];
	struct stat named;
	if (!files->folder->path || !isx_store_folder_file(files->folder, index->name, path) ||
	    stat(path, &named) != 0 || !is_same(index, &named))
		return;
	struct isx_open_index *refused = add_entry(files, index->name, REFUSED);
	if (!refused)
		return; /* no memory: file->is_damaged makes each call on the file fail */
	refused->named = named;
	refused->cause = index->file->damage;
	index->gone = true;
}

void isx_open_files_unpin(struct isx_open_files *files, struct isx_open_index *index)
{
	pthread_mutex_lock(&files->lock);
	if (atomic_load(&index->file->is_damaged) && !index->gone)
		refuse_index(files, index);
	/* The next use opens what is there then. */
	index->gone |= atomic_load(&index->file->is_replaced);
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
			 const struct isx_lmdb_kind *kind, const struct isx_options *options)
{
	enum { FILES_EACH = 8 }; /* descriptors: LMDB has three; most are left for connections */
	struct rlimit most;
	*files = (struct isx_open_files){ .folder = folder, .kind = kind, .options = options };
	files->open_max = ISX_OPEN_INDEXES_MAX;
	if (getrlimit(RLIMIT_NOFILE, &most) == 0 &&
	    most.rlim_cur / FILES_EACH < ISX_OPEN_INDEXES_MAX)
		files->open_max = (size_t)(most.rlim_cur / FILES_EACH);
	pthread_mutex_init(&files->lock, NULL);
	isx_clock_cond_init(&files->changed);
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
