/*
 * test_json.c - trees: what json-c's own parser makes of a text, and what its memory does not limit.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/json.h"

#include "base/buf.h"
#include "base/limits.h"

#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Both parsers, and the text that json-c writes of their trees. */
static void expect_same_tree(const char *text)
{
	struct isx_json *ours;
	struct isx_err err;
	struct json_object *theirs = json_tokener_parse(text);
	assert_non_null(theirs);
	if (isx_json_parse(isx_span_of(text), &ours, &err))
		fail_msg("%s: %s", text, err.msg);
	assert_string_equal(
		isx_json_source(ours).ptr,
		json_object_to_json_string_ext(theirs, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	isx_json_free(ours);
	json_object_put(theirs);
}

static void test_json__trees_are_those_of_json_c(void **state)
{
	static const char *const texts[] = {
		"{}",
		" [ ] ",
		"\"\"",
		"{\"a\":[],\"b\":{},\"\":[{}],\"c\":[[],[[]]]}",
		"{ \"a\" : 1 , \"b\" : [ 1 , -2 , 0 , true , false , null ] }",
		"{\"a\":1,\"a\":2,\"b\":3,\"a\":{\"a\":[4]}}",
		"[0.10,1e21,-1.5E-3,9223372036854775807,-9223372036854775808]",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\uD83D\\uDE00 \xC3\xA9\"",
		"{\"\\u0061\\n\\u00e9\":\"}],:{[\",\"x\\\"y\":\"\\\\\"}",
		"[\"a\\u0000b\"]",
	};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		expect_same_tree(texts[i]);
}

static void test_json__trees_of_real_assets_are_those_of_json_c(void **state)
{
	char *line = NULL;
	size_t cap = 0, count = 0;
	FILE *file = fopen("examples/assets.jsonl", "r");
	(void)state;
	assert_non_null(file);
	for (; getline(&line, &cap, file) > 0; count++)
		expect_same_tree(line);
	assert_true(count >= 2000);
	free(line);
	fclose(file);
}

static void test_json__integers_beyond_the_largest_are_the_largest(void **state)
{
	static const char *const texts[] = { "9223372036854775808",
					     "123456789012345678901234567890" };
	struct isx_json *value;
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_int_equal(isx_json_parse(isx_span_of(texts[i]), &value, NULL), ISX_OK);
		assert_int_equal(isx_json_kind(value), ISX_JSON_INT);
		assert_true(isx_json_int(value) == INT64_MAX);
		isx_json_free(value);
	}
}

static void test_json__a_name_with_nul_is_no_other_name(void **state)
{
	struct isx_json *object, *member;
	const char *name;
	void *cursor = NULL;
	(void)state;
	assert_int_equal(
		isx_json_parse(
			isx_span_of("{\"metadata\\u0000x\":{},\"\\u0000\":1,\"x\":\"\\u0000\"}"),
			&object, NULL),
		ISX_OK);
	assert_false(isx_json_get(object, "metadata", &member));
	assert_false(isx_json_get(object, "", &member));
	assert_true(isx_json_get(object, "x", &member));
	assert_int_equal(isx_json_string(member).len, 1); /* values keep it */
	assert_true(isx_json_each(object, &cursor, &name, &member));
	assert_string_equal(name, "metadata\x01x");
	isx_json_free(object);
}

static void test_json__the_deepest_text_that_is_taken_makes_a_tree(void **state)
{
	struct isx_buf text = { 0 };
	struct isx_json *value;
	(void)state;
	for (int i = 0; i < ISX_JSON_DEPTH_MAX; i++)
		isx_buf_text(&text, i % 2 ? "{\"a\":" : "[");
	isx_buf_text(&text, "1");
	for (int i = ISX_JSON_DEPTH_MAX; i-- > 0;)
		isx_buf_char(&text, i % 2 ? '}' : ']');
	assert_int_equal(isx_json_parse((struct isx_span){ text.ptr, text.len }, &value, NULL),
			 ISX_OK);
	isx_json_free(value);
	isx_buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json__trees_are_those_of_json_c),
		cmocka_unit_test(test_json__trees_of_real_assets_are_those_of_json_c),
		cmocka_unit_test(test_json__integers_beyond_the_largest_are_the_largest),
		cmocka_unit_test(test_json__a_name_with_nul_is_no_other_name),
		cmocka_unit_test(test_json__the_deepest_text_that_is_taken_makes_a_tree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
