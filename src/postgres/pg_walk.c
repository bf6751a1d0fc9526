/*
 * pg_walk.c - iterates over the assets of an index, page by page, in one transaction that reads one
 *             snapshot. A page is two statements: its assets, and all simprints of these assets.
 *
 * The walk keeps its connection. The server ends a transaction that rests for longer than
 * idle_in_transaction_session_timeout (ISX_PG_LIMITS), so that a program that forgot a walk does
 * not keep the server from cleaning up.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_walk.h"

#include "iscc/base32.h"
#include "iscc/iscc_id.h"
#include "json/wire.h"

#include <string.h>

enum {
	PAGE_ASSETS = 64, /* assets of a page: it is in memory with all its simprints */
	ATTEMPTS_MAX = 4  /* to begin: connections of the pool may have died, as in isx_pg_do() */
};

struct pg_walk {
	struct isx_walk walk; /* first */
	struct isx_pg_conn *conn;
	struct isx_pg_head head;
	PGresult *assets; /* rows of the page */
	PGresult *simprints;
	int asset;    /* next row of `assets` */
	int simprint; /* next row of `simprints` */
	struct isx_walk_range
		range; /* `first` moves: the next page begins there; `from` is not used */
	bool is_over;  /* the last page was read */
};

/* Run one of the two statements of a page. $1 is the index, $2 the first ISCC-ID, $3 the last one;
 * for assets $4 is their number and $5 the hub number. */
static enum isx_status run(struct pg_walk *walk, enum isx_pg_statement which, uint64_t last,
			   PGresult **result, struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	uint8_t bytes[8];
	isx_pg_add_i64(&params, walk->head.index_id);
	isx_store_be64(bytes, walk->range.first);
	isx_pg_add_bytes(&params, bytes, sizeof bytes);
	isx_store_be64(bytes, last);
	isx_pg_add_bytes(&params, bytes, sizeof bytes);
	if (which == ISX_PG_ASSETS_PAGE) {
		isx_pg_add_i64(&params, PAGE_ASSETS);
		isx_pg_add_i64(&params, walk->range.hub);
	}
	enum isx_status st = isx_pg_run(walk->conn, which, &params, result, err);
	isx_pg_params_release(&params);
	return st;
}

static void drop_page(struct pg_walk *walk)
{
	PQclear(walk->assets);
	PQclear(walk->simprints);
	walk->assets = walk->simprints = NULL;
	walk->asset = walk->simprint = 0;
}

/* Read the next page. A page with fewer rows than were asked for is the last one. */
static enum isx_status read_page(struct pg_walk *walk, struct isx_err *err)
{
	drop_page(walk);
	enum isx_status st = run(walk, ISX_PG_ASSETS_PAGE, walk->range.last, &walk->assets, err);
	int count = st ? 0 : PQntuples(walk->assets);
	walk->is_over = st || count < PAGE_ASSETS;
	if (count == 0)
		return st;
	struct isx_span id = isx_pg_field(walk->assets, count - 1, 0);
	/* No page can begin behind such an ISCC-ID: a caller that goes on would get this one again. */
	walk->is_over |= id.len != 8;
	if (id.len != 8)
		return isx_pg_fail_row(walk->conn, "asset", err);
	uint64_t last = isx_load_be64(id.ptr);
	if (walk->range.simprints)
		st = run(walk, ISX_PG_SIMPRINTS_PAGE, last, &walk->simprints, err);
	walk->range.first = last + 1;
	walk->is_over |= last == UINT64_MAX; /* `first` has wrapped round */
	return st;
}

/* Read a simprint from its row. Its bits, a varbit, become base64 as in an asset's JSON: 4
 * characters for 3 bytes, and the terminator. */
static enum isx_status read_simprint(struct pg_walk *walk, int row, struct isx_arena *arena,
				     struct isx_simprint *simprint, struct isx_err *err)
{
	struct isx_span type = isx_pg_field(walk->simprints, row, 1);
	struct isx_span bits = isx_pg_field(walk->simprints, row, 4);
	size_t bytes = bits.len < 4 ? 0 : bits.len - 4;
	if (bytes == 0 || bytes > ISX_SIMPRINT_BYTES_MAX || isx_load_be32(bits.ptr) != bytes * 8)
		return isx_pg_fail_row(walk->conn, "simprint", err);
	char *text = isx_arena_alloc(arena, bytes * 4 / 3 + 4, 1);
	char *name = isx_arena_text(arena, type.ptr, type.len);
	if (!text || !name)
		return isx_fail_memory(err);
	isx_base64_encode((const uint8_t *)bits.ptr + 4, bytes, text);
	*simprint = (struct isx_simprint){
		.type = name,
		.simprint = text,
		.offset = (uint32_t)isx_pg_i64(walk->simprints, row, 2),
		.size = (uint32_t)isx_pg_i64(walk->simprints, row, 3),
	};
	return ISX_OK;
}

