/*
 * entry_json.c - read assets from JSON: bodies of requests, lines of files, and stored assets.
 *
 * A body is read in place. Its assets and their texts are kept in the arena as long as the body has
 * no problem; after the first problem it will be refused, and is read on only to report the others.
 * Metadata is copied as text, so that its numbers keep their digits.
 *
 * The order of fields is that of the schema of iscc-search 0.3.3, and so is the order of problems.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "json/field.h"
#include "json/json_text.h"
#include "json/rules.h"
#include "json/wire.h"

/* Which rules an asset has to obey: one that is sent, or one that is stored. */
struct shape {
	const struct isx_text_rule *iscc_id;
	const struct isx_text_rule *iscc_code;
	size_t units_min;
	size_t units_max;
	bool is_stored;        /* its metadata may be any value */
	bool has_no_simprints; /* they are in other tables: what the JSON says of them does not count */
};

/* Two units at least, as in 0.3.3. Stored assets have no patterns: directories of 0.3.3 and of
 * earlier versions contain texts that are refused today, and those assets have to be readable. */
static const struct shape sent = {
	&isx_rule_iscc_id, &isx_rule_iscc_code, 2, ISX_UNITS_MAX, false, false
};
static const struct shape stored = { .units_max = SIZE_MAX,
				     .is_stored = true,
				     .has_no_simprints = true };
static const struct shape exported = { .units_max = SIZE_MAX, .is_stored = true };

/* The shortest texts of an asset and of a simprint. Without an ISCC-ID, those with units of 32 bits
 * or a code are longer. Anything shorter gets no struct in the
 * arena, as it is refused anyway: for texts like "[{},{},...]" the structs would otherwise take
 * many times the memory of the text. */
#define ASSET_BYTES_MIN    (sizeof("{\"iscc_id\":\"ISCC:\"}") - 1 + 16)
#define SIMPRINT_BYTES_MIN (sizeof("{\"simprint\":\"\",\"offset\":0,\"size\":0}") - 1)

/* `offset` or `size` of a simprint, which are required.
 *   object  the simprint, shown as "input" when the member is missing */
static void read_offset(struct isx_reader *reader, struct isx_span object, struct isx_span member,
			const char *name, const struct isx_place *outer, uint32_t *number)
{
	struct isx_place place = { .outer = outer, .name = name };
	uint64_t found;
	if (member.len == 0)
		isx_field_problem(reader, "missing", &place, "Field required", object);
	else if (isx_field_uint(reader, member, &place, UINT32_MAX, &found))
		*number = (uint32_t)found;
}

enum { SIMPRINT, OFFSET, SIZE, SIMPRINT_FIELDS };
static const char *const simprint_names[SIMPRINT_FIELDS] = { "simprint", "offset", "size" };

/* Read one simprint. `found` are its members, empty if `value` is not an object. */
static void read_simprint(struct isx_reader *reader, struct isx_span value,
			  const struct isx_span *found, const struct isx_place *place,
			  struct isx_simprint *simprint)
{
	if (isx_json_kind(value) != ISX_JSON_OBJECT) {
		isx_field_problem(
			reader, "model_attributes_type", place,
			"Input should be a valid dictionary or object to extract fields from",
			value);
		return;
	}
	struct isx_place text_place = { .outer = place, .name = simprint_names[SIMPRINT] };
	if (found[SIMPRINT].len == 0)
		isx_field_problem(reader, "missing", &text_place, "Field required", value);
	else
		isx_field_text(reader, found[SIMPRINT], &text_place, &isx_rule_simprint,
			       &simprint->simprint);
	read_offset(reader, value, found[OFFSET], simprint_names[OFFSET], place, &simprint->offset);
	read_offset(reader, value, found[SIZE], simprint_names[SIZE], place, &simprint->size);
}

/* Read the simprints of one type; `place` is that of the type.
 *   simprints  filled: one for each element that is long enough to be a simprint
 * Returns the number of those. */
