/*
 * test_span.c - numbers in texts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/span.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* What pydantic 2 reads, and 0.3.3 with it. */
static void test_span__a_whole_number_is_read_as_pydantic_reads_it(void **state)
{
	static const struct {
		const char *text;
		double number;
	} texts[] = {
		{ "0", 0 },
		{ "-0", 0 },
		{ "10", 10 },
		{ "+10", 10 },
		{ "-10", -10 },
		{ " \t10\r\n", 10 },
		{ "00010", 10 },
		{ "0000000000000000000000000000000000000000000010", 10 },
		{ "1_000", 1000 },
		{ "1_0_0", 100 },
		{ "10.0", 10 },
		{ "+1_000.00", 1000 },
		{ "9007199254740992", 9007199254740992.0 },
		{ "18446744073709551616", 18446744073709551616.0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		double number = 0.5;
		assert_true(isx_span_whole(isx_span_of(texts[i].text), &number));
		assert_true(number == texts[i].number);
	}
}

static void test_span__what_is_no_whole_number_is_refused(void **state)
{
	static const char *const texts[] = {
		"",     " ",   "x",   "-",   "+",   "+-1",   "--1",   "_1",   "1_",
		"1__0", "1_.", "1.",  ".0",  "1.5", "1.0_0", "1.0 0", "1e3",  "0x1",
		"1 0",  "1,0", "inf", "nan", "1_x", "1.0.0", "\v1",   "1_.0",
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		double number = 0.5;
		assert_false(isx_span_whole(isx_span_of(texts[i]), &number));
		assert_true(number == 0.5);
	}
	assert_false(isx_span_whole((struct isx_span){ "1\0", 2 }, &(double){ 0 }));
}

static void test_span__a_number_beyond_a_double_is_infinite(void **state)
{
	char digits[400];
	double number;
	(void)state;
	memset(digits, '9', sizeof digits);
	assert_true(isx_span_whole((struct isx_span){ digits, sizeof digits }, &number));
	assert_true(isinf(number) && number > 0);
	digits[0] = '-';
	assert_true(isx_span_whole((struct isx_span){ digits, sizeof digits }, &number));
	assert_true(isinf(number) && number < 0);
}

static void test_span__a_strict_number_has_digits_alone_and_a_ceiling(void **state)
{
	uint64_t value = 7;
	(void)state;
	assert_true(isx_span_uint(isx_span_of("18446744073709551615"), UINT64_MAX, &value));
	assert_true(value == UINT64_MAX);
	assert_true(isx_span_uint(isx_span_of("10"), 10, &value));
	assert_int_equal(value, 10);
	static const char *const texts[] = { "",    "+1",  "-1", " 1",
					     "1_0", "1.0", "11", "18446744073709551616" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_false(isx_span_uint(isx_span_of(texts[i]), 10, &value));
	assert_int_equal(value, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span__a_whole_number_is_read_as_pydantic_reads_it),
		cmocka_unit_test(test_span__what_is_no_whole_number_is_refused),
		cmocka_unit_test(test_span__a_number_beyond_a_double_is_infinite),
		cmocka_unit_test(test_span__a_strict_number_has_digits_alone_and_a_ceiling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
