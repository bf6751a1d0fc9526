/*
 * pool.h - a fixed set of worker threads with a bounded queue.
 *
 * Jobs start in the order they came. A full queue refuses at once, so that whoever asks can say
 * "busy" while it still helps.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_POOL_H
#define ISX_POOL_H

#include "base/status.h"

struct isx_pool;

/* A job. */
typedef void isx_pool_fn(void *arg);

/* Start `threads` (at least 1) threads with all signals blocked, so that signals stay with the
 * threads that want them.
 *   name       at most 15 characters, for debuggers
 *   queue_max  jobs that may wait, at least 1; those that run do not count
 *   pool       new, free with isx_pool_free() */
ISX_MUST_CHECK enum isx_status isx_pool_new(const char *name, unsigned threads, size_t queue_max,
					    struct isx_pool **pool, struct isx_err *err);

/* Queue fn(arg); `arg` is borrowed until it has run. False when the queue is full or the pool is
 * finishing. From any thread. */
ISX_MUST_CHECK bool isx_pool_put(struct isx_pool *pool, isx_pool_fn *fn, void *arg);

/* The job that this thread of the pool runs waits for something that takes no processor: another
 * thread may run the next job meanwhile. End with isx_pool_wait_end(). False: too many wait already;
 * then nothing has begun. */
ISX_MUST_CHECK bool isx_pool_wait_begin(struct isx_pool *pool);
void isx_pool_wait_end(struct isx_pool *pool);

/* Run what is queued and end the threads; from now on every job is refused. NULL is allowed, and so
 * is finishing twice. */
void isx_pool_finish(struct isx_pool *pool);

/* The same, but wait no longer than until `end_ns` of isx_clock_ns(). False: a job still runs, and the
 * pool has to stay. */
ISX_MUST_CHECK bool isx_pool_finish_by(struct isx_pool *pool, uint64_t end_ns);

/* Finish, and free the pool, which no thread uses any more. NULL is allowed. */
void isx_pool_free(struct isx_pool *pool);

#endif
