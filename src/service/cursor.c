/*
 * cursor.c - read assets back with everything that is stored: one of them, or all in the order of
 *            their ISCC-IDs.
 *
 * Over the walk() of an engine, which holds a snapshot: a read transaction of LMDB or a connection
 * to the database. For one asset a walk is begun at its ISCC-ID and ended after one step, so that
 * there is one function for each engine that knows how simprints are stored.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/engine.h"
#include "iscc/iscc_id.h"
#include "service/store.h"
#include "json/wire.h"

#include <string.h>

struct isx_cursor {
	struct isx_walk *walk;
	struct isx_arena arena; /* texts of `asset`, which is valid until the next call */
	struct isx_asset asset;
};

enum isx_status isx_cursor_open(struct isx_store *store, const char *name, const char *from,
				struct isx_cursor **cursor, struct isx_err *err)
{
	struct isx_engine *engine = store->engine;
	if (!engine->ops->walk)
		return isx_fail(err, ISX_UNSUPPORTED,
				"the assets of an index on another server cannot be listed: its "
				"API has no request for it");
	struct isx_cursor *opened = isx_mem_array(1, sizeof *opened);
	if (!opened)
		return isx_fail_memory(err);
	enum isx_status st = engine->ops->walk(engine, name, from, &opened->walk, err);
	if (st)
		isx_mem_free(opened);
	else
		*cursor = opened;
	return st;
}

enum isx_status isx_cursor_next(struct isx_cursor *cursor, const struct isx_asset **asset,
				struct isx_err *err)
{
	bool more = false; /* stays false at the end: *asset becomes NULL */
	isx_arena_release(&cursor->arena);
	cursor->asset = (struct isx_asset){ 0 };
	enum isx_status st = cursor->walk->next(cursor->walk, &cursor->arena, &cursor->asset, &more,
						err);
	if (!st)
		*asset = more ? &cursor->asset : NULL;
	return st;
}

void isx_cursor_close(struct isx_cursor *cursor)
{
	if (!cursor)
		return;
	cursor->walk->close(cursor->walk);
	isx_arena_release(&cursor->arena);
	isx_mem_free(cursor);
}

/* --- one asset -------------------------------------------------------------------------------- */

/* An asset and its memory. The caller gets the address of `asset`. */
struct owned_asset {
	struct isx_asset asset; /* first: isx_asset_free() converts its address back */
	struct isx_arena arena;
};

/* Begin a walk at an ISCC-ID and read its first asset, which is the next stored one: compare the
 * numbers, as texts of one ISCC-ID may differ in case. */
static enum isx_status read_by_walk(struct isx_engine *engine, const char *name,
				    const char *iscc_id, struct owned_asset *owned,
				    struct isx_err *err)
{
	struct isx_walk *walk;
	struct isx_iscc_id wanted, found;
	bool more = false;
	enum isx_status st = engine->ops->walk(engine, name, iscc_id, &walk, err);
	if (st)
		return st;
	st = isx_iscc_id_parse(isx_span_of(iscc_id), &wanted, err);
	if (!st)
		st = walk->next(walk, &owned->arena, &owned->asset, &more, err);
	if (!st && more)
		st = isx_iscc_id_parse(isx_span_of(owned->asset.iscc_id), &found, err);
	if (!st && (!more || found.body != wanted.body))
		st = isx_fail(err, ISX_NOT_FOUND, "Asset '%s' not found in index", iscc_id);
	walk->close(walk);
	return st;
}

/* For an engine without walk(), another server: its API hands out no simprints. */
static enum isx_status read_by_json(struct isx_engine *engine, const char *name,
				    const char *iscc_id, struct owned_asset *owned,
				    struct isx_err *err)
{
	struct isx_buf json = { 0 };
	enum isx_status st = engine->ops->get(engine, name, iscc_id, &json, err);
	if (!st)
		st = isx_asset_from_stored((struct isx_span){ json.ptr, json.len }, &owned->arena,
					   &owned->asset, err);
	isx_buf_release(&json);
	return st;
}

/* `owned` is freed with isx_asset_free() on failure, too: its arena may hold a part of the
 * asset. */
enum isx_status isx_asset_get(struct isx_store *store, const char *name, const char *iscc_id,
			      struct isx_asset **asset, struct isx_err *err)
{
	struct isx_engine *engine = store->engine;
	struct owned_asset *owned = isx_mem_array(1, sizeof *owned);
	if (!owned)
		return isx_fail_memory(err);
	enum isx_status st = engine->ops->walk ? read_by_walk(engine, name, iscc_id, owned, err)
					       : read_by_json(engine, name, iscc_id, owned, err);
	if (st)
		isx_asset_free(&owned->asset);
	else
		*asset = &owned->asset;
	return st;
}

void isx_asset_free(struct isx_asset *asset)
{
	struct owned_asset *owned = (struct owned_asset *)asset;
	if (!owned)
		return;
	isx_arena_release(&owned->arena);
	isx_mem_free(owned);
}
