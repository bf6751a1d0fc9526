/*
 * pool.c - worker threads around a ring of queued jobs: one mutex, one condition for work.
 *
 * A job is a request that takes tens of microseconds or more, so the lock is no bottleneck. It is
 * never held while a job runs, and no other lock is taken under it.
 *
 * `width` jobs run at once. A job that waits for something else than the processor gives its place
 * to another one: the pool then has more threads than `width`, but no more of them are busy. Only a
 * job that comes back from waiting may bring `busy` above `width` for a while.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/pool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { WAITING_MAX = 64 }; /* waiting jobs, and so additional threads, each with a stack */

struct job {
	isx_pool_fn *fn;
	void *arg;
};

struct isx_pool {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* there is a job to take, or the pool is finishing */
	pthread_cond_t ended;   /* `running` has become 0 */
	unsigned running;       /* threads that have not ended; this and all below under `lock` */
	struct job *ring;       /* ring_len queued jobs from ring_first on */
	size_t ring_cap;
	size_t ring_first;
	size_t ring_len;
	bool is_ending;
	unsigned width;   /* jobs that may be busy at once; does not change */
	unsigned busy;    /* jobs that run and are not in isx_pool_wait_begin() */
	unsigned waiting; /* jobs between isx_pool_wait_begin() and isx_pool_wait_end() */
	char name[16];
	pthread_t *threads; /* room for `width` + WAITING_MAX */
	unsigned thread_count;
};

/* Wait for the next job; false when the pool is finishing and no job is left. Finishing does not
 * look at `width`: no thread must keep waiting for a place then. */
static bool take_job(struct isx_pool *pool, struct job *job)
{
	pthread_mutex_lock(&pool->lock);
	while (!pool->is_ending && (pool->ring_len == 0 || pool->busy >= pool->width))
		pthread_cond_wait(&pool->changed, &pool->lock);
	bool found = pool->ring_len > 0;
	if (found) {
		*job = pool->ring[pool->ring_first];
		pool->ring_first = (pool->ring_first + 1) % pool->ring_cap;
		pool->ring_len--;
		pool->busy++;
	}
	pthread_mutex_unlock(&pool->lock);
	return found;
}

/* No thread has to be woken here: this one takes the next job itself. */
static void end_job(struct isx_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->busy--;
	pthread_mutex_unlock(&pool->lock);
}

static void *run_jobs(void *arg)
{
	struct isx_pool *pool = arg;
	struct job job;
	while (take_job(pool, &job)) {
		job.fn(job.arg);
		end_job(pool);
	}
	pthread_mutex_lock(&pool->lock);
	if (--pool->running == 0)
		pthread_cond_broadcast(&pool->ended);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Start one more thread. Called with the lock, so that `threads` and its count change together. */
static int start_thread(struct isx_pool *pool)
{
	int rc = isx_thread_start(&pool->threads[pool->thread_count], pool->name, run_jobs, pool);
	if (!rc) {
		pool->thread_count++;
		pool->running++;
	}
	return rc;
}

/* On failure the threads that were started stay: isx_pool_free() ends them. */
static enum isx_status start_threads(struct isx_pool *pool, struct isx_err *err)
{
	int rc = 0;
	pthread_mutex_lock(&pool->lock);
	while (!rc && pool->thread_count < pool->width)
		rc = start_thread(pool);
	pthread_mutex_unlock(&pool->lock);
	if (rc)
		return isx_fail(err, ISX_IO, "cannot start thread %u of %u: %s",
				pool->thread_count + 1, pool->width, strerror(rc));
	return ISX_OK;
}

enum isx_status isx_pool_new(const char *name, unsigned threads, size_t queue_max,
			     struct isx_pool **pool, struct isx_err *err)
{
	assert(threads > 0 && queue_max > 0);
	struct isx_pool *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->changed, NULL);
	isx_clock_cond_init(&made->ended);
	made->ring_cap = queue_max;
	made->ring = isx_mem_array(queue_max, sizeof *made->ring);
	made->width = threads;
	snprintf(made->name, sizeof made->name, "%s", name);
	made->threads = isx_mem_array((size_t)threads + WAITING_MAX, sizeof *made->threads);
	enum isx_status st = made->ring && made->threads ? ISX_OK : isx_fail_memory(err);
	if (!st)
		st = start_threads(made, err);
	if (st)
		isx_pool_free(made);
	else
		*pool = made;
	return st;
}

/* Never blocks but for the lock: threads that poll sockets call it. */
bool isx_pool_put(struct isx_pool *pool, isx_pool_fn *fn, void *arg)
{
	pthread_mutex_lock(&pool->lock);
	bool has_room = !pool->is_ending && pool->ring_len < pool->ring_cap;
	if (has_room) {
		size_t last = (pool->ring_first + pool->ring_len) % pool->ring_cap;
		pool->ring[last] = (struct job){ fn, arg };
		pool->ring_len++;
	}
	pthread_mutex_unlock(&pool->lock);
	if (has_room) /* after unlocking: a thread woken under the lock would wait for it at once */
		pthread_cond_signal(&pool->changed);
	return has_room;
}

/* Threads that were started for waiting jobs stay until the pool ends, so that a search which
 * waits often does not start a thread each time. */
bool isx_pool_wait_begin(struct isx_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	bool may = pool->waiting < WAITING_MAX;
	if (may && !pool->is_ending && pool->thread_count <= pool->width + pool->waiting)
		may = start_thread(pool) == 0;
	if (may) {
		pool->waiting++;
		pool->busy--;
	}
	pthread_mutex_unlock(&pool->lock);
	if (may)
		pthread_cond_signal(&pool->changed);
	return may;
}

/* Does not wait for a place: the job holds memory and a client, and finishes sooner if it goes
 * on. */
void isx_pool_wait_end(struct isx_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->waiting--;
	pool->busy++;
	pthread_mutex_unlock(&pool->lock);
}

static void join_threads(struct isx_pool *pool)
{
	while (pool->thread_count > 0)
		pthread_join(pool->threads[--pool->thread_count], NULL);
}

/* Join the threads that have ended, and keep the others in `threads` for a later attempt: a
 * thread that is stuck must not keep the stacks of those that are not. */
static void join_ended_threads(struct isx_pool *pool)
{
	unsigned left = 0;
	for (unsigned i = 0; i < pool->thread_count; i++)
		if (pthread_tryjoin_np(pool->threads[i], NULL) != 0)
			pool->threads[left++] = pool->threads[i];
	pool->thread_count = left;
}

bool isx_pool_finish_by(struct isx_pool *pool, uint64_t end_ns)
{
	if (!pool)
		return true;
	pthread_mutex_lock(&pool->lock);
	pool->is_ending = true;
	pthread_cond_broadcast(&pool->changed);
	while (pool->running > 0 && isx_clock_ns() < end_ns)
		(void)isx_clock_wait(&pool->ended, &pool->lock, end_ns);
	bool has_ended = pool->running == 0;
	pthread_mutex_unlock(&pool->lock);
	if (has_ended)
		join_threads(pool);
	else
		join_ended_threads(pool);
	return has_ended;
}

void isx_pool_finish(struct isx_pool *pool)
{
	if (!isx_pool_finish_by(pool, 0)) /* a time in the past: sets is_ending and does not wait */
		join_threads(pool);
}

void isx_pool_free(struct isx_pool *pool)
{
	if (!pool)
		return;
	isx_pool_finish(pool);
	pthread_cond_destroy(&pool->ended);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	isx_mem_free(pool->threads);
	isx_mem_free(pool->ring);
	isx_mem_free(pool);
}
