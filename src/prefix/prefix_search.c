/*
 * prefix_search.c - answer a query by looking up the stored units that begin like a queried unit.
 *
 *   for each queried unit of q bytes:
 *       every stored body that begins with it is a hit of q bytes: one range of keys
 *       every shorter prefix of it that is stored is a hit of that length: q - 1 keys to try
 *   sort the hits by ISCC-ID, type and matched bits
 *   unit score  := the most bits matched / bits of the longest queried unit of the type
 *   asset score := sum over the types / number of queried units; with `min_score` in the query only
 *                  unit scores that reach it are added, and an asset without any is no match
 *
 * A search takes time by what it finds, not by what is stored. But all hits are kept until they
 * are sorted, 16 bytes each, as the rows of one body come in no useful order (prefix_format.h);
 * they count against the memory quota of the request. Everything happens in the caller's view and
 * in one thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prefix/prefix_search.h"

#include "base/array.h"
#include "engine/paging.h"
#include "engine/scorer.h"
#include "prefix/prefix_file.h"
#include "storage/lmdb_assets.h"
#include "storage/lmdb_facets.h"
#include "storage/lmdb_filter.h"
#include "json/wire.h"

#include <stdlib.h>

/* One row that was found. */
struct hit {
	uint64_t id;
	uint32_t type; /* its place in plan.types */
	uint32_t bits;
};

/* One search. What it allocates is in `arena`, but for the hits and the ranking, which grow. */
struct search {
	struct isx_lmdb_view *view;
	struct isx_arena *arena;
	struct isx_query_plan plan;
	struct isx_scorer scorer;
	uint32_t bits_max[ISX_UNITS_MAX]; /* by type: of the longest queried unit */
	struct hit *hits;
	size_t hit_count;
	size_t hit_cap;
	struct isx_ranking ranking;
	bool excludes_self;
	uint64_t self;
	bool is_filtered;
	struct isx_passing passing; /* with is_filtered: the assets that may match */
	uint32_t realm;
};

/* Plan the query. A query by iscc_id becomes the query of that asset, which is left out of the
 * matches. */
static enum isx_status make_plan(struct search *search, const struct isx_query *query,
				 struct isx_err *err)
{
	struct isx_iscc_id id;
	struct isx_query effective = *query;
	if (query->iscc_id) {
		enum isx_status st = isx_lmdb_query_of(search->view, query, search->arena,
						       &effective, &id, err);
		if (st)
			return st;
		search->excludes_self = true;
		search->self = id.body;
	}
	enum isx_status st = isx_query_plan(&effective, ISX_EVERY_UNIT, search->arena,
					    &search->plan, err);
	search->is_filtered = !st && search->plan.filter;
	return search->is_filtered
		       ? isx_passing_find(search->view, search->plan.filter, search->arena->quota,
					  &search->view->meter, &search->passing, err)
		       : st;
}

/* --- finding rows ----------------------------------------------------------------------------- */

/* Add a row that was found. The memory is taken from the quota before it is allocated. */
static enum isx_status add_hit(struct search *search, MDB_val row, size_t type, size_t bytes,
			       struct isx_err *err)
{
	if (row.mv_size != ISX_KEY_BYTES)
		return isx_fail(err, ISX_CORRUPT, "a row of %zu bytes: expected %d", row.mv_size,
				ISX_KEY_BYTES);
	/* Before it takes memory. What no set decides is asked once for each asset (rank_assets()). */
	if (search->is_filtered &&
	    !isx_id_set_has(&search->passing.ids, isx_load_be64(row.mv_data)))
		return isx_meter_count(&search->view->meter, 1, err);
	enum isx_status st = isx_array_room(&search->hits, &search->hit_cap, search->hit_count + 1,
					    sizeof *search->hits, search->arena->quota, err);
	if (st)
		return st;
	search->hits[search->hit_count++] = (struct hit){ .id = isx_load_be64(row.mv_data),
							  .type = (uint32_t)type,
							  .bits = (uint32_t)bytes * 8 };
	return isx_meter_count(&search->view->meter, 1, err);
}

/* Find the stored bodies that begin with the queried body, or equal it: one range of keys. Each
 * matches in all bits of the queried body. */
