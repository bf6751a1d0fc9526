/*
 * test_json_text.c - the strict check of JSON text, the walk, and what is written.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/json_text.h"

#include "base/limits.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect_refused(const char *text, size_t wanted)
{
	size_t offset = 9999;
	struct isx_err err = { 0 };
	if (isx_json_check(isx_span_of(text), &offset, &err) != ISX_SCHEMA || offset != wanted)
		fail_msg("%s: offset %zu instead of %zu (%s)", text, offset, wanted, err.msg);
	assert_non_null(strstr(err.msg, "expected"));
}

static void test_json_text__accepts_what_rfc_8259_has(void **state)
{
	static const char *const good[] = { "{}",
					    "[]",
					    " [ ] ",
					    "\"\"",
					    "0",
					    "-0",
					    "-1.5e+10",
					    "1E5",
					    "null",
					    "true",
					    "false",
					    "{\"a\":[1,2,{\"b\":null}]}",
					    "\"\\u00e4\\ud83d\\ude00\\n\"",
					    "\"\xF0\x9F\x98\x80\"",
					    "123456789012345678901234567890",
					    "[[[[]]]]",
					    "{\"a\" : 1 , \"a\" : 2}" };
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		size_t offset;
		struct isx_err err = { 0 };
		if (isx_json_check(isx_span_of(good[i]), &offset, &err))
			fail_msg("%s: %s", good[i], err.msg);
	}
}

static void test_json_text__refuses_everything_else_at_its_place(void **state)
{
	(void)state;
	expect_refused("", 0);
	expect_refused("{", 1);
	expect_refused("{\"a\"", 4);
	expect_refused("{\"a\":}", 5);
	expect_refused("{\"a\":1,}", 7);
	expect_refused("[1,]", 3);
	expect_refused("[1 2]", 3);
	expect_refused("{'a':1}", 1);
	expect_refused("{\"a\":1]", 6);
	expect_refused("nul", 0);
	expect_refused("NaN", 0);
	expect_refused("-Infinity", 1);
	expect_refused("01", 1);
	expect_refused("1.", 2);
	expect_refused("1e", 2);
	expect_refused("+1", 0);
	expect_refused("\"a", 2);
	expect_refused("\"\n\"", 1);
	expect_refused("\"\\x\"", 1);
	expect_refused("\"\\ud800\"", 1);
	expect_refused("\"\\udc00\"", 1);
	expect_refused("\"\\ud800\\u0041\"", 1);
	expect_refused("\"\xC0\x80\"", 1);
	expect_refused("\"\xED\xA0\x80\"", 1);
	expect_refused("\"\xF4\x90\x80\x80\"", 1);
	expect_refused("\"\xE4\"", 1);
	expect_refused("{} x", 3);
	expect_refused("/**/{}", 0);
}

static void test_json_text__bounds_the_depth(void **state)
{
	static char text[100000];
	size_t offset;
	(void)state;
	memset(text, '[', sizeof text);
	assert_int_equal(isx_json_check((struct isx_span){ text, sizeof text }, &offset, NULL),
			 ISX_SCHEMA);
	assert_int_equal(offset, ISX_JSON_DEPTH_MAX);
	memset(text + ISX_JSON_DEPTH_MAX, ']', ISX_JSON_DEPTH_MAX);
	assert_int_equal(
		isx_json_check((struct isx_span){ text, 2 * ISX_JSON_DEPTH_MAX }, &offset, NULL),
		ISX_OK);
}

static void test_json_text__walks_elements_and_members(void **state)
{
	struct isx_span text = isx_span_of(" [ {\"a\":\"],\\\"\"} , [1, 2],3.50 , \"x\" ] ");
	static const char *const wanted[] = { "{\"a\":\"],\\\"\"}", "[1, 2]", "3.50", "\"x\"" };
	struct isx_json_walk walk = isx_json_walk_start(text);
	struct isx_span value, key;
	size_t count = 0;
	(void)state;
	while (isx_json_next_element(&walk, &value))
		assert_true(isx_span_is(value, wanted[count++]));
	assert_int_equal(count, 4);
	walk = isx_json_walk_start(isx_span_of("{\"k\" : [ ] , \"l\":{}}"));
	assert_true(isx_json_next_member(&walk, &key, &value));
	assert_true(isx_span_is(key, "k") && isx_span_is(value, "[ ]"));
	assert_true(isx_json_next_member(&walk, &key, &value));
	assert_true(isx_span_is(key, "l") && isx_span_is(value, "{}"));
	assert_false(isx_json_next_member(&walk, &key, &value));
}

static void test_json_text__finds_the_last_member_of_a_name(void **state)
{
	struct isx_span object = isx_span_of(
		"{\"metadata\":1,\"x\":{\"metadata\":9},\"meta\\u0064ata\":{\"n\":1.0}}");
	(void)state;
	assert_true(isx_span_is(isx_json_member(object, "metadata"), "{\"n\":1.0}"));
	assert_int_equal(isx_json_member(object, "meta").len, 0);
	assert_int_equal(isx_json_member(isx_span_of("7"), "meta").len, 0);
}

