/*
 * test_percent.c - percent-encoding of URIs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/percent.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_percent__hex_digits_have_values_in_both_cases(void **state)
{
	(void)state;
	for (int c = -128; c < 256; c++) {
		char text[2] = { (char)c, '\0' };
		bool is_digit = c >= 0 && c < 128 && isxdigit(c);
		assert_int_equal(isx_hex_value((char)c),
				 is_digit ? (int)strtol(text, NULL, 16) : -1);
	}
}

static void test_percent__only_unreserved_and_plain_bytes_stay(void **state)
{
	static const char unreserved[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	(void)state;
	for (int c = 0; c < 256; c++) {
		struct isx_buf buf = { 0 };
		char byte = (char)c, wanted[4];
		bool stays = c && (strchr(unreserved, c) || strchr("/:", c));
		snprintf(wanted, sizeof wanted, stays ? "%c" : "%%%02X", c);
		isx_percent_add(&buf, (struct isx_span){ &byte, 1 }, "/:");
		assert_true(isx_span_is((struct isx_span){ buf.ptr, buf.len }, wanted));
		isx_buf_release(&buf);
	}
}

static void expect_decoded(const char *text, bool plus_is_space, const char *wanted)
{
	char out[64];
	size_t len = isx_percent_decode(isx_span_of(text), plus_is_space, out);
	assert_true(isx_span_is((struct isx_span){ out, len }, wanted));
}

static void test_percent__decoding_takes_escapes_and_never_fails(void **state)
{
	(void)state;
	expect_decoded("", false, "");
	expect_decoded("a%20b%2Fc%c3%A4", false, "a b/c\xc3\xa4");
	expect_decoded("%", false, "%");
	expect_decoded("%4", false, "%4");
	expect_decoded("%4g%g4%%41", false, "%4g%g4%A");
	expect_decoded("%2541", false, "%41"); /* once */
	expect_decoded("a+b%2B", false, "a+b+");
	expect_decoded("a+b%2B", true, "a b+");
	assert_int_equal(isx_percent_decode(isx_span_of("%00"), false, (char[3]){ 0 }), 1);
}

static void test_percent__what_was_encoded_is_decoded_in_place(void **state)
{
	char bytes[256];
	struct isx_buf buf = { 0 };
	(void)state;
	for (int c = 0; c < 256; c++)
		bytes[c] = (char)c;
	isx_percent_add(&buf, (struct isx_span){ bytes, sizeof bytes }, "");
	size_t len = isx_percent_decode((struct isx_span){ buf.ptr, buf.len }, true, buf.ptr);
	assert_int_equal(len, sizeof bytes);
	assert_memory_equal(buf.ptr, bytes, sizeof bytes);
	isx_buf_release(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percent__hex_digits_have_values_in_both_cases),
		cmocka_unit_test(test_percent__only_unreserved_and_plain_bytes_stay),
		cmocka_unit_test(test_percent__decoding_takes_escapes_and_never_fails),
		cmocka_unit_test(test_percent__what_was_encoded_is_decoded_in_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
