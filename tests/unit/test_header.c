/*
 * test_header.c - the nibble-coded header, the names of types and the lengths they announce.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/header.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect_written(struct isx_header header, const char *bytes, size_t count)
{
	uint8_t written[ISX_HEADER_BYTES_MAX];
	assert_int_equal(isx_header_write(&header, written), count);
	assert_memory_equal(written, bytes, count);
}

static void expect_unreadable(const char *bytes, size_t count, const char *why)
{
	struct isx_header header = { 9, 9, 9, 9 };
	struct isx_err err = { 0 };
	size_t used = 99;
	assert_int_equal(isx_header_read((const uint8_t *)bytes, count, &header, &used, &err),
			 ISX_INVALID);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
	assert_true(header.maintype == 9 && used == 99); /* filled on success only */
}

static void test_header__every_number_survives_in_every_field(void **state)
{
	(void)state;
	for (uint32_t number = 0; number <= 4679; number++) {
		for (size_t place = 0; place < 4; place++) {
			uint32_t numbers[4] = { 1, 2, 3, 4 };
			numbers[place] = number;
			struct isx_header header = { numbers[0], numbers[1], numbers[2],
						     numbers[3] };
			struct isx_header again = { 0 };
			uint8_t bytes[ISX_HEADER_BYTES_MAX];
			size_t used = 0, count = isx_header_write(&header, bytes);
			assert_int_equal(isx_header_read(bytes, count, &again, &used, NULL),
					 ISX_OK);
			assert_int_equal(used, count);
			assert_memory_equal(&header, &again, sizeof header);
		}
	}
}

static void test_header__forms_change_at_8_72_and_584(void **state)
{
	(void)state;
	expect_written((struct isx_header){ 0, 7, 0, 7 }, "\x07\x07", 2);
	expect_written((struct isx_header){ 8, 0, 0, 0 }, "\x80\x00\x00", 3);
	expect_written((struct isx_header){ 0, 71, 0, 0 }, "\x0B\xF0\x00", 3);
	expect_written((struct isx_header){ 0, 0, 72, 0 }, "\x00\xC0\x00", 3);
	expect_written((struct isx_header){ 0, 0, 0, 583 }, "\x00\x0D\xFF", 3);
	expect_written((struct isx_header){ 0, 0, 0, 584 }, "\x00\x0E\x00\x00", 4);
	expect_written((struct isx_header){ 4679, 4679, 4679, 4679 },
		       "\xEF\xFF\xEF\xFF\xEF\xFF\xEF\xFF", 8);
}

static void test_header__a_number_above_4679_is_not_written(void **state)
{
	const struct isx_header header = { .length = 4680 };
	uint8_t bytes[ISX_HEADER_BYTES_MAX];
	(void)state;
	assert_int_equal(isx_header_write(&header, bytes), 0);
}

static void test_header__one_cut_off_is_refused_at_every_length(void **state)
{
	(void)state;
	expect_unreadable("", 0, "ends after 0");
	expect_unreadable("\x00", 1, "ends after 2");
	expect_unreadable("\xC0\x00", 2, "ends after 4");
	expect_unreadable("\x00\xC0", 2, "cut off after 2 bytes");
	expect_unreadable("\x00\x08", 2, "cut off after 2 bytes");
	expect_unreadable("\xEF\xFF\xEF\xFF\xEF\xFF\xEF", 7, "cut off after 7 bytes");
}

static void test_header__prefix_1111_is_refused_with_its_place(void **state)
{
	(void)state;
	expect_unreadable("\xF0\x00\x00", 3, "4-bit group 0");
	expect_unreadable("\x0F\x00\x00", 3, "4-bit group 1");
	expect_unreadable("\x00\x0F\x00", 3, "4-bit group 3");
}

static void test_header__types_have_the_names_of_0_3_3(void **state)
{
	static const struct {
		struct isx_header header;
		const char *name;
	} known[] = {
		{ { ISX_META, 0, 0, 1 }, "META_NONE_V0" },
		{ { ISX_SEMANTIC, 4, 0, 1 }, "SEMANTIC_MIXED_V0" },
		{ { ISX_CONTENT, 0, 0, 1 }, "CONTENT_TEXT_V0" },
		{ { ISX_CONTENT, 3, 0, 1 }, "CONTENT_VIDEO_V0" },
		{ { ISX_DATA, 0, 0, 1 }, "DATA_NONE_V0" },
		{ { ISX_INSTANCE, 0, 0, 99 }, "INSTANCE_NONE_V0" },
		{ { ISX_CODE, 5, 0, 0 }, "ISCC_SUM_V0" },
		{ { ISX_CODE, 7, 0, 0 }, "ISCC_WIDE_V0" },
		{ { ISX_ID, 3, 0, 0 }, "ID_POLYGON_V0" },
		{ { ISX_ID, 1, 1, 0 }, "ID_REALM_1_V1" },
		{ { ISX_FLAKE, 0, 0, 1 }, "FLAKE_NONE_V0" },
	};
	char name[ISX_UNIT_TYPE_MAX];
	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		assert_int_equal(isx_header_type_name(&known[i].header, name, NULL), ISX_OK);
		assert_string_equal(name, known[i].name);
		assert_int_equal(isx_header_check(&known[i].header, NULL), ISX_OK);
	}
}

