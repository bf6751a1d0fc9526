/*
 * test_unit.c - one ISCC-UNIT: the strict reader, the reader that follows 0.3.3, and printing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/unit.h"

#include "support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef enum isx_status unit_reader(struct isx_span text, struct isx_unit *unit,
				    struct isx_err *err);

static void expect_refused(unit_reader *reader, const char *text, const char *why)
{
	struct isx_unit unit = { .body_bytes = 99 };
	struct isx_err err = { 0 };
	if (reader(isx_span_of(text), &unit, &err) != ISX_INVALID || !strstr(err.msg, why))
		fail_msg("%s: '%s' does not say '%s'", text, err.msg, why);
	assert_int_equal(unit.body_bytes, 99); /* filled on success only */
}

static struct isx_unit expect_read(const char *text, const char *type, uint32_t body_bytes)
{
	struct isx_unit unit;
	struct isx_err err = { 0 };
	char name[ISX_UNIT_TYPE_MAX] = "";
	if (isx_unit_read(isx_span_of(text), &unit, &err))
		fail_msg("%s: %s", text, err.msg);
	assert_int_equal(isx_header_type_name(&unit.header, name, NULL), ISX_OK);
	assert_string_equal(name, type);
	assert_int_equal(unit.body_bytes, body_bytes);
	return unit;
}

static void expect_printed(const struct isx_unit *unit, const char *wanted)
{
	char text[ISX_UNIT_TEXT_BYTES];
	isx_unit_print(unit, text);
	assert_string_equal(text, wanted);
}

static void test_unit__a_well_formed_one_prints_as_it_was(void **state)
{
	static const char *const texts[] = {
		"ISCC:EAAEVOCN7I", /* 32 bits */
		"ISCC:GAAW4HDJSGDEPXNY",
		"ISCC:EABB7CI6UM7HISFR2U6B2SY",
		"ISCC:IADVCB5D7IKATXFWU33M65H7IMUO7ZC3A24L4AKMWIQYCIN4QSHXTUI",
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct isx_unit unit;
		struct isx_err err = { 0 };
		if (isx_unit_parse(isx_span_of(texts[i]), &unit, &err))
			fail_msg("%s: %s", texts[i], err.msg);
		expect_printed(&unit, texts[i]);
	}
}

static void test_unit__the_strict_reader_says_what_is_wrong_and_where(void **state)
{
	(void)state;
	expect_refused(isx_unit_parse, "", "expected 'ISCC:'");
	expect_refused(isx_unit_parse, "GAAW4HDJSGDEPXNY", "expected 'ISCC:'");
	expect_refused(isx_unit_parse, "iscc:GAAW4HDJSGDEPXNY", "expected 'ISCC:'");
	expect_refused(isx_unit_parse, "ISCC:", "header");
	expect_refused(isx_unit_parse, "ISCC:GAAW4HDJSGDEPXNy", "character 20 is 'y'");
	expect_refused(isx_unit_parse, "ISCC:GAAW4HDJ-SGDEPXNY", "character 13 is '-'");
	expect_refused(isx_unit_parse, "ISCC:GAAW4HDJSGDEPXI", "announces 64 bits, but 56 follow");
	expect_refused(isx_unit_parse, "ISCC:GAAW4HDJSGDEPXNYAA",
		       "announces 64 bits, but 72 follow");
	expect_refused(isx_unit_parse, "ISCC:EABB7CI6UM7HISFR2U6B2SZ", "character 27 is 'Z'");
	expect_refused(isx_unit_parse, "ISCC:GAAW4HDJSGDEPX", "no whole bytes");
	expect_refused(isx_unit_parse, "ISCC:7777777777777777", "prefix 1111");
	expect_refused(isx_unit_parse, "ISCC:GEAW4HDJSGDEPXNY", "subtype 1 of DATA");
	expect_refused(isx_unit_parse, "ISCC:GAIW4HDJSGDEPXNY", "version 1 of DATA");
	expect_refused(isx_unit_parse, "ISCC:MAIGBI4UQJCOLMCK", "ID_REALM_0_V1 is not");
	expect_refused(isx_unit_parse, "ISCC:KUAAAAAAAAAAAAAAAAAAAAAAAAAA", "ISCC_SUM_V0 is not");
}

static void test_unit__headers_longer_than_needed_are_refused_by_the_strict_reader(void **state)
{
	(void)state;
	/* 30 08 00 ...: a length field of 8, in three bytes with and without stray padding bits */
	expect_refused(isx_unit_parse, "ISCC:GAEAAAAAAAAAAAAA", "length field 8: expected 0 to 7");
	expect_refused(isx_unit_parse, "ISCC:GAEA6AAAAAAAAAAA", "are 0xF: expected 0");
}

static void test_unit__read_takes_either_case_and_no_prefix(void **state)
{
	(void)state;
	struct isx_unit unit = expect_read("eaa3uf2lamibdzez", "CONTENT_TEXT_V0", 8);
	expect_printed(&unit, "ISCC:EAA3UF2LAMIBDZEZ");
	unit = expect_read("ISCC:eaa3UF2LAMIBDZEZ", "CONTENT_TEXT_V0", 8);
	expect_printed(&unit, "ISCC:EAA3UF2LAMIBDZEZ");
	expect_refused(isx_unit_read, "iscc:EAA3UF2LAMIBDZEZ", "character 4 is ':'");
}

static void test_unit__read_does_not_compare_the_length_field(void **state)
{
	(void)state;
	struct isx_unit unit = expect_read("ISCC:AAAVN4MZYLV6YJ4IAAAAAAAA", "META_NONE_V0", 13);
	expect_printed(&unit, "ISCC:AAAVN4MZYLV6YJ4IAAAAAAAA");
	unit = expect_read("ISCC:AAAAAAA", "META_NONE_V0", 2);
	expect_printed(&unit, "ISCC:AAAAAAA");
	unit = expect_read("ISCC:AAAAA", "META_NONE_V0", 1);
	expect_printed(&unit, "ISCC:AAAAA");
}

