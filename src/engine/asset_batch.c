/*
 * asset_batch.c - sort the assets of a request, and check that they belong together.
 *
 * Works on the caller's thread before a transaction begins: takes no lock and reads no index. The
 * order by ISCC-ID is that of the tables, so that the writer appends instead of searching a place
 * for each row.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/asset_batch.h"

#include <stdlib.h>

/* Equal ISCC-IDs stay in the order of the request: the last of them is the one that counts. */
static int by_id_then_position(const void *left, const void *right)
{
	const struct isx_batch_asset *a = left, *b = right;
	if (a->id.body != b->id.body)
		return a->id.body < b->id.body ? -1 : 1;
	return (a->position > b->position) - (a->position < b->position);
}

enum isx_status isx_batch_err_at(struct isx_err *err, enum isx_status status, size_t count,
				 size_t position)
{
	if (count > 1)
		isx_err_at(err, status, "asset %zu", position);
	if (err)
		err->position = position;
	return status;
}

/* The parsed ISCC-IDs take 32 bytes for each asset; texts and simprints are not copied. A request
 * that is in order costs one comparison for each asset. */
enum isx_status isx_batch_read(const struct isx_asset *assets, size_t count,
			       struct isx_arena *arena, struct isx_batch_asset **batch,
			       struct isx_err *err)
{
	/* ISCC-IDs begin with a time: a bulk load is often in order already, and not sorted. */
	bool sorted = true;
	struct isx_batch_asset *read = isx_arena_alloc(arena, count, sizeof *read);
	if (!read)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		enum isx_status st = ISX_OK;
		read[i].position = i;
		if (!assets[i].iscc_id)
			st = isx_fail(err, ISX_INVALID,
				      "iscc_id is missing: every asset needs one");
		else
			st = isx_iscc_id_parse(isx_span_of(assets[i].iscc_id), &read[i].id, err);
		if (st)
			return isx_batch_err_at(err, st, count, i);
		sorted &= i == 0 || read[i - 1].id.body < read[i].id.body;
	}
	if (!sorted)
		qsort(read, count, sizeof *read, by_id_then_position);
	/* An add is all or nothing, so an earlier version of an asset in the same request is
	 * never stored; its outcome is still reported. */
	for (size_t i = 0; i + 1 < count; i++) {
		read[i].superseded = read[i].id.body == read[i + 1].id.body;
		for (size_t k = i; read[i].superseded && k < i + 2; k++)
			if (assets[read[k].position].is_new)
				return isx_batch_fail_exists(assets, read, count, k, err);
	}
	*batch = read;
	return ISX_OK;
}

enum isx_status isx_batch_fail_exists(const struct isx_asset *assets,
				      const struct isx_batch_asset *batch, size_t count, size_t at,
				      struct isx_err *err)
{
	isx_fail(err, ISX_EXISTS, "%s is in the index already", assets[batch[at].position].iscc_id);
	return isx_batch_err_at(err, ISX_EXISTS, count, batch[at].position);
}

/* Goes through empty assets, so that a list of ISCC-IDs is sorted and refused as a list of assets
 * is. */
enum isx_status isx_batch_ids(const char *const *iscc_ids, size_t count, struct isx_arena *arena,
			      struct isx_batch_asset **batch, struct isx_err *err)
{
	struct isx_asset *assets = isx_arena_alloc(arena, count, sizeof *assets);
	if (!assets)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++)
		assets[i].iscc_id = iscc_ids[i];
	return isx_batch_read(assets, count, arena, batch, err);
}

enum isx_status isx_check_realm(const char *iscc_id, uint32_t realm, uint32_t index_realm,
				struct isx_err *err)
{
	if (realm == index_realm)
		return ISX_OK;
	return isx_fail(err, ISX_INVALID,
			"%s is of realm %u, but all assets of this index are of realm %u", iscc_id,
			realm, index_realm);
}

/* The tables store the 64 bits of an ISCC-ID without its realm: in an index with two realms the
 * same bits could be two assets. */
enum isx_status isx_batch_check_realm(const struct isx_asset *assets,
				      const struct isx_batch_asset *batch, size_t count,
				      bool has_realm, uint32_t realm, struct isx_err *err)
{
	uint32_t first = realm;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !has_realm && i < count; i++) /* of an empty index */
		if (batch[i].position == 0)
			first = batch[i].id.realm;
	/* The batch is sorted, so "the first asset" of the message is found by its position,
	 * not by index 0. */
	for (size_t i = 0; i < count; i++) {
		const char *iscc_id = assets[batch[i].position].iscc_id;
		if (has_realm) {
			st = isx_check_realm(iscc_id, batch[i].id.realm, realm, err);
		} else if (batch[i].id.realm != first) {
			st = isx_fail(
				err, ISX_INVALID,
				"%s is of realm %u, but all assets of an index are of one realm, "
				"here %u as the first one",
				iscc_id, batch[i].id.realm, first);
		}
		if (st && err)
			err->position = batch[i].position;
		if (st)
			return st;
	}
	return ISX_OK;
}
