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

/* Looks up assets for one query in one view. */
struct isx_lookup {
	struct isx_lmdb_view *view;
	const struct isx_query_plan *plan;
	const struct isx_instances *instances; /* of each unit of the plan; NULL: there are none */
	/* For each type of the plan, by the bytes of the bodies; opened when they are needed. A
	 * cursor of its own for each type, as LMDB begins where the cursor is: assets that are
	 * looked up in the order of their ISCC-IDs are mostly on the same page. */
	MDB_cursor *(*cursors)[ISX_BODY_BYTES_MAX + 1];
};

/* Begin to look up assets. All pointers are borrowed until isx_lookup_end(). */
ISX_MUST_CHECK enum isx_status isx_lookup_begin(struct isx_lookup *lookup,
						struct isx_lmdb_view *view,
						const struct isx_query_plan *plan,
						const struct isx_instances *instances,
						struct isx_arena *arena, struct isx_err *err);

/* Compare the units of the query with those of the asset `id`, whatever their scores, in each type
 * without evidence.
 *   evidence  of each type of the plan; completed */
ISX_MUST_CHECK enum isx_status isx_lookup_evidence(struct isx_lookup *lookup, uint64_t id,
						   struct isx_evidence *evidence,
						   struct isx_err *err);

/* Close the cursors, before the view ends. Safe after a failure, and on a struct of zeros. */
void isx_lookup_end(struct isx_lookup *lookup);

/* Complete a scorer that needs odds.
 *   odds  of all scorers of this snapshot, grows in `arena`; both outlive the scorer */
ISX_MUST_CHECK enum isx_status isx_sim_find_odds(struct isx_lmdb_view *view,
						 const struct isx_query_plan *plan,
						 struct isx_scorer *scorer,
						 struct isx_type_odds **odds,
						 struct isx_arena *arena, struct isx_err *err);

#endif
