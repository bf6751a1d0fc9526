/*
 * test_id_set.c - sets of ISCC-IDs against one bit for each number, at both ends of what there is.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/array.h"
#include "engine/id_set.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { UNIVERSE = 300 };

/* The numbers of a model: half of them at the beginning, half at the end. */
static uint64_t number_of(size_t i)
{
	return i < UNIVERSE / 2 ? i : UINT64_MAX - (UNIVERSE - 1 - i);
}

static void ok(enum isx_status st)
{
	assert_int_equal(st, ISX_OK);
}

static void make_set(const bool *in, struct isx_id_set *set)
{
	*set = (struct isx_id_set){ 0 };
	for (size_t i = 0; i < UNIVERSE; i++)
		if (in[i])
			ok(isx_id_set_add(set, number_of(i), number_of(i), NULL, NULL));
}

/* Every number, the shape of the list, and each search in it. */
static void expect(const struct isx_id_set *set, const bool *in)
{
	for (size_t i = 0; i < UNIVERSE; i++)
		if (isx_id_set_has(set, number_of(i)) != in[i])
			fail_msg("number %zu", i);
	for (size_t i = 0; i < set->count; i++) {
		assert_true(set->ranges[i].first <= set->ranges[i].last);
		assert_true(!i || set->ranges[i].first > set->ranges[i - 1].last + 1);
	}
	for (size_t i = 0; i < UNIVERSE; i += 7) {
		size_t at = 0;
		while (at < set->count && set->ranges[at].last < number_of(i))
			at++;
		for (size_t from = 0; from <= at; from++)
			assert_int_equal(isx_id_set_find(set, from, number_of(i)), at);
	}
}

static void random_bits(uint64_t *seed, bool *in)
{
	uint64_t share = test_random(seed) % 5, stay = 1 + test_random(seed) % 12;
	bool bit = false;
	for (size_t i = 0; i < UNIVERSE; i++) {
		if (i % stay == 0)
			bit = test_random(seed) % 4 < share;
		in[i] = bit;
	}
}

static void test_id_set__operations_are_those_of_bits(void **state)
{
	uint64_t seed = test_seed();
	(void)state;
	for (int round = 0; round < 500; round++) {
		bool left[UNIVERSE], right[UNIVERSE], both[UNIVERSE], any[UNIVERSE], not [UNIVERSE];
		struct isx_id_set a, b, c;
		random_bits(&seed, left);
		random_bits(&seed, right);
		for (size_t i = 0; i < UNIVERSE; i++) {
			both[i] = left[i] && right[i];
			any[i] = left[i] || right[i];
			not [i] = !left[i];
		}
		make_set(left, &a);
		make_set(right, &b);
		make_set(left, &c);
		expect(&a, left);
		ok(isx_id_set_intersect(&a, &b, NULL, NULL));
		expect(&a, both);
		ok(isx_id_set_unite(&c, &b, NULL, NULL));
		expect(&c, any);
		isx_id_set_release(&c);
		make_set(left, &c);
		ok(isx_id_set_invert(&c, NULL, NULL));
		expect(&c, not );
		ok(isx_id_set_invert(&c, NULL, NULL));
		expect(&c, left);
		isx_id_set_release(&a);
		isx_id_set_release(&b);
		isx_id_set_release(&c);
	}
}

static void test_id_set__ids_may_be_there_twice(void **state)
{
	const uint64_t ids[] = { 1, 1, 2, 5, 5, UINT64_MAX };
	struct isx_id_set set = { 0 };
	(void)state;
	ok(isx_id_set_add_ids(&set, ids, 6, NULL, NULL));
	assert_int_equal(set.count, 3);
	assert_true(isx_id_set_has(&set, 2) && isx_id_set_has(&set, UINT64_MAX));
	assert_false(isx_id_set_has(&set, 3));
	isx_id_set_release(&set);
}

static enum isx_status refuse(void *keeper, size_t bytes, struct isx_err *err)
{
	(void)keeper, (void)bytes;
	return isx_fail(err, ISX_TOO_LARGE, "no more");
}

static void test_id_set__a_quota_that_refuses_leaves_the_set_as_it_was(void **state)
{
	const struct isx_quota quota = { .may_take = refuse };
	bool in[UNIVERSE] = { [3] = true, [200] = true };
	struct isx_id_set a, b;
	(void)state;
	make_set(in, &a);
	make_set(in, &b);
	assert_int_equal(isx_id_set_invert(&a, &quota, NULL), ISX_TOO_LARGE);
	assert_int_equal(isx_id_set_unite(&a, &b, &quota, NULL), ISX_TOO_LARGE);
	assert_int_equal(isx_id_set_intersect(&a, &b, &quota, NULL), ISX_TOO_LARGE);
	expect(&a, in);
	isx_id_set_release(&a);
	isx_id_set_release(&b);
}

/* The order that sets are made in. */
static int ascending(const void *left, const void *right)
{
	uint64_t a, b;
	memcpy(&a, left, sizeof a);
	memcpy(&b, right, sizeof b);
	return (a > b) - (a < b);
}

static void test_array__numbers_are_sorted_as_by_qsort(void **state)
{
	static uint64_t numbers[5000], wanted[5000], room[5000];
	uint64_t seed = test_seed();
	(void)state;
	for (size_t count = 0; count < 5000; count = count * 2 + 1) {
		for (int shift = 0; shift < 64; shift += 9) {
			for (size_t i = 0; i < count; i++)
				numbers[i] = wanted[i] = test_random(&seed) >> shift;
			qsort(wanted, count, sizeof *wanted, ascending);
			isx_array_sort(numbers, room, count);
			assert_memory_equal(numbers, wanted, count * sizeof *wanted);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id_set__operations_are_those_of_bits),
		cmocka_unit_test(test_id_set__ids_may_be_there_twice),
		cmocka_unit_test(test_id_set__a_quota_that_refuses_leaves_the_set_as_it_was),
		cmocka_unit_test(test_array__numbers_are_sorted_as_by_qsort),
	};
	printf("seed %llu\n", (unsigned long long)test_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
