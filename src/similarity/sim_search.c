/*
 * sim_search.c - answer a query by scanning every row of the queried unit types.
 *
 *   streams := for each queried unit: one per table of bodies, or for INSTANCE the matching ids
 *   while any stream has a hit:
 *       id    := the least ISCC-ID among the current hits
 *       score := of the best hit of each type at id
 *       offer (score, id) to the best `limit`; advance all streams that are at id
 *   for the winners only: the true score of every queried type they carry, and their metadata
 *
 * Built for 10^4 to 10^7 rows per type and a few queries at once; at 10^7 memory is the limit.
 * Relies on: rows of a type being sorted by ISCC-ID (sim_format.h), so that hits come sorted and
 *        no set of candidates is ever kept.
 * Keeps: one read transaction per query, that of the caller (storage/lmdb_assets.c).
 * Must not know: HTTP, JSON beyond picking out metadata.        Measured: bench/README.md
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_search.h"

#include "engine/query_plan.h"
#include "engine/score.h"
#include "similarity/passage_search.h"
#include "similarity/sim_scan.h"
#include "similarity/sim_tables.h"
#include "storage/lmdb_assets.h"

#include <string.h>

/* One search, in one thread. Only a search of simprints may start more (passage_search.c). */
struct search {
	struct isx_lmdb_view *view;
	const struct isx_options *options;
	struct isx_arena *arena;
	struct isx_query_plan plan;
	struct isx_stream *streams;
	size_t stream_count;
	struct isx_ranking ranking;
	bool excludes_self;
	uint64_t self;
	uint32_t realm;
};

/* --- the query -------------------------------------------------------------------------------- */

/* Plan the query. A query by iscc_id becomes the query of that asset, which is left out of the
 * matches. Of the asset only the longest form of each unit is queried, as only those have rows; of
 * a query with units every one. */
static enum isx_status make_plan(struct search *search, const struct isx_query *query,
				 struct isx_err *err)
{
	struct isx_iscc_id id;
	struct isx_query effective = *query;
	if (query->iscc_id) {
		enum isx_status st = isx_lmdb_query_of(search->view, query, search->arena,
						       &effective, &id, err);
		if (!st && query->own_chunks)
			st = isx_passages_of_asset(search->view, id.body, search->arena, &effective,
						   err);
		if (st)
			return st;
		search->excludes_self = true;
		search->self = id.body;
	}
	return isx_query_plan(&effective, query->iscc_id ? ISX_LONGEST_FORMS : ISX_EVERY_UNIT,
			      search->arena, &search->plan, err);
}

/* --- scanning --------------------------------------------------------------------------------- */

/* The position of a type among those of the plan, which has the types of all its units. */
static size_t type_position(const struct isx_query_plan *plan, const char *type)
{
	size_t i = 0;
	while (strcmp(plan->types[i], type) != 0)
		i++;
	return i;
}

/* Open the streams of one unit: one lookup for an INSTANCE; otherwise one scan for each length of
 * stored bodies, as bodies of different lengths are compared by their common beginning. */
static enum isx_status open_streams_of(struct search *search, const struct isx_indexed_unit *unit,
				       struct isx_err *err)
{
	const struct isx_sim_tables *tables = isx_sim_tables(search->view);
	size_t type = type_position(&search->plan, unit->type);
	double threshold = isx_query_threshold(&search->plan.query, unit->type,
					       search->options->match_threshold_units);
	enum isx_status st = ISX_OK;
	if (unit->is_instance && tables->instance) {
		struct isx_stream *stream = &search->streams[search->stream_count++];
		stream->type = type;
		st = isx_stream_open_instance(stream, search->view, unit, search->arena, err);
	}
	/* An INSTANCE has no rows in tables of bodies. */
	for (size_t bytes = 1; !st && !unit->is_instance && bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		if (!tables->units[bytes])
			continue;
		struct isx_stream *stream = &search->streams[search->stream_count++];
		stream->type = type;
		st = isx_stream_open(stream, search->view, unit, bytes, threshold, search->arena,
				     err);
	}
	return st;
}

/* Open all streams. `tables` begins at 1 for __instance__: no unit has more streams than that. */
static enum isx_status open_streams(struct search *search, struct isx_err *err)
{
	size_t tables = 1;
	for (size_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++)
		tables += isx_sim_tables(search->view)->units[bytes] != 0;
	search->streams = isx_arena_alloc(search->arena, search->plan.unit_count * tables,
					  sizeof *search->streams);
	if (!search->streams)
		return isx_fail_memory(err);
	for (size_t i = 0; i < search->plan.unit_count; i++) {
		enum isx_status st = open_streams_of(search, &search->plan.units[i], err);
		if (st)
			return st;
	}
	return ISX_OK;
}

