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
#include "storage/lmdb_fields.h"
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

/* Refuse the batch if its realm is not that of the index, or if an asset that has to be new is not.
 * That can only be known here: a change that is earlier in the group may have set the realm, or
 * added the asset. */
static enum isx_status check_add(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err)
{
	struct isx_lmdb_add *add = (struct isx_lmdb_add *)change;
	bool has_realm;
	uint32_t realm;
	enum isx_status st = view->file->kind->realm(view, &has_realm, &realm, err);
	if (!st)
		st = isx_batch_check_realm(add->assets, add->batch, add->count, has_realm, realm,
					   err);
	for (size_t i = 0; !st && i < add->count; i++) {
		MDB_val json;
		if (!add->assets[add->batch[i].position].is_new)
			continue;
		int rc = view->file->kind->get(view, NULL, &add->batch[i].id, &json);
		if (rc != MDB_NOTFOUND)
			st = rc ? isx_lmdb_status(rc, "look up an asset", err)
				: isx_batch_fail_exists(add->assets, add->batch, add->count, i,
							err);
	}
	return st;
}

/* Change the values of declared fields for a batch that is about to be put: what is stored still says
 * which values each asset has. */
static enum isx_status put_fields(struct isx_lmdb_add *add, struct isx_lmdb_view *view,
				  struct isx_err *err)
{
	struct isx_field_change change;
	enum isx_status st = isx_field_change_begin(&change, view, err);
	for (size_t i = 0; !st && change.fields.count && i < add->count; i++) {
		const struct isx_batch_asset *one = &add->batch[i];
		struct isx_span stored = { 0 }; /* stays empty for an asset that is new */
		MDB_val json;
		if (one->superseded)
			continue;
		int rc = view->file->kind->get(view, NULL, &one->id, &json);
		if (!rc)
			stored = isx_lmdb_span(json);
		if (rc && rc != MDB_NOTFOUND)
			st = isx_lmdb_status(rc, "look up an asset", err);
		else
			st = isx_field_change_asset(&change, one->id.body, stored,
						    isx_lmdb_span(isx_lmdb_add_json(add, i)), err);
	}
	return isx_field_change_end(&change, st, err);
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
	if (!st)
		st = put_fields(add, view, err);
	return st ? st : kind->put(add, view, err);
}

/* The arena has the batch and what the kind of the file has prepared. */
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
	struct isx_lmdb_change change; /* first member: the queue passes a pointer to it */
	const char *const *iscc_ids;
	struct isx_iscc_id *ids;
	size_t count;
	bool *removed; /* filled by apply_remove(), which may run twice */
	bool is_none;  /* no asset of the list is stored: nothing was written */
};

/* Refuse ISCC-IDs of another realm, and a list of which no asset is stored: looked up in the
 * transaction that removes, so that of two callers only one succeeds. */
static enum isx_status check_remove(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				    struct isx_err *err)
{
	struct remove_change *remove = (struct remove_change *)change;
	size_t found = 0;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; i < remove->count; i++) {
		struct isx_span json;
		st = isx_lmdb_find(view, remove->iscc_ids[i], &remove->ids[i], &json, err);
		if (st && st != ISX_NOT_FOUND)
			return isx_batch_err_at(err, st, remove->count, i);
		found += !st;
	}
	remove->is_none = found == 0;
	return found ? ISX_OK : st;
}

/* Looked up again, one by one: of an ISCC-ID that is in the list twice the second is not found. */
static enum isx_status apply_remove(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				    struct isx_err *err)
{
	struct remove_change *remove = (struct remove_change *)change;
	struct isx_iscc_id *stored = isx_mem_array(remove->count, sizeof *stored);
	struct isx_field_change fields;
	size_t count = 0;
	enum isx_status st = isx_field_change_begin(&fields, view, err);
	if (!stored && !st)
		st = isx_fail_memory(err);
	for (size_t i = 0; !st && i < remove->count; i++) {
		MDB_val json;
		int rc = view->file->kind->get(view, remove->iscc_ids[i], &remove->ids[i], &json);
		remove->removed[i] = rc == 0;
		if (rc && rc != MDB_NOTFOUND)
			st = isx_lmdb_status(rc, "look up an asset", err);
		else if (!rc)
			st = isx_field_change_asset(&fields, remove->ids[i].body,
						    isx_lmdb_span(json), (struct isx_span){ 0 },
						    err);
		if (!st && !rc)
			stored[count++] = remove->ids[i];
	}
	st = isx_field_change_end(&fields, st, err);
	if (!st)
		st = view->file->kind->remove(view, stored, count, err);
	isx_mem_free(stored);
	return st;
}

