/*
 * id_set.c - sets of ISCC-IDs as lists of ranges.
 *
 * Pure functions on memory. Operations on two sets are one walk through both, from the first range to
 * the last. A set that a filter is made of may have as many ranges as the index has assets, 16 bytes
 * each, which count against the quota of the search.
 *
 * Ranges and not a bitmap: ISCC-IDs are 64 bits wide and lie far apart, so a bitmap would need its
 * own compression. Filters by time are one range, and their complement two, whatever the index
 * has. Ranges are sorted, apart from each other and not adjacent; every function relies on it and
 * keeps it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/id_set.h"

#include "base/array.h"

void isx_id_set_release(struct isx_id_set *set)
{
	isx_mem_free(set->ranges);
	*set = (struct isx_id_set){ 0 };
}

/* The range has to begin no earlier than the last one. One that touches the end of the last one
 * extends it; UINT64_MAX is asked for first, as one more would wrap to 0. */
enum isx_status isx_id_set_add(struct isx_id_set *set, uint64_t first, uint64_t last,
			       const struct isx_quota *quota, struct isx_err *err)
{
	struct isx_id_range *end = set->count ? &set->ranges[set->count - 1] : NULL;
	if (end && (end->last == UINT64_MAX || first <= end->last + 1)) {
		end->last = last > end->last ? last : end->last;
		return ISX_OK;
	}
	enum isx_status st = isx_array_room(&set->ranges, &set->cap, set->count + 1,
					    sizeof *set->ranges, quota, err);
	if (!st)
		set->ranges[set->count++] = (struct isx_id_range){ first, last };
	return st;
}

/* Room for all of them at once: usually no two join. The ISCC-IDs are ascending, and may repeat:
 * an asset that has two values of a field lies under both. The first one goes through the general
 * function, as it may join what is in the set already; for the others a call each would cost more
 * than the comparison. */
enum isx_status isx_id_set_add_ids(struct isx_id_set *set, const uint64_t *ids, size_t count,
				   const struct isx_quota *quota, struct isx_err *err)
{
	enum isx_status st = isx_array_room(&set->ranges, &set->cap, set->count + count,
					    sizeof *set->ranges, quota, err);
	if (st || !count)
		return st;
	st = isx_id_set_add(set, ids[0], ids[0], quota, err);
	struct isx_id_range *end = st ? NULL : &set->ranges[set->count - 1];
	for (size_t i = 1; !st && i < count; i++) {
		if (ids[i] - end->last > 1) /* it does not fall, so this is no less than 0 */
			*++end = (struct isx_id_range){ ids[i], ids[i] };
		end->last = ids[i];
	}
	if (!st)
		set->count = (size_t)(end - set->ranges) + 1;
	return st;
}

/* Put a new set in the place of one, unless it could not be made. */
static enum isx_status replace(struct isx_id_set *set, struct isx_id_set *made, enum isx_status st)
{
	struct isx_id_set dropped = st ? *made : *set;
	if (!st)
		*set = *made;
	isx_id_set_release(&dropped);
	return st;
}

/* Of two ranges that are looked at, the one that ends first is left behind; a range that has been
 * searched for skips those before it. So a small set and a large one cost the size of the small
 * one times a few steps, and not the sum of both. */
enum isx_status isx_id_set_intersect(struct isx_id_set *a, const struct isx_id_set *b,
				     const struct isx_quota *quota, struct isx_err *err)
{
	struct isx_id_set made = { 0 };
	enum isx_status st = ISX_OK;
	for (size_t i = 0, k = 0; !st && i < a->count && k < b->count;) {
		const struct isx_id_range *left = &a->ranges[i], *right = &b->ranges[k];
		uint64_t first = left->first > right->first ? left->first : right->first;
		uint64_t last = left->last < right->last ? left->last : right->last;
		if (first <= last)
			st = isx_id_set_add(&made, first, last, quota, err);
		if (left->last < right->last)
			i = isx_id_set_find(a, i + 1, right->first);
		else
			k = isx_id_set_find(b, k + 1, left->first);
	}
	return replace(a, &made, st);
}

/* Room for both is taken at once, which is what a union of scattered assets needs; ranges that
 * touch join while they are added. */
enum isx_status isx_id_set_unite(struct isx_id_set *a, const struct isx_id_set *b,
				 const struct isx_quota *quota, struct isx_err *err)
{
	struct isx_id_set made = { 0 };
	enum isx_status st = isx_array_room(&made.ranges, &made.cap, a->count + b->count,
					    sizeof *made.ranges, quota, err);
	for (size_t i = 0, k = 0; !st && (i < a->count || k < b->count);) {
		bool left = k == b->count ||
			    (i < a->count && a->ranges[i].first < b->ranges[k].first);
		const struct isx_id_range *next = left ? &a->ranges[i++] : &b->ranges[k++];
		st = isx_id_set_add(&made, next->first, next->last, quota, err);
	}
	return replace(a, &made, st);
}

/* The set of everything becomes the empty one, and the other way round; the gaps between ranges
 * become the ranges, one more than before at most. */
enum isx_status isx_id_set_invert(struct isx_id_set *set, const struct isx_quota *quota,
				  struct isx_err *err)
{
	struct isx_id_set made = { 0 };
	uint64_t from = 0;
	bool is_over = false; /* nothing comes behind the last range */
	enum isx_status st = isx_array_room(&made.ranges, &made.cap, set->count + 1,
					    sizeof *made.ranges, quota, err);
	for (size_t i = 0; !st && i < set->count; i++) {
		const struct isx_id_range *range = &set->ranges[i];
		if (range->first > from)
			st = isx_id_set_add(&made, from, range->first - 1, quota, err);
		is_over = range->last == UINT64_MAX;
		from = range->last + 1;
	}
	if (!st && !is_over)
		st = isx_id_set_add(&made, from, UINT64_MAX, quota, err);
	return replace(set, &made, st);
}

/* For isx_array_lower_bound(): ranges are sorted by their ends, too. */
static uint64_t last_of(const void *ranges, size_t i)
{
	return ((const struct isx_id_range *)ranges)[i].last;
}

/* Doubles its steps until it has passed the place, and halves the last step. A scan asks for
 * ascending ISCC-IDs, so the place is usually near `from`: the cost is that of the distance and
 * not that of the set. */
size_t isx_id_set_find(const struct isx_id_set *set, size_t from, uint64_t id)
{
	size_t step = 1, at = from;
	while (at < set->count && set->ranges[at].last < id) {
		from = at + 1;
		at += step;
		step *= 2;
	}
	size_t end = at < set->count ? at : set->count;
	return from >= end
		       ? (from < set->count ? from : set->count)
		       : from + isx_array_lower_bound(set->ranges + from, end - from, id, last_of);
}

bool isx_id_set_has(const struct isx_id_set *set, uint64_t id)
{
	size_t at = isx_array_lower_bound(set->ranges, set->count, id, last_of);
	return at < set->count && set->ranges[at].first <= id;
}
