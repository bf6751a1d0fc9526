/*
 * passage_search.c - rank assets by the passages that they share with a query.
 *
 *   idf(f)      = ln(1 + N / (1 + f)), N assets in the index, f of them with exactly that simprint
 *   type score  = sum(idf_i * s_i over matched i) / sum(idf_i over all i)
 *                 i is a simprint of the query, s_i the score of the best stored simprint in the
 *                 asset; idf_i is taken from the f of that stored simprint, or from the f of i
 *                 where none matched
 *   asset score = mean of the type scores over the types in which anything matched
 *
 * The queries of a pass are searched together: one stream for each type and length of stored
 * simprints has the simprints of all of them. Streams deliver hits asset by asset in the order of
 * ISCC-IDs (passage_scan.h), so each asset is scored, for each query with a hit in it, when the
 * streams reach it, and only the best assets are kept. The passages that a winner matched are
 * looked up again afterwards. Several threads share the range of ISCC-IDs of a large pass
 * (sim_crew.h).
 *
 * The formulas are those of iscc-search 0.3.3. Relies on: rows of a type being
 * sorted by ISCC-ID (sim_format.h). Locks nothing: the caller's view is one snapshot, and each
 * further thread reads the same snapshot in a transaction of its own.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/passage_search.h"

#include "base/array.h"
#include "base/hash.h"
#include "engine/explain.h"
#include "engine/paging.h"
#include "engine/query_plan.h"
#include "engine/score.h"
#include "iscc/base32.h"
#include "iscc/iscc_id.h"
#include "similarity/passage_scan.h"
#include "similarity/sim_rows.h"
#include "similarity/sim_tables.h"

#include <stdlib.h>
#include <string.h>

enum {
	FREQ_MAX = 1000, /* rows counted for one frequency, as in 0.3.3: bounds a common simprint */
	CACHE_ENTRIES = 1024, /* 48 KiB for each thread */
	/* Query simprints of one type. A stream keeps the hits of one page for each: 10 MB in all
	 * for simprints of 128 bits and pages of 4 KiB. */
	PASSAGES_MAX = 10000
};

/* The frequency of a stored simprint that was looked up before. Of two simprints with the same
 * place in the cache, the later one replaces the earlier. */
struct freq_entry {
	uint8_t bytes[ISX_SIMPRINT_BYTES_MAX];
	uint32_t byte_count; /* 0: empty */
	MDB_dbi table;
	uint64_t freq;
};

/* The best hit of one query simprint in one asset. */
struct best_hit {
	double score; /* -1: none */
	struct isx_passage_hit hit;
};

/* The search of one simprint type of a query: what it asks, and the state for the current asset. */
struct type_search {
	struct isx_passage_query query; /* first member: type_of() */
	struct seat *seat;
	const struct isx_sim_sp_tables *tables;
	struct best_hit *best; /* of each query simprint, in the current asset; score -1: none */
	size_t matched;        /* query simprints with a hit in the current asset */
};

/* What is kept of the query of a member, from the ranking to the description of its winners. */
struct isx_passages {
	struct type_search *types;
	size_t type_count;
	uint64_t assets; /* N */
	struct isx_ranking ranking;
};

/* One member of the pass, as one thread ranks for it. */
struct seat {
	struct isx_member *member; /* further threads only read it */
	struct type_search *types;
	size_t type_count;
	size_t asked;      /* simprints of all types */
	bool is_hit;       /* has a hit in the current asset */
	size_t passing_at; /* isx_passing_has() */
	struct isx_ranking ranking;
	struct isx_meter meter;
	enum isx_status status;
	struct isx_err err;
};

/* A pass as one thread runs it: `seats`, `streams` and `cache` change, so each thread has its
 * own. */
struct passage_search {
	struct isx_lmdb_view *view;
	struct isx_arena *arena;
	uint64_t assets; /* N */
	bool explains;   /* matches tell the weights of their passages */
	struct seat *seats;
	size_t seat_count;
	struct seat **hit_seats; /* with a hit in the current asset */
	size_t hit_seat_count;
	struct isx_passage_stream *streams;
	size_t stream_count;
	struct freq_entry *cache;
};

static struct type_search *type_of(struct isx_passage_query *query)
{
	return (struct type_search *)query;
}

/* --- frequencies ------------------------------------------------------------------------------ */

/* Count the assets that hold exactly this simprint, in __sp_TYPE__: it is sorted by simprint, and
 * has shadowed simprints too, which count in frequencies. Reads at most FREQ_MAX rows. */
static int count_assets(struct passage_search *search, MDB_dbi table, const uint8_t *bytes,
			size_t count, uint64_t *freq)
{
	MDB_cursor *cursor;
	MDB_val key = isx_lmdb_val(bytes, count), value;
	uint64_t last = 0;
	*freq = 0;
	int rc = mdb_cursor_open(search->view->txn, table, &cursor);
	if (rc)
		return rc;
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET);
	/* An asset may have the simprint at several places: it counts once. */
	for (size_t seen = 0; !rc && seen < FREQ_MAX; seen++) {
		uint64_t id = isx_load_be64(value.mv_data); /* duplicates are sorted by ISCC-ID */
		*freq += seen == 0 || id != last;
		last = id;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT_DUP);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The frequency of a stored simprint, through the cache: a common simprint is met in many assets.
 * A failed count leaves the entry empty. Returns a code of LMDB. */
