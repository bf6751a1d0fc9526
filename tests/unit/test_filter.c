/*
 * test_filter.c - filters: what is read and refused, the values of fields, and the evaluation on one
 *                 asset. tests/http/test_filters.py compares searches with a model in Python.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/filter.h"

#include "base/limits.h"
#include "iscc/iscc_id.h"
#include "support.h"
#include "json/field_value.h"
#include "json/pointer.h"
#include "json/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct isx_span key_of(struct isx_buf *buf, const char *json)
{
	isx_buf_clear(buf);
	isx_value_key(buf, isx_span_of(json));
	assert_false(buf->failed);
	return (struct isx_span){ buf->ptr, buf->len };
}

static void test_filter__values_have_an_exact_order(void **state)
{
	/* Each of these is less than the next one; those of one line are equal. */
	static const char *const rising[][4] = {
		{ "null" },
		{ "false" },
		{ "true" },
		{ "-1e999999999999", "-1e1000000000" },
		{ "-9007199254740993", "-9007199254740993.0", "-9.007199254740993e15" },
		{ "-9007199254740992" },
		{ "-1.01" },
		{ "-1", "-1.000", "-10e-1", "-0.1e1" },
		{ "-0.99" },
		{ "-1e-400" },
		{ "0", "-0", "0.0", "0e7" },
		{ "1e-400", "0.1e-399" },
		{ "0.1", "0.10", "1e-1", "1E-01" },
		{ "0.1000000000000000055511151231257827" },
		{ "0.3" },
		{ "1", "1.0", "1e0", "10E-1" },
		{ "1.01" },
		{ "2" },
		{ "10", "1e1", "1e+1", "100e-1" },
		{ "10.5" },
		{ "18446744073709551615" },
		{ "18446744073709551616" },
		{ "1e400" },
		{ "\"\"" },
		{ "\"\\u0000\"" },
		{ "\"0\"" },
		{ "\"A\"", "\"\\u0041\"" },
		{ "\"a\"" },
		{ "\"a \"" },
		{ "\"ab\"" },
		{ "\"\xC3\xA9\"", "\"\\u00e9\"" },
		{ "\"\xEF\xBF\xBD\"" },
		{ "\"\xF0\x9F\x98\x80\"", "\"\\ud83d\\ude00\"" },
	};
	enum { COUNT = sizeof rising / sizeof rising[0] };
	struct isx_buf a = { 0 }, b = { 0 };
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		for (size_t j = 0; j < COUNT; j++)
			for (size_t k = 0; k < 4 && rising[j][k]; k++) {
				int order = isx_value_compare(key_of(&a, rising[i][0]),
							      key_of(&b, rising[j][k]));
				if ((order < 0) != (i < j) || (order > 0) != (i > j))
					fail_msg("%s and %s: %d", rising[i][0], rising[j][k],
						 order);
			}
	isx_buf_release(&a);
	isx_buf_release(&b);
}

static void test_filter__numbers_agree_with_doubles(void **state)
{
	uint64_t seed = test_seed();
	struct isx_buf a = { 0 }, b = { 0 }, json = { 0 };
	(void)state;
	for (size_t i = 0; i < 20000; i++) {
		static const char *const formats[] = { "%.17g", "%.0f", "%.3e", "%.6f" };
		char text[2][400];
		double value[2];
		for (size_t k = 0; k < 2; k++) {
			double number = (double)(int64_t)test_random(&seed);
			int shift = (int)(test_random(&seed) % 120);
			for (; shift > 0; shift--)
				number /= 2;
			snprintf(text[k], sizeof text[k], formats[test_random(&seed) % 4], number);
			value[k] = strtod(text[k], NULL);
		}
		int order = isx_value_compare(key_of(&a, text[0]), key_of(&b, text[1]));
		if (value[0] != value[1] && (order < 0) != (value[0] < value[1]))
			fail_msg("%s and %s: %d, seed %llu", text[0], text[1], order,
				 (unsigned long long)test_seed());
		/* as JSON, it is the same number */
		isx_buf_clear(&json);
		isx_value_to_json(&json, (struct isx_span){ a.ptr, a.len });
		isx_buf_char(&json, '\0');
		assert_int_equal(isx_value_compare(key_of(&b, json.ptr), key_of(&a, text[0])), 0);
	}
	isx_buf_release(&a);
	isx_buf_release(&b);
	isx_buf_release(&json);
}

