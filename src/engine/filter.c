/*
 * filter.c - evaluate a filter on one asset, and check whether an index can be asked with it.
 *
 * The metadata is walked again for each condition, without a tree: one pass over the text for each.
 * Recursion is bounded by ISX_FILTER_DEPTH_MAX, as the tree is. Must not know tables.
 *
 * It is the definition of what a filter means. Tables (storage/lmdb_filter.c) find the same assets
 * faster, and come back to it for what they do not have.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/filter.h"

#include "engine/asset_units.h"
#include "iscc/iscc_id.h"
#include "json/field_value.h"
#include "json/pointer.h"

/* What the evaluation of one filter shares. */
struct subject {
	const struct isx_filter *filter;
	uint64_t id;
	const struct isx_asset *asset;
	struct isx_arena *arena;
	struct isx_buf key; /* of the value that is looked at */
};

/* The position in `fields`, or `count`. */
static size_t find_field(const char *pointer, const char *const *fields, size_t count)
{
	size_t i = 0;
	while (i < count && strcmp(fields[i], pointer) != 0)
		i++;
	return i;
}

/* The name is cut, so that what to do stays in the message. A filter on a field that is not
 * declared is refused and not evaluated by reading all assets: the time of a search must not
 * depend on a field that was forgotten. */
static enum isx_status fail_undeclared(const char *pointer, struct isx_err *err)
{
	return isx_fail(err, ISX_INVALID,
			"field '%.100s' is not declared for this index: declare it with PUT "
			"/indexes/NAME/fields or `iscc-search index fields NAME FIELD --add`",
			pointer);
}

/* An index without assets has no realm yet, and finds nothing whatever the filter says. Checked
 * before the search, once: a filter that can match nothing by mistake is told, instead of an empty
 * answer. Names are compared pairwise, 32 with 32 at most. */
enum isx_status isx_filter_check(const struct isx_filter *filter, const char *const *fields,
				 size_t field_count, bool has_realm, uint32_t realm,
				 struct isx_err *err)
{
	for (size_t i = 0; i < filter->field_count; i++)
		if (find_field(filter->fields[i], fields, field_count) == field_count)
			return fail_undeclared(filter->fields[i], err);
	if (filter->has_realm && has_realm && filter->realm != realm)
		return isx_fail(err, ISX_INVALID,
				"filter: its ISCC-IDs are of realm %u, and the index is of realm "
				"%u",
				filter->realm, realm);
	return ISX_OK;
}

enum isx_status isx_facet_check(const char *name, const char *const *fields, size_t field_count,
				struct isx_arena *arena, size_t *field, struct isx_err *err)
{
	const char *pointer;
	enum isx_status st = isx_pointer_read(isx_span_of(name), arena, &pointer, err);
	if (st)
		return st;
	if (!pointer)
		return isx_fail(err, ISX_INVALID, "facets: '%.64s': " ISX_POINTER_RULE, name);
	*field = find_field(pointer, fields, field_count);
	return *field < field_count ? ISX_OK : fail_undeclared(pointer, err);
}

/* --- one asset ----------------------------------------------------------------------------------- */

/* Linear: an asset has at most ISX_UNITS_MAX units, and a condition as many types. All units of
 * the asset count, also shorter forms of others: a client asks what the asset has, and not which
 * rows a search compares. */
static enum isx_status has_types(const struct subject *subject,
				 const struct isx_condition *condition, bool *holds,
				 struct isx_err *err)
{
	struct isx_indexed_unit *units;
	size_t count;
	enum isx_status st = isx_asset_units_all(subject->asset, subject->arena, &units, &count,
						 err);
	if (st == ISX_INVALID) /* 0.3.3 stores units that are none */
		count = 0;
	else if (st)
		return st;
	*holds = true;
	for (size_t i = 0; i < condition->type_count; i++) {
		size_t u = 0;
		while (u < count && strcmp(units[u].type, condition->types[i]) != 0)
			u++;
		*holds &= u < count;
	}
	return ISX_OK;
}

