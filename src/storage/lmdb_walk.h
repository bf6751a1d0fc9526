/*
 * lmdb_walk.h - go through the assets of an index file in the order of their ISCC-IDs.
 *
 * A walk holds one snapshot of the file (an LMDB read transaction) from its beginning to its end:
 * pages that writers free meanwhile are not used again, so the file grows by what is written.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_WALK_H
#define ISX_LMDB_WALK_H

#include "engine/engine.h"
#include "iscc/iscc_id.h"
#include "storage/lmdb_file.h"

/* How an engine finds the assets of a file; one table for each engine. */
struct isx_walk_rules {
	/* Find the asset with the least ISCC-ID body of `from` or more, and its stored JSON.
	 * Returns a code of LMDB: MDB_NOTFOUND after the last asset. */
	int (*find)(struct isx_lmdb_view *view, uint64_t from, struct isx_iscc_id *id,
		    MDB_val *json);
	/* Fill in the simprints of the asset with this ISCC-ID body; NULL: the engine keeps
	 * none. */
	enum isx_status (*simprints)(struct isx_lmdb_view *view, uint64_t id,
				     struct isx_arena *arena, struct isx_asset *asset,
				     struct isx_err *err);
};

/* As `walk` in struct isx_engine_ops; `engine` is one of isx_lmdb_store_open().
 *   rules  borrowed until the walk is closed */
ISX_MUST_CHECK enum isx_status isx_lmdb_walk(struct isx_engine *engine,
					     const struct isx_walk_rules *rules, const char *name,
					     const char *from, struct isx_walk **walk,
					     struct isx_err *err);

#endif
