/*
 * answer_json.c - read the answers of another server of the API: what result_json.c writes there, and
 *                 why a request failed.
 *
 * Answers are read where they stand, as JSON text, without a tree. What another server sends is
 * untrusted: each list is counted and bounded before memory is taken for it, and a value of a
 * wrong kind is an error or 0. Members that are not known are skipped, so that a later version of the
 * server can be read. Must not know connections: what arrived is complete when it comes here.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "iscc/iscc_id.h"
#include "json/http_status.h"
#include "json/json.h"
#include "json/json_text.h"
#include "json/wire.h"

#include <stdio.h>
#include <string.h>

/* --- failures --------------------------------------------------------------------------------- */

/* Fail with the first problem of a list in "detail" (422), as "units.0: MSG": the members of "loc"
 * behind the body and the number of the asset. That number becomes the position of the error.
 * False: this is no such list, and `err` is as it was. */
static bool fail_problem(struct isx_span detail, struct isx_arena *arena, enum isx_status status,
			 struct isx_err *err)
{
	/* FastAPI, on which 0.3.3 is built, lists all problems of a request; the first one is
	 * enough for a message. */
	struct isx_json_walk walk = isx_json_walk_start(detail), parts;
	struct isx_span problem, part, msg, text;
	struct isx_buf place = { 0 };
	size_t position = ISX_NO_POSITION;
	if (isx_json_kind(detail) != ISX_JSON_ARRAY || !isx_json_next_element(&walk, &problem) ||
	    !isx_json_string(isx_json_member(problem, "msg"), arena, &msg) || !msg.len)
		return false;
	struct isx_span loc = isx_json_member(problem, "loc");
	parts = isx_json_walk_start(loc);
	if (isx_json_kind(loc) != ISX_JSON_ARRAY)
		return false;
	for (size_t i = 0; isx_json_next_element(&parts, &part); i++) {
		if (i == 0 && isx_span_is(part, "\"body\""))
			continue;
		if (i == 1 && isx_json_kind(part) == ISX_JSON_INT && isx_json_int(part) >= 0) {
			position = (size_t)isx_json_int(part);
			continue;
		}
		bool is_text = isx_json_string(part, arena, &text) && text.len;
		isx_buf_text(&place, place.len ? "." : "");
		isx_buf_add(&place, is_text ? text.ptr : part.ptr, is_text ? text.len : part.len);
	}
	isx_fail(err, status, "%.*s%s%s", (int)(place.len < 128 ? place.len : 128),
		 place.len ? place.ptr : "", place.len ? ": " : "", msg.ptr);
	if (err)
		err->position = position;
	isx_buf_release(&place);
	return true;
}

/* The code alone decides the status; the text of the server is only shown. It is cut to the length
 * of a message, as it may be of any length. */
enum isx_status isx_fail_http_status(long code, struct isx_span answer, struct isx_err *err)
{
	enum isx_status st = isx_http_to_status(code);
	struct isx_arena arena = { 0 };
	struct isx_span detail = { 0 }, text = { 0 };
	size_t offset;
	/* A proxy in between may answer with HTML: then there is no detail. */
	if (!isx_json_check(answer, &offset, NULL))
		detail = isx_json_member(answer, "detail");
	if (!isx_json_string(detail, &arena, &text))
		st = isx_fail_memory(err);
	else if (st == ISX_UNAUTHORIZED)
		isx_fail(err, st, "%s: the server expects its API key (api_key)",
			 text.len ? text.ptr : "Unauthorized");
	else if (text.len)
		isx_fail(err, st, "%s", text.ptr);
	else if (detail.len && !fail_problem(detail, &arena, st, err))
		isx_fail(err, st, "status %ld: %.*s", code,
			 (int)(detail.len < 256 ? detail.len : 256), detail.ptr);
	else if (!detail.len)
		isx_fail(err, st, "the server answered with status %ld", code);
	isx_arena_release(&arena);
	return st;
}

/* ISX_IO and not ISX_INVALID: the program that asks has made no mistake, and to ask another server
 * may help. */
enum isx_status isx_fail_answer(struct isx_err *err, const char *expected)
{
	return isx_fail(err, ISX_IO, "the server's answer is not what it should be: expected %s",
			expected);
}

/* The answer is about another asset or index. A proxy or a cache in between may mix answers up; to
 * take one for another would hand out wrong assets. */
static enum isx_status fail_other(struct isx_err *err, const char *member, const char *asked,
				  struct isx_span found)
{
	return isx_fail(err, ISX_IO,
			"the server's answer is not what it should be: expected %s \"%s\", found "
			"%.*s",
			member, asked, (int)(found.len < 64 ? found.len : 64),
			found.len ? found.ptr : "");
}