static void test_filter__values_are_printed_as_people_write_them(void **state)
{
	static const char *const texts[][2] = {
		{ "2020.0", "2020" },
		{ "1e3", "1000" },
		{ "-0", "0" },
		{ "-12.50", "-12.5" },
		{ "0.05", "0.05" },
		{ "5e-3", "0.005" },
		{ "123456e-3", "123.456" },
		{ "1e300", "1e300" },
		{ "-1.25E-300", "-1.25e-300" },
		{ "1e20", "100000000000000000000" },
		{ "1e21", "1e21" },
		{ "9007199254740993", "9007199254740993" },
		{ "\"\\u00e9\\n\"", "\"\xC3\xA9\\n\"" },
		{ "null", "null" },
		{ "true", "true" },
		{ "false", "false" },
		{ "{}", "null" },
	};
	struct isx_buf key = { 0 }, json = { 0 };
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		isx_buf_clear(&json);
		isx_value_to_json(&json, key_of(&key, texts[i][0]));
		isx_buf_char(&json, '\0');
		assert_string_equal(json.ptr, texts[i][1]);
	}
	isx_buf_release(&key);
	isx_buf_release(&json);
}

/* Keys of a table that is damaged on disk: numbers without digits, and bytes that are no digits. */
static void test_filter__damaged_keys_are_printed_as_json(void **state)
{
	enum { BELOW, ABOVE = 2 };
	static const char keys[][8] = {
		{ ISX_VALUE_NUMBER, BELOW, 0x7F, 0, 0, (char)0xFF, (char)0xFF, 0 },
		{ ISX_VALUE_NUMBER, BELOW, 0x7F, (char)0xFF, (char)0xFF, (char)0xFA, (char)0xFF,
		  0 },
		{ ISX_VALUE_NUMBER, BELOW, 0x7F, (char)0xFF, (char)0xFF, (char)0xFA, 0x31,
		  (char)0xFF },
		{ ISX_VALUE_NUMBER, ABOVE, (char)0x80, 0, 0, 2, (char)0xFF, (char)0xFA },
		{ ISX_VALUE_NUMBER, ABOVE, 0, 0, 0, 2, 99, 0 },
	};
	struct isx_buf json = { 0 };
	size_t offset;
	(void)state;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		for (size_t len = 1; len <= sizeof keys[0]; len++) {
			isx_buf_clear(&json);
			isx_value_to_json(&json, (struct isx_span){ keys[i], len });
			assert_true(json.len < 64);
			assert_int_equal(isx_json_check((struct isx_span){ json.ptr, json.len },
							&offset, NULL),
					 ISX_OK);
		}
	isx_buf_release(&json);
}

