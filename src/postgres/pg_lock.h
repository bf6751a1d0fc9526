/*
 * pg_lock.h - the lock file of a follower. The holder of its lock may write the follower, and
 *             writes its progress into the file, for all processes of the host to read.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_LOCK_H
#define ISX_PG_LOCK_H

#include "base/limits.h"
#include "base/status.h"

#include <pthread.h>

/* The lock files of the followers in one directory, and a list of the loads under way that is
 * read anew every half second. Any thread may use it. */
struct isx_pg_locks {
	const char *directory; /* borrowed */
	pthread_mutex_t mutex; /* guards the members below */
	struct isx_load *loads;
	size_t load_count;
	uint64_t listed_until_ns;
};

/* Fill *locks; end with isx_pg_locks_release(). */
void isx_pg_locks_init(struct isx_pg_locks *locks, const char *directory);
void isx_pg_locks_release(struct isx_pg_locks *locks);

/* The content of a lock file. `change_seq` and `failed` outlive the work: they count the
 * attempts to catch up from one position that have not succeeded, also those that ended with
 * their process. The rest is the progress of the work under way, and 0 when there is none. */
struct isx_pg_note {
	int64_t change_seq;
	uint32_t failed;      /* attempts to catch up from change_seq, without a success */
	bool is_long;         /* the work takes more than a second, or is expected to */
	uint32_t sure_ms;     /* how long the speed behind `left_ms` was measured; 0: not known */
	uint32_t left_ms;     /* estimate */
	uint64_t done, total; /* rows; `total` may be an estimate */
	char name[ISX_INDEX_NAME_MAX + 1];
};

/* Try to lock the file of a follower; does not wait. The lock ends when the descriptor is
 * closed, and so with the process. ISX_NOT_FOUND: the directory does not exist.
 *   how   LOCK_EX or LOCK_SH
 *   lock  filled: new, close(); -1 when another holder has the lock
 *   note  filled in both cases */
ISX_MUST_CHECK enum isx_status isx_pg_lock_take(const struct isx_pg_locks *locks, const char *name,
						int how, int *lock, struct isx_pg_note *note,
						struct isx_err *err);

/* The progress of work on a follower, kept by the thread that holds the lock. */
struct isx_pg_progress {
	int lock; /* descriptor; -1: the lock is not held */
	struct isx_pg_note note;
	uint64_t start_ns;
	uint64_t window_ns;   /* begin of the window that the speed is measured in */
	uint64_t window_done; /* rows done at its begin */
	double row_ns;        /* time of a row in the last window; 0: no row came */
	uint64_t noted_ns;    /* time of the last write of the note */
};

/* Begin work on an index: *progress has the lock and the note that isx_pg_lock_take() filled.
 * End it, which closes the lock. Both keep what the note says of failures. */
void isx_pg_progress_begin(struct isx_pg_progress *progress, const char *index);
void isx_pg_progress_end(struct isx_pg_progress *progress);

/* Write the note into the lock file as it is now. */
void isx_pg_progress_note(const struct isx_pg_progress *progress);

/* Mark the work as long before it has taken a second. */
void isx_pg_progress_long(struct isx_pg_progress *progress);

/* Called every few rows: writes the progress of long work, ten times a second at most. */
void isx_pg_progress_look(struct isx_pg_progress *progress);

/* Milliseconds as seconds, rounded up, at least 1: for Retry-After. */
uint32_t isx_pg_seconds(uint32_t ms);

/* As isx_loads(): the long work of all processes of this host, as it was at most half a second
 * ago. */
ISX_MUST_CHECK enum isx_status isx_pg_locks_loads(struct isx_pg_locks *locks,
						  struct isx_load **loads, size_t *count,
						  struct isx_err *err);

#endif
