/*
 * test_compare.c - isx_compare() for programs: with and without a store, conditions, failures.
 *
 * The numbers are compared with a model in tests/http/test_compare.py.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"
#include "iscc.h"
#include "support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char near_text[ISX_UNIT_TEXT_BYTES], text[ISX_UNIT_TEXT_BYTES], data[ISX_UNIT_TEXT_BYTES];
static const char id[] = "ISCC:MAIGHXLN555Y2DFF";

static int set_up(void **state)
{
	uint8_t body[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	(void)state;
	test_unit_text(ISX_CONTENT, body, sizeof body, text);
	test_unit_text(ISX_DATA, body, sizeof body, data);
	body[0] ^= 0xFF;
	test_unit_text(ISX_CONTENT, body, sizeof body, near_text);
	return 0;
}

static void test_compare__isccs_need_no_store(void **state)
{
	const struct isx_work a = { .iscc = text }, b = { .iscc = near_text };
	const struct isx_query conditions = { .has_min_score = true, .min_score = 0.9, .limit = 7 };
	struct isx_comparison *said;
	(void)state;
	assert_int_equal(isx_compare(NULL, &a, &b, NULL, &said, NULL), ISX_OK);
	assert_int_equal(said->type_count, 1);
	assert_string_equal(said->types[0].type, "CONTENT_TEXT_V0");
	assert_int_equal(said->types[0].compared_bits, 64);
	assert_int_equal(said->types[0].distance, 8);
	assert_true(said->types[0].score == 0.875 && said->types[0].counted);
	assert_true(said->types[0].missed_by == 0 && said->score == pow(0.875, 4) / 0.875);
	assert_int_equal(said->exponent, 4);
	isx_comparison_free(said);
	assert_int_equal(isx_compare(NULL, &a, &b, &conditions, &said, NULL), ISX_OK);
	assert_true(said->score == 0 && !said->types[0].counted);
	assert_true(said->types[0].missed_by == 0.9 - 0.875);
	isx_comparison_free(said);
	isx_comparison_free(NULL);
}

static void test_compare__a_type_that_one_work_lacks_is_told(void **state)
{
	const char *const units[] = { text, data };
	const struct isx_work a = { .iscc = text }, b = { .units = units, .unit_count = 2 };
	struct isx_comparison *said;
	(void)state;
	assert_int_equal(isx_compare(NULL, &a, &b, NULL, &said, NULL), ISX_OK);
	assert_int_equal(said->type_count, 2);
	assert_true(!said->types[0].absent && said->types[1].absent == 'a');
	isx_comparison_free(said);
	assert_int_equal(isx_compare(NULL, &b, &a, NULL, &said, NULL), ISX_OK);
	assert_true(!said->types[0].absent && said->types[1].absent == 'b');
	isx_comparison_free(said);
}

/* The ISCC may be in any form, and each work may be of an index of its own. */
static void test_compare__an_asset_is_read_from_its_index(void **state)
{
	const char *const units[] = { text };
	const struct isx_asset asset = { .iscc_id = id, .units = units, .unit_count = 1 };
	const struct isx_work a = { .iscc = "maighxln555y2dff", .index = "main" };
	const struct isx_work b = { .iscc = near_text, .index = "none" };
	struct isx_options options;
	struct isx_comparison *said;
	struct isx_store *store;
	struct isx_err err;
	(void)state;
	isx_options_init(&options);
	options.match_threshold_units = 0.9;
	options.confidence_exponent = 2;
	assert_int_equal(isx_open("memory://", &options, &store, &err), ISX_OK);
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	assert_int_equal(isx_add(store, "main", &asset, 1, NULL, &err), ISX_OK);
	assert_int_equal(isx_compare(store, &a, &b, NULL, &said, &err), ISX_OK);
	assert_true(said->types[0].distance == 8 && said->score == 0 && said->exponent == 2);
	isx_comparison_free(said);
	isx_close(store);
}

static void expect_failure(const struct isx_work *a, const struct isx_work *b,
			   enum isx_status status, const char *msg)
{
	struct isx_comparison *said = NULL;
	struct isx_err err = { 0 };
	assert_int_equal(isx_compare(NULL, a, b, NULL, &said, &err), status);
	assert_null(said);
	assert_ptr_equal(strstr(err.msg, msg), err.msg);
}

static void test_compare__what_cannot_be_compared_is_named(void **state)
{
	const char *units[65];
	const struct isx_work good = { .iscc = text };
	(void)state;
	for (size_t i = 0; i < 65; i++)
		units[i] = text;
	expect_failure(&good, &(struct isx_work){ 0 }, ISX_INVALID, "b: expected an ISCC or units");
	expect_failure(&(struct isx_work){ .iscc = "hello" }, &good, ISX_INVALID, "a: ");
	expect_failure(&(struct isx_work){ .iscc = id, .index = "main" }, &good, ISX_INVALID,
		       "a: ISCC:MAIGHXLN555Y2DFF is an ISCC-ID");
	expect_failure(&(struct isx_work){ .units = units, .unit_count = 65 }, &good, ISX_INVALID,
		       "a: units: expected at most 64");
	expect_failure(&good, &(struct isx_work){ .iscc = text, .reserved = { 0, 1 } }, ISX_INVALID,
		       "b: expected 0 in `reserved`");
}

static void test_compare__memory_may_run_out_anywhere(void **state)
{
	const struct isx_work a = { .iscc = text }, b = { .iscc = near_text };
	struct isx_comparison *said;
	struct isx_err err;
	enum isx_status st = ISX_NO_MEMORY;
	size_t nth;
	(void)state;
	for (nth = 1; st; nth++) {
		isx_mem_fail_after(nth);
		st = isx_compare(NULL, &a, &b, NULL, &said, &err);
		isx_mem_fail_after(0);
		assert_true(st == ISX_OK || st == ISX_NO_MEMORY);
	}
	assert_true(nth > 3);
	isx_comparison_free(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare__isccs_need_no_store),
		cmocka_unit_test(test_compare__a_type_that_one_work_lacks_is_told),
		cmocka_unit_test(test_compare__an_asset_is_read_from_its_index),
		cmocka_unit_test(test_compare__what_cannot_be_compared_is_named),
		cmocka_unit_test(test_compare__memory_may_run_out_anywhere),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
