/*
 * test_array.c - arrays that grow, and sorted arrays that are searched.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct element {
	uint32_t number;
	char more[9];
};

static void test_array__what_was_added_stays_while_it_doubles(void **state)
{
	struct element *elements = NULL;
	size_t cap = 0, changes = 0;
	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		size_t before = cap;
		assert_int_equal(
			isx_array_room(&elements, &cap, i + 1, sizeof *elements, NULL, NULL),
			ISX_OK);
		assert_true(cap > i && (cap == before || cap >= 2 * before));
		changes += cap != before;
		elements[i] = (struct element){ .number = i };
	}
	assert_true(changes < 20);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(elements[i].number, i);
	assert_int_equal(isx_array_room(&elements, &cap, 5000000, sizeof *elements, NULL, NULL),
			 ISX_OK);
	assert_int_equal(cap, 5000000);
	isx_mem_free(elements);
}

static void test_array__sizes_that_overflow_are_no_memory(void **state)
{
	char own[1], *elements = own;
	size_t cap = SIZE_MAX / 2 + 1;
	struct isx_err err;
	(void)state;
	assert_int_equal(isx_array_room(&elements, &cap, cap + 1, 1, NULL, &err), ISX_NO_MEMORY);
	cap = 1;
	assert_int_equal(isx_array_room(&elements, &cap, SIZE_MAX / 4, 8, NULL, &err),
			 ISX_NO_MEMORY);
	assert_true(elements == own && cap == 1);
}

static void test_array__without_memory_it_is_as_it_was(void **state)
{
	int *elements = NULL;
	size_t cap = 0;
	struct isx_err err;
	(void)state;
	assert_int_equal(isx_array_room(&elements, &cap, 1, sizeof *elements, NULL, &err), ISX_OK);
	int *before = elements;
	size_t cap_before = cap;
	isx_mem_fail_after(1);
	enum isx_status st = isx_array_room(&elements, &cap, cap + 1, sizeof *elements, NULL, &err);
	isx_mem_fail_after(0);
	assert_int_equal(st, ISX_NO_MEMORY);
	assert_true(elements == before && cap == cap_before);
	isx_mem_free(elements);
}

/* Of a quota: takes away what is asked for, and refuses what is not left. */
static enum isx_status take(void *keeper, size_t bytes, struct isx_err *err)
{
	size_t *left = keeper;
	if (bytes > *left)
		return isx_fail(err, ISX_TOO_LARGE, "no more");
	*left -= bytes;
	return ISX_OK;
}

static void test_array__a_quota_is_asked_for_the_growth_alone(void **state)
{
	size_t left = 100 * sizeof(uint64_t), cap = 0;
	struct isx_quota quota = { .may_take = take, .keeper = &left };
	uint64_t *elements = NULL;
	struct isx_err err;
	(void)state;
	assert_int_equal(isx_array_room(&elements, &cap, 1, sizeof *elements, &quota, &err),
			 ISX_OK);
	assert_int_equal(left, (100 - cap) * sizeof *elements);
	assert_int_equal(isx_array_room(&elements, &cap, 101, sizeof *elements, &quota, &err),
			 ISX_TOO_LARGE);
	assert_string_equal(err.msg, "no more");
	assert_int_equal(left, (100 - cap) * sizeof *elements);
	isx_mem_free(elements);
}

static uint64_t id_at(const void *array, size_t position)
{
	return ((const uint64_t *)array)[position];
}

/* Against a walk from the first element, with repeated numbers and the largest one. */
static void test_array__the_lower_bound_is_that_of_a_walk(void **state)
{
	uint64_t numbers[40];
	(void)state;
	for (size_t count = 0; count <= 40; count++) {
		for (size_t i = 0; i < count; i++)
			numbers[i] = i + 1 == count && count % 7 == 0 ? UINT64_MAX : i / 3 * 2 + 1;
		for (uint64_t id = 0; id < 32; id++) {
			size_t wanted = 0;
			while (wanted < count && numbers[wanted] < id)
				wanted++;
			assert_int_equal(isx_array_lower_bound(numbers, count, id, id_at), wanted);
		}
		size_t last = count && numbers[count - 1] == UINT64_MAX ? count - 1 : count;
		assert_int_equal(isx_array_lower_bound(numbers, count, UINT64_MAX, id_at), last);
	}
	assert_int_equal(isx_array_lower_bound(NULL, 0, 7, id_at), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_array__what_was_added_stays_while_it_doubles),
		cmocka_unit_test(test_array__sizes_that_overflow_are_no_memory),
		cmocka_unit_test(test_array__without_memory_it_is_as_it_was),
		cmocka_unit_test(test_array__a_quota_is_asked_for_the_growth_alone),
		cmocka_unit_test(test_array__the_lower_bound_is_that_of_a_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
