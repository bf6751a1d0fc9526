/*
 * entry_json.c - assets from JSON and to JSON.
 *
 * The elements of a body are parsed one at a time, so that a large batch needs the memory of its
 * assets and of one tree. Metadata is taken from the text, not from the tree: json-c would round
 * its numbers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "json/field.h"
#include "json/json_text.h"
#include "json/rules.h"
#include "json/wire.h"

/* What is asked of an asset besides that it can be read. */
struct shape {
	const struct isx_text_rule *iscc_id;
	const struct isx_text_rule *iscc_code;
	size_t units_least;
	size_t units_most;
	bool is_stored; /* simprints are not part of it, and metadata may be any value */
};

static const struct shape sent = { &isx_rule_iscc_id, &isx_rule_iscc_code, 2, ISX_UNITS_MAX,
				   false };
static const struct shape stored = { .units_most = SIZE_MAX, .is_stored = true };

/* The member called `name`, or false when it is missing or null. */
static bool is_present(struct isx_json *object, const char *name, struct isx_json **member)
{
	return isx_json_get(object, name, member) && isx_json_kind(*member) != ISX_JSON_NULL;
}

static void read_offset(struct isx_reader *reader, struct isx_json *object, const char *name,
			const struct isx_place *outer, uint32_t *number)
{
	struct isx_place place = { .outer = outer, .name = name };
	struct isx_json *member;
	uint64_t found;
	if (!isx_json_get(object, name, &member))
		isx_field_problem(reader, "missing", &place, "Field required", object);
	else if (isx_field_uint(reader, member, &place, UINT32_MAX, &found))
		*number = (uint32_t)found;
}

static void read_simprint(struct isx_reader *reader, struct isx_json *value,
			  const struct isx_place *place, struct isx_simprint *simprint)
{
	if (isx_json_kind(value) != ISX_JSON_OBJECT) {
		isx_field_problem(
			reader, "model_attributes_type", place,
			"Input should be a valid dictionary or object to extract fields from",
			value);
		return;
	}
	struct isx_place text_place = { .outer = place, .name = "simprint" };
	struct isx_json *member;
	if (!isx_json_get(value, "simprint", &member))
		isx_field_problem(reader, "missing", &text_place, "Field required", value);
	else
		isx_field_text(reader, member, &text_place, &isx_rule_simprint,
			       &simprint->simprint);
	read_offset(reader, value, "offset", place, &simprint->offset);
	read_offset(reader, value, "size", place, &simprint->size);
}

/* A type's list; `place` is that of the type. */
static bool is_simprint_list(struct isx_reader *reader, const char *type, struct isx_json *list,
			     const struct isx_place *place)
{
	if (!isx_is_simprint_type(isx_span_of(type))) {
		isx_field_problem(reader, "string_pattern_mismatch", place, ISX_SIMPRINT_TYPE_RULE,
				  list);
		return false;
	}
	if (isx_json_kind(list) != ISX_JSON_ARRAY) {
		isx_field_problem(reader, "list_type", place, "Input should be a valid list", list);
		return false;
	}
	if (isx_json_length(list) == 0) {
		isx_field_problem(reader, "too_short", place,
				  "List should have at least 1 item, not 0", list);
		return false;
	}
	return true;
}

static void read_simprints(struct isx_reader *reader, struct isx_json *value,
			   const struct isx_place *outer, struct isx_asset *asset)
{
	struct isx_place place = { .outer = outer, .name = "simprints" };
	struct isx_json *list;
	const char *type;
	size_t total = 0;
	if (isx_json_kind(value) != ISX_JSON_OBJECT) {
		isx_field_problem(reader, "dict_type", &place, "Input should be a valid dictionary",
				  value);
		return;
	}
	for (void *cursor = NULL; isx_json_each(value, &cursor, &type, &list);)
		total += isx_json_length(list);
	struct isx_simprint *all = isx_arena_alloc(reader->arena, total, sizeof *all);
	reader->out_of_memory |= !all;
	for (void *cursor = NULL; all && isx_json_each(value, &cursor, &type, &list);) {
		struct isx_place type_place = { .outer = &place, .name = type };
		if (!is_simprint_list(reader, type, list, &type_place))
			continue;
		const char *kept = isx_arena_text(reader->arena, type, strlen(type));
		reader->out_of_memory |= !kept;
		for (size_t i = 0; i < isx_json_length(list); i++) {
			struct isx_place at = { .outer = &type_place, .position = i };
			struct isx_simprint *simprint = &all[asset->simprint_count++];
			simprint->type = kept;
			read_simprint(reader, isx_json_at(list, i), &at, simprint);
		}
	}
	asset->simprints = all;
}

