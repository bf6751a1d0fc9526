/*
 * test_json.c - values are read where they stand, and reading takes a bounded amount of memory.
 *
 * To measure memory this program defines malloc() itself; sanitizers bring their own, so builds
 * with them leave that part out.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/json.h"

#include "base/limits.h"
#include "json/wire.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_MEMORY false
static size_t live, peak;
#else
#define COUNTS_MEMORY true
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t bytes);
extern void __libc_free(void *memory);

static size_t live, peak; /* bytes allocated now, and at most */

static void *taken(void *memory)
{
	live += malloc_usable_size(memory);
	peak = live > peak ? live : peak;
	return memory;
}

void *malloc(size_t bytes)
{
	return taken(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t size)
{
	return taken(__libc_calloc(count, size));
}

void *realloc(void *old, size_t bytes)
{
	size_t before = malloc_usable_size(old);
	void *memory = __libc_realloc(old, bytes);
	if (!memory)
		return NULL;
	live -= before;
	return taken(memory);
}

void free(void *memory)
{
	live -= malloc_usable_size(memory);
	__libc_free(memory);
}
#endif

static struct isx_arena arena;

static int release_arena(void **state)
{
	(void)state;
	isx_arena_release(&arena);
	return 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static void test_json__kinds(void **state)
{
	static const struct {
		const char *text;
		enum isx_json_kind kind;
	} cases[] = {
		{ "", ISX_JSON_NULL },       { "null", ISX_JSON_NULL },
		{ "true", ISX_JSON_BOOL },   { "false", ISX_JSON_BOOL },
		{ "0", ISX_JSON_INT },       { "-12", ISX_JSON_INT },
		{ "1.0", ISX_JSON_DOUBLE },  { "1e3", ISX_JSON_DOUBLE },
		{ "-1E3", ISX_JSON_DOUBLE }, { "\"1.0\"", ISX_JSON_STRING },
		{ "[]", ISX_JSON_ARRAY },    { "{}", ISX_JSON_OBJECT },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(isx_json_kind(isx_span_of(cases[i].text)), cases[i].kind);
}

static void test_json__whole_numbers_are_exact_and_clamped(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} cases[] = {
		{ "0", 0 },
		{ "-0", 0 },
		{ "-7", -7 },
		{ "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", INT64_MAX },
		{ "123456789012345678901234567890", INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
		{ "-9223372036854775809", INT64_MIN },
		{ "true", 1 },
		{ "false", 0 },
		{ "null", 0 },
		{ "\"5\"", 0 },
		{ "1.5", 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_true(isx_json_int(isx_span_of(cases[i].text)) == cases[i].value);
}

static void test_json__numbers_of_any_length(void **state)
{
	static const struct {
		const char *text;
		double value;
	} cases[] = {
		{ "0.10", 0.1 },
		{ "-1.5E-3", -0.0015 },
		{ "1e21", 1e21 },
		{ "9223372036854775807", 9223372036854775807.0 },
		{ "true", 1 },
		{ "\"5\"", 0 },
		{ "0.10000000000000000000000000000000000000000000000000000000000000000000000",
		  0.1 },
		{ "1.00000000000000000000000000000000000000000000000000000000000000000e2", 100 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		/* copied without its NUL, so that reading beyond its end shows */
		size_t len = strlen(cases[i].text);
		char *text = memcpy(malloc(len), cases[i].text, len);
		double value = -1;
		assert_true(isx_json_number((struct isx_span){ text, len }, &value));
		assert_true(value == cases[i].value);
		free(text);
	}
}

static void test_json__the_last_of_members_with_one_name_counts(void **state)
{
	static const char *const names[] = { "a", "b", "c", "nothing" };
	struct isx_span found[4];
	(void)state;
	isx_json_find(
		isx_span_of(" {\"a\":1,\"b\":{\"a\":3},\"\\u0061\":[2],\"c\":null,\"aa\":4} "),
		names, 4, found);
	assert_true(isx_span_is(found[0], "[2]"));
	assert_true(isx_span_is(found[1], "{\"a\":3}"));
	assert_true(isx_span_is(found[2], "null"));
	assert_int_equal(found[3].len, 0);
	isx_json_find(isx_span_of("[\"a\",1]"), names, 4, found);
	assert_int_equal(found[0].len, 0);
}

static void test_json__elements_and_their_members_are_found_in_one_walk(void **state)
{
	static const char *const names[] = { "a", "b" };
	struct isx_json_walk walk = isx_json_walk_start(
		isx_span_of("[ {\"b\":[{\"a\":0}],\"a\":{}} ,7, [{\"a\":1}],{},\"a\"]"));
	static const char *const wanted[][3] = { { "{\"b\":[{\"a\":0}],\"a\":{}}", "{}",
						   "[{\"a\":0}]" },
						 { "7", "", "" },
						 { "[{\"a\":1}]", "", "" },
						 { "{}", "", "" },
						 { "\"a\"", "", "" } };
	struct isx_span found[2], element;
	(void)state;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		assert_true(isx_json_next_find(&walk, names, 2, found, &element));
		assert_true(isx_span_is(element, wanted[i][0]));
		assert_true(isx_span_is(found[0], wanted[i][1]));
		assert_true(isx_span_is(found[1], wanted[i][2]));
	}
	assert_false(isx_json_next_find(&walk, names, 2, found, &element));
}

static void test_json__strings(void **state)
{
	struct isx_span text;
	(void)state;
	assert_true(isx_json_string(
		isx_span_of("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00 \xC3\xA9\""), &arena,
		&text));
	assert_string_equal(text.ptr, "\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80 \xC3\xA9");
	assert_true(isx_json_string(isx_span_of("\"a\\u0000b\""), &arena, &text));
	assert_int_equal(text.len, 3);
	assert_memory_equal(text.ptr, "a\0b", 4);
	assert_true(isx_json_string(isx_span_of("\"\""), &arena, &text));
	assert_string_equal(text.ptr, "");
	assert_true(isx_json_string(isx_span_of("12"), &arena, &text));
	assert_null(text.ptr);
}

static void test_json__a_name_with_nul_is_no_other_name(void **state)
{
	struct isx_span object = isx_span_of("{\"metadata\\u0000x\":{},\"\\u0000\":1,\"x\":2}");
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value;
	(void)state;
	assert_int_equal(isx_json_member(object, "metadata").len, 0);
	assert_int_equal(isx_json_member(object, "").len, 0);
	assert_true(isx_json_next_member(&walk, &key, &value));
	assert_string_equal(isx_json_name(key, &arena), "metadata\x01x");
}

/* --- what a body may be ----------------------------------------------------------------------- */

static enum isx_status read_assets(const char *body, struct isx_asset **assets, size_t *count,
				   struct isx_problems *problems)
{
	struct isx_payload payload = { isx_span_of(body), true };
	assert_int_equal(isx_payload_check(&payload, problems, NULL), ISX_OK);
	return isx_assets_from_json(&payload, &arena, assets, count, problems, NULL);
}

#define ID       "\"iscc_id\":\"ISCC:MAIGHXLN555Y2DFF\""
#define SIMPRINT "{\"simprint\":\"AAAAAAAAAAA\",\"offset\":0,\"size\":1}"

static void test_json__the_last_simprints_of_a_type_count(void **state)
{
	struct isx_problems problems = { 0 };
	struct isx_asset *assets;
	size_t count;
	(void)state;
	assert_int_equal(read_assets("[{" ID ",\"simprints\":{\"A\":[],\"B\":[" SIMPRINT
				     "],\"\\u0041\":[" SIMPRINT "," SIMPRINT "]}}]",
				     &assets, &count, &problems),
			 ISX_OK);
	assert_int_equal(count, 1);
	assert_int_equal(assets[0].simprint_count, 3);
	assert_string_equal(assets[0].simprints[0].type, "A"); /* at the place of its first */
	assert_string_equal(assets[0].simprints[1].type, "A");
	assert_string_equal(assets[0].simprints[2].type, "B");
	assert_string_equal(assets[0].simprints[2].simprint, "AAAAAAAAAAA");
}

/* An asset with this many types of simprints, one of them twice. */
static enum isx_status read_types(int types, struct isx_problems *problems)
{
	struct isx_buf body = { 0 };
	struct isx_asset *assets;
	size_t count;
	isx_buf_text(&body, "[{" ID ",\"simprints\":{\"0\":[" SIMPRINT "]");
	for (int i = 1; i < types; i++)
		isx_buf_printf(&body, ",\"%d\":[" SIMPRINT "]", i);
	isx_buf_text(&body, ",\"0\":[" SIMPRINT "]}}]");
	isx_buf_char(&body, '\0');
	enum isx_status st = read_assets(body.ptr, &assets, &count, problems);
	if (!st)
		assert_int_equal(assets[0].simprint_count, types);
	isx_buf_release(&body);
	return st;
}

static void test_json__types_of_simprints_have_a_ceiling(void **state)
{
	struct isx_problems problems = { 0 };
	(void)state;
	assert_int_equal(read_types(ISX_TYPE_NAMES_MAX, &problems), ISX_OK);
	assert_int_equal(read_types(ISX_TYPE_NAMES_MAX + 1, &problems), ISX_SCHEMA);
	assert_string_equal(problems.first,
			    "body.0.simprints: Dictionary should have at most 128 items");
	isx_problems_release(&problems);
}

static void test_json__assets_behind_a_problem_are_only_checked(void **state)
{
	struct isx_problems problems = { 0 };
	struct isx_asset *assets;
	struct isx_buf json = { 0 };
	size_t count;
	(void)state;
	assert_int_equal(read_assets("[{" ID
				     ",\"metadata\":{\"n\":1.0}},{},{\"units\":[\"x\",\"y\"]},{}"
				     ",{" ID "}]",
				     &assets, &count, &problems),
			 ISX_OK);
	assert_int_equal(count, 3); /* up to the second that is too short for an ISCC-ID */
	assert_string_equal(assets[0].metadata, "{\"n\":1.0}");
	assert_null(assets[1].iscc_id);
	assert_int_equal(read_assets("[{" ID "},1,{},{\"iscc_id\":2}]", &assets, &count, &problems),
			 ISX_SCHEMA);
	assert_int_equal(problems.count, 2);
	isx_problems_to_json(&json, &problems);
	isx_buf_char(&json, '\0');
	assert_non_null(strstr(json.ptr, "\"loc\":[\"body\",1]"));
	assert_non_null(strstr(json.ptr, "\"loc\":[\"body\",3,\"iscc_id\"]"));
	isx_problems_release(&problems);
	isx_buf_release(&json);
}

static void test_json__problems_are_listed_up_to_a_ceiling(void **state)
{
	struct isx_problems problems = { 0 };
	struct isx_buf json = { 0 };
	const struct isx_place body = { .name = "body" };
	size_t offset, count = 0;
	struct isx_span element, last = { 0 };
	(void)state;
	for (int i = 0; i < ISX_PROBLEMS_MAX; i++)
		isx_problem_add(&problems, "string_type", &body, "wrong", isx_span_of("0"));
	isx_problems_to_json(&json, &problems);
	assert_int_equal(isx_json_length((struct isx_span){ json.ptr, json.len }),
			 ISX_PROBLEMS_MAX);
	isx_buf_clear(&json);
	for (int i = 0; i < 41; i++)
		isx_problem_add(&problems, "string_type", &body, "wrong", isx_span_of("0"));
	isx_problems_to_json(&json, &problems);
	struct isx_span list = { json.ptr, json.len };
	assert_int_equal(isx_json_check(list, &offset, NULL), ISX_OK);
	struct isx_json_walk walk = isx_json_walk_start(list);
	for (; isx_json_next_element(&walk, &element); count++)
		last = element;
	assert_int_equal(count, ISX_PROBLEMS_MAX + 1);
	assert_true(isx_span_is(isx_json_member(last, "msg"),
				"\"and 41 more problems, which are not listed\""));
	isx_problems_release(&problems);
	isx_buf_release(&json);
}

static void test_json__texts_in_utf_16_are_named(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "\xFF\xFE[\0]\0", 6 }, { "\xFE\xFF\0[\0]", 6 },      { "[\0]\0", 4 },
		{ "\0[\0]", 4 },         { "\xFF\xFE\0\0[\0\0\0", 8 }, { "\0\0\0[", 4 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct isx_payload payload = { { cases[i].bytes, cases[i].len }, true };
		struct isx_problems problems = { 0 };
		struct isx_err err;
		assert_int_equal(isx_payload_check(&payload, &problems, &err), ISX_SCHEMA);
		assert_string_equal(err.msg, "body.0: JSON: expected UTF-8, but this is UTF-16 or "
					     "UTF-32: convert it");
		isx_problems_release(&problems);
	}
	struct isx_payload marked = { isx_span_of("\xEF\xBB\xBF[]"), true };
	assert_int_equal(isx_payload_check(&marked, NULL, NULL), ISX_OK);
	assert_true(isx_span_is(marked.text, "[]"));
}

/* --- memory ----------------------------------------------------------------------------------- */

enum { BODY_BYTES = 2 << 20, SPARE_BYTES = 1 << 20 /* the first blocks, and the problems */ };

/* Kinds of bodies: their beginning, the part that is repeated (with a number for #), and their
 * end. */
static const struct {
	const char *before, *repeated, *after;
} shapes[] = {
	{ "[", "0", "]" },
	{ "[", "{}", "]" },
	{ "[", "[]", "]" },
	{ "[", "\"\"", "]" },
	{ "[", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "]" },
	{ "[", "{\"a\":{\"a\":{\"a\":{}}}}", "]" },
	{ "[", "{" ID "}", "]" },
	{ "[", "{\"iscc_id\":\"x\"}", "]" },
	{ "[", "{" ID "," ID "}", "]" },
	{ "[", "{" ID ",\"units\":[\"\",\"\"]}", "]" },
	{ "[", "{" ID ",\"units\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}",
	  "]" },
	{ "[", "{\"units\":[\"\",\"\"],\"metadata\":{}}", "]" },
	{ "[", "{" ID ",\"simprints\":{\"\":[]}}", "]" },
	{ "[", "{" ID ",\"simprints\":{\"A\":[" SIMPRINT "]}}", "]" },
	{ "[", "{" ID ",\"metadata\":{\"a\":[{},{},[],[],0,0,\"\",\"\"]}}", "]" },
	{ "[{" ID ",\"metadata\":{\"a\":[", "{}", "]}}]" },
	{ "[{" ID ",\"metadata\":{", "\"#\":0", "}}]" },
	{ "[{" ID ",\"metadata\":[", "0", "]}]" },
	{ "[{" ID ",\"unknown\":[", "[]", "]}]" },
	{ "[{", "\"#\":0", "}]" },
	{ "[{", ID, "}]" },
	{ "[{", "\"metadata\":{\"a\":{}}", "}]" },
	{ "[{" ID ",\"units\":[", "\"\"", "]}]" },
	{ "[{" ID ",\"units\":[", "0", "]}]" },
	{ "[{" ID ",\"simprints\":{", "\"#\":[]", "}}]" },
	{ "[{" ID ",\"simprints\":{", "\"A\":[]", "}}]" },
	{ "[{" ID ",\"simprints\":{\"A\":[", "0", "]}}]" },
	{ "[{" ID ",\"simprints\":{\"A\":[", "{}", "]}}]" },
	{ "[{" ID ",\"simprints\":{\"A\":[", SIMPRINT, "]}}]" },
	{ "[{" ID ",\"simprints\":{\"A\":[", "{\"simprint\":\"\",\"offset\":\"0\",\"size\":[]}",
	  "]}}]" },
	{ "{\"units\":[", "\"\"", "]}" },
	{ "{\"units\":[", "[]", "]}" },
	{ "{\"simprints\":{\"A\":[", "\"A\"", "]}}" },
	{ "{\"simprints\":{\"A\":[", "\"\"", "]}}" },
	{ "{\"simprints\":{\"A\":[", "0", "]}}" },
	{ "{\"simprints\":{", "\"#\":[\"A\"]", "}}" },
	{ "{\"simprints\":{", "\"A\":[\"A\"]", "}}" },
	{ "{\"unknown\":[", "{}", "]}" },
	{ "{", "\"#\":{}", "}" },
	{ "{\"name\":\"a\",\"sizes\":{", "\"#\":0", "}}" },
	{ "{\"name\":\"a\",\"assets\":", "0", "}" }, /* made one long number below */
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

/* A body of BODY_BYTES at least. */
static struct isx_buf make_body(const char *before, const char *repeated, const char *after,
				const char *comma)
{
	struct isx_buf body = { 0 };
	isx_buf_text(&body, before);
	for (int i = 0; body.len < BODY_BYTES; i++) {
		isx_buf_text(&body, i ? comma : "");
		const char *number = strchr(repeated, '#');
		isx_buf_add(&body, repeated,
			    number ? (size_t)(number - repeated) : strlen(repeated));
		if (number)
			isx_buf_printf(&body, "%x%s", i, number + 1);
	}
	isx_buf_text(&body, after);
	assert_false(body.failed);
	return body;
}

/* Read a body with every reader; returns the most memory that one of them took. */
static size_t most_memory(struct isx_span text)
{
	size_t most = 0;
	for (int way = 0; way < 4; way++) {
		struct isx_payload payload = { text, true };
		struct isx_problems problems = { 0 };
		struct isx_buf answer = { 0 };
		struct isx_asset *assets, asset;
		struct isx_query query;
		const char *name = NULL;
		size_t count, before = live;
		peak = live;
		assert_int_equal(isx_payload_check(&payload, &problems, NULL), ISX_OK);
		if (way == 0)
			(void)!isx_assets_from_json(&payload, &arena, &assets, &count, &problems,
						    NULL);
		else if (way == 1)
			(void)!isx_query_from_json(&payload, &arena, &query, &problems, NULL);
		else if (way == 2)
			(void)!isx_index_from_json(&payload, &arena, &name, &problems, NULL);
		else
			(void)!isx_asset_from_stored(text, &arena, &asset, NULL);
		isx_problems_to_json(&answer, &problems);
		assert_true(answer.len < SPARE_BYTES);
		most = peak - before > most ? peak - before : most;
		isx_buf_release(&answer);
		isx_problems_release(&problems);
		isx_arena_release(&arena);
		assert_true(live == before || !COUNTS_MEMORY);
	}
	return most;
}

static void expect_bound(struct isx_buf *body, const char *what)
{
	size_t bound = ISX_JSON_BYTES_PER_BYTE * body->len + SPARE_BYTES;
	size_t most = most_memory((struct isx_span){ body->ptr, body->len });
	if (most > bound)
		fail_msg("%s: %zu bytes take %zu, %.1f times as many", what, body->len, most,
			 (double)most / (double)body->len);
	isx_buf_release(body);
}

static void test_json__no_body_takes_more_than_a_small_multiple_of_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		bool number = i + 1 == SHAPES;
		struct isx_buf body = make_body(shapes[i].before, number ? "1" : shapes[i].repeated,
						shapes[i].after, number ? "" : ",");
		expect_bound(&body, shapes[i].repeated);
	}
}

/* One text as long as the body, wherever a text may stand, with and without escapes. */
static void test_json__no_long_text_takes_more_than_a_small_multiple_of_itself(void **state)
{
	static const char *const places[][2] = {
		{ "[{\"iscc_id\":\"", "\"}]" },
		{ "[{" ID ",\"iscc_code\":\"", "\"}]" },
		{ "[{" ID ",\"units\":[\"", "\",\"\"]}]" },
		{ "[{" ID ",\"simprints\":{\"", "\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}}]" },
		{ "[{" ID ",\"simprints\":{\"A\":[{\"simprint\":\"",
		  "\",\"offset\":0,\"size\":0}]}}]" },
		{ "[{" ID ",\"simprints\":{\"A\":[{\"simprint\":\"AAAAAAAAAAA\",\"offset\":\"",
		  "\"}]}}]" },
		{ "[{" ID ",\"metadata\":{\"a\":\"", "\"}}]" },
		{ "[{" ID ",\"", "\":0}]" },
		{ "{\"iscc_code\":\"", "\"}" },
		{ "{\"simprints\":{\"", "\":[\"A\",0,0,0,0,0,0,0,0,0,0]}}" },
		{ "{\"name\":\"", "\"}" },
		{ "{\"name\":\"a\",\"sizes\":{\"", "\":[]}}" },
	};
	static const char *const texts[] = { "0", "\\u0041", "\\n", "\\ud83d\\ude00", "\xC3\xA9" };
	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
			struct isx_buf body = make_body(places[i][0], texts[k], places[i][1], "");
			expect_bound(&body, places[i][0]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json__kinds),
		cmocka_unit_test(test_json__whole_numbers_are_exact_and_clamped),
		cmocka_unit_test(test_json__numbers_of_any_length),
		cmocka_unit_test(test_json__the_last_of_members_with_one_name_counts),
		cmocka_unit_test(test_json__elements_and_their_members_are_found_in_one_walk),
		cmocka_unit_test_teardown(test_json__strings, release_arena),
		cmocka_unit_test_teardown(test_json__types_of_simprints_have_a_ceiling,
					  release_arena),
		cmocka_unit_test_teardown(test_json__a_name_with_nul_is_no_other_name,
					  release_arena),
		cmocka_unit_test_teardown(test_json__the_last_simprints_of_a_type_count,
					  release_arena),
		cmocka_unit_test_teardown(test_json__assets_behind_a_problem_are_only_checked,
					  release_arena),
		cmocka_unit_test(test_json__problems_are_listed_up_to_a_ceiling),
		cmocka_unit_test(test_json__texts_in_utf_16_are_named),
		cmocka_unit_test(test_json__no_body_takes_more_than_a_small_multiple_of_itself),
		cmocka_unit_test(
			test_json__no_long_text_takes_more_than_a_small_multiple_of_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
