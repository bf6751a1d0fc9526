/*
 * pg_search.c - answers a query from the follower of this host, or by SQL.
 *
 *   1  Ask for the head of the index, in one round trip, and bring the follower there, where it
 *      usually is already.
 *   2  Search the follower, as usearch:// searches its files. Other processes may move it on.
 *   3  Read the metadata of the matches ("winners" here) in one round trip, and whether one of
 *      them was changed since step 1: then the result is stale, and all steps are repeated.
 *
 * Step 1 is left out where an earlier search or write has left a remembered head: the round trip
 * of step 3 then reads the head, too. If the follower was there, the answer is right. If not,
 * the index is written by other hosts: all three steps are done, also in the next searches
 * (ASK_FIRST_MS).
 *
 * A change that any host has acknowledged before the search began is in the answer, as the head
 * is read later. Without a follower, or when it cannot be written (a full disk), the answer
 * comes from SQL in one snapshot. The queries of a batch share passes over the follower, and the round
 * trips of steps 1 and 3. A query is answered by one thread; waiting for a follower that
 * is being loaded is done without a connection.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_search.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/asset_units.h"
#include "engine/meter.h"
#include "iscc/iscc_id.h"
#include "postgres/pg_follower.h"
#include "postgres/pg_sql_search.h"
#include "similarity/sim_join.h"
#include "storage/lmdb_assets.h"
#include "json/wire.h"

#include <string.h>

enum {
	ATTEMPTS_MAX = 5,   /* of all steps; then SQL, whose snapshot cannot be stale */
	ASK_FIRST_MS = 200, /* searches ask for the head, after a remembered one was not the head */
	PASS_OVER_MS = 2000, /* searches run as SQL, after a follower failed */
	/* Searches of a batch, and their winners, that share a round trip: more would not be faster,
	 * as a trip takes as long as the reading of some hundred rows, and their metadata is in memory. */
	TOGETHER_MAX = 256,
	WINNERS_MAX = 3000
};

struct pg_search {
	struct isx_pg_store *store;
	const char *name;
	const struct isx_query *query;
	struct isx_arena *arena;
	struct isx_result *result;
	struct isx_pg_head head;
	struct isx_pg_follower follower;
	int64_t searched; /* change_seq up to which the follower may have been searched */
	uint64_t start_ns;
	bool failed_here; /* the follower failed, not the database */
	bool is_ahead;    /* step 1 was left out */
	bool in_snapshot; /* of SQL: nothing can change meanwhile */
	bool stale;       /* a winner was changed meanwhile, or the follower was behind */
	bool is_right;    /* the winners were fetched, and nothing is stale */
	bool is_refused;  /* the server has refused this query, by SQL; it may answer others */
};

/* --- step 1 ----------------------------------------------------------------------------------- */

/* Ask for the head, and bring the follower there or find that it is busy. On failure
 * `failed_here` tells a follower that failed from a database that did. */
static enum isx_status begin_search(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct pg_search *search = arg;
	struct isx_pg_followers *followers;
	search->failed_here = false;
	enum isx_status st = isx_pg_head(conn, search->name, &search->head, err);
	if (st)
		return st;
	/* A standby that is the only server is followed wherever it is, also back. */
	search->head.is_replica &= conn->pool == search->store->readers;
	isx_pg_remember(search->store, &search->head, 0);
	st = isx_pg_followers_of(search->store, conn, &followers, err);
	search->failed_here = st != ISX_OK;
	if (st)
		return st;
	st = isx_pg_follow(followers, conn, &search->head, &search->follower, err);
	search->failed_here = st && search->follower.at_fault;
	return st == ISX_NOT_FOUND ? isx_fail(err, st, "Index '%s' not found", search->name) : st;
}

/* --- step 3 ----------------------------------------------------------------------------------- */

/* The 8 bytes of an ISCC-ID, as a number in the order of the rows. */
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

static uint64_t id_of_row(const void *rows, size_t i)
{
	return isx_load_be64(isx_pg_field(rows, (int)i, 0).ptr);
}

/* The row of an asset in the winners' rows, which are sorted by ISCC-ID, or -1. */
static int find_row(const PGresult *rows, const char *iscc_id)
{
	uint64_t id = body_of(iscc_id);
	size_t count = (size_t)PQntuples(rows);
	size_t at = isx_array_lower_bound(rows, count, id, id_of_row);
	return at < count && id_of_row(rows, at) == id ? (int)at : -1;
}

