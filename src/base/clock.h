/*
 * clock.h - time for measuring, and for waiting with an end.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CLOCK_H
#define ISX_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds since some fixed moment; never goes back. */
static inline uint64_t isx_clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Make a condition for isx_clock_wait(): its waits end by the clock above, which nobody sets. */
static inline void isx_clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t steady;
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &steady);
	pthread_condattr_destroy(&steady);
}

/* Wait for a condition, at most until a time of isx_clock_ns(). False: that has passed. Called with
 * the lock. */
static inline bool isx_clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000u),
					.tv_nsec = (long)(until_ns % 1000000000u) };
	return pthread_cond_timedwait(cond, lock, &until) == 0;
}

#endif