static size_t read_simprint_list(struct isx_reader *reader, const struct isx_field_member *type,
				 const struct isx_place *place, struct isx_simprint *simprints)
{
	struct isx_json_walk walk = isx_json_walk_start(type->value);
	struct isx_span element, found[SIMPRINT_FIELDS];
	size_t count = 0, i = 0;
	if (!isx_is_simprint_type(isx_span_of(type->name))) {
		isx_field_problem(reader, "string_pattern_mismatch", place, ISX_SIMPRINT_TYPE_RULE,
				  type->value);
		return 0;
	}
	if (isx_json_kind(type->value) != ISX_JSON_ARRAY) {
		isx_field_problem(reader, "list_type", place, "Input should be a valid list",
				  type->value);
		return 0;
	}
	for (; isx_json_next_find(&walk, simprint_names, SIMPRINT_FIELDS, found, &element); i++) {
		struct isx_place at = { .outer = place, .position = i };
		struct isx_simprint refused, *simprint = &refused; /* its problems are reported */
		if (element.len >= SIMPRINT_BYTES_MIN)
			simprint = &simprints[count++];
		simprint->type = type->name;
		read_simprint(reader, element, found, &at, simprint);
	}
	if (i == 0)
		isx_field_problem(reader, "too_short", place,
				  "List should have at least 1 item, not 0", type->value);
	return count;
}

/* Read all simprints of an asset. An array of 24 bytes for each needs less memory than its text of
 * 35 bytes or more; the room that refused ones leave stays unused. */
static void read_simprints(struct isx_reader *reader, struct isx_span value,
			   const struct isx_place *outer, struct isx_asset *asset)
{
	struct isx_place place = { .outer = outer, .name = "simprints" };
	struct isx_field_member types[ISX_TYPE_NAMES_MAX];
	size_t type_count,
		total_max = 0; /* bounded by the length of the text, so it cannot overflow */
	if (!isx_field_members(reader, value, &place, types, &type_count))
		return;
	for (size_t i = 0; i < type_count; i++)
		total_max += types[i].value.len / SIMPRINT_BYTES_MIN;
	/* one array for all types: struct isx_asset has them as neighbours */
	struct isx_simprint *all = isx_arena_alloc(reader->arena, total_max, sizeof *all);
	reader->out_of_memory |= !all;
	for (size_t i = 0; all && i < type_count; i++) {
		struct isx_place at = { .outer = &place, .name = types[i].name };
		asset->simprint_count += read_simprint_list(reader, &types[i], &at,
							    all + asset->simprint_count);
	}
	asset->simprints = all;
}

/* A stored value that is not an object is kept: only what is sent today has to be one. Blanks between
 * the values are dropped, so the copy is never longer than the text. */
static void read_metadata(struct isx_reader *reader, struct isx_span value,
			  const struct isx_place *outer, const struct shape *shape,
			  struct isx_asset *asset)
{
	struct isx_place place = { .outer = outer, .name = "metadata" };
	if (isx_json_kind(value) != ISX_JSON_OBJECT && !shape->is_stored) {
		isx_field_problem(reader, "dict_type", &place, "Input should be a valid dictionary",
				  value);
		return;
	}
	char *text = isx_arena_bytes(reader->arena, value.len + 1);
	struct isx_buf compact = { .ptr = text, .cap = value.len }; /* never grows */
	reader->out_of_memory |= !text;
	if (text)
		isx_json_minify(&compact, value);
	asset->metadata = text;
}

enum { ID, CODE, UNITS, SIMPRINTS, METADATA, ASSET_FIELDS };
static const char *const asset_names[ASSET_FIELDS] = { "iscc_id", "iscc_code", "units", "simprints",
						       "metadata" };

/* Read one asset from a checked text.
 *   found  its members, empty if `text` is not an object; null ones are emptied here
 *   asset  filled: fields with problems stay 0
 * Problems are added and are no failure: only memory is. */
