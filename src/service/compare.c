/*
 * compare.c - isx_compare(): two works, each an ISCC, an asset of an index, or units.
 *
 * The units of an asset are read once by the store's get(), which every engine and every server
 * has. What is compared then is what a search would compare (engine/query_plan.h,
 * engine/explain.h), whatever the engine of the store is: lmdb:// ranks by prefixes, and a
 * comparison is that of a similarity search all the same.
 *
 * Memory: the units of two assets and one explanation for each type, in the arena of the result.
 * Time: each unit of one work is compared with those of the same type of the other one, at most
 * ISX_UNITS_MAX each.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "engine/explain.h"
#include "engine/score.h"
#include "iscc.h"
#include "service/answer.h"
#include "service/service.h"
#include "service/store.h"
#include "json/wire.h"

/* What is compared, and for how long it is kept. */
struct side {
	struct isx_query query;
	struct isx_query_plan plan;
	enum isx_query_units which;
};

/* Read the asset that a work names into a query of its units. Which forms of its units are compared
 * is as for a search by iscc_id. */
static enum isx_status read_asset(struct isx_store *store, const char *name, const char *iscc_id,
				  const struct isx_query *conditions, struct isx_arena *arena,
				  struct side *side, struct isx_err *err)
{
	struct isx_buf json = { .quota = arena->quota };
	struct isx_asset asset = { 0 };
	enum isx_status st = ISX_OK;
	if (!name || !store)
		st = isx_fail(
			err, ISX_INVALID,
			"%s is an ISCC-ID, which says nothing of the content: expected an "
			"ISCC-CODE, an ISCC-UNIT, or the name of the index that has the asset",
			iscc_id);
	if (!st)
		st = isx_get_into(store, name, iscc_id, &json, err);
	if (!st)
		st = isx_buf_status(&json, err);
	if (!st)
		st = isx_stored_carried((struct isx_span){ json.ptr, json.len }, 0,
					ISX_WITH_CODE | ISX_WITH_UNITS,
					&store->engine->options.logger, arena, &asset, err);
	if (!st && !asset.unit_count && !asset.iscc_code)
		st = isx_fail(err, ISX_INVALID, "%s has no ISCC-CODE and no units", iscc_id);
	if (!st)
		isx_query_of_asset(&asset, conditions, &side->query);
	side->which = ISX_LONGEST_FORMS;
	isx_buf_release(&json);
	return st;
}

/* Read the one ISCC of a work; the asset that it may name is read by read_asset(). The ISCC is
 * printed again in its canonical form, as a work may name it in another one, and everything behind
 * expects one form. */
static enum isx_status read_iscc(struct isx_store *store, const struct isx_work *work,
				 const struct isx_query *conditions, struct isx_arena *arena,
				 struct side *side, struct isx_err *err)
{
	struct isx_iscc iscc;
	char *text = isx_arena_bytes(arena, ISX_ISCC_TEXT_BYTES);
	const char **units = isx_arena_alloc(arena, 1, sizeof *units);
	if (!text || !units)
		return isx_fail_memory(err);
	enum isx_status st = isx_iscc_parse(work->iscc, &iscc, err);
	if (!st)
		st = isx_iscc_print(&iscc, text, err);
	if (!st && iscc.maintype == ISX_ID)
		return read_asset(store, work->index, text, conditions, arena, side, err);
	units[0] = text;
	if (iscc.maintype == ISX_CODE) {
		side->query.iscc_code = text;
	} else {
		side->query.units = units;
		side->query.unit_count = 1;
	}
	return st;
}

/* Resolve and decode one work. Errors do not say yet which one it is. `reserved` has to be 0 so
 * that a later version can give it a meaning: a program that leaves the struct uncleared would
 * otherwise break then, and not now. Where a work has both an ISCC and units, the ISCC counts. */
static enum isx_status plan_side(struct isx_store *store, const struct isx_work *work,
				 const struct isx_query *conditions, struct isx_arena *arena,
				 struct side *side, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	side->query = *conditions;
	for (size_t i = 0; i < sizeof work->reserved / sizeof work->reserved[0]; i++)
		if (work->reserved[i])
			return isx_fail(err, ISX_INVALID,
					"expected 0 in `reserved`: clear the struct before you "
					"fill it");
	if (work->iscc) {
		st = read_iscc(store, work, conditions, arena, side, err);
	} else if (work->unit_count) {
		side->query.units = work->units;
		side->query.unit_count = work->unit_count;
		st = isx_store_complete_query(&side->query, err);
	} else {
		st = isx_fail(err, ISX_INVALID, "expected an ISCC or units");
	}
	return st ? st : isx_query_plan(&side->query, side->which, arena, &side->plan, err);
}