/* Copy the metadata of one winner into the arena, and check it, as it is handed on as JSON. */
static enum isx_status take_metadata(struct pg_search *search, const PGresult *rows, int row,
				     const char *iscc_id, const char **metadata,
				     struct isx_err *err)
{
	struct isx_span text = isx_pg_field(rows, row, 1);
	*metadata = NULL;
	if (!isx_wants_metadata(search->query->with) || text.len == 0 || isx_span_is(text, "null"))
		return ISX_OK;
	*metadata = isx_pg_copy_metadata(text, search->arena);
	if (!*metadata)
		return isx_fail_memory(err);
	const struct isx_asset told = { .metadata = *metadata };
	return isx_asset_check(&told, err)
		       ? isx_err_at(err, ISX_CORRUPT, "table asset of the database: '%s'", iscc_id)
		       : ISX_OK;
}

/* Does the query ask for codes or units of its matches? */
static bool wants_codes(const struct pg_search *search)
{
	return search->query->with & (ISX_WITH_CODE | ISX_WITH_UNITS);
}

/* Read what a match carries of its asset.
 *   gone  filled: true when the asset was removed meanwhile */
static enum isx_status take_asset(struct pg_search *search, const PGresult *rows,
				  const char *iscc_id, struct isx_asset *asset, bool *gone,
				  struct isx_err *err)
{
	int row = find_row(rows, iscc_id);
	enum isx_status st = ISX_OK;
	*asset = (struct isx_asset){ 0 };
	*gone = row < 0;
	if (*gone)
		return ISX_OK;
	if (wants_codes(search))
		st = isx_pg_read_asset(&search->head, body_of(iscc_id), isx_pg_field(rows, row, 2),
				       (struct isx_span){ 0 }, search->arena, asset, err);
	if (!(search->query->with & ISX_WITH_CODE))
		asset->iscc_code = NULL;
	if (!(search->query->with & ISX_WITH_UNITS))
		asset->unit_count = 0;
	return st ? st : take_metadata(search, rows, row, iscc_id, &asset->metadata, err);
}

/* Fill in what all matches carry. A match whose asset is gone makes a result from a
 * follower stale; in a snapshot its rows are without an asset, and it is left out. */
static enum isx_status take_matches(struct pg_search *search, const PGresult *rows,
				    struct isx_err *err)
{
	struct isx_result *result = search->result;
	struct isx_match *matches = isx_arena_alloc(search->arena, result->match_count,
						    sizeof *matches);
	struct isx_chunk_match *chunks = isx_arena_alloc(search->arena, result->chunk_match_count,
							 sizeof *chunks);
	size_t kept = 0, chunks_kept = 0;
	struct isx_asset asset;
	enum isx_status st = matches && chunks ? ISX_OK : isx_fail_memory(err);
	for (size_t i = 0; !st && i < result->match_count; i++) {
		bool gone;
		matches[kept] = result->matches[i];
		st = take_asset(search, rows, matches[kept].iscc_id, &asset, &gone, err);
		ISX_MATCH_CARRY(&matches[kept], &asset);
		kept += !gone;
		search->stale |= gone &&
				 !search->in_snapshot; /* in a snapshot: rows without an asset */
	}
	for (size_t i = 0; !st && i < result->chunk_match_count; i++) {
		bool gone;
		chunks[chunks_kept] = result->chunk_matches[i];
		st = take_asset(search, rows, chunks[chunks_kept].iscc_id, &asset, &gone, err);
		ISX_MATCH_CARRY(&chunks[chunks_kept], &asset);
		chunks_kept += !gone;
		search->stale |= gone && !search->in_snapshot;
	}
	if (st || search->stale)
		return st;
	result->matches = matches;
	result->match_count = kept;
	result->chunk_matches = chunks;
	result->chunk_match_count = chunks_kept;
	return ISX_OK;
}

/* Is the result still right? `now` is the head, read after the winners. Without step 1 the head
 * must be the one that was assumed; with it, only the winners must not have changed, as changes
 * of other assets came after the search began. A replica may have answered from before the
 * follower's position. */
