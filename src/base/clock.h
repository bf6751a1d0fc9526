/*
 * clock.h - monotonic time, to measure and to wait with a timeout.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CLOCK_H
#define ISX_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds since some fixed moment. Never goes back, also when the time of day is set. */
static inline uint64_t isx_clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Periods are kept in milliseconds, times in nanoseconds. */
static inline uint64_t isx_ms_to_ns(uint64_t ms)
{
	return ms * 1000000u;
}

static inline uint64_t isx_ns_to_ms(uint64_t ns)
{
	return ns / 1000000u;
}

/* The time of isx_clock_ns() in `ms` milliseconds: the end of a wait. */
static inline uint64_t isx_clock_after_ms(uint64_t ms)
{
	return isx_clock_ns() + isx_ms_to_ns(ms);
}

/* Initialise a condition for isx_clock_wait(), whose timeouts are measured by isx_clock_ns(): by
 * the time of day, which is the default, a wait would end early or late when an administrator
 * sets the clock. */
static inline void isx_clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t steady;
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &steady);
	pthread_condattr_destroy(&steady);
}

/* Wait for a condition, at most until `until_ns` of isx_clock_ns(). Called with `lock` held,
 * which is held again on return. False: the time has passed. Like every wait, it may return true
 * for no reason: check the condition in a loop. */
static inline bool isx_clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000u),
					.tv_nsec = (long)(until_ns % 1000000000u) };
	return pthread_cond_timedwait(cond, lock, &until) == 0;
}

/* Lock, or give up at `until_ns` of isx_clock_ns(): false then. Tries every 10 ms: for rare waits, as that
 * of a process which is about to end. */
static inline bool isx_clock_lock(pthread_mutex_t *lock, uint64_t until_ns)
{
	const struct timespec moment = { .tv_nsec = 10000000 };
	while (pthread_mutex_trylock(lock) != 0) {
		if (isx_clock_ns() >= until_ns)
			return false;
		nanosleep(&moment, NULL);
	}
	return true;
}

#endif
