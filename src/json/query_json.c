/*
 * query_json.c - read queries and index objects from JSON, and check a payload before anything is
 *                read.
 *
 * Like entry_json.c: in place, every problem reported, fields in the order of the schema of 0.3.3.
 * Members that no query has are ignored, as by 0.3.3. Each object is walked once for the fields and
 * once for the conditions. Must not know indexes: whether a type or an ISCC exists is found out by
 * the engine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "json/filter_json.h"
#include "json/json_text.h"
#include "json/pointer.h"
#include "json/rules.h"
#include "json/wire.h"

/* Check that a text is JSON, or add a problem with the byte at which it is not. */
static enum isx_status check_json(struct isx_span text, const struct isx_place *root,
				  struct isx_problems *problems, struct isx_err *err)
{
	size_t offset;
	struct isx_err cause;
	if (!isx_json_check(text, &offset, &cause))
		return ISX_OK;
	const struct isx_place at = { .outer = root, .position = offset };
	isx_problem_add(problems, "json_invalid", &at, cause.msg, (struct isx_span){ 0 });
	return isx_problems_status(problems, err);
}

/* Called before the key is checked, so that malformed JSON is a 422 for every client, as in 0.3.3.
 * One pass over the body; the readers behind it rely on it and do not check the syntax again. */
enum isx_status isx_payload_check(struct isx_payload *payload, struct isx_problems *problems,
				  struct isx_err *err)
{
	const struct isx_place body = { .name = "body" };
	if (!payload->is_json)
		return ISX_OK;
	if (isx_span_has_prefix(payload->text, "\xEF\xBB\xBF")) /* a byte order mark */
		payload->text = isx_span_skip(payload->text, 3);
	return check_json(payload->text, &body, problems, err);
}

/* A query may name any type: one that is not stored finds nothing. But a control character can
 * be in no name, and some are separators on disk (ISX_SHADOWED). */
static bool has_control_character(const char *type)
{
	while ((unsigned char)*type >= ' ')
		type++;
	return *type != '\0';
}

/* A type with problems is left in the list, but the query is refused then. The number of simprints
 * has no ceiling of its own: the size of the body bounds it. */
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

/* --- conditions ------------------------------------------------------------------------------ */

/* Members of a query that 0.3.3 ignores, as it ignores every member that it does not know. Null stands
 * for "not given". */
enum {
	MIN_SCORE,
	MIN_SCORES,
	TYPES,
	EXPONENT,
	WITH,
	RANK,
	MAX_EXPECT,
	FILTER,
	FACETS,
	EXPLAIN,
	CONDITIONS
};
static const char *const condition_names[CONDITIONS] = { "min_score",  "min_scores", "types",
							 "exponent",   "with",       "rank",
							 "max_expect", "filter",     "facets",
							 "explain" };

/* Read the lowest score for each type. A type with a wrong score stays in the list: the problem
 * refuses the query before the list is used. */
static void read_min_scores(struct isx_reader *reader, struct isx_span value,
			    const struct isx_place *place, struct isx_query *query)
{
	struct isx_field_member types[ISX_TYPE_NAMES_MAX];
	size_t count;
	if (!isx_field_members(reader, value, place, types, &count))
		return;
	struct isx_type_min_score *all = isx_arena_alloc(reader->arena, count, sizeof *all);
	reader->out_of_memory |= !all;
	for (size_t i = 0; all && i < count; i++) {
		struct isx_place at = { .outer = place, .name = types[i].name };
		all[i].type = types[i].name;
		isx_field_score(reader, types[i].value, &at, &all[i].min_score);
	}
	query->min_scores = all;
	query->min_score_count = count;
}

/* 0 is refused here and not by a rule of isx_field_uint(): in struct isx_query it stands for "not
 * given". */
static void read_exponent(struct isx_reader *reader, struct isx_span value,
			  const struct isx_place *place, struct isx_query *query)
{
	uint64_t exponent;
	if (!isx_field_uint(reader, value, place, UINT32_MAX, &exponent))
		return;
	if (exponent == 0)
		isx_field_problem(reader, "greater_than_equal", place,
				  "Input should be greater than or equal to 1", value);
	query->exponent = (uint32_t)exponent;
}

/* An empty list asks for nothing: only for the ISCC-IDs and scores of matches. That is a flag of its
 * own, as 0 in `with` leaves the choice to the defaults. */
