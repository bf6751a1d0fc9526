/*
 * scorer.c - scores and ranks assets by the evidence that an engine has found.
 *
 * A scorer is only read after its engine has completed it, by any number of threads. What it says of
 * an asset depends on the evidence alone, so that threads, passes and pages agree to the last bit.
 *
 * What differs between engines is a flag: lmdb:// compares by common prefixes, so all its types
 * match by equality, and its score is a sum over all queried units. Thresholds, ranks and
 * explanations are the same. Memory: some hundred bytes for each queried type, and the p-values of
 * each length over which units are compared, which searches of one pass share.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/scorer.h"

#include "engine/paging.h"

#include <math.h>
#include <string.h>

/* The largest distances are computed only where the query asks what chance would bring; a ranking
 * by score compares scores. A place to go on from is checked against the rank at this point, as it
 * would mean nothing in a ranking by another number. */
enum isx_status isx_scorer_init(struct isx_scorer *scorer, const struct isx_query_plan *plan,
				const struct isx_options *options, double standard, bool is_prefix,
				struct isx_arena *arena, struct isx_err *err)
{
	const struct isx_query *query = &plan->query;
	*scorer = (struct isx_scorer){
		.rank = isx_query_rank(query, options),
		.exponent = is_prefix ? 0 : isx_query_exponent(query, options),
		.unit_count = plan->unit_count,
		.max_expect = isx_query_max_expect(query, options),
		.types = isx_arena_alloc(arena, plan->type_count, sizeof *scorer->types),
		.type_count = plan->type_count
	};
	if (!scorer->types)
		return isx_fail_memory(err);
	scorer->explains = query->explains;
	scorer->needs_odds = scorer->rank == ISX_RANK_SIGNIFICANCE || scorer->max_expect > 0 ||
			     scorer->explains;
	scorer->needs_all = scorer->rank == ISX_RANK_TIERED;
	for (size_t t = 0; t < plan->type_count; t++) {
		struct isx_scored_type *type = &scorer->types[t];
		type->threshold = isx_query_threshold(query, plan->types[t], standard);
		type->tier_type = isx_tier_type(plan->types[t]);
		type->is_equal = is_prefix;
		for (size_t i = 0; i < plan->unit_count; i++) {
			if (strcmp(plan->units[i].type, plan->types[t]) != 0)
				continue;
			type->units++;
			type->is_equal |= plan->units[i].is_instance;
		}
		for (uint32_t n = 1; scorer->needs_odds && n <= ISX_BODY_BYTES_MAX; n++)
			type->distance_max[n] = (int16_t)isx_distance_max(type->threshold, n * 8);
	}
	return isx_page_check(query->after, scorer->rank, err);
}

/* The list is short, one entry for each type that any search of the pass asks, so it is walked. */
struct isx_type_odds *isx_type_odds(struct isx_type_odds **list, const char *type,
				    struct isx_arena *arena)
{
	while (*list && strcmp((*list)->type, type) != 0)
		list = &(*list)->next;
	if (!*list) {
		/* The text is copied: the query that names the type may end before the list. */
		const char *name = isx_arena_text(arena, type, strlen(type));
		struct isx_type_odds *made = isx_arena_alloc(arena, 1, sizeof *made);
		if (!made || !name)
			return NULL;
		*made = (struct isx_type_odds){ .type = name, .rows = UINT64_MAX };
		*list = made;
	}
	return *list;
}

/* Filled once for each length, whichever search of the pass needs it first: the p-values of all
 * distances over 256 bits take 6 us (bench/README.md). Lengths without units in the index are left
 * out, as no comparison can have them. */
enum isx_status isx_type_odds_fill(struct isx_type_odds *odds, size_t body_bytes,
				   struct isx_arena *arena, struct isx_err *err)
{
	for (size_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		size_t compared = bytes < body_bytes ? bytes : body_bytes;
		if (!(odds->lengths >> bytes & 1) || odds->tails[compared])
			continue;
		struct isx_chance_tail *tail = isx_arena_alloc(arena, 1, sizeof *tail);
		if (!tail)
			return isx_fail_memory(err);
		isx_chance_tail_fill(tail, (uint32_t)compared * 8,
				     isx_distances_sample(odds->distances, (uint32_t)compared * 8));
		odds->tails[compared] = tail;
	}
	return ISX_OK;
}

/* What a type adds to the significance of a match. Only for an explanation its distance may be
 * larger than the largest one that counts. The number of rows and of queried units are the
 * attempts that chance had: the more comparisons, the nearer is the nearest of them by chance. */
static struct isx_chance_part part_of(const struct isx_scored_type *type,
				      const struct isx_evidence *found)
{
	if (type->is_equal)
		return isx_chance_part_equal(found->compared_bits, type->odds->rows, type->units);
	int32_t reach = type->distance_max[found->compared_bits / 8];
	return isx_chance_part(type->odds->tails[found->compared_bits / 8], found->distance,
			       reach < (int32_t)found->distance ? found->distance : (uint32_t)reach,
			       type->odds->rows, type->units);
}

/* How many assets would match so well by chance, as a logarithm. A logarithm, as the numbers of
 * several types are multiplied: products below 1e-308 are reached, which a double does not hold.
 * Types below their thresholds have no part in it, but their number has: a match in any two of
 * five types is likelier by chance than one in two of two. */
static double log_expect(const struct isx_scorer *scorer, const struct isx_evidence *evidence)
{
	struct isx_chance_part parts[ISX_UNITS_MAX];
	size_t count = 0;
	for (size_t t = 0; t < scorer->type_count; t++) {
		const struct isx_scored_type *type = &scorer->types[t];
		const struct isx_evidence *found = &evidence[t];
		if (found->score < type->threshold)
			continue;
		parts[count++] = part_of(type, found);
	}
	return isx_chance_log_expect(parts, count, scorer->type_count);
}