static enum isx_status find_longer(struct search *search, const struct isx_indexed_unit *unit,
				   size_t type, MDB_cursor *cursor, struct isx_err *err)
{
	MDB_val key = isx_lmdb_val(unit->body, unit->body_bytes), row;
	enum isx_status st = ISX_OK;
	int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
	while (!rc && !st && key.mv_size >= unit->body_bytes &&
	       memcmp(key.mv_data, unit->body, unit->body_bytes) == 0) {
		st = add_hit(search, row, type, unit->body_bytes, err);
		rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT);
	}
	return st || !rc || rc == MDB_NOTFOUND ? st : isx_lmdb_status(rc, unit->type, err);
}

/* Find the stored body that is the first `bytes` of the queried body. */
static enum isx_status find_prefix(struct search *search, const struct isx_indexed_unit *unit,
				   size_t type, size_t bytes, MDB_cursor *cursor,
				   struct isx_err *err)
{
	MDB_val key = isx_lmdb_val(unit->body, bytes), row;
	enum isx_status st = ISX_OK;
	int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_KEY);
	while (!rc && !st) {
		st = add_hit(search, row, type, bytes, err);
		rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT_DUP);
	}
	return st || rc == MDB_NOTFOUND ? st : isx_lmdb_status(rc, unit->type, err);
}

/* Find all rows that match one queried unit. A type without a table has no rows. */
static enum isx_status find_rows(struct search *search, const struct isx_indexed_unit *unit,
				 struct isx_err *err)
{
	MDB_dbi table;
	MDB_cursor *cursor;
	size_t type = isx_query_type_position(&search->plan, unit->type);
	/* The longest queried unit of a type is what a score is relative to, found or not. */
	if (unit->body_bytes * 8 > search->bits_max[type])
		search->bits_max[type] = unit->body_bytes * 8;
	enum isx_status st = isx_prefix_rows_table(search->view, unit->type, &table, err);
	if (st || !table)
		return st;
	int rc = mdb_cursor_open(search->view->txn, table, &cursor);
	if (rc)
		return isx_lmdb_status(rc, unit->type, err);
	st = find_longer(search, unit, type, cursor, err);
	for (size_t bytes = 1; !st && bytes < unit->body_bytes; bytes++)
		st = find_prefix(search, unit, type, bytes, cursor, err);
	mdb_cursor_close(cursor);
	return st;
}

/* --- ranking ---------------------------------------------------------------------------------- */

/* Order of qsort(): by ISCC-ID, then type, and the most bits first, so that the first hit of a
 * type is its best. */
static int by_asset(const void *left, const void *right)
{
	const struct hit *a = left, *b = right;
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return (a->bits < b->bits) - (a->bits > b->bits);
}

/* The evidence of one asset: of each type the hit of the most bits. A type has more to match than it
 * does, so the score is that of the matched bits, and all of them are equal.
 *   at        the first hit of the asset
 *   evidence  filled, in the order of the plan's types
 * Returns the position behind the last hit of the asset. */
static size_t find_evidence(const struct search *search, size_t at, struct isx_evidence *evidence)
{
	const struct hit *hits = search->hits;
	size_t i = at;
	isx_evidence_clear(&search->plan, evidence);
	for (; i < search->hit_count && hits[i].id == hits[at].id; i++)
		if (i == at || hits[i].type != hits[i - 1].type)
			evidence[hits[i].type] = (struct isx_evidence){
				.score = (double)hits[i].bits / search->bits_max[hits[i].type],
				.compared_bits = hits[i].bits
			};
	return i;
}

/* Count the units of each queried type, for a scorer that needs it. */
static enum isx_status count_rows(struct search *search, struct isx_err *err)
{
	struct isx_type_odds *odds = NULL;
	for (size_t t = 0; t < search->plan.type_count; t++) {
		struct isx_type_odds *of = isx_type_odds(&odds, search->plan.types[t],
							 search->arena);
		MDB_stat stat = { 0 };
		MDB_dbi table;
		if (!of)
			return isx_fail_memory(err);
		enum isx_status st = isx_prefix_rows_table(search->view, of->type, &table, err);
		int rc = !st && table ? mdb_stat(search->view->txn, table, &stat) : 0;
		if (st || rc)
			return st ? st : isx_lmdb_status(rc, of->type, err);
		of->rows = stat.ms_entries;
		search->scorer.types[t].odds = of;
	}
	return ISX_OK;
}