static void read_with(struct isx_reader *reader, struct isx_span value,
		      const struct isx_place *place, struct isx_query *query)
{
	static const char *const words[] = { "\"metadata\"", "\"code\"", "\"units\"" };
	static const uint32_t flags[] = { ISX_WITH_METADATA, ISX_WITH_CODE, ISX_WITH_UNITS };
	struct isx_json_walk walk = isx_json_walk_start(value);
	struct isx_span element;
	if (isx_json_kind(value) != ISX_JSON_ARRAY) {
		isx_field_problem(reader, "list_type", place, "Input should be a valid list",
				  value);
		return;
	}
	query->with = ISX_WITH_NOTHING;
	for (size_t i = 0; isx_json_next_element(&walk, &element); i++) {
		struct isx_place at = { .outer = place, .position = i };
		size_t w = 0;
		while (w < 3 && !isx_span_is(element, words[w]))
			w++;
		if (w < 3)
			query->with |= flags[w];
		else
			isx_field_problem(reader, "literal_error", &at,
					  "Input should be 'metadata', 'code' or 'units'", element);
	}
}

/* Null stands for "not given", as of every condition. */
static void read_rank(struct isx_reader *reader, struct isx_span value,
		      const struct isx_place *place, struct isx_query *query)
{
	struct isx_span word = { 0 };
	if (isx_json_kind(value) == ISX_JSON_STRING)
		reader->out_of_memory |= !isx_json_string(value, reader->arena, &word);
	query->rank = isx_rank_of_word(word);
	if (!query->rank)
		isx_field_problem(reader, "literal_error", place,
				  "Input should be 'score', 'significance' or 'tiered'", value);
}

/* The tree is read for its problems alone: a query keeps the text, which engines read where they have the
 * memory that an answer may take. */
static void read_filter(struct isx_reader *reader, struct isx_span value,
			const struct isx_place *place, struct isx_query *query)
{
	struct isx_filter filter;
	struct isx_arena then = *reader->arena;
	struct isx_buf text = { 0 };
	isx_filter_read(reader, value, place, &filter);
	isx_arena_rewind(reader->arena, &then);
	isx_json_minify(&text, value);
	if (!text.failed)
		query->filter = isx_arena_text(reader->arena, text.ptr, text.len);
	reader->out_of_memory |= !query->filter;
	isx_buf_release(&text);
}

/* Read a list of fields of metadata: of facets, or those that an index is to declare.
 *   names  filled: *count of them, as they are spelled there; also when there are problems */
static void read_fields(struct isx_reader *reader, struct isx_span value,
			const struct isx_place *place, const char *const **names, size_t *count)
{
	const char *const *pointers;
	struct isx_arena then;
	struct isx_err cause;
	size_t wrong;
	if (!isx_field_texts(reader, value, place, NULL, 0, ISX_FIELDS_MAX, names, count))
		return;
	then = *reader->arena;
	enum isx_status st = isx_pointers_read(*names, *count, reader->arena, &pointers, &wrong,
					       &cause);
	isx_arena_rewind(reader->arena, &then);
	const struct isx_place at = { .outer = place, .position = wrong };
	reader->out_of_memory |= st == ISX_NO_MEMORY;
	if (st == ISX_INVALID)
		isx_field_problem(reader, "value_error", &at, cause.msg, value);
}

/* A flag has no lax forms but the words of a text, as it comes from a URL. */
static void read_explain(struct isx_reader *reader, struct isx_span value,
			 const struct isx_place *place, struct isx_query *query)
{
	bool is_true = isx_span_is(value, "true") || isx_span_is(value, "\"true\"");
	query->named |= ISX_QUERY_SAYS_EXPLAIN;
	if (is_true || isx_span_is(value, "false") || isx_span_is(value, "\"false\""))
		query->explains = is_true;
	else
		isx_field_problem(reader, "bool_type", place, "Input should be true or false",
				  value);
}

/* Read the conditions of a query. A member that is missing has an empty value, whose kind is that of
 * null.
 *   found  the values, by condition_names */