/* Compared as ISCC-IDs: a text of the same one may be in other case. */
enum isx_status isx_answer_check_id(struct isx_span value, const char *asked, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_span text;
	struct isx_iscc_id found, wanted;
	enum isx_status st = ISX_OK;
	if (!isx_json_string(value, &arena, &text))
		st = isx_fail_memory(err);
	else if (isx_iscc_id_parse(text, &found, NULL) ||
		 isx_iscc_id_parse(isx_span_of(asked), &wanted, NULL) ||
		 found.body != wanted.body || found.realm != wanted.realm)
		st = fail_other(err, "iscc_id", asked, value);
	isx_arena_release(&arena);
	return st;
}

enum isx_status isx_answer_check_name(struct isx_span value, const char *asked, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_span text;
	enum isx_status st = ISX_OK;
	if (!isx_json_string(value, &arena, &text))
		st = isx_fail_memory(err);
	else if (!text.ptr || !isx_span_is(text, asked))
		st = fail_other(err, "name", asked, value);
	isx_arena_release(&arena);
	return st;
}

/* --- values ----------------------------------------------------------------------------------- */

/* A count of the answer; 0 for a negative number and for what is no whole number. */
static uint64_t count_of(struct isx_span value)
{
	int64_t count = isx_json_int(value);
	return count > 0 ? (uint64_t)count : 0;
}

/* A score, which has to be there. Sums of another order may end a few bits above 1. */
static enum isx_status read_score(struct isx_span value, double *score, struct isx_err *err)
{
	static const double rounding = 1e-9;
	enum isx_json_kind kind = isx_json_kind(value);
	if (!isx_json_number(value, score))
		return isx_fail_memory(err);
	if ((kind != ISX_JSON_INT && kind != ISX_JSON_DOUBLE) ||
	    !(*score >= 0 && *score <= 1 + rounding)) /* NaN is neither */
		return isx_fail_answer(err, "a score from 0 to 1");
	if (*score > 1)
		*score = 1;
	return ISX_OK;
}

/* A number that is not negative; 0 for what is none, and for a number that is missing. */
static enum isx_status read_amount(struct isx_span value, double *amount, struct isx_err *err)
{
	enum isx_json_kind kind = isx_json_kind(value);
	*amount = 0;
	if (kind != ISX_JSON_INT && kind != ISX_JSON_DOUBLE)
		return ISX_OK;
	if (!isx_json_number(value, amount))
		return isx_fail_memory(err);
	return *amount >= 0 ? ISX_OK : isx_fail_answer(err, "a number of 0 or more");
}

/* Copy a JSON string into a field of `room` bytes, cut off if it is longer; "" for what is no
 * string. False: no memory. */
static bool copy_string(struct isx_span value, char *field, size_t room)
{
	struct isx_arena arena = { 0 };
	struct isx_span text;
	bool read = isx_json_string(value, &arena, &text);
	snprintf(field, room, "%s", text.ptr ? text.ptr : "");
	isx_arena_release(&arena);
	return read;
}

/* Count the members of an object whose values have at least `least` characters. Shorter values
 * are malformed, and would take much more memory than text: a large answer could not be
 * bounded. */
static size_t count_members(struct isx_span object, size_t least)
{
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value;
	size_t count = 0;
	if (isx_json_kind(object) != ISX_JSON_OBJECT)
		return 0;
	while (isx_json_next_member(&walk, &key, &value))
		count += value.len >= least;
	return count;
}

/* Read a required string into `arena`. */
static enum isx_status read_text(struct isx_span value, struct isx_arena *arena, const char **text,
				 struct isx_err *err)
{
	struct isx_span found;
	if (isx_json_kind(value) != ISX_JSON_STRING)
		return isx_fail_answer(err, "a text");
	if (!isx_json_string(value, arena, &found))
		return isx_fail_memory(err);
	*text = found.ptr;
	return ISX_OK;
}

