/*
 * pg_lock.c - the lock files of followers.
 *
 * flock() and not fcntl(): its locks belong to the open file, so that two threads of one process
 * exclude each other, too, and the kernel drops them when a process dies. A lock file is not
 * removed with the lock (isx_pg_follower_drop() removes it with its index). Readers of
 * the progress take no lock: it only serves estimates.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_lock.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/span.h"
#include "json/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
	WORK_MS = 1000,   /* work is long after this time */
	NOTE_MS = 100,    /* between two writes of the progress */
	WINDOW_MS = 1000, /* length of the window that the speed is measured in */
	LIST_MS = 500     /* age at which the list of loads is read anew */
};

void isx_pg_locks_init(struct isx_pg_locks *locks, const char *directory)
{
	*locks = (struct isx_pg_locks){ .directory = directory };
	pthread_mutex_init(&locks->mutex, NULL);
}

void isx_pg_locks_release(struct isx_pg_locks *locks)
{
	pthread_mutex_destroy(&locks->mutex);
	isx_mem_free(locks->loads);
}

/* Bytes of a note: 0 change_seq (8), 8 failed (4), 12 is_long (1), 13 sure_ms (4), 17 left_ms
 * (4), 21 done (8), 29 total (8), 37 name; numbers are big-endian. All processes of a host read
 * it, also while the host changes to another version of this program. */
enum { NOTE_NAME_AT = 37, NOTE_BYTES = NOTE_NAME_AT + ISX_INDEX_NAME_MAX };

