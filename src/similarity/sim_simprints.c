/*
 * sim_simprints.c - put and remove the simprints of an asset.
 *
 * Each simprint has two rows. __sp_TYPE__ is the table of iscc-search 0.3.3, sorted by simprint:
 * it has the frequencies, and 0.3.3 walks the whole of it to remove one asset. __simprints_BITS__
 * is sorted by asset: searches scan it, and removing an asset costs as much as the asset has
 * simprints.
 *
 * Relies on: a view that writes. Nothing here commits.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_rows.h"

#include "similarity/sim_tables.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Write ISCC-ID body, offset and size, which say where a simprint is. */
static void pack_chunk(uint8_t chunk[ISX_CHUNK_BYTES], uint64_t id,
		       const struct isx_indexed_simprint *simprint)
{
	isx_store_be64(chunk, id);
	isx_store_be32(chunk + 8, simprint->offset);
	isx_store_be32(chunk + 12, simprint->size);
}

/* The order in which 0.3.3 hashes simprints: by their bytes, then offset, then size. */
static int by_bytes_then_place(const void *left, const void *right)
{
	const struct isx_indexed_simprint *a = left, *b = right;
	size_t common = a->byte_count < b->byte_count ? a->byte_count : b->byte_count;
	int order = memcmp(a->bytes, b->bytes, common);
	if (order == 0)
		order = (a->byte_count > b->byte_count) - (a->byte_count < b->byte_count);
	if (order == 0)
		order = (a->offset > b->offset) - (a->offset < b->offset);
	return order ? order : (a->size > b->size) - (a->size < b->size);
}

/* BLAKE2b-128 of the sorted simprints, each as length u32 BE, bytes, offset u32 BE, size u32 BE.
 * 0.3.3 compares it to see that an asset which is added again has not changed. */
static enum isx_status fingerprint(const struct isx_indexed_simprint *simprints, size_t count,
				   struct isx_arena *arena, uint8_t out[ISX_FINGERPRINT_BYTES],
				   struct isx_err *err)
{
	struct isx_indexed_simprint *sorted = isx_arena_alloc(arena, count, sizeof *sorted);
	crypto_generichash_state state;
	if (!sorted)
		return isx_fail_memory(err);
	memcpy(sorted, simprints, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_bytes_then_place);
	crypto_generichash_init(&state, NULL, 0, ISX_FINGERPRINT_BYTES);
	for (size_t i = 0; i < count; i++) {
		uint8_t number[8];
		isx_store_be32(number, sorted[i].byte_count);
		crypto_generichash_update(&state, number, 4);
		crypto_generichash_update(&state, sorted[i].bytes, sorted[i].byte_count);
		isx_store_be32(number, sorted[i].offset);
		isx_store_be32(number + 4, sorted[i].size);
		crypto_generichash_update(&state, number, 8);
	}
	crypto_generichash_final(&state, out, ISX_FINGERPRINT_BYTES);
	return ISX_OK;
}

/* The key of a type's rows in __simprints_BITS__, searched or shadowed.
 *   name  filled: the key borrows it */
static MDB_val type_key(const char *type, bool is_shadowed, char name[ISX_SIMPRINT_TYPE_MAX + 2])
{
	size_t len = strlen(type);
	memcpy(name, type, len);
	name[len] = ISX_SHADOWED;
	return isx_lmdb_val(name, len + is_shadowed);
}

/* Put the two rows of one simprint. */
static enum isx_status put_one(struct isx_lmdb_view *view, const struct isx_sim_sp_tables *sp,
			       uint64_t id, const struct isx_indexed_simprint *simprint,
			       bool is_shadowed, struct isx_err *err)
{
	char name[ISX_SIMPRINT_TYPE_MAX + 2];
	uint8_t row[ISX_SIMPRINT_ROW_BYTES_MAX];
	MDB_dbi table;
	enum isx_status st = isx_sim_simprints_table(view, simprint->byte_count, &table, err);
	if (st)
		return st;
	pack_chunk(row, id, simprint);
	memcpy(row + ISX_CHUNK_BYTES, simprint->bytes, simprint->byte_count);
	MDB_val key = isx_lmdb_val(simprint->bytes, simprint->byte_count);
	MDB_val chunk = isx_lmdb_val(row, ISX_CHUNK_BYTES);
	/* A simprint that is given twice for one place is one row: LMDB keeps no equal
	 * duplicates. */
	int rc = mdb_put(view->txn, sp->data, &key, &chunk, 0);
	if (!rc) {
		key = type_key(sp->type, is_shadowed, name);
		MDB_val value = isx_lmdb_val(row, ISX_CHUNK_BYTES + simprint->byte_count);
		rc = mdb_put(view->txn, table, &key, &value, 0);
	}
	return isx_lmdb_status(rc, "add simprints", err);
}

/* Sort pointers into the given array, so that their addresses tell the given order. */
static int by_place(const void *left, const void *right)
{
	const struct isx_indexed_simprint *const *a = left, *const *b = right;
	if ((*a)->offset != (*b)->offset)
		return (*a)->offset < (*b)->offset ? -1 : 1;
	if ((*a)->size != (*b)->size)
		return (*a)->size < (*b)->size ? -1 : 1;
	return (*a > *b) - (*a < *b); /* in the order given */
}