static void read_conditions(struct isx_reader *reader, const struct isx_span *found,
			    const struct isx_place *root, struct isx_query *query)
{
	struct isx_place at[CONDITIONS];
	for (size_t i = 0; i < CONDITIONS; i++)
		at[i] = (struct isx_place){ .outer = root, .name = condition_names[i] };
	if (isx_json_kind(found[MIN_SCORE]) != ISX_JSON_NULL)
		query->has_min_score = isx_field_score(reader, found[MIN_SCORE], &at[MIN_SCORE],
						       &query->min_score);
	if (isx_json_kind(found[MIN_SCORES]) != ISX_JSON_NULL)
		read_min_scores(reader, found[MIN_SCORES], &at[MIN_SCORES], query);
	if (isx_json_kind(found[TYPES]) != ISX_JSON_NULL)
		isx_field_texts(reader, found[TYPES], &at[TYPES], &isx_rule_unit_type, 1,
				ISX_UNITS_MAX, &query->types, &query->type_count);
	if (isx_json_kind(found[EXPONENT]) != ISX_JSON_NULL)
		read_exponent(reader, found[EXPONENT], &at[EXPONENT], query);
	if (isx_json_kind(found[WITH]) != ISX_JSON_NULL)
		read_with(reader, found[WITH], &at[WITH], query);
	if (isx_json_kind(found[RANK]) != ISX_JSON_NULL)
		read_rank(reader, found[RANK], &at[RANK], query);
	if (isx_json_kind(found[MAX_EXPECT]) != ISX_JSON_NULL)
		isx_field_positive(reader, found[MAX_EXPECT], &at[MAX_EXPECT], &query->max_expect);
	if (isx_json_kind(found[FILTER]) != ISX_JSON_NULL)
		read_filter(reader, found[FILTER], &at[FILTER], query);
	if (isx_json_kind(found[FACETS]) != ISX_JSON_NULL)
		read_fields(reader, found[FACETS], &at[FACETS], &query->facets,
			    &query->facet_count);
	if (isx_json_kind(found[EXPLAIN]) != ISX_JSON_NULL)
		read_explain(reader, found[EXPLAIN], &at[EXPLAIN], query);
}

/* Write a text list as JSON: ["A","B"]. An empty text is an empty list; an empty word between two
 * commas stays one, which the rule of the list refuses. */
static void add_list(struct isx_buf *json, struct isx_span list)
{
	isx_buf_char(json, '[');
	for (bool first = true; list.len > 0; first = false) {
		struct isx_span word = isx_span_cut(list, ',', &list);
		isx_buf_text(json, first ? "" : ",");
		isx_json_quote(json, isx_span_trim(word));
	}
	isx_buf_char(json, ']');
}

/* Write "TYPE:SCORE,..." as JSON: {"TYPE":"SCORE",...}. Without a colon the score is an empty text,
 * which is no number and becomes a problem. */
static void add_scores(struct isx_buf *json, struct isx_span list)
{
	isx_buf_char(json, '{');
	for (bool first = true; list.len > 0; first = false) {
		struct isx_span score = isx_span_cut(list, ',', &list);
		struct isx_span type = isx_span_cut(score, ':', &score);
		isx_buf_text(json, first ? "" : ",");
		isx_json_quote(json, isx_span_trim(type));
		isx_buf_char(json, ':');
		isx_json_quote(json, isx_span_trim(score));
	}
	isx_buf_char(json, '}');
}

/* Check the text of a filter, which becomes a part of other JSON, or add a problem. */
static bool is_json(struct isx_span text, const struct isx_place *root,
		    struct isx_problems *problems)
{
	const struct isx_place at = { .outer = root, .name = condition_names[FILTER] };
	struct isx_buf input = { 0 };
	struct isx_err cause;
	size_t offset;
	if (!isx_json_check_member(text, &offset, &cause))
		return true;
	isx_json_quote(&input, text);
	isx_problem_add(problems, "json_invalid", &at, cause.msg,
			(struct isx_span){ input.ptr, input.len });
	isx_buf_release(&input);
	return false;
}

/* Texts become JSON, so that the same rules read both: scores and the exponent as strings, which the
 * fields take as numbers. Messages then show what the user has typed. The JSON is freed before the
 * return; what the query keeps was copied into the arena. */
