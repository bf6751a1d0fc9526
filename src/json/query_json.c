/*
 * query_json.c - read queries and index objects from JSON, and check a payload before anything is
 *                read.
 *
 * Like entry_json.c: in place, every problem reported, fields in the order of the schema of 0.3.3.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "json/json_text.h"
#include "json/rules.h"
#include "json/wire.h"

/* Called before the key is checked, so that malformed JSON is a 422 for every client, as in
 * 0.3.3. */
enum isx_status isx_payload_check(struct isx_payload *payload, struct isx_problems *problems,
				  struct isx_err *err)
{
	size_t offset;
	if (!payload->is_json)
		return ISX_OK;
	if (isx_span_has_prefix(payload->text, "\xEF\xBB\xBF")) /* a byte order mark */
		payload->text = isx_span_skip(payload->text, 3);
	struct isx_err cause;
	enum isx_status st = isx_json_check(payload->text, &offset, &cause);
	if (st) {
		const struct isx_place body = { .name = "body" };
		const struct isx_place at = { .outer = &body, .position = offset };
		isx_problem_add(problems, "json_invalid", &at, cause.msg, (struct isx_span){ 0 });
		return isx_problems_status(problems, err);
	}
	return ISX_OK;
}

/* A query may name any type: one that is not stored finds nothing. But a control character can
 * be in no name, and some are separators on disk (ISX_SHADOWED). */
static bool has_control_character(const char *type)
{
	while ((unsigned char)*type >= ' ')
		type++;
	return *type != '\0';
}

/* A type with problems is left in the list, but the query is refused then. */
static void read_query_simprints(struct isx_reader *reader, struct isx_span value,
				 const struct isx_place *place, struct isx_query *query)
{
	struct isx_field_member types[ISX_TYPE_NAMES_MAX];
	size_t type_count;
	if (!isx_field_members(reader, value, place, types, &type_count))
		return;
	struct isx_query_simprints *all = isx_arena_alloc(reader->arena, type_count, sizeof *all);
	reader->out_of_memory |= !all;
	for (size_t i = 0; all && i < type_count; i++) {
		struct isx_place at = { .outer = place, .name = types[i].name };
		if (has_control_character(types[i].name)) {
			isx_field_problem(reader, "string_pattern_mismatch", &at,
					  "A simprint type has no control characters",
					  types[i].value);
			continue;
		}
		struct isx_query_simprints *one = &all[query->simprint_type_count++];
		one->type = types[i].name;
		isx_field_texts(reader, types[i].value, &at, &isx_rule_query_simprint, 1, SIZE_MAX,
				&one->values, &one->count);
	}
	query->simprints = all;
}

/* `named` records which fields were sent, also as null: the answer repeats exactly those. */
static void read_query(struct isx_reader *reader, struct isx_span object, struct isx_query *query)
{
	enum { ID, CODE, UNITS, SIMPRINTS, FIELDS };
	static const char *const names[FIELDS] = { "iscc_id", "iscc_code", "units", "simprints" };
	static const uint32_t flags[FIELDS] = { ISX_QUERY_HAS_ISCC_ID, ISX_QUERY_HAS_ISCC_CODE,
						ISX_QUERY_HAS_UNITS, ISX_QUERY_HAS_SIMPRINTS };
	const struct isx_place body = { .name = "body" };
	struct isx_span found[FIELDS];
	struct isx_place places[FIELDS];
	isx_json_find(object, names, FIELDS, found);
	for (size_t i = 0; i < FIELDS; i++) {
		places[i] = (struct isx_place){ .outer = &body, .name = names[i] };
		if (found[i].len)
			query->named |= flags[i];
		if (isx_json_kind(found[i]) == ISX_JSON_NULL)
			found[i].len = 0; /* named, but no part of the query */
	}
	if (found[ID].len)
		isx_field_text(reader, found[ID], &places[ID], &isx_rule_iscc_id, &query->iscc_id);
	if (found[CODE].len)
		isx_field_text(reader, found[CODE], &places[CODE], &isx_rule_iscc_code,
			       &query->iscc_code);
	if (found[UNITS].len)
		isx_field_texts(reader, found[UNITS], &places[UNITS], NULL, 1, ISX_UNITS_MAX,
				&query->units, &query->unit_count);
	if (found[SIMPRINTS].len)
		read_query_simprints(reader, found[SIMPRINTS], &places[SIMPRINTS], query);
}