static int stored_freq(struct passage_search *search, MDB_dbi table, const uint8_t *bytes,
		       size_t count, uint64_t *freq)
{
	/* Types have tables of their own, so the handle of the table is part of the key. */
	uint64_t hash = isx_hash(bytes, count);
	struct freq_entry *entry = &search->cache[(hash >> 32 ^ table) % CACHE_ENTRIES];
	if (entry->byte_count != count || entry->table != table ||
	    memcmp(entry->bytes, bytes, count) != 0) {
		int rc = count_assets(search, table, bytes, count, &entry->freq);
		entry->byte_count = rc ? 0 : (uint32_t)count;
		if (rc)
			return rc;
		entry->table = table;
		memcpy(entry->bytes, bytes, count);
	}
	*freq = entry->freq;
	return 0;
}

/* The weight of a simprint by its frequency: rare ones count more. */
static double idf(const struct passage_search *search, uint64_t freq)
{
	return isx_simprint_weight(search->assets, freq);
}

/* --- the query -------------------------------------------------------------------------------- */

/* Does the index have simprints of this type and length? */
static bool has_rows(struct passage_search *search, const char *type, size_t bytes)
{
	MDB_val key = isx_lmdb_val(type, strlen(type)), value;
	MDB_dbi table = isx_sim_tables(search->view)->simprints[bytes];
	return table && mdb_get(search->view->txn, table, &key, &value) == 0;
}

/* Decode one query simprint and look up its own frequency. Like 0.3.3, refuses a length that no
 * stored simprint of the type has. */
static enum isx_status read_passage(struct passage_search *search, struct type_search *type,
				    const char *text, struct isx_query_passage *passage,
				    struct isx_err *err)
{
	size_t count = 0;
	enum isx_status st = isx_base64_decode(isx_span_of(text), passage->bytes,
					       sizeof passage->bytes, &count, err);
	if (!st && (count == 0 || !has_rows(search, type->query.type, count)))
		st = isx_fail(err, ISX_INVALID,
			      "%zu bits: the index has no simprints of this length", count * 8);
	if (st)
		return st;
	passage->byte_count = (uint32_t)count;
	return isx_lmdb_status(
		count_assets(search, type->tables->data, passage->bytes, count, &passage->freq),
		"count simprints", err);
}

/* Make room for the hits of a type in one asset. */
static struct best_hit *make_best(struct isx_arena *arena, size_t count)
{
	struct best_hit *best = isx_arena_alloc(arena, count, sizeof *best);
	for (size_t i = 0; best && i < count; i++)
		best[i].score = -1;
	return best;
}

/* Decode the query simprints of one type. As in 0.3.3, a type that the index does not have is left
 * out and is no error. */
static enum isx_status read_type(struct passage_search *search, struct isx_member *member,
				 const struct isx_query_simprints *given, struct isx_err *err)
{
	const struct isx_sim_sp_tables *tables = NULL;
	for (size_t i = 0; i < isx_sim_tables(search->view)->sp_count; i++)
		if (strcmp(isx_sim_tables(search->view)->sp[i].type, given->type) == 0)
			tables = &isx_sim_tables(search->view)->sp[i];
	if (!tables)
		return ISX_OK;
	if (given->count > PASSAGES_MAX)
		return isx_fail(err, ISX_INVALID, "simprints.%s: expected at most %d, found %zu",
				given->type, PASSAGES_MAX, given->count);
	struct isx_passages *own = member->passages;
	struct type_search *type = &own->types[own->type_count];
	struct isx_query_passage *passages = isx_arena_alloc(member->arena, given->count,
							     sizeof *passages);
	type->best = make_best(member->arena, given->count);
	if (!passages || !type->best)
		return isx_fail_memory(err);
	type->tables = tables;
	type->query = (struct isx_passage_query){
		.type = given->type,
		.passages = passages,
		.count = given->count,
		.threshold = isx_query_threshold(&member->plan.query, given->type,
						 member->options->match_threshold_simprints),
	};
	for (size_t i = 0; i < given->count; i++) {
		enum isx_status st = read_passage(search, type, given->values[i], &passages[i],
						  err);
		if (st)
			return isx_err_at(err, st, "simprints.%s[%zu]", given->type, i);
	}
	own->type_count++;
	return ISX_OK;
}

/* Decode the simprints of a member. The threads share what is decoded and only read it. */
static enum isx_status read_member(struct passage_search *search, struct isx_member *member,
				   struct isx_err *err)
{
	const struct isx_query *query = &member->plan.query;
	enum isx_status st = ISX_OK;
	member->passages = isx_arena_alloc(member->arena, 1, sizeof *member->passages);
	if (!member->passages)
		return isx_fail_memory(err);
	member->passages->assets = search->assets;
	member->passages->types = isx_arena_alloc(member->arena, query->simprint_type_count,
						  sizeof *member->passages->types);
	if (!member->passages->types)
		return isx_fail_memory(err);
	for (size_t i = 0; !st && i < query->simprint_type_count; i++)
		st = read_type(search, member, &query->simprints[i], err);
	return st;
}