static enum isx_status check_head(struct pg_search *search, const struct isx_pg_head *now,
				  const PGresult *changed, struct isx_err *err)
{
	const struct isx_pg_head *then = &search->head;
	if (now->generation != then->generation || now->fields != then->fields)
		search->stale = true;
	else if (search->is_ahead)
		search->stale = now->change_seq != then->change_seq ||
				now->change_token != then->change_token;
	else if (now->change_seq < search->searched)
		return isx_fail(err, ISX_UNAVAILABLE, "the replica is behind the head");
	else
		search->stale = isx_pg_bool(changed, 0, 0);
	if (search->is_ahead)
		isx_pg_remember(search->store, now, search->stale ? ASK_FIRST_MS : 0);
	return ISX_OK;
}

/* Searches of one index whose winners are fetched together: all with the same head and in the same way. */
struct fetch {
	struct pg_search *searches;
	size_t count;
};

/* Add the winners of all searches as one array. */
static void add_winners(struct isx_pg_params *params, const struct fetch *fetch)
{
	isx_pg_array_open(params, ISX_PG_BYTEA);
	for (size_t s = 0; s < fetch->count; s++) {
		const struct isx_result *result = fetch->searches[s].result;
		for (size_t i = 0; i < result->match_count; i++)
			add_winner(params, result->matches[i].iscc_id);
		for (size_t i = 0; i < result->chunk_match_count; i++)
			add_winner(params, result->chunk_matches[i].iscc_id);
	}
	isx_pg_array_close(params);
}

/* Fill in what the matches of each search carry. Of several searches one that fails is not right, and the others
 * may be: its failure is not that of the trip, which would be made again for all. */
static enum isx_status take_all(const struct fetch *fetch, const PGresult *rows,
				struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (size_t s = 0; s < fetch->count; s++) {
		struct pg_search *search = &fetch->searches[s];
		st = take_matches(search, rows, err);
		search->is_right = !st && !search->stale;
	}
	return fetch->count == 1 ? st : ISX_OK;
}

/* An isx_pg_fn: read the winners' metadata, then the head, then whether one of them has changed, in one round
 * trip. The order matters: what changes between the first two is seen by the others. */
static enum isx_status fetch_winners(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	const struct fetch *fetch = arg;
	struct pg_search *first = fetch->searches;
	struct isx_pg_params winners = { 0 }, since = { 0 }, named = { 0 };
	PGresult *results[3] = { NULL };
	struct isx_pg_head now;
	bool codes = false, metadata = false;
	const bool asks_changed = !first->in_snapshot && !first->is_ahead;
	for (size_t s = 0; s < fetch->count; s++) {
		codes |= wants_codes(&fetch->searches[s]);
		metadata |= isx_wants_metadata(fetch->searches[s].query->with);
		fetch->searches[s].stale = fetch->searches[s].is_right = false;
	}
	isx_pg_add_i64(&winners, first->head.index_id);
	add_winners(&winners, fetch);
	isx_pg_add_i64(&winners, codes);
	isx_pg_add_i64(&winners, metadata);
	if (asks_changed) {
		isx_pg_add_i64(&since, first->head.index_id);
		add_winners(&since, fetch);
		isx_pg_add_i64(&since, first->head.change_seq);
	}
	isx_pg_add_text(&named, first->name);
	const struct isx_pg_step steps[] = { { ISX_PG_ASSETS_METADATA, &winners },
					     { ISX_PG_INDEX_HEAD, &named },
					     { ISX_PG_ASSETS_CHANGED, &since } };
	enum isx_status st =
		first->in_snapshot
			? isx_pg_run(conn, ISX_PG_ASSETS_METADATA, &winners, &results[0], err)
			: isx_pg_run_steps(conn, steps, asks_changed ? 3 : 2, results, err);
	if (!st && !first->in_snapshot)
		st = isx_pg_read_head(results[1], first->name, &now, err);
	if (!st && !first->in_snapshot)
		st = check_head(first, &now, results[2], err);
	if (!st && !first->stale)
		st = take_all(fetch, results[0], err);
	isx_pg_clear(results, 3);
	isx_pg_params_release(&winners);
	isx_pg_params_release(&since);
	isx_pg_params_release(&named);
	return st;
}

/* Fetch the winners of one search. */
static enum isx_status fetch_own(struct pg_search *search, struct isx_err *err)
{
	struct fetch fetch = { search, 1 };
	return isx_pg_read(search->store, fetch_winners, &fetch, err);
}

/* --- all three -------------------------------------------------------------------------------- */

/* Empty the result for another attempt; what it pointed to stays in the arena until the answer
 * is sent. */
static void forget_result(struct pg_search *search)
{
	*search->result = (struct isx_result){ .memory = search->result->memory };
	search->stale = false;
}

