/*
 * query_plan.h - a query after its fields have been resolved and decoded.
 *
 * The rules are those of iscc-search 0.3.3: `units` win over `iscc_code`, and each is derived from
 * the other where it is missing. For a query by iscc_id the engine reads the asset first and calls
 * isx_query_of_asset(). SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_QUERY_PLAN_H
#define ISX_QUERY_PLAN_H

#include "base/limits.h"
#include "base/mem.h"
#include "engine/asset_units.h"
#include "json/filter_json.h"

#include <string.h>

struct isx_query_plan {
	struct isx_query query;         /* as the answer echoes it */
	struct isx_indexed_unit *units; /* the queried units whose type counts; types may repeat */
	size_t unit_count;
	const char **types;              /* the distinct types of the units, in order */
	size_t type_count;               /* at most ISX_UNITS_MAX, as fewer types exist */
	const struct isx_filter *filter; /* NULL: every asset may match */
};

/* The position of a type among those of the plan, which has the types of all its units. */
static inline size_t isx_query_type_position(const struct isx_query_plan *plan, const char *type)
{
	size_t i = 0;
	while (strcmp(plan->types[i], type) != 0)
		i++;
	return i;
}

/* Make the query for assets like this one of the index, with the limit, thresholds and other
 * conditions of `asked`. `query` borrows from both. */
void isx_query_of_asset(const struct isx_asset *asset, const struct isx_query *asked,
			struct isx_query *query);

/* The lowest score of a unit or simprint of this type that counts. `standard` is the store's. */
double isx_query_threshold(const struct isx_query *query, const char *type, double standard);

/* The exponent of the query's asset scores. */
uint32_t isx_query_exponent(const struct isx_query *query, const struct isx_options *options);

/* How the matches of the query are ranked: ISX_RANK_SCORE or a later one. */
uint32_t isx_query_rank(const struct isx_query *query, const struct isx_options *options);

/* The largest `expect` of a match; 0: any. */
double isx_query_max_expect(const struct isx_query *query, const struct isx_options *options);

/* Which units of a query are compared. */
enum isx_query_units {
	ISX_EVERY_UNIT,    /* all that a client has listed: the best score of a type counts */
	ISX_LONGEST_FORMS, /* for the query of an asset: only the units that have rows */
};

/* Resolve and decode a query without iscc_id.
 *   plan  filled; everything lives in `arena` or is borrowed from `query`
 * ISX_INVALID: nothing to search by, a unit that cannot be decoded, or a filter that is none. */
ISX_MUST_CHECK enum isx_status isx_query_plan(const struct isx_query *query,
					      enum isx_query_units which, struct isx_arena *arena,
					      struct isx_query_plan *plan, struct isx_err *err);

#endif
