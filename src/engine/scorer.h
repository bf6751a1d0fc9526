/*
 * scorer.h - how the assets of an index are scored and ranked for one query: by their score, by
 *            what chance would bring (chance.h), or by their tier (tier.h).
 *
 * An engine finds, for each queried type, the best comparison with a unit of the asset: its evidence.
 * Everything else is the same for all engines: which types count, the score, the expect, the tier,
 * the place in the ranking, and whether the asset is a match at all.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SCORER_H
#define ISX_SCORER_H

#include "engine/chance.h"
#include "engine/query_plan.h"
#include "engine/score.h"
#include "engine/tier.h"

/* The best comparison of a queried unit with a unit of an asset, both of one type. */
struct isx_evidence {
	double score; /* -1: the asset has no unit of the type that matches */
	uint32_t distance;
	uint32_t compared_bits; /* 0: the asset has no unit of the type, or it is not known */
};

/* Take a comparison if it is better than the one before: by its score, and of equal scores by the
 * number of bits, which say more. */
static inline void isx_evidence_raise(struct isx_evidence *evidence, uint32_t distance,
				      uint32_t compared_bits)
{
	double score = isx_unit_score(distance, compared_bits);
	if (score > evidence->score ||
	    (score == evidence->score && compared_bits > evidence->compared_bits))
		*evidence = (struct isx_evidence){ score, distance, compared_bits };
}

/* No evidence of any type of the plan. */
static inline void isx_evidence_clear(const struct isx_query_plan *plan,
				      struct isx_evidence *evidence)
{
	for (size_t t = 0; t < plan->type_count; t++)
		evidence[t] = (struct isx_evidence){ .score = -1 };
}

/* What is known of a unit type in one snapshot of an index. Queries of one pass share it. */
struct isx_type_odds {
	struct isx_type_odds *next;
	const char *type;
	uint64_t rows;    /* units of this type; UINT64_MAX: not counted yet */
	uint64_t lengths; /* bit n: there are such units of n bytes */
	const struct isx_distances
		*distances; /* measured between such units; NULL: they were not */
	const struct isx_chance_tail *tails[ISX_BODY_BYTES_MAX + 1]; /* by the bytes compared */
};

/* One queried type. */
struct isx_scored_type {
	double threshold;
	size_t units;                     /* of this type in the query */
	bool is_equal;                    /* it matches by equal bits or not at all */
	enum isx_tier_type tier_type;     /* ISX_TIER_TYPES: no tier knows it */
	const struct isx_type_odds *odds; /* with needs_odds only, as the next one */
	/* The largest distance that reaches the threshold, by the bytes compared; -1: none. */
	int16_t distance_max[ISX_BODY_BYTES_MAX + 1];
};

struct isx_scorer {
	uint32_t rank;     /* ISX_RANK_SCORE or a later one */
	uint32_t exponent; /* of the score; 0: it is the sum of the scores / unit_count (lmdb://) */
	size_t unit_count; /* queried */
	double max_expect; /* 0: any */
	bool explains;     /* matches say how their scores came about */
	bool needs_odds;   /* the engine sets types[].odds before the first asset is ranked */
	bool needs_all;    /* evidence below the thresholds decides, too */
	struct isx_scored_type *types; /* in the order of the plan's types */
	size_t type_count;
};

/* Prepare to score for a query.
 *   standard  the threshold of units where the query has none
 *   is_prefix the engine compares by common prefixes (lmdb://)
 *   scorer    filled: lives in `arena`
 * ISX_INVALID: `after` of the query is a place in a ranking by another rank. */
ISX_MUST_CHECK enum isx_status isx_scorer_init(struct isx_scorer *scorer,
					       const struct isx_query_plan *plan,
					       const struct isx_options *options, double standard,
					       bool is_prefix, struct isx_arena *arena,
					       struct isx_err *err);

/* The odds of a type in a list of those of an index, entered if it is new: the caller counts its rows
 * then. NULL: no memory. */
struct isx_type_odds *isx_type_odds(struct isx_type_odds **list, const char *type,
				    struct isx_arena *arena);

/* Have the p-values of a queried unit of `body_bytes`, for each length over which it is compared with
 * the units of the index: those of random codes, or the larger ones that odds->distances gives. */
ISX_MUST_CHECK enum isx_status isx_type_odds_fill(struct isx_type_odds *odds, size_t body_bytes,
						  struct isx_arena *arena, struct isx_err *err);

/* Rank an asset.
 *   evidence  one for each type of the plan
 *   ranked    filled but for its ISCC-ID
 * False: the asset is no match, as no type reaches its threshold, or chance explains it. */
bool isx_scorer_rank(const struct isx_scorer *scorer, const struct isx_evidence *evidence,
		     struct isx_ranked *ranked);

/* Fill what a match shows of its evidence: the score, expect and tier; and its types and their
 * explanation, which live in `arena`. For an explanation the evidence has been completed by
 * isx_explain_unmatched(). */
ISX_MUST_CHECK enum isx_status isx_scorer_describe(const struct isx_scorer *scorer,
						   const struct isx_query_plan *plan,
						   const struct isx_evidence *evidence,
						   struct isx_arena *arena, struct isx_match *match,
						   struct isx_err *err);

#endif