/* Give a member a seat in a thread. Each thread has rankings, meters and hits of its own. */
static enum isx_status take_seat(struct passage_search *search, struct isx_member *member,
				 struct isx_err *err)
{
	const struct isx_passages *own = member->passages;
	struct seat *seat = &search->seats[search->seat_count++];
	*seat = (struct seat){
		.member = member,
		.types = isx_arena_alloc(search->arena, own->type_count, sizeof *seat->types),
		.type_count = own->type_count,
		.ranking = isx_page_ranking(member->query, ISX_PAGE_CHUNK_MATCHES,
					    member->arena->quota),
		.meter = isx_meter_of(member->query),
	};
	if (!seat->types)
		return isx_fail_memory(err);
	for (size_t i = 0; i < seat->type_count; i++) {
		struct type_search *type = &seat->types[i];
		*type = own->types[i];
		type->seat = seat;
		type->best = make_best(search->arena, type->query.count);
		if (!type->best)
			return isx_fail_memory(err);
		seat->asked += type->query.count;
	}
	return ISX_OK;
}

/* Make room for the state of a thread, and give a seat to each of the members that have something
 * to look for. */
static enum isx_status take_seats(struct passage_search *search, struct isx_member *members,
				  size_t count, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	search->seats = isx_arena_alloc(search->arena, count, sizeof *search->seats);
	search->hit_seats = isx_arena_alloc(search->arena, count, sizeof *search->hit_seats);
	search->cache = isx_arena_alloc(search->arena, CACHE_ENTRIES, sizeof *search->cache);
	if (!search->seats || !search->hit_seats || !search->cache)
		return isx_fail_memory(err);
	for (size_t i = 0; !st && i < count; i++)
		if (!members[i].status && members[i].passages && members[i].passages->type_count)
			st = take_seat(search, &members[i], err);
	return st;
}

/* --- one asset -------------------------------------------------------------------------------- */

/* Forget the hits of the current asset. */
static void forget_best(struct type_search *types, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; types[i].matched && k < types[i].query.count; k++)
			types[i].best[k].score = -1;
		types[i].matched = 0;
	}
}

/* Is `a`, with `score`, a better hit than `b`? Of equal scores the passage that comes first in the
 * asset is better, then the longer simprint, so that the answer does not depend on the order of
 * the streams. */
static bool is_better(double score, const struct isx_passage_hit *a, const struct best_hit *b)
{
	if (score != b->score)
		return score > b->score;
	int order = memcmp(a->row + ISX_KEY_BYTES, b->hit.row + ISX_KEY_BYTES,
			   ISX_CHUNK_BYTES - ISX_KEY_BYTES); /* offset and size, big-endian */
	return order < 0 || (order == 0 && a->stored_bytes > b->hit.stored_bytes);
}

/* Keep a hit if it is the best of its query simprint in the current asset. */
static void offer_hit(struct type_search *type, const struct isx_passage_hit *hit)
{
	struct best_hit *best = &type->best[hit->passage];
	double score = isx_unit_score(hit->distance, hit->compared_bits);
	if (best->score < 0)
		type->matched++;
	if (best->score < 0 || is_better(score, hit, best))
		*best = (struct best_hit){ score, *hit };
}

/* The frequency of the stored simprint of a hit. */
static enum isx_status hit_freq(struct passage_search *search, const struct type_search *type,
				const struct isx_passage_hit *hit, uint64_t *freq,
				struct isx_err *err)
{
	const struct isx_query_passage *passage = &type->query.passages[hit->passage];
	if (hit->distance == 0 && hit->stored_bytes == passage->byte_count) {
		*freq = passage->freq; /* the stored simprint is the queried one */
		return ISX_OK;
	}
	return isx_lmdb_status(stored_freq(search, type->tables->data, hit->row + ISX_CHUNK_BYTES,
					   hit->stored_bytes, freq),
			       "count simprints", err);
}

/* The score of one type in the current asset. A query simprint without a hit adds its weight to the
 * divisor only, and so lowers the score. */
static enum isx_status score_type(struct passage_search *search, const struct type_search *type,
				  double *score, double *weight_sum, struct isx_err *err)
{
	double found = 0, all = 0;
	for (size_t i = 0; i < type->query.count; i++) {
		const struct best_hit *best = &type->best[i];
		uint64_t freq = type->query.passages[i].freq;
		enum isx_status st = ISX_OK;
		if (best->score >= 0)
			st = hit_freq(search, type, &best->hit, &freq, err);
		if (st)
			return st;
		/* With a hit, the weight is that of the stored simprint, else that of the queried
		 * one. */
		double weight = idf(search, freq);
		all += weight;
		if (best->score >= 0)
			found += weight * best->score;
	}
	*weight_sum = all;
	*score = all > 0 ? found / all : 0;
	return ISX_OK;
}

/* The score of the current asset. Types without any hit do not count against it. */
static enum isx_status score_asset(struct passage_search *search, const struct seat *seat,
				   double *score, struct isx_err *err)
{
	double sum = 0;
	size_t matched = 0;
	for (size_t i = 0; i < seat->type_count; i++) {
		double one, weight;
		if (seat->types[i].matched == 0)
			continue;
		enum isx_status st = score_type(search, &seat->types[i], &one, &weight, err);
		if (st)
			return st;
		sum += one;
		matched++;
	}
	*score = isx_passages_score(sum, matched);
	return ISX_OK;
}

/* --- ranking ---------------------------------------------------------------------------------- */