/* Put all simprints. Of those with the same offset and size, only the first is searched, as in
 * 0.3.3, where they share a key; the others are shadowed (sim_format.h). */
static enum isx_status put_all(struct isx_lmdb_view *view, const struct isx_sim_sp_tables *sp,
			       uint64_t id, const struct isx_indexed_simprint *simprints,
			       size_t count, struct isx_arena *arena, struct isx_err *err)
{
	const struct isx_indexed_simprint **sorted = isx_arena_alloc(arena, count, sizeof *sorted);
	enum isx_status st = sorted ? ISX_OK : isx_fail_memory(err);
	for (size_t i = 0; !st && i < count; i++)
		sorted[i] = &simprints[i];
	if (!st)
		qsort(sorted, count, sizeof *sorted, by_place);
	for (size_t i = 0; !st && i < count; i++) {
		bool is_shadowed = i > 0 && sorted[i]->offset == sorted[i - 1]->offset &&
				   sorted[i]->size == sorted[i - 1]->size;
		st = put_one(view, sp, id, sorted[i], is_shadowed, err);
	}
	return st;
}

enum isx_status isx_simprints_put(struct isx_lmdb_view *view, uint64_t id,
				  const struct isx_indexed_simprint *simprints, size_t count,
				  struct isx_arena *arena, struct isx_err *err)
{
	const struct isx_sim_sp_tables *sp = NULL;
	uint8_t id_bytes[ISX_KEY_BYTES], digest[ISX_FINGERPRINT_BYTES];
	enum isx_status st = isx_sim_sp_tables(view, simprints[0].type, &sp, err);
	if (!st) /* an update replaces the simprints of this type */
		st = isx_simprints_remove(view, id, sp->type, err);
	if (!st)
		st = fingerprint(simprints, count, arena, digest, err);
	if (!st)
		st = put_all(view, sp, id, simprints, count, arena, err);
	if (st)
		return st;
	isx_store_be64(id_bytes, id);
	MDB_val key = isx_lmdb_val(id_bytes, sizeof id_bytes);
	MDB_val value = isx_lmdb_val(digest, sizeof digest);
	return isx_lmdb_status(mdb_put(view->txn, sp->assets, &key, &value, 0), "add simprints",
			       err);
}

/* Remove the rows of `id` under one key of sp->type from one __simprints_BITS__, and the row that
 * each of them has in __sp_TYPE__. The cursor is positioned anew for every row, as a delete moves
 * it. A row that is missing in __sp_TYPE__ is no error. Returns a code of LMDB. */
static int remove_rows(struct isx_lmdb_view *view, const struct isx_sim_sp_tables *sp,
		       const uint8_t id[ISX_KEY_BYTES], size_t bytes, bool is_shadowed)
{
	char name[ISX_SIMPRINT_TYPE_MAX + 2];
	uint8_t first[ISX_SIMPRINT_ROW_BYTES_MAX] = { 0 };
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->simprints[bytes], &cursor);
	if (rc)
		return rc;
	memcpy(first, id, ISX_KEY_BYTES);
	for (;;) {
		MDB_val key = type_key(sp->type, is_shadowed, name);
		MDB_val row = isx_lmdb_val(first, ISX_CHUNK_BYTES + bytes);
		rc = mdb_cursor_get(cursor, &key, &row, MDB_GET_BOTH_RANGE);
		if (rc || memcmp(row.mv_data, id, ISX_KEY_BYTES) != 0)
			break;
		uint8_t copy[ISX_SIMPRINT_ROW_BYTES_MAX]; /* the delete below changes the page */
		memcpy(copy, row.mv_data, ISX_CHUNK_BYTES + bytes);
		MDB_val simprint = isx_lmdb_val(copy + ISX_CHUNK_BYTES, bytes);
		MDB_val chunk = isx_lmdb_val(copy, ISX_CHUNK_BYTES);
		rc = mdb_cursor_del(cursor, 0);
		if (!rc)
			rc = mdb_del(view->txn, sp->data, &simprint, &chunk);
		if (rc && rc != MDB_NOTFOUND)
			break;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

enum isx_status isx_simprints_remove(struct isx_lmdb_view *view, uint64_t id, const char *type,
				     struct isx_err *err)
{
	uint8_t id_bytes[ISX_KEY_BYTES];
	isx_store_be64(id_bytes, id);
	/* The fingerprint tells whether the asset has simprints of a type, without a look at its
	 * rows. */
	for (size_t i = 0; i < isx_sim_tables(view)->sp_count; i++) {
		const struct isx_sim_sp_tables *sp = &isx_sim_tables(view)->sp[i];
		MDB_val key = isx_lmdb_val(id_bytes, sizeof id_bytes);
		if (type && strcmp(sp->type, type) != 0)
			continue;
		int rc = mdb_del(view->txn, sp->assets, &key, NULL);
		if (rc == MDB_NOTFOUND)
			continue; /* no fingerprint: the asset has no simprints of this type */
		for (size_t bytes = 1; !rc && bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++) {
			if (!isx_sim_tables(view)->simprints[bytes])
				continue;
			rc = remove_rows(view, sp, id_bytes, bytes, false);
			if (!rc)
				rc = remove_rows(view, sp, id_bytes, bytes, true);
		}
		if (rc)
			return isx_lmdb_status(rc, "remove simprints", err);
	}
	return ISX_OK;
}