static void test_header__types_that_do_not_exist_are_refused(void **state)
{
	static const struct {
		struct isx_header header;
		const char *why;
	} unknown[] = {
		{ { 8, 0, 0, 1 }, "main type 8" },
		{ { 4679, 0, 0, 1 }, "main type 4679" },
		{ { ISX_META, 1, 0, 1 }, "subtype 1 of META does not exist: expected 0" },
		{ { ISX_CONTENT, 5, 0, 1 },
		  "subtype 5 of CONTENT does not exist: expected 0 to 4" },
		{ { ISX_CODE, 8, 0, 1 }, "subtype 8 of ISCC" },
		{ { ISX_CONTENT, 4679, 0, 1 }, "subtype 4679" },
		{ { ISX_DATA, 0, 1, 1 }, "version 1 of DATA does not exist: expected 0" },
		{ { ISX_ID, 2, 1, 0 }, "subtype 2 of ID" },
		{ { ISX_ID, 0, 2, 0 }, "version 2 of ID does not exist: expected 0 or 1" },
	};
	char name[ISX_UNIT_TYPE_MAX] = "as it was";
	(void)state;
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		struct isx_err err = { 0 };
		assert_int_equal(isx_header_type_name(&unknown[i].header, name, &err), ISX_INVALID);
		if (!strstr(err.msg, unknown[i].why))
			fail_msg("'%s' does not say '%s'", err.msg, unknown[i].why);
		assert_int_equal(isx_header_check(&unknown[i].header, NULL), ISX_INVALID);
	}
	assert_string_equal(name, "as it was");
}

static uint32_t announced_bits(uint32_t maintype, uint32_t subtype, uint32_t length)
{
	const struct isx_header header = { maintype, subtype, 0, length };
	return isx_header_body_bits(&header);
}

static void test_header__the_length_field_means_bits_by_main_type(void **state)
{
	(void)state;
	assert_int_equal(announced_bits(ISX_META, 0, 0), 32);
	assert_int_equal(announced_bits(ISX_INSTANCE, 0, 7), 256);
	assert_int_equal(announced_bits(ISX_FLAKE, 0, 1), 64);
	assert_int_equal(announced_bits(ISX_DATA, 0, 8), 0);
	assert_int_equal(announced_bits(ISX_CODE, ISX_SUBTYPE_SUM, 0), 128);
	assert_int_equal(announced_bits(ISX_CODE, 0, 1), 192);
	assert_int_equal(announced_bits(ISX_CODE, 0, 7), 320);
	assert_int_equal(announced_bits(ISX_CODE, ISX_SUBTYPE_WIDE, 0), 256);
	assert_int_equal(announced_bits(ISX_CODE, 0, 8), 0);
	assert_int_equal(announced_bits(ISX_ID, 0, 0), 64);
	assert_int_equal(announced_bits(ISX_ID, 0, 2), 80);
	assert_int_equal(announced_bits(ISX_ID, 0, 4), 96);
	assert_int_equal(announced_bits(ISX_ID, 0, 5), 0);
	assert_int_equal(announced_bits(8, 0, 1), 0);
}

static void test_header__no_id_has_a_counter_of_three_bytes(void **state)
{
	(void)state;
	assert_int_equal(announced_bits(ISX_ID, 0, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header__every_number_survives_in_every_field),
		cmocka_unit_test(test_header__forms_change_at_8_72_and_584),
		cmocka_unit_test(test_header__a_number_above_4679_is_not_written),
		cmocka_unit_test(test_header__one_cut_off_is_refused_at_every_length),
		cmocka_unit_test(test_header__prefix_1111_is_refused_with_its_place),
		cmocka_unit_test(test_header__types_have_the_names_of_0_3_3),
		cmocka_unit_test(test_header__types_that_do_not_exist_are_refused),
		cmocka_unit_test(test_header__the_length_field_means_bits_by_main_type),
		cmocka_unit_test(test_header__no_id_has_a_counter_of_three_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
