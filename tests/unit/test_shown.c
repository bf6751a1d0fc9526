/*
 * test_shown.c - text from outside as it is shown to people: control characters and bad UTF-8 are
 *                escaped.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/shown.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect_shown(const char *bytes, size_t len, const char *expected)
{
	struct isx_buf shown = { 0 };
	isx_shown_add(&shown, (struct isx_span){ bytes, len });
	assert_int_equal(shown.len, strlen(expected));
	assert_memory_equal(shown.ptr ? shown.ptr : "", expected, shown.len);
	isx_buf_release(&shown);
}

static void test_shown__text_stays_as_it_is(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		" ",
		"~ plain",
		"a\\b",
		"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8E\xA7",
		"\xC2\xA0",
		"\xE2\x80\xA7\xE2\x80\xAF\xE2\x81\xA5\xE2\x81\xAA",
		"\xEF\xBF\xBD",
		"\xF4\x8F\xBF\xBF",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		expect_shown(texts[i], strlen(texts[i]), texts[i]);
}

static void test_shown__commands_are_escaped(void **state)
{
	static const struct {
		const char *bytes, *shown;
	} cases[] = {
		{ "a\033[2Jb", "a\\x1B[2Jb" },
		{ "\n\r\t", "\\n\\r\\t" },
		{ "\x01\x07\x7F", "\\x01\\x07\\x7F" },
		{ "\xC2\x80\xC2\x9B\xC2\x9F", "\\u0080\\u009B\\u009F" },
		{ "\xD8\x9C\xE2\x80\x8E\xE2\x80\x8F", "\\u061C\\u200E\\u200F" },
		{ "\xE2\x80\xA8\xE2\x80\xA9", "\\u2028\\u2029" },
		{ "\xE2\x80\xAA\xE2\x80\xAE", "\\u202A\\u202E" },
		{ "\xE2\x81\xA6\xE2\x81\xA9", "\\u2066\\u2069" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		expect_shown(cases[i].bytes, strlen(cases[i].bytes), cases[i].shown);
		expect_shown(cases[i].shown, strlen(cases[i].shown), cases[i].shown);
	}
	expect_shown("a\0b", 3, "a\\x00b");
}

static void test_shown__bytes_that_are_no_utf8_are_escaped(void **state)
{
	static const struct {
		const char *bytes, *shown;
	} cases[] = {
		{ "\x9B", "\\x9B" },
		{ "\xFF\xFE", "\\xFF\\xFE" },
		{ "\xC0\x9B", "\\xC0\\x9B" },                   /* overlong */
		{ "\xE0\x80\x9B", "\\xE0\\x80\\x9B" },          /* overlong */
		{ "\xED\xA0\x80", "\\xED\\xA0\\x80" },          /* a surrogate */
		{ "\xF4\x90\x80\x80", "\\xF4\\x90\\x80\\x80" }, /* beyond U+10FFFF */
		{ "\xE2\x80", "\\xE2\\x80" },                   /* cut */
		{ "\xE2\x80z", "\\xE2\\x80z" },                 /* cut in the middle */
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect_shown(cases[i].bytes, strlen(cases[i].bytes), cases[i].shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown__text_stays_as_it_is),
		cmocka_unit_test(test_shown__commands_are_escaped),
		cmocka_unit_test(test_shown__bytes_that_are_no_utf8_are_escaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