enum isx_status isx_conditions_from_texts(const struct isx_query_texts *texts, const char *root,
					  struct isx_arena *arena, struct isx_query *query,
					  struct isx_problems *problems, struct isx_err *err)
{
	const struct isx_span *const given[CONDITIONS] = { &texts->min_score,  &texts->min_scores,
							   &texts->types,      &texts->exponent,
							   &texts->with,       &texts->rank,
							   &texts->max_expect, &texts->filter,
							   &texts->facets,     &texts->explain };
	struct isx_reader reader = { .arena = arena, .problems = problems };
	const struct isx_place outer = { .name = root };
	struct isx_span found[CONDITIONS];
	struct isx_buf json = { 0 };
	isx_buf_char(&json, '{');
	for (size_t i = 0; i < CONDITIONS; i++) {
		if (!given[i]->ptr)
			continue;
		if (i == FILTER && !is_json(*given[i], root ? &outer : NULL, problems))
			continue;
		isx_buf_printf(&json, "%s\"%s\":", json.len > 1 ? "," : "", condition_names[i]);
		if (i == FILTER)
			isx_buf_add(&json, given[i]->ptr, given[i]->len);
		else if (i == MIN_SCORES)
			add_scores(&json, *given[i]);
		else if (i == TYPES || i == WITH || i == FACETS)
			add_list(&json, *given[i]);
		else
			isx_json_quote(&json, *given[i]);
	}
	isx_buf_char(&json, '}');
	enum isx_status st = isx_buf_status(&json, err);
	if (!st) {
		isx_json_find((struct isx_span){ json.ptr, json.len }, condition_names, CONDITIONS,
			      found);
		read_conditions(&reader, found, root ? &outer : NULL, query);
		query->named &= ~ISX_QUERY_SAYS_EXPLAIN; /* these are the defaults of others */
		st = reader.out_of_memory ? isx_fail_memory(err)
					  : isx_problems_status(problems, err);
	}
	isx_buf_release(&json);
	return st;
}

/* A condition is replaced as a whole: lists of the query and of the defaults are not joined. Lists
 * stay borrowed from `defaults`. */
void isx_query_inherit(struct isx_query *query, const struct isx_query *defaults)
{
	if (!query->has_min_score) {
		query->has_min_score = defaults->has_min_score;
		query->min_score = defaults->min_score;
	}
	if (!query->min_score_count) {
		query->min_scores = defaults->min_scores;
		query->min_score_count = defaults->min_score_count;
	}
	if (!query->types) {
		query->types = defaults->types;
		query->type_count = defaults->type_count;
	}
	if (!query->exponent)
		query->exponent = defaults->exponent;
	if (!query->with)
		query->with = defaults->with;
	if (!query->rank)
		query->rank = defaults->rank;
	if (query->max_expect == 0)
		query->max_expect = defaults->max_expect;
	if (!(query->named & ISX_QUERY_SAYS_EXPLAIN))
		query->explains = defaults->explains;
	query->named &= ~ISX_QUERY_SAYS_EXPLAIN;
	if (!query->filter)
		query->filter = defaults->filter;
	if (!query->facets) {
		query->facets = defaults->facets;
		query->facet_count = defaults->facet_count;
	}
	query->limit = defaults->limit;
	query->after = defaults->after;
	query->counts = defaults->counts;
	query->own_chunks = defaults->own_chunks;
	query->cancel_check = defaults->cancel_check;
	query->on_wait = defaults->on_wait;
	query->cancel_arg = defaults->cancel_arg;
}

/* --- queries --------------------------------------------------------------------------------- */

