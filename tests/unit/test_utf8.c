/*
 * test_utf8.c - every character there is, and every way to be none.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Write the shortest form of any number up to 21 bits, a character or not, in `len` bytes or more. */
static struct isx_span write(uint32_t number, size_t len, char bytes[4])
{
	static const uint8_t leads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	size_t least = number < 0x80 ? 1 : number < 0x800 ? 2 : number < 0x10000 ? 3 : 4;
	len = len < least ? least : len;
	for (size_t i = len - 1; i > 0; i--, number >>= 6)
		bytes[i] = (char)(0x80 | (number & 0x3F));
	bytes[0] = (char)(leads[len] | number);
	return (struct isx_span){ bytes, len };
}

static void test_utf8__every_number_is_a_character_or_none(void **state)
{
	char bytes[4];
	(void)state;
	for (uint32_t number = 0; number < 1u << 21; number++) {
		struct isx_span text = write(number, 0, bytes);
		bool is_character = number <= 0x10FFFF && (number < 0xD800 || number > 0xDFFF);
		assert_int_equal(isx_utf8_length(text), is_character ? text.len : 0);
		if (is_character)
			assert_int_equal(isx_utf8_character(text, text.len), number);
	}
}

static void test_utf8__longer_forms_are_none(void **state)
{
	static const uint32_t ends[] = { 0, 0x7F, 0x7FF, 0xFFFF };
	char bytes[4];
	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		for (size_t len = i ? i + 1 : 2; len <= 4; len++)
			assert_int_equal(isx_utf8_length(write(ends[i], len, bytes)), 0);
}

static void test_utf8__a_character_that_is_cut_or_broken_is_none(void **state)
{
	static const uint32_t some[] = { 0xE9, 0x20AC, 0x1F600 };
	char bytes[4];
	(void)state;
	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		struct isx_span text = write(some[i], 0, bytes);
		for (size_t len = 1; len < text.len; len++)
			assert_int_equal(isx_utf8_length((struct isx_span){ bytes, len }), 0);
		for (size_t at = 1; at < text.len; at++) {
			bytes[at] = (char)(bytes[at] ^ 0x40);
			assert_int_equal(isx_utf8_length(text), 0);
			bytes[at] = (char)(bytes[at] ^ 0x40);
		}
	}
	for (int lead = 0x80; lead < 0xC2; lead++)
		assert_int_equal(
			isx_utf8_length((struct isx_span){ (char[]){ (char)lead, (char)0x80 }, 2 }),
			0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8__every_number_is_a_character_or_none),
		cmocka_unit_test(test_utf8__longer_forms_are_none),
		cmocka_unit_test(test_utf8__a_character_that_is_cut_or_broken_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
