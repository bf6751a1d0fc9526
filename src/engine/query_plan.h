/*
 * query_plan.h - what a query asks for, once its fields are resolved and decoded.
 *
 * The rules are 0.3.3's (contract: units win over iscc_code; each is derived from the other where
 * it is missing); the asset of a query by iscc_id is fetched by the engine, as only it knows the
 * asset.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_QUERY_PLAN_H
#define ISX_QUERY_PLAN_H

#include "base/limits.h"
#include "base/mem.h"
#include "engine/asset_units.h"

struct isx_query_plan {
	struct isx_query query;         /* as it is echoed */
	struct isx_indexed_unit *units; /* the queried units; types may repeat */
	size_t unit_count;
	const char **types; /* the distinct types of the units, in order */
	size_t type_count;  /* at most ISX_UNITS_MAX, as fewer types exist */
};

/* Make the query that an asset of the index stands for ("more like this"). */
void isx_query_of_asset(const struct isx_asset *asset, size_t limit, struct isx_query *query);

/* Which units of a query are compared. */
enum isx_query_units {
	ISX_EVERY_UNIT,    /* all that a client has listed: the best score of a type counts */
	ISX_LONGEST_FORMS, /* of an asset: those by which it is found itself */
};

/* Resolve and decode a query without iscc_id.
 *   plan  filled; everything lives in `arena` or is borrowed from `query`
 * ISX_INVALID: nothing to search by, or a unit that cannot be decoded. */
ISX_MUST_CHECK enum isx_status isx_query_plan(const struct isx_query *query,
					      enum isx_query_units which, struct isx_arena *arena,
					      struct isx_query_plan *plan, struct isx_err *err);

#endif
