/*
 * test_kernel.c - every kernel that this processor can run agrees with a bit-by-bit loop and reads
 *                 only its rows and its query; and which kernel is chosen.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "check_kernel.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_kernel__finds_what_a_bit_by_bit_loop_finds(void **state)
{
	static struct check check;
	(void)state;
	print_message("ISX_SEED=%llu\n", (unsigned long long)check_seed());
	assert_true(check_open(&check));
	for (size_t i = 0; i < isx_kernel_count; i++)
		if (!isx_kernels[i].runs_here())
			print_message("%s does not run here\n", isx_kernels[i].name);
		else if (!check_kernel(&check, &isx_kernels[i], check_seed()))
			fail_msg("%s", check.why);
	check_close(&check);
}

enum { ROWS = 70000, ROW_BYTES = ISX_ROW_KEY_BYTES + 32, HIT_EVERY = 1999 };

static void expect_hits(const struct isx_hit *hits, size_t found)
{
	assert_int_equal(found, ROWS / HIT_EVERY + 1);
	for (size_t hit = 0; hit < found; hit++) {
		assert_int_equal(hits[hit].row, hit * HIT_EVERY);
		assert_int_equal(hits[hit].distance, 8);
	}
}

static void test_kernel__numbers_rows_beyond_16_bits(void **state)
{
	static uint8_t rows[ROWS * ROW_BYTES];
	static struct isx_hit hits[ROWS], more[ROWS];
	const uint8_t query[32] = { 0 };
	(void)state;
	memset(rows, 0xFF, sizeof rows);
	for (size_t row = 0; row < ROWS; row += HIT_EVERY)
		memset(rows + row * ROW_BYTES + ISX_ROW_KEY_BYTES, 0, 31);
	for (size_t i = 0; i < isx_kernel_count; i++) {
		const struct isx_scan scan = { rows, ROWS, ROW_BYTES, query, 32, 8 };
		if (!isx_kernels[i].runs_here())
			continue;
		expect_hits(hits, isx_kernels[i].scan(&scan, hits));
		struct isx_scan_query queries[] = { { query, 32, 8, hits, 0 },
						    { query, 32, 8, more, 0 } };
		const struct isx_scan_many many = { rows, ROWS, ROW_BYTES, 2, queries };
		isx_kernels[i].scan_many(&many);
		expect_hits(hits, queries[0].found);
		expect_hits(more, queries[1].found);
	}
}

static void test_kernel__distance_is_the_number_of_differing_bits(void **state)
{
	struct check check = { .state = check_seed() };
	(void)state;
	for (size_t turn = 0; turn < 10000; turn++) {
		uint8_t a[ISX_SCAN_BYTES_MAX], b[ISX_SCAN_BYTES_MAX];
		size_t bytes = 1 + turn % ISX_SCAN_BYTES_MAX;
		for (size_t i = 0; i < bytes; i++) {
			a[i] = (uint8_t)check_random(&check);
			b[i] = (uint8_t)check_random(&check);
		}
		if (isx_distance(a, b, bytes) != check_distance(a, b, bytes))
			fail_msg("turn %zu, ISX_SEED=%llu", turn, (unsigned long long)check_seed());
	}
}

static void test_kernel__best_is_the_first_that_runs_here(void **state)
{
	size_t first = 0;
	(void)state;
	while (!isx_kernels[first].runs_here())
		first++;
	assert_true(isx_kernel_force(NULL));
	assert_ptr_equal(isx_kernel_best(), &isx_kernels[first]);
	assert_ptr_equal(isx_kernel_best(), &isx_kernels[first]);
	assert_string_equal(isx_kernels[isx_kernel_count - 1].name, "scalar");
	assert_true(isx_kernels[isx_kernel_count - 1].runs_here());
}

static void test_kernel__is_forced_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < isx_kernel_count; i++) {
		const struct isx_kernel *before = isx_kernel_best();
		bool runs_here = isx_kernels[i].runs_here();
		assert_int_equal(isx_kernel_force(isx_kernels[i].name), runs_here);
		assert_ptr_equal(isx_kernel_best(), runs_here ? &isx_kernels[i] : before);
	}
	assert_true(isx_kernel_force(NULL));
}

static void test_kernel__refuses_an_unknown_name_and_keeps_its_choice(void **state)
{
	static const char *const unknown[] = { "", "Scalar", "scalar ", "scala", "avx1024" };
	(void)state;
	assert_true(isx_kernel_force("scalar"));
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		assert_false(isx_kernel_force(unknown[i]));
		assert_string_equal(isx_kernel_best()->name, "scalar");
	}
	assert_true(isx_kernel_force(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel__finds_what_a_bit_by_bit_loop_finds),
		cmocka_unit_test(test_kernel__numbers_rows_beyond_16_bits),
		cmocka_unit_test(test_kernel__distance_is_the_number_of_differing_bits),
		cmocka_unit_test(test_kernel__best_is_the_first_that_runs_here),
		cmocka_unit_test(test_kernel__is_forced_by_name),
		cmocka_unit_test(test_kernel__refuses_an_unknown_name_and_keeps_its_choice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