/* The score of the types that reach their thresholds; -1: none does. Types that the asset lacks do
 * not lower it: an asset with a text alone would else be ranked low for a query of text and image.
 * lmdb:// divides by all queried units, as 0.3.3 does there. */
static double score_of(const struct isx_scorer *scorer, const struct isx_evidence *evidence)
{
	double scores[ISX_UNITS_MAX];
	size_t count = 0;
	for (size_t t = 0; t < scorer->type_count; t++)
		if (evidence[t].score >= scorer->types[t].threshold)
			scores[count++] = evidence[t].score;
	if (!count)
		return -1;
	return scorer->exponent ? isx_asset_score(scores, count, scorer->exponent)
				: isx_scores_sum(scores, count) / (double)scorer->unit_count;
}

/* The tier of an asset, and its place there. Several types may be of one main type: the best of
 * them stands for it. The last place of `scores` takes the types that no tier knows; it is written
 * and never read, which spares a test for each. */
static enum isx_tier tier_of(const struct isx_scorer *scorer, const struct isx_evidence *evidence,
			     double *tier_score)
{
	double scores[ISX_TIER_TYPES + 1];
	for (size_t i = 0; i <= ISX_TIER_TYPES; i++)
		scores[i] = -1;
	for (size_t t = 0; t < scorer->type_count; t++) {
		double *best = &scores[scorer->types[t].tier_type];
		if (evidence[t].score > *best)
			*best = evidence[t].score;
	}
	enum isx_tier tier = isx_tier_of(scores);
	*tier_score = isx_tier_score(tier, scores);
	return tier;
}

/* Called for every asset with a hit while rows are scanned, so the cheapest test comes first: most
 * assets end at their score. The significance of a match in 4 types takes 0.1 us
 * (bench/README.md), and is computed only if the query asks for it. */
bool isx_scorer_rank(const struct isx_scorer *scorer, const struct isx_evidence *evidence,
		     struct isx_ranked *ranked)
{
	ranked->rank = score_of(scorer, evidence);
	if (ranked->rank < 0)
		return false;
	if (scorer->max_expect > 0 || scorer->rank == ISX_RANK_SIGNIFICANCE) {
		double log_chance = log_expect(scorer, evidence);
		if (scorer->max_expect > 0 && exp(log_chance) > scorer->max_expect)
			return false;
		if (scorer->rank == ISX_RANK_SIGNIFICANCE)
			ranked->rank = -log_chance;
	}
	if (scorer->rank == ISX_RANK_TIERED) {
		double tier_score;
		/* A tier score is at most 1: tiers do not overlap. */
		ranked->rank = 2.0 * (int)tier_of(scorer, evidence, &tier_score);
		ranked->rank += tier_score;
	}
	return true;
}

/* Explain one type. Units that differ where only equal ones match are evidence of nothing: all
 * unrelated ones do. Below the threshold a type is explained, too: what it has missed is what the
 * reader of an explanation asks for. The distance of bodies that match by equality has no meaning,
 * so `missed_by` is the whole score then. */
static void explain_type(const struct isx_scored_type *type, const struct isx_evidence *found,
			 struct isx_type_explanation *one)
{
	one->compared_bits = found->compared_bits;
	one->distance = found->distance;
	if (found->score < 0) {
		one->absent = found->compared_bits ? 0 : 'b';
		one->missed_by = one->absent ? 0 : 1;
		one->expect = one->absent ? 0 : (double)type->odds->rows;
		return;
	}
	const struct isx_chance_part part = part_of(type, found);
	one->score = found->score;
	one->expect = exp(isx_chance_log_expect_part(&part));
	one->counted = found->score >= type->threshold;
	one->missed_by = one->counted ? 0 : type->threshold - found->score;
}

/* In the order of the queried types, also of those that have no evidence: an explanation has all
 * types of the query. */
static enum isx_status explain(const struct isx_scorer *scorer, const struct isx_query_plan *plan,
			       const struct isx_evidence *evidence, struct isx_arena *arena,
			       struct isx_match *match, struct isx_err *err)
{
	struct isx_type_explanation *made = isx_arena_alloc(arena, plan->type_count, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	for (size_t t = 0; t < plan->type_count; t++) {
		made[t].type = plan->types[t];
		explain_type(&scorer->types[t], &evidence[t], &made[t]);
	}
	match->explanation = made;
	match->explanation_count = plan->type_count;
	return ISX_OK;
}

/* Only for the matches that are shown, so that the lists are made for at most `limit` assets,
 * whatever has matched. The score is computed again and not handed on from the ranking, which may
 * have put another number into its place. */
enum isx_status isx_scorer_describe(const struct isx_scorer *scorer,
				    const struct isx_query_plan *plan,
				    const struct isx_evidence *evidence, struct isx_arena *arena,
				    struct isx_match *match, struct isx_err *err)
{
	struct isx_type_score *types = isx_arena_alloc(arena, plan->type_count, sizeof *types);
	if (!types)
		return isx_fail_memory(err);
	for (size_t t = 0; t < plan->type_count; t++)
		if (evidence[t].score >= 0)
			types[match->type_count++] = (struct isx_type_score){ plan->types[t],
									      evidence[t].score };
	match->types = types;
	match->score = score_of(scorer, evidence);
	match->has_expect = scorer->needs_odds;
	if (scorer->needs_odds)
		match->expect = exp(log_expect(scorer, evidence));
	if (scorer->rank == ISX_RANK_TIERED || scorer->explains)
		match->tier = isx_tier_name(tier_of(scorer, evidence, &match->tier_score));
	return scorer->explains ? explain(scorer, plan, evidence, arena, match, err) : ISX_OK;
}
