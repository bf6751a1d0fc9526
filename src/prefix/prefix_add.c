/*
 * prefix_add.c - add, update and remove assets of lmdb://.
 *
 * The frame is that of every kind of file (storage/lmdb_add.c): prepare() runs in the thread of the
 * caller, put() and remove() under LMDB's writer lock, perhaps in the thread of another caller.
 * Rows lie scattered by their bodies, so assets go in one after the other, and of those with one
 * ISCC-ID only the last.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prefix/prefix_add.h"

#include "prefix/prefix_file.h"

/* What is prepared of a batch: an array of these, in the order of the batch. */
struct asset_units {
	struct isx_indexed_unit *items;
	size_t count;
};

/* --- adding ----------------------------------------------------------------------------------- */

enum isx_status isx_prefix_prepare(struct isx_lmdb_add *add, size_t at, struct isx_err *err)
{
	if (!add->of_kind)
		add->of_kind = isx_arena_alloc(&add->arena, add->count, sizeof(struct asset_units));
	if (!add->of_kind)
		return isx_fail_memory(err);
	struct asset_units *units = (struct asset_units *)add->of_kind + at;
	return isx_asset_units_all(&add->assets[add->batch[at].position], &add->arena,
				   &units->items, &units->count, err);
}

/* Remove an asset with its rows, under the keys of both versions of its ISCC-ID: 0.3.3 may have
 * stored either, or both. */
static enum isx_status remove_stored(struct isx_lmdb_view *view, const struct isx_iscc_id *id,
				     bool *existed, struct isx_err *err)
{
	*existed = false;
	for (uint32_t version = 0; version < ISX_PREFIX_ID_VERSIONS; version++) {
		char text[ISX_ISCC_ID_TEXT_BYTES];
		isx_prefix_key(id, version, text);
		MDB_val key = isx_lmdb_val(text, strlen(text)), value;
		int rc = mdb_get(view->txn, view->tables.assets, &key, &value);
		if (rc == MDB_NOTFOUND)
			continue;
		enum isx_status st = isx_lmdb_status(rc, "look up an asset", err);
		if (!st)
			st = isx_prefix_rows_remove(view, id->body, isx_lmdb_span(value), err);
		if (!st)
			st = isx_lmdb_status(mdb_del(view->txn, view->tables.assets, &key, NULL),
					     "remove an asset", err);
		if (st)
			return st;
		*existed = true;
	}
	return ISX_OK;
}

/* Put one asset that is not stored, with its rows. Keys are written with version 1, whatever was
 * given. */
static enum isx_status put_asset(struct isx_lmdb_add *add, size_t at, struct isx_lmdb_view *view,
				 struct isx_err *err)
{
	const struct asset_units *units = (struct asset_units *)add->of_kind + at;
	const struct isx_iscc_id *id = &add->batch[at].id;
	char text[ISX_ISCC_ID_TEXT_BYTES];
	isx_prefix_key(id, 1, text);
	MDB_val key = isx_lmdb_val(text, strlen(text)), value = isx_lmdb_add_json(add, at);
	enum isx_status st = isx_lmdb_status(
		mdb_put(view->txn, view->tables.assets, &key, &value, 0), "add an asset", err);
	return st ? st : isx_prefix_rows_put(view, id->body, units->items, units->count, err);
}

/* Of several assets with one ISCC-ID the first removes what is stored and the last is put. To put
 * and remove each in turn would take a new page whenever a table is empty in between, as LMDB does
 * not use a freed page again in the same transaction. */
enum isx_status isx_prefix_put(struct isx_lmdb_add *add, struct isx_lmdb_view *view,
			       struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < add->count; i++) {
		bool existed = i > 0 && add->batch[i - 1].superseded; /* same ISCC-ID */
		if (!existed)
			st = remove_stored(view, &add->batch[i].id, &existed, err);
		if (!st && !add->batch[i].superseded)
			st = put_asset(add, i, view, err);
		add->outcomes[add->batch[i].position] = existed ? ISX_UPDATED : ISX_CREATED;
	}
	return st;
}

/* --- removing --------------------------------------------------------------------------------- */

enum isx_status isx_prefix_remove(struct isx_lmdb_view *view, const struct isx_iscc_id *ids,
				  size_t count, struct isx_err *err)
{
	bool existed;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < count; i++)
		st = remove_stored(view, &ids[i], &existed, err);
	return st;
}

/* Under each key that the asset has. */
int isx_prefix_replace(struct isx_lmdb_view *view, const struct isx_iscc_id *id, MDB_val json)
{
	int rc = 0;
	for (uint32_t version = 0; !rc && version < ISX_PREFIX_ID_VERSIONS; version++) {
		char text[ISX_ISCC_ID_TEXT_BYTES];
		isx_prefix_key(id, version, text);
		MDB_val key = isx_lmdb_val(text, strlen(text)), stored, value = json;
		rc = mdb_get(view->txn, view->tables.assets, &key, &stored);
		if (!rc)
			rc = mdb_put(view->txn, view->tables.assets, &key, &value, 0);
		rc = rc == MDB_NOTFOUND ? 0 : rc;
	}
	return rc;
}
