/*
 * lmdb_table.c - remove the rows of an asset whose keys are not known, and repair stored JSON.
 *
 * Rare paths, both for files that iscc-search 0.3.3 wrote: speed does not matter here.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_table.h"

#include "json/json_text.h"

enum { KEY_BYTES_MAX = 511, ROW_BYTES_MAX = 40 }; /* keys: as long as LMDB allows */

/* Remove one row of the asset under `key`, or move *key to the next key. Returns a code of
 * LMDB. After a removal *key stays: a key may have several rows of one asset. */
static int sweep_key(MDB_cursor *cursor, MDB_val *key, MDB_val least)
{
	uint8_t copy[KEY_BYTES_MAX + 1] = { 0 }; /* a delete moves the bytes of *key */
	MDB_val row = least, value;
	if (key->mv_size > KEY_BYTES_MAX)
		return MDB_CORRUPTED;
	memcpy(copy, key->mv_data, key->mv_size);
	MDB_val same = isx_lmdb_val(copy, key->mv_size);
	int rc = mdb_cursor_get(cursor, &same, &row, MDB_GET_BOTH_RANGE);
	bool found = rc == 0 && memcmp(row.mv_data, least.mv_data, ISX_KEY_BYTES) == 0;
	if (found)
		rc = mdb_cursor_del(cursor, 0);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	*key = isx_lmdb_val(copy, key->mv_size + !found); /* plus a NUL: the least key after it */
	return mdb_cursor_get(cursor, key, &value, MDB_SET_RANGE);
}

int isx_lmdb_sweep_table(struct isx_lmdb_view *view, MDB_dbi table, uint64_t id, size_t row_bytes)
{
	uint8_t least[ROW_BYTES_MAX] = { 0 };
	MDB_cursor *cursor;
	MDB_val key, value;
	if (!table)
		return 0;
	if (row_bytes > sizeof least)
		return MDB_BAD_VALSIZE;
	int rc = mdb_cursor_open(view->txn, table, &cursor);
	if (rc)
		return rc;
	isx_store_be64(least, id);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	while (!rc)
		rc = sweep_key(cursor, &key, isx_lmdb_val(least, row_bytes));
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

enum isx_status isx_lmdb_repair_value(MDB_cursor *cursor, MDB_val *key, MDB_val *value,
				      struct isx_buf *json, struct isx_err *err)
{
	size_t offset;
	if (!isx_json_check(isx_lmdb_span(*value), &offset, NULL))
		return ISX_OK;
	isx_buf_clear(json);
	isx_json_repair(json, isx_lmdb_span(*value));
	enum isx_status st = isx_buf_status(json, err);
	if (st)
		return st;
	*value = isx_lmdb_val(json->ptr, json->len);
	return isx_lmdb_status(mdb_cursor_put(cursor, key, value, MDB_CURRENT), "repair an asset",
			       err);
}