/* Read a list of strings into `arena`, at most ISX_UNITS_MAX. */
static enum isx_status read_texts(struct isx_span list, struct isx_arena *arena,
				  const char *const **texts, size_t *count, struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(list);
	struct isx_span element;
	size_t length = isx_json_length(list);
	enum isx_status st = ISX_OK;
	if (isx_json_kind(list) != ISX_JSON_ARRAY || length > ISX_UNITS_MAX)
		return isx_fail_answer(err, "a list of at most 64 units");
	const char **made = isx_arena_alloc(arena, length, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	for (size_t i = 0; !st && i < length && isx_json_next_element(&walk, &element); i++)
		st = read_text(element, arena, &made[i], err);
	*texts = made;
	*count = length;
	return st;
}

/* Read an ISCC-ID, of a match or of a new asset.
 *   iscc_id  filled: 24 bytes, as in struct isx_match */
static enum isx_status read_owner(struct isx_span id, char iscc_id[24], struct isx_err *err)
{
	/* 24 bytes hold an ISCC-ID and its NUL; `id` has quotes, too. */
	if (isx_json_kind(id) != ISX_JSON_STRING || id.len >= 24 + 2)
		return isx_fail_answer(err, "an ISCC-ID");
	if (!copy_string(id, iscc_id, 24))
		return isx_fail_memory(err);
	if (isx_iscc_id_parse(isx_span_of(iscc_id), &(struct isx_iscc_id){ 0 }, NULL))
		return isx_fail_answer(err, "an ISCC-ID");
	return ISX_OK;
}

/* --- indexes ---------------------------------------------------------------------------------- */

/* Read "sizes", an object of names and MiB, into info->parts. */
static enum isx_status read_sizes(struct isx_span sizes, struct isx_index_info *info,
				  struct isx_err *err)
{
	enum { MIB = 1 << 20 };
	struct isx_json_walk walk = isx_json_walk_start(sizes);
	struct isx_span key, value;
	size_t count = count_members(sizes, 1);
	/* An index of this program has at most 64 simprint types and a few parts. */
	if (count > ISX_TYPE_NAMES_MAX)
		return isx_fail_answer(err, "at most 128 sizes");
	info->parts = isx_mem_array(count, sizeof *info->parts);
	if (!info->parts)
		return isx_fail_memory(err);
	for (; info->part_count < count && isx_json_next_member(&walk, &key, &value);) {
		struct isx_index_part *part = &info->parts[info->part_count++];
		/* The walk gives keys without their quotes; copy_string() wants a JSON string. */
		struct isx_span quoted = { key.ptr - 1, key.len + 2 };
		if (!copy_string(quoted, part->name, sizeof part->name))
			return isx_fail_memory(err);
		part->bytes = count_of(value) * MIB;
	}
	return ISX_OK;
}

/* info->parts may be set after a failure, too: the caller releases it in any case. Sizes are whole
 * MiB, as the API sends them, so bytes are rounded down. */
enum isx_status isx_index_from_answer(struct isx_span object, struct isx_index_info *info,
				      struct isx_err *err)
{
	enum { MIB = 1 << 20 };
	enum { NAME, ASSETS, SIZE, SIZES, FIELDS };
	static const char *const names[FIELDS] = { "name", "assets", "size", "sizes" };
	struct isx_span found[FIELDS];
	*info = (struct isx_index_info){ 0 };
	isx_json_find(object, names, FIELDS, found);
	if (!copy_string(found[NAME], info->name, sizeof info->name))
		return isx_fail_memory(err);
	if (!info->name[0])
		return isx_fail_answer(err, "an index with a name");
	info->assets = count_of(found[ASSETS]);
	info->bytes = count_of(found[SIZE]) * MIB;
	return found[SIZES].len ? read_sizes(found[SIZES], info, err) : ISX_OK;
}

/* After a failure *infos holds the indexes that were read so far, *count of them, for the caller to
 * free. */
enum isx_status isx_index_list_from_answer(struct isx_span list, struct isx_index_info **infos,
					   size_t *count, struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(list);
	struct isx_span element;
	size_t length = 0;
	enum isx_status st = ISX_OK;
	*infos = NULL;
	*count = 0;
	if (isx_json_kind(list) != ISX_JSON_ARRAY)
		return isx_fail_answer(err, "a list of indexes");
	for (; isx_json_next_element(&walk, &element); length++)
		if (element.len < sizeof("{\"name\":\"a\"}") - 1)
			return isx_fail_answer(err, "an index with a name");
	*infos = isx_mem_array(length, sizeof **infos);
	if (!*infos)
		return isx_fail_memory(err);
	walk = isx_json_walk_start(list);
	while (!st && *count < length && isx_json_next_element(&walk, &element))
		st = isx_index_from_answer(element, &(*infos)[(*count)++], err);
	return st;
}

/* The texts are new one by one, as the caller hands them to a program. */
enum isx_status isx_fields_from_answer(struct isx_span answer, char ***fields, size_t *count,
				       struct isx_err *err)
{
	struct isx_span list = isx_json_member(answer, "fields"), element, text;
	struct isx_json_walk walk = isx_json_walk_start(list);
	struct isx_arena arena = { 0 };
	size_t length = isx_json_length(list);
	enum isx_status st = ISX_OK;
	*fields = NULL;
	*count = 0;
	if (isx_json_kind(list) != ISX_JSON_ARRAY || length > ISX_FIELDS_MAX)
		return isx_fail_answer(err, "a list of at most 32 fields");
	*fields = isx_mem_array(length, sizeof **fields);
	if (!*fields)
		return isx_fail_memory(err);
	while (!st && *count < length && isx_json_next_element(&walk, &element)) {
		if (isx_json_kind(element) != ISX_JSON_STRING)
			st = isx_fail_answer(err, "fields as texts");
		else if (!isx_json_string(element, &arena, &text))
			st = isx_fail_memory(err);
		else if (!((*fields)[(*count)++] = isx_mem_text(text.ptr, text.len)))
			st = isx_fail_memory(err);
	}
	isx_arena_release(&arena);
	return st;
}

/* --- assets ----------------------------------------------------------------------------------- */

/* Outcomes come in the order of the assets, so they are matched by their positions. The ISCC-ID is
 * compared all the same where the asset has one: a server that answers in another order would else
 * go unnoticed. */
enum isx_status isx_outcomes_from_answer(struct isx_span list, const struct isx_asset *assets,
					 size_t count, enum isx_outcome *outcomes,
					 char (*iscc_ids)[24], struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(list);
	struct isx_span element;
	/* Another number of outcomes: they could belong to any of the assets. */
	if (isx_json_length(list) != count)
		return isx_fail_answer(err, "one outcome per asset");
	for (size_t i = 0; i < count && isx_json_next_element(&walk, &element); i++) {
		struct isx_span status = isx_json_member(element, "status");
		struct isx_span id = isx_json_member(element, "iscc_id");
		enum isx_status st = assets[i].iscc_id
					     ? isx_answer_check_id(id, assets[i].iscc_id, err)
					     : read_owner(id, iscc_ids[i], err);
		if (st)
			return st;
		/* Any other word is a failure, although the asset may be stored: to guess an
		 * outcome would be worse. */
		if (isx_span_is(status, "\"updated\""))
			outcomes[i] = ISX_UPDATED;
		else if (isx_span_is(status, "\"created\""))
			outcomes[i] = ISX_CREATED;
		else
			return isx_fail_answer(err, "\"created\" or \"updated\"");
	}
	return ISX_OK;
}

/* --- matches ---------------------------------------------------------------------------------- */

/* Check that the server has understood the conditions of a query, which it echoes then. 0.3.3 ignores
 * them, and its matches would be others than those that were asked for. */
static enum isx_status check_conditions(struct isx_span echo, const struct isx_query *asked,
					struct isx_err *err)
{
	enum { CONDITIONS = 10 };
	static const char *const names[CONDITIONS] = { "min_score",  "min_scores", "types",
						       "exponent",   "with",       "rank",
						       "max_expect", "filter",     "facets",
						       "explain" };
	const bool is_asked[CONDITIONS] = { asked->has_min_score,  asked->min_score_count,
					    asked->types,          asked->exponent,
					    asked->with,           asked->rank,
					    asked->max_expect > 0, asked->filter,
					    asked->facets,         asked->explains };
	struct isx_span found[CONDITIONS];
	isx_json_find(echo, names, CONDITIONS, found);
	for (size_t i = 0; i < CONDITIONS; i++)
		if (is_asked[i] && isx_json_kind(found[i]) == ISX_JSON_NULL)
			return isx_fail(err, ISX_UNSUPPORTED,
					"the server ignores '%s' of a query: it is an older "
					"version",
					names[i]);
	return ISX_OK;
}

/* Read the query as the server echoes it, with what it has derived. Simprints and conditions are not
 * read but borrowed from `asked`: the server echoes them unchanged. */
static enum isx_status read_query(struct isx_span object, const struct isx_query *asked,
				  struct isx_arena *arena, struct isx_query *query,
				  struct isx_err *err)
{
	enum { ID, CODE, UNITS, SIMPRINTS, FIELDS };
	static const char *const names[FIELDS] = { "iscc_id", "iscc_code", "units", "simprints" };
	static const uint32_t flags[FIELDS] = { ISX_QUERY_HAS_ISCC_ID, ISX_QUERY_HAS_ISCC_CODE,
						ISX_QUERY_HAS_UNITS, ISX_QUERY_HAS_SIMPRINTS };
	struct isx_span found[FIELDS];
	enum isx_status st = check_conditions(object, asked, err);
	*query = *asked;
	query->iscc_id = query->iscc_code = NULL;
	query->units = NULL;
	query->unit_count = 0;
	query->named = 0;
	/* A missing member is an empty span, whose kind is null. */
	isx_json_find(object, names, FIELDS, found);
	for (size_t i = 0; i < FIELDS; i++)
		if (found[i].len)
			query->named |= flags[i];
	/* `named` says which fields the answer shows, null or not; only those with a value are
	 * read. */
	if (asked->explains) /* the exponent of the server, with which it made the scores */
		query->exponent = (uint32_t)count_of(isx_json_member(object, "exponent"));
	if (!st && isx_json_kind(found[CODE]) != ISX_JSON_NULL)
		st = read_text(found[CODE], arena, &query->iscc_code, err);
	if (!st && isx_json_kind(found[UNITS]) != ISX_JSON_NULL)
		st = read_texts(found[UNITS], arena, &query->units, &query->unit_count, err);
	return st;
}

/* Read "types" of a match: an object of unit types and scores. Takes 16 bytes and the name for each
 * member, whose text has five characters at least. */
static enum isx_status read_types(struct isx_span types, struct isx_arena *arena,
				  struct isx_match *match, struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(types);
	struct isx_span key, value;
	size_t count = count_members(types, 1);
	if (isx_json_kind(types) != ISX_JSON_OBJECT)
		return isx_fail_answer(err, "an object of types");
	struct isx_type_score *made = isx_arena_alloc(arena, count, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	/* A key that comes twice in the JSON is kept twice. */
	while (match->type_count < count && isx_json_next_member(&walk, &key, &value)) {
		const char *type = isx_json_name(key, arena);
		if (!type)
			return isx_fail_memory(err);
		struct isx_type_score *one = &made[match->type_count++];
		one->type = type;
		enum isx_status st = read_score(value, &one->score, err);
		if (st)
			return st;
	}
	match->types = made;
	return ISX_OK;
}

/* Read one type of an explanation. */
static enum isx_status read_explained_type(struct isx_span object, struct isx_type_explanation *one,
					   struct isx_err *err)
{
	enum { BITS, DISTANCE, SCORE, EXPECT, COUNTED, MISSED_BY, ABSENT, IN, FIELDS };
	static const char *const names[FIELDS] = { "compared_bits", "distance",  "score",  "expect",
						   "counted",       "missed_by", "absent", "in" };
	struct isx_span found[FIELDS];
	isx_json_find(object, names, FIELDS, found);
	if (isx_span_is(found[ABSENT], "true")) {
		one->absent = isx_span_is(found[IN], "\"a\"") ? 'a' : 'b';
		return ISX_OK;
	}
	one->compared_bits = (uint32_t)count_of(found[BITS]);
	one->distance = (uint32_t)count_of(found[DISTANCE]);
	one->counted = isx_span_is(found[COUNTED], "true");
	enum isx_status st = read_score(found[SCORE], &one->score, err);
	if (!st)
		st = read_amount(found[EXPECT], &one->expect, err);
	return st ? st : read_amount(found[MISSED_BY], &one->missed_by, err);
}

/* Read an explanation: an object of unit types. The shortest value of a member, {"absent":true},
 * bounds memory by the length of the text. */
static enum isx_status read_explanation(struct isx_span object, struct isx_arena *arena,
					const struct isx_type_explanation **types, size_t *count,
					struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value;
	size_t length = count_members(object, sizeof("{\"absent\":true}") - 1);
	enum isx_status st = ISX_OK;
	if (isx_json_kind(object) != ISX_JSON_OBJECT || length != count_members(object, 1))
		return isx_fail_answer(err, "an explanation of each type");
	struct isx_type_explanation *made = isx_arena_alloc(arena, length, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	for (size_t i = 0; !st && i < length && isx_json_next_member(&walk, &key, &value); i++) {
		made[i].type = isx_json_name(key, arena);
		st = made[i].type ? read_explained_type(value, &made[i], err)
				  : isx_fail_memory(err);
	}
	*types = made;
	*count = length;
	return st;
}

enum isx_status isx_comparison_from_answer(struct isx_span text, struct isx_arena *arena,
					   struct isx_comparison *comparison, struct isx_err *err)
{
	enum { SCORE, EXPONENT, EXPLANATION, FIELDS };
	static const char *const names[FIELDS] = { "score", "exponent", "explanation" };
	struct isx_span found[FIELDS];
	isx_json_find(text, names, FIELDS, found);
	comparison->exponent = (uint32_t)count_of(found[EXPONENT]);
	enum isx_status st = read_score(found[SCORE], &comparison->score, err);
	return st ? st
		  : read_explanation(found[EXPLANATION], arena, &comparison->types,
				     &comparison->type_count, err);
}

/* Read what both kinds of match carry of their asset. Metadata are copied as text, so that numbers keep
 * their digits. */
static enum isx_status read_carried(struct isx_span metadata, struct isx_span code,
				    struct isx_span units, struct isx_arena *arena,
				    struct isx_asset *asset, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	*asset = (struct isx_asset){ 0 };
	if (isx_json_kind(code) != ISX_JSON_NULL)
		st = read_text(code, arena, &asset->iscc_code, err);
	if (!st && isx_json_kind(units) != ISX_JSON_NULL)
		st = read_texts(units, arena, &asset->units, &asset->unit_count, err);
	if (st || isx_json_kind(metadata) == ISX_JSON_NULL)
		return st;
	asset->metadata = isx_arena_text(arena, metadata.ptr, metadata.len);
	return asset->metadata ? ISX_OK : isx_fail_memory(err);
}

/* Read one element of a list into `element` (filled, zeroed before). */
typedef enum isx_status read_element_fn(struct isx_span text, struct isx_arena *arena,
					void *element, struct isx_err *err);

/* How to read the elements of one kind of list. */
struct element_kind {
	size_t size;  /* bytes of an element in memory */
	size_t least; /* characters of the shortest element: bounds memory by the text's length */
	read_element_fn *read;
};

/* Read a list of elements: first all are counted and their lengths checked, then memory is
 * taken once.
 *   elements  filled: an array in `arena` */
static enum isx_status read_list(struct isx_span list, const struct element_kind *kind,
				 struct isx_arena *arena, void **elements, size_t *count,
				 struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(list);
	struct isx_span text;
	size_t length = 0;
	enum isx_status st = ISX_OK;
	if (isx_json_kind(list) != ISX_JSON_ARRAY)
		return isx_fail_answer(err, "a list of elements");
	for (; isx_json_next_element(&walk, &text); length++)
		if (text.len < kind->least)
			return isx_fail_answer(err, "elements with all their members");
	char *made = isx_arena_alloc(arena, length, kind->size);
	if (!made)
		return isx_fail_memory(err);
	walk = isx_json_walk_start(list);
	for (size_t i = 0; !st && i < length && isx_json_next_element(&walk, &text); i++)
		st = kind->read(text, arena, made + i * kind->size, err);
	*elements = made;
	*count = length;
	return st;
}

/* What an element of both lists of matches has; `types` is read by the caller.
 *   types  filled: borrowed from `text` */
static enum isx_status read_ranked(struct isx_span text, struct isx_arena *arena, char iscc_id[24],
				   struct isx_asset *asset, double *score, struct isx_span *types,
				   struct isx_err *err)
{
	enum { ID, SCORE, TYPES, METADATA, CODE, UNITS, FIELDS };
	static const char *const names[FIELDS] = { "iscc_id",  "score",     "types",
						   "metadata", "iscc_code", "units" };
	struct isx_span found[FIELDS];
	isx_json_find(text, names, FIELDS, found);
	*types = found[TYPES];
	enum isx_status st = read_owner(found[ID], iscc_id, err);
	if (!st)
		st = read_carried(found[METADATA], found[CODE], found[UNITS], arena, asset, err);
	return st ? st : read_score(found[SCORE], score, err);
}

/* Read what a match has for its rank: members that are there only if the query or the settings of the
 * server ask for them. */
static enum isx_status read_rank(struct isx_span text, struct isx_arena *arena,
				 struct isx_match *match, struct isx_err *err)
{
	enum { EXPECT, TIER, TIER_SCORE, FIELDS };
	static const char *const names[FIELDS] = { "expect", "tier", "tier_score" };
	struct isx_span found[FIELDS];
	isx_json_find(text, names, FIELDS, found);
	match->has_expect = isx_json_kind(found[EXPECT]) != ISX_JSON_NULL;
	if (match->has_expect) {
		enum isx_json_kind kind = isx_json_kind(found[EXPECT]);
		if (!isx_json_number(found[EXPECT], &match->expect))
			return isx_fail_memory(err);
		if ((kind != ISX_JSON_INT && kind != ISX_JSON_DOUBLE) || !(match->expect >= 0))
			return isx_fail_answer(err, "an expect of 0 or more");
	}
	if (isx_json_kind(found[TIER]) == ISX_JSON_NULL)
		return ISX_OK;
	enum isx_status st = read_text(found[TIER], arena, &match->tier, err);
	return st ? st : read_score(found[TIER_SCORE], &match->tier_score, err);
}

/* One element of "global_matches". */
static enum isx_status read_match(struct isx_span text, struct isx_arena *arena, void *element,
				  struct isx_err *err)
{
	struct isx_match *match = element;
	struct isx_asset asset = { 0 };
	struct isx_span types;
	enum isx_status st = read_ranked(text, arena, match->iscc_id, &asset, &match->score, &types,
					 err);
	ISX_MATCH_CARRY(match, &asset);
	if (!st)
		st = read_rank(text, arena, match, err);
	struct isx_span explanation = isx_json_member(text, "explanation");
	if (!st && isx_json_kind(explanation) != ISX_JSON_NULL)
		st = read_explanation(explanation, arena, &match->explanation,
				      &match->explanation_count, err);
	return st ? st : read_types(types, arena, match, err);
}

/* The shortest text of each kind has all required members and empty values. */
static const struct element_kind match_kind = {
	sizeof(struct isx_match), sizeof("{\"iscc_id\":\"\",\"score\":0,\"types\":{}}") - 1,
	read_match
};

/* --- passages --------------------------------------------------------------------------------- */

/* One passage of a match. Missing numbers are 0; both simprints are required. */
static enum isx_status read_chunk(struct isx_span text, struct isx_arena *arena, void *element,
				  struct isx_err *err)
{
	enum { QUERY, MATCH, SCORE, FREQ, OFFSET, SIZE, WEIGHT, SHARE, FIELDS };
	static const char *const names[FIELDS] = { "query",  "match", "score",  "freq",
						   "offset", "size",  "weight", "share" };
	struct isx_chunk *chunk = element;
	struct isx_span found[FIELDS];
	isx_json_find(text, names, FIELDS, found);
	chunk->freq = count_of(found[FREQ]);
	chunk->offset = (uint32_t)count_of(found[OFFSET]);
	chunk->size = (uint32_t)count_of(found[SIZE]);
	enum isx_status st = read_score(found[SCORE], &chunk->score, err);
	if (!st)
		st = read_amount(found[WEIGHT], &chunk->weight, err);
	if (!st)
		st = read_amount(found[SHARE], &chunk->share, err);
	if (!st)
		st = read_text(found[QUERY], arena, &chunk->query, err);
	return st ? st : read_text(found[MATCH], arena, &chunk->match, err);
}

static const struct element_kind chunk_kind = { sizeof(struct isx_chunk),
						sizeof("{\"query\":\"\",\"match\":\"\"}") - 1,
						read_chunk };

/* The passages of one simprint type; `key` is the type, as JSON text without its quotes. */
static enum isx_status read_chunk_type(struct isx_span key, struct isx_span object,
				       struct isx_arena *arena, struct isx_chunk_type *type,
				       struct isx_err *err)
{
	enum { SCORE, QUERIED, CHUNKS, WEIGHT, FIELDS };
	static const char *const names[FIELDS] = { "score", "queried", "chunks", "weight" };
	struct isx_span found[FIELDS];
	void *chunks = NULL;
	isx_json_find(object, names, FIELDS, found);
	enum isx_status st = read_score(found[SCORE], &type->score, err);
	if (st)
		return st;
	type->type = isx_json_name(key, arena);
	if (!type->type)
		return isx_fail_memory(err);
	type->queried = count_of(found[QUERIED]);
	st = read_amount(found[WEIGHT], &type->weight, err);
	if (!st)
		st = read_list(found[CHUNKS], &chunk_kind, arena, &chunks, &type->matches, err);
	type->chunks = chunks;
	return st;
}

/* Read "types" of a passage match: an object of simprint types and what matched. */
static enum isx_status read_chunk_types(struct isx_span types, struct isx_arena *arena,
					struct isx_chunk_match *match, struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(types);
	struct isx_span key, object;
	size_t count = count_members(types, sizeof("{\"chunks\":[]}") - 1);
	enum isx_status st = ISX_OK;
	if (isx_json_kind(types) != ISX_JSON_OBJECT || count != count_members(types, 1))
		return isx_fail_answer(err, "objects in types");
	struct isx_chunk_type *made = isx_arena_alloc(arena, count, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	while (!st && match->type_count < count && isx_json_next_member(&walk, &key, &object))
		st = read_chunk_type(key, object, arena, &made[match->type_count++], err);
	match->types = made;
	return st;
}

/* One element of "chunk_matches". */
static enum isx_status read_chunk_match(struct isx_span text, struct isx_arena *arena,
					void *element, struct isx_err *err)
{
	struct isx_chunk_match *match = element;
	struct isx_asset asset = { 0 };
	struct isx_span types;
	enum isx_status st = read_ranked(text, arena, match->iscc_id, &asset, &match->score, &types,
					 err);
	ISX_MATCH_CARRY(match, &asset);
	return st ? st : read_chunk_types(types, arena, match, err);
}

static const struct element_kind chunk_match_kind = { sizeof(struct isx_chunk_match),
						      sizeof("{\"iscc_id\":\"\",\"types\":{}}") - 1,
						      read_chunk_match };

/* Read what a query for pages or counts is answered with. A server of an earlier version ignores what
 * it does not know: its answer would be the first page again. */
static enum isx_status read_page(struct isx_span text, const struct isx_query *asked,
				 struct isx_arena *arena, struct isx_result *result,
				 struct isx_err *err)
{
	enum { NEXT, CHANGED, COUNT, CHUNK_COUNT, FIELDS };
	static const char *const names[FIELDS] = { "next", "changed", "count", "chunk_count" };
	struct isx_span found[FIELDS];
	isx_json_find(text, names, FIELDS, found);
	if ((asked->after && !found[NEXT].len) || (asked->counts && !found[COUNT].len))
		return isx_fail(err, ISX_UNSUPPORTED,
				"the server has no pages and counts of a search: expected version "
				"0.4.0 or later of iscc-search");
	result->is_changed = isx_span_is(found[CHANGED], "true");
	result->match_total = count_of(found[COUNT]);
	result->chunk_match_total = count_of(found[CHUNK_COUNT]);
	return asked->after && isx_json_kind(found[NEXT]) != ISX_JSON_NULL
		       ? read_text(found[NEXT], arena, &result->next, err)
		       : ISX_OK;
}

/* Read one value of a facet; the last element may be the count of all others instead. */
static enum isx_status read_facet_value(struct isx_span text, struct isx_arena *arena,
					void *element, struct isx_err *err)
{
	struct isx_facet_value *one = element;
	enum { VALUE, COUNT, OTHERS, FIELDS };
	static const char *const names[FIELDS] = { "value", "count", "others" };
	struct isx_span found[FIELDS];
	isx_json_find(text, names, FIELDS, found);
	one->count = count_of(found[OTHERS].len ? found[OTHERS] : found[COUNT]);
	if (found[OTHERS].len)
		return ISX_OK;
	enum isx_json_kind kind = isx_json_kind(found[VALUE]);
	if (!found[VALUE].len || kind == ISX_JSON_ARRAY || kind == ISX_JSON_OBJECT)
		return isx_fail_answer(err, "a value in each facet");
	one->value = isx_arena_text(arena, found[VALUE].ptr, found[VALUE].len);
	return one->value ? ISX_OK : isx_fail_memory(err);
}

static const struct element_kind facet_value_kind = { sizeof(struct isx_facet_value),
						      sizeof("{\"others\":1}") - 1,
						      read_facet_value };

/* Read the facets of one list of matches, all of those that were asked for, in their order.
 *   facets  filled */
static enum isx_status read_facets(struct isx_span object, const struct isx_query *asked,
				   struct isx_arena *arena, const struct isx_facet **facets,
				   struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, list;
	struct isx_facet *made = isx_arena_alloc(arena, asked->facet_count, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < asked->facet_count; i++) {
		struct isx_facet *facet = &made[i];
		void *values = NULL;
		if (isx_json_kind(object) != ISX_JSON_OBJECT ||
		    !isx_json_next_member(&walk, &key, &list))
			return isx_fail_answer(err, "all facets of the query");
		facet->field = isx_json_name(key, arena);
		if (!facet->field)
			return isx_fail_memory(err);
		if (strcmp(facet->field, asked->facets[i]) != 0)
			return isx_fail_answer(err, "the facets of the query");
		st = read_list(list, &facet_value_kind, arena, &values, &facet->value_count, err);
		facet->values = values;
		if (!st && facet->value_count && !facet->values[facet->value_count - 1].value)
			facet->others = facet->values[--facet->value_count].count;
		for (size_t k = 0; !st && k < facet->value_count; k++)
			if (!facet->values[k].value)
				st = isx_fail_answer(err, "others behind all values of a facet");
	}
	*facets = made;
	return st;
}

/* After a failure the result means nothing, and the arena keeps what was read until it is
 * released. */
enum isx_status isx_result_from_answer(struct isx_span text, const struct isx_query *asked,
				       struct isx_arena *arena, struct isx_result *result,
				       struct isx_err *err)
{
	enum { QUERY, MATCHES, CHUNK_MATCHES, FACETS, CHUNK_FACETS, FIELDS };
	static const char *const names[FIELDS] = { "query", "global_matches", "chunk_matches",
						   "facets", "chunk_facets" };
	struct isx_span found[FIELDS];
	void *matches = NULL, *chunk_matches = NULL;
	isx_json_find(text, names, FIELDS, found);
	/* All three are required: a list without matches is sent as [], by 0.3.3, too. */
	if (isx_json_kind(found[QUERY]) != ISX_JSON_OBJECT)
		return isx_fail_answer(err, "the query");
	enum isx_status st = read_query(found[QUERY], asked, arena, &result->query, err);
	if (!st)
		st = read_list(found[MATCHES], &match_kind, arena, &matches, &result->match_count,
			       err);
	if (!st)
		st = read_list(found[CHUNK_MATCHES], &chunk_match_kind, arena, &chunk_matches,
			       &result->chunk_match_count, err);
	if (!st && (result->match_count > asked->limit || result->chunk_match_count > asked->limit))
		st = isx_fail(err, ISX_IO,
			      "the server's answer is not what it should be: expected at most %zu "
			      "matches, as limit says",
			      asked->limit);
	result->matches = matches;
	result->chunk_matches = chunk_matches;
	if (!st)
		st = read_page(text, asked, arena, result, err);
	if (!st && asked->facets)
		st = read_facets(found[FACETS], asked, arena, &result->facets, err);
	if (!st && asked->facets)
		st = read_facets(found[CHUNK_FACETS], asked, arena, &result->chunk_facets, err);
	return st;
}
