/*
 * sim_walk.c - find the next asset of a walk, with its simprints.
 *
 * The key of an asset is the body of its ISCC-ID, big-endian, so __assets__ is in the order of a
 * walk. The simprints of an asset lie in one table for each length (sim_format.h), and have to be
 * gathered.
 *
 * Reads the caller's view only, and keeps nothing from one call to the next.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_walk.h"

#include "base/array.h"
#include "iscc/base32.h"
#include "similarity/sim_tables.h"

#include <stdlib.h>
#include <string.h>

/* Find the first asset that is not before `from`. Its JSON is borrowed from the view. Returns a
 * code of LMDB. */
int isx_sim_next(struct isx_lmdb_view *view, uint64_t from, struct isx_iscc_id *id, MDB_val *json)
{
	uint8_t bytes[ISX_KEY_BYTES];
	uint32_t realm = 0;
	bool has_realm;
	MDB_cursor *cursor;
	isx_store_be64(bytes, from);
	MDB_val key = isx_lmdb_val(bytes, sizeof bytes);
	int rc = mdb_cursor_open(view->txn, view->tables.assets, &cursor);
	if (rc)
		return rc;
	rc = mdb_cursor_get(cursor, &key, json, MDB_SET_RANGE);
	if (!rc && key.mv_size != ISX_KEY_BYTES)
		rc = MDB_CORRUPTED;
	if (!rc && isx_sim_realm(view, &has_realm, &realm, NULL))
		rc = MDB_CORRUPTED;
	if (!rc)
		/* The key has only the body: the realm is that of the index, the version always
		 * 1. */
		*id = (struct isx_iscc_id){ .body = isx_load_be64(key.mv_data),
					    .realm = realm,
					    .version = 1 };
	mdb_cursor_close(cursor);
	return rc;
}

/* --- simprints -------------------------------------------------------------------------------- */

/* The simprints of one asset, of all types so far. Their texts live in the arena. */
struct gathered {
	struct isx_arena *arena;
	struct placed {
		struct isx_simprint simprint;
		size_t nth; /* position in the order in which they were found */
	} * items;          /* in memory of its own while it grows */
	size_t count;
	size_t cap;
};

/* Add one row of __simprints_BITS__. */
static enum isx_status gather_row(struct gathered *gathered, const char *type, MDB_val row,
				  struct isx_err *err)
{
	const uint8_t *bytes = row.mv_data;
	size_t simprint_bytes = row.mv_size - ISX_CHUNK_BYTES;
	enum isx_status st = isx_array_room(&gathered->items, &gathered->cap, gathered->count + 1,
					    sizeof *gathered->items, NULL, err);
	if (st)
		return st;
	char *text = isx_arena_alloc(gathered->arena, simprint_bytes * 4 / 3 + 4, 1);
	if (!text)
		return isx_fail_memory(err);
	isx_base64_encode(bytes + ISX_CHUNK_BYTES, simprint_bytes, text);
	gathered->items[gathered->count] =
		(struct placed){ .simprint = { .type = type,
					       .simprint = text,
					       .offset = isx_load_be32(bytes + ISX_KEY_BYTES),
					       .size = isx_load_be32(bytes + ISX_KEY_BYTES + 4) },
				 .nth = gathered->count };
	gathered->count++;
	return ISX_OK;
}