/* `named` records which fields were sent, also as null: the answer repeats exactly those. */
static void read_query(struct isx_reader *reader, struct isx_span object,
		       const struct isx_place *root, struct isx_query *query)
{
	enum { ID, CODE, UNITS, SIMPRINTS, FIELDS };
	static const char *const names[FIELDS] = { "iscc_id", "iscc_code", "units", "simprints" };
	static const uint32_t flags[FIELDS] = { ISX_QUERY_HAS_ISCC_ID, ISX_QUERY_HAS_ISCC_CODE,
						ISX_QUERY_HAS_UNITS, ISX_QUERY_HAS_SIMPRINTS };
	struct isx_span found[FIELDS], conditions[CONDITIONS];
	struct isx_place places[FIELDS];
	isx_json_find(object, names, FIELDS, found);
	for (size_t i = 0; i < FIELDS; i++) {
		places[i] = (struct isx_place){ .outer = root, .name = names[i] };
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
	isx_json_find(object, condition_names, CONDITIONS, conditions);
	read_conditions(reader, conditions, root, query);
}

/* Stops at the first member that is unknown; one walk, for a query that has failed only. */
void isx_query_unknown_member(struct isx_span object, struct isx_span *name)
{
	static const char *const fields[] = { "iscc_id", "iscc_code", "units", "simprints" };
	struct isx_json_walk walk = isx_json_walk_start(isx_span_trim(object));
	struct isx_span value;
	bool is_known = true;
	while (is_known && isx_json_next_member(&walk, name, &value)) {
		is_known = false;
		for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
			is_known |= isx_json_key_is(*name, fields[i]);
		for (size_t i = 0; i < CONDITIONS; i++)
			is_known |= isx_json_key_is(*name, condition_names[i]);
	}
	if (is_known)
		*name = (struct isx_span){ 0 };
}

/* Add the problem of a query that is no object. */
static void fail_object(struct isx_reader *reader, const struct isx_place *place,
			struct isx_span value)
{
	isx_field_problem(reader, "model_attributes_type", place, ISX_NO_OBJECT, value);
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
	if (payload->is_json)
		fail_object(reader, &body, *object);
	else
		isx_field_problem(reader, "model_attributes_type", &body,
				  ISX_NO_OBJECT ISX_SEND_AS_JSON, *object);
	return false;
}

/* `limit` stays 0: it is a parameter of the URL, and http/ reads it. */
enum isx_status isx_query_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				    struct isx_query *query, struct isx_problems *problems,
				    struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	const struct isx_place body = { .name = "body" };
	struct isx_span object;
	*query = (struct isx_query){ 0 };
	if (is_object(&reader, payload, &object))
		read_query(&reader, object, &body, query);
	return reader.out_of_memory ? isx_fail_memory(err) : isx_problems_status(problems, err);
}

/* Not an object: the problem is at the query itself. */
enum isx_status isx_query_from_value(struct isx_span text, bool is_checked,
				     const struct isx_place *root, struct isx_arena *arena,
				     struct isx_query *query, struct isx_problems *problems,
				     struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	*query = (struct isx_query){ 0 };
	enum isx_status st = is_checked ? ISX_OK : check_json(text, root, problems, err);
	if (st)
		return st;
	if (isx_json_kind(text) == ISX_JSON_OBJECT)
		read_query(&reader, text, root, query);
	else
		fail_object(&reader, root, text);
	return reader.out_of_memory ? isx_fail_memory(err) : isx_problems_status(problems, err);
}

/* Elements are not read here, as one that is wrong does not spoil the others. */
enum isx_status isx_batch_from_json(const struct isx_payload *payload,
				    struct isx_json_walk *queries, struct isx_problems *problems,
				    struct isx_err *err)
{
	struct isx_reader reader = { .problems = problems };
	const struct isx_place body = { .name = "body" };
	const struct isx_place at = { .outer = &body, .name = "queries" };
	struct isx_span object, list = { 0 };
	if (is_object(&reader, payload, &object)) {
		list = isx_json_member(object, "queries");
		if (list.len == 0)
			isx_field_problem(&reader, "missing", &at, "Field required", object);
		else if (isx_json_kind(list) != ISX_JSON_ARRAY)
			isx_field_problem(&reader, "list_type", &at, "Input should be a valid list",
					  list);
	}
	*queries = isx_json_walk_start(list);
	return isx_problems_status(problems, err);
}

/* --- comparisons ------------------------------------------------------------------------------ */

/* Read a work that is an object: its fields are those of a query, of which the same one counts as in
 * a query, or `iscc`, an ISCC of any kind; and the index of an ISCC-ID. */
static void read_work_object(struct isx_reader *reader, struct isx_span object,
			     const struct isx_place *place, struct isx_work *work)
{
	enum { ISCC, INDEX, FIELDS };
	static const char *const names[FIELDS] = { "iscc", "index" };
	const char **const texts[FIELDS] = { &work->iscc, &work->index };
	struct isx_span found[FIELDS];
	struct isx_query query = { 0 };
	read_query(reader, object, place, &query);
	isx_json_find(object, names, FIELDS, found);
	for (size_t i = 0; i < FIELDS; i++) {
		const struct isx_place at = { .outer = place, .name = names[i] };
		if (isx_json_kind(found[i]) != ISX_JSON_NULL)
			isx_field_text(reader, found[i], &at, NULL, texts[i]);
	}
	work->units = query.units;
	work->unit_count = query.unit_count;
	if (!work->iscc)
		work->iscc = query.iscc_id      ? query.iscc_id
			     : query.unit_count ? NULL
						: query.iscc_code;
}

