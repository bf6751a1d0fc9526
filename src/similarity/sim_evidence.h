/*
 * sim_evidence.h - compare a query with one asset by looking up its rows, and count the rows of a
 *                  type.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_EVIDENCE_H
#define ISX_SIM_EVIDENCE_H

#include "engine/scorer.h"
#include "similarity/sim_scan.h"

/* Compare a unit with the rows that the asset `id` has in one table, and raise the evidence to the
 * best of them. Returns a code of LMDB.
 *   cursor  on the table of bodies of `body_bytes` */
int isx_sim_compare_rows(MDB_cursor *cursor, const struct isx_indexed_unit *unit, uint64_t id,
			 size_t body_bytes, struct isx_evidence *evidence);

/* Compare all units of a plan with those of the asset `id`, whatever their scores.
 *   instances  of each unit of the plan; NULL: there are none
 *   evidence   filled: for each type of the plan */
ISX_MUST_CHECK enum isx_status isx_sim_find_evidence(struct isx_lmdb_view *view,
						     const struct isx_query_plan *plan,
						     const struct isx_instances *instances,
						     uint64_t id, struct isx_evidence *evidence,
						     struct isx_err *err);

/* Complete a scorer that needs odds.
 *   odds  of all scorers of this snapshot, grows in `arena`; both outlive the scorer */
ISX_MUST_CHECK enum isx_status isx_sim_find_odds(struct isx_lmdb_view *view,
						 const struct isx_query_plan *plan,
						 struct isx_scorer *scorer,
						 struct isx_type_odds **odds,
						 struct isx_arena *arena, struct isx_err *err);

#endif
