/*
 * lmdb_add.c - add, update and remove assets of one open index file.
 *
 * Everything that needs no file is done in the caller's own thread before it queues: decoding,
 * writing the JSON, sorting by ISCC-ID. The thread that runs the queued group of changes
 * (engine/commit_queue.h) holds LMDB's writer lock; it only looks up stored assets, removes the
 * rows that an update replaces, and puts. It may be the thread of another caller, so a change must
 * not depend on anything thread-local.
 *
 * Must not know: how a group is committed (lmdb_file.c), nor which rows an asset has: the kind of
 * the file decodes the assets of a batch, and puts them (lmdb_kind.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_add.h"

#include "storage/lmdb_assets.h"
#include "storage/lmdb_kind.h"
#include "json/wire.h"

/* --- adding ----------------------------------------------------------------------------------- */

/* Decode one asset and write its JSON. One that a later asset of the batch with the same ISCC-ID
 * supersedes is decoded too, although it is not put: if it is invalid, the whole batch is
 * refused. */
static enum isx_status prepare_asset(struct isx_lmdb_add *add, const struct isx_lmdb_kind *kind,
				     size_t at, struct isx_err *err)
{
	const struct isx_batch_asset *placed = &add->batch[at];
	const struct isx_asset *asset = &add->assets[placed->position];
	enum isx_status st = kind->prepare(add, at, err);
	if (st)
		return isx_batch_err_at(err, st, add->count, placed->position);
	add->places[at].start = add->json.len;
	if (!placed->superseded)
		isx_asset_to_json(&add->json, asset);
	add->places[at].bytes = add->json.len - add->places[at].start;
	return isx_buf_status(&add->json, err);
}

/* Decode the whole batch. No lock is held. */
static enum isx_status prepare(struct isx_lmdb_add *add, const struct isx_lmdb_kind *kind,
			       struct isx_err *err)
{
	add->places = isx_arena_alloc(&add->arena, add->count, sizeof *add->places);
	if (!add->places)
		return isx_fail_memory(err);
	enum isx_status st = isx_batch_read(add->assets, add->count, &add->arena, &add->batch, err);
	for (size_t i = 0; !st && i < add->count; i++)
		st = prepare_asset(add, kind, i, err);
	return st;
}

/* Refuse the batch if its realm is not that of the index. The realm can only be known here: a
 * change that is earlier in the group may have set it. */
static enum isx_status check_add(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err)
{
	struct isx_lmdb_add *add = (struct isx_lmdb_add *)change;
	bool has_realm;
	uint32_t realm;
	enum isx_status st = view->file->kind->realm(view, &has_realm, &realm, err);
	return st ? st
		  : isx_batch_check_realm(add->assets, add->batch, add->count, has_realm, realm,
					  err);
}

/* Put the batch, and its realm in an index that has none. May be called again with the same change
 * if the transaction failed, so it changes nothing but the outcomes. */
static enum isx_status apply_add(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err)
{
	struct isx_lmdb_add *add = (struct isx_lmdb_add *)change;
	const struct isx_lmdb_kind *kind = view->file->kind;
	bool has_realm;
	uint32_t known;
	if (add->count == 0)
		return ISX_OK;
	enum isx_status st = kind->realm(view, &has_realm, &known, err);
	if (!st && !has_realm)
		st = kind->put_realm(view, add->batch[0].id.realm, err);
	return st ? st : kind->put(add, view, err);
}

static void release_add(struct isx_lmdb_add *add)
{
	isx_buf_release(&add->json);
	isx_arena_release(&add->arena);
}

enum isx_status isx_lmdb_put_assets(struct isx_lmdb_view *view, const struct isx_asset *assets,
				    size_t count, enum isx_outcome *outcomes, struct isx_err *err)
{
	struct isx_lmdb_add add = { .assets = assets, .outcomes = outcomes, .count = count };
	enum isx_status st = prepare(&add, view->file->kind, err);
	if (!st)
		st = apply_add(&add.change, view, err);
	release_add(&add);
	return st;
}

enum isx_status isx_lmdb_add(struct isx_lmdb_file *file, const struct isx_asset *assets,
			     size_t count, enum isx_outcome *outcomes, struct isx_err *err)
{
	struct isx_lmdb_add add = { .change = { .check = check_add, .apply = apply_add },
				    .assets = assets,
				    .outcomes = outcomes,
				    .count = count };
	enum isx_status st = prepare(&add, file->kind, err);
	if (!st && count)
		st = isx_lmdb_queue_run(file, &add.change, err);
	release_add(&add);
	return st;
}

/* --- removing --------------------------------------------------------------------------------- */

struct remove_change {
	struct isx_lmdb_change change; /* first member, as in struct isx_lmdb_add */
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

static enum isx_status apply_remove(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				    struct isx_err *err)
{
	struct remove_change *remove = (struct remove_change *)change;
	return view->file->kind->remove(view, &remove->id, err);
}

/* A text that is no ISCC-ID is refused before it queues. */
enum isx_status isx_lmdb_remove(struct isx_lmdb_file *file, const char *iscc_id,
				struct isx_err *err)
{
	struct remove_change remove = { .change = { .check = check_remove, .apply = apply_remove },
					.iscc_id = iscc_id };
	enum isx_status st = isx_iscc_id_parse(isx_span_of(iscc_id), &remove.id, err);
	return st ? st : isx_lmdb_queue_run(file, &remove.change, err);
}