/* Would a search of a newer follower end in the same way? The caller has cancelled it, or memory is
 * used up. Anything else may be due to the follower: a queried asset may be newer. */
static bool is_final(const struct pg_search *search, enum isx_status status)
{
	const struct isx_quota *quota = search->arena->quota;
	return status == ISX_CANCELLED || status == ISX_NO_MEMORY ||
	       (quota && quota->refusal.status);
}

/* Search the follower as it is, without asking for the head first. A problem of the follower makes
 * the result stale and is no error, as the caller then does all steps and gets the same problem,
 * if it lasts. */
static enum isx_status search_ahead(struct pg_search *search, struct isx_err *err)
{
	struct isx_pg_follower *follower = &search->follower;
	struct isx_err why = { .position = ISX_NO_POSITION };
	bool found = false;
	forget_result(search);
	search->stale = true;
	if (!isx_pg_recall(search->store, search->name, &search->head) ||
	    isx_pg_follower_use(search->store->followers, &search->head, follower, &found, &why))
		return ISX_OK;
	if (!found)
		return ISX_OK;
	enum isx_status st = isx_lmdb_search(follower->file, &search->store->engine.options,
					     search->query, search->arena, search->result, &why);
	isx_pg_follower_release(follower);
	why.status = st; /* a cancel_check() need not fill `why` */
	if (st)
		return is_final(search, st) ? isx_err_pass(err, &why) : ISX_OK;
	search->is_ahead = true;
	search->failed_here = false;
	st = fetch_own(search, err);
	search->is_ahead = false;
	return st;
}

/* Step 1, with waiting for a follower that is being loaded. */
static enum isx_status reach_follower(struct pg_search *search, struct isx_err *err)
{
	enum isx_status st;
	do {
		st = isx_pg_read(search->store, begin_search, search, err);
		if (!st &&
		    search->follower.busy) /* the connection was given back: the loader needs one */
			st = isx_pg_follower_wait(search->store->followers, search->head.generation,
						  search->query, search->start_ns, err);
	} while (!st && search->follower.busy);
	return st;
}

/* All three steps. */
static enum isx_status search_follower(struct pg_search *search, struct isx_err *err)
{
	forget_result(search);
	enum isx_status st = reach_follower(search, err);
	if (st)
		return st;
	search->failed_here = false;
	st = isx_lmdb_search(search->follower.file, &search->store->engine.options, search->query,
			     search->arena, search->result, err);
	if (!st)
		st = isx_pg_follower_change_seq(&search->follower, &search->searched, err);
	isx_pg_follower_release(&search->follower);
	search->failed_here = st == ISX_CORRUPT || st == ISX_IO;
	if (!st && search->result->match_count + search->result->chunk_match_count > 0)
		st = fetch_own(search, err);
	return st;
}

/* Search in one snapshot of the database, so that nothing can be stale. When the query is
 * cancelled, the wait for the server ends and the connection is closed, which ends the statement
 * there. */
static enum isx_status search_by_sql(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct pg_search *search = arg;
	struct fetch fetch = { search, 1 };
	forget_result(search);
	search->in_snapshot = true;
	conn->cancel_check = search->query->cancel_check;
	conn->cancel_arg = search->query->cancel_arg;
	enum isx_status st = isx_pg_begin_read(conn, search->name, &search->head, err);
	if (!st)
		st = isx_pg_sql_search(conn, &search->head, search->name,
				       &search->store->engine.options, search->query, search->arena,
				       search->result, err);
	search->searched = search->head.change_seq;
	if (!st)
		st = fetch_winners(conn, &fetch, err);
	search->is_refused = st && conn->failed && !conn->broken;
	return st ? st : isx_pg_run(conn, ISX_PG_COMMIT, NULL, NULL, err);
}