static void test_filter__pointers_follow_rfc_6901(void **state)
{
	static const char text[] =
		"{\"a\":{\"b\":[10,[20],{\"c\":30}],\"\":40},\"m~n\":50,\"x/y\":60,"
		"\"\\u00e9\\/\":70,\"dup\":1,\"dup\":2,\"0\":80,\"\":90}";
	static const char *const found[][2] = {
		{ "/a/b/0", "10" },   { "a/b/1", "[20]" }, { "/a/b/1/0", "20" },
		{ "/a/b/2/c", "30" }, { "/a/", "40" },     { "/m~0n", "50" },
		{ "m~0n", "50" },     { "/x~1y", "60" },   { "/\xC3\xA9~1", "70" },
		{ "/dup", "2" },      { "0", "80" },       { "/", "90" },
		{ "/a/b/3", "" },     { "/a/b/00", "" },   { "/a/b/-", "" },
		{ "/a/b/-1", "" },    { "/a/b/c", "" },    { "/a/b/18446744073709551616", "" },
		{ "/x/y", "" },       { "/dup/0", "" },    { "/A", "" },
		{ "/a/b/0/", "" },    { "/m~0", "" },
	};
	static const char *const refused[] = { "", "~", "/a~", "/a~2", "a\n", "/\xFF", "/a\x1F" };
	struct isx_arena arena = { 0 };
	const char *pointer;
	char longest[ISX_FIELD_NAME_MAX + 2];
	(void)state;
	for (size_t i = 0; i < sizeof found / sizeof found[0]; i++) {
		assert_int_equal(isx_pointer_read(isx_span_of(found[i][0]), &arena, &pointer, NULL),
				 ISX_OK);
		assert_non_null(pointer);
		struct isx_span value = isx_pointer_find(isx_span_of(text), pointer);
		if (!isx_span_is(value, found[i][1]))
			fail_msg("%s: %.*s", found[i][0], (int)value.len, value.ptr);
	}
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_int_equal(isx_pointer_read(isx_span_of(refused[i]), &arena, &pointer, NULL),
				 ISX_OK);
		assert_null(pointer);
	}
	memset(longest, 'x', sizeof longest);
	assert_int_equal(isx_pointer_read((struct isx_span){ longest, ISX_FIELD_NAME_MAX - 1 },
					  &arena, &pointer, NULL),
			 ISX_OK);
	assert_int_equal(strlen(pointer), ISX_FIELD_NAME_MAX);
	assert_int_equal(isx_pointer_read((struct isx_span){ longest, ISX_FIELD_NAME_MAX }, &arena,
					  &pointer, NULL),
			 ISX_OK);
	assert_null(pointer);
	isx_arena_release(&arena);
}

static void test_filter__keys_with_escapes_are_names(void **state)
{
	/* every byte of the longest name spelled as an escape */
	char text[8 * ISX_FIELD_NAME_MAX], *end = text, name[ISX_FIELD_NAME_MAX + 1];
	struct isx_arena arena = { 0 };
	const char *pointer;
	(void)state;
	end += sprintf(end, "{\"");
	for (size_t i = 0; i + 1 < ISX_FIELD_NAME_MAX; i++)
		end += sprintf(end, "\\u0061");
	sprintf(end, "\":7,\"b\\u0000\":8}");
	memset(name, 'a', ISX_FIELD_NAME_MAX - 1);
	name[ISX_FIELD_NAME_MAX - 1] = '\0';
	assert_int_equal(isx_pointer_read(isx_span_of(name), &arena, &pointer, NULL), ISX_OK);
	assert_true(isx_span_is(isx_pointer_find(isx_span_of(text), pointer), "7"));
	assert_int_equal(isx_pointer_find(isx_span_of(text), "/b").len, 0);
	isx_arena_release(&arena);
}

/* --- evaluation ---------------------------------------------------------------------------------- */

/* An ISCC-ID of 2025-01-31T12:00:00Z and hub 3. */
#define TIME_US 1738324800000000ull
#define HUB     3
#define BODY    (TIME_US << 12 | HUB)

static char asset_id[ISX_ISCC_ID_TEXT_BYTES], next_id[ISX_ISCC_ID_TEXT_BYTES];

static void print_ids(void)
{
	const struct isx_iscc_id id = { .body = BODY, .version = 1 };
	const struct isx_iscc_id next = { .body = BODY + 1, .version = 1 };
	isx_iscc_id_print(&id, asset_id);
	isx_iscc_id_print(&next, next_id);
}

/* Evaluate a filter, in which %1$s is the asset's ISCC-ID and %2$s the next one. */
static bool holds(const char *format, const char *metadata)
{
	static const char *const units[] = {
		"ISCC:EADR5BPDM23VE2Z636LGF3FNDCVML5RBQIE6L4JH6VP4SCSTHAQ7UJA"
	};
	const struct isx_asset asset = { .units = units, .unit_count = 1, .metadata = metadata };
	struct isx_arena arena = { 0 };
	const struct isx_filter *filter;
	struct isx_err err;
	char text[1024];
	bool result = true;
	snprintf(text, sizeof text, format, asset_id, next_id);
	if (isx_filter_from_text(text, &arena, &filter, &err))
		fail_msg("%s: %s", text, err.msg);
	if (filter)
		assert_int_equal(isx_filter_holds(filter, BODY, &asset, &arena, &result, &err),
				 ISX_OK);
	isx_arena_release(&arena);
	return result;
}