/* Read one of the two works: a text, or an object.
 *   index  of a work that names none itself; or NULL */
static void read_work(struct isx_reader *reader, struct isx_span value, struct isx_span body,
		      const struct isx_place *place, const char *index, struct isx_work *work)
{
	const size_t before = reader->problems->count;
	*work = (struct isx_work){ .index = index };
	if (value.len == 0)
		isx_field_problem(reader, "missing", place, "Field required", body);
	else if (isx_json_kind(value) == ISX_JSON_OBJECT)
		read_work_object(reader, value, place, work);
	else if (isx_json_kind(value) == ISX_JSON_STRING)
		isx_field_text(reader, value, place, NULL, &work->iscc);
	else
		isx_field_problem(reader, "model_attributes_type", place,
				  "Input should be an ISCC, or an object with 'iscc_id' and "
				  "'index', 'iscc_code' or 'units'",
				  value);
	if (isx_json_kind(value) == ISX_JSON_OBJECT && reader->problems->count == before &&
	    !work->iscc && !work->unit_count)
		isx_field_problem(reader, "missing", place,
				  "Expected 'iscc', 'iscc_id' and 'index', 'iscc_code' or 'units'",
				  value);
}

/* The conditions are members of the body, as they are members of a query. */
enum isx_status isx_compare_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				      struct isx_work *a, struct isx_work *b,
				      struct isx_query *conditions, struct isx_problems *problems,
				      struct isx_err *err)
{
	enum { A, B, INDEX, FIELDS };
	static const char *const names[FIELDS] = { "a", "b", "index" };
	struct isx_reader reader = { .arena = arena, .problems = problems };
	const struct isx_place body = { .name = "body" };
	struct isx_span object, found[FIELDS], given[CONDITIONS];
	struct isx_place at[FIELDS];
	const char *index = NULL;
	*conditions = (struct isx_query){ 0 };
	if (is_object(&reader, payload, &object)) {
		isx_json_find(object, names, FIELDS, found);
		for (size_t i = 0; i < FIELDS; i++)
			at[i] = (struct isx_place){ .outer = &body, .name = names[i] };
		if (isx_json_kind(found[INDEX]) != ISX_JSON_NULL)
			isx_field_text(&reader, found[INDEX], &at[INDEX], NULL, &index);
		read_work(&reader, found[A], object, &at[A], index, a);
		read_work(&reader, found[B], object, &at[B], index, b);
		isx_json_find(object, condition_names, CONDITIONS, given);
		read_conditions(&reader, given, &body, conditions);
		conditions->named = 0; /* there is nothing to inherit */
	}
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

/* --- declared fields -------------------------------------------------------------------------- */

/* A member beside "fields" is ignored, as in every body but a filter. */
enum isx_status isx_fields_from_json(const struct isx_payload *payload, struct isx_arena *arena,
				     const char *const **fields, size_t *count,
				     struct isx_problems *problems, struct isx_err *err)
{
	struct isx_reader reader = { .arena = arena, .problems = problems };
	const struct isx_place body = { .name = "body" };
	const struct isx_place at = { .outer = &body, .name = "fields" };
	struct isx_span text = isx_span_trim(payload->text);
	enum isx_json_kind kind = payload->is_json ? isx_json_kind(text) : ISX_JSON_NULL;
	struct isx_span list = kind == ISX_JSON_OBJECT ? isx_json_member(text, "fields") : text;
	*fields = NULL;
	*count = 0;
	if (kind == ISX_JSON_OBJECT && !list.len)
		isx_field_problem(&reader, "missing", &at, "Field required", text);
	else if (payload->is_json)
		read_fields(&reader, list, kind == ISX_JSON_OBJECT ? &at : &body, fields, count);
	else
		isx_problem_add(problems, "list_type", &body, ISX_NO_LIST ISX_SEND_AS_JSON,
				(struct isx_span){ 0 });
	return reader.out_of_memory ? isx_fail_memory(err) : isx_problems_status(problems, err);
}
