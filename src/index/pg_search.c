/*
 * pg_search.c - answer a query in the follower of this host, or by SQL.
 *
 *   1 one trip: the head of the index; bring the follower there (usually it is)
 *   2 search the follower, as usearch:// searches its files; others may have moved it on meanwhile
 *   3 one trip: the metadata of the winners, and whether any of them has changed since: then again
 *
 * What was acknowledged before step 1, by any host, is in the head, and so in the answer. Without a
 * follower, or when it cannot be written (its disk is full), SQL answers in one snapshot.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "index/lmdb_search.h"
#include "index/pg_follower.h"
#include "index/pg_sql_search.h"
#include "index/pg_store.h"
#include "iscc/iscc_id.h"

#include <string.h>

enum {
	ATTEMPTS_MAX = 5,
	PASS_OVER_MS = 2000 /* a follower that could not be used, before it is tried again */
};

struct pg_search {
	struct isx_pg_store *store;
	const char *name;
	const struct isx_query *query;
	struct isx_arena *arena;
	struct isx_result *result;
	struct isx_pg_head head;
	struct isx_pg_follower follower;
	int64_t searched; /* head up to which the follower may have been when it was searched */
	bool failed_here; /* what failed is the follower, not the database */
	bool stale;       /* a winner has changed while we searched */
};

/* --- 1 ---------------------------------------------------------------------------------------- */

static enum isx_status begin_search(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct pg_search *search = arg;
	struct isx_pg_followers *followers;
	search->failed_here = false;
	enum isx_status st = isx_pg_head(conn, search->name, &search->head, err);
	if (st)
		return st;
	search->head.is_replica &= conn->pool == search->store->readers;
	st = isx_pg_followers_of(search->store, conn, &followers, err);
	search->failed_here = st != ISX_OK;
	if (st)
		return st;
	st = isx_pg_follow(followers, conn, &search->head, &search->follower, err);
	search->failed_here = st && search->follower.at_fault;
	return st == ISX_NOT_FOUND ? isx_fail(err, st, "Index '%s' not found", search->name) : st;
}

/* --- 3 ---------------------------------------------------------------------------------------- */

static uint64_t body_of(const char *iscc_id)
{
	struct isx_iscc_id id = { 0 };
	return isx_iscc_id_parse(isx_span_of(iscc_id), &id, NULL) ? 0 : id.body;
}

static void add_winner(struct isx_pg_params *params, const char *iscc_id)
{
	uint8_t bytes[8];
	isx_store_be64(bytes, body_of(iscc_id));
	isx_pg_array_bytes(params, bytes, sizeof bytes);
}

