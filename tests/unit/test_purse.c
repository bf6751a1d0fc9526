/*
 * test_purse.c - memory that requests share: requests take it, are refused when it is used up, and
 *                return it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/purse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

enum { ALL = 64000, FREE = 100 };

static void test_purse__the_first_bytes_of_each_hold_are_free(void **state)
{
	struct http_purse purse = { .bytes_max = 0 };
	struct http_hold hold;
	(void)state;
	isx_hold_init(&hold, &purse, FREE);
	assert_true(isx_hold_more(&hold, FREE - 1));
	assert_true(isx_hold_more(&hold, 1));
	assert_false(isx_hold_more(&hold, 1));
	assert_int_equal(hold.bytes, FREE);
	assert_int_equal(purse.bytes, 0);
}

static void test_purse__a_refusal_changes_nothing(void **state)
{
	struct http_purse purse = { .bytes_max = ALL };
	struct http_hold hold, other;
	(void)state;
	isx_hold_init(&hold, &purse, FREE);
	isx_hold_init(&other, &purse, FREE);
	assert_true(isx_hold_more(&hold, 40000));
	assert_int_equal(purse.bytes, 40000 - FREE);
	assert_false(isx_hold_more(&other, 30000));
	assert_false(isx_hold_only(&hold, ALL, 0));
	assert_false(isx_hold_more(&hold, SIZE_MAX - 50000)); /* the sum must not overflow */
	assert_int_equal(purse.bytes, 40000 - FREE);
	assert_int_equal(hold.bytes, 40000);
	assert_int_equal(other.bytes, 0);
	isx_hold_release(&hold);
	assert_int_equal(purse.bytes, 0);
	assert_true(isx_hold_more(&other, 30000));
}

static void test_purse__the_last_quarter_is_not_for_large_holds(void **state)
{
	struct http_purse purse = { .bytes_max = ALL };
	struct http_hold large, small[17];
	(void)state;
	isx_hold_init(&large, &purse, 0);
	assert_false(isx_hold_more(&large, ALL / 4 * 3 + 1));
	assert_true(isx_hold_more(&large, ALL / 4 * 3));
	assert_false(isx_hold_more(&large, 1));
	for (size_t i = 0; i < 17; i++) {
		isx_hold_init(&small[i], &purse, 0);
		assert_int_equal(isx_hold_more(&small[i], ALL / 64), i < 16);
	}
}

static void test_purse__less_always_has_room(void **state)
{
	struct http_purse purse = { .bytes_max = ALL };
	struct http_hold hold, other;
	(void)state;
	isx_hold_init(&hold, &purse, 50000);
	isx_hold_init(&other, &purse, 0);
	assert_true(isx_hold_more(&hold, 50000));
	assert_true(isx_hold_more(&other, 48000));
	assert_false(isx_hold_only(&hold, 50000, FREE)); /* they are not free any more */
	assert_true(isx_hold_only(&hold, FREE, FREE));
	assert_int_equal(purse.bytes, 48000);
	assert_true(isx_hold_only(&other, 1000, 0));
	assert_int_equal(purse.bytes, 1000);
	assert_true(isx_hold_only(&hold, 40000, FREE));
	assert_int_equal(purse.bytes, 1000 + 40000 - FREE);
}

struct taker {
	struct http_hold *shared;
	struct http_purse *purse;
};

static void *take_and_give(void *arg)
{
	struct taker *taker = arg;
	struct http_hold own;
	isx_hold_init(&own, taker->purse, FREE);
	for (size_t i = 0; i < 20000; i++) {
		(void)isx_hold_more(taker->shared, i % 7);
		(void)isx_hold_more(&own, i % 300);
		if (i % 100 == 0)
			isx_hold_release(&own);
	}
	isx_hold_release(&own);
	return NULL;
}

static void test_purse__nothing_is_lost_between_threads(void **state)
{
	struct http_purse purse = { .bytes_max = ALL };
	struct http_hold shared;
	struct taker taker = { &shared, &purse };
	pthread_t threads[4];
	(void)state;
	isx_hold_init(&shared, &purse, FREE);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &taker), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(purse.bytes, shared.purse_bytes);
	isx_hold_release(&shared);
	assert_int_equal(purse.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_purse__the_first_bytes_of_each_hold_are_free),
		cmocka_unit_test(test_purse__a_refusal_changes_nothing),
		cmocka_unit_test(test_purse__the_last_quarter_is_not_for_large_holds),
		cmocka_unit_test(test_purse__less_always_has_room),
		cmocka_unit_test(test_purse__nothing_is_lost_between_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
