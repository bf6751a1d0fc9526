/*
 * facets.c - sort the counted values of a field, and print the most frequent ones.
 *
 * Pure functions on memory. Whatever has counted them, a table or a walk over all matches, the answer is
 * the same: the order is total.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/facets.h"

#include "base/limits.h"
#include "json/field_value.h"

#include <stdlib.h>

/* Order of qsort(): the most frequent first, and equal ones in the order of their values. */
static int by_count(const void *left, const void *right)
{
	const struct isx_counted *a = left, *b = right;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return isx_value_compare(a->key, b->key);
}

enum isx_status isx_facet_fill(struct isx_counted *counted, size_t count, isx_counted_fn *print,
			       void *arg, struct isx_arena *arena, struct isx_facet *facet,
			       struct isx_err *err)
{
	const size_t shown = count < ISX_FACET_VALUES_MAX ? count : ISX_FACET_VALUES_MAX;
	struct isx_facet_value *values = isx_arena_alloc(arena, shown, sizeof *values);
	enum isx_status st = values ? ISX_OK : isx_fail_memory(err);
	if (count)
		qsort(counted, count, sizeof *counted, by_count);
	for (size_t i = 0; !st && i < shown; i++) {
		values[i].count = counted[i].count;
		st = print(&counted[i], arg, arena, &values[i].value, err);
	}
	for (size_t i = shown; i < count; i++)
		facet->others += counted[i].count;
	facet->values = values;
	facet->value_count = shown;
	return st;
}

enum isx_status isx_counted_print(const struct isx_counted *counted, void *arg,
				  struct isx_arena *arena, const char **text, struct isx_err *err)
{
	struct isx_buf json = { 0 };
	(void)arg;
	isx_value_to_json(&json, counted->key);
	enum isx_status st = isx_buf_status(&json, err);
	*text = st ? NULL : isx_arena_text(arena, json.ptr, json.len);
	if (!st && !*text)
		st = isx_fail_memory(err);
	isx_buf_release(&json);
	return st;
}