/* The least ISCC-ID that any stream is at; false when all streams have ended. */
static bool least_id(const struct passage_search *search, uint64_t *id)
{
	bool found = false;
	for (size_t i = 0; i < search->stream_count; i++) {
		const struct isx_passage_stream *stream = &search->streams[i];
		if (!stream->at_end && (!found || stream->id < *id)) {
			*id = stream->id;
			found = true;
		}
	}
	return found;
}

/* Look no longer for anything for a member that has failed or was cancelled. */
static void drop_seat(struct passage_search *search, struct seat *seat, enum isx_status status)
{
	seat->status = status;
	for (size_t i = 0; i < search->stream_count; i++)
		for (size_t k = 0; k < seat->type_count; k++)
			isx_passage_drop(&search->streams[i], &seat->types[k].query);
}

/* Score the asset `id` for a seat with hits in it, and offer it to the ranking. */
static void rank_asset(struct passage_search *search, struct seat *seat, uint64_t id)
{
	double score = 0;
	enum isx_status st = seat->status;
	/* The asset of a query by ISCC-ID is no match of itself. */
	if (!st && (!seat->member->excludes_self || id != seat->member->self)) {
		bool passes;
		st = isx_passing_has(seat->member->passing, search->view, &seat->meter, id,
				     &seat->passing_at, &passes, &seat->err);
		if (!st && passes)
			st = score_asset(search, seat, &score, &seat->err);
		if (!st && passes)
			st = isx_ranking_offer(&seat->ranking, score, id, &seat->err);
		if (st)
			drop_seat(search, seat, st);
	}
	forget_best(seat->types, seat->type_count);
	seat->is_hit = false;
}

/* Take the asset `id`: score it for each seat, and move the streams that were at it to their next
 * asset. The hits of a stream are valid until it moves, so all are taken and scored before any
 * stream moves. */
static enum isx_status take_asset(struct passage_search *search, uint64_t id, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	search->hit_seat_count = 0;
	for (size_t i = 0; i < search->stream_count; i++) {
		struct isx_passage_stream *stream = &search->streams[i];
		for (size_t k = 0; !stream->at_end && stream->id == id && k < stream->hit_count;
		     k++) {
			struct type_search *type = type_of(stream->hits[k].query);
			offer_hit(type, &stream->hits[k]);
			if (!type->seat->is_hit)
				search->hit_seats[search->hit_seat_count++] = type->seat;
			type->seat->is_hit = true;
		}
	}
	for (size_t i = 0; i < search->hit_seat_count; i++)
		rank_asset(search, search->hit_seats[i], id);
	for (size_t i = 0; !st && i < search->stream_count; i++)
		if (!search->streams[i].at_end && search->streams[i].id == id)
			st = isx_passage_next(&search->streams[i], err);
	return st;
}

/* --- all threads ------------------------------------------------------------------------------ */

/* A pass as its threads share it. */
struct shared_search {
	struct isx_crew *crew;
	struct isx_member *members;
	size_t member_count;
	struct passage_search *search; /* of the caller's thread */
	struct isx_ranges ranges;
	struct further {
		struct passage_search search; /* its own view, seats and cache */
		struct isx_arena arena;
	} * further; /* of each other thread, by its number */
};

/* Prepare a further thread. */
static enum isx_status begin_further(struct shared_search *shared, unsigned number,
				     struct isx_err *err)
{
	struct further *own = &shared->further[number];
	own->search = (struct passage_search){ .view = shared->crew->views[number],
					       .arena = &own->arena,
					       .assets = shared->search->assets };
	return take_seats(&own->search, shared->members, shared->member_count, err);
}

/* One range as a thread ranks it. */
struct own_range {
	struct isx_ranges *ranges;
	struct passage_search *search;
	uint64_t id_max;  /* falls when a part is given to another thread */
	uint64_t given;   /* isx_ranges_share() */
	uint64_t counted; /* rows of the streams that the meters have counted */
};

/* Count the rows that were compared, and ask the members whether to go on. The question is due once
 * in many pages, and so is this: with 320 queries it touches as many seats. */
static void count_rows(struct passage_search *search, struct own_range *range)
{
	enum { ROWS = 4096 };
	uint64_t rows = 0;
	for (size_t i = 0; i < search->stream_count; i++)
		rows += search->streams[i].row_sum;
	if (rows - range->counted < ROWS)
		return;
	for (size_t i = 0; i < search->seat_count; i++) {
		struct seat *seat = &search->seats[i];
		enum isx_status st = seat->status;
		if (!st)
			st = isx_meter_count(&seat->meter, (rows - range->counted) * seat->asked,
					     &seat->err);
		if (st && !seat->status)
			drop_seat(search, seat, st);
	}
	range->counted = rows;
}

/* Called before a stream reads a page: give the end of the range away if another thread waits for
 * work. Every stream has read up to some page, so the range is cut behind all of these. */
static void before_page(void *arg)
{
	struct own_range *range = arg;
	struct passage_search *search = range->search;
	uint64_t id = 0, before = range->id_max;
	count_rows(search, range);
	for (size_t i = 0; i < search->stream_count; i++)
		if (search->streams[i].page_id > id)
			id = search->streams[i].page_id;
	isx_ranges_share(range->ranges, id, search->view->meter.rows, &range->given,
			 &range->id_max);
	for (size_t i = 0; range->id_max != before && i < search->stream_count; i++)
		search->streams[i].id_max = range->id_max;
}

