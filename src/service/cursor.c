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

/* Everything of the range is in the numbers of ISCC-IDs: a time is their first 52 bits. An ISCC-ID
 * that cannot be read is reported by the engine, once it has found the index.
 *   walk  filled: `first` is greater than `last` if no ISCC-ID is in the range */
static enum isx_status read_range(const struct isx_range *range, struct isx_walk_range *walk,
				  struct isx_err *err)
{
	enum { HUB_BITS = 12 };
	const uint64_t time_max = UINT64_MAX >> HUB_BITS;
	struct isx_iscc_id after = { 0 };
	*walk = (struct isx_walk_range){ .from = range->after,
					 .last = UINT64_MAX,
					 .hub = range->has_hub ? (int)range->hub : -1,
					 .simprints = !range->no_simprints };
	for (size_t i = 0; i < sizeof range->reserved / sizeof range->reserved[0]; i++)
		if (range->reserved[i])
			return isx_fail(err, ISX_INVALID,
					"range: expected 0 in `reserved`: clear the struct before "
					"you fill it");
	if (range->has_hub && range->hub > ISX_HUB_MAX)
		return isx_fail(err, ISX_INVALID, "hub: expected 0 to %d", ISX_HUB_MAX);
	if (range->after)
		(void)!isx_iscc_id_parse(isx_span_of(range->after), &after, NULL);
	bool is_empty = (range->after && after.body == UINT64_MAX) || range->from_us > time_max;
	if (range->to_us && range->to_us <= time_max)
		walk->last = (range->to_us << HUB_BITS) - 1;
	if (!is_empty)
		walk->first = range->from_us << HUB_BITS;
	if (!is_empty && range->after && after.body >= walk->first)
		walk->first = after.body + 1;
	if (is_empty)
		*walk = (struct isx_walk_range){ .from = range->after, .first = 1, .hub = -1 };
	return ISX_OK;
}

/* Begin the walk of an engine over a range. On failure nothing stays open.
 *   cursor  new, freed by isx_cursor_close() */
static enum isx_status open_cursor(struct isx_store *store, const char *name,
				   const struct isx_walk_range *range, struct isx_cursor **cursor,
				   struct isx_err *err)
{
	struct isx_engine *engine = store->engine;
	struct isx_cursor *opened = isx_mem_array(1, sizeof *opened);
	if (!opened)
		return isx_fail_memory(err);
	enum isx_status st = engine->ops->walk(engine, name, range, &opened->walk, err);
	if (st)
		isx_mem_free(opened);
	else
		*cursor = opened;
	return st;
}

/* The range that begins with an ISCC-ID; NULL: everything. As above, the engine reports a wrong
 * one. */
static struct isx_walk_range range_from(const char *from)
{
	struct isx_iscc_id id = { 0 };
	if (from)
		(void)!isx_iscc_id_parse(isx_span_of(from), &id, NULL);
	return (struct isx_walk_range){
		.from = from, .first = id.body, .last = UINT64_MAX, .hub = -1, .simprints = true
	};
}

enum isx_status isx_cursor_open(struct isx_store *store, const char *name, const char *from,
				struct isx_cursor **cursor, struct isx_err *err)
{
	struct isx_walk_range range = range_from(from);
	return open_cursor(store, name, &range, cursor, err);
}

enum isx_status isx_cursor_open_range(struct isx_store *store, const char *name,
				      const struct isx_range *range, struct isx_cursor **cursor,
				      struct isx_err *err)
{
	struct isx_walk_range walked;
	enum isx_status st = read_range(range, &walked, err);
	return st ? st : open_cursor(store, name, &walked, cursor, err);
}

/* The memory is that of one asset, however many are read: the arena of the asset before is released
 * first. */
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
	struct isx_walk_range range = range_from(iscc_id);
	struct isx_iscc_id found = { 0 };
	bool more = false;
	range.last = range.first;
	enum isx_status st = engine->ops->walk(engine, name, &range, &walk, err);
	if (st)
		return st;
	st = walk->next(walk, &owned->arena, &owned->asset, &more, err);
	if (!st && more)
		st = isx_iscc_id_parse(isx_span_of(owned->asset.iscc_id), &found, err);
	if (!st && (!more || found.body != range.first))
		st = isx_fail(err, ISX_NOT_FOUND, "Asset '%s' not found in index", iscc_id);
	walk->close(walk);
	return st;
}

/* For a server of an earlier version, which has no walk: its API hands out no simprints. */
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
	enum isx_status st = read_by_walk(engine, name, iscc_id, owned, err);
	if (st == ISX_UNSUPPORTED)
		st = read_by_json(engine, name, iscc_id, owned, err);
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
