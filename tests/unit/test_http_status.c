/*
 * test_http_status.c - the table between statuses of the library and statuses of HTTP.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/http_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_http_status__each_status_has_the_one_of_0_3_3(void **state)
{
	static const unsigned wanted[] = {
		[ISX_OK] = 200,          [ISX_INVALID] = 400,   [ISX_SCHEMA] = 422,
		[ISX_NOT_FOUND] = 404,   [ISX_EXISTS] = 409,    [ISX_UNAUTHORIZED] = 401,
		[ISX_TOO_LARGE] = 413,   [ISX_READ_ONLY] = 503, [ISX_FULL] = 507,
		[ISX_UNAVAILABLE] = 503, [ISX_CORRUPT] = 500,   [ISX_IO] = 500,
		[ISX_NO_MEMORY] = 503,   [ISX_CANCELLED] = 499, [ISX_UNSUPPORTED] = 501,
	};
	(void)state;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		assert_int_equal(isx_http_from_status((enum isx_status)i), wanted[i]);
	assert_int_equal(isx_http_from_status((enum isx_status)1000), 500);
	assert_int_equal(isx_http_from_status((enum isx_status) - 1), 500);
}

/* All numbers that a status line can have: what a client cannot act on is ISX_IO. */
static void test_http_status__an_answer_is_read_as_one_status(void **state)
{
	(void)state;
	for (long http = 300; http < 1000; http++) {
		enum isx_status wanted = http == 400 || http == 422 ? ISX_INVALID
					 : http == 401              ? ISX_UNAUTHORIZED
					 : http == 404              ? ISX_NOT_FOUND
					 : http == 409              ? ISX_EXISTS
					 : http == 413              ? ISX_TOO_LARGE
					 : http == 503              ? ISX_UNAVAILABLE
								    : ISX_IO;
		assert_int_equal(isx_http_to_status(http), wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_status__each_status_has_the_one_of_0_3_3),
		cmocka_unit_test(test_http_status__an_answer_is_read_as_one_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
