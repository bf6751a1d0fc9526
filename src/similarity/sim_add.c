/*
 * sim_add.c - add, update and remove assets.
 *
 * Everything that needs no file is done in the caller's own thread before it queues: decoding
 * units and simprints, writing the JSON, sorting by ISCC-ID. The thread that runs the queued group
 * of changes (engine/commit_queue.h) holds LMDB's writer lock; it only looks up stored assets,
 * removes the rows that an update replaces, and puts. It may be the thread of another caller, so a
 * change must not depend on anything thread-local.
 *
 * Must not know: how a group is committed (storage/lmdb_file.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_add.h"

#include "base/mem.h"
#include "engine/asset_batch.h"
#include "iscc/iscc_id.h"
#include "similarity/sim_rows.h"
#include "similarity/sim_tables.h"
#include "storage/lmdb_assets.h"
#include "json/wire.h"

#include <string.h>

/* One asset of the batch as it was prepared. Its JSON lies in the buffer of the change, which
 * moves when it grows, so it is known by its position. */
struct added_asset {
	struct isx_batch_asset key;
	size_t json_start;
	size_t json_bytes;
	struct isx_indexed_simprint *simprints;
	size_t simprint_count;
};

/* Assets to add, with everything prepared. It lives on the caller's stack until the queue has run
 * it. */
struct add_change {
	struct isx_lmdb_change change; /* first member: the queue passes a pointer to it */
	const struct isx_asset *assets;
	enum isx_outcome *outcomes;
	struct isx_batch_asset *batch;
	struct added_asset *added; /* in the order of `batch`: by ISCC-ID */
	size_t count;
	struct isx_arena arena;
	struct isx_buf json;
	struct isx_unit_rows rows;
};

/* --- preparing -------------------------------------------------------------------------------- */

/* Decode one asset. One that a later asset of the batch with the same ISCC-ID supersedes is
 * decoded too, although it is not put: if it is invalid, the whole batch is refused. */
static enum isx_status prepare_asset(struct add_change *add, size_t at, struct isx_err *err)
{
	const struct isx_batch_asset *placed = &add->batch[at];
	const struct isx_asset *asset = &add->assets[placed->position];
	struct added_asset *one = &add->added[at];
	one->key = *placed;
	struct isx_indexed_unit *units;
	size_t unit_count;
	enum isx_status st = isx_asset_units(asset, &add->arena, &units, &unit_count, err);
	if (!st && asset->simprint_count)
		st = isx_asset_simprints(asset, &add->arena, &one->simprints, err);
	one->simprint_count = asset->simprint_count;
	for (size_t i = 0; !st && !placed->superseded && i < unit_count; i++)
		st = isx_unit_rows_add(&add->rows, placed->id.body, &units[i], err);
	if (st)
		return isx_batch_err_at(err, st, add->count, placed->position);
	one->json_start = add->json.len;
	if (!placed->superseded)
		isx_asset_to_json(&add->json, asset);
	one->json_bytes = add->json.len - one->json_start;
	return isx_buf_status(&add->json, err);
}

/* Decode the whole batch. No lock is held. */
static enum isx_status prepare(struct add_change *add, struct isx_err *err)
{
	add->added = isx_arena_alloc(&add->arena, add->count, sizeof *add->added);
	if (!add->added)
		return isx_fail_memory(err);
	enum isx_status st = isx_batch_read(add->assets, add->count, &add->arena, &add->batch, err);
	add->rows.arena = &add->arena;
	for (size_t i = 0; !st && i < add->count; i++)
		st = prepare_asset(add, i, err);
	return st;
}

/* --- applying --------------------------------------------------------------------------------- */

/* Refuse the batch if its realm is not that of the index. The realm can only be known here: a
 * change that is earlier in the group may have set it. */
static enum isx_status check_add(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err)
{
	struct add_change *add = (struct add_change *)change;
	bool has_realm = false;
	uint32_t realm = 0;
	enum isx_status st = isx_lmdb_get_u32(view, ISX_META_REALM, &has_realm, &realm, err);
	return st ? st
		  : isx_batch_check_realm(add->assets, add->batch, add->count, has_realm, realm,
					  err);
}

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
static enum isx_status put_asset(struct add_change *add, const struct added_asset *one,
				 struct isx_lmdb_view *view, MDB_cursor *cursor, bool append,
				 bool *existed, struct isx_err *err)
{
	uint8_t id[ISX_KEY_BYTES];
	isx_store_be64(id, one->key.id.body);
	MDB_val key = isx_lmdb_val(id, sizeof id), value;
	int rc = append ? MDB_NOTFOUND : mdb_cursor_get(cursor, &key, &value, MDB_SET);
	*existed = rc == 0;
	enum isx_status st = ISX_OK;
	if (*existed)
		st = remove_old_units(view, one->key.id.body, isx_lmdb_span(value), err);
	else if (rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, "look up an asset", err);
	if (st)
		return st;
	key = isx_lmdb_val(id, sizeof id);
	value = isx_lmdb_val(add->json.ptr + one->json_start, one->json_bytes);
	rc = mdb_cursor_put(cursor, &key, &value, append ? MDB_APPEND : 0);
	return isx_lmdb_status(rc, "add an asset", err);
}

/* Put the simprints of an asset, type by type. As in 0.3.3, types that the update does not have
 * keep their simprints. Simprints of one type are neighbours (struct isx_asset). */