static void test_filter__conditions_hold_for_one_asset(void **state)
{
	static const char metadata[] =
		"{\"license\":\"CC0\",\"year\":2020,\"tags\":[\"a\",\"b\",3,null],\"none\":null,"
		"\"deep\":{\"er\":1e0},\"empty\":[],\"object\":{},\"nested\":[[1]],\"yes\":true}";
	static const struct {
		bool holds;
		const char *filter;
	} cases[] = {
		{ true, "{}" },
		{ true, "{\"all\":[]}" },
		{ false, "{\"any\":[]}" },
		{ false, "{\"not\":{}}" },
		{ true, "{\"all\":[{},{}]}" },
		{ true, "{\"any\":[{\"hub\":9},{\"hub\":3}]}" },
		{ false, "{\"all\":[{\"hub\":9},{\"hub\":3}]}" },
		{ false, "{\"hub\":3,\"not\":{\"hub\":3}}" },
		{ true, "{\"hub\":3}" },
		{ false, "{\"hub\":4095}" },
		{ true, "{\"hub\":[4,3]}" },
		{ false, "{\"hub\":[]}" },
		{ true, "{\"iscc_id\":{\"from\":\"%1$s\"}}" },
		{ false, "{\"iscc_id\":{\"from\":\"%2$s\"}}" },
		{ false, "{\"iscc_id\":{\"to\":\"%1$s\"}}" },
		{ true, "{\"iscc_id\":{\"to\":\"%2$s\"}}" },
		{ true, "{\"iscc_id\":{\"from\":\"%1$s\",\"to\":\"%2$s\"}}" },
		{ false, "{\"iscc_id\":{\"from\":\"%2$s\",\"to\":\"%1$s\"}}" },
		{ true, "{\"time\":{\"from\":\"2025-01-31T12:00:00Z\"}}" },
		{ false, "{\"time\":{\"to\":\"2025-01-31T12:00:00Z\"}}" },
		{ true, "{\"time\":{\"from\":\"2025-01-31\",\"to\":\"2025-02-01\"}}" },
		{ false, "{\"time\":{\"from\":\"2025-02-01\"}}" },
		{ true, "{\"time\":{\"from\":1738324800000000,\"to\":\"1738324800000001\"}}" },
		{ false, "{\"time\":{\"from\":\"2150-01-01\"}}" },
		{ true, "{\"time\":{\"to\":\"2150-01-01\"}}" },
		{ false, "{\"time\":{\"from\":\"2150-01-01\",\"to\":\"2151-01-01\"}}" },
		{ false, "{\"time\":{\"to\":0}}" },
		{ true, "{\"types\":[\"CONTENT_TEXT_V0\"]}" },
		{ false, "{\"types\":[\"CONTENT_TEXT_V0\",\"DATA_NONE_V0\"]}" },
		{ true, "{\"field\":\"license\",\"equals\":\"CC0\"}" },
		{ true, "{\"equals\":\"CC0\",\"field\":\"/license\"}" },
		{ false, "{\"field\":\"license\",\"equals\":\"cc0\"}" },
		{ false, "{\"field\":\"license\",\"equals\":null}" },
		{ true, "{\"field\":\"license\",\"in\":[\"x\",1,\"CC0\",\"CC0\"]}" },
		{ false, "{\"field\":\"license\",\"in\":[]}" },
		{ true, "{\"field\":\"license\",\"from\":\"CC\",\"to\":\"CC1\"}" },
		{ false, "{\"field\":\"license\",\"to\":\"CC0\"}" },
		{ true, "{\"field\":\"license\",\"from\":\"CC0\"}" },
		{ false, "{\"field\":\"license\",\"from\":0}" },
		{ true, "{\"field\":\"year\",\"equals\":2.02e3}" },
		{ false, "{\"field\":\"year\",\"equals\":\"2020\"}" },
		{ true, "{\"field\":\"year\",\"from\":2020,\"to\":2021}" },
		{ false, "{\"field\":\"year\",\"from\":2019,\"to\":2020}" },
		{ false, "{\"field\":\"year\",\"from\":\"0\"}" },
		{ true, "{\"field\":\"tags\",\"equals\":\"b\"}" },
		{ true, "{\"field\":\"tags\",\"equals\":null}" },
		{ true, "{\"field\":\"tags\",\"from\":3,\"to\":4}" },
		{ true, "{\"field\":\"tags\",\"in\":[4,3]}" },
		{ false, "{\"not\":{\"field\":\"tags\",\"equals\":\"a\"}}" },
		{ true, "{\"field\":\"/tags/0\",\"equals\":\"a\"}" },
		{ false, "{\"field\":\"/tags/1\",\"equals\":\"a\"}" },
		{ true, "{\"field\":\"none\",\"equals\":null}" },
		{ true, "{\"field\":\"none\",\"exists\":true}" },
		{ false, "{\"field\":\"missing\",\"equals\":null}" },
		{ true, "{\"field\":\"missing\",\"exists\":false}" },
		{ false, "{\"field\":\"missing\",\"exists\":true}" },
		{ false, "{\"field\":\"license\",\"exists\":false}" },
		{ true, "{\"field\":\"/deep/er\",\"equals\":1}" },
		{ true, "{\"field\":\"deep/er\",\"equals\":1}" },
		{ true, "{\"field\":\"empty\",\"exists\":true}" },
		{ true, "{\"field\":\"object\",\"exists\":true}" },
		{ false, "{\"field\":\"object\",\"equals\":null}" },
		{ false, "{\"field\":\"empty\",\"equals\":null}" },
		{ false, "{\"field\":\"nested\",\"equals\":1}" },
		{ true, "{\"field\":\"nested\",\"exists\":true}" },
		{ true, "{\"field\":\"yes\",\"equals\":true}" },
		{ false, "{\"field\":\"yes\",\"equals\":false}" },
		{ false, "{\"field\":\"yes\",\"equals\":1}" },
		{ true,
		  "{\"hub\":3,\"types\":[\"CONTENT_TEXT_V0\"],\"field\":\"year\",\"from\":1}" },
		{ false, "{\"hub\":3,\"types\":[\"DATA_NONE_V0\"],\"field\":\"year\",\"from\":1}" },
	};
	(void)state;
	print_ids();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (holds(cases[i].filter, metadata) != cases[i].holds)
			fail_msg("%s", cases[i].filter);
	assert_false(holds("{\"field\":\"license\",\"exists\":true}", NULL));
	assert_true(holds("{\"not\":{\"field\":\"license\",\"equals\":\"CC0\"}}", NULL));
}