static enum isx_status read_asset(struct isx_reader *reader, struct isx_span text,
				  struct isx_span *found, const struct isx_place *place,
				  const struct shape *shape, struct isx_asset *asset,
				  struct isx_err *err)
{
	struct isx_place places[ASSET_FIELDS];
	if (isx_json_kind(text) != ISX_JSON_OBJECT)
		isx_field_problem(
			reader, "model_attributes_type", place,
			"Input should be a valid dictionary or object to extract fields from",
			text);
	for (size_t i = 0; i < ASSET_FIELDS; i++) {
		places[i] = (struct isx_place){ .outer = place, .name = asset_names[i] };
		if (isx_json_kind(found[i]) == ISX_JSON_NULL)
			found[i].len = 0; /* as if it were not there */
	}
	if (found[ID].len)
		isx_field_text(reader, found[ID], &places[ID], shape->iscc_id, &asset->iscc_id);
	if (found[CODE].len)
		isx_field_text(reader, found[CODE], &places[CODE], shape->iscc_code,
			       &asset->iscc_code);
	if (found[UNITS].len)
		isx_field_texts(reader, found[UNITS], &places[UNITS], NULL, shape->units_min,
				shape->units_max, &asset->units, &asset->unit_count);
	if (found[SIMPRINTS].len && !shape->has_no_simprints)
		read_simprints(reader, found[SIMPRINTS], place, asset);
	if (found[METADATA].len)
		read_metadata(reader, found[METADATA], place, shape, asset);
	return reader->out_of_memory ? isx_fail_memory(err) : ISX_OK;
}

/* Problems of all elements are collected, up to ISX_PROBLEMS_MAX; memory alone ends the reading
 * early. */
enum isx_status isx_assets_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				     struct isx_asset **assets, size_t *count,
				     struct isx_problems *problems, struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	const struct isx_place body = { .name = "body" };
	struct isx_span text = isx_span_trim(payload->text);
	if (!payload->is_json || text.len == 0 || text.ptr[0] != '[') {
		isx_problem_add(problems, "list_type", &body,
				payload->is_json ? ISX_NO_LIST : ISX_NO_LIST ISX_SEND_AS_JSON,
				payload->is_json ? text : (struct isx_span){ 0 });
		return isx_problems_status(problems, err);
	}
	/* An element without room for an ISCC-ID or units is valid JSON of the schema, but isx_add()
	 * refuses the batch for it: it is left empty. The first such element is kept, so that its error has the
	 * right position; elements behind the second one cannot matter any more, and get no
	 * memory. */
	size_t kept_max = text.len / ASSET_BYTES_MIN + 2, kept = 0, too_short = 0;
	struct isx_asset *list = isx_arena_alloc(arena, kept_max, sizeof *list);
	if (!list)
		return isx_fail_memory(err);
	struct isx_json_walk walk = isx_json_walk_start(text);
	struct isx_span element, found[ASSET_FIELDS];
	for (size_t i = 0; isx_json_next_find(&walk, asset_names, ASSET_FIELDS, found, &element);
	     i++) {
		struct isx_place at = { .outer = &body, .position = i };
		struct isx_asset refused = { 0 };
		const struct isx_arena before = *arena;
		bool keep = too_short < 2, is_short = element.len < ASSET_BYTES_MIN;
		too_short += is_short;
		enum isx_status st = read_asset(&reader, element, found, &at, &sent,
						keep && !is_short ? &list[kept] : &refused, err);
		kept += keep;
		if (st)
			return st;
		if (!keep || is_short ||
		    problems->count > 0) /* the body will be refused: free its texts */
			isx_arena_rewind(arena, &before);
	}
	*assets = list;
	*count = kept;
	return isx_problems_status(problems, err);
}

/* Read one asset from a text that is not checked yet, with "asset" as the root of places. */
static enum isx_status read_single(struct isx_span text, struct isx_arena *arena,
				   const struct shape *shape, struct isx_asset *asset,
				   struct isx_problems *problems, struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	const struct isx_place root = { .name = "asset" };
	struct isx_span found[ASSET_FIELDS];
	size_t offset;
	*asset = (struct isx_asset){ 0 };
	enum isx_status st = isx_json_check(text, &offset, err);
	if (!st) {
		isx_json_find(text, asset_names, ASSET_FIELDS, found);
		st = read_asset(&reader, isx_span_trim(text), found, &root, shape, asset, err);
	}
	return st ? st : isx_problems_status(problems, err);
}

enum isx_status isx_asset_from_json(struct isx_span text, struct isx_arena *arena,
				    struct isx_asset *asset, struct isx_problems *problems,
				    struct isx_err *err)
{
	return read_single(text, arena, &sent, asset, problems, err);
}

