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
 * Streams deliver hits asset by asset in the order of ISCC-IDs (passage_scan.h), so each asset is
 * scored when the streams reach it and only the best assets are kept. The passages that a winner
 * matched are looked up again afterwards. Several threads share the range of ISCC-IDs of a large
 * search (sim_crew.h).
 *
 * The formulas are those of iscc-search 0.3.3. Relies on: rows of a type being
 * sorted by ISCC-ID (sim_format.h). Locks nothing: the caller's view is one snapshot, and each
 * further thread reads the same snapshot in a transaction of its own.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/passage_search.h"

#include "base/array.h"
#include "base/hash.h"
#include "engine/paging.h"
#include "engine/query_plan.h"
#include "engine/scan_slots.h"
#include "engine/score.h"
#include "iscc/base32.h"
#include "iscc/iscc_id.h"
#include "similarity/passage_scan.h"
#include "similarity/sim_crew.h"
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

/* The search of one simprint type: what the query asks, and the state for the current asset. */
struct type_search {
	struct isx_passage_query query;
	const struct isx_sim_sp_tables *tables;
	struct best_hit *best; /* of each query simprint, in the current asset */
	size_t matched;        /* query simprints with a hit in the current asset */
	double threshold;      /* the lowest score of a hit */
};

/* The search as one thread runs it. `types`, `streams`, `cache` and `ranking` change, so each
 * thread has its own; the rest is shared and only read. */
struct passage_search {
	struct isx_lmdb_view *view;
	const struct isx_options *options;
	struct isx_arena *arena;
	uint64_t assets; /* N */
	struct type_search *types;
	size_t type_count;
	struct isx_passage_stream *streams;
	size_t stream_count;
	struct freq_entry *cache;
	struct isx_ranking ranking;
};

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

/* Decode the query simprints of one type. As in 0.3.3, a type that the index does not have is left
 * out and is no error. */
static enum isx_status read_type(struct passage_search *search, const struct isx_query *query,
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
	struct type_search *type = &search->types[search->type_count];
	struct isx_query_passage *passages = isx_arena_alloc(search->arena, given->count,
							     sizeof *passages);
	type->best = isx_arena_alloc(search->arena, given->count, sizeof *type->best);
	if (!passages || !type->best)
		return isx_fail_memory(err);
	type->tables = tables;
	type->threshold = isx_query_threshold(query, given->type,
					      search->options->match_threshold_simprints);
	type->query = (struct isx_passage_query){ given->type, passages, given->count,
						  search->type_count };
	for (size_t i = 0; i < given->count; i++) {
		enum isx_status st = read_passage(search, type, given->values[i], &passages[i],
						  err);
		if (st)
			return isx_err_at(err, st, "simprints.%s[%zu]", given->type, i);
	}
	search->type_count++;
	return ISX_OK;
}

/* Decode the query. The other threads share the decoded simprints and only read them. */
static enum isx_status read_query(struct passage_search *search, const struct isx_query *query,
				  struct isx_err *err)
{
	MDB_stat stat = { 0 };
	enum isx_status st = ISX_OK;
	int rc = search->view->tables.assets
			 ? mdb_stat(search->view->txn, search->view->tables.assets, &stat)
			 : 0;
	search->assets = stat.ms_entries;
	search->types = isx_arena_alloc(search->arena, query->simprint_type_count,
					sizeof *search->types);
	search->cache = isx_arena_alloc(search->arena, CACHE_ENTRIES, sizeof *search->cache);
	if (!search->types || !search->cache)
		return isx_fail_memory(err);
	st = isx_lmdb_status(rc, "count assets", err);
	for (size_t i = 0; !st && i < query->simprint_type_count; i++)
		st = read_type(search, query, &query->simprints[i], err);
	return st;
}

/* --- one asset -------------------------------------------------------------------------------- */

/* Forget the hits of the previous asset. */
static void forget_best(struct passage_search *search)
{
	for (size_t i = 0; i < search->type_count; i++) {
		search->types[i].matched = 0;
		for (size_t k = 0; k < search->types[i].query.count; k++)
			search->types[i].best[k].score = -1;
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
				  double *score, struct isx_err *err)
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
	*score = all > 0 ? found / all : 0;
	return ISX_OK;
}

