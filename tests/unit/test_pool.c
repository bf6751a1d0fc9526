/*
 * test_pool.c - worker threads: everything queued runs once, a full queue refuses, finishing waits.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>

#include <cmocka.h>

static void count(void *arg)
{
	atomic_fetch_add((atomic_uint *)arg, 1);
}

static struct isx_pool *make_pool(unsigned threads, size_t queue_max)
{
	struct isx_pool *pool = NULL;
	struct isx_err err = { 0 };
	if (isx_pool_new("test", threads, queue_max, &pool, &err))
		fail_msg("%s", err.msg);
	return pool;
}

static void test_pool__runs_every_job_once(void **state)
{
	enum { JOBS = 20000 };
	atomic_uint done = 0;
	struct isx_pool *pool = make_pool(4, JOBS);
	(void)state;
	for (unsigned i = 0; i < JOBS; i++)
		assert_true(isx_pool_put(pool, count, &done));
	isx_pool_free(pool);
	assert_int_equal(atomic_load(&done), JOBS);
}

static void wait_for_lock(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
}

static void test_pool__refuses_what_its_queue_cannot_hold(void **state)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	atomic_uint done = 0;
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	struct isx_pool *pool = make_pool(1, 2);
	(void)state;
	pthread_mutex_lock(&gate);
	unsigned taken = 0;
	/* One job runs, as soon as the thread has taken it, and two wait. */
	for (unsigned tries = 0; tries < 30000 && taken < 3; tries++) {
		taken += isx_pool_put(pool, wait_for_lock, &gate);
		nanosleep(&moment, NULL);
	}
	assert_int_equal(taken, 3);
	assert_false(isx_pool_put(pool, wait_for_lock, &gate));
	for (unsigned i = 0; i < 1000; i++) /* what has begun may go on */
		assert_true(isx_pool_put_rest(pool, count, &done));
	assert_false(isx_pool_put(pool, wait_for_lock, &gate));
	pthread_mutex_unlock(&gate);
	isx_pool_finish(pool);
	assert_int_equal(atomic_load(&done), 1000);
	assert_false(isx_pool_put_rest(pool, count, &done));
	isx_pool_free(pool);
}

static void test_pool__runs_what_is_queued_before_it_finishes(void **state)
{
	atomic_uint done = 0;
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	struct isx_pool *pool = make_pool(1, 100);
	(void)state;
	pthread_mutex_lock(&gate);
	assert_true(isx_pool_put(pool, wait_for_lock, &gate));
	for (unsigned i = 0; i < 50; i++)
		assert_true(isx_pool_put(pool, count, &done));
	pthread_mutex_unlock(&gate);
	isx_pool_finish(pool);
	assert_int_equal(atomic_load(&done), 50);
	assert_false(isx_pool_put(pool, count, &done));
	isx_pool_finish(pool);
	isx_pool_free(pool);
	isx_pool_free(NULL);
}

static void test_pool__does_not_wait_beyond_a_moment_for_a_job_that_runs(void **state)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	struct isx_pool *pool = make_pool(2, 1);
	(void)state;
	pthread_mutex_lock(&gate);
	assert_true(isx_pool_put(pool, wait_for_lock, &gate));
	assert_false(isx_pool_finish_by(pool, isx_clock_ns() + 20000000));
	assert_false(isx_pool_put(pool, wait_for_lock, &gate));
	pthread_mutex_unlock(&gate);
	assert_true(isx_pool_finish_by(pool, UINT64_MAX));
	isx_pool_free(pool);
}

/* Jobs of one pool: the first waits until the second has run. */
struct waiter {
	struct isx_pool *pool;
	atomic_uint met;
	atomic_bool may_wait;
};

static void wait_for_others(void *arg)
{
	struct waiter *waiter = arg;
	const struct timespec pause = { .tv_nsec = 1000000 };
	if (!isx_pool_wait_begin(waiter->pool)) {
		atomic_store(&waiter->may_wait, false);
		return;
	}
	for (int i = 0; i < 30000 && atomic_load(&waiter->met) == 0; i++)
		nanosleep(&pause, NULL);
	isx_pool_wait_end(waiter->pool);
}

static void meet(void *arg)
{
	atomic_fetch_add(&((struct waiter *)arg)->met, 1);
}

static void test_pool__a_job_that_waits_leaves_its_place_to_another(void **state)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	(void)state;
	for (int turn = 0; turn < 50; turn++) {
		struct waiter waiter = { .pool = make_pool(1, 200), .may_wait = true };
		for (int i = 0; i < 64; i++)
			assert_true(isx_pool_put(waiter.pool, wait_for_others, &waiter));
		assert_true(isx_pool_put(waiter.pool, meet, &waiter));
		for (int i = 0; i < 30000 && atomic_load(&waiter.met) == 0; i++)
			nanosleep(&pause, NULL);
		isx_pool_free(waiter.pool);
		assert_int_equal(atomic_load(&waiter.met), 1);
		assert_true(atomic_load(&waiter.may_wait));
	}
}

static void test_pool__no_more_than_64_jobs_wait(void **state)
{
	struct waiter waiter = { .pool = make_pool(1, 200), .may_wait = true };
	const struct timespec pause = { .tv_nsec = 1000000 };
	(void)state;
	for (int i = 0; i < 65; i++)
		assert_true(isx_pool_put(waiter.pool, wait_for_others, &waiter));
	for (int i = 0; i < 30000 && atomic_load(&waiter.may_wait); i++)
		nanosleep(&pause, NULL);
	assert_false(atomic_load(&waiter.may_wait));
	meet(&waiter);
	isx_pool_free(waiter.pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool__runs_every_job_once),
		cmocka_unit_test(test_pool__refuses_what_its_queue_cannot_hold),
		cmocka_unit_test(test_pool__runs_what_is_queued_before_it_finishes),
		cmocka_unit_test(test_pool__does_not_wait_beyond_a_moment_for_a_job_that_runs),
		cmocka_unit_test(test_pool__a_job_that_waits_leaves_its_place_to_another),
		cmocka_unit_test(test_pool__no_more_than_64_jobs_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
