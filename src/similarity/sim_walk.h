/*
 * sim_walk.h - the assets of a file of usearch:// or memory://, with the simprints that they have.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_WALK_H
#define ISX_SIM_WALK_H

#include "storage/lmdb_kind.h"

/* `next` in struct isx_lmdb_kind. */
int isx_sim_next(struct isx_lmdb_view *view, uint64_t from, struct isx_iscc_id *id, MDB_val *json);

/* Has the index simprints? `has_more` in struct isx_lmdb_kind. */
bool isx_sim_has_more(struct isx_lmdb_view *view);

/* Read the simprints of an asset: `complete` in struct isx_lmdb_kind. */
ISX_MUST_CHECK enum isx_status isx_sim_complete(struct isx_lmdb_view *view, uint64_t id,
						struct isx_arena *arena, struct isx_asset *asset,
						struct isx_err *err);

#endif