static enum isx_status put_simprints(struct add_change *add, const struct added_asset *one,
				     struct isx_lmdb_view *view, struct isx_err *err)
{
	for (size_t i = 0, next; i < one->simprint_count; i = next) {
		for (next = i + 1; next < one->simprint_count; next++)
			if (strcmp(one->simprints[next].type, one->simprints[i].type) != 0)
				break;
		enum isx_status st = isx_simprints_put(view, one->key.id.body, one->simprints + i,
						       next - i, &add->arena, err);
		if (st)
			return st;
	}
	return ISX_OK;
}

/* Do all assets of the batch come behind those in the table? New ISCC-IDs usually do, as they
 * begin with the time; appending fills pages completely and searches for no place. */
static int comes_last(MDB_cursor *cursor, const struct add_change *add, bool *last)
{
	MDB_val key, value;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	*last = rc == MDB_NOTFOUND ||
		(rc == 0 && isx_load_be64(key.mv_data) < add->added[0].key.id.body);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Put all assets of the batch, in the order of their ISCC-IDs. Of several assets with one ISCC-ID
 * only the last is put; the others only get an outcome, as if each had replaced the one before. */
static enum isx_status put_assets(struct add_change *add, struct isx_lmdb_view *view,
				  MDB_cursor *cursor, struct isx_err *err)
{
	bool append, existed = false;
	enum isx_status st = isx_lmdb_status(comes_last(cursor, add, &append), "add assets", err);
	for (size_t i = 0; !st && i < add->count; i++) {
		const struct added_asset *one = &add->added[i];
		bool repeated = i > 0 && add->added[i - 1].key.id.body == one->key.id.body;
		if (one->key.superseded) { /* looked up for its outcome only */
			MDB_val key, value;
			uint8_t id[ISX_KEY_BYTES];
			isx_store_be64(id, one->key.id.body);
			key = isx_lmdb_val(id, sizeof id);
			existed = !append && mdb_cursor_get(cursor, &key, &value, MDB_SET) == 0;
		} else {
			st = put_asset(add, one, view, cursor, append, &existed, err);
			if (!st)
				st = put_simprints(add, one, view, err);
		}
		add->outcomes[one->key.position] = existed || repeated ? ISX_UPDATED : ISX_CREATED;
	}
	return st;
}

/* Put the batch, and its realm in an index that has none. May be called again with the same change
 * if the transaction failed, so it changes nothing but the outcomes. */
static enum isx_status apply_add(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err)
{
	struct add_change *add = (struct add_change *)change;
	MDB_cursor *cursor;
	uint8_t realm[4];
	bool has_realm;
	uint32_t known;
	if (add->count == 0)
		return ISX_OK;
	enum isx_status st = isx_lmdb_get_u32(view, ISX_META_REALM, &has_realm, &known, err);
	isx_store_be32(realm, add->added[0].key.id.realm);
	if (!st && !has_realm)
		st = isx_lmdb_put_meta(view, ISX_META_REALM, realm, sizeof realm, err);
	if (!st)
		st = isx_lmdb_status(mdb_cursor_open(view->txn, view->tables.assets, &cursor),
				     "add assets", err);
	if (st)
		return st;
	st = put_assets(add, view, cursor, err);
	mdb_cursor_close(cursor);
	if (!st)
		st = isx_unit_rows_put(&add->rows, view, err);
	return st ? st : isx_sim_put_counts(view, err);
}

enum isx_status isx_sim_put_assets(struct isx_lmdb_view *view, const struct isx_asset *assets,
				   size_t count, enum isx_outcome *outcomes, struct isx_err *err)
{
	struct add_change add = { .assets = assets, .outcomes = outcomes, .count = count };
	enum isx_status st = prepare(&add, err);
	if (!st)
		st = apply_add(&add.change, view, err);
	isx_buf_release(&add.json);
	isx_arena_release(&add.arena);
	return st;
}

enum isx_status isx_sim_add(struct isx_lmdb_file *file, const struct isx_asset *assets,
			    size_t count, enum isx_outcome *outcomes, struct isx_err *err)
{
	struct add_change add = { .change = { .check = check_add, .apply = apply_add },
				  .assets = assets,
				  .outcomes = outcomes,
				  .count = count };
	enum isx_status st = prepare(&add, err);
	if (!st && count)
		st = isx_lmdb_queue_run(file, &add.change, err);
	isx_buf_release(&add.json);
	isx_arena_release(&add.arena);
	return st;
}

/* --- removing --------------------------------------------------------------------------------- */

struct remove_change {
	struct isx_lmdb_change change; /* first member, as in struct add_change */
	const char *iscc_id;
	struct isx_iscc_id id;
};

/* Refuse to remove an asset that does not exist: looked up in the transaction that removes, so
 * that of two callers only one succeeds. */
static enum isx_status check_remove(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				    struct isx_err *err)
{
	struct remove_change *remove = (struct remove_change *)change;
	struct isx_span json;
	return isx_lmdb_find(view, remove->iscc_id, &remove->id, &json, err);
}

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

static enum isx_status apply_remove(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				    struct isx_err *err)
{
	struct remove_change *remove = (struct remove_change *)change;
	enum isx_status st = isx_sim_remove_asset(view, remove->id.body, err);
	return st ? st : isx_sim_put_counts(view, err);
}

enum isx_status isx_sim_remove(struct isx_lmdb_file *file, const char *iscc_id, struct isx_err *err)
{
	struct remove_change remove = { .change = { .check = check_remove, .apply = apply_remove },
					.iscc_id = iscc_id };
	enum isx_status st = isx_iscc_id_parse(isx_span_of(iscc_id), &remove.id, err);
	return st ? st : isx_lmdb_queue_run(file, &remove.change, err);
}