/* An empty or shorter file, as another version may have left, is an empty note. */
static struct isx_pg_note read_note(int lock)
{
	uint8_t bytes[NOTE_BYTES] = { 0 };
	struct isx_pg_note note = { 0 };
	if (pread(lock, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return note;
	note = (struct isx_pg_note){ .change_seq = (int64_t)isx_load_be64(bytes),
				     .failed = isx_load_be32(bytes + 8),
				     .is_long = bytes[12],
				     .sure_ms = isx_load_be32(bytes + 13),
				     .left_ms = isx_load_be32(bytes + 17),
				     .done = isx_load_be64(bytes + 21),
				     .total = isx_load_be64(bytes + 29) };
	memcpy(note.name, bytes + NOTE_NAME_AT, ISX_INDEX_NAME_MAX);
	if (!isx_is_index_name(isx_span_of(note.name)))
		note.name[0] = '\0';
	return note;
}

static void write_note(int lock, const struct isx_pg_note *note)
{
	uint8_t bytes[NOTE_BYTES];
	isx_store_be64(bytes, (uint64_t)note->change_seq);
	isx_store_be32(bytes + 8, note->failed);
	bytes[12] = note->is_long;
	isx_store_be32(bytes + 13, note->sure_ms);
	isx_store_be32(bytes + 17, note->left_ms);
	isx_store_be64(bytes + 21, note->done);
	isx_store_be64(bytes + 29, note->total);
	memcpy(bytes + NOTE_NAME_AT, note->name, ISX_INDEX_NAME_MAX);
	(void)!pwrite(lock, bytes, sizeof bytes, 0); /* a full disk: no estimates */
}

enum isx_status isx_pg_lock_take(const struct isx_pg_locks *locks, const char *name, int how,
				 int *lock, struct isx_pg_note *note, struct isx_err *err)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/.%s.lock", locks->directory, name) >= PATH_MAX)
		return isx_fail(err, ISX_INVALID, "the path of the followers is too long");
	/* For writing also with LOCK_SH: the file is created when it is missing. */
	*lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (*lock < 0 && errno == ENOENT)
		return isx_fail(err, ISX_NOT_FOUND, "%s: there is no such directory", path);
	if (*lock < 0)
		return isx_fail_errno(err, "lock", path);
	/* The note is read also when the lock is not free: it says how far its holder has come. */
	while (flock(*lock, how | LOCK_NB) != 0) {
		if (errno == EINTR)
			continue;
		const int code = errno; /* close() may change it */
		*note = read_note(*lock);
		close(*lock);
		*lock = -1;
		return code == EWOULDBLOCK
			       ? ISX_OK
			       : isx_err_at(err, isx_fail_system(err, code, "lock"), "%s", path);
	}
	*note = read_note(*lock);
	return ISX_OK;
}

/* --- progress --------------------------------------------------------------------------------- */

void isx_pg_progress_note(const struct isx_pg_progress *progress)
{
	write_note(progress->lock, &progress->note);
}

/* The note is written at once: it replaces the progress that a process left that died. */
void isx_pg_progress_begin(struct isx_pg_progress *progress, const char *index)
{
	progress->note = (struct isx_pg_note){ .change_seq = progress->note.change_seq,
					       .failed = progress->note.failed };
	snprintf(progress->note.name, sizeof progress->note.name, "%s", index);
	progress->start_ns = progress->window_ns = isx_clock_ns();
	isx_pg_progress_note(progress);
}

/* The note is emptied before the lock is free: the next holder must not find progress that is not
 * its own. */
void isx_pg_progress_end(struct isx_pg_progress *progress)
{
	progress->note = (struct isx_pg_note){ .change_seq = progress->note.change_seq,
					       .failed = progress->note.failed };
	isx_pg_progress_note(progress);
	close(progress->lock);
	progress->lock = -1;
}

/* Estimate the time that is left and write the note. The slower of two speeds counts, that since
 * the begin and that of the last window: simprints are loaded after the assets and at another
 * speed, and an estimate that is too short makes clients come back too early. */
static void measure(struct isx_pg_progress *progress)
{
	/* Only the thread that works changes *progress; other processes read the file. */
	const uint64_t now_ns = isx_clock_ns(), all_ns = now_ns - progress->start_ns;
	struct isx_pg_note *note = &progress->note;
	if (note->total < note->done) /* `total` was an estimate */
		note->total = note->done;
	if (now_ns - progress->window_ns > isx_ms_to_ns(WINDOW_MS)) {
		uint64_t rows = note->done - progress->window_done;
		progress->row_ns = rows ? (double)(now_ns - progress->window_ns) / (double)rows : 0;
		progress->window_ns = now_ns;
		progress->window_done = note->done;
	}
	double row_ns = note->done ? (double)all_ns / (double)note->done : 0;
	if (row_ns < progress->row_ns)
		row_ns = progress->row_ns;
	double left_ms = row_ns * (double)(note->total - note->done) / 1e6;
	note->left_ms = left_ms < INT32_MAX ? (uint32_t)left_ms : INT32_MAX;
	note->sure_ms = note->done ? (uint32_t)isx_ns_to_ms(all_ns) : 0;
	progress->noted_ns = now_ns;
	isx_pg_progress_note(progress);
}

void isx_pg_progress_long(struct isx_pg_progress *progress)
{
	if (!progress->note.is_long) {
		progress->note.is_long = true;
		measure(progress);
	}
}

/* Costs a look at the clock when nothing is written. Work of less than a second writes none of its
 * progress, unless isx_pg_progress_long() was called. */
void isx_pg_progress_look(struct isx_pg_progress *progress)
{
	const uint64_t now_ns = isx_clock_ns();
	if (now_ns - progress->start_ns > isx_ms_to_ns(WORK_MS))
		isx_pg_progress_long(progress);
	if (progress->note.is_long && now_ns - progress->noted_ns > isx_ms_to_ns(NOTE_MS))
		measure(progress);
}

uint32_t isx_pg_seconds(uint32_t ms)
{
	return ms < 1000 ? 1 : ms / 1000 + (ms % 1000 != 0);
}

/* --- what is under way ------------------------------------------------------------------------ */

/* Add the work that a lock file reports, if its lock is held and the work is long. A lock that
 * is free is of a process that died or has ended: its note is old. Called with the mutex. */
static enum isx_status add_load(struct isx_pg_locks *locks, const char *name, struct isx_err *err)
{
	int lock = -1;
	struct isx_pg_note note = { 0 };
	enum isx_status st = isx_pg_lock_take(locks, name, LOCK_SH, &lock, &note, err);
	if (lock >= 0)
		close(lock);
	if (st || lock >= 0 || !note.is_long || !note.total || !note.name[0])
		return ISX_OK; /* a file that cannot be read is left out */
	struct isx_load *grown = isx_mem_resize(locks->loads, locks->load_count + 1, sizeof *grown);
	if (!grown)
		return isx_fail_memory(err);
	locks->loads = grown;
	grown += locks->load_count++;
	*grown = (struct isx_load){ .done = note.done,
				    .total = note.total,
				    .left_s = isx_pg_seconds(note.left_ms) };
	memcpy(grown->name, note.name, sizeof note.name);
	return ISX_OK;
}

/* Read all lock files of the directory: `.f` and 16 hex digits, `.lock`. Called with the mutex. */
static enum isx_status list_loads(struct isx_pg_locks *locks, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	struct dirent *entry;
	char name[24];
	DIR *directory = opendir(locks->directory);
	isx_mem_free(locks->loads);
	locks->loads = NULL;
	locks->load_count = 0;
	while (!st && directory && (entry = readdir(directory))) {
		int end = 0;
		if (sscanf(entry->d_name, ".%17[0-9a-f].lock%n", name, &end) != 1 || !end)
			continue;
		st = add_load(locks, name, err);
	}
	if (directory)
		closedir(directory);
	if (!st)
		locks->listed_until_ns = isx_clock_after_ms(LIST_MS);
	return st;
}

enum isx_status isx_pg_locks_loads(struct isx_pg_locks *locks, struct isx_load **loads,
				   size_t *count, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	pthread_mutex_lock(&locks->mutex);
	if (isx_clock_ns() >= locks->listed_until_ns)
		st = list_loads(locks, err);
	/* Callers get a copy: the next call may replace the list. */
	*count = st ? 0 : locks->load_count;
	*loads = *count ? isx_mem_array(*count, sizeof **loads) : NULL;
	if (*count && !*loads)
		st = isx_fail_memory(err);
	else if (*count)
		memcpy(*loads, locks->loads, *count * sizeof **loads);
	pthread_mutex_unlock(&locks->mutex);
	return st;
}