/* Check that a payload is an object, or add a problem.
 *   object  filled: without the blanks around it */
static bool is_object(struct isx_reader *reader, const struct isx_payload *payload,
		      struct isx_span *object)
{
	/* any body that is not JSON is a string for 0.3.3, and has this problem without "input" */
	const struct isx_place body = { .name = "body" };
	*object = payload->is_json ? isx_span_trim(payload->text) : (struct isx_span){ 0 };
	if (isx_json_kind(*object) == ISX_JSON_OBJECT)
		return true;
	isx_field_problem(reader, "model_attributes_type", &body,
			  "Input should be a valid dictionary or object to extract fields from",
			  *object);
	return false;
}

/* `limit` stays 0: it is a parameter of the URL, and http/ reads it. */
enum isx_status isx_query_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				    struct isx_query *query, struct isx_problems *problems,
				    struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	struct isx_span object;
	*query = (struct isx_query){ 0 };
	if (is_object(&reader, payload, &object))
		read_query(&reader, object, query);
	return reader.out_of_memory ? isx_fail_memory(err) : isx_problems_status(problems, err);
}

/* --- index objects --------------------------------------------------------------------------- */

/* Check the member `sizes` as the schema of 0.3.3 does. The counts are not used: the server
 * makes its own. */
static void check_counts(struct isx_reader *reader, struct isx_span sizes,
			 const struct isx_place *place)
{
	struct isx_field_member parts[ISX_TYPE_NAMES_MAX];
	size_t count;
	uint64_t ignored;
	if (!isx_field_members(reader, sizes, place, parts, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		struct isx_place at = { .outer = place, .name = parts[i].name };
		isx_field_uint(reader, parts[i].value, &at, UINT64_MAX, &ignored);
	}
}

/* An index object as the API hands it out; only its name is used, but all of it has to be
 * well-formed. */
static void read_index(struct isx_reader *reader, struct isx_span object, const char **name)
{
	enum { NAME, ASSETS, SIZE, SIZES, FIELDS };
	static const char *const names[FIELDS] = { "name", "assets", "size", "sizes" };
	const struct isx_place body = { .name = "body" };
	struct isx_span found[FIELDS];
	struct isx_place places[FIELDS];
	uint64_t ignored;
	isx_json_find(object, names, FIELDS, found);
	for (size_t i = 0; i < FIELDS; i++)
		places[i] = (struct isx_place){ .outer = &body, .name = names[i] };
	if (found[NAME].len == 0)
		isx_field_problem(reader, "missing", &places[NAME], "Field required", object);
	else
		isx_field_text(reader, found[NAME], &places[NAME], &isx_rule_index_name, name);
	/* null stands for "not given" in every field but the name */
	for (size_t i = ASSETS; i <= SIZE; i++)
		if (isx_json_kind(found[i]) != ISX_JSON_NULL)
			isx_field_uint(reader, found[i], &places[i], UINT64_MAX, &ignored);
	if (isx_json_kind(found[SIZES]) != ISX_JSON_NULL)
		check_counts(reader, found[SIZES], &places[SIZES]);
}

/* *name is left alone when it has a problem: the caller must not use it then. */
enum isx_status isx_index_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				    const char **name, struct isx_problems *problems,
				    struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	struct isx_span object;
	if (is_object(&reader, payload, &object))
		read_index(&reader, object, name);
	return reader.out_of_memory ? isx_fail_memory(err) : isx_problems_status(problems, err);
}