/* List the queries of all seats for the type of `first`, which is the first of them, and with its filter:
 * other filters leave out other rows. A member may fail while streams are opened. Its query is left
 * out then, but stays the first: otherwise the next one would open the streams of the type again.
 *   queries  filled. Returns their number, 0 if `first` is not the first */
static size_t list_queries(const struct passage_search *search, struct type_search *first,
			   struct isx_passage_query **queries)
{
	size_t count = 0;
	bool is_first = true;
	for (size_t i = 0; i < search->seat_count; i++) {
		struct seat *seat = &search->seats[i];
		if (seat->member->passing != first->seat->member->passing)
			continue;
		for (size_t k = 0; k < seat->type_count; k++) {
			struct type_search *type = &seat->types[k];
			if (strcmp(type->query.type, first->query.type) != 0)
				continue;
			if (is_first && type != first)
				return 0;
			is_first = false;
			if (!seat->status)
				queries[count++] = &type->query;
		}
	}
	return count;
}

/* Open the streams of a type and all lengths over the assets of a range, from id_min on. */
static enum isx_status open_type(struct passage_search *search, struct isx_arena *arena,
				 struct isx_passage_query *const *queries, size_t count,
				 uint64_t id_min, struct own_range *range, struct isx_err *err)
{
	const char *type = queries[0]->type;
	const struct isx_passing *passing = type_of(queries[0])->seat->member->passing;
	for (size_t bytes = 1; bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++) {
		if (!has_rows(search, type, bytes))
			continue;
		struct isx_passage_stream *stream = &search->streams[search->stream_count++];
		stream->only = passing ? &passing->ids : NULL;
		stream->before_page = before_page;
		stream->before_page_arg = range;
		enum isx_status st = isx_passage_open(stream, search->view, type, queries, count,
						      bytes, id_min, range->id_max, arena, err);
		if (st)
			return st;
	}
	return ISX_OK;
}

/* Open the streams of all types. They live in `arena`. Also on failure the caller closes the first
 * search->stream_count of them. */
static enum isx_status open_streams(struct passage_search *search, struct isx_arena *arena,
				    uint64_t id_min, struct own_range *range, struct isx_err *err)
{
	size_t types = 0, groups = 0;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; i < search->seat_count; i++)
		types += search->seats[i].type_count;
	struct isx_passage_query **queries = isx_arena_alloc(arena, types, sizeof *queries);
	search->stream_count = 0;
	for (size_t i = 0; queries && i < search->seat_count; i++)
		for (size_t k = 0; k < search->seats[i].type_count; k++)
			groups += list_queries(search, &search->seats[i].types[k], queries) > 0;
	search->streams = isx_arena_alloc(arena, groups * ISX_SIMPRINT_BYTES_MAX,
					  sizeof *search->streams);
	if (!queries || !search->streams)
		return isx_fail_memory(err);
	for (size_t i = 0; i < search->seat_count; i++) {
		struct seat *seat = &search->seats[i];
		for (size_t k = 0; !st && k < seat->type_count; k++) {
			size_t count = list_queries(search, &seat->types[k], queries);
			if (count)
				st = open_type(search, arena, queries, count, id_min, range, err);
		}
	}
	return st;
}

/* Rank the assets from id_min to id_max, both included, or the part of them that is not given to
 * another thread. The buffers of the streams end with the range. */
static enum isx_status rank_range(struct passage_search *search, struct shared_search *shared,
				  uint64_t id_min, uint64_t id_max, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct own_range range = { .ranges = &shared->ranges,
				   .search = search,
				   .id_max = id_max,
				   .given = search->view->meter.rows };
	for (size_t i = 0; i < search->seat_count; i++)
		search->seats[i].passing_at = 0;
	enum isx_status st = open_streams(search, &arena, id_min, &range, err);
	for (uint64_t id = 0; !st && least_id(search, &id);)
		st = take_asset(search, id, err);
	for (size_t i = 0; i < search->stream_count; i++)
		isx_passage_close(&search->streams[i]);
	search->stream_count = 0;
	isx_arena_release(&arena);
	return st;
}

/* An isx_crew_fn: rank ranges until none is left. */
static enum isx_status rank_ranges(void *arg, unsigned number, struct isx_err *err)
{
	struct shared_search *shared = arg;
	uint64_t id_min, id_max;
	bool has_piece = false;
	enum isx_status st = number ? begin_further(shared, number, err) : ISX_OK;
	struct passage_search *search = number ? &shared->further[number].search : shared->search;
	while (!st && isx_ranges_take(&shared->ranges, has_piece, &id_min, &id_max)) {
		has_piece = true;
		st = rank_range(search, shared, id_min, id_max, err);
	}
	if (st)
		isx_ranges_fail(&shared->ranges);
	return st;
}

/* Give each member what one thread has ranked for it. */
static void merge_seats(struct passage_search *search)
{
	for (size_t i = 0; i < search->seat_count; i++) {
		struct seat *seat = &search->seats[i];
		isx_member_merge(seat->member, &seat->member->passages->ranking, &seat->ranking,
				 seat->status, &seat->err);
		isx_ranking_release(&seat->ranking);
	}
}

/* Add the pairs of one table to *pairs, and widen the range of ISCC-IDs to those in the table.
 * Rows are sorted by ISCC-ID, so the first and the last row of the type have the limits. */
