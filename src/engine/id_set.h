/*
 * id_set.h - sets of ISCC-IDs: which assets a filter lets through.
 *
 * A set is a list of ranges of ISCC-ID bodies, ascending, without an ISCC-ID that is in two of them or
 * would join two. So hours of time are as small as single assets, and everything that `all`, `any` and
 * `not` make of sets is such a list, too.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ID_SET_H
#define ISX_ID_SET_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct isx_id_range {
	uint64_t first, last; /* both included */
};

/* `{ 0 }` is the empty set. */
struct isx_id_set {
	struct isx_id_range *ranges;
	size_t count;
	size_t cap;
};

/* Free the ranges; the set is empty and usable again. */
void isx_id_set_release(struct isx_id_set *set);

/* Add a range that begins behind all others, or in or at the end of the last one.
 *   quota  asked before the set grows, here and below; NULL: no ceiling */
ISX_MUST_CHECK enum isx_status isx_id_set_add(struct isx_id_set *set, uint64_t first, uint64_t last,
					      const struct isx_quota *quota, struct isx_err *err);

/* Add ISCC-IDs, ascending, to a set that has none behind ids[0].  An ISCC-ID may be there twice. */
ISX_MUST_CHECK enum isx_status isx_id_set_add_ids(struct isx_id_set *set, const uint64_t *ids,
						  size_t count, const struct isx_quota *quota,
						  struct isx_err *err);

/* Replace `a` by what is in both sets, or in one of them. On failure `a` is as it was. */
ISX_MUST_CHECK enum isx_status isx_id_set_intersect(struct isx_id_set *a,
						    const struct isx_id_set *b,
						    const struct isx_quota *quota,
						    struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_id_set_unite(struct isx_id_set *a, const struct isx_id_set *b,
						const struct isx_quota *quota, struct isx_err *err);

/* Replace a set by all ISCC-IDs that are not in it. */
ISX_MUST_CHECK enum isx_status isx_id_set_invert(struct isx_id_set *set,
						 const struct isx_quota *quota,
						 struct isx_err *err);

/* The position of the first range that ends at `id` or behind it; set->count if there is none.
 *   from  a position that is not behind the one that is looked for. The search takes steps in the order
 *         of the logarithm of their distance */
size_t isx_id_set_find(const struct isx_id_set *set, size_t from, uint64_t id);

/* Is `id` in the set? */
bool isx_id_set_has(const struct isx_id_set *set, uint64_t id);

#endif
