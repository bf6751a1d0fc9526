/*
 * sim_derive.c - fill the derived tables of a file that another program wrote last, or no program
 *                yet.
 *
 * Walks __assets__ in blocks, so that the rows of a block are put table by table in the order of
 * their ISCC-IDs and can all be appended. Everything happens in the caller's write transaction:
 * after a crash the file is unchanged, and the next program that opens it begins again.
 *
 * An asset that cannot be read does not fail the whole: it is kept and named in the log.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_derive.h"

#include "base/log.h"
#include "base/mem.h"
#include "similarity/sim_add.h"
#include "similarity/sim_calibrate.h"
#include "similarity/sim_rows.h"
#include "similarity/sim_tables.h"
#include "storage/lmdb_fields.h"
#include "storage/lmdb_table.h"
#include "json/json_text.h"
#include "json/wire.h"

#include <string.h>

enum { BLOCK_ASSETS = 20000 }; /* with 5 units each their rows take about 5 MB of memory */

/* Empty the derived tables. mdb_drop() with 0 keeps the tables, so their handles stay valid. */
static enum isx_status empty_derived(struct isx_lmdb_view *view, struct isx_err *err)
{
	struct isx_sim_tables *t = isx_sim_tables(view);
	int rc = mdb_drop(view->txn, t->instance, 0);
	for (size_t bytes = 0; !rc && bytes <= ISX_BODY_BYTES_MAX; bytes++)
		if (t->units[bytes])
			rc = mdb_drop(view->txn, t->units[bytes], 0);
	for (size_t bytes = 0; !rc && bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++)
		if (t->simprints[bytes])
			rc = mdb_drop(view->txn, t->simprints[bytes], 0);
	return rc ? isx_lmdb_status(rc, "empty the derived tables", err)
		  : isx_distances_clear(view, err);
}

/* Collect the rows of the asset under the cursor. An asset with a unit that cannot be decoded,
 * which 0.3.3 does not find either, gets no rows and is named in the log.
 *   json  a buffer to repair JSON in, used again for each asset */
static enum isx_status derive_asset(struct isx_lmdb_view *view, MDB_cursor *cursor, MDB_val *key,
				    MDB_val *value, struct isx_unit_rows *rows,
				    struct isx_buf *json, struct isx_err *err)
{
	struct isx_stored_units found;
	struct isx_arena arena = { 0 };
	if (key->mv_size != ISX_KEY_BYTES)
		return isx_fail(err, ISX_CORRUPT, "an asset with a key of %zu bytes", key->mv_size);
	uint64_t id = isx_load_be64(key->mv_data);
	enum isx_status st = isx_lmdb_repair_value(cursor, key, value, json, err);
	if (st)
		return st;
	st = isx_stored_units(isx_lmdb_span(*value), isx_asset_units, &arena, &found, err);
	if (!st && found.cause.msg[0])
		isx_log_to(&view->file->logger, ISX_LOG_WARNING,
			   "asset %016llx is not searchable: %s", (unsigned long long)id,
			   found.cause.msg);
	for (size_t i = 0; !st && i < found.count; i++)
		st = isx_unit_rows_add(rows, id, &found.units[i], err);
	isx_arena_release(&arena);
	return st;
}

/* Fill __units_*__ and __instance__, block by block. *assets is raised by the number of assets. */
static enum isx_status derive_units(struct isx_lmdb_view *view, uint64_t *assets,
				    struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_buf json = { 0 };
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(view->txn, view->tables.assets, &cursor);
	enum isx_status st = isx_lmdb_status(rc, "derive units", err);
	if (st)
		return st;
	while (!st && !rc) {
		struct isx_unit_rows rows = { .arena = &arena };
		for (int i = 0; !st && i < BLOCK_ASSETS; i++) {
			rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
			if (rc)
				break;
			st = derive_asset(view, cursor, &key, &value, &rows, &json, err);
			(*assets)++;
		}
		if (!st)
			st = isx_unit_rows_put(&rows, view, err);
		isx_arena_release(&arena);
	}
	mdb_cursor_close(cursor);
	isx_buf_release(&json);
	if (!st && rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, "derive units", err);
	return st;
}

/* Fill __simprints_*__ from one __sp_TYPE__. It is sorted by simprint, so rows go in at scattered
 * places. Which of several simprints at one place of an asset was given first is not stored in it:
 * all are searched. */
static enum isx_status derive_simprints(struct isx_lmdb_view *view,
					const struct isx_sim_sp_tables *sp, struct isx_err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	uint8_t row[ISX_SIMPRINT_ROW_BYTES_MAX];
	int rc = mdb_cursor_open(view->txn, sp->data, &cursor);
	enum isx_status st = isx_lmdb_status(rc, "derive simprints", err);
	if (st)
		return st;
	while (!st && !(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		MDB_dbi table;
		if (key.mv_size > ISX_SIMPRINT_BYTES_MAX || value.mv_size != ISX_CHUNK_BYTES)
			continue; /* longer than 256 bits: 0.3.3 finds it, this program does not */
		memcpy(row, value.mv_data, ISX_CHUNK_BYTES);
		memcpy(row + ISX_CHUNK_BYTES, key.mv_data, key.mv_size);
		st = isx_sim_simprints_table(view, key.mv_size, &table, err);
		if (st)
			break;
		MDB_val type = isx_lmdb_val(sp->type, strlen(sp->type));
		MDB_val data = isx_lmdb_val(row, ISX_CHUNK_BYTES + key.mv_size);
		st = isx_lmdb_status(mdb_put(view->txn, table, &type, &data, 0), "derive simprints",
				     err);
	}
	mdb_cursor_close(cursor);
	return !st && rc != MDB_NOTFOUND ? isx_lmdb_status(rc, "derive simprints", err) : st;
}

enum isx_status isx_sim_derive(struct isx_lmdb_view *view, struct isx_err *err)
{
	uint64_t assets = 0;
	enum isx_status st = empty_derived(view, err);
	if (!st)
		st = derive_units(view, &assets, err);
	for (size_t i = 0; !st && i < isx_sim_tables(view)->sp_count; i++)
		st = derive_simprints(view, &isx_sim_tables(view)->sp[i], err);
	if (!st)
		st = isx_sim_put_statistics(view, err);
	if (!st)
		st = isx_lmdb_fields_derive(view, err);
	if (!st && assets)
		isx_log_to(&view->file->logger, ISX_LOG_INFO,
			   "made %llu assets of an earlier program searchable",
			   (unsigned long long)assets);
	return st;
}