/* Later ones of equal ISCC-IDs, which apply_remove() has found too, were not there any more. */
static void unmark_repeated(const struct remove_change *remove, struct isx_batch_asset *batch)
{
	for (size_t i = 1; i < remove->count; i++)
		if (batch[i].id.body == batch[i - 1].id.body)
			remove->removed[batch[i].position] = false;
}

enum isx_status isx_lmdb_remove(struct isx_lmdb_file *file, const char *const *iscc_ids,
				size_t count, bool *removed, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_batch_asset *batch;
	struct remove_change remove = { .change = { .check = check_remove, .apply = apply_remove },
					.iscc_ids = iscc_ids,
					.count = count,
					.removed = removed };
	enum isx_status st = isx_batch_ids(iscc_ids, count, &arena, &batch, err);
	remove.ids = isx_arena_alloc(&arena, count, sizeof *remove.ids);
	if (!st && !remove.ids)
		st = isx_fail_memory(err);
	if (!st && count)
		st = isx_lmdb_queue_run(file, &remove.change, err);
	/* A list of which no asset is stored is a success: `removed` is false for each. */
	if (st == ISX_NOT_FOUND && remove.is_none) {
		memset(removed, 0, count * sizeof *removed);
		st = ISX_OK;
	}
	if (!st)
		unmark_repeated(&remove, batch);
	isx_arena_release(&arena);
	return st;
}

/* --- metadata --------------------------------------------------------------------------------- */

struct metadata_change {
	struct isx_lmdb_change change; /* first member, as in struct remove_change */
	const char *iscc_id;
	struct isx_iscc_id id;
	const char *metadata;
};

/* ISX_NOT_FOUND is the status of this change alone: the others of its group go on. */
static enum isx_status check_metadata(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				      struct isx_err *err)
{
	struct metadata_change *set = (struct metadata_change *)change;
	struct isx_span json;
	return isx_lmdb_find(view, set->iscc_id, &set->id, &json, err);
}

/* Change the values of declared fields of one asset. */
static enum isx_status change_fields(struct isx_lmdb_view *view, uint64_t id, struct isx_span from,
				     struct isx_span to, struct isx_err *err)
{
	struct isx_field_change change;
	enum isx_status st = isx_field_change_begin(&change, view, err);
	if (!st)
		st = isx_field_change_asset(&change, id, from, to, err);
	return isx_field_change_end(&change, st, err);
}

/* Rows of units do not depend on metadata: the JSON is written, and the values of fields. */
static enum isx_status apply_metadata(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				      struct isx_err *err)
{
	struct metadata_change *set = (struct metadata_change *)change;
	struct isx_buf json = { 0 };
	MDB_val stored;
	int rc = view->file->kind->get(view, set->iscc_id, &set->id, &stored);
	enum isx_status st = isx_lmdb_status(rc, "look up an asset", err);
	if (!st)
		st = isx_stored_with_metadata(&json, isx_lmdb_span(stored), set->metadata, err);
	if (!st)
		st = change_fields(view, set->id.body, isx_lmdb_span(stored),
				   (struct isx_span){ json.ptr, json.len }, err);
	if (!st)
		st = isx_lmdb_status(
			view->file->kind->replace(view, &set->id, isx_lmdb_val(json.ptr, json.len)),
			"change an asset", err);
	isx_buf_release(&json);
	return st;
}

enum isx_status isx_lmdb_set_metadata(struct isx_lmdb_file *file, const char *iscc_id,
				      const char *metadata, struct isx_err *err)
{
	struct metadata_change set = { .change = { .check = check_metadata,
						   .apply = apply_metadata },
				       .iscc_id = iscc_id,
				       .metadata = metadata };
	return isx_lmdb_queue_run(file, &set.change, err);
}
