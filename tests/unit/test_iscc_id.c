/*
 * test_iscc_id.c - ISCC-IDs: realm, time and hub in eight bytes, and what is refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/iscc_id.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct isx_iscc_id expect_read(const char *text, uint32_t realm, uint32_t version)
{
	struct isx_iscc_id id;
	struct isx_err err = { 0 };
	if (isx_iscc_id_parse(isx_span_of(text), &id, &err))
		fail_msg("%s: %s", text, err.msg);
	assert_int_equal(id.realm, realm);
	assert_int_equal(id.version, version);
	return id;
}

static void expect_refused_span(struct isx_span text, const char *why)
{
	struct isx_iscc_id id = { .body = 99 };
	struct isx_err err = { 0 };
	assert_int_equal(isx_iscc_id_parse(text, &id, &err), ISX_INVALID);
	if (!strstr(err.msg, why) || strncmp(err.msg, "Invalid ISCC-ID '", 17) != 0)
		fail_msg("'%s' does not say '%s'", err.msg, why);
	assert_int_equal(id.body, 99); /* filled on success only */
}

static void expect_refused(const char *text, const char *why)
{
	expect_refused_span(isx_span_of(text), why);
}

static void test_iscc_id__time_and_hub_are_found_in_the_body(void **state)
{
	(void)state;
	struct isx_iscc_id id = expect_read("ISCC:MAIGBI4UQJBPNQBF", 0, 1);
	assert_true(id.body == 0x60A39482 * (1ull << 32) + 0x42F6C025);
	assert_true(isx_iscc_id_time_us(&id) == 0x60A3948242F6C);
	assert_int_equal(isx_iscc_id_hub(&id), 0x025);
}

static void test_iscc_id__either_case_prints_the_canonical_text(void **state)
{
	char text[ISX_ISCC_ID_TEXT_BYTES];
	(void)state;
	struct isx_iscc_id id = expect_read("ISCC:meigbi4uqjbpnqbf", 1, 1);
	isx_iscc_id_print(&id, text);
	assert_string_equal(text, "ISCC:MEIGBI4UQJBPNQBF");
	assert_int_equal(strlen(text) + 1, ISX_ISCC_ID_TEXT_BYTES);
}

static void test_iscc_id__version_0_is_read_and_printed_as_1(void **state)
{
	char text[ISX_ISCC_ID_TEXT_BYTES];
	(void)state;
	struct isx_iscc_id id = expect_read("ISCC:MAAGBI4UQJBPNQBF", 0, 0);
	isx_iscc_id_print(&id, text);
	assert_string_equal(text, "ISCC:MAIGBI4UQJBPNQBF");
}

static void test_iscc_id__least_and_greatest_bodies_survive(void **state)
{
	static const uint64_t bodies[] = { 0, 1, 0xFFF, 0x1000, UINT64_MAX - 1, UINT64_MAX };
	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		for (uint32_t realm = 0; realm < 2; realm++) {
			struct isx_iscc_id id = { bodies[i], realm, 1 };
			char text[ISX_ISCC_ID_TEXT_BYTES];
			isx_iscc_id_print(&id, text);
			assert_true(expect_read(text, realm, 1).body == bodies[i]);
		}
	}
}

static void test_iscc_id__errors_say_which_part_is_wrong(void **state)
{
	(void)state;
	expect_refused("", "expected 'ISCC:' in front");
	expect_refused("MAIGBI4UQJBPNQBF", "expected 'ISCC:' in front");
	expect_refused("iscc:MAIGBI4UQJBPNQBF", "expected 'ISCC:' in front");
	expect_refused("ISCC:", "it has 0 bytes: expected 10");
	expect_refused("ISCC:MAIGBI4UQJBPNQ", "no whole bytes");
	expect_refused("ISCC:MAIGBI4UQJBPN", "it has 8 bytes: expected 10");
	expect_refused("ISCC:MAIGBI4UQJBPNQBFAA", "expected at most 16");
	expect_refused("ISCC:MAIGBI4UQJBPNQ1F", "character 19 is '1'");
	expect_refused("ISCC:AAAAAAAAAAAAAAAA", "its main type is 0: expected 6");
	expect_refused("ISCC:MIQGZTFQTTVIZPJR", "its version is 2: expected 1");
	expect_refused("ISCC:MIIGZTFQTTVIZPJR", "its realm is 2: expected 0 or 1");
	expect_refused("ISCC:MAIWBI4UQJBPNQBF", "its length field is 1: expected 0");
	expect_refused("ISCC:MAJGBI4UQJBPNQBF", "its length field is 2: expected 0");
	expect_refused("ISCC:7777777777777777", "prefix 1111");
}

static void test_iscc_id__the_message_repeats_the_value_but_only_fit_characters(void **state)
{
	(void)state;
	expect_refused("ISCC:AAAAAAAAAAAAAAAA", "'ISCC:AAAAAAAAAAAAAAAA'");
	expect_refused("ISCC:AA\nAAAA\xC3", "'ISCC:AA':");
	expect_refused_span((struct isx_span){ "ISCC:AA\0AAAA", 12 }, "'ISCC:AA':");
	expect_refused("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		       "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iscc_id__time_and_hub_are_found_in_the_body),
		cmocka_unit_test(test_iscc_id__either_case_prints_the_canonical_text),
		cmocka_unit_test(test_iscc_id__version_0_is_read_and_printed_as_1),
		cmocka_unit_test(test_iscc_id__least_and_greatest_bodies_survive),
		cmocka_unit_test(test_iscc_id__errors_say_which_part_is_wrong),
		cmocka_unit_test(
			test_iscc_id__the_message_repeats_the_value_but_only_fit_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
