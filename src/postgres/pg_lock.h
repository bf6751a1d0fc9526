/*
 * pg_lock.h - the lock file of a follower: who holds it works on the follower, and notes in it for all
 *             processes of the host how far that has come.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_LOCK_H
#define ISX_PG_LOCK_H

#include "base/limits.h"
#include "base/status.h"

#include <pthread.h>

/* The lock files of the followers in a directory. */
struct isx_pg_locks {
	const char *directory; /* borrowed */
	pthread_mutex_t mutex; /* guards what follows: the loads as they were last listed */
	struct isx_load *loads;
	size_t load_count;
	uint64_t listed_until_ns;
};

/* Fill *locks; end with isx_pg_locks_release(), which gives back what was listed. */
void isx_pg_locks_init(struct isx_pg_locks *locks, const char *directory);
void isx_pg_locks_release(struct isx_pg_locks *locks);

/* What is noted: a catch-up that was begun at a head and has not ended, by whatever it failed; that
 * the work takes long, how far it has come, and for which index. */
struct isx_pg_note {
	int64_t change_seq;
	uint32_t failed;
	bool is_long;
	uint32_t sure_ms; /* `left_ms` was measured for so long; 0: it is not known */
	uint32_t left_ms;
	uint64_t done, total; /* rows */
	char name[ISX_INDEX_NAME_MAX + 1];
};

/* The lock of a follower, LOCK_EX or LOCK_SH; *lock is -1 when somebody has it, else to be closed.
 *   note  filled
 * ISX_NOT_FOUND: there is no such directory. */
ISX_MUST_CHECK enum isx_status isx_pg_lock_take(const struct isx_pg_locks *locks, const char *name,
						int how, int *lock, struct isx_pg_note *note,
						struct isx_err *err);

/* Work that is measured, by the holder of a lock. */
struct isx_pg_progress {
	int lock; /* -1: it is not held */
	struct isx_pg_note note;
	uint64_t start_ns;
	uint64_t window_ns; /* since when its speed is measured, and the rows it had then */
	uint64_t window_done;
	double row_ns;     /* that a row took in the last window; 0: none came */
	uint64_t noted_ns; /* when it was noted last */
};

/* The lock was taken, and *progress has it and its note: work on this index begins. It ends.
 * What is noted of failures stays. */
void isx_pg_progress_begin(struct isx_pg_progress *progress, const char *index);
void isx_pg_progress_end(struct isx_pg_progress *progress);

/* Write the note as it is. */
void isx_pg_progress_note(const struct isx_pg_progress *progress);

/* The work takes long, as is known beforehand. */
void isx_pg_progress_long(struct isx_pg_progress *progress);

/* Look at the clock: long work is noted, now and then. */
void isx_pg_progress_look(struct isx_pg_progress *progress);

/* Whole seconds of a time, at least one. */
uint32_t isx_pg_seconds(uint32_t ms);

/* As isx_loads(), of all processes; read anew after half a second. */
ISX_MUST_CHECK enum isx_status isx_pg_locks_loads(struct isx_pg_locks *locks,
						  struct isx_load **loads, size_t *count,
						  struct isx_err *err);

#endif