/* What was checked when it was stored has no problems: one that is found now is damage of the file,
 * or of the answer of another server (ISX_CORRUPT). */
static enum isx_status read_stored(struct isx_span text, const struct shape *shape,
				   struct isx_arena *arena, struct isx_asset *asset,
				   struct isx_err *err)
{
	struct isx_problems problems = { 0 };
	enum isx_status st = read_single(text, arena, shape, asset, &problems, err);
	isx_problems_release(&problems);
	return st == ISX_SCHEMA ? isx_err_at(err, ISX_CORRUPT, "a stored asset") : st;
}

enum isx_status isx_asset_from_stored(struct isx_span text, struct isx_arena *arena,
				      struct isx_asset *asset, struct isx_err *err)
{
	return read_stored(text, &stored, arena, asset, err);
}

enum isx_status isx_asset_from_export(struct isx_span text, struct isx_arena *arena,
				      struct isx_asset *asset, struct isx_err *err)
{
	return read_stored(text, &exported, arena, asset, err);
}

/* The asset is read and written anew instead of cutting its text: the result is what an add of the
 * same asset would store. */
enum isx_status isx_stored_with_metadata(struct isx_buf *buf, struct isx_span text,
					 const char *metadata, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_asset asset;
	enum isx_status st = isx_asset_from_stored(text, &arena, &asset, err);
	if (!st) {
		asset.metadata = metadata;
		isx_asset_to_json(buf, &asset);
		st = isx_buf_status(buf, err);
	}
	isx_arena_release(&arena);
	return st;
}

enum isx_status isx_ids_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				  const char *const **ids, size_t *count,
				  struct isx_problems *problems, struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	const struct isx_place body = { .name = "body" };
	struct isx_span text = isx_span_trim(payload->text);
	if (!payload->is_json)
		isx_problem_add(problems, "list_type", &body, ISX_NO_LIST ISX_SEND_AS_JSON,
				(struct isx_span){ 0 });
	else
		isx_field_texts(&reader, text, &body, &isx_rule_iscc_id, 1, ISX_LIST_MAX, ids,
				count);
	return reader.out_of_memory ? isx_fail_memory(err) : isx_problems_status(problems, err);
}

/* Other fields of an asset are refused and not ignored: a client that sends them expects that they
 * change. */
enum isx_status isx_metadata_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				       const char **metadata, struct isx_problems *problems,
				       struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	const struct isx_place body = { .name = "body" };
	const struct isx_place place = { .outer = &body, .name = asset_names[METADATA] };
	struct isx_span found[ASSET_FIELDS], text = isx_span_trim(payload->text);
	struct isx_asset asset = { 0 };
	if (!payload->is_json || isx_json_kind(text) != ISX_JSON_OBJECT) {
		isx_problem_add(problems, "model_attributes_type", &body,
				payload->is_json ? ISX_NO_OBJECT : ISX_NO_OBJECT ISX_SEND_AS_JSON,
				payload->is_json ? text : (struct isx_span){ 0 });
		return isx_problems_status(problems, err);
	}
	isx_json_find(text, asset_names, ASSET_FIELDS, found);
	for (size_t i = 0; i < METADATA; i++) {
		const struct isx_place other = { .outer = &body, .name = asset_names[i] };
		if (found[i].len)
			isx_problem_add(problems, "extra_forbidden", &other,
					"Only metadata can be changed: add the asset again to "
					"change more",
					found[i]);
	}
	if (found[METADATA].len == 0)
		isx_problem_add(problems, "missing", &place, "Field required", text);
	else if (isx_json_kind(found[METADATA]) != ISX_JSON_NULL)
		read_metadata(&reader, found[METADATA], &body, &sent, &asset);
	*metadata = asset.metadata;
	return reader.out_of_memory ? isx_fail_memory(err) : isx_problems_status(problems, err);
}

enum isx_status isx_stored_check(struct isx_span text, struct isx_err *err)
{
	size_t offset;
	enum isx_status st = isx_json_check(text, &offset, err);
	return st == ISX_SCHEMA ? isx_err_at(err, ISX_CORRUPT, "a stored asset") : st;
}