/* Search by one query, of which *search has all that the caller gave. */
static enum isx_status search_one(struct pg_search *search, struct isx_err *err)
{
	struct isx_pg_store *store = search->store;
	struct isx_err why = { .position = ISX_NO_POSITION };
	search->start_ns = isx_clock_ns();
	enum isx_status st = isx_cancel_ask(search->query->cancel_check, search->query->cancel_arg,
					    err);
	if (st)
		return st;
	if (!store->followers_path || isx_clock_ns() < atomic_load(&store->sql_until_ns))
		return isx_pg_read(store, search_by_sql, search, err);
	st = search_ahead(search, &why);
	for (int i = 0; !st && search->stale && i < ATTEMPTS_MAX; i++)
		st = search_follower(search, &why);
	if (!st && search->stale) /* the winners change faster than a search takes */
		return isx_pg_read(store, search_by_sql, search, err);
	if (st && search->failed_here) {
		isx_log_to(&store->engine.options.logger, ISX_LOG_WARNING, "%s: answered by SQL",
			   why.msg);
		atomic_store(&store->sql_until_ns, isx_clock_after_ms(PASS_OVER_MS));
		if (st == ISX_CORRUPT && store->followers)
			isx_pg_follower_discard(store->followers, search->head.generation);
		return isx_pg_read(store, search_by_sql, search, err);
	}
	why.status = st;
	return st ? isx_err_pass(err, &why) : ISX_OK; /* all of it: it has retry_after_s */
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
	return search_one(&search, err);
}

/* --- near-duplicates -------------------------------------------------------------------------- */

/* Everything that was acknowledged before the call is in the followers. They are compared as they
 * are then; no connection is held meanwhile. */
enum isx_status isx_pg_duplicates(struct isx_engine *engine, const char *name,
				  struct isx_engine *reference,
				  const struct isx_duplicates_query *query, isx_pair_fn *found,
				  void *arg, struct isx_err *err)
{
	const struct isx_query waiting = { .cancel_check = query->cancel_check,
					   .cancel_arg = query->cancel_arg };
	struct pg_search own = { .store = (struct isx_pg_store *)engine,
				 .name = name,
				 .query = &waiting,
				 .start_ns = isx_clock_ns() };
	struct pg_search other = own;
	other.store = (struct isx_pg_store *)reference;
	other.name = query->against;
	if (reference && reference->ops != engine->ops)
		return isx_fail(err, ISX_UNSUPPORTED,
				"the reference '%s' is kept by another engine than '%s': expected "
				"two indexes of postgresql://",
				query->against, name);
	if (!own.store->followers_path || (reference && !other.store->followers_path))
		return isx_fail(err, ISX_UNSUPPORTED,
				"near-duplicates of postgresql:// are found in local copies: set "
				"postgres_followers, a directory for them");
	enum isx_status st = reach_follower(&own, err);
	if (st)
		return st;
	if (reference)
		st = reach_follower(&other, err);
	if (!st)
		st = isx_sim_join(own.follower.file, reference ? other.follower.file : NULL,
				  &engine->options, query, found, arg, err);
	isx_pg_follower_release(&other.follower);
	isx_pg_follower_release(&own.follower);
	return st;
}

/* --- several queries -------------------------------------------------------------------------- */

/* Search the follower with all jobs: as it is where like->is_ahead, as search_ahead() does with one; otherwise
 * behind step 1, as search_follower() does.
 *   like   what all searches have in common. Filled: the head, and how far the follower was searched
 *   found  filled: false if the follower cannot be searched as it is; then no job was searched */
static enum isx_status search_all(struct pg_search *like, struct isx_search_job *jobs, size_t count,
				  bool *found, struct isx_err *err)
{
	struct isx_pg_store *store = like->store;
	struct isx_pg_follower *follower = &like->follower;
	enum isx_status st = ISX_OK;
	*found = !like->is_ahead || isx_pg_recall(store, like->name, &like->head);
	if (!like->is_ahead)
		st = reach_follower(like, err);
	else if (*found && isx_pg_follower_use(store->followers, &like->head, follower, found, err))
		*found = false;
	if (st || !*found)
		return st;
	for (size_t i = 0; i < count; i++) /* an earlier search may have filled it */
		*jobs[i].result = (struct isx_result){ .memory = jobs[i].result->memory };
	isx_lmdb_search_many(follower->file, &store->engine.options, jobs, count);
	if (!like->is_ahead)
		st = isx_pg_follower_change_seq(follower, &like->searched, err);
	isx_pg_follower_release(follower);
	like->failed_here = st != ISX_OK;
	return st;
}

/* Search the follower with all jobs, as it is if it can be.
 *   lost  filled: the failure of all jobs; ISX_OK: there is none
 * False: no job was searched. */