/* Explain the types of `a`, and behind them those that `b` alone has. Types that only `b` has are
 * listed, too: a reader who misses a type wants to know which of the two works lacks it. They
 * change no score, as a search for `a` does not ask for them. */
static enum isx_status explain(const struct side *a, const struct side *b,
			       const struct isx_options *options, struct isx_arena *arena,
			       struct isx_comparison *comparison, struct isx_err *err)
{
	struct isx_type_explanation *shared;
	size_t count = a->plan.type_count;
	struct isx_type_explanation *types = isx_arena_alloc(arena, count + b->plan.type_count,
							     sizeof *types);
	enum isx_status st = isx_explain_units(&a->plan, options->match_threshold_units,
					       b->plan.units, b->plan.unit_count, arena, &shared,
					       err);
	if (!types)
		return isx_fail_memory(err);
	if (st)
		return st;
	memcpy(types, shared, count * sizeof *types);
	for (size_t i = 0; i < b->plan.type_count; i++) {
		size_t at = 0;
		while (at < a->plan.type_count && strcmp(a->plan.types[at], b->plan.types[i]) != 0)
			at++;
		if (at == a->plan.type_count)
			types[count++] = (struct isx_type_explanation){ .type = b->plan.types[i],
									.absent = 'a' };
	}
	comparison->types = types;
	comparison->type_count = count;
	comparison->exponent = isx_query_exponent(&a->query, options);
	comparison->score = isx_explained_score(types, count, comparison->exponent);
	return ISX_OK;
}

/* Compare here. Of the search for `a`, as its thresholds and its types are those of a query; `b`
 * is an asset that the search meets, of which the longest forms of units have rows. A comparison
 * without a store, of two ISCCs alone, uses the default options. The error says which work it is
 * about, as both may be wrong in the same way. */
static enum isx_status compare_here(struct isx_store *store, const struct isx_work *a,
				    const struct isx_work *b, const struct isx_query *conditions,
				    struct isx_arena *arena, struct isx_comparison *comparison,
				    struct isx_err *err)
{
	struct isx_options options;
	struct side first = { .which = ISX_EVERY_UNIT }, second = { .which = ISX_LONGEST_FORMS };
	enum isx_status st = isx_store_read_options(store ? isx_store_options(store) : NULL,
						    &options, err);
	if (st)
		return st;
	st = plan_side(store, a, conditions, arena, &first, err);
	if (st)
		return isx_err_at(err, st, "a");
	st = plan_side(store, b, conditions, arena, &second, err);
	if (st)
		return isx_err_at(err, st, "b");
	return explain(&first, &second, &options, arena, comparison, err);
}

/* The conditions are copied member by member: whatever else the query of the program has must not
 * become a part of the works. A store on another server compares there, with the thresholds of
 * that server: those are what its searches use. It says ISX_UNSUPPORTED where it is an older
 * version, and the comparison is made here. */
enum isx_status isx_compare_within(struct isx_store *store, const struct isx_work *a,
				   const struct isx_work *b, const struct isx_query *conditions,
				   const struct isx_quota *quota,
				   struct isx_comparison **comparison, struct isx_err *err)
{
	struct isx_answer answer;
	struct isx_query asked = { 0 };
	if (conditions)
		asked = (struct isx_query){ .has_min_score = conditions->has_min_score,
					    .min_score = conditions->min_score,
					    .min_scores = conditions->min_scores,
					    .min_score_count = conditions->min_score_count,
					    .types = conditions->types,
					    .type_count = conditions->type_count,
					    .exponent = conditions->exponent };
	enum isx_status st = isx_store_complete_query(&asked, err);
	if (st)
		return st;
	st = isx_answer_begin(&answer, sizeof(struct isx_comparison), quota, err);
	if (st)
		return st;
	struct isx_comparison *made = answer.result;
	struct isx_arena *arena = answer.arena;
	st = ISX_UNSUPPORTED;
	if (store && store->engine->ops->compare)
		st = store->engine->ops->compare(store->engine, a, b, &asked, arena, made, err);
	if (st == ISX_UNSUPPORTED)
		st = compare_here(store, a, b, &asked, arena, made, err);
	st = isx_answer_end(&answer, st, err);
	if (st)
		return st;
	made->memory = arena;
	*comparison = made;
	return ISX_OK;
}

enum isx_status isx_compare(struct isx_store *store, const struct isx_work *a,
			    const struct isx_work *b, const struct isx_query *conditions,
			    struct isx_comparison **comparison, struct isx_err *err)
{
	return isx_compare_within(store, a, b, conditions, NULL, comparison, err);
}

void isx_comparison_free(struct isx_comparison *comparison)
{
	if (comparison)
		isx_answer_free(comparison, comparison->memory);
}