static void test_filter__what_is_no_filter_is_refused_with_its_place(void **state)
{
	static const char *const cases[][2] = {
		{ "[]", "filter: Input should be a valid dictionary" },
		{ "{", "filter: JSON: expected a member's name" },
		{ "{\"a\":1}", "filter.a: Unknown member: expected all, any" },
		{ "{\"hub\":1,\"hub\":2}", "filter.hub: This member is there twice" },
		{ "{\"all\":{}}", "filter.all: Input should be a valid list" },
		{ "{\"all\":[{},{\"any\":[{\"b\":1}]}]}", "filter.all.1.any.0.b: Unknown member" },
		{ "{\"not\":[]}", "filter.not: Input should be a valid dictionary" },
		{ "{\"hub\":4096}", "filter.hub: Expected a hub number, 0 to 4095" },
		{ "{\"hub\":-1}", "filter.hub: Expected a hub number" },
		{ "{\"hub\":1.0}", "filter.hub: Expected a hub number" },
		{ "{\"hub\":[1,\"2\"]}", "filter.hub.1: Expected a hub number" },
		{ "{\"iscc_id\":{}}", "filter.iscc_id: Expected from, to or both" },
		{ "{\"iscc_id\":{\"from\":1}}",
		  "filter.iscc_id.from: Input should be a valid string" },
		{ "{\"iscc_id\":{\"from\":\"ISCC:X\"}}", "filter.iscc_id.from: " },
		{ "{\"iscc_id\":{\"after\":\"x\"}}",
		  "filter.iscc_id.after: Unknown member: expected from" },
		{ "{\"time\":{\"from\":\"soon\"}}", "filter.time.from: Expected a time" },
		{ "{\"time\":{\"from\":null}}", "filter.time.from: " },
		{ "{\"time\":{\"from\":-1}}", "filter.time.from: Expected a time" },
		{ "{\"types\":[]}", "filter.types: List should have at least 1 item" },
		{ "{\"types\":[\"x\"]}", "filter.types.0: String should match" },
		{ "{\"types\":\"CONTENT_TEXT_V0\"}", "filter.types: Input should be a valid list" },
		{ "{\"field\":\"a\"}", "filter: Expected one test of the field" },
		{ "{\"equals\":1}", "filter: Expected the member field beside" },
		{ "{\"field\":\"a\",\"equals\":1,\"in\":[1]}", "filter: Expected one test" },
		{ "{\"field\":\"a\",\"equals\":1,\"from\":1}", "filter: Expected one test" },
		{ "{\"field\":\"\",\"equals\":1}", "filter.field: Expected a field: " },
		{ "{\"field\":\"/a~\",\"equals\":1}", "filter.field: Expected a field: " },
		{ "{\"field\":1,\"equals\":1}", "filter.field: Input should be a valid string" },
		{ "{\"field\":\"a\\u0000\",\"equals\":1}", "filter.field: String should match" },
		{ "{\"field\":\"a\",\"equals\":[1]}",
		  "filter.equals: Expected a string, a number" },
		{ "{\"field\":\"a\",\"equals\":{}}", "filter.equals: Expected a string, a number" },
		{ "{\"field\":\"a\",\"in\":1}", "filter.in: Input should be a valid list" },
		{ "{\"field\":\"a\",\"in\":[1,[2]]}", "filter.in.1: Expected a string, a number" },
		{ "{\"field\":\"a\",\"from\":true}", "filter.from: Expected a number or a string" },
		{ "{\"field\":\"a\",\"from\":null}", "filter.from: Expected a number or a string" },
		{ "{\"field\":\"a\",\"from\":1,\"to\":\"2\"}",
		  "filter.to: Expected from and to of one kind" },
		{ "{\"field\":\"a\",\"exists\":1}",
		  "filter.exists: Input should be a valid boolean" },
		{ "{\"any\":[{\"iscc_id\":{\"from\":\"ISCC:MAIGHXLN555Y2DFF\"}},"
		  "{\"iscc_id\":{\"from\":\"ISCC:MEIGHXLN555Y2DFF\"}}]}",
		  "filter.any.1.iscc_id.from: Expected ISCC-IDs of one realm" },
	};
	struct isx_arena arena = { 0 };
	const struct isx_filter *filter;
	struct isx_err err;
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (isx_filter_from_text(cases[i][0], &arena, &filter, &err) != ISX_INVALID ||
		    err.status != ISX_INVALID ||
		    strncmp(err.msg, cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s: %s", cases[i][0], err.msg);
		assert_null(filter);
	}
	isx_arena_release(&arena);
}

/* Read "OPEN ... PART, PART, ... CLOSE": `depth` times OPEN and CLOSE, and `count` parts. */
static enum isx_status read_many(const char *open, const char *part, const char *close,
				 size_t depth, size_t count, struct isx_err *err)
{
	struct isx_buf text = { 0 };
	struct isx_arena arena = { 0 };
	const struct isx_filter *filter;
	for (size_t i = 0; i < depth; i++)
		isx_buf_text(&text, open);
	for (size_t i = 0; i < count; i++) {
		isx_buf_text(&text, i ? "," : "");
		isx_buf_printf(&text, part, i);
	}
	for (size_t i = 0; i < depth; i++)
		isx_buf_text(&text, close);
	isx_buf_char(&text, '\0');
	assert_false(text.failed);
	enum isx_status st = isx_filter_from_text(text.ptr, &arena, &filter, err);
	isx_buf_release(&text);
	isx_arena_release(&arena);
	return st;
}

static void test_filter__its_size_is_bounded(void **state)
{
	enum { CONDITIONS = ISX_FILTER_CONDITIONS_MAX, VALUES = ISX_FILTER_VALUES_MAX };
	static const char in[] = "{\"field\":\"a\",\"in\":[";
	static const char field[] = "{\"field\":\"f%zu\",\"exists\":false}";
	struct isx_err err;
	(void)state;
	assert_int_equal(read_many("{\"any\":[", "{\"hub\":%zu}", "]}", 1, CONDITIONS, &err),
			 ISX_OK);
	assert_int_equal(read_many("{\"any\":[", "{\"hub\":%zu}", "]}", 1, CONDITIONS + 1, &err),
			 ISX_INVALID);
	assert_string_equal(err.msg, "filter.any: A filter has at most 1000 conditions");
	assert_int_equal(read_many("{\"all\":[", "{}", "]}", 1, CONDITIONS + 1, &err), ISX_INVALID);
	assert_int_equal(read_many(in, "%zu", "]}", 1, VALUES, &err), ISX_OK);
	assert_int_equal(read_many(in, "%zu", "]}", 1, VALUES + 1, &err), ISX_INVALID);
	assert_string_equal(err.msg, "filter.in: A filter lists at most 10000 values");
	assert_int_equal(read_many("{\"not\":", "{}", "}", ISX_FILTER_DEPTH_MAX - 1, 1, &err),
			 ISX_OK);
	assert_int_equal(read_many("{\"not\":", "{}", "}", ISX_FILTER_DEPTH_MAX, 1, &err),
			 ISX_INVALID);
	assert_non_null(strstr(err.msg, "Filters in filters are at most 16 deep"));
	assert_int_equal(read_many("{\"any\":[", field, "]}", 1, ISX_FIELDS_MAX, &err), ISX_OK);
	assert_int_equal(read_many("{\"any\":[", field, "]}", 1, ISX_FIELDS_MAX + 1, &err),
			 ISX_INVALID);
	assert_string_equal(err.msg, "filter.any.32.field: A filter names at most 32 fields, as an "
				     "index declares no more");
}

static void test_filter__undeclared_fields_are_refused(void **state)
{
	static const char *const fields[] = { "/license", "/creator/name" };
	struct isx_arena arena = { 0 };
	const struct isx_filter *filter;
	struct isx_err err;
	size_t field;
	(void)state;
	assert_int_equal(
		isx_filter_from_text("{\"field\":\"creator/name\",\"equals\":1,\"iscc_id\":"
				     "{\"from\":\"ISCC:MAIGHXLN555Y2DFF\"}}",
				     &arena, &filter, &err),
		ISX_OK);
	assert_int_equal(isx_filter_check(filter, fields, 2, true, 0, &err), ISX_OK);
	assert_int_equal(isx_filter_check(filter, fields, 2, false, 1, &err), ISX_OK);
	assert_int_equal(isx_filter_check(filter, fields, 2, true, 1, &err), ISX_INVALID);
	assert_non_null(strstr(err.msg, "realm 0"));
	assert_int_equal(isx_filter_check(filter, fields, 1, true, 0, &err), ISX_INVALID);
	assert_string_equal(
		err.msg, "field '/creator/name' is not declared for this index: declare it with "
			 "PUT /indexes/NAME/fields or `iscc-search index fields NAME FIELD --add`");
	assert_int_equal(isx_facet_check("creator/name", fields, 2, &arena, &field, &err), ISX_OK);
	assert_int_equal(field, 1);
	assert_int_equal(isx_facet_check("tenant", fields, 2, &arena, &field, &err), ISX_INVALID);
	assert_int_equal(isx_facet_check("~", fields, 2, &arena, &field, &err), ISX_INVALID);
	isx_arena_release(&arena);
}

static void test_filter__a_query_keeps_the_text(void **state)
{
	static const char text[] = "{\"filter\": {\"field\": \"a b\",  \"equals\": 1.50}, "
				   "\"facets\": [\"x\", \"/y\"]}";
	static const char *const refused[][2] = {
		{ "{\"filter\":[]}", "body.filter: Input should be a valid dictionary" },
		{ "{\"filter\":{\"all\":[{\"x\":1}]}}", "body.filter.all.0.x: Unknown member" },
		{ "{\"facets\":\"x\"}", "body.facets: Input should be a valid list" },
		{ "{\"facets\":[\"x\",\"\"]}", "body.facets.1: expected a field" },
		{ "{\"facets\":[\"x\",\"/x\"]}", "body.facets.1: the field /x is there twice" },
	};
	struct isx_arena arena = { 0 };
	struct isx_problems problems = { 0 };
	struct isx_query query;
	struct isx_buf json = { 0 };
	(void)state;
	struct isx_payload payload = { isx_span_of(text), true };
	assert_int_equal(isx_query_from_json(&payload, &arena, &query, &problems, NULL), ISX_OK);
	assert_string_equal(query.filter, "{\"field\":\"a b\",\"equals\":1.50}");
	assert_int_equal(query.facet_count, 2);
	isx_query_to_json(&json, &query);
	isx_buf_char(&json, '\0');
	assert_string_equal(json.ptr, "{\"filter\":{\"field\":\"a b\",\"equals\":1.50},"
				      "\"facets\":[\"x\",\"/y\"]}");
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		payload.text = isx_span_of(refused[i][0]);
		assert_int_equal(isx_query_from_json(&payload, &arena, &query, &problems, NULL),
				 ISX_SCHEMA);
		if (strncmp(problems.first, refused[i][1], strlen(refused[i][1])) != 0)
			fail_msg("%s: %s", refused[i][0], problems.first);
		isx_problems_release(&problems);
	}
	isx_buf_release(&json);
	isx_arena_release(&arena);
}

