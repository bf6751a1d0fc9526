/*
 * sim_search.h - answer a query from one index file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_SEARCH_H
#define ISX_SIM_SEARCH_H

#include "base/buf.h"
#include "base/mem.h"
#include "engine/asset_units.h"
#include "storage/lmdb_file.h"

/* The assets most like the query: `search` in struct isx_lmdb_kind. */
ISX_MUST_CHECK enum isx_status isx_sim_search(struct isx_lmdb_view *view,
					      const struct isx_options *options,
					      const struct isx_query *query,
					      struct isx_arena *arena, struct isx_result *result,
					      struct isx_err *err);

/* Compare a unit with the rows that the asset `id` has in one table, and raise *best to the best
 * score. Returns a code of LMDB.
 *   cursor  on the table of bodies of `body_bytes` */
int isx_sim_score_rows(MDB_cursor *cursor, const struct isx_indexed_unit *unit, uint64_t id,
		       size_t body_bytes, double *best);

#endif