/* The least ISCC-ID among the current hits; false when  all streams have ended. */
static bool least_id(const struct search *search, uint64_t *id)
{
	bool found = false;
	for (size_t i = 0; i < search->stream_count; i++) {
		const struct isx_stream *stream = &search->streams[i];
		if (!stream->at_end && (!found || stream->id < *id)) {
			*id = stream->id;
			found = true;
		}
	}
	return found;
}

/* Take the best score of each type at the asset `id`, and advance the streams that were at it.
 *   scores  filled: *count of them, in the order of the plan's types */
static enum isx_status take_hits(struct search *search, uint64_t id, double *scores, size_t *count,
				 struct isx_err *err)
{
	double best[ISX_UNITS_MAX]; /* of each type; -1: no hit */
	for (size_t i = 0; i < search->plan.type_count; i++)
		best[i] = -1;
	for (size_t i = 0; i < search->stream_count; i++) {
		struct isx_stream *stream = &search->streams[i];
		/* An asset may have several units of one type. */
		while (!stream->at_end && stream->id == id) {
			if (stream->score > best[stream->type])
				best[stream->type] = stream->score;
			enum isx_status st = isx_stream_next(stream, err);
			if (st)
				return st;
		}
	}
	*count = 0;
	for (size_t i = 0; i < search->plan.type_count; i++)
		if (best[i] >= 0)
			scores[(*count)++] = best[i];
	return ISX_OK;
}

/* Merge the streams. Every asset with a hit is scored once, as all its hits come at the same time:
 * streams are in the order of ISCC-IDs. Streams are closed, also on failure; what has_instance()
 * needs of them stays. */
static enum isx_status rank_assets(struct search *search, struct isx_err *err)
{
	double scores[ISX_UNITS_MAX];
	uint32_t exponent = isx_query_exponent(&search->plan.query, search->options);
	enum isx_status st = open_streams(search, err);
	for (uint64_t id = 0; !st && least_id(search, &id);) {
		size_t count;
		st = take_hits(search, id, scores, &count, err);
		if (st || (search->excludes_self && id == search->self))
			continue; /* the queried asset is no match of itself */
		double score = isx_asset_score(scores, count, exponent);
		st = isx_ranking_offer(&search->ranking, score, id, err);
	}
	for (size_t i = 0; i < search->stream_count; i++)
		isx_stream_close(&search->streams[i]);
	isx_ranking_sort(&search->ranking);
	return st;
}

/* --- the winners ------------------------------------------------------------------------------ */

