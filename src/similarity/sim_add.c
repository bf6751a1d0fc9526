/*
 * sim_add.c - add, update and remove assets.
 *
 * The frame is that of every kind of file (storage/lmdb_add.c): prepare() runs in the thread of the
 * caller, put() and remove() under LMDB's writer lock, perhaps in the thread of another caller.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_add.h"
#include "similarity/sim_calibrate.h"

#include "similarity/sim_rows.h"
#include "similarity/sim_tables.h"

#include <string.h>

/* What is prepared of a batch: the rows of all units, and of each asset its simprints. */
struct prepared {
	struct isx_unit_rows rows;
	struct asset_simprints {
		struct isx_indexed_simprint *items;
		size_t count;
	} * simprints; /* in the order of the batch: by ISCC-ID */
};

/* --- preparing -------------------------------------------------------------------------------- */

/* Begin a batch, with its first asset. */
static enum isx_status begin(struct isx_lmdb_add *add, struct isx_err *err)
{
	/* Everything lives in the arena of `add`, so there is nothing to release here when a later
	 * asset of the batch is refused. */
	struct prepared *prepared = isx_arena_alloc(&add->arena, 1, sizeof *prepared);
	if (!prepared)
		return isx_fail_memory(err);
	prepared->rows.arena = &add->arena;
	prepared->simprints = isx_arena_alloc(&add->arena, add->count, sizeof *prepared->simprints);
	add->of_kind = prepared;
	return prepared->simprints ? ISX_OK : isx_fail_memory(err);
}

enum isx_status isx_sim_prepare(struct isx_lmdb_add *add, size_t at, struct isx_err *err)
{
	const struct isx_batch_asset *placed = &add->batch[at];
	const struct isx_asset *asset = &add->assets[placed->position];
	struct isx_indexed_unit *units;
	size_t count;
	enum isx_status st = add->of_kind ? ISX_OK : begin(add, err);
	if (!st)
		st = isx_asset_units(asset, &add->arena, &units, &count, err);
	if (st)
		return st;
	struct prepared *prepared = add->of_kind;
	struct asset_simprints *simprints = &prepared->simprints[at];
	simprints->count = asset->simprint_count;
	if (simprints->count)
		st = isx_asset_simprints(asset, &add->arena, &simprints->items, err);
	for (size_t i = 0; !st && !placed->superseded && i < count; i++)
		st = isx_unit_rows_add(&prepared->rows, placed->id.body, &units[i], err);
	return st;
}

/* --- putting ---------------------------------------------------------------------------------- */

/* Remove the unit rows of a stored asset. Its JSON says which they are; if the JSON cannot be
 * read, all tables are searched for rows with its ISCC-ID. */
static enum isx_status remove_old_units(struct isx_lmdb_view *view, uint64_t id,
					struct isx_span json, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_stored_units old;
	enum isx_status st = isx_stored_units(json, isx_asset_units, &arena, &old, err);
	if (!st)
		st = old.is_read ? isx_unit_rows_remove(view, id, old.units, old.count, err)
				 : isx_unit_rows_sweep(view, id, err);
	isx_arena_release(&arena);
	return st;
}

/* Put the JSON of one asset, and remove the unit rows that it had before. Its new rows are put
 * later, with those of the whole batch.
 *   cursor  of __assets__
 *   append  the whole batch comes behind the stored assets: nothing is looked up */
static enum isx_status put_asset(struct isx_lmdb_add *add, size_t at, struct isx_lmdb_view *view,
				 MDB_cursor *cursor, bool append, bool *existed,
				 struct isx_err *err)
{
	uint8_t id[ISX_KEY_BYTES];
	isx_store_be64(id, add->batch[at].id.body);
	MDB_val key = isx_lmdb_val(id, sizeof id), value;
	int rc = append ? MDB_NOTFOUND : mdb_cursor_get(cursor, &key, &value, MDB_SET);
	*existed = rc == 0;
	enum isx_status st = ISX_OK;
	if (*existed)
		st = remove_old_units(view, add->batch[at].id.body, isx_lmdb_span(value), err);
	else if (rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, "look up an asset", err);
	if (st)
		return st;
	key = isx_lmdb_val(id, sizeof id);
	value = isx_lmdb_add_json(add, at);
	rc = mdb_cursor_put(cursor, &key, &value, append ? MDB_APPEND : 0);
	return isx_lmdb_status(rc, "add an asset", err);
}

/* Put the simprints of an asset, type by type. As in 0.3.3, types that the update does not have
 * keep their simprints. Simprints of one type are neighbours (struct isx_asset). */
