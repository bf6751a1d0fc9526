/*
 * test_timestamp.c - times as people write them, beside gmtime() of the C library.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/timestamp.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static void expect_time(const char *text, uint64_t us)
{
	uint64_t found = 1;
	assert_true(isx_timestamp_parse(isx_span_of(text), &found));
	assert_int_equal(found, us);
}

static void test_timestamp__reads_every_form(void **state)
{
	(void)state;
	expect_time("0", 0);
	expect_time("1735689600000000", 1735689600000000);
	expect_time("1970-01-01", 0);
	expect_time("2025-01-01", 1735689600000000);
	expect_time("2025-01-01T00:00:00Z", 1735689600000000);
	expect_time("2025-01-01 00:00", 1735689600000000);
	expect_time("2025-01-01T01:30:00+01:30", 1735689600000000);
	expect_time("2025-01-01T01:30:00 01:30", 1735689600000000); /* a URL's + */
	expect_time("2024-12-31T22:30:00.000001-01:30", 1735689600000001);
	expect_time("2025-01-01T00:00:00.1234567z", 1735689600123456);
	expect_time("2024-02-29", 1709164800000000);
}

static void test_timestamp__agrees_with_the_c_library(void **state)
{
	uint64_t seed = test_seed();
	(void)state;
	for (int i = 0; i < 2000; i++) {
		time_t second = (time_t)(test_random(&seed) % 253402300800u); /* to the year 9999 */
		struct tm parts;
		char text[40];
		gmtime_r(&second, &parts);
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
		expect_time(text, (uint64_t)second * 1000000);
	}
}

static void test_timestamp__refuses_what_is_no_time(void **state)
{
	static const char *const wrong[] = { "",
					     "now",
					     "-1",
					     "2025",
					     "2025-13-01",
					     "2025-00-01",
					     "2025-02-29",
					     "2025-01-32",
					     "2025-01-01T",
					     "2025-01-01T24:00",
					     "2025-01-01T00:00:00.",
					     "2025-01-01T00:00:00Zx",
					     "2025-01-01T00:00:00+1",
					     "1969-12-31",
					     "1.5",
					     "18446744073709551616" };
	uint64_t us;
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(isx_timestamp_parse(isx_span_of(wrong[i]), &us));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timestamp__reads_every_form),
		cmocka_unit_test(test_timestamp__agrees_with_the_c_library),
		cmocka_unit_test(test_timestamp__refuses_what_is_no_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
