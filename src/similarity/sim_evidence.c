/*
 * sim_evidence.c - compare a query with one asset by looking up its rows: for the matches that are
 *                  shown, and for ranks that depend on scores below the thresholds.
 *
 * A lookup costs a few steps down a tree for each unit and table. Whoever ranks many assets scans the
 * rows instead (sim_pass.h). Relies on: rows of a type being sorted by ISCC-ID (sim_format.h).
 *
 * Cursors are opened when they are first needed and kept for all assets of one lookup: most
 * queries meet a few tables only.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_evidence.h"

#include "scan/kernel.h"
#include "similarity/sim_calibrate.h"
#include "similarity/sim_tables.h"

#include <string.h>

/* Rows are an ISCC-ID and a body, so the least row of an asset has a body of zeros: the search for
 * it finds the first row of the asset, or that of a later one. The row of an asset may be the last
 * one of its type, which is no error. */
int isx_sim_compare_rows(MDB_cursor *cursor, const struct isx_indexed_unit *unit, uint64_t id,
			 size_t body_bytes, struct isx_evidence *evidence)
{
	uint8_t first[ISX_UNIT_ROW_BYTES_MAX] = { 0 };
	/* Bodies of different lengths are compared by their common beginning. */
	size_t compared = body_bytes < unit->body_bytes ? body_bytes : unit->body_bytes;
	isx_store_be64(first, id);
	MDB_val key = isx_lmdb_val(unit->type, strlen(unit->type));
	MDB_val row = isx_lmdb_val(first, ISX_KEY_BYTES + body_bytes);
	int rc = mdb_cursor_get(cursor, &key, &row, MDB_GET_BOTH_RANGE);
	while (!rc && memcmp(row.mv_data, first, ISX_KEY_BYTES) == 0) {
		uint32_t distance = isx_distance((const uint8_t *)row.mv_data + ISX_KEY_BYTES,
						 unit->body, compared);
		isx_evidence_raise(evidence, distance, (uint32_t)compared * 8);
		rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT_DUP);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

enum isx_status isx_lookup_begin(struct isx_lookup *lookup, struct isx_lmdb_view *view,
				 const struct isx_query_plan *plan,
				 const struct isx_instances *instances, struct isx_arena *arena,
				 struct isx_err *err)
{
	*lookup = (struct isx_lookup){ .view = view,
				       .plan = plan,
				       .instances = instances,
				       .cursors = isx_arena_alloc(arena, plan->type_count,
								  sizeof *lookup->cursors) };
	return lookup->cursors ? ISX_OK : isx_fail_memory(err);
}

/* Cursors of a transaction that reads have to be closed by the program; LMDB closes only those of
 * one that writes. */
void isx_lookup_end(struct isx_lookup *lookup)
{
	for (size_t t = 0; lookup->cursors && t < lookup->plan->type_count; t++)
		for (size_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++)
			if (lookup->cursors[t][bytes])
				mdb_cursor_close(lookup->cursors[t][bytes]);
	*lookup = (struct isx_lookup){ 0 };
}

/* Compare one unit with the units of the asset of all lengths. */
static enum isx_status compare_unit(struct isx_lookup *lookup, size_t type,
				    const struct isx_indexed_unit *unit, uint64_t id,
				    struct isx_evidence *evidence, struct isx_err *err)
{
	for (size_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		MDB_dbi table = isx_sim_tables(lookup->view)->units[bytes];
		MDB_cursor **cursor = &lookup->cursors[type][bytes];
		int rc = 0;
		if (!table)
			continue;
		if (!*cursor)
			rc = mdb_cursor_open(lookup->view->txn, table, cursor);
		if (!rc)
			rc = isx_sim_compare_rows(*cursor, unit, id, bytes, evidence);
		if (rc)
			return isx_lmdb_status(rc, "score units", err);
	}
	return ISX_OK;
}

/* What the scan has found is kept: it compared with all units of the asset and has the best of
 * them. Only what it left out, as it lay below the threshold, is looked up. INSTANCE units were
 * looked up before the scan and cost nothing here. */
enum isx_status isx_lookup_evidence(struct isx_lookup *lookup, uint64_t id,
				    struct isx_evidence *evidence, struct isx_err *err)
{
	const struct isx_query_plan *plan = lookup->plan;
	bool is_known[ISX_UNITS_MAX] = { false };
	enum isx_status st = ISX_OK;
	/* Noted first: a type may have several units in the query, all of which are compared. */
	for (size_t t = 0; t < plan->type_count; t++)
		is_known[t] = evidence[t].score >= 0;
	for (size_t i = 0; !st && i < plan->unit_count; i++) {
		const struct isx_indexed_unit *unit = &plan->units[i];
		size_t type = isx_query_type_position(plan, unit->type);
		if (is_known[type])
			continue;
		if (!unit->is_instance)
			st = compare_unit(lookup, type, unit, id, &evidence[type], err);
		else if (lookup->instances)
			isx_instances_raise(&lookup->instances[i], id, &evidence[type]);
	}
	return st;
}

/* --- odds ------------------------------------------------------------------------------------- */

/* Count the units of a type, by their lengths: a lookup for each, as LMDB keeps the numbers. */
static enum isx_status count_rows(struct isx_lmdb_view *view, const struct isx_indexed_unit *unit,
				  struct isx_type_odds *odds, struct isx_err *err)
{
	const struct isx_sim_tables *tables = isx_sim_tables(view);
	MDB_stat stat;
	odds->rows = 0;
	if (unit->is_instance) {
		int rc = tables->instance ? mdb_stat(view->txn, tables->instance, &stat) : 0;
		odds->rows = tables->instance && !rc ? stat.ms_entries : 0;
		return isx_lmdb_status(rc, "count units", err);
	}
	for (size_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		const struct isx_lane lane = { .type = unit->type, .body_bytes = bytes };
		uint64_t rows = 0, id_max;
		enum isx_status st = tables->units[bytes]
					     ? isx_lane_measure(&lane, view, &rows, &id_max, err)
					     : ISX_OK;
		if (st)
			return st;
		odds->rows += rows;
		odds->lengths |= (uint64_t)(rows > 0) << bytes;
	}
	return ISX_OK;
}

/* Read what was measured between the units of a type. */
static enum isx_status read_distances(struct isx_lmdb_view *view, const char *type,
				      struct isx_type_odds *odds, struct isx_arena *arena,
				      struct isx_err *err)
{
	struct isx_distances *distances = isx_arena_alloc(arena, 1, sizeof *distances);
	odds->distances = distances;
	return distances ? isx_distances_get(view, type, distances, err) : isx_fail_memory(err);
}

/* Searches of one pass share the list, as they share the snapshot: the rows of a type are counted
 * once for all of them. UINT64_MAX marks a type that was not counted, as 0 is a number that a type
 * may have. */
enum isx_status isx_sim_find_odds(struct isx_lmdb_view *view, const struct isx_query_plan *plan,
				  struct isx_scorer *scorer, struct isx_type_odds **odds,
				  struct isx_arena *arena, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < plan->unit_count; i++) {
		const struct isx_indexed_unit *unit = &plan->units[i];
		size_t type = isx_query_type_position(plan, unit->type);
		struct isx_type_odds *of = isx_type_odds(odds, unit->type, arena);
		scorer->types[type].odds = of;
		st = of ? ISX_OK : isx_fail_memory(err);
		if (!st && of->rows == UINT64_MAX) {
			st = count_rows(view, unit, of, err);
			if (!st && !unit->is_instance)
				st = read_distances(view, unit->type, of, arena, err);
			if (st) /* the entry is half filled: the next search begins again */
				of->rows = UINT64_MAX;
		}
		if (!st)
			st = isx_type_odds_fill(of, unit->body_bytes, arena, err);
	}
	return st;
}
