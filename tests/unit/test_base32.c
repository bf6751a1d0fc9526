/*
 * test_base32.c - base32, base64 and multibase: vectors of RFC 4648, and where malformed text is
 *                 refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/base32.h"

#include "iscc/multibase.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect_message(const struct isx_err *err, const char *why)
{
	if (!strstr(err->msg, why))
		fail_msg("'%s' does not say '%s'", err->msg, why);
}

static void expect_refused(struct isx_span text, enum isx_strictness strictness, const char *why)
{
	uint8_t bytes[64];
	size_t count = 99;
	struct isx_err err = { 0 };
	assert_int_equal(isx_base32_decode(text, strictness, bytes, sizeof bytes, &count, &err),
			 ISX_INVALID);
	expect_message(&err, why);
	assert_int_equal(count, 99);
}

static void test_base32__encodes_and_decodes_the_vectors_of_rfc_4648(void **state)
{
	static const char *const vectors[][2] = {
		{ "", "" },
		{ "f", "MY" },
		{ "fo", "MZXQ" },
		{ "foo", "MZXW6" },
		{ "foob", "MZXW6YQ" },
		{ "fooba", "MZXW6YTB" },
		{ "foobar", "MZXW6YTBOI" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const char *plain = vectors[i][0];
		char text[32];
		uint8_t bytes[8];
		size_t count;
		isx_base32_encode((const uint8_t *)plain, strlen(plain), text);
		assert_string_equal(text, vectors[i][1]);
		assert_int_equal(strlen(text), ISX_BASE32_CHARS(strlen(plain)));
		assert_int_equal(isx_base32_decode(isx_span_of(text), ISX_STRICT, bytes,
						   sizeof bytes, &count, NULL),
				 ISX_OK);
		assert_int_equal(count, strlen(plain));
		assert_memory_equal(bytes, plain, count);
	}
}

static void test_base32__every_length_survives(void **state)
{
	uint64_t seed = test_seed();
	uint8_t bytes[70], again[70];
	char text[ISX_BASE32_CHARS(70) + 1];
	(void)state;
	for (size_t count = 0; count <= sizeof bytes; count++) {
		size_t found = 99;
		for (size_t i = 0; i < count; i++)
			bytes[i] = (uint8_t)test_random(&seed);
		isx_base32_encode(bytes, count, text);
		assert_int_equal(isx_base32_decode(isx_span_of(text), ISX_STRICT, again, count,
						   &found, NULL),
				 ISX_OK);
		assert_int_equal(found, count);
		assert_memory_equal(bytes, again, count);
	}
}

/* All 256 characters, at every place of a whole block and of a tail. */
static void test_base32__only_its_own_characters_are_digits(void **state)
{
	(void)state;
	for (size_t place = 0; place < 15; place++) {
		for (int c = 0; c < 256; c++) {
			char text[16] = "AAAAAAAAAAAAAAA", wanted[32];
			bool upper = (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
			bool lower = c >= 'a' && c <= 'z';
			uint8_t bytes[16];
			size_t count;
			text[place] = (char)c;
			struct isx_span span = { text, 15 };
			snprintf(wanted, sizeof wanted, "character %zu is ", place);
			if (!upper)
				expect_refused(span, ISX_STRICT, wanted);
			if (upper || lower)
				assert_int_equal(isx_base32_decode(span, ISX_AS_033, bytes,
								   sizeof bytes, &count, NULL),
						 ISX_OK);
			else
				expect_refused(span, ISX_AS_033, wanted);
		}
	}
}

static void test_base32__errors_name_the_character_and_its_place(void **state)
{
	(void)state;
	expect_refused(isx_span_of("AAAA1AAA"), ISX_STRICT,
		       "character 4 is '1': expected A to Z or 2 to 7");
	expect_refused(isx_span_of("AAAAAAAAAa"), ISX_STRICT, "character 9 is 'a'");
	expect_refused(isx_span_of("AA A"), ISX_AS_033, "character 2 is 0x20");
	expect_refused((struct isx_span){ "A\0AA", 4 }, ISX_AS_033, "character 1 is 0x00");
	expect_refused(isx_span_of("A\xC3\xA4"
				   "A"),
		       ISX_AS_033, "character 1 is 0xC3");
	expect_refused(isx_span_of("MY======"), ISX_AS_033, "character 2 is '='");
}

static void test_base32__places_are_counted_with_the_prefix(void **state)
{
	uint8_t bytes[64];
	size_t count;
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(isx_base32_decode_iscc(isx_span_of("ISCC:AAAAAAAAA0"), ISX_STRICT, bytes,
						sizeof bytes, &count, &err),
			 ISX_INVALID);
	expect_message(&err, "character 14 is '0'");
	assert_int_equal(isx_base32_decode_iscc(isx_span_of("AAAA"), ISX_STRICT, bytes,
						sizeof bytes, &count, &err),
			 ISX_INVALID);
	expect_message(&err, "expected 'ISCC:'");
	assert_int_equal(isx_base32_decode_iscc(isx_span_of("aaaa"), ISX_AS_033, bytes,
						sizeof bytes, &count, &err),
			 ISX_OK);
	assert_int_equal(isx_base32_decode_iscc(isx_span_of("iscc:aaaa"), ISX_AS_033, bytes,
						sizeof bytes, &count, &err),
			 ISX_INVALID);
	expect_message(&err, "character 4 is ':'");
}

static void test_base32__lengths_that_are_no_whole_bytes_are_refused(void **state)
{
	(void)state;
	expect_refused(isx_span_of("A"), ISX_AS_033, "1 characters");
	expect_refused(isx_span_of("AAA"), ISX_AS_033, "no whole bytes");
	expect_refused(isx_span_of("AAAAAA"), ISX_AS_033, "no whole bytes");
	expect_refused(isx_span_of("AAAAAAAAAAAAAA"), ISX_STRICT, "14 characters");
}

static void test_base32__spare_bits_are_refused_or_ignored(void **state)
{
	static const char *const spare[] = { "AB", "AAAB", "AAAAB", "AAAAAAB", "AAAAAAAAAD" };
	(void)state;
	for (size_t i = 0; i < sizeof spare / sizeof spare[0]; i++) {
		uint8_t bytes[8];
		size_t count;
		expect_refused(isx_span_of(spare[i]), ISX_STRICT, "beyond the last byte");
		assert_int_equal(isx_base32_decode(isx_span_of(spare[i]), ISX_AS_033, bytes,
						   sizeof bytes, &count, NULL),
				 ISX_OK);
		for (size_t k = 0; k < count; k++)
			assert_int_equal(bytes[k], 0);
	}
}

static void test_base32__no_byte_is_written_beyond_the_room(void **state)
{
	uint8_t bytes[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
	size_t count;
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(
		isx_base32_decode(isx_span_of("AAAAAAAAAA"), ISX_STRICT, bytes, 5, &count, &err),
		ISX_INVALID);
	expect_message(&err, "10 characters of base32: expected at most 8");
	assert_int_equal(
		isx_base32_decode(isx_span_of("AAAAAAAA"), ISX_STRICT, bytes, 5, &count, NULL),
		ISX_OK);
	assert_int_equal(bytes[5], 1);
}

static void test_base64__both_alphabets_with_and_without_padding(void **state)
{
	static const uint8_t wanted[] = { 0xFB, 0xEF, 0xFF, 0x01 };
	static const char *const forms[] = { "--__AQ", "++//AQ==", "--__AQ==", "++//AQ" };
	char text[16];
	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		uint8_t bytes[8];
		size_t count;
		assert_int_equal(
			isx_base64_decode(isx_span_of(forms[i]), bytes, sizeof bytes, &count, NULL),
			ISX_OK);
		assert_int_equal(count, sizeof wanted);
		assert_memory_equal(bytes, wanted, sizeof wanted);
	}
	isx_base64_encode(wanted, sizeof wanted, text);
	assert_string_equal(text, forms[0]);
}

static void test_base64__wrong_characters_and_lengths_are_refused(void **state)
{
	uint8_t bytes[8];
	size_t count;
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(isx_base64_decode(isx_span_of("AA*A"), bytes, 8, &count, &err),
			 ISX_INVALID);
	expect_message(&err, "character 2 is '*'");
	assert_int_equal(isx_base64_decode(isx_span_of("AAAAA"), bytes, 8, &count, &err),
			 ISX_INVALID);
	assert_int_equal(isx_base64_decode(isx_span_of("A=AA"), bytes, 8, &count, &err),
			 ISX_INVALID);
	assert_int_equal(isx_base64_decode(isx_span_of("AAAAAAAAAAAA"), bytes, 8, &count, &err),
			 ISX_INVALID);
	expect_message(&err, "at most 8 bytes");
}

static enum isx_status decode_form(struct isx_span text, struct isx_err *err)
{
	uint8_t bytes[16];
	size_t count;
	return isx_multibase_decode(text, bytes, sizeof bytes, &count, err);
}

static void test_multibase__errors_name_the_character_its_place_and_the_base(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(decode_form(isx_span_of("fcc01g0"), &err), ISX_INVALID);
	expect_message(&err, "character 5 is 'g': expected a digit of base16");
	assert_int_equal(decode_form(isx_span_of("  z0"), &err), ISX_INVALID);
	expect_message(&err, "character 3 is '0': expected a digit of base58");
	assert_int_equal(decode_form(isx_span_of("GAAW-4HD.JSGDEPXNY"), &err), ISX_INVALID);
	expect_message(&err, "character 8 is '.': expected a digit of base32");
	assert_int_equal(decode_form(isx_span_of("iscc:GAAW:"), &err), ISX_INVALID);
	expect_message(&err, "character 9 is ':'");
	assert_int_equal(decode_form(isx_span_of("fcc0100f"), &err), ISX_INVALID);
	expect_message(&err, "no whole bytes");
	assert_int_equal(decode_form(isx_span_of("fcc0200"), &err), ISX_INVALID);
	expect_message(&err, "multicodec");
}

static void test_multibase__nothing_is_no_iscc(void **state)
{
	static const char *const nothing[] = { "",  " \n",   "ISCC:", "iscc:---",
					       "f", "fcc01", "z",     "-" };
	(void)state;
	for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
		assert_int_equal(decode_form(isx_span_of(nothing[i]), NULL), ISX_INVALID);
}

/* strchr() finds the NUL that ends a list of letters: "\0..." was read as base58. */
static void test_multibase__a_nul_is_no_letter_of_a_base(void **state)
{
	const uint8_t digest[] = { 0x30, 0x01, 1, 2, 3, 4, 5, 6, 7, 8 };
	char text[64];
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(isx_multibase_encode('z', digest, sizeof digest, text, sizeof text, NULL),
			 ISX_OK);
	size_t len = strlen(text);
	assert_int_equal(decode_form((struct isx_span){ text, len }, &err), ISX_OK);
	text[0] = '\0';
	assert_int_equal(decode_form((struct isx_span){ text, len }, &err), ISX_INVALID);
	expect_message(&err, "character 0 is 0x00");
}

/* A malformed "b..." was read again as bare base32, and became another ISCC. */
static void test_multibase__a_form_with_an_error_is_not_read_as_base32(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(decode_form(isx_span_of("bzqaa"), &err), ISX_INVALID);
	expect_message(&err, "multicodec");
}

static void test_multibase__long_texts_and_small_rooms_are_refused(void **state)
{
	char text[4096];
	const uint8_t digest[1024] = { 0 };
	struct isx_err err = { 0 };
	(void)state;
	memset(text, '1', sizeof text);
	for (size_t i = 0; i < 6; i++) {
		text[0] = "fbvzuA"[i];
		if (text[0] == 'A')
			memset(text, 'A', sizeof text);
		assert_int_equal(decode_form((struct isx_span){ text, sizeof text }, &err),
				 ISX_INVALID);
		expect_message(&err, "longer than any ISCC");
	}
	assert_int_equal(isx_multibase_encode('f', digest, 10, text, 20, &err), ISX_TOO_LARGE);
	assert_int_equal(isx_multibase_encode('f', digest, 1024, text, sizeof text, &err),
			 ISX_TOO_LARGE);
	assert_int_equal(isx_multibase_encode('k', digest, 10, text, sizeof text, &err),
			 ISX_INVALID);
	expect_message(&err, "expected f, b, v, z or u");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base32__encodes_and_decodes_the_vectors_of_rfc_4648),
		cmocka_unit_test(test_base32__every_length_survives),
		cmocka_unit_test(test_base32__only_its_own_characters_are_digits),
		cmocka_unit_test(test_base32__errors_name_the_character_and_its_place),
		cmocka_unit_test(test_base32__places_are_counted_with_the_prefix),
		cmocka_unit_test(test_base32__lengths_that_are_no_whole_bytes_are_refused),
		cmocka_unit_test(test_base32__spare_bits_are_refused_or_ignored),
		cmocka_unit_test(test_base32__no_byte_is_written_beyond_the_room),
		cmocka_unit_test(test_base64__both_alphabets_with_and_without_padding),
		cmocka_unit_test(test_base64__wrong_characters_and_lengths_are_refused),
		cmocka_unit_test(test_multibase__errors_name_the_character_its_place_and_the_base),
		cmocka_unit_test(test_multibase__nothing_is_no_iscc),
		cmocka_unit_test(test_multibase__a_nul_is_no_letter_of_a_base),
		cmocka_unit_test(test_multibase__a_form_with_an_error_is_not_read_as_base32),
		cmocka_unit_test(test_multibase__long_texts_and_small_rooms_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