/* The threshold does not apply: a match shows the true scores of all queried types. */
int isx_sim_score_rows(MDB_cursor *cursor, const struct isx_indexed_unit *unit, uint64_t id,
		       size_t body_bytes, double *best)
{
	uint8_t first[ISX_UNIT_ROW_BYTES_MAX] = { 0 };
	/* Bodies of different lengths are compared by their common beginning. */
	size_t compared = body_bytes < unit->body_bytes ? body_bytes : unit->body_bytes;
	isx_store_be64(first, id);
	MDB_val key = isx_lmdb_val(unit->type, strlen(unit->type));
	MDB_val row = isx_lmdb_val(first, ISX_KEY_BYTES + body_bytes);
	int rc = mdb_cursor_get(cursor, &key, &row, MDB_GET_BOTH_RANGE);
	while (!rc && memcmp(row.mv_data, first, ISX_KEY_BYTES) == 0) {
		uint32_t distance = isx_distance((const uint8_t *)row.mv_data + ISX_KEY_BYTES,
						 unit->body, compared);
		double score = isx_unit_score(distance, (uint32_t)compared * 8);
		if (score > *best)
			*best = score;
		rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT_DUP);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Raise *best to the score of one similarity unit, compared with the units of the asset of all
 * lengths. */
static enum isx_status score_unit(struct search *search, const struct isx_indexed_unit *unit,
				  uint64_t id, double *best, struct isx_err *err)
{
	for (size_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		MDB_dbi table = isx_sim_tables(search->view)->units[bytes];
		MDB_cursor *cursor;
		if (!table)
			continue;
		int rc = mdb_cursor_open(search->view->txn, table, &cursor);
		if (!rc) {
			rc = isx_sim_score_rows(cursor, unit, id, bytes, best);
			mdb_cursor_close(cursor);
		}
		if (rc)
			return isx_lmdb_status(rc, "score units", err);
	}
	return ISX_OK;
}

/* Does the asset match by an INSTANCE unit of this type? The streams have ended, but their lists
 * of ids live in the arena of the search. */
static bool has_instance(const struct search *search, size_t type, uint64_t id)
{
	for (size_t i = 0; i < search->stream_count; i++) {
		const struct isx_stream *stream = &search->streams[i];
		if (stream->type != type || !stream->ids)
			continue;
		size_t low = 0, high = stream->id_count;
		while (low < high) {
			size_t middle = low + (high - low) / 2;
			if (stream->ids[middle] < id)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < stream->id_count && stream->ids[low] == id)
			return true;
	}
	return false;
}

/* Give a winner the true score of each queried type that the asset has, as the ranking saw only
 * scores of the threshold or more. */
static enum isx_status score_types(struct search *search, uint64_t id, struct isx_match *match,
				   struct isx_err *err)
{
	const struct isx_query_plan *plan = &search->plan;
	struct isx_type_score *types = isx_arena_alloc(search->arena, plan->type_count,
						       sizeof *types);
	if (!types)
		return isx_fail_memory(err);
	for (size_t t = 0; t < plan->type_count; t++) {
		double best = -1;
		for (size_t i = 0; i < plan->unit_count; i++) {
			const struct isx_indexed_unit *unit = &plan->units[i];
			if (strcmp(unit->type, plan->types[t]) != 0)
				continue;
			enum isx_status st = ISX_OK;
			if (!unit->is_instance)
				st = score_unit(search, unit, id, &best, err);
			else if (has_instance(search, t, id))
				best = 1.0;
			if (st)
				return st;
		}
		if (best >= 0)
			types[match->type_count++] = (struct isx_type_score){ plan->types[t],
									      best };
	}
	match->types = types;
	return ISX_OK;
}

/* Describe the winners, in the order of the ranking. */
static enum isx_status make_matches(struct search *search, struct isx_result *result,
				    struct isx_err *err)
{
	size_t count = search->ranking.count;
	struct isx_asset asset;
	struct isx_match *matches = isx_arena_alloc(search->arena, count, sizeof *matches);
	if (!matches)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		uint64_t id = search->ranking.items[i].id;
		struct isx_iscc_id iscc_id = { .body = id, .realm = search->realm, .version = 1 };
		isx_iscc_id_print(&iscc_id, matches[i].iscc_id);
		matches[i].score = search->ranking.items[i].score;
		enum isx_status st = score_types(search, id, &matches[i], err);
		if (!st)
			st = isx_lmdb_carried(search->view, &iscc_id, search->plan.query.with,
					      search->arena, &asset, err);
		if (st)
			return st;
		ISX_MATCH_CARRY(&matches[i], &asset);
	}
	result->matches = matches;
	result->match_count = count;
	return ISX_OK;
}

/* Find the assets that share passages with the simprints of the query, in the same snapshot. */
static enum isx_status find_passages(struct search *search, struct isx_result *result,
				     struct isx_err *err)
{
	struct isx_chunk_match *matches = NULL;
	uint64_t *ids = NULL;
	size_t count = 0;
	if (!search->plan.query.simprint_type_count)
		return ISX_OK;
	const struct isx_passage_ask ask = { .view = search->view,
					     .options = search->options,
					     .query = &search->plan.query,
					     .realm = search->realm,
					     .excludes_self = search->excludes_self,
					     .self = search->self };
	enum isx_status st = isx_passage_search(&ask, search->arena, &matches, &ids, &count, err);
	for (size_t i = 0; !st && i < count; i++) {
		const struct isx_iscc_id id = { .body = ids[i] };
		struct isx_asset asset = { 0 };
		st = isx_lmdb_carried(search->view, &id, search->plan.query.with, search->arena,
				      &asset, err);
		ISX_MATCH_CARRY(&matches[i], &asset);
	}
	result->chunk_matches = matches;
	result->chunk_match_count = count;
	return st;
}

enum isx_status isx_sim_search(struct isx_lmdb_view *view, const struct isx_options *options,
			       const struct isx_query *query, struct isx_arena *arena,
			       struct isx_result *result, struct isx_err *err)
{
	/* All steps read one snapshot, so scores, metadata and passages of an answer fit
	 * together. */
	struct search search = { .view = view,
				 .options = options,
				 .arena = arena,
				 .ranking = { .limit = query->limit, .quota = arena->quota } };
	bool has_realm;
	enum isx_status st = isx_sim_realm(view, &has_realm, &search.realm, err);
	if (!st)
		st = make_plan(&search, query, err);
	if (!st)
		st = rank_assets(&search, err);
	if (!st)
		st = make_matches(&search, result, err);
	if (!st)
		st = find_passages(&search, result, err);
	isx_ranking_release(&search.ranking);
	if (!st) /* the effective query, which the answer repeats */
		result->query = search.plan.query;
	return st;
}
