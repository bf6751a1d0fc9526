/*
 * explain.c - compares the units of a query with those of an asset, and says what counts.
 *
 * The numbers come from the units and not from the ranking, which knows scores above the threshold
 * alone; the functions of scores are the same (score.h), so that the numbers are equal to the last
 * bit. Pure functions on memory. Must not know how an engine stores rows.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/explain.h"

#include "engine/chance.h"
#include "engine/score.h"
#include "scan/kernel.h"

#include <math.h>
#include <string.h>

/* Compare two units of one type over their common length. INSTANCE units identify content: they
 * are equal or not, and nothing in between. */
static void compare_units(const struct isx_indexed_unit *a, const struct isx_indexed_unit *b,
			  struct isx_type_explanation *found)
{
	size_t bytes = a->body_bytes < b->body_bytes ? a->body_bytes : b->body_bytes;
	found->compared_bits = (uint32_t)bytes * 8;
	found->distance = isx_distance(a->body, b->body, bytes);
	found->score = a->is_instance ? found->distance == 0
				      : isx_unit_score(found->distance, found->compared_bits);
}

/* Is a pair better evidence than the one before? At the same score the longer one is: it is less
 * likely by chance. Of INSTANCE units that differ, which all score 0, the nearest one is named: the
 * result must not depend on the order of the units. */
static bool is_better(const struct isx_type_explanation *found,
		      const struct isx_type_explanation *best)
{
	if (best->absent || found->score != best->score)
		return best->absent || found->score > best->score;
	if (found->compared_bits != best->compared_bits)
		return found->compared_bits > best->compared_bits;
	return found->distance < best->distance;
}

/* Find the best pair of units of one type. The cost is that of all pairs, at most ISX_UNITS_MAX
 * squared.
 *   best  its type is set; the rest is filled, if there is a pair */
static void find_best(const struct isx_query_plan *plan, const struct isx_indexed_unit *units,
		      size_t count, struct isx_type_explanation *best)
{
	best->absent = 'b';
	for (size_t i = 0; i < plan->unit_count; i++) {
		if (strcmp(plan->units[i].type, best->type) != 0)
			continue;
		for (size_t k = 0; k < count; k++) {
			struct isx_type_explanation found = { .type = best->type };
			if (strcmp(units[k].type, best->type) != 0)
				continue;
			compare_units(&plan->units[i], &units[k], &found);
			if (is_better(&found, best))
				*best = found;
		}
	}
}

/* Explain one queried type. */
static void explain_type(const struct isx_query_plan *plan, double standard,
			 const struct isx_indexed_unit *units, size_t count,
			 struct isx_type_explanation *best)
{
	bool is_instance = strncmp(best->type, "INSTANCE_", 9) == 0;
	double least = is_instance ? 1.0 : isx_query_threshold(&plan->query, best->type, standard);
	find_best(plan, units, count, best);
	best->counted = !best->absent && best->score >= least;
	best->missed_by = best->absent || best->counted ? 0 : least - best->score;
}

/* The probability that two unrelated units compare so well. INSTANCE units that differ say nothing. */
static double chance_of(const struct isx_type_explanation *one)
{
	struct isx_chance_tail tail;
	if (strncmp(one->type, "INSTANCE_", 9) == 0)
		return one->distance ? 1 : ldexp(1, -(int)one->compared_bits);
	isx_chance_tail_fill(&tail, one->compared_bits, NULL);
	return exp(tail.log_p[one->distance]);
}

enum isx_status isx_explain_units(const struct isx_query_plan *plan, double standard,
				  const struct isx_indexed_unit *units, size_t count,
				  struct isx_arena *arena, struct isx_type_explanation **types,
				  struct isx_err *err)
{
	*types = isx_arena_alloc(arena, plan->type_count, sizeof **types);
	if (!*types)
		return isx_fail_memory(err);
	for (size_t t = 0; t < plan->type_count; t++) {
		(*types)[t] = (struct isx_type_explanation){ .type = plan->types[t] };
		explain_type(plan, standard, units, count, &(*types)[t]);
		if (!(*types)[t].absent)
			(*types)[t].expect = chance_of(&(*types)[t]);
	}
	return ISX_OK;
}

/* An asset whose units cannot be decoded has no rows, and is no match: its types stay absent. */
enum isx_status isx_explain_unmatched(const struct isx_query_plan *plan,
				      const struct isx_asset *asset, struct isx_arena *arena,
				      struct isx_evidence *evidence, struct isx_err *err)
{
	struct isx_indexed_unit *units = NULL;
	struct isx_err why = { 0 };
	size_t count = 0;
	if ((asset->unit_count || asset->iscc_code) &&
	    isx_asset_units(asset, arena, &units, &count, &why) == ISX_NO_MEMORY)
		return isx_fail_memory(err);
	for (size_t t = 0; t < plan->type_count; t++) {
		struct isx_type_explanation best = { .type = plan->types[t] };
		if (evidence[t].score >= 0)
			continue;
		find_best(plan, units, count, &best);
		evidence[t].distance = best.distance;
		evidence[t].compared_bits = best.compared_bits;
	}
	return ISX_OK;
}

/* The weight is that of the stored simprint, by its frequency, as in the score of the type. */
void isx_explain_passages(struct isx_chunk *chunks, size_t count, uint64_t assets)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++) {
		chunks[i].weight = isx_simprint_weight(assets, chunks[i].freq);
		sum += chunks[i].weight * chunks[i].score;
	}
	for (size_t i = 0; i < count; i++)
		chunks[i].share = sum > 0 ? chunks[i].weight * chunks[i].score / sum : 0;
}

double isx_explained_score(const struct isx_type_explanation *types, size_t count,
			   uint32_t exponent)
{
	double scores[ISX_UNITS_MAX];
	size_t counted = 0;
	for (size_t i = 0; i < count && counted < ISX_UNITS_MAX; i++)
		if (types[i].counted)
			scores[counted++] = types[i].score;
	return counted ? isx_asset_score(scores, counted, exponent) : 0;
}
