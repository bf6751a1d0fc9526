/*
 * sim_pass.h - compare the rows of an index with the units of many queries at once, and rank the
 *              assets for each query.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_PASS_H
#define ISX_SIM_PASS_H

#include "engine/scorer.h"
#include "similarity/sim_crew.h"
#include "similarity/sim_scan.h"
#include "storage/lmdb_filter.h"

/* One query of a pass. A member that has failed is left out of everything, and costs the others
 * nothing. */
struct isx_member {
	const struct isx_query *query; /* as it was asked: with the cancel check and the limit */
	const struct isx_options *options;
	struct isx_arena *arena; /* of the answer */
	struct isx_query_plan plan;
	struct isx_scorer scorer;
	bool excludes_self; /* the asset `self` is no match of itself */
	uint64_t self;
	struct isx_instances *instances;   /* by the position of the unit in the plan; NULL: none */
	const struct isx_passing *passing; /* which assets its filter lets through; NULL: all */
	struct isx_ranking ranking;
	struct isx_passages *passages; /* passage_search.h; NULL: it has no simprints */
	enum isx_status status;
	struct isx_err err;
};

/* Look up the INSTANCE units of the plan of a member. */
ISX_MUST_CHECK enum isx_status isx_member_find_instances(struct isx_member *member,
							 struct isx_lmdb_view *view,
							 struct isx_err *err);

/* Give a member what one thread has ranked for it, or why that thread has failed it.
 *   ranking      of the member: takes what `part` has
 *   status, err  of the thread */
void isx_member_merge(struct isx_member *member, struct isx_ranking *ranking,
		      struct isx_ranking *part, enum isx_status status, const struct isx_err *err);

/* Rank the assets for each member whose status is ISX_OK: member->ranking is filled and sorted, or
 * member->status and member->err are set. The caller releases the rankings, also on failure.
 *   crew  filled: the threads that took part; the caller ends it, also on failure
 *   view  borrowed until the crew ends
 *   slots_max  isx_scan_slots_max(); the caller holds one slot (engine/scan_slots.h) */
ISX_MUST_CHECK enum isx_status isx_pass_rank(struct isx_member *members, size_t count,
					     struct isx_crew *crew, struct isx_lmdb_view *view,
					     unsigned slots_max, struct isx_err *err);

#endif