static void test_filter__reading_survives_want_of_memory(void **state)
{
	static const char text[] =
		"{\"any\":[{\"field\":\"a\",\"in\":[1,\"x\"]},{\"not\":{\"hub\":[1,2]}},"
		"{\"types\":[\"CONTENT_TEXT_V0\"],\"time\":{\"from\":\"2020-01-01\"}},{\"zzz\":1}]"
		"}";
	struct isx_arena arena = { 0 };
	const struct isx_filter *filter;
	struct isx_err err = { 0 };
	enum isx_status st = ISX_NO_MEMORY;
	(void)state;
	for (size_t i = 1; st == ISX_NO_MEMORY; i++) {
		assert_true(i < 1000);
		isx_mem_fail_after(i);
		st = isx_filter_from_text(text, &arena, &filter, &err);
		isx_mem_fail_after(0);
		isx_arena_release(&arena);
	}
	assert_int_equal(st, ISX_INVALID); /* the unknown member */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter__values_have_an_exact_order),
		cmocka_unit_test(test_filter__numbers_agree_with_doubles),
		cmocka_unit_test(test_filter__values_are_printed_as_people_write_them),
		cmocka_unit_test(test_filter__damaged_keys_are_printed_as_json),
		cmocka_unit_test(test_filter__pointers_follow_rfc_6901),
		cmocka_unit_test(test_filter__keys_with_escapes_are_names),
		cmocka_unit_test(test_filter__conditions_hold_for_one_asset),
		cmocka_unit_test(test_filter__what_is_no_filter_is_refused_with_its_place),
		cmocka_unit_test(test_filter__its_size_is_bounded),
		cmocka_unit_test(test_filter__undeclared_fields_are_refused),
		cmocka_unit_test(test_filter__a_query_keeps_the_text),
		cmocka_unit_test(test_filter__reading_survives_want_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
