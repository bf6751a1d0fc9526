/*
 * fuzz_filter.c - filters and the values of fields: a line with a filter, then metadata. No crash; not
 *                 FILTER holds where FILTER does not; and a value printed as JSON keeps its key.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/filter.h"

#include "json/field_value.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each value of a field, printed and read again, is the same value. */
static void check_values(struct isx_span metadata, const char *pointer)
{
	struct isx_field_walk walk = isx_field_walk_start(metadata, pointer);
	struct isx_buf key = { 0 }, again = { 0 }, json = { 0 };
	while (isx_field_walk_next(&walk, &key)) {
		struct isx_span first = { key.ptr, key.len };
		isx_buf_clear(&json);
		isx_buf_clear(&again);
		isx_value_to_json(&json, first);
		isx_value_key(&again, (struct isx_span){ json.ptr, json.len });
		if (first.ptr[0] != ISX_VALUE_OTHER &&
		    isx_value_compare(first, (struct isx_span){ again.ptr, again.len }) != 0)
			abort();
	}
	isx_buf_release(&key);
	isx_buf_release(&again);
	isx_buf_release(&json);
}

/* Evaluate a filter and its opposite on an asset. */
static void check_filter(const char *text, struct isx_span metadata, struct isx_arena *arena)
{
	const struct isx_filter *filter;
	bool holds, holds_not;
	if (isx_filter_from_text(text, arena, &filter, NULL) || !filter)
		return;
	const struct isx_condition *root = &filter->root;
	const struct isx_filter not = {
		.root = { .kind = ISX_FILTER_NOT, .parts = root, .part_count = 1 },
		.fields = filter->fields,
		.field_count = filter->field_count
	};
	struct isx_asset asset = {
		.iscc_code = "ISCC:KACT4EBWK27737D2AYCJRAL5Z36G76RFRMO4554RU26HZ4ORJGIVHDI",
		.metadata = isx_arena_text(arena, metadata.ptr, metadata.len)
	};
	if (isx_filter_holds(filter, 5, &asset, arena, &holds, NULL) ||
	    isx_filter_holds(&not, 5, &asset, arena, &holds_not, NULL) || holds == holds_not)
		abort();
	for (size_t i = 0; i < filter->field_count; i++)
		check_values(isx_span_of(asset.metadata), filter->fields[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct isx_span metadata, all = { (const char *)data, size };
	struct isx_span filter = isx_span_cut(all, '\n', &metadata);
	struct isx_arena arena = { 0 };
	size_t offset;
	if (!isx_json_check(metadata, &offset, NULL)) {
		const char *text = isx_arena_text(&arena, filter.ptr, filter.len);
		check_filter(text, isx_span_trim(metadata), &arena);
	}
	isx_arena_release(&arena);
	return 0;
}