/* Find the hits of all units, sort them, and rank asset by asset. */
static enum isx_status rank_assets(struct search *search, struct isx_err *err)
{
	struct isx_evidence evidence[ISX_UNITS_MAX];
	size_t passing_at = 0;
	enum isx_status st = search->scorer.needs_odds ? count_rows(search, err) : ISX_OK;
	for (size_t i = 0; !st && i < search->plan.unit_count; i++)
		st = find_rows(search, &search->plan.units[i], err);
	if (st || !search->hit_count)
		return st;
	/* Now the hits of each asset are neighbours, and find_evidence() can take the best of each
	 * type. */
	qsort(search->hits, search->hit_count, sizeof *search->hits, by_asset);
	for (size_t at = 0, end; !st && at < search->hit_count; at = end) {
		struct isx_ranked ranked = { .id = search->hits[at].id };
		end = find_evidence(search, at, evidence);
		if (search->excludes_self && ranked.id == search->self)
			continue;
		bool passes;
		st = isx_passing_has(search->is_filtered ? &search->passing : NULL, search->view,
				     &search->view->meter, ranked.id, &passing_at, &passes, err);
		if (st || !passes)
			continue;
		if (isx_scorer_rank(&search->scorer, evidence, &ranked))
			st = isx_ranking_offer(&search->ranking, ranked.rank, ranked.id, err);
	}
	isx_ranking_sort(&search->ranking);
	return st;
}

/* --- the winners ------------------------------------------------------------------------------ */

static uint64_t id_of_hit(const void *hits, size_t i)
{
	return ((const struct hit *)hits)[i].id;
}

/* Describe one winner: its hits are found again by binary search, as the ranking keeps only rank
 * and id. */
static enum isx_status make_match(struct search *search, const struct isx_ranked *ranked,
				  struct isx_match *match, struct isx_err *err)
{
	const struct isx_iscc_id id = { .body = ranked->id, .realm = search->realm, .version = 1 };
	struct isx_evidence evidence[ISX_UNITS_MAX];
	struct isx_asset asset = { 0 };
	isx_iscc_id_print(&id, match->iscc_id);
	find_evidence(search,
		      isx_array_lower_bound(search->hits, search->hit_count, id.body, id_of_hit),
		      evidence);
	enum isx_status st = ISX_OK;
	if (search->scorer.explains)
		st = isx_lmdb_explain(search->view, &id, &search->plan, search->arena, evidence,
				      err);
	if (!st)
		st = isx_scorer_describe(&search->scorer, &search->plan, evidence, search->arena,
					 match, err);
	if (!st)
		st = isx_lmdb_carried(search->view, &id, search->plan.query.with, search->arena,
				      &asset, err);
	ISX_MATCH_CARRY(match, &asset);
	return st;
}

/* Describe the winners, in the order of the ranking. */
static enum isx_status make_matches(struct search *search, struct isx_result *result,
				    struct isx_err *err)
{
	size_t count = search->ranking.count;
	struct isx_match *matches = isx_arena_alloc(search->arena, count, sizeof *matches);
	enum isx_status st = matches ? ISX_OK : isx_fail_memory(err);
	for (size_t i = 0; !st && i < count; i++) {
		st = isx_meter_work(&search->view->meter, ISX_METER_ASSET, err);
		if (!st)
			st = make_match(search, &search->ranking.items[i], &matches[i], err);
	}
	result->matches = matches;
	result->match_count = count;
	result->match_total = search->ranking.offered;
	return st;
}

enum isx_status isx_prefix_search(struct isx_lmdb_view *view, const struct isx_options *options,
				  const struct isx_query *query, struct isx_arena *arena,
				  struct isx_result *result, struct isx_err *err)
{
	struct search search = { .view = view,
				 .arena = arena,
				 .ranking = isx_page_ranking(query, ISX_PAGE_MATCHES,
							     arena->quota) };
	bool has_realm;
	enum isx_status st = isx_prefix_realm(view, &has_realm, &search.realm, err);
	if (!st)
		st = make_plan(&search, query, err);
	if (!st)
		st = isx_scorer_init(&search.scorer, &search.plan, options, 0, true, arena, err);
	if (!st)
		st = rank_assets(&search, err);
	if (!st)
		st = make_matches(&search, result, err);
	if (!st)
		st = isx_lmdb_facets(view, query, &search.ranking, arena, &result->facets, err);
	if (!st)
		st = isx_lmdb_facets(view, query, NULL, arena, &result->chunk_facets, err);
	if (!st)
		st = isx_page_end(query, search.scorer.rank, &search.ranking, mdb_txn_id(view->txn),
				  arena, result, err);
	isx_ranking_release(&search.ranking);
	isx_passing_release(&search.passing);
	isx_mem_free(search.hits);
	if (!st)
		result->query = search.plan.query;
	return st;
}