static int measure_table(struct passage_search *search, const struct isx_passage_query *query,
			 size_t bytes, uint64_t *pairs, uint64_t *id_min, uint64_t *id_max)
{
	MDB_cursor *cursor;
	MDB_val key = isx_lmdb_val(query->type, strlen(query->type)), row;
	MDB_dbi table = isx_sim_tables(search->view)->simprints[bytes];
	size_t rows = 0;
	int rc = mdb_cursor_open(search->view->txn, table, &cursor);
	if (rc)
		return rc;
	rc = mdb_cursor_get(cursor, &key, &row, MDB_SET);
	if (!rc && isx_load_be64(row.mv_data) < *id_min)
		*id_min = isx_load_be64(row.mv_data);
	if (!rc)
		rc = mdb_cursor_count(cursor, &rows);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &row, MDB_LAST_DUP);
	if (!rc && isx_load_be64(row.mv_data) > *id_max)
		*id_max = isx_load_be64(row.mv_data);
	mdb_cursor_close(cursor);
	*pairs += rows * query->count;
	return rc;
}

/* Count the pairs of simprints that are to be compared, and find the range of ISCC-IDs that have
 * them. Costs one lookup for each type and length of each query. */
static enum isx_status measure_work(struct passage_search *search, uint64_t *pairs,
				    uint64_t *id_min, uint64_t *id_max, struct isx_err *err)
{
	*pairs = *id_max = 0; /* an empty range, which the first table widens */
	*id_min = UINT64_MAX;
	for (size_t i = 0; i < search->seat_count; i++) {
		const struct seat *seat = &search->seats[i];
		for (size_t k = 0; k < seat->type_count; k++) {
			const struct isx_passage_query *query = &seat->types[k].query;
			for (size_t bytes = 1; bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++) {
				int rc = has_rows(search, query->type, bytes)
						 ? measure_table(search, query, bytes, pairs,
								 id_min, id_max)
						 : 0;
				if (rc)
					return isx_lmdb_status(rc, "measure simprints", err);
			}
		}
	}
	return ISX_OK;
}

/* Rank all assets, with a further thread for each PAIRS_PER_THREAD pairs of simprints if there are
 * processors for it: a thread then has a millisecond of work or more (bench/README.md, passages). */
static enum isx_status rank_assets(struct shared_search *shared, unsigned slots_max,
				   struct isx_err *err)
{
	enum { PAIRS_PER_THREAD = 4000000 };
	struct passage_search *search = shared->search;
	struct isx_crew *crew = shared->crew;
	uint64_t pairs, id_min, id_max;
	enum isx_status st = measure_work(search, &pairs, &id_min, &id_max, err);
	if (st || pairs == 0)
		return st;
	uint64_t wanted = pairs / PAIRS_PER_THREAD;
	isx_crew_end(crew);
	isx_crew_begin(crew, search->view, slots_max,
		       wanted < ISX_CREW_MAX ? (unsigned)wanted : ISX_CREW_MAX);
	shared->further = isx_arena_alloc(search->arena, crew->count, sizeof *shared->further);
	if (!shared->further)
		return isx_fail_memory(err);
	isx_ranges_init(&shared->ranges, id_min, id_max);
	st = isx_crew_run(crew, crew->count, rank_ranges, shared, err);
	isx_ranges_release(&shared->ranges);
	for (unsigned i = 1; i < crew->count; i++) {
		merge_seats(&shared->further[i].search);
		isx_arena_release(&shared->further[i].arena);
	}
	return st;
}

enum isx_status isx_passage_rank(struct isx_member *members, size_t count, struct isx_crew *crew,
				 struct isx_lmdb_view *view, unsigned slots_max,
				 struct isx_err *err)
{
	MDB_stat stat = { 0 };
	struct isx_arena arena = { 0 };
	struct passage_search search = { .view = view, .arena = &arena };
	struct shared_search shared = {
		.crew = crew, .members = members, .member_count = count, .search = &search
	};
	int rc = view->tables.assets ? mdb_stat(view->txn, view->tables.assets, &stat) : 0;
	enum isx_status st = ISX_OK;
	bool has_passages = false;
	if (rc)
		return isx_lmdb_status(rc, "count assets", err);
	search.assets = stat.ms_entries;
	for (size_t i = 0; i < count; i++) {
		if (members[i].status || !members[i].plan.query.simprint_type_count)
			continue;
		members[i].status = read_member(&search, &members[i], &members[i].err);
		has_passages = true;
	}
	if (has_passages) /* the room of a seat costs a tenth of a search of 100 assets */
		st = take_seats(&search, members, count, err);
	if (!st && search.seat_count)
		st = rank_assets(&shared, slots_max, err);
	merge_seats(&search); /* also after a failure, as it releases the rankings */
	for (size_t i = 0; i < count; i++)
		if (members[i].passages)
			isx_ranking_sort(&members[i].passages->ranking);
	isx_arena_release(&arena);
	return st;
}

/* --- the winners ------------------------------------------------------------------------------ */

/* Compare one stored row of a winner with every simprint of the query. */
static void offer_row(struct type_search *type, const uint8_t *row, size_t stored_bytes)
{
	for (size_t i = 0; i < type->query.count; i++) {
		const struct isx_query_passage *passage = &type->query.passages[i];
		size_t compared = passage->byte_count < stored_bytes ? passage->byte_count
								     : stored_bytes;
		struct isx_passage_hit hit = { .passage = (uint32_t)i,
					       .compared_bits = (uint32_t)compared * 8,
					       .stored_bytes = (uint32_t)stored_bytes,
					       .row = row };
		hit.distance = isx_distance(row + ISX_CHUNK_BYTES, passage->bytes, compared);
		if (isx_unit_score(hit.distance, hit.compared_bits) >= type->query.threshold)
			offer_hit(type, &hit);
	}
}