/* Gather the rows of an asset under one key of a type, from the table of one length. */
static enum isx_status gather_rows(struct isx_lmdb_view *view, uint64_t id, const char *type,
				   bool is_shadowed, size_t simprint_bytes,
				   struct gathered *gathered, struct isx_err *err)
{
	char name[ISX_SIMPRINT_TYPE_MAX + 2];
	uint8_t first[ISX_SIMPRINT_ROW_BYTES_MAX] = { 0 };
	size_t len = strlen(type);
	MDB_cursor *cursor;
	enum isx_status st = ISX_OK;
	int rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->simprints[simprint_bytes],
				 &cursor);
	if (rc)
		return isx_lmdb_status(rc, "read simprints", err);
	memcpy(name, type, len);
	name[len] = ISX_SHADOWED;
	isx_store_be64(first, id);
	MDB_val key = isx_lmdb_val(name, len + is_shadowed);
	MDB_val row = isx_lmdb_val(first, ISX_CHUNK_BYTES + simprint_bytes);
	rc = mdb_cursor_get(cursor, &key, &row, MDB_GET_BOTH_RANGE);
	while (!rc && !st && isx_load_be64(row.mv_data) == id) {
		st = gather_row(gathered, type, row, err);
		rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT_DUP);
	}
	mdb_cursor_close(cursor);
	return st || rc == 0 || rc == MDB_NOTFOUND ? st
						   : isx_lmdb_status(rc, "read simprints", err);
}

/* By offset and size, then as found: qsort() alone would not keep the order of equal places. */
static int by_place(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;
	if (a->simprint.offset != b->simprint.offset)
		return a->simprint.offset < b->simprint.offset ? -1 : 1;
	if (a->simprint.size != b->simprint.size)
		return a->simprint.size < b->simprint.size ? -1 : 1;
	return (a->nth > b->nth) - (a->nth < b->nth);
}

/* Gather the simprints of one type, ordered by their places. Of those at one place the searched
 * one comes first, as it did when the asset was added. So an asset that is read and added again is
 * found by the same simprints. */
static enum isx_status gather_type(struct isx_lmdb_view *view, uint64_t id, const char *type,
				   struct gathered *gathered, struct isx_err *err)
{
	size_t first = gathered->count;
	enum isx_status st = ISX_OK;
	for (int is_shadowed = 0; is_shadowed < 2; is_shadowed++) {
		for (size_t bytes = 1; !st && bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++)
			if (isx_sim_tables(view)->simprints[bytes])
				st = gather_rows(view, id, type, is_shadowed, bytes, gathered, err);
	}
	if (!st && gathered->count > first)
		qsort(gathered->items + first, gathered->count - first, sizeof *gathered->items,
		      by_place);
	return st;
}

bool isx_sim_has_more(struct isx_lmdb_view *view)
{
	return isx_sim_tables(view)->sp_count > 0;
}

/* Read the simprints of an asset. The types in the view end with it, so they are copied into
 * `arena`. */
enum isx_status isx_sim_complete(struct isx_lmdb_view *view, uint64_t id, struct isx_arena *arena,
				 struct isx_asset *asset, struct isx_err *err)
{
	struct gathered gathered = { .arena = arena };
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < isx_sim_tables(view)->sp_count; i++) {
		const struct isx_sim_sp_tables *sp = &isx_sim_tables(view)->sp[i];
		uint8_t bytes[ISX_KEY_BYTES];
		isx_store_be64(bytes, id);
		MDB_val key = isx_lmdb_val(bytes, sizeof bytes), digest;
		int rc = mdb_get(view->txn, sp->assets, &key, &digest);
		if (rc == MDB_NOTFOUND)
			continue; /* no fingerprint: it has none of this type */
		const char *type = rc ? NULL : isx_arena_text(arena, sp->type, strlen(sp->type));
		if (rc)
			st = isx_lmdb_status(rc, "read simprints", err);
		else
			st = type ? gather_type(view, id, type, &gathered, err)
				  : isx_fail_memory(err);
	}
	struct isx_simprint *kept = st ? NULL
				       : isx_arena_alloc(arena, gathered.count, sizeof *kept);
	if (!st && !kept)
		st = isx_fail_memory(err);
	for (size_t i = 0; !st && i < gathered.count; i++)
		kept[i] = gathered.items[i].simprint;
	if (!st) {
		asset->simprints = kept;
		asset->simprint_count = gathered.count;
	}
	isx_mem_free(gathered.items);
	return st;
}