/* Compare the ISCC-ID of a row of simprints with that of an asset, as memcmp() does. Both are 8
 * bytes, if the rows are sound. */
static int compare_owner(const PGresult *simprints, int row, struct isx_span id)
{
	struct isx_span of = isx_pg_field(simprints, row, 0);
	return of.len == id.len ? memcmp(of.ptr, id.ptr, id.len) : 1;
}

/* Read the simprints of an asset: they are the next rows, as both results are sorted by ISCC-ID
 * and every asset before it has taken its own. Rows before them belong to assets of another hub
 * number. */
static enum isx_status read_simprints(struct pg_walk *walk, struct isx_span id,
				      struct isx_arena *arena, struct isx_asset *asset,
				      struct isx_err *err)
{
	int rows = walk->simprints ? PQntuples(walk->simprints) : 0, first = walk->simprint;
	while (first < rows && compare_owner(walk->simprints, first, id) < 0)
		first++;
	int end = first;
	while (end < rows && compare_owner(walk->simprints, end, id) == 0)
		end++;
	walk->simprint = end;
	struct isx_simprint *simprints = isx_arena_alloc(arena, (size_t)(end - first),
							 sizeof *simprints);
	enum isx_status st = simprints ? ISX_OK : isx_fail_memory(err);
	for (int row = first; !st && row < end; row++)
		st = read_simprint(walk, row, arena, &simprints[row - first], err);
	asset->simprints = simprints;
	asset->simprint_count = (size_t)(end - first);
	return st;
}

static enum isx_status next(struct isx_walk *base, struct isx_arena *arena, struct isx_asset *asset,
			    bool *more, struct isx_err *err)
{
	struct pg_walk *walk = (struct pg_walk *)base;
	enum isx_status st = ISX_OK;
	if ((!walk->assets || walk->asset == PQntuples(walk->assets)) && !walk->is_over)
		st = read_page(walk, err);
	*more = !st && walk->assets && walk->asset < PQntuples(walk->assets);
	if (!*more)
		return st;
	int row = walk->asset++;
	struct isx_span id = isx_pg_field(walk->assets, row, 0);
	struct isx_span metadata = isx_pg_field(walk->assets, row, 2);
	/* The rows of a damaged asset's simprints are skipped, too, so that the caller can go on
	 * behind it. */
	struct isx_asset ignored = { 0 };
	st = isx_asset_from_stored(isx_pg_field(walk->assets, row, 1), arena, asset, err);
	if (!st && metadata.len) {
		asset->metadata = isx_pg_copy_metadata(metadata, arena);
		st = asset->metadata ? ISX_OK : isx_fail_memory(err);
	}
	enum isx_status simprints = read_simprints(walk, id, arena, st ? &ignored : asset,
						   st ? NULL : err);
	return st ? st : simprints;
}

static void close_walk(struct isx_walk *base)
{
	struct pg_walk *walk = (struct pg_walk *)base;
	drop_page(walk);
	if (walk->conn)
		isx_pg_give(walk->conn); /* ends the transaction */
	isx_mem_free(walk);
}

/* Take a connection of `pool` and begin the transaction; with another connection if this one had died.
 * isx_pg_do() would give the connection back. On failure the walk has no connection. */
static enum isx_status begin_in(struct pg_walk *walk, struct isx_pg_pool *pool, const char *name,
				struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	bool again = true;
	for (int i = 0; again && i < ATTEMPTS_MAX; i++) {
		st = isx_pg_take(pool, &walk->conn, err);
		if (st)
			break;
		walk->conn->retryable = false; /* an earlier user may have set it */
		st = isx_pg_begin_read(walk->conn, name, &walk->head, err);
		again = st && walk->conn->retryable;
		if (st)
			isx_pg_give(walk->conn);
	}
	if (st)
		walk->conn = NULL;
	return st;
}

/* Begin on the replica, if there is one and it serves, else on the primary. */
static enum isx_status begin(struct pg_walk *walk, struct isx_pg_store *store, const char *name,
			     const char *from, struct isx_err *err)
{
	struct isx_iscc_id id = { 0 };
	enum isx_status st = store->readers ? begin_in(walk, store->readers, name, NULL)
					    : ISX_UNAVAILABLE;
	if (!walk->conn)
		st = begin_in(walk, store->pool, name, err);
	if (!st && from)
		st = isx_iscc_id_parse(isx_span_of(from), &id, err);
	if (!st && from)
		st = isx_pg_check_realm(&walk->head, from, id.realm, err);
	return st;
}

enum isx_status isx_pg_walk(struct isx_engine *engine, const char *name,
			    const struct isx_walk_range *range, struct isx_walk **walk,
			    struct isx_err *err)
{
	struct pg_walk *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->walk = (struct isx_walk){ .next = next, .close = close_walk };
	made->range = *range;
	made->is_over = range->first > range->last;
	enum isx_status st = begin(made, (struct isx_pg_store *)engine, name, range->from, err);
	if (st)
		close_walk(&made->walk);
	else
		*walk = &made->walk;
	return st;
}
