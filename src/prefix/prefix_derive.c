/*
 * prefix_derive.c - make all rows again in a file that another program wrote last, or no program
 *                   yet.
 *
 * Everything happens in the caller's write transaction: after a crash the file is unchanged, and
 * the next program that opens it begins again. Rows lie scattered by their bodies, so each row is
 * put alone (similarity/sim_derive.c can append instead).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prefix/prefix_derive.h"

#include "base/log.h"
#include "prefix/prefix_file.h"
#include "storage/lmdb_fields.h"
#include "storage/lmdb_table.h"

/* Write the realm of an index that has assets but no realm: 0.3.3 leaves such a file when the first
 * batch was refused. */
static enum isx_status repair_realm(struct isx_lmdb_view *view, uint32_t realm, struct isx_err *err)
{
	bool found;
	uint32_t known;
	enum isx_status st = isx_prefix_realm(view, &found, &known, err);
	return st || found ? st : isx_prefix_put_realm(view, realm, err);
}

/* Make the rows of the asset under the cursor. An asset that cannot be decoded is kept
 * without rows and named in the log.
 *   json  a buffer to repair JSON in, used again for each asset */
static enum isx_status derive_asset(struct isx_lmdb_view *view, MDB_cursor *cursor, MDB_val *key,
				    MDB_val *value, struct isx_buf *json, struct isx_err *err)
{
	struct isx_stored_units found = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_iscc_id id;
	struct isx_err why = { 0 };
	if (isx_iscc_id_parse(isx_lmdb_span(*key), &id, &why)) {
		isx_log_to(&view->file->logger, ISX_LOG_WARNING, "an asset is not searchable: %s",
			   why.msg);
		return ISX_OK;
	}
	enum isx_status st = isx_lmdb_repair_value(cursor, key, value, json, err);
	if (!st)
		st = repair_realm(view, id.realm, err);
	if (!st)
		st = isx_stored_units(isx_lmdb_span(*value), isx_asset_units_all, &arena, &found,
				      err);
	if (!st && found.cause.msg[0])
		isx_log_to(&view->file->logger, ISX_LOG_WARNING,
			   "asset %016llx is not searchable: %s", (unsigned long long)id.body,
			   found.cause.msg);
	if (!st)
		st = isx_prefix_rows_put(view, id.body, found.units, found.count, err);
	isx_arena_release(&arena);
	return st;
}

/* Empty the tables of rows. mdb_drop() with 0 keeps them, so their handles stay valid. */
static enum isx_status empty_rows(struct isx_lmdb_view *view, struct isx_err *err)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < isx_prefix_tables(view)->count; i++)
		rc = mdb_drop(view->txn, isx_prefix_tables(view)->types[i].rows, 0);
	return isx_lmdb_status(rc, "empty the tables of units", err);
}

enum isx_status isx_prefix_derive(struct isx_lmdb_view *view, struct isx_err *err)
{
	struct isx_buf json = { 0 };
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t assets = 0;
	enum isx_status st = empty_rows(view, err);
	int rc = st ? 0 : mdb_cursor_open(view->txn, view->tables.assets, &cursor);
	if (!st)
		st = isx_lmdb_status(rc, "derive units", err);
	if (st)
		return st;
	while (!st && !(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		st = derive_asset(view, cursor, &key, &value, &json, err);
		assets++;
	}
	mdb_cursor_close(cursor);
	isx_buf_release(&json);
	if (!st && rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, "derive units", err);
	if (!st)
		st = isx_lmdb_fields_derive(view, err);
	if (!st && assets)
		isx_log_to(&view->file->logger, ISX_LOG_INFO,
			   "made %llu assets of an earlier program searchable",
			   (unsigned long long)assets);
	return st;
}
