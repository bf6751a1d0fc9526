/*
 * test_code.c - ISCC-CODEs and sequences of units, taken apart and put together.
 *
 * Recorded queries and thousands of vectors are compared in test_golden.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/code.h"

#include "iscc/base32.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef enum isx_status code_reader(struct isx_span text, struct isx_unit *units, size_t *count,
				    struct isx_err *err);

/* `text` is read as exactly these units (NULL after the last). */
static void expect_units(code_reader *reader, const char *text, const char *const *wanted)
{
	struct isx_unit units[ISX_CODE_UNITS_MAX];
	struct isx_err err = { 0 };
	size_t count = 0, i = 0;
	if (reader(isx_span_of(text), units, &count, &err))
		fail_msg("%s: %s", text, err.msg);
	for (; wanted[i]; i++) {
		char printed[ISX_UNIT_TEXT_BYTES];
		assert_true(i < count);
		isx_unit_print(&units[i], printed);
		assert_string_equal(printed, wanted[i]);
	}
	assert_int_equal(count, i);
}

static void expect_refused(code_reader *reader, const char *text, const char *why)
{
	struct isx_unit units[ISX_CODE_UNITS_MAX];
	struct isx_err err = { 0 };
	size_t count = 99;
	if (reader(isx_span_of(text), units, &count, &err) != ISX_INVALID || !strstr(err.msg, why))
		fail_msg("%s: '%s' does not say '%s'", text, err.msg, why);
	assert_int_equal(count, 99);
}

/* Append a composite to `digest`: its header and `bytes` bytes 1, 2, 3... of body. Returns its
 * end. */
static size_t add_composite(uint8_t *digest, size_t at, uint32_t subtype, uint32_t length,
			    size_t bytes)
{
	struct isx_header header = { ISX_CODE, subtype, 0, length };
	at += isx_header_write(&header, digest + at);
	for (size_t i = 0; i < bytes; i++)
		digest[at++] = (uint8_t)(i + 1);
	return at;
}

/* The text of a composite. */
static const char *composite(uint32_t subtype, uint32_t length, size_t bytes)
{
	static char text[256];
	uint8_t digest[128];
	memcpy(text, "ISCC:", 5);
	isx_base32_encode(digest, add_composite(digest, 0, subtype, length, bytes), text + 5);
	return text;
}

/* The text of a composite behind a unit: META with a body of 4 bytes 0xFF. */
static const char *behind_unit(uint32_t subtype, uint32_t length, size_t bytes)
{
	static char text[256];
	uint8_t digest[128] = { 0, 0, 0xFF, 0xFF, 0xFF, 0xFF };
	memcpy(text, "ISCC:", 5);
	isx_base32_encode(digest, add_composite(digest, 6, subtype, length, bytes), text + 5);
	return text;
}

/* Each unit of a code as it was read begins with byte `first` and has `bytes` bytes. */
static void expect_parts(const char *text, size_t wanted, const uint8_t (*parts)[2])
{
	struct isx_unit units[ISX_CODE_UNITS_MAX];
	struct isx_err err = { 0 };
	size_t count = 0;
	if (isx_code_read(isx_span_of(text), units, &count, &err))
		fail_msg("%s: %s", text, err.msg);
	assert_int_equal(count, wanted);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(units[i].body[0], parts[i][0]);
		assert_int_equal(units[i].body_bytes, parts[i][1]);
	}
}

static void test_code__a_composite_gives_its_units_in_the_order_of_main_types(void **state)
{
	(void)state;
	expect_units(isx_code_parse, "ISCC:KACY6MYZYQFRSUSPYPNO4G3CLMACQAQWJAA4RTFHBFXCTOJUKW7HE2A",
		     (const char *const[]){ "ISCC:AAAY6MYZYQFRSUSP", "ISCC:EAA4HWXODNRFWABI",
					    "ISCC:GAAQEFSIAHEMZJYJ", "ISCC:IAAW4KNZGRK344TI",
					    NULL });
	expect_parts(composite(0, 7, 40), 5,
		     (const uint8_t[][2]){ { 1, 8 }, { 9, 8 }, { 17, 8 }, { 25, 8 }, { 33, 8 } });
	expect_parts(composite(ISX_SUBTYPE_WIDE, 0, 32), 2,
		     (const uint8_t[][2]){ { 1, 16 }, { 17, 16 } });
}

