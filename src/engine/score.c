/*
 * score.c - scores and the bounded heap of the best.
 *
 * The root of the heap is the worst of the best `limit`: an offer that does not beat it costs one
 * comparison. A ranking belongs to one thread of a search; nothing here takes a lock.
 *
 * Every sum is taken in the order of its terms' values. Floating point addition depends on the
 * order, and two assets with the same scores under other types have to tie exactly, so that the
 * ISCC-ID decides.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/score.h"

#include "base/array.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Counted down instead of computed: only isx_unit_score() itself says which distances reach the
 * threshold, to the last bit. At most compared_bits + 1 steps. */
int32_t isx_distance_max(double threshold, uint32_t compared_bits)
{
	int32_t distance = (int32_t)compared_bits;
	while (distance >= 0 && isx_unit_score((uint32_t)distance, compared_bits) < threshold)
		distance--;
	return distance;
}

/* Sort descending, by insertion: there are as many scores as types in a query. */
static void sort_scores(double *scores, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		double score = scores[i];
		size_t at = i;
		for (; at > 0 && scores[at - 1] < score; at--)
			scores[at] = scores[at - 1];
		scores[at] = score;
	}
}

double isx_scores_sum(double *scores, size_t count)
{
	double sum = 0;
	sort_scores(scores, count);
	for (size_t i = 0; i < count; i++)
		sum += scores[i];
	return sum;
}

double isx_asset_score(double *scores, size_t count, uint32_t exponent)
{
	double weighted = 0, weight = 0;
	sort_scores(scores, count);
	/* The formula of iscc-search 0.3.3, sum(s^e) / sum(s): a strong match counts more than
	 * its share. */
	for (size_t i = 0; i < count; i++) {
		weighted += pow(scores[i], exponent);
		weight += scores[i];
	}
	return weight > 0 ? weighted / weight : 0;
}

double isx_simprint_weight(uint64_t assets, uint64_t freq)
{
	return log(1 + (double)assets / (1 + (double)freq));
}

double isx_passages_score(double sum, size_t count)
{
	double score = count ? nearbyint(ldexp(sum / (double)count, 40)) : 0;
	return ldexp(score, -40);
}

/* Does a rank after b? A total order: lower rank, or at the same rank the larger ISCC-ID. */
static bool is_worse(const struct isx_ranked *a, const struct isx_ranked *b)
{
	return a->rank < b->rank || (a->rank == b->rank && a->id > b->id);
}

static void swap(struct isx_ranked *a, struct isx_ranked *b)
{
	struct isx_ranked held = *a;
	*a = *b;
	*b = held;
}

/* Restore the heap after an item was added at position `at`. */
static void sift_up(struct isx_ranked *items, size_t at)
{
	for (size_t parent; at > 0 && is_worse(&items[at], &items[parent = (at - 1) / 2]);
	     at = parent)
		swap(&items[at], &items[parent]);
}

/* Restore the heap after its root was replaced. */
static void sift_down(struct isx_ranked *items, size_t count)
{
	for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && is_worse(&items[child + 1], &items[child]))
			child++;
		if (!is_worse(&items[child], &items[at]))
			return;
		swap(&items[at], &items[child]);
	}
}

enum isx_status isx_ranking_offer(struct isx_ranking *ranking, double rank, uint64_t id,
				  struct isx_err *err)
{
	struct isx_ranked offer = { rank, id };
	ranking->offered++;
	if (ranking->keeps_ids) {
		enum isx_status st = isx_array_room(&ranking->ids, &ranking->id_cap,
						    ranking->id_count + 1, sizeof *ranking->ids,
						    ranking->quota, err);
		if (st)
			return st;
		ranking->ids[ranking->id_count++] = id;
	}
	if (ranking->has_after && !is_worse(&offer, &ranking->after))
		return ISX_OK; /* it was on an earlier page */
	if (ranking->count == ranking->limit) {
		if (is_worse(&ranking->items[0], &offer)) {
			ranking->items[0] = offer;
			sift_down(ranking->items, ranking->count);
		}
		return ISX_OK;
	}
	if (ranking->count == ranking->cap) {
		/* Grows with the matches and not with `limit`, which a client chooses. */
		enum isx_status st = isx_array_room(&ranking->items, &ranking->cap,
						    ranking->count + 1, sizeof *ranking->items,
						    ranking->quota, err);
		if (st)
			return st;
	}
	ranking->items[ranking->count] = offer;
	sift_up(ranking->items, ranking->count++);
	return ISX_OK;
}

/* Move the ISCC-IDs of all assets of `part` to those of another ranking. */
static enum isx_status merge_ids(struct isx_ranking *ranking, struct isx_ranking *part,
				 struct isx_err *err)
{
	if (!part->id_count)
		return ISX_OK;
	enum isx_status st = isx_array_room(&ranking->ids, &ranking->id_cap,
					    ranking->id_count + part->id_count,
					    sizeof *ranking->ids, part->quota, err);
	if (st)
		return st;
	memcpy(ranking->ids + ranking->id_count, part->ids, part->id_count * sizeof *part->ids);
	ranking->id_count += part->id_count;
	return ISX_OK;
}

enum isx_status isx_ranking_merge(struct isx_ranking *ranking, struct isx_ranking *part,
				  struct isx_err *err)
{
	uint64_t offered = ranking->offered + part->offered;
	enum isx_status st = merge_ids(ranking, part, err);
	if (!st && !ranking->items) { /* nothing was kept of the others */
		struct isx_ranking merged = *part;
		merged.ids = ranking->ids;
		merged.id_count = ranking->id_count;
		merged.id_cap = ranking->id_cap;
		*part = (struct isx_ranking){ .ids = part->ids };
		*ranking = merged;
	}
	ranking->keeps_ids = false; /* all of them are there */
	for (size_t i = 0; !st && i < part->count; i++)
		st = isx_ranking_offer(ranking, part->items[i].rank, part->items[i].id, err);
	ranking->offered = offered;
	isx_ranking_release(part);
	return st;
}

/* A qsort() order: the ISCC-ID decides ties, so equal ranks never change places. */
static int better_first(const void *left, const void *right)
{
	const struct isx_ranked *a = left, *b = right;
	return is_worse(b, a) ? -1 : is_worse(a, b) ? 1 : 0;
}

void isx_ranking_sort(struct isx_ranking *ranking)
{
	if (ranking->count)
		qsort(ranking->items, ranking->count, sizeof *ranking->items, better_first);
}

void isx_ranking_release(struct isx_ranking *ranking)
{
	isx_mem_free(ranking->items);
	isx_mem_free(ranking->ids);
	*ranking = (struct isx_ranking){ 0 };
}
