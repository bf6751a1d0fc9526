/*
 * query_plan.c - resolve and decode a query.
 *
 * Touches memory only, so it does not matter which transaction the caller has begun. Everything
 * that it makes lives in the caller's arena, as long as the answer. It must not know how an engine
 * stores rows.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/query_plan.h"

#include "iscc/code.h"

#include <string.h>

/* Simprints are left out: iscc-search 0.3.3 searches "more like this" by units only. The flags
 * of all fields are set, since the answer echoes the query with them. */
void isx_query_of_asset(const struct isx_asset *asset, const struct isx_query *asked,
			struct isx_query *query)
{
	*query = *asked;
	query->iscc_id = NULL;
	query->iscc_code = asset->iscc_code;
	query->units = asset->units;
	query->unit_count = asset->unit_count;
	query->simprints = NULL;
	query->simprint_type_count = 0;
	query->named = ISX_QUERY_HAS_ISCC_CODE | ISX_QUERY_HAS_UNITS | ISX_QUERY_HAS_SIMPRINTS;
}

/* Linear: at most ISX_TYPE_NAMES_MAX entries, once for each type of a query. From the end, as of two
 * entries the last one counts. */
double isx_query_threshold(const struct isx_query *query, const char *type, double standard)
{
	for (size_t i = query->min_score_count; i > 0; i--)
		if (strcmp(query->min_scores[i - 1].type, type) == 0)
			return query->min_scores[i - 1].min_score;
	return query->has_min_score ? query->min_score : standard;
}

uint32_t isx_query_exponent(const struct isx_query *query, const struct isx_options *options)
{
	return query->exponent ? query->exponent : options->confidence_exponent;
}

uint32_t isx_query_rank(const struct isx_query *query, const struct isx_options *options)
{
	uint32_t rank = query->rank ? query->rank : options->rank;
	return rank ? rank : ISX_RANK_SCORE;
}

double isx_query_max_expect(const struct isx_query *query, const struct isx_options *options)
{
	return query->max_expect > 0 ? query->max_expect : options->max_expect;
}

/* Decode the units of query->iscc_code. They also become texts in query->units, because the
 * answer echoes the query as it was understood. */
static enum isx_status derive_units(struct isx_query *query, struct isx_arena *arena,
				    struct isx_unit *units, size_t *count, struct isx_err *err)
{
	enum isx_status st = isx_code_read(isx_span_of(query->iscc_code), units, count, err);
	if (st)
		return isx_err_at(err, st, "iscc_code");
	const char **texts = isx_arena_alloc(arena, *count, sizeof *texts);
	if (!texts)
		return isx_fail_memory(err);
	for (size_t i = 0; i < *count; i++) {
		char *text = isx_arena_alloc(arena, 1, ISX_UNIT_TEXT_BYTES);
		if (!text)
			return isx_fail_memory(err);
		isx_unit_print(&units[i], text);
		texts[i] = text;
	}
	query->units = texts;
	query->unit_count = *count;
	return ISX_OK;
}

/* Decode the units that the query lists. If they form an ISCC-CODE and the query has none, it
 * becomes query->iscc_code, again for the echo. */
static enum isx_status decode_units(struct isx_query *query, struct isx_arena *arena,
				    struct isx_unit *units, struct isx_err *err)
{
	for (size_t i = 0; i < query->unit_count; i++) {
		enum isx_status st = isx_unit_read(isx_span_of(query->units[i]), &units[i], err);
		if (st)
			return isx_err_at(err, st, "units[%zu]", i);
	}
	if (query->iscc_code)
		return ISX_OK;
	char *code = isx_arena_alloc(arena, 1, ISX_CODE_TEXT_BYTES);
	if (!code)
		return isx_fail_memory(err);
	if (isx_code_compose(units, query->unit_count, code))
		query->iscc_code = code;
	return ISX_OK;
}

/* Add the type of a unit to plan->types, each once. At most ISX_UNITS_MAX entries, so a linear
 * search is enough. */
static enum isx_status enter_type(struct isx_query_plan *plan, const char *type,
				  struct isx_arena *arena, struct isx_err *err)
{
	for (size_t i = 0; i < plan->type_count; i++)
		if (strcmp(plan->types[i], type) == 0)
			return ISX_OK;
	const char *text = isx_arena_text(arena, type, strlen(type));
	plan->types[plan->type_count++] = text;
	return text ? ISX_OK : isx_fail_memory(err);
}

/* Is a unit type searched? */
static bool is_type_asked(const struct isx_query *query, const char *type)
{
	for (size_t i = 0; i < query->type_count; i++)
		if (strcmp(query->types[i], type) == 0)
			return true;
	return !query->types;
}

/* Copy the decoded units and their types into the plan, those of types that do not count left out. */
static enum isx_status enter_units(struct isx_query_plan *plan, const struct isx_unit *units,
				   size_t count, struct isx_arena *arena, struct isx_err *err)
{
	plan->units = isx_arena_alloc(arena, count, sizeof *plan->units);
	plan->types = isx_arena_alloc(arena, count, sizeof *plan->types);
	if (!plan->units || !plan->types)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		struct isx_indexed_unit *one = &plan->units[plan->unit_count];
		enum isx_status st = isx_header_type_name(&units[i].header, one->type, err);
		if (st)
			return isx_err_at(err, st, "units[%zu]", i);
		if (!is_type_asked(&plan->query, one->type))
			continue;
		memcpy(one->body, units[i].body, units[i].body_bytes);
		one->body_bytes = units[i].body_bytes;
		one->is_instance = isx_unit_is_instance(&units[i]);
		plan->unit_count++;
		st = enter_type(plan, one->type, arena, err);
		if (st)
			return st;
	}
	return ISX_OK;
}

enum isx_status isx_query_plan(const struct isx_query *query, enum isx_query_units which,
			       struct isx_arena *arena, struct isx_query_plan *plan,
			       struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	*plan = (struct isx_query_plan){ .query = *query };
	size_t count = query->unit_count;
	/* A code has at most ISX_CODE_UNITS_MAX units; a list was bounded when the query was
	 * read. */
	struct isx_unit *units = isx_arena_alloc(arena, count ? count : ISX_CODE_UNITS_MAX,
						 sizeof *units);
	if (!units)
		return isx_fail_memory(err);
	if (count)
		st = decode_units(&plan->query, arena, units, err);
	else if (query->iscc_code)
		st = derive_units(&plan->query, arena, units, &count, err);
	else if (!query->simprint_type_count)
		return isx_fail(err, ISX_INVALID,
				"Query must have 'iscc_code', 'units', 'simprints' or 'iscc_id' "
				"for search");
	if (!st)
		st = enter_units(plan, units, count, arena, err);
	if (!st)
		st = isx_filter_from_text(query->filter, arena, &plan->filter, err);
	/* plan->query keeps every unit for the echo; only what is compared is reduced. */
	if (!st && which == ISX_LONGEST_FORMS)
		plan->unit_count = isx_units_keep_longest(plan->units, plan->unit_count);
	return st;
}