static void test_code__every_combination_of_units_survives_composing(void **state)
{
	(void)state;
	for (uint32_t subtype = 0; subtype < 8; subtype++) {
		for (uint32_t length = 0; length < 8; length++) {
			bool known = subtype == ISX_SUBTYPE_CODE_NONE ? length == 4
				     : subtype >= ISX_SUBTYPE_SUM     ? length == 0
								      : (length & 3) != 0;
			struct isx_header header = { ISX_CODE, subtype, 0, length };
			const char *text = composite(subtype, length,
						     isx_header_body_bits(&header) / 8);
			struct isx_unit units[ISX_CODE_UNITS_MAX];
			char again[ISX_CODE_TEXT_BYTES];
			size_t count;
			if (!known) {
				expect_refused(isx_code_parse, text, "cannot have the units");
				continue;
			}
			assert_int_equal(isx_code_parse(isx_span_of(text), units, &count, NULL),
					 ISX_OK);
			assert_true(isx_code_compose(units, count, again));
			assert_string_equal(again, text);
		}
	}
}

static void test_code__the_strict_reader_says_what_is_wrong_and_where(void **state)
{
	(void)state;
	expect_refused(isx_code_parse, "", "expected 'ISCC:'");
	expect_refused(isx_code_parse, "KUAAAAAAAAAAAAAAAAAAAAAAAAAAA", "expected 'ISCC:'");
	expect_refused(isx_code_parse, "ISCC:", "header");
	expect_refused(isx_code_parse, "ISCC:KACY6MYZy", "character 13 is 'y'");
	expect_refused(isx_code_parse, "ISCC:GAAW4HDJSGDEPXNY", "DATA_NONE_V0 is not an ISCC-CODE");
	expect_refused(isx_code_parse, composite(0, 5, 31), "announces 256 bits, but 248 follow");
	expect_refused(isx_code_parse, composite(0, 5, 33), "announces 256 bits, but 264 follow");
	expect_refused(isx_code_parse, composite(8, 1, 24), "subtype 8 of ISCC");
	expect_refused(isx_code_parse, composite(0, 8, 24), "length field 8");
	expect_refused(isx_code_parse, composite(0, 7, 80), "expected at most");
}

static void test_code__sequences_are_read_unit_by_unit(void **state)
{
	(void)state;
	expect_units(isx_code_read, "ISCC:AAAVN4MZYLV6YJ4I",
		     (const char *const[]){ "ISCC:AAAVN4MZYLV6YJ4I", NULL });
	expect_units(
		isx_code_read, "aaavn4mzylv6yj4ieaa3uf2lamibdzez",
		(const char *const[]){ "ISCC:AAAVN4MZYLV6YJ4I", "ISCC:EAA3UF2LAMIBDZEZ", NULL });
	expect_units(isx_code_read, "ISCC:MAIGBI5DND2XRABF",
		     (const char *const[]){ "ISCC:MAIGBI5DND2XRABF", NULL });
}

static void test_code__the_last_unit_of_a_sequence_may_be_cut_short(void **state)
{
	(void)state;
	expect_units(isx_code_read, "ISCC:AAAAAAAAAAAAAAAA",
		     (const char *const[]){ "ISCC:AAAAAAAAAA", "ISCC:AAAAAAA", NULL });
	expect_refused(isx_code_read, "ISCC:AAAAAAAAAAAAA", "unit 1 of the code: a header without");
	expect_refused(isx_code_read, "ISCC:AAAA", "a header without a body");
}

/* If such a code were taken apart, its DATA and INSTANCE would be other bytes than those of the
 * work. */
static void test_code__a_composite_of_another_length_than_its_header_says_is_refused(void **state)
{
	static const uint8_t optional[] = { 0, 1, 1, 2, 1, 2, 2, 3 };
	struct isx_unit units[ISX_CODE_UNITS_MAX];
	struct isx_err err;
	size_t count;
	(void)state;
	for (uint32_t subtype = 0; subtype <= ISX_SUBTYPE_WIDE; subtype++) {
		for (uint32_t length = 0; length <= 7; length++) {
			size_t right = subtype == ISX_SUBTYPE_WIDE ? 32
								   : 16 + 8u * optional[length];
			char expected[40];
			snprintf(expected, sizeof expected, "expected %zu characters",
				 ((right + 2) * 8 + 4) / 5);
			for (size_t bytes = 0; bytes <= 64; bytes++) {
				const char *text = composite(subtype, length, bytes);
				if (bytes != right)
					expect_refused(isx_code_read, text, expected);
				assert_int_equal(isx_code_check(isx_span_of(text), &err),
						 bytes == right ? ISX_OK : ISX_INVALID);
			}
		}
	}
	assert_int_equal(isx_code_read(isx_span_of(composite(0, 5, 32)), units, &count, &err),
			 ISX_OK);
}