/* The row of an asset among the winners' (they are sorted), or -1. */
static int find_row(const PGresult *rows, const char *iscc_id)
{
	uint64_t id = body_of(iscc_id);
	int low = 0, high = PQntuples(rows);
	while (low < high) {
		int middle = low + (high - low) / 2;
		if (isx_load_be64(isx_pg_field(rows, middle, 0).ptr) < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < PQntuples(rows) && isx_load_be64(isx_pg_field(rows, low, 0).ptr) == id ? low
											    : -1;
}

/* Copy the metadata of one winner; *gone when there is no such asset any more. */
static enum isx_status take_metadata(struct pg_search *search, const PGresult *rows,
				     const char *iscc_id, const char **metadata, bool *gone,
				     struct isx_err *err)
{
	int row = find_row(rows, iscc_id);
	*gone = row < 0;
	if (row < 0 || PQgetisnull(rows, row, 1))
		return ISX_OK;
	struct isx_span text = isx_pg_field(rows, row, 1);
	if (isx_span_is(text, "null"))
		return ISX_OK;
	*metadata = isx_arena_text(search->arena, text.ptr, text.len);
	return *metadata ? ISX_OK : isx_fail_memory(err);
}

/* The matches with their metadata, without those that are gone. */
static enum isx_status take_matches(struct pg_search *search, const PGresult *rows,
				    struct isx_err *err)
{
	struct isx_result *result = search->result;
	struct isx_match *matches = isx_arena_alloc(search->arena, result->match_count,
						    sizeof *matches);
	struct isx_chunk_match *chunks = isx_arena_alloc(search->arena, result->chunk_match_count,
							 sizeof *chunks);
	size_t kept = 0, chunks_kept = 0;
	enum isx_status st = matches && chunks ? ISX_OK : isx_fail_memory(err);
	for (size_t i = 0; !st && i < result->match_count; i++) {
		bool gone;
		matches[kept] = result->matches[i];
		st = take_metadata(search, rows, matches[kept].iscc_id, &matches[kept].metadata,
				   &gone, err);
		kept += !gone;
		search->stale |= gone;
	}
	for (size_t i = 0; !st && i < result->chunk_match_count; i++) {
		bool gone;
		chunks[chunks_kept] = result->chunk_matches[i];
		st = take_metadata(search, rows, chunks[chunks_kept].iscc_id,
				   &chunks[chunks_kept].metadata, &gone, err);
		chunks_kept += !gone;
		search->stale |= gone;
	}
	if (st || search->stale)
		return st;
	result->matches = matches;
	result->match_count = kept;
	result->chunk_matches = chunks;
	result->chunk_match_count = chunks_kept;
	return ISX_OK;
}

static enum isx_status fetch_winners(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct pg_search *search = arg;
	const struct isx_result *result = search->result;
	struct isx_pg_params params = { 0 };
	PGresult *rows = NULL;
	isx_pg_add_i64(&params, search->head.index_id);
	isx_pg_array_open(&params, ISX_PG_BYTEA);
	for (size_t i = 0; i < result->match_count; i++)
		add_winner(&params, result->matches[i].iscc_id);
	for (size_t i = 0; i < result->chunk_match_count; i++)
		add_winner(&params, result->chunk_matches[i].iscc_id);
	isx_pg_array_close(&params);
	isx_pg_add_i64(&params, search->head.head);
	isx_pg_add_i64(&params, search->searched);
	enum isx_status st = isx_pg_run(conn, ISX_PG_ASSETS_METADATA, &params, &rows, err);
	if (!st && PQntuples(rows) > 0 && isx_pg_bool(rows, 0, 2))
		st = isx_fail(err, ISX_UNAVAILABLE, "the replica is behind the head");
	search->stale = !st && PQntuples(rows) > 0 && isx_pg_bool(rows, 0, 3);
	if (!st && !search->stale)
		st = take_matches(search, rows, err);
	PQclear(rows);
	isx_pg_params_release(&params);
	return st;
}

/* --- all three -------------------------------------------------------------------------------- */

static void forget_result(struct pg_search *search)
{
	*search->result = (struct isx_result){ .memory = search->result->memory };
	search->stale = false;
}

static enum isx_status search_follower(struct pg_search *search, struct isx_err *err)
{
	forget_result(search);
	enum isx_status st;
	do {
		st = isx_pg_read(search->store, begin_search, search, err);
		if (!st && search->follower.busy) /* without a connection: others need them */
			st = isx_pg_follower_wait(search->store->followers,
						  search->head.incarnation,
						  search->follower.has_wished, search->query, err);
	} while (!st && search->follower.busy);
	if (st)
		return st;
	search->failed_here = false;
	st = isx_lmdb_search(search->follower.file, &search->store->engine.options, search->query,
			     search->arena, search->result, err);
	if (!st)
		st = isx_pg_follower_head(&search->follower, &search->searched, err);
	isx_pg_follower_release(&search->follower);
	search->failed_here = st == ISX_CORRUPT || st == ISX_IO;
	if (!st && search->result->match_count + search->result->chunk_match_count > 0)
		st = isx_pg_read(search->store, fetch_winners, search, err);
	return st;
}

/* All in one snapshot, so that nothing can be stale. When nobody waits for the answer any more,
 * the server is not waited for either, and sees that the connection is closed. */
static enum isx_status search_by_sql(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct pg_search *search = arg;
	forget_result(search);
	conn->may_go_on = search->query->may_go_on;
	conn->asker = search->query->asker;
	enum isx_status st = isx_pg_begin_read(conn, search->name, &search->head, err);
	if (!st)
		st = isx_pg_sql_search(conn, &search->head, search->name,
				       &search->store->engine.options, search->query, search->arena,
				       search->result, err);
	search->searched = search->head.head;
	if (!st)
		st = fetch_winners(conn, search, err);
	return st ? st : isx_pg_run(conn, ISX_PG_COMMIT, NULL, NULL, err);
}

enum isx_status isx_pg_search(struct isx_engine *engine, const char *name,
			      const struct isx_query *query, struct isx_arena *arena,
			      struct isx_result *result, struct isx_err *err)
{
	struct pg_search search = { .store = (struct isx_pg_store *)engine,
				    .name = name,
				    .query = query,
				    .arena = arena,
				    .result = result };
	struct isx_err why = { 0 };
	enum isx_status st = query->may_go_on ? query->may_go_on(query->asker, err) : ISX_OK;
	if (st)
		return st;
	if (!search.store->followers_path ||
	    isx_clock_ns() < atomic_load(&search.store->sql_until_ns))
		return isx_pg_read(search.store, search_by_sql, &search, err);
	search.stale = true;
	for (int i = 0; !st && search.stale && i < ATTEMPTS_MAX; i++)
		st = search_follower(&search, &why);
	if (!st && search.stale) /* the winners change faster than we search */
		return isx_pg_read(search.store, search_by_sql, &search, err);
	if (st && search.failed_here) {
		isx_log_to(&engine->options.logger, ISX_LOG_WARNING, "%s: answered by SQL",
			   why.msg);
		atomic_store(&search.store->sql_until_ns,
			     isx_clock_ns() + (uint64_t)PASS_OVER_MS * 1000000);
		if (st == ISX_CORRUPT && search.store->followers)
			isx_pg_follower_discard(search.store->followers, search.head.incarnation);
		return isx_pg_read(search.store, search_by_sql, &search, err);
	}
	return st ? isx_fail(err, st, "%s", why.msg) : ISX_OK;
}