/* Find the best hits of one winner again, in its rows of one table. Keeping the hits of all assets
 * in the ranking would take memory for each query simprint of each; a winner has only its own few
 * rows. */
static int offer_rows(struct passage_search *search, struct type_search *type, uint64_t id,
		      size_t stored_bytes)
{
	uint8_t first[ISX_SIMPRINT_ROW_BYTES_MAX] = { 0 };
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(search->view->txn,
				 isx_sim_tables(search->view)->simprints[stored_bytes], &cursor);
	if (rc)
		return rc;
	isx_store_be64(first, id);
	MDB_val key = isx_lmdb_val(type->query.type, strlen(type->query.type));
	MDB_val row = isx_lmdb_val(first, ISX_CHUNK_BYTES + stored_bytes);
	rc = mdb_cursor_get(cursor, &key, &row, MDB_GET_BOTH_RANGE);
	while (!rc && isx_load_be64(row.mv_data) == id) {
		offer_row(type, row.mv_data, stored_bytes);
		rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT_DUP);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* A simprint as base64url text without padding; NULL when there is no memory. */
static const char *simprint_text(struct isx_arena *arena, const uint8_t *bytes, size_t count)
{
	char *text = isx_arena_alloc(arena, 1, 2 * ISX_SIMPRINT_BYTES_MAX);
	if (text)
		isx_base64_encode(bytes, count, text);
	return text;
}

/* Describe one hit of a winner. */
static enum isx_status make_chunk(struct passage_search *search, const struct type_search *type,
				  const struct best_hit *best, struct isx_chunk *chunk,
				  struct isx_err *err)
{
	const struct isx_passage_hit *hit = &best->hit;
	const struct isx_query_passage *passage = &type->query.passages[hit->passage];
	chunk->query = simprint_text(search->arena, passage->bytes, passage->byte_count);
	chunk->match = simprint_text(search->arena, hit->row + ISX_CHUNK_BYTES, hit->stored_bytes);
	chunk->score = best->score;
	chunk->offset = isx_load_be32(hit->row + ISX_KEY_BYTES);
	chunk->size = isx_load_be32(hit->row + ISX_KEY_BYTES + 4);
	if (!chunk->query || !chunk->match)
		return isx_fail_memory(err);
	return hit_freq(search, type, hit, &chunk->freq, err);
}

/* Describe what an asset matched of one type: chunks come in the order of the query's simprints. */
static enum isx_status make_type(struct passage_search *search, const struct type_search *type,
				 struct isx_chunk_type *made, struct isx_err *err)
{
	struct isx_chunk *chunks = isx_arena_alloc(search->arena, type->matched, sizeof *chunks);
	enum isx_status st = chunks ? ISX_OK : isx_fail_memory(err);
	made->type = type->query.type;
	made->queried = type->query.count;
	made->chunks = chunks;
	for (size_t i = 0; !st && i < type->query.count; i++)
		if (type->best[i].score >= 0)
			st = make_chunk(search, type, &type->best[i], &chunks[made->matches++],
					err);
	if (!st && search->explains)
		isx_explain_passages(chunks, made->matches, search->assets);
	return st ? st : score_type(search, type, &made->score, &made->weight, err);
}

/* Describe one winner. Its scores come out as in the ranking: the same hits, the same functions. */
static enum isx_status make_match(struct passage_search *search, struct isx_passages *own,
				  const struct isx_ranked *ranked, uint32_t realm,
				  struct isx_chunk_match *match, struct isx_err *err)
{
	const struct isx_iscc_id iscc_id = { .body = ranked->id, .realm = realm, .version = 1 };
	struct isx_chunk_type *types = isx_arena_alloc(search->arena, own->type_count,
						       sizeof *types);
	if (!types)
		return isx_fail_memory(err);
	isx_iscc_id_print(&iscc_id, match->iscc_id);
	match->score = ranked->rank;
	match->types = types;
	for (size_t i = 0; i < own->type_count; i++) {
		struct type_search *type = &own->types[i];
		enum isx_status st = ISX_OK;
		for (size_t bytes = 1; !st && bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++)
			if (isx_sim_tables(search->view)->simprints[bytes])
				st = isx_lmdb_status(offer_rows(search, type, ranked->id, bytes),
						     "look up simprints", err);
		if (!st && type->matched)
			st = make_type(search, type, &types[match->type_count++], err);
		forget_best(type, 1);
		if (st)
			return st;
	}
	return ISX_OK;
}

enum isx_status isx_passage_matches(const struct isx_member *member, struct isx_lmdb_view *view,
				    uint32_t realm, struct isx_chunk_match **matches, size_t *count,
				    uint64_t *total, struct isx_err *err)
{
	struct isx_passages *own = member->passages;
	struct passage_search search = { .view = view,
					 .arena = member->arena,
					 .assets = own->assets,
					 .explains = member->query->explains };
	struct isx_meter meter = isx_meter_of(member->query);
	uint64_t work = ISX_METER_ASSET; /* for one winner, with a few rows for each simprint */
	struct isx_chunk_match *made = isx_arena_alloc(member->arena, own->ranking.count,
						       sizeof *made);
	enum isx_status st = ISX_OK;
	search.cache = isx_mem_array(CACHE_ENTRIES, sizeof *search.cache);
	if (!made || !search.cache)
		st = isx_fail_memory(err);
	for (size_t i = 0; i < own->type_count; i++)
		work += own->types[i].query.count * 8;
	for (size_t i = 0; !st && i < own->ranking.count; i++) {
		st = isx_meter_work(&meter, work, err);
		if (!st)
			st = make_match(&search, own, &own->ranking.items[i], realm, &made[i], err);
	}
	isx_mem_free(search.cache);
	*matches = made;
	*count = own->ranking.count;
	*total = own->ranking.offered;
	return st;
}

struct isx_ranking *isx_passage_ranking(const struct isx_member *member)
{
	return &member->passages->ranking;
}

void isx_passages_end(struct isx_member *member)
{
	if (member->passages)
		isx_ranking_release(&member->passages->ranking);
}

/* --- the simprints of an asset as a query ----------------------------------------------------- */

/* A list of simprints that grows; its texts live in an arena. */
struct own_passages {
	struct isx_arena *arena;
	struct own_passage {
		uint64_t place; /* offset and size: the order of the list */
		const char *text;
	} * items;
	size_t count;
	size_t cap;
};

/* Add the simprint of one row to the list. */
static enum isx_status add_own(struct own_passages *own, const uint8_t *row, size_t stored_bytes,
			       struct isx_err *err)
{
	enum isx_status st = isx_array_room(&own->items, &own->cap, own->count + 1,
					    sizeof *own->items, NULL, err);
	if (st)
		return st;
	const char *text = simprint_text(own->arena, row + ISX_CHUNK_BYTES, stored_bytes);
	if (!text)
		return isx_fail_memory(err);
	own->items[own->count++] = (struct own_passage){ isx_load_be64(row + ISX_KEY_BYTES), text };
	return ISX_OK;
}

/* Order of qsort(): simprints as they come in the asset. */
static int by_place(const void *left, const void *right)
{
	const struct own_passage *a = left, *b = right;
	return (a->place > b->place) - (a->place < b->place);
}

/* Add the simprints of one type and length. Shadowed simprints have another key and are left out:
 * they are not searched, so they do not search either. */
static enum isx_status add_own_rows(struct isx_lmdb_view *view, const char *type, uint64_t id,
				    size_t stored_bytes, struct own_passages *own,
				    struct isx_err *err)
{
	uint8_t first[ISX_SIMPRINT_ROW_BYTES_MAX] = { 0 };
	MDB_cursor *cursor;
	enum isx_status st = ISX_OK;
	int rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->simprints[stored_bytes], &cursor);
	if (rc)
		return isx_lmdb_status(rc, "look up simprints", err);
	isx_store_be64(first, id);
	MDB_val key = isx_lmdb_val(type, strlen(type));
	MDB_val row = isx_lmdb_val(first, ISX_CHUNK_BYTES + stored_bytes);
	rc = mdb_cursor_get(cursor, &key, &row, MDB_GET_BOTH_RANGE);
	while (!rc && !st && isx_load_be64(row.mv_data) == id) {
		st = add_own(own, row.mv_data, stored_bytes, err);
		rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT_DUP);
	}
	mdb_cursor_close(cursor);
	return st || rc == 0 || rc == MDB_NOTFOUND ? st
						   : isx_lmdb_status(rc, "look up simprints", err);
}