/* Each number of characters that can be cut off, of text that decodes or not. */
static void test_code__a_code_that_has_lost_characters_says_how_many_there_should_be(void **state)
{
	static const char whole[] = "ISCC:KACY6MYZYQFRSUSPYPNO4G3CLMACQAQWJAA4RTFHBFXCTOJUKW7HE2A";
	char text[sizeof whole + 8];
	(void)state;
	for (size_t cut = 1; cut <= 51; cut++) {
		snprintf(text, sizeof text, "%.*s", (int)(sizeof whole - 1 - cut), whole);
		expect_refused(isx_code_read, text, "expected 55 characters behind 'ISCC:'");
		expect_refused(isx_code_read, text + 5, "expected 55 characters");
	}
	for (size_t more = 1; more <= 8; more++) {
		snprintf(text, sizeof text, "%s%.*s", whole, (int)more, "AAAAAAAA");
		expect_refused(isx_code_read, text, "expected 55 characters behind 'ISCC:'");
	}
}

/* The length of a code that is no composite is not checked: 0.3.3 stores it. */
static void test_code__other_texts_pass_the_check_of_lengths(void **state)
{
	static const char *const texts[] = {
		"",
		"ISCC:",
		"ISCC:A",
		"ISCC:7777777777777777",
		"ISCC:GAAW4HDJSGDEPXNYAA",
		"ISCC:AAAVN4MZYLV6YJ4IEAA3UF2LAMIBDZEZ",
		"ISCC:MAIGBI5DND2XRABF",
		"ISCC:LAAAAAAAAAAAAAAA", /* subtype 8 of ISCC does not exist */
		"ISCC:KAIAAAAAAAAAAAAA", /* nor does its version 1 */
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_int_equal(isx_code_check(isx_span_of(texts[i]), NULL), ISX_OK);
	assert_int_equal(isx_code_check(isx_span_of(composite(0, 8, 9)), NULL), ISX_OK);
	assert_int_equal(isx_code_check(isx_span_of(behind_unit(0, 5, 9)), NULL), ISX_OK);
}

/* Truncated composites: these were refused where slices still have bytes. */
static void test_code__a_composite_cut_short_behind_a_unit_gives_the_slices_of_0_3_3(void **state)
{
	(void)state;
	expect_parts(behind_unit(0, 5, 30), 5,
		     (const uint8_t[][2]){ { 255, 4 }, { 1, 8 }, { 9, 8 }, { 15, 8 }, { 23, 8 } });
	expect_parts(behind_unit(0, 5, 10), 5,
		     (const uint8_t[][2]){ { 255, 4 }, { 1, 8 }, { 9, 2 }, { 1, 2 }, { 3, 8 } });
	expect_parts(behind_unit(0, 7, 17), 6,
		     (const uint8_t[][2]){
			     { 255, 4 }, { 1, 8 }, { 9, 8 }, { 17, 1 }, { 2, 8 }, { 10, 8 } });
	expect_parts(behind_unit(ISX_SUBTYPE_SUM, 0, 9), 3,
		     (const uint8_t[][2]){ { 255, 4 }, { 1, 1 }, { 2, 8 } });
	expect_parts(behind_unit(ISX_SUBTYPE_WIDE, 0, 17), 3,
		     (const uint8_t[][2]){ { 255, 4 }, { 1, 16 }, { 17, 1 } });
	expect_refused(isx_code_read, behind_unit(0, 7, 16), "none for CONTENT_TEXT_V0");
	expect_refused(isx_code_read, behind_unit(0, 1, 8), "none for DATA_NONE_V0");
	expect_refused(isx_code_read, behind_unit(ISX_SUBTYPE_SUM, 0, 0), "none for DATA_NONE_V0");
	expect_refused(isx_code_read, behind_unit(ISX_SUBTYPE_WIDE, 0, 16), "none for INSTANCE");
}

static void test_code__bytes_after_such_a_composite_shift_data_and_instance(void **state)
{
	(void)state;
	expect_parts(behind_unit(0, 5, 35), 5,
		     (const uint8_t[][2]){ { 255, 4 }, { 1, 8 }, { 9, 8 }, { 20, 8 }, { 28, 8 } });
	expect_parts(behind_unit(ISX_SUBTYPE_WIDE, 0, 40), 3, /* but not of a WIDE one */
		     (const uint8_t[][2]){ { 255, 4 }, { 1, 16 }, { 17, 16 } });
}

/* A composite of subtype SUM cannot hold a CONTENT unit: CONTENT has no such subtype. */
static void test_code__units_of_no_type_are_refused(void **state)
{
	(void)state;
	expect_refused(isx_code_read, composite(ISX_SUBTYPE_SUM, 1, 24), "subtype 5 of CONTENT");
	expect_refused(isx_code_read, composite(8, 0, 16), "subtype 8 of ISCC");
	expect_refused(isx_code_read, composite(0, 8, 40), "length field 8");
	expect_refused(isx_code_read, "ISCC:AAAVN4MZYLV6YJ4IEYA3UF2LAMIBDZEZ",
		       "unit 1 of the code: subtype 6 of CONTENT");
	expect_refused(isx_code_read, "ISCC:7777777777777777", "prefix 1111");
	expect_refused(isx_code_read, "", "an empty code");
	expect_refused(isx_code_read, "ISCC:", "an empty code");
}

/* Without this check the unit would be empty, and its bytes would be read as the next unit. */
static void test_code__a_length_field_that_does_not_exist_ends_a_sequence(void **state)
{
	(void)state;
	/* DATA of length field 8 and ID of length field 3, each with a whole DATA unit behind */
	expect_refused(isx_code_read, "ISCC:GAEAAMABAAAQEAYEAUDAO",
		       "length field 8 does not exist for main type 3");
	expect_refused(isx_code_read, "ISCC:MABTAAIAAEBAGBAFAYDQ",
		       "length field 3 does not exist for main type 6");
	expect_refused(isx_code_read, "ISCC:GAAQAAICAMCAKBQHGAEAAMABAAAQEAYEAUDAO",
		       "unit 1 of the code: length field 8 does not exist");
}

static void test_code__a_sequence_has_a_largest_number_of_units(void **state)
{
	char text[5 + 16 * (ISX_CODE_UNITS_MAX + 1) + 1] = "ISCC:";
	struct isx_unit units[ISX_CODE_UNITS_MAX];
	size_t count;
	(void)state;
	for (size_t i = 0; i <= ISX_CODE_UNITS_MAX; i++)
		memcpy(text + 5 + 16 * i, "GAAW4HDJSGDEPXNY", 17);
	expect_refused(isx_code_read, text, "more than 64 units");
	text[5 + 16 * ISX_CODE_UNITS_MAX] = '\0';
	assert_int_equal(isx_code_read(isx_span_of(text), units, &count, NULL), ISX_OK);
	assert_int_equal(count, ISX_CODE_UNITS_MAX);
	memcpy(text + 5 + 16 * (ISX_CODE_UNITS_MAX - 1), "KUAAAAAAAAAAAAAA", 17);
	expect_refused(isx_code_read, text, "more than 64 units");
}

/* Read `texts` (NULL after the last) and compose them: the code, or "". */
static const char *composed(const char *const *texts)
{
	static char code[ISX_CODE_TEXT_BYTES];
	struct isx_unit units[8];
	size_t count = 0;
	for (; texts[count]; count++)
		assert_int_equal(isx_unit_read(isx_span_of(texts[count]), &units[count], NULL),
				 ISX_OK);
	return isx_code_compose(units, count, code) ? code : "";
}

#define COMPOSED(...) composed((const char *const[]){ __VA_ARGS__, NULL })

static void test_code__units_of_any_order_are_composed(void **state)
{
	(void)state;
	assert_string_equal(COMPOSED("ISCC:IAAW4KNZGRK344TI", "ISCC:EAA4HWXODNRFWABI",
				     "ISCC:AAAY6MYZYQFRSUSP", "ISCC:GAAQEFSIAHEMZJYJ"),
			    "ISCC:KACY6MYZYQFRSUSPYPNO4G3CLMACQAQWJAA4RTFHBFXCTOJUKW7HE2A");
	assert_string_equal(
		COMPOSED("ISCC:GAA273DDDHFFICH6", "ISCC:IAAST6BPZGR4IWAI", "ISCC:EAASE3USMQVWKLJP"),
		"ISCC:KAASE3USMQVWKLJPV7WGGGOKKQEP4KPYF7E2HRCYBA");
}

static void test_code__units_that_form_no_code_are_told_apart(void **state)
{
	(void)state;
	assert_string_equal(composed((const char *const[]){ NULL }), "");
	assert_string_equal(COMPOSED("ISCC:GAAQEFSIAHEMZJYJ"), "");
	assert_string_equal(COMPOSED("ISCC:EAA4HWXODNRFWABI", "ISCC:GAAQEFSIAHEMZJYJ"), "");
	assert_string_equal(COMPOSED("ISCC:EAA4HWXODNRFWABI", "ISCC:IAAW4KNZGRK344TI"), "");
	assert_string_equal(
		COMPOSED("ISCC:GAAQEFSIAHEMZJYJ", "ISCC:GAAQEFSIAHEMZJYJ", "ISCC:IAAW4KNZGRK344TI"),
		""); /* a type twice */
	assert_string_equal(
		COMPOSED("ISCC:EAANMNWLAQ", "ISCC:GAAQEFSIAHEMZJYJ", "ISCC:IAAW4KNZGRK344TI"),
		""); /* 32 bits */
	assert_string_equal(COMPOSED("ISCC:CEAU3X3JJI5Y3RNU", "ISCC:EIATAYLVSXBDKVMB",
				     "ISCC:GAAREPH4SQU6QWWE", "ISCC:IAAUVTJ433LSTBZP"),
			    ""); /* of an image, and of sound */
	assert_string_equal(
		COMPOSED("ISCC:MAIGBI5DND2XRABF", "ISCC:GAAQEFSIAHEMZJYJ", "ISCC:IAAW4KNZGRK344TI"),
		""); /* an ISCC-ID */
}

static void test_code__data_and_instance_of_128_bits_alone_are_wide(void **state)
{
	static const char data[] = "ISCC:GABSLUICCILISV2BQY5XWMNZVA5SS";
	static const char instance[] = "ISCC:IAB7L3GTLXBXADJRGMV4A6DTQNE4S";
	struct isx_unit units[ISX_CODE_UNITS_MAX];
	size_t count;
	const char *code = COMPOSED(data, instance);
	(void)state;
	assert_int_equal(isx_code_parse(isx_span_of(code), units, &count, NULL), ISX_OK);
	assert_int_equal(count, 2);
	assert_int_equal(units[0].body_bytes, 16);
	assert_int_equal(units[1].body_bytes, 16);
	assert_int_equal(strncmp(COMPOSED(data, "ISCC:IAAW4KNZGRK344TI"), "ISCC:KUA", 8), 0);
	assert_int_equal(strncmp(COMPOSED(data, instance, "ISCC:AAAY6MYZYQFRSUSP"), "ISCC:KYC", 8),
			 0);
}

/* The length field decides on WIDE, as in 0.3.3; the length of the body did before. */
static void test_code__a_body_longer_than_announced_does_not_make_a_code_wide(void **state)
{
	struct isx_unit units[2] = { { .header = { ISX_DATA, 0, 0, 1 }, .body_bytes = 32 },
				     { .header = { ISX_INSTANCE, 0, 0, 1 }, .body_bytes = 32 } };
	char code[ISX_CODE_TEXT_BYTES];
	(void)state;
	assert_true(isx_code_compose(units, 2, code));
	assert_string_equal(code, "ISCC:KUAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	units[0].header.length = units[1].header.length = 3;
	units[0].body_bytes = units[1].body_bytes = 9;
	assert_true(isx_code_compose(units, 2, code));
	assert_string_equal(code, "ISCC:K4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code__a_composite_gives_its_units_in_the_order_of_main_types),
		cmocka_unit_test(test_code__every_combination_of_units_survives_composing),
		cmocka_unit_test(test_code__the_strict_reader_says_what_is_wrong_and_where),
		cmocka_unit_test(test_code__sequences_are_read_unit_by_unit),
		cmocka_unit_test(test_code__the_last_unit_of_a_sequence_may_be_cut_short),
		cmocka_unit_test(
			test_code__a_composite_of_another_length_than_its_header_says_is_refused),
		cmocka_unit_test(
			test_code__a_code_that_has_lost_characters_says_how_many_there_should_be),
		cmocka_unit_test(test_code__other_texts_pass_the_check_of_lengths),
		cmocka_unit_test(
			test_code__a_composite_cut_short_behind_a_unit_gives_the_slices_of_0_3_3),
		cmocka_unit_test(test_code__bytes_after_such_a_composite_shift_data_and_instance),
		cmocka_unit_test(test_code__units_of_no_type_are_refused),
		cmocka_unit_test(test_code__a_length_field_that_does_not_exist_ends_a_sequence),
		cmocka_unit_test(test_code__a_sequence_has_a_largest_number_of_units),
		cmocka_unit_test(test_code__units_of_any_order_are_composed),
		cmocka_unit_test(test_code__units_that_form_no_code_are_told_apart),
		cmocka_unit_test(test_code__data_and_instance_of_128_bits_alone_are_wide),
		cmocka_unit_test(test_code__a_body_longer_than_announced_does_not_make_a_code_wide),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
