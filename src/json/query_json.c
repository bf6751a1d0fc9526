/*
 * query_json.c - queries and index objects from JSON, and the check that comes before any reading.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "json/json_text.h"
#include "json/rules.h"
#include "json/wire.h"

enum isx_status isx_payload_check(struct isx_payload *payload, struct isx_problems *problems,
				  struct isx_err *err)
{
	size_t offset;
	if (!payload->is_json)
		return ISX_OK;
	if (isx_span_has_prefix(payload->text, "\xEF\xBB\xBF"))
		payload->text = isx_span_skip(payload->text, 3);
	struct isx_err why;
	enum isx_status st = isx_json_check(payload->text, &offset, &why);
	if (st) {
		const struct isx_place body = { .name = "body" };
		const struct isx_place at = { .outer = &body, .position = offset };
		isx_problem_add(problems, "json_invalid", &at, why.msg, (struct isx_span){ 0 });
		return isx_problems_status(problems, err);
	}
	return ISX_OK;
}

/* Names of types that are not stored find nothing, but these are no names at all. */
static bool has_control_character(const char *type)
{
	while ((unsigned char)*type >= ' ')
		type++;
	return *type != '\0';
}

static void read_query_simprints(struct isx_reader *reader, struct isx_json *value,
				 struct isx_query *query)
{
	const struct isx_place body = { .name = "body" };
	const struct isx_place place = { .outer = &body, .name = "simprints" };
	struct isx_json *list;
	const char *type;
	size_t types = 0;
	if (isx_json_kind(value) != ISX_JSON_OBJECT) {
		isx_field_problem(reader, "dict_type", &place, "Input should be a valid dictionary",
				  value);
		return;
	}
	for (void *cursor = NULL; isx_json_each(value, &cursor, &type, &list);)
		types++;
	struct isx_query_simprints *all = isx_arena_alloc(reader->arena, types, sizeof *all);
	reader->out_of_memory |= !all;
	for (void *cursor = NULL; all && isx_json_each(value, &cursor, &type, &list);) {
		struct isx_place at = { .outer = &place, .name = type };
		if (has_control_character(type)) {
			isx_field_problem(reader, "string_pattern_mismatch", &at,
					  "A simprint type has no control characters", list);
			continue;
		}
		struct isx_query_simprints *one = &all[query->simprint_type_count++];
		one->type = isx_arena_text(reader->arena, type, strlen(type));
		reader->out_of_memory |= !one->type;
		isx_field_texts(reader, list, &at, &isx_rule_query_simprint, 1, SIZE_MAX,
				&one->values, &one->count);
	}
	query->simprints = all;
}

static bool is_named(struct isx_json *object, const char *name, uint32_t flag,
		     struct isx_query *query, struct isx_json **member)
{
	if (!isx_json_get(object, name, member))
		return false;
	query->named |= flag;
	return isx_json_kind(*member) != ISX_JSON_NULL;
}

static void read_query(struct isx_reader *reader, struct isx_json *object, struct isx_query *query)
{
	const struct isx_place body = { .name = "body" };
	const struct isx_place id_place = { .outer = &body, .name = "iscc_id" };
	const struct isx_place code_place = { .outer = &body, .name = "iscc_code" };
	const struct isx_place units_place = { .outer = &body, .name = "units" };
	struct isx_json *member;
	if (isx_json_kind(object) != ISX_JSON_OBJECT) {
		isx_field_problem(
			reader, "model_attributes_type", &body,
			"Input should be a valid dictionary or object to extract fields from",
			object);
		return;
	}
	if (is_named(object, "iscc_id", ISX_QUERY_HAS_ISCC_ID, query, &member))
		isx_field_text(reader, member, &id_place, &isx_rule_iscc_id, &query->iscc_id);
	if (is_named(object, "iscc_code", ISX_QUERY_HAS_ISCC_CODE, query, &member))
		isx_field_text(reader, member, &code_place, &isx_rule_iscc_code, &query->iscc_code);
	if (is_named(object, "units", ISX_QUERY_HAS_UNITS, query, &member))
		isx_field_texts(reader, member, &units_place, NULL, 1, ISX_UNITS_MAX, &query->units,
				&query->unit_count);
	if (is_named(object, "simprints", ISX_QUERY_HAS_SIMPRINTS, query, &member))
		read_query_simprints(reader, member, query);
}

