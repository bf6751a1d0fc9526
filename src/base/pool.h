/*
 * pool.h - a fixed number of worker threads with a bounded queue.
 *
 * Jobs start in the order in which they were queued. A full queue refuses a job at once, so that
 * the caller can answer "busy" while the client still waits.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_POOL_H
#define ISX_POOL_H

#include "base/status.h"

struct isx_pool;

/* A job. */
typedef void isx_pool_fn(void *arg);

/* Start `threads` (at least 1) threads, with all signals blocked: the threads of the program handle
 * them.
 *   name       at most 15 characters, for debuggers
 *   queue_max  jobs that may wait, at least 1; those that run do not count
 *   pool       new, free with isx_pool_free() */
ISX_MUST_CHECK enum isx_status isx_pool_new(const char *name, unsigned threads, size_t queue_max,
					    struct isx_pool **pool, struct isx_err *err);

/* Queue fn(arg); `arg` is borrowed until the job has run. False: the queue is full or the pool is
 * finishing. From any thread. */
ISX_MUST_CHECK bool isx_pool_put(struct isx_pool *pool, isx_pool_fn *fn, void *arg);

/* The same for a job that goes on with what an earlier one has begun, and has no other job in the queue: a full
 * queue does not refuse it. False: the pool is finishing, or there is no memory. */
ISX_MUST_CHECK bool isx_pool_put_rest(struct isx_pool *pool, isx_pool_fn *fn, void *arg);

/* Called by a running job before it waits for something that takes no processor time: until
 * isx_pool_wait_end(), one more thread of the pool may run the next job. False: too many jobs
 * wait already, or no thread can be started; the job must not wait, nor call
 * isx_pool_wait_end(). */
ISX_MUST_CHECK bool isx_pool_wait_begin(struct isx_pool *pool);
void isx_pool_wait_end(struct isx_pool *pool);

/* Refuse every new job, run those that are queued, and end the threads. NULL is allowed, and so is
 * finishing twice. */
void isx_pool_finish(struct isx_pool *pool);

/* The same, but wait at most until `end_ns` of isx_clock_ns(). False: a job still runs, and the
 * pool must not be freed. */
ISX_MUST_CHECK bool isx_pool_finish_by(struct isx_pool *pool, uint64_t end_ns);

/* Finish, and free the pool, which no thread uses any more. NULL is allowed. */
void isx_pool_free(struct isx_pool *pool);

#endif
