/*
 * score.h - from distances to ranked assets.
 *
 * Unit score: s = 1 - differing bits / compared bits. Asset score, over the unit scores s >= T (the
 * threshold) and with the exponent e: sum(s^e) / sum(s), as in iscc-search 0.3.3. Ranking: rank
 * descending, which is the score unless a query asks for another one (scorer.h), then ISCC-ID
 * ascending.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SCORE_H
#define ISX_SCORE_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

/* The score of a distance. */
static inline double isx_unit_score(uint32_t distance_bits, uint32_t compared_bits)
{
	return 1.0 - (double)distance_bits / (double)compared_bits;
}

/* The largest distance whose score reaches the threshold; -1 if none does. */
int32_t isx_distance_max(double threshold, uint32_t compared_bits);

/* The asset score of `count` unit scores, all of which reach the threshold. Does not depend on
 * their order, so that equal scores are equal to the last bit. `scores` is sorted in place. */
double isx_asset_score(double *scores, size_t count, uint32_t exponent);

/* The sum of scores, in the same order-free way. `scores` is sorted in place. */
double isx_scores_sum(double *scores, size_t count);

/* The weight of a simprint that `freq` of `assets` assets have: ln(1 + assets / (1 + freq)). */
double isx_simprint_weight(uint64_t assets, uint64_t freq);

/* The score of an asset by its passages: the mean of the scores of the `count` types that matched,
 * whose sum is `sum`. Rounded to 40 bits: sums that differ only by the order of their terms become
 * equal, and the ISCC-ID decides the tie. */
double isx_passages_score(double sum, size_t count);

/* An asset and its place: a higher rank is better. */
struct isx_ranked {
	double rank; /* never NaN */
	uint64_t id;
};

/* The best `limit` of the assets that are offered; isx_page_ranking() begins one for a query. */
struct isx_ranking {
	struct isx_ranked *items;
	size_t count;
	size_t cap;
	size_t limit;   /* at least 1 */
	bool has_after; /* only what ranks behind `after` is kept */
	struct isx_ranked after;
	uint64_t offered;              /* assets, also those that are not kept */
	const struct isx_quota *quota; /* asked before it grows; NULL: no quota. Borrowed */
	bool keeps_ids;                /* keep the ISCC-ID bodies of all assets that are offered: */
	uint64_t *ids;                 /* in no order */
	size_t id_count;
	size_t id_cap;
};

/* Offer an asset, each at most once. ISX_NO_MEMORY, or the status of the quota: the ranking could
 * not grow. */
ISX_MUST_CHECK enum isx_status isx_ranking_offer(struct isx_ranking *ranking, double rank,
						 uint64_t id, struct isx_err *err);

/* Move what was ranked of some assets into the ranking of others; `part` is empty afterwards. */
ISX_MUST_CHECK enum isx_status isx_ranking_merge(struct isx_ranking *ranking,
						 struct isx_ranking *part, struct isx_err *err);

/* Sort the items, the best first. Nothing may be offered afterwards: it is a heap no more. */
void isx_ranking_sort(struct isx_ranking *ranking);

/* Free the items; the ranking is empty. */
void isx_ranking_release(struct isx_ranking *ranking);

#endif