static bool search_together(struct pg_search *like, struct isx_search_job *jobs, size_t count,
			    struct isx_err *lost)
{
	struct isx_err why = { .position = ISX_NO_POSITION };
	bool found = false;
	like->start_ns = isx_clock_ns();
	enum isx_status st = like->is_ahead ? search_all(like, jobs, count, &found, &why) : ISX_OK;
	if (!found) {
		like->is_ahead = false;
		like->query = jobs->query; /* asked whether to go on waiting for the follower */
		st = search_all(like, jobs, count, &found, &why);
	}
	/* Another query may go on without the first one, and without the follower. */
	if (st && st != ISX_CANCELLED && !like->failed_here)
		isx_err_pass(lost, &why);
	return !st;
}

/* Fetch the winners of the first jobs, as many as one round trip takes. Those that were searched and have no
 * winner take part, too: whether the follower was at the head is known only then.
 *   like      what all searches have in common
 *   searches  filled, for each of these jobs: is its result right? Of the first: is it stale?
 *   is_whole  filled: false if the trip failed or the head had moved on, so that no further trip would help
 * Returns the number of these jobs, at least 1. */
static size_t fetch_some(const struct pg_search *like, const struct isx_search_job *jobs,
			 size_t count, struct pg_search *searches, bool *is_whole)
{
	struct isx_err ignored;
	struct fetch fetch = { searches, 0 };
	size_t winners = 0;
	while (fetch.count < count && fetch.count < TOGETHER_MAX && !jobs[fetch.count].status) {
		const struct isx_search_job *job = &jobs[fetch.count];
		struct pg_search *search = &searches[fetch.count];
		winners += job->result->match_count + job->result->chunk_match_count;
		if (fetch.count > 0 && winners > WINNERS_MAX)
			break;
		*search = *like;
		search->query = job->query;
		search->arena = job->arena;
		search->result = job->result;
		fetch.count++;
	}
	*is_whole = true;
	if (fetch.count == 0) { /* the first job has failed */
		searches->is_right = searches->stale = false;
		return 1;
	}
	/* Why it failed is found out by the searches that are made one by one then. */
	*is_whole = !isx_pg_read(like->store, fetch_winners, &fetch, &ignored);
	for (size_t i = 0; like->is_ahead && i < fetch.count; i++)
		*is_whole &= !searches[i].stale;
	return fetch.count;
}

/* Search by one query of a batch.
 *   lost  filled when the database cannot be reached, so that the others need not try */
static void search_alone(struct isx_pg_store *store, const char *name, struct isx_search_job *job,
			 struct isx_err *lost)
{
	struct pg_search search = { .store = store,
				    .name = name,
				    .query = job->query,
				    .arena = job->arena,
				    .result = job->result };
	job->status = search_one(&search, &job->err);
	/* A limit of the administrator may end one query, and let the others through. */
	if (job->status == ISX_UNAVAILABLE && !search.is_refused) {
		*lost = job->err;
		lost->status = ISX_UNAVAILABLE;
	}
}

/* When another host has written since the head was remembered, all jobs that are left are searched again, behind
 * step 1. A job whose result is not right then, or that has failed, is searched by itself, in all steps. When
 * the database cannot be reached, the other jobs do not try for as long again. */
void isx_pg_search_many(struct isx_engine *engine, const char *name, struct isx_search_job *jobs,
			size_t count)
{
	struct isx_pg_store *store = (struct isx_pg_store *)engine;
	struct pg_search like = { .store = store, .name = name, .is_ahead = true };
	struct isx_err lost = { 0 };
	const bool shares = count > 1 && store->followers_path &&
			    isx_clock_ns() >= atomic_load(&store->sql_until_ns);
	struct pg_search *searches = shares ? isx_mem_array(TOGETHER_MAX, sizeof *searches) : NULL;
	bool is_searched = searches && search_together(&like, jobs, count, &lost);
	for (size_t first = 0, some; first < count; first += some) {
		bool is_whole = false;
		some = is_searched
			       ? fetch_some(&like, jobs + first, count - first, searches, &is_whole)
			       : 1;
		if (is_searched && like.is_ahead && searches->stale) {
			like.is_ahead = false;
			is_searched = search_together(&like, jobs + first, count - first, &lost);
			some = 0;
		}
		for (size_t i = first; i < first + some; i++) {
			struct isx_search_job *job = &jobs[i];
			if (is_searched && searches[i - first].is_right)
				lost.status = ISX_OK;
			else if (lost.status)
				job->status = isx_err_pass(&job->err, &lost);
			else
				search_alone(store, name, job, &lost);
		}
		is_searched &= is_whole || some == 0; /* else further trips would not help */
	}
	isx_mem_free(searches);
}