/* Parse a checked payload that should be an object; a payload that is no JSON is a problem. */
static enum isx_status parse_object(const struct isx_payload *payload, struct isx_json **object,
				    struct isx_problems *problems, struct isx_err *err)
{
	const struct isx_place body = { .name = "body" };
	if (payload->is_json)
		return isx_json_parse_checked(payload->text, object, err);
	isx_problem_add(problems, "model_attributes_type", &body,
			"Input should be a valid dictionary or object to extract fields from",
			(struct isx_span){ 0 });
	return isx_problems_status(problems, err);
}

enum isx_status isx_query_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				    struct isx_query *query, struct isx_problems *problems,
				    struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	struct isx_json *object;
	*query = (struct isx_query){ 0 };
	enum isx_status st = parse_object(payload, &object, problems, err);
	if (st)
		return st;
	read_query(&reader, object, query);
	isx_json_free(object);
	return reader.out_of_memory ? isx_fail_memory(err) : isx_problems_status(problems, err);
}

/* --- index objects --------------------------------------------------------------------------- */

/* A count that the server makes itself: checked, then ignored. */
static void check_count(struct isx_reader *reader, struct isx_json *value,
			const struct isx_place *place)
{
	uint64_t ignored;
	if (isx_json_kind(value) != ISX_JSON_NULL)
		isx_field_uint(reader, value, place, UINT64_MAX, &ignored);
}

static void check_counts(struct isx_reader *reader, struct isx_json *object,
			 const struct isx_place *body)
{
	static const char *const names[] = { "assets", "size" };
	struct isx_json *member, *sizes;
	const char *part;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct isx_place place = { .outer = body, .name = names[i] };
		if (isx_json_get(object, names[i], &member))
			check_count(reader, member, &place);
	}
	struct isx_place place = { .outer = body, .name = "sizes" };
	if (!isx_json_get(object, "sizes", &sizes) || isx_json_kind(sizes) == ISX_JSON_NULL)
		return;
	if (isx_json_kind(sizes) != ISX_JSON_OBJECT)
		isx_field_problem(reader, "dict_type", &place, "Input should be a valid dictionary",
				  sizes);
	uint64_t ignored;
	for (void *cursor = NULL; isx_json_each(sizes, &cursor, &part, &member);) {
		struct isx_place at = { .outer = &place, .name = part };
		isx_field_uint(reader, member, &at, UINT64_MAX, &ignored);
	}
}

static void read_index(struct isx_reader *reader, struct isx_json *object, const char **name)
{
	const struct isx_place body = { .name = "body" };
	const struct isx_place place = { .outer = &body, .name = "name" };
	struct isx_json *member;
	if (isx_json_kind(object) != ISX_JSON_OBJECT) {
		isx_field_problem(
			reader, "model_attributes_type", &body,
			"Input should be a valid dictionary or object to extract fields from",
			object);
		return;
	}
	if (!isx_json_get(object, "name", &member))
		isx_field_problem(reader, "missing", &place, "Field required", object);
	else
		isx_field_text(reader, member, &place, &isx_rule_index_name, name);
	check_counts(reader, object, &body);
}

enum isx_status isx_index_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				    const char **name, struct isx_problems *problems,
				    struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	struct isx_json *object;
	enum isx_status st = parse_object(payload, &object, problems, err);
	if (st)
		return st;
	read_index(&reader, object, name);
	isx_json_free(object);
	return reader.out_of_memory ? isx_fail_memory(err) : isx_problems_status(problems, err);
}