/* The score of the current asset. Types without any hit do not count against it. */
static enum isx_status score_asset(struct passage_search *search, double *score,
				   struct isx_err *err)
{
	double sum = 0;
	size_t matched = 0;
	for (size_t i = 0; i < search->type_count; i++) {
		double one;
		if (search->types[i].matched == 0)
			continue;
		enum isx_status st = score_type(search, &search->types[i], &one, err);
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

/* Score the asset `id`, offer it to the ranking, and move the streams that were at it to their
 * next asset. The hits of a stream are valid until it moves, so all are taken and scored before
 * any stream moves. */
static enum isx_status take_asset(struct passage_search *search, const struct isx_passage_ask *ask,
				  uint64_t id, struct isx_err *err)
{
	double score;
	enum isx_status st = ISX_OK;
	forget_best(search);
	for (size_t i = 0; i < search->stream_count; i++) {
		struct isx_passage_stream *stream = &search->streams[i];
		for (size_t k = 0; !stream->at_end && stream->id == id && k < stream->hit_count;
		     k++)
			offer_hit(&search->types[stream->query->position], &stream->hits[k]);
	}
	/* The asset of a query by ISCC-ID is no match of itself. */
	if (!ask->excludes_self || id != ask->self) {
		st = score_asset(search, &score, err);
		if (!st)
			st = isx_ranking_offer(&search->ranking, score, id, err);
	}
	for (size_t i = 0; !st && i < search->stream_count; i++)
		if (!search->streams[i].at_end && search->streams[i].id == id)
			st = isx_passage_next(&search->streams[i], err);
	return st;
}

/* --- all threads ------------------------------------------------------------------------------ */

/* A search as its threads share it. */
struct shared_search {
	const struct isx_passage_ask *ask;
	struct isx_crew *crew;
	struct passage_search *search; /* of the caller's thread */
	struct isx_ranges ranges;
	struct further {
		struct passage_search search; /* its own view, types, cache and ranking */
		struct isx_arena arena;
	} * further; /* of each other member, by its number */
};

/* Give a thread its own copy of everything that changes. */
static enum isx_status copy_search(struct shared_search *shared, unsigned number,
				   struct isx_err *err)
{
	const struct passage_search *search = shared->search;
	struct further *own = &shared->further[number];
	own->search = *search;
	own->search.view = shared->crew->views[number];
	/* A further view begins with an empty meter. The cancel check has to allow calls of
	 * several threads. */
	own->search.view->meter.cancel_check = search->view->meter.cancel_check;
	own->search.view->meter.cancel_arg = search->view->meter.cancel_arg;
	own->search.arena = &own->arena;
	own->search.ranking = isx_page_ranking(shared->ask->query, ISX_PAGE_CHUNK_MATCHES,
					       search->ranking.quota);
	own->search.types = isx_arena_alloc(&own->arena, search->type_count,
					    sizeof *own->search.types);
	own->search.cache = isx_arena_alloc(&own->arena, CACHE_ENTRIES, sizeof *own->search.cache);
	if (!own->search.types || !own->search.cache)
		return isx_fail_memory(err);
	for (size_t i = 0; i < search->type_count; i++) {
		struct type_search *type = &own->search.types[i];
		*type = search->types[i];
		type->best = isx_arena_alloc(&own->arena, type->query.count, sizeof *type->best);
		if (!type->best)
			return isx_fail_memory(err);
	}
	return ISX_OK;
}

/* One range as a thread ranks it. */
struct own_range {
	struct isx_ranges *ranges;
	struct passage_search *search;
	uint64_t id_max; /* falls when a part is given to another thread */
	uint64_t given;  /* isx_ranges_share() */
};

/* Called before a stream reads a page: give the end of the range away if another thread waits for
 * work. Every stream has read up to some page, so the range is cut behind all of these. */
static void share_range(void *arg)
{
	struct own_range *range = arg;
	struct passage_search *search = range->search;
	uint64_t id = 0, before = range->id_max;
	for (size_t i = 0; i < search->stream_count; i++)
		if (search->streams[i].page_id > id)
			id = search->streams[i].page_id;
	isx_ranges_share(range->ranges, id, search->view->meter.rows, &range->given,
			 &range->id_max);
	for (size_t i = 0; range->id_max != before && i < search->stream_count; i++)
		search->streams[i].id_max = range->id_max;
}

/* Open the streams of all types and lengths over the assets of a range, from id_min on. They live in
 * `arena`. Also on failure the caller closes the first search->stream_count of them. */
static enum isx_status open_streams(struct passage_search *search, struct isx_arena *arena,
				    uint64_t id_min, struct own_range *range, struct isx_err *err)
{
	search->stream_count = 0;
	search->streams = isx_arena_alloc(arena, search->type_count * ISX_SIMPRINT_BYTES_MAX,
					  sizeof *search->streams);
	if (!search->streams)
		return isx_fail_memory(err);
	for (size_t i = 0; i < search->type_count; i++) {
		const struct isx_passage_query *query = &search->types[i].query;
		for (size_t bytes = 1; bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++) {
			if (!has_rows(search, query->type, bytes))
				continue;
			struct isx_passage_stream *stream =
				&search->streams[search->stream_count++];
			stream->before_page = share_range;
			stream->before_page_arg = range;
			enum isx_status st = isx_passage_open(
				stream, search->view, query, bytes, id_min, range->id_max,
				search->types[i].threshold, arena, err);
			if (st)
				return st;
		}
	}
	return ISX_OK;
}

/* Rank the assets from id_min to id_max, both included, or the part of them that is not given to
 * another thread. The buffers of the streams end with the range. */
static enum isx_status rank_range(struct passage_search *search, struct shared_search *shared,
				  uint64_t id_min, uint64_t id_max, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct own_range range = { &shared->ranges, search, id_max, search->view->meter.rows };
	enum isx_status st = open_streams(search, &arena, id_min, &range, err);
	for (uint64_t id = 0; !st && least_id(search, &id);)
		st = take_asset(search, shared->ask, id, err);
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
	enum isx_status st = number ? copy_search(shared, number, err) : ISX_OK;
	struct passage_search *search = number ? &shared->further[number].search : shared->search;
	while (!st && isx_ranges_take(&shared->ranges, has_piece, &id_min, &id_max)) {
		has_piece = true;
		st = rank_range(search, shared, id_min, id_max, err);
	}
	if (st)
		isx_ranges_fail(&shared->ranges);
	return st;
}

/* Merge the ranking of a thread into that of the search, and release what the thread had. */
static enum isx_status merge_search(struct passage_search *search, struct further *own,
				    struct isx_err *err)
{
	enum isx_status st = isx_ranking_merge(&search->ranking, &own->search.ranking, err);
	isx_arena_release(&own->arena);
	return st;
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
 * them. Costs one lookup for each type and length. */
static enum isx_status measure_work(struct passage_search *search, uint64_t *pairs,
				    uint64_t *id_min, uint64_t *id_max, struct isx_err *err)
{
	*pairs = *id_max = 0; /* an empty range, which the first table widens */
	*id_min = UINT64_MAX;
	for (size_t i = 0; i < search->type_count; i++) {
		const struct isx_passage_query *query = &search->types[i].query;
		for (size_t bytes = 1; bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++) {
			int rc = has_rows(search, query->type, bytes)
					 ? measure_table(search, query, bytes, pairs, id_min,
							 id_max)
					 : 0;
			if (rc)
				return isx_lmdb_status(rc, "measure simprints", err);
		}
	}
	return ISX_OK;
}

/* Rank all assets, with a further thread for each PAIRS_PER_THREAD pairs of simprints if there are
 * processors for it. One core compares 1.6 thousand million pairs a second (bench/README.md,
 * passages), so a thread has at least 2.5 ms of work. */
static enum isx_status rank_assets(struct passage_search *search, const struct isx_passage_ask *ask,
				   struct isx_err *err)
{
	enum { PAIRS_PER_THREAD = 4000000 };
	uint64_t pairs, id_min, id_max;
	struct isx_crew crew;
	enum isx_status st = measure_work(search, &pairs, &id_min, &id_max, err);
	if (st || pairs == 0)
		return st;
	uint64_t wanted = pairs / PAIRS_PER_THREAD;
	isx_crew_begin(&crew, search->view, isx_scan_slots_max(search->options),
		       wanted < ISX_CREW_MAX ? (unsigned)wanted : ISX_CREW_MAX);
	struct shared_search shared = { .ask = ask, .crew = &crew, .search = search };
	shared.further = isx_arena_alloc(search->arena, crew.count, sizeof *shared.further);
	if (!shared.further) {
		isx_crew_end(&crew);
		return isx_fail_memory(err);
	}
	isx_ranges_init(&shared.ranges, id_min, id_max);
	st = isx_crew_run(&crew, crew.count, rank_ranges, &shared, err);
	isx_ranges_release(&shared.ranges);
	for (unsigned i = 1; i < crew.count; i++) {
		enum isx_status merged = merge_search(search, &shared.further[i], st ? NULL : err);
		st = st ? st : merged;
	}
	isx_crew_end(&crew);
	isx_ranking_sort(&search->ranking);
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
		if (isx_unit_score(hit.distance, hit.compared_bits) >= type->threshold)
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
	return st ? st : score_type(search, type, &made->score, err);
}

/* Describe one winner. Its scores come out as in the ranking: the same hits, the same functions. */
static enum isx_status make_match(struct passage_search *search, const struct isx_ranked *ranked,
				  uint32_t realm, struct isx_chunk_match *match,
				  struct isx_err *err)
{
	const struct isx_iscc_id iscc_id = { .body = ranked->id, .realm = realm, .version = 1 };
	struct isx_chunk_type *types = isx_arena_alloc(search->arena, search->type_count,
						       sizeof *types);
	if (!types)
		return isx_fail_memory(err);
	isx_iscc_id_print(&iscc_id, match->iscc_id);
	match->score = ranked->score;
	match->types = types;
	forget_best(search);
	for (size_t i = 0; i < search->type_count; i++) {
		struct type_search *type = &search->types[i];
		enum isx_status st = ISX_OK;
		for (size_t bytes = 1; !st && bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++)
			if (isx_sim_tables(search->view)->simprints[bytes])
				st = isx_lmdb_status(offer_rows(search, type, ranked->id, bytes),
						     "look up simprints", err);
		if (!st && type->matched)
			st = make_type(search, type, &types[match->type_count++], err);
		if (st)
			return st;
	}
	return ISX_OK;
}

enum isx_status isx_passage_search(const struct isx_passage_ask *ask, struct isx_arena *arena,
				   struct isx_chunk_match **matches, uint64_t **ids, size_t *count,
				   struct isx_err *err)
{
	struct passage_search search = {
		.view = ask->view,
		.options = ask->options,
		.arena = arena,
		.ranking = isx_page_ranking(ask->query, ISX_PAGE_CHUNK_MATCHES, arena->quota)
	};
	struct isx_chunk_match *made = NULL;
	uint64_t *bodies = NULL;
	enum isx_status st = read_query(&search, ask->query, err);
	if (!st && search.type_count)
		st = rank_assets(&search, ask, err);
	size_t found = search.ranking.count;
	*ask->total = search.ranking.offered;
	if (!st) {
		made = isx_arena_alloc(arena, found, sizeof *made);
		bodies = isx_arena_alloc(arena, found, sizeof *bodies);
		st = made && bodies ? ISX_OK : isx_fail_memory(err);
	}
	for (size_t i = 0; !st && i < found; i++) {
		bodies[i] = search.ranking.items[i].id;
		st = make_match(&search, &search.ranking.items[i], ask->realm, &made[i], err);
	}
	isx_ranking_release(&search.ranking);
	if (st)
		return st;
	*matches = made;
	*ids = bodies;
	*count = found;
	return ISX_OK;
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
