/*
 * prefix_add.c - add, update and remove assets of lmdb://.
 *
 * Everything that needs no file is done in the caller's thread before it queues: decoding units,
 * writing JSON. The thread that runs the queued group of changes (engine/commit_queue.h) holds
 * LMDB's writer lock; it may be the thread of another caller. Rows lie scattered by their bodies,
 * so assets go in one after the other, and of those with one ISCC-ID only the last.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prefix/prefix_add.h"

#include "engine/asset_batch.h"
#include "prefix/prefix_file.h"
#include "storage/lmdb_assets.h"
#include "json/wire.h"

/* One asset of the batch as it was prepared. Its JSON is known by its position in the buffer of the
 * change, which moves when it grows. */
struct added_asset {
	struct isx_indexed_unit *units;
	size_t unit_count;
	size_t json_start;
	size_t json_bytes;
};

struct add_change {
	struct isx_lmdb_change change; /* first member: the queue passes a pointer to it */
	const struct isx_asset *assets;
	enum isx_outcome *outcomes;
	struct isx_batch_asset *batch;
	struct added_asset *added; /* in the order of `batch`: by ISCC-ID */
	size_t count;
	struct isx_arena arena;
	struct isx_buf json;
};

/* --- adding ----------------------------------------------------------------------------------- */

/* Decode one asset. One that a later asset of the batch supersedes is decoded too, although it is
 * not put: if it is invalid, the whole batch is refused. */
static enum isx_status prepare_asset(struct add_change *add, size_t at, struct isx_err *err)
{
	size_t position = add->batch[at].position;
	const struct isx_asset *asset = &add->assets[position];
	struct added_asset *one = &add->added[at];
	enum isx_status st = isx_asset_units_all(asset, &add->arena, &one->units, &one->unit_count,
						 err);
	if (st)
		return isx_batch_err_at(err, st, add->count, position);
	one->json_start = add->json.len;
	if (!add->batch[at].superseded)
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
	for (size_t i = 0; !st && i < add->count; i++)
		st = prepare_asset(add, i, err);
	return st;
}

/* Refuse the batch if its realm is not that of the index. Asked in the transaction, as an earlier
 * change of the same group may have set the realm. */
static enum isx_status check_add(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err)
{
	struct add_change *add = (struct add_change *)change;
	bool has_realm;
	uint32_t realm;
	enum isx_status st = isx_prefix_realm(view, &has_realm, &realm, err);
	return st ? st
		  : isx_batch_check_realm(add->assets, add->batch, add->count, has_realm, realm,
					  err);
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
static enum isx_status put_asset(struct add_change *add, size_t at, struct isx_lmdb_view *view,
				 struct isx_err *err)
{
	const struct added_asset *one = &add->added[at];
	const struct isx_iscc_id *id = &add->batch[at].id;
	char text[ISX_ISCC_ID_TEXT_BYTES];
	isx_prefix_key(id, 1, text);
	MDB_val key = isx_lmdb_val(text, strlen(text));
	MDB_val value = isx_lmdb_val(add->json.ptr + one->json_start, one->json_bytes);
	enum isx_status st = isx_lmdb_status(
		mdb_put(view->txn, view->tables.assets, &key, &value, 0), "add an asset", err);
	return st ? st : isx_prefix_rows_put(view, id->body, one->units, one->unit_count, err);
}

/* Put the batch, in the order of ISCC-IDs. Of several assets with one ISCC-ID the first removes
 * what is stored and the last is put. To put and remove each in turn would take a new page
 * whenever a table is empty in between, as LMDB does not use a freed page again in the same
 * transaction. */
static enum isx_status apply_add(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err)
{
	struct add_change *add = (struct add_change *)change;
	enum isx_status st = isx_prefix_put_realm(view, add->batch[0].id.realm, err);
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

enum isx_status isx_prefix_add(struct isx_lmdb_file *file, const struct isx_asset *assets,
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

/* Refuse to remove an asset that does not exist. */
static enum isx_status check_remove(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				    struct isx_err *err)
{
	struct remove_change *remove = (struct remove_change *)change;
	struct isx_span json;
	return isx_lmdb_find(view, remove->iscc_id, &remove->id, &json, err);
}

static enum isx_status apply_remove(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				    struct isx_err *err)
{
	struct remove_change *remove = (struct remove_change *)change;
	bool existed;
	return remove_stored(view, &remove->id, &existed, err);
}

enum isx_status isx_prefix_remove(struct isx_lmdb_file *file, const char *iscc_id,
				  struct isx_err *err)
{
	struct remove_change remove = { .change = { .check = check_remove, .apply = apply_remove },
					.iscc_id = iscc_id };
	return isx_lmdb_queue_run(file, &remove.change, err);
}
