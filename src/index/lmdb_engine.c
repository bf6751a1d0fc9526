/*
 * lmdb_engine.c - the engine of usearch:// and memory://: similarity search in files of
 *                 lmdb_format.h, one directory per index.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/lmdb_engine.h"

#include "index/index.h"
#include "index/index_info.h"
#include "index/lmdb_add.h"
#include "index/lmdb_check.h"
#include "index/lmdb_derive.h"
#include "index/lmdb_rows.h"
#include "index/lmdb_search.h"
#include "index/lmdb_store.h"
#include "index/sim_tables.h"
#include "index/sim_walk.h"

#include <stdio.h>

static enum isx_status add_unit_part(const char *type, uint64_t rows, uint64_t bytes, void *arg,
				     struct isx_err *err)
{
	(void)rows;
	return isx_index_part_add(arg, type, bytes, err);
}

/* Simprints of one type: what both of their tables hold. */
static enum isx_status add_simprint_parts(struct isx_lmdb_view *view, struct isx_index_info *info,
					  struct isx_err *err)
{
	enum { BYTES_EACH = 2 * (ISX_CHUNK_BYTES + ISX_SIMPRINT_BYTES_MAX / 2) };
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < view->tables.sp_count; i++) {
		char name[ISX_SIMPRINT_TYPE_MAX + 16];
		MDB_stat stat;
		int rc = mdb_stat(view->txn, view->tables.sp[i].data, &stat);
		snprintf(name, sizeof name, "SIMPRINT_%s", view->tables.sp[i].type);
		st = rc ? isx_lmdb_status(rc, "count simprints", err)
			: isx_index_part_add(info, name, (uint64_t)stat.ms_entries * BYTES_EACH,
					     err);
	}
	return st;
}

static enum isx_status describe(struct isx_lmdb_view *view, struct isx_index_info *info,
				struct isx_err *err)
{
	enum isx_status st = isx_lmdb_each_unit_type(view, add_unit_part, info, err);
	return st ? st : add_simprint_parts(view, info, err);
}

const struct isx_lmdb_layout isx_similarity_layout = { .open_by_name = isx_sim_open_table_by_name,
						       .shape = isx_sim_table_shape,
						       .make_tables = isx_sim_make_tables,
						       .derive = isx_lmdb_derive };

static const struct isx_lmdb_kind similarity = {
	.suffix = "",
	.inside = "index.lmdb",
	.layout = &isx_similarity_layout,
	.describe = describe,
	.add = isx_lmdb_add,
	.get = isx_lmdb_get,
	.remove = isx_lmdb_remove,
	.search = isx_lmdb_search,
	.check = &isx_similarity_check,
	.walk = &isx_sim_walk_rules,
};

enum isx_status isx_lmdb_open(const char *directory, const struct isx_options *options,
			      struct isx_engine **engine, struct isx_err *err)
{
	return isx_lmdb_store_open(&similarity, directory, options, engine, err);
}

enum isx_status isx_memory_open(const struct isx_options *options, struct isx_engine **engine,
				struct isx_err *err)
{
	return isx_lmdb_store_open(&similarity, NULL, options, engine, err);
}
