/*
 * sim_engine.c - the engine of usearch:// and memory://: similarity search in files of
 *                sim_format.h.
 *
 * Fills the table of functions by which storage/ opens, checks and searches such files. An index
 * of usearch:// is DIR/NAME/index.lmdb; one of memory:// is a file that loses its name once it is
 * open.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_engine.h"

#include "engine/engine.h"
#include "engine/index_info.h"
#include "similarity/sim_add.h"
#include "similarity/sim_check.h"
#include "similarity/sim_derive.h"
#include "similarity/sim_join.h"
#include "similarity/sim_rows.h"
#include "similarity/sim_search.h"
#include "similarity/sim_stats.h"
#include "similarity/sim_tables.h"
#include "similarity/sim_walk.h"
#include "storage/lmdb_store.h"

#include <stdio.h>

/* An isx_unit_type_fn: add a unit type to the parts of an index. */
static enum isx_status add_unit_part(const char *type, uint64_t rows, uint64_t bytes, void *arg,
				     struct isx_err *err)
{
	(void)rows;
	return isx_index_part_add(arg, type, bytes, err);
}

/* Add each simprint type to the parts of an index. The bytes are an estimate: two rows for each
 * simprint, of ISCC-ID body, offset, size, and 128 bits, half of the longest length. */
static enum isx_status add_simprint_parts(struct isx_lmdb_view *view, struct isx_index_info *info,
					  struct isx_err *err)
{
	enum { BYTES_EACH = 2 * (ISX_CHUNK_BYTES + ISX_SIMPRINT_BYTES_MAX / 2) };
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < isx_sim_tables(view)->sp_count; i++) {
		char name[ISX_SIMPRINT_TYPE_MAX + 16];
		MDB_stat stat;
		int rc = mdb_stat(view->txn, isx_sim_tables(view)->sp[i].data, &stat);
		snprintf(name, sizeof name, "SIMPRINT_%s", isx_sim_tables(view)->sp[i].type);
		st = rc ? isx_lmdb_status(rc, "count simprints", err)
			: isx_index_part_add(info, name, (uint64_t)stat.ms_entries * BYTES_EACH,
					     err);
	}
	return st;
}

/* List the parts of an index, for isx_index_info(): unit types, then simprint types. */
static enum isx_status describe(struct isx_lmdb_view *view, struct isx_index_info *info,
				struct isx_err *err)
{
	enum isx_status st = isx_sim_each_unit_type(view, add_unit_part, info, err);
	return st ? st : add_simprint_parts(view, info, err);
}

/* An index is a directory with the file inside, so its name has no suffix. `search` is not set:
 * search_file() answers every query, in passes that queries share. */
const struct isx_lmdb_kind isx_sim_kind = {
	.suffix = "",
	.inside = "index.lmdb",
	.scheme = ISX_SCHEME_SIM,
	.tables_bytes = sizeof(struct isx_sim_tables),
	.open_by_name = isx_sim_open_table_by_name,
	.shape = isx_sim_table_shape,
	.make_tables = isx_sim_make_tables,
	.derive = isx_sim_derive,
	.describe = describe,
	.stats = isx_sim_stats,
	.realm = isx_sim_realm,
	.put_realm = isx_sim_put_realm,
	.get = isx_sim_get,
	.duplicates = isx_sim_join,
	.search_file = isx_sim_search,
	.prepare = isx_sim_prepare,
	.put = isx_sim_put,
	.remove = isx_sim_remove,
	.replace = isx_sim_replace,
	.next = isx_sim_next,
	.has_more = isx_sim_has_more,
	.complete = isx_sim_complete,
	.check_key = isx_sim_check_key,
	.check_find = isx_sim_check_find,
	.check_rows = isx_sim_check_rows,
	.check_tables = isx_sim_check_tables,
	.check_rest = isx_sim_check_rest,
};

enum isx_status isx_sim_open(const char *directory, const struct isx_options *options,
			     struct isx_engine **engine, struct isx_err *err)
{
	return isx_lmdb_store_open(&isx_sim_kind, directory, options, engine, err);
}

enum isx_status isx_memory_open(const struct isx_options *options, struct isx_engine **engine,
				struct isx_err *err)
{
	return isx_lmdb_store_open(&isx_sim_kind, NULL, options, engine, err);
}