static enum isx_status put_simprints(struct isx_lmdb_add *add, size_t at,
				     struct isx_lmdb_view *view, struct isx_err *err)
{
	const struct prepared *prepared = add->of_kind;
	const struct isx_indexed_simprint *items = prepared->simprints[at].items;
	const size_t count = prepared->simprints[at].count;
	for (size_t i = 0, next; i < count; i = next) {
		for (next = i + 1; next < count; next++)
			if (strcmp(items[next].type, items[i].type) != 0)
				break;
		enum isx_status st = isx_simprints_put(view, add->batch[at].id.body, items + i,
						       next - i, &add->arena, err);
		if (st)
			return st;
	}
	return ISX_OK;
}

/* Do all assets of the batch come behind those in the table? New ISCC-IDs usually do, as they
 * begin with the time; appending fills pages completely and searches for no place. */
static int comes_last(MDB_cursor *cursor, const struct isx_lmdb_add *add, bool *last)
{
	MDB_val key, value;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	*last = rc == MDB_NOTFOUND ||
		(rc == 0 && isx_load_be64(key.mv_data) < add->batch[0].id.body);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Put all assets of the batch, in the order of their ISCC-IDs. Of several assets with one ISCC-ID
 * only the last is put; the others only get an outcome, as if each had replaced the one before. */
static enum isx_status put_assets(struct isx_lmdb_add *add, struct isx_lmdb_view *view,
				  MDB_cursor *cursor, struct isx_err *err)
{
	bool append, existed = false;
	enum isx_status st = isx_lmdb_status(comes_last(cursor, add, &append), "add assets", err);
	for (size_t i = 0; !st && i < add->count; i++) {
		const struct isx_batch_asset *one = &add->batch[i];
		bool repeated = i > 0 && add->batch[i - 1].superseded; /* the same ISCC-ID */
		if (one->superseded) { /* looked up for its outcome only */
			MDB_val key, value;
			uint8_t id[ISX_KEY_BYTES];
			isx_store_be64(id, one->id.body);
			key = isx_lmdb_val(id, sizeof id);
			existed = !append && mdb_cursor_get(cursor, &key, &value, MDB_SET) == 0;
		} else {
			st = put_asset(add, i, view, cursor, append, &existed, err);
			if (!st)
				st = put_simprints(add, i, view, err);
		}
		add->outcomes[one->position] = existed || repeated ? ISX_UPDATED : ISX_CREATED;
	}
	return st;
}

enum isx_status isx_sim_put(struct isx_lmdb_add *add, struct isx_lmdb_view *view,
			    struct isx_err *err)
{
	const struct prepared *prepared = add->of_kind;
	MDB_cursor *cursor;
	enum isx_status st = isx_lmdb_status(
		mdb_cursor_open(view->txn, view->tables.assets, &cursor), "add assets", err);
	if (st)
		return st;
	/* Assets first: the old rows of updated assets are gone before the new ones are put, table
	 * by table and in order. */
	st = put_assets(add, view, cursor, err);
	mdb_cursor_close(cursor);
	if (!st)
		st = isx_unit_rows_put(&prepared->rows, view, err);
	return st ? st : isx_sim_put_statistics(view, err);
}

/* --- removing --------------------------------------------------------------------------------- */

/* The JSON is removed last, because it says which rows the asset has. An asset that is not stored
 * is no error. */
enum isx_status isx_sim_remove_asset(struct isx_lmdb_view *view, uint64_t id, struct isx_err *err)
{
	uint8_t id_bytes[ISX_KEY_BYTES];
	isx_store_be64(id_bytes, id);
	MDB_val key = isx_lmdb_val(id_bytes, sizeof id_bytes), value;
	int rc = mdb_get(view->txn, view->tables.assets, &key, &value);
	if (rc == MDB_NOTFOUND)
		return ISX_OK;
	enum isx_status st = isx_lmdb_status(rc, "look up an asset", err);
	if (!st)
		st = remove_old_units(view, id, isx_lmdb_span(value), err);
	if (!st)
		st = isx_simprints_remove(view, id, NULL, err);
	if (!st)
		st = isx_lmdb_status(mdb_del(view->txn, view->tables.assets, &key, NULL),
				     "remove an asset", err);
	return st;
}

enum isx_status isx_sim_remove(struct isx_lmdb_view *view, const struct isx_iscc_id *ids,
			       size_t count, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < count; i++)
		st = isx_sim_remove_asset(view, ids[i].body, err);
	return st ? st : isx_sim_put_statistics(view, err);
}

/* Leaves the rows as they are: the codes in the new JSON have to be those of the stored one. */
int isx_sim_replace(struct isx_lmdb_view *view, const struct isx_iscc_id *id, MDB_val json)
{
	uint8_t bytes[ISX_KEY_BYTES];
	isx_store_be64(bytes, id->body);
	MDB_val key = isx_lmdb_val(bytes, sizeof bytes);
	return mdb_put(view->txn, view->tables.assets, &key, &json, 0);
}