/* `object` is the text of the asset, `value` the tree of its metadata. */
static void read_metadata(struct isx_reader *reader, struct isx_span object, struct isx_json *value,
			  const struct isx_place *outer, const struct shape *shape,
			  struct isx_asset *asset)
{
	struct isx_place place = { .outer = outer, .name = "metadata" };
	if (isx_json_kind(value) != ISX_JSON_OBJECT && !shape->is_stored) {
		isx_field_problem(reader, "dict_type", &place, "Input should be a valid dictionary",
				  value);
		return;
	}
	struct isx_buf text = { 0 };
	struct isx_span found = isx_json_member(object, "metadata");
	if (!found.len)
		return; /* what is stored has to be JSON, whatever the tree says */
	isx_json_minify(&text, found);
	asset->metadata = text.failed ? NULL : isx_arena_text(reader->arena, text.ptr, text.len);
	reader->out_of_memory |= !asset->metadata;
	isx_buf_release(&text);
}

/* Read one asset from its text, which has passed isx_json_check(). */
static enum isx_status read_asset(struct isx_reader *reader, struct isx_span text,
				  const struct isx_place *place, const struct shape *shape,
				  struct isx_asset *asset, struct isx_err *err)
{
	struct isx_json *object, *member;
	enum isx_status st = isx_json_parse_checked(text, &object, err);
	if (st)
		return st;
	if (isx_json_kind(object) != ISX_JSON_OBJECT)
		isx_field_problem(
			reader, "model_attributes_type", place,
			"Input should be a valid dictionary or object to extract fields from",
			object);
	struct isx_place id_place = { .outer = place, .name = "iscc_id" };
	struct isx_place code_place = { .outer = place, .name = "iscc_code" };
	struct isx_place units_place = { .outer = place, .name = "units" };
	if (is_present(object, "iscc_id", &member))
		isx_field_text(reader, member, &id_place, shape->iscc_id, &asset->iscc_id);
	if (is_present(object, "iscc_code", &member))
		isx_field_text(reader, member, &code_place, shape->iscc_code, &asset->iscc_code);
	if (is_present(object, "units", &member))
		isx_field_texts(reader, member, &units_place, NULL, shape->units_least,
				shape->units_most, &asset->units, &asset->unit_count);
	if (!shape->is_stored && is_present(object, "simprints", &member))
		read_simprints(reader, member, place, asset);
	if (is_present(object, "metadata", &member))
		read_metadata(reader, text, member, place, shape, asset);
	isx_json_free(object);
	return reader->out_of_memory ? isx_fail_memory(err) : ISX_OK;
}

/* The elements of an array, counted. */
static size_t count_elements(struct isx_span array)
{
	struct isx_json_walk walk = isx_json_walk_start(array);
	struct isx_span element;
	size_t count = 0;
	while (isx_json_next_element(&walk, &element))
		count++;
	return count;
}

enum isx_status isx_assets_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				     struct isx_asset **assets, size_t *count,
				     struct isx_problems *problems, struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	const struct isx_place body = { .name = "body" };
	struct isx_span text = isx_span_trim(payload->text);
	if (!payload->is_json || text.len == 0 || text.ptr[0] != '[') {
		isx_problem_add(problems, "list_type", &body, "Input should be a valid list",
				payload->is_json ? text : (struct isx_span){ 0 });
		return isx_problems_status(problems, err);
	}
	size_t total = count_elements(text);
	struct isx_asset *list = isx_arena_alloc(arena, total, sizeof *list);
	if (!list)
		return isx_fail_memory(err);
	struct isx_json_walk walk = isx_json_walk_start(text);
	struct isx_span element;
	for (size_t i = 0; i < total && isx_json_next_element(&walk, &element); i++) {
		struct isx_place at = { .outer = &body, .position = i };
		enum isx_status st = read_asset(&reader, element, &at, &sent, &list[i], err);
		if (st)
			return st;
	}
	*assets = list;
	*count = total;
	return isx_problems_status(problems, err);
}

/* Read one asset that stands alone. */
static enum isx_status read_single(struct isx_span text, struct isx_arena *arena,
				   const struct shape *shape, struct isx_asset *asset,
				   struct isx_problems *problems, struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	const struct isx_place root = { .name = "asset" };
	size_t offset;
	*asset = (struct isx_asset){ 0 };
	enum isx_status st = isx_json_check(text, &offset, err);
	if (!st)
		st = read_asset(&reader, isx_span_trim(text), &root, shape, asset, err);
	return st ? st : isx_problems_status(problems, err);
}

enum isx_status isx_asset_from_json(struct isx_span text, struct isx_arena *arena,
				    struct isx_asset *asset, struct isx_problems *problems,
				    struct isx_err *err)
{
	return read_single(text, arena, &sent, asset, problems, err);
}

enum isx_status isx_asset_from_stored(struct isx_span text, struct isx_arena *arena,
				      struct isx_asset *asset, struct isx_err *err)
{
	struct isx_problems problems = { 0 };
	enum isx_status st = read_single(text, arena, &stored, asset, &problems, err);
	isx_problems_release(&problems);
	return st == ISX_SCHEMA ? isx_err_at(err, ISX_CORRUPT, "a stored asset") : st;
}