/* Sort the list by place, make it one type of the query, and empty it for the next type. */
static enum isx_status put_own(struct own_passages *own, const char *type, struct isx_query *query,
			       struct isx_query_simprints *types, struct isx_err *err)
{
	const char **values = isx_arena_alloc(own->arena, own->count, sizeof *values);
	if (!values)
		return isx_fail_memory(err);
	qsort(own->items, own->count, sizeof *own->items, by_place);
	for (size_t i = 0; i < own->count; i++)
		values[i] = own->items[i].text;
	types[query->simprint_type_count++] = (struct isx_query_simprints){ type, values,
									    own->count };
	own->count = 0;
	return ISX_OK;
}

enum isx_status isx_passages_of_asset(struct isx_lmdb_view *view, uint64_t id,
				      struct isx_arena *arena, struct isx_query *query,
				      struct isx_err *err)
{
	struct own_passages own = { .arena = arena };
	size_t type_count = isx_sim_tables(view)->sp_count;
	struct isx_query_simprints *types = isx_arena_alloc(arena, type_count, sizeof *types);
	enum isx_status st = types ? ISX_OK : isx_fail_memory(err);
	for (size_t i = 0; !st && i < type_count; i++) {
		const char *table = isx_sim_tables(view)->sp[i].type; /* ends with the view */
		const char *type = isx_arena_text(arena, table, strlen(table));
		if (!type)
			st = isx_fail_memory(err);
		for (size_t bytes = 1; !st && bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++)
			if (isx_sim_tables(view)->simprints[bytes])
				st = add_own_rows(view, type, id, bytes, &own, err);
		if (!st && own.count)
			st = put_own(&own, type, query, types, err);
	}
	query->simprints = query->simprint_type_count ? types : NULL;
	isx_mem_free(own.items);
	return st;
}