static void test_json_text__a_key_is_compared_as_what_it_spells(void **state)
{
	(void)state;
	assert_true(isx_json_key_is(isx_span_of("url"), "url"));
	assert_true(isx_json_key_is(isx_span_of("\\u0075rl"), "url"));
	assert_true(isx_json_key_is(isx_span_of("\\u0075\\u0072\\u006C"), "url"));
	static const char *const others[] = { "",          "ur",        "urls",     "Url",
					      "\\u0055rl", "\\u0175rl", "\\u0075r", "\\\\u0075rl",
					      "\\turl",    "url\\u0000" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(isx_json_key_is(isx_span_of(others[i]), "url"));
}

static void expect_written(void (*write)(struct isx_buf *, struct isx_span), struct isx_span in,
			   const char *wanted)
{
	struct isx_buf buf = { 0 };
	write(&buf, in);
	isx_buf_char(&buf, '\0');
	assert_string_equal(buf.ptr, wanted);
	isx_buf_release(&buf);
}

static void test_json_text__minify_keeps_digits_and_strings(void **state)
{
	(void)state;
	expect_written(isx_json_minify,
		       isx_span_of("{ \"a b\" : [ 1e21 , 0.10 ,\t12345678901234567890123 ] }\n"),
		       "{\"a b\":[1e21,0.10,12345678901234567890123]}");
}

static void expect_unescaped(const char *text, const char *meant, size_t len)
{
	struct isx_buf buf = { 0 };
	isx_json_unescape(&buf, isx_span_of(text));
	assert_int_equal(buf.len, len);
	assert_memory_equal(buf.ptr, meant, len);
	isx_buf_release(&buf);
}

static void test_json_text__unescapes_what_a_string_means(void **state)
{
	(void)state;
	expect_unescaped("plain \xC3\xA9", "plain \xC3\xA9", 8);
	expect_unescaped("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8);
	expect_unescaped("a\\u0000b\\u007f", "a\0b\x7F", 4);
	expect_unescaped("\\u0080\\u07FF", "\xC2\x80\xDF\xBF", 4);
	expect_unescaped("\\u0800\\uffff", "\xE0\xA0\x80\xEF\xBF\xBF", 6);
	expect_unescaped("\\ud800\\udc00\\uDBFF\\uDFFF", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8);
}

static void test_json_text__repair_makes_json_of_what_python_wrote(void **state)
{
	(void)state;
	expect_written(
		isx_json_repair,
		isx_span_of("{\"a\": NaN, \"b\": [-Infinity, Infinity, \"NaN\"], \"c\": "
			    "\"\\ud800x\\ud83d\\ude00\\\\u\"}"),
		"{\"a\":null,\"b\":[null,null,\"NaN\"],\"c\":\"\\ufffdx\\ud83d\\ude00\\\\u\"}");
}

static void test_json_text__quotes_as_little_as_possible(void **state)
{
	(void)state;
	expect_written(isx_json_quote, (struct isx_span){ "a\"\\\n\x01\0\xC3\xA4\xFF/", 10 },
		       "\"a\\\"\\\\\\n\\u0001\\u0000\xC3\xA4\xEF\xBF\xBD/\"");
	expect_written(isx_json_quote, (struct isx_span){ NULL, 0 }, "\"\"");
}

static void test_json_text__doubles_read_back_the_same(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = { { 1, "1.0" },
		      { 0, "0.0" },
		      { 0.1, "0.1" },
		      { 0.9538536071777344, "0.9538536071777344" },
		      { 1e21, "1e+21" } };
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct isx_buf buf = { 0 };
		isx_json_double(&buf, cases[i].value);
		isx_buf_char(&buf, '\0');
		assert_string_equal(buf.ptr, cases[i].text);
		isx_buf_release(&buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_text__accepts_what_rfc_8259_has),
		cmocka_unit_test(test_json_text__refuses_everything_else_at_its_place),
		cmocka_unit_test(test_json_text__bounds_the_depth),
		cmocka_unit_test(test_json_text__walks_elements_and_members),
		cmocka_unit_test(test_json_text__finds_the_last_member_of_a_name),
		cmocka_unit_test(test_json_text__a_key_is_compared_as_what_it_spells),
		cmocka_unit_test(test_json_text__minify_keeps_digits_and_strings),
		cmocka_unit_test(test_json_text__unescapes_what_a_string_means),
		cmocka_unit_test(test_json_text__repair_makes_json_of_what_python_wrote),
		cmocka_unit_test(test_json_text__quotes_as_little_as_possible),
		cmocka_unit_test(test_json_text__doubles_read_back_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