static void test_unit__read_ignores_spare_bits(void **state)
{
	(void)state;
	struct isx_unit unit = expect_read("ISCC:AAAAB", "META_NONE_V0", 1);
	expect_printed(&unit, "ISCC:AAAAA");
}

static void test_unit__read_takes_a_code_and_an_id_as_units(void **state)
{
	(void)state;
	expect_read("ISCC:KEDVIVTA5Z5HT3MFJXPWSSR3RXC3IGWIFB5Y5EBP3IJDZ7EUFHUFVRCKZU6N5VZJQ4XQ",
		    "ISCC_IMAGE_V0", 32);
	expect_read("ISCC:MAIGBI6IVHFPAIPB", "ID_REALM_0_V1", 8);
	expect_read("ISCC:MAAGBI6IVHFPAIPB", "ID_PRIVATE_V0", 8);
}

static void test_unit__read_cuts_long_bodies_at_256_bits(void **state)
{
	char text[2001];
	(void)state;
	memset(text, 'A', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	text[2000 - 1] = '!';
	expect_refused(isx_unit_read, text, "character 1999 is '!'"); /* also where it is cut */
	text[2000 - 1] = 'A';
	expect_read(text, "META_NONE_V0", 32);
}

/* The header of three bytes was printed before a body that held its third byte already. */
static void test_unit__a_length_field_above_7_prints_as_it_was(void **state)
{
	(void)state;
	struct isx_unit unit = expect_read("ISCC:GAEAAAQDAQ", "DATA_NONE_V0", 4);
	assert_int_equal(unit.header.length, 8);
	expect_printed(&unit, "ISCC:GAEAAAQDAQ");
}

static void test_unit__read_refuses_what_has_no_type_or_no_body(void **state)
{
	(void)state;
	expect_refused(isx_unit_read, "", "header");
	expect_refused(isx_unit_read, "ISCC:", "header");
	expect_refused(isx_unit_read, "ISCC:AAAA", "without a body");
	expect_refused(isx_unit_read, "ISCC:EYAT2ZLGMNUYNVKJ", "subtype 6 of CONTENT");
	expect_refused(isx_unit_read, "ISCC:AAIT2ZLGMNUYNVKJ", "version 1 of META");
	expect_refused(isx_unit_read, "ISCC:MAQT2ZLGMNUYNVKJ", "version 2 of ID");
	expect_refused(isx_unit_read, "garbage!", "character 7 is '!'");
	expect_refused(isx_unit_read, "ISCC:EAA3-UF2LAMIBDZEZ", "character 9 is '-'");
	expect_refused(isx_unit_read, "ISCC:7777777777777777", "prefix 1111");
}

static void test_unit__instance_is_the_only_type_of_identity(void **state)
{
	(void)state;
	struct isx_unit unit = expect_read("ISCC:IAASUV57CFIDB6QY", "INSTANCE_NONE_V0", 8);
	assert_true(isx_unit_is_instance(&unit));
	unit = expect_read("ISCC:GAAWQQ2DJQCLQD4U", "DATA_NONE_V0", 8);
	assert_false(isx_unit_is_instance(&unit));
}

static uint32_t random_below(uint64_t *seed, uint32_t end)
{
	return (uint32_t)(test_random(seed) % end);
}

/* Whatever is accepted, printing and reading agree, and the strict reader accepts no more than the
 * other. */
static void test_unit__random_units_print_and_read_the_same(void **state)
{
	uint64_t seed = test_seed();
	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (size_t round = 0; round < 20000; round++) {
		char text[ISX_UNIT_TEXT_BYTES];
		struct isx_unit unit = { .body_bytes = 1 + random_below(&seed, 32) }, again;
		unit.header.maintype = random_below(&seed, 8);
		unit.header.subtype = random_below(&seed, 2) ? random_below(&seed, 8) : 0;
		unit.header.version = random_below(&seed, 4) ? 0 : random_below(&seed, 3);
		unit.header.length = random_below(&seed, 8);
		for (size_t i = 0; i < unit.body_bytes; i++)
			unit.body[i] = (uint8_t)test_random(&seed);
		isx_unit_print(&unit, text);
		bool strict = !isx_unit_parse(isx_span_of(text), &again, NULL);
		if (strict)
			assert_memory_equal(&unit, &again, sizeof unit);
		if (!isx_unit_read(isx_span_of(text), &again, NULL))
			assert_memory_equal(&unit, &again, sizeof unit);
		else
			assert_false(strict);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unit__a_well_formed_one_prints_as_it_was),
		cmocka_unit_test(test_unit__the_strict_reader_says_what_is_wrong_and_where),
		cmocka_unit_test(
			test_unit__headers_longer_than_needed_are_refused_by_the_strict_reader),
		cmocka_unit_test(test_unit__read_takes_either_case_and_no_prefix),
		cmocka_unit_test(test_unit__read_does_not_compare_the_length_field),
		cmocka_unit_test(test_unit__read_ignores_spare_bits),
		cmocka_unit_test(test_unit__read_takes_a_code_and_an_id_as_units),
		cmocka_unit_test(test_unit__read_cuts_long_bodies_at_256_bits),
		cmocka_unit_test(test_unit__a_length_field_above_7_prints_as_it_was),
		cmocka_unit_test(test_unit__read_refuses_what_has_no_type_or_no_body),
		cmocka_unit_test(test_unit__instance_is_the_only_type_of_identity),
		cmocka_unit_test(test_unit__random_units_print_and_read_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