/* By halving: the values of a condition are sorted. */
static bool is_listed(const struct isx_condition *condition, struct isx_span key)
{
	size_t low = 0, high = condition->value_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = isx_value_compare(condition->values[middle], key);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Both ends are of one kind, and a value of another kind is in no range. `from` is a part of the
 * range and `to` is not, as with ISCC-IDs and times. */
static bool is_in_range(const struct isx_condition *condition, struct isx_span key)
{
	struct isx_span from = condition->from, to = condition->to;
	if (key.ptr[0] != (from.len ? from : to).ptr[0])
		return false;
	return (!from.len || isx_value_compare(from, key) <= 0) &&
	       (!to.len || isx_value_compare(key, to) < 0);
}

/* Ends at the first value of the field that meets the condition. */
static enum isx_status has_value(struct subject *subject, const struct isx_condition *condition,
				 bool *holds, struct isx_err *err)
{
	struct isx_span metadata = isx_span_of(subject->asset->metadata);
	struct isx_field_walk walk =
		isx_field_walk_start(metadata, subject->filter->fields[condition->field]);
	*holds = false;
	while (!*holds && isx_field_walk_next(&walk, &subject->key)) {
		struct isx_span key = { subject->key.ptr, subject->key.len };
		if (subject->key.failed)
			return isx_buf_status(&subject->key, err);
		*holds = condition->kind == ISX_FILTER_EXISTS ||
			 (condition->kind == ISX_FILTER_IN ? is_listed(condition, key)
							   : is_in_range(condition, key));
	}
	return ISX_OK;
}

/* Linear: a list of hubs is short in practice, and ISX_FILTER_VALUES_MAX at most. */
static bool is_hub(const struct isx_condition *condition, uint64_t id)
{
	const uint32_t hub = isx_iscc_id_hub(&(struct isx_iscc_id){ .body = id });
	return condition->hubs[hub / 8] >> hub % 8 & 1;
}

/* Parts are evaluated in the order of the filter, and only until one decides: a client may put what is cheap
 * in front. The two kinds of tests of a field end up in has_value(). */
static enum isx_status evaluate(struct subject *subject, const struct isx_condition *condition,
				bool *holds, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	bool is_any = condition->kind == ISX_FILTER_ANY;
	switch (condition->kind) {
	case ISX_FILTER_ALL:
	case ISX_FILTER_ANY:
		*holds = !is_any;
		for (size_t i = 0; !st && *holds != is_any && i < condition->part_count; i++)
			st = evaluate(subject, &condition->parts[i], holds, err);
		return st;
	case ISX_FILTER_NOT:
		st = evaluate(subject, condition->parts, holds, err);
		*holds = !*holds;
		return st;
	case ISX_FILTER_ID:
		*holds = condition->first <= subject->id && subject->id <= condition->last;
		return ISX_OK;
	case ISX_FILTER_HUB:
		*holds = is_hub(condition, subject->id);
		return ISX_OK;
	case ISX_FILTER_TYPES:
		return has_types(subject, condition, holds, err);
	case ISX_FILTER_IN:
	case ISX_FILTER_RANGE:
	case ISX_FILTER_EXISTS:
		break;
	}
	return has_value(subject, condition, holds, err);
}

/* The buffer for keys is shared by all conditions, so that a filter of many conditions allocates
 * once. */
enum isx_status isx_filter_holds(const struct isx_filter *filter, uint64_t id,
				 const struct isx_asset *asset, struct isx_arena *arena,
				 bool *holds, struct isx_err *err)
{
	struct subject subject = { .filter = filter, .id = id, .asset = asset, .arena = arena };
	enum isx_status st = evaluate(&subject, &filter->root, holds, err);
	isx_buf_release(&subject.key);
	return st;
}
