/*
 * fuzz_json.c - bodies of requests: no crash, and accepted values survive being written and read
 *               again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/json.h"
#include "json/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An accepted asset, written as it is stored, reads back and is written the same. */
static void check_stored(const struct isx_asset *asset)
{
	struct isx_buf first = { 0 }, second = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_asset again;
	struct isx_err err;
	isx_asset_to_json(&first, asset);
	if (isx_asset_from_stored((struct isx_span){ first.ptr, first.len }, &arena, &again, &err))
		abort();
	isx_asset_to_json(&second, &again);
	if (first.len != second.len || memcmp(first.ptr, second.ptr, first.len) != 0)
		abort();
	isx_buf_release(&first);
	isx_buf_release(&second);
	isx_arena_release(&arena);
}

/* Repairing any text gives a text that can be walked; repairing JSON gives JSON. */
static void check_repair(struct isx_span text, bool is_json)
{
	struct isx_buf buf = { 0 };
	size_t offset;
	isx_json_repair(&buf, text);
	if (is_json && isx_json_check((struct isx_span){ buf.ptr, buf.len }, &offset, NULL))
		abort();
	(void)isx_json_member(text, "metadata");
	isx_buf_release(&buf);
}

/* A string has the same value when it is written again; a number is a valid number. */
static void check_value(struct isx_span value, struct isx_arena *arena)
{
	struct isx_buf quoted = { 0 };
	struct isx_span text, again;
	double number;
	if (!isx_json_string(value, arena, &text) || !isx_json_number(value, &number))
		abort();
	if (isx_json_kind(value) == ISX_JSON_INT && (double)isx_json_int(value) != number)
		abort();
	isx_json_quote(&quoted, text);
	if (!isx_json_string((struct isx_span){ quoted.ptr, quoted.len }, arena, &again) ||
	    again.len != text.len || (text.len && memcmp(again.ptr, text.ptr, text.len) != 0))
		abort();
	isx_buf_release(&quoted);
}

static bool is_same(struct isx_span a, struct isx_span b)
{
	return a.len == b.len && (a.len == 0 || a.ptr == b.ptr);
}

/* The two ways through an array see the same elements and members, and each can be read. */
static void check_walks(struct isx_span array, struct isx_arena *arena)
{
	static const char *const names[] = { "units", "a" };
	struct isx_json_walk walk = isx_json_walk_start(array), other = walk;
	struct isx_span element, same, found[2], again[2];
	if (isx_json_kind(array) != ISX_JSON_ARRAY)
		return;
	while (isx_json_next_element(&walk, &element)) {
		isx_json_find(element, names, 2, found);
		if (!isx_json_next_find(&other, names, 2, again, &same) ||
		    !is_same(element, same) || !is_same(found[0], again[0]) ||
		    !is_same(found[1], again[1]))
			abort();
		check_value(element, arena);
		check_value(found[0], arena);
	}
	if (isx_json_next_find(&other, names, 2, again, &same))
		abort();
}

/* What another server answers. Whatever could be read can be written as JSON again. */
static void check_answers(struct isx_span text, struct isx_arena *arena)
{
	struct isx_index_stats stats;
	struct isx_comparison comparison = { 0 };
	struct isx_buf json = { 0 };
	size_t offset;
	if (!isx_stats_from_answer(text, arena, &stats, NULL))
		isx_stats_to_json(&json, "main", &stats);
	if (json.len && isx_json_check((struct isx_span){ json.ptr, json.len }, &offset, NULL))
		abort();
	isx_buf_clear(&json);
	if (!isx_comparison_from_answer(text, arena, &comparison, NULL))
		isx_comparison_to_json(&json, &comparison);
	if (json.len && isx_json_check((struct isx_span){ json.ptr, json.len }, &offset, NULL))
		abort();
	isx_buf_release(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct isx_payload payload = { { (const char *)data, size }, true };
	struct isx_problems problems = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_asset *assets;
	struct isx_query query;
	struct isx_work a, b;
	const char *name;
	size_t count;
	bool is_json = isx_payload_check(&payload, &problems, NULL) == ISX_OK;
	check_repair(payload.text, is_json);
	if (is_json) {
		check_walks(isx_span_trim(payload.text), &arena);
		check_answers(isx_span_trim(payload.text), &arena);
		if (!isx_assets_from_json(&payload, &arena, &assets, &count, &problems, NULL))
			for (size_t i = 0; i < count; i++)
				check_stored(&assets[i]);
		(void)!isx_query_from_json(&payload, &arena, &query, &problems, NULL);
		(void)!isx_compare_from_json(&payload, &arena, &a, &b, &query, &problems, NULL);
		(void)!isx_index_from_json(&payload, &arena, &name, &problems, NULL);
	}
	isx_problems_release(&problems);
	isx_arena_release(&arena);
	return 0;
}
