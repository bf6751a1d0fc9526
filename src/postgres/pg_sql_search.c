/*
 * pg_sql_search.c - searches by SQL: the server compares, this program ranks.
 *
 * The server returns hits in the order of ISCC-IDs, for each asset the best one of each queried
 * type (or simprint). They are scored and ranked as they arrive, by the functions that the scan
 * of a follower uses, so that scores and order are the same to the last bit. Only the ranking is
 * kept, so the memory does not grow with the number of hits. Exact, but the server reads every
 * row of a queried type: for small indexes.
 *
 * All statements run on one connection, in the snapshot that the caller has begun.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_sql_search.h"

#include "base/mem.h"
#include "engine/explain.h"
#include "engine/meter.h"
#include "engine/paging.h"
#include "engine/scorer.h"
#include "iscc/base32.h"
#include "iscc/iscc_id.h"
#include "postgres/pg_fields.h"
#include "json/wire.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PASSAGES_MAX = 10000, /* simprints of one type in a query; each is compared with each row */
	ROWS_A_QUESTION = 4096 /* rows between two calls of cancel_check() */
};

/* A simprint of the query, and its best hit in the asset whose rows are being read. */
struct sql_passage {
	const char *text; /* base64, as it was sent */
	uint8_t bytes[ISX_SIMPRINT_BYTES_MAX];
	size_t byte_count;    /* 0: the text could not be decoded */
	uint64_t freq;        /* number of assets that have this simprint */
	double score;         /* of the best hit; -1: none */
	uint64_t stored_freq; /* number of assets that have the simprint of the best hit */
};

/* The simprints of one type in the query. */
struct sql_type {
	const char *type;
	struct sql_passage *passages;
	size_t count;
	bool is_there;  /* the index has simprints of this type */
	size_t matched; /* simprints that have a hit in the asset being read */
};

/* One query; its memory is the arena's. */
struct sql_search {
	struct isx_pg_conn *conn;
	const struct isx_pg_head *head;
	const char *name;
	const struct isx_options *options;
	struct isx_arena *arena;
	struct isx_query_plan plan;
	struct isx_scorer scorer;
	struct isx_id_set passing; /* with a filter: the assets for which it holds */
	bool excludes_self;        /* the query is by ISCC-ID: its own asset is no match */
	uint64_t self;             /* its ISCC-ID */
	struct sql_type *types;    /* of simprints */
	size_t type_count;
};

/* --- the query -------------------------------------------------------------------------------- */

/* Read the asset that a query by ISCC-ID names, and exclude it from the matches. */
static enum isx_status read_asset(struct sql_search *search, const char *iscc_id,
				  struct isx_asset *asset, struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *row = NULL;
	struct isx_iscc_id id;
	uint8_t bytes[8];
	enum isx_status st = isx_iscc_id_parse(isx_span_of(iscc_id), &id, err);
	if (!st)
		st = isx_pg_check_realm(search->head, iscc_id, id.realm, err);
	if (st)
		return st;
	isx_store_be64(bytes, id.body);
	isx_pg_add_text(&params, search->name);
	isx_pg_add_bytes(&params, bytes, sizeof bytes);
	/* In the snapshot of the search: the asset cannot change between this lookup and the
	 * ranking. */
	st = isx_pg_run(search->conn, ISX_PG_ASSET_GET, &params, &row, err);
	if (!st && (PQntuples(row) != 1 || PQgetisnull(row, 0, 1)))
		st = isx_fail(err, ISX_NOT_FOUND, "Asset '%s' not found in index", iscc_id);
	if (!st)
		st = isx_pg_read_asset(search->head, id.body, isx_pg_field(row, 0, 1),
				       (struct isx_span){ 0 }, search->arena, asset, err);
	/* By its ISCC-ID and not by its score: a copy under another ISCC-ID is a match. */
	search->excludes_self = true;
	search->self = id.body;
	PQclear(row);
	isx_pg_params_release(&params);
	return st;
}

/* The base64 of a varbit. NULL: no memory. A field of another form becomes an empty text. */
static const char *text_of_bits(struct isx_arena *arena, struct isx_span bits)
{
	/* A varbit in binary form begins with its number of bits, in 4 bytes. */
	char *text = isx_arena_alloc(arena, 1, 2 * ISX_SIMPRINT_BYTES_MAX);
	if (text && bits.len >= 4 && bits.len - 4 <= ISX_SIMPRINT_BYTES_MAX)
		isx_base64_encode((const uint8_t *)bits.ptr + 4, bits.len - 4, text);
	return text;
}

/* Replace the simprints of the query by those that the asset has stored. Rows are sorted by
 * type. */
static enum isx_status add_own_chunks(struct sql_search *search, struct isx_query *query,
				      struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *rows = NULL;
	uint8_t id[8];
	isx_store_be64(id, search->self);
	isx_pg_add_i64(&params, search->head->index_id);
	isx_pg_add_bytes(&params, id, sizeof id);
	enum isx_status st = isx_pg_run(search->conn, ISX_PG_SIMPRINTS_OF_ASSET, &params, &rows,
					err);
	size_t count = st ? 0 : (size_t)PQntuples(rows);
	struct isx_query_simprints *types = isx_arena_alloc(search->arena, count, sizeof *types);
	const char **values = isx_arena_alloc(search->arena, count, sizeof *values);
	if (!st && (!types || !values))
		st = isx_fail_memory(err);
	query->simprint_type_count = 0;
	for (size_t i = 0; !st && i < count; i++) {
		struct isx_span type = isx_pg_field(rows, (int)i, 0);
		struct isx_query_simprints *last = query->simprint_type_count
							   ? &types[query->simprint_type_count - 1]
							   : NULL;
		if (!last || !isx_span_is(type, last->type)) { /* rows of another type begin */
			last = &types[query->simprint_type_count++];
			last->type = isx_arena_text(search->arena, type.ptr, type.len);
			last->values = values + i;
		}
		values[i] = text_of_bits(search->arena, isx_pg_field(rows, (int)i, 1));
		last->count++;
		if (!last->type || !values[i])
			st = isx_fail_memory(err);
	}
	/* `values` has one entry for each row, so each type points into it where its rows begin. */
	query->simprints = query->simprint_type_count ? types : NULL;
	PQclear(rows);
	isx_pg_params_release(&params);
	return st;
}

/* Plan the query as given, or, for a query by ISCC-ID, with the units of that asset. */
static enum isx_status make_plan(struct sql_search *search, const struct isx_query *query,
				 struct isx_err *err)
{
	struct isx_query effective = *query;
	struct isx_asset asset;
	if (query->iscc_id) {
		enum isx_status st = read_asset(search, query->iscc_id, &asset, err);
		if (st)
			return st;
		isx_query_of_asset(&asset, query, &effective);
		if (query->own_chunks)
			st = add_own_chunks(search, &effective, err);
		if (st)
			return st;
	}
	return isx_query_plan(&effective, query->iscc_id ? ISX_LONGEST_FORMS : ISX_EVERY_UNIT,
			      search->arena, &search->plan, err);
}

/* --- units ------------------------------------------------------------------------------------ */

/* $1 to $5 of the statements that score units: the index, and for each queried unit the place of
 * its type in plan.types, type, body, and whether it is of type INSTANCE. They are parameters and
 * no text of the statement: nothing that a client sends is ever read as SQL. */
static void add_units(struct isx_pg_params *params, const struct sql_search *search)
{
	const struct isx_query_plan *plan = &search->plan;
	isx_pg_add_i64(params, search->head->index_id);
	/* One array for each column of the queried units; the statement joins them by unnest(). */
	isx_pg_array_open(params, ISX_PG_INT8);
	for (size_t i = 0; i < plan->unit_count; i++)
		isx_pg_array_i64(params,
				 (int64_t)isx_query_type_position(plan, plan->units[i].type));
	isx_pg_array_close(params);
	isx_pg_array_open(params, ISX_PG_TEXT);
	for (size_t i = 0; i < plan->unit_count; i++)
		isx_pg_array_bytes(params, plan->units[i].type, strlen(plan->units[i].type));
	isx_pg_array_close(params);
	isx_pg_array_open(params, ISX_PG_VARBIT);
	for (size_t i = 0; i < plan->unit_count; i++)
		isx_pg_array_bits(params, plan->units[i].body, plan->units[i].body_bytes);
	isx_pg_array_close(params);
	isx_pg_array_open(params, ISX_PG_INT8);
	for (size_t i = 0; i < plan->unit_count; i++)
		isx_pg_array_i64(params, plan->units[i].is_instance);
	isx_pg_array_close(params);
}

/* The thresholds of the queried unit types, in the order of the plan. */
static void add_unit_thresholds(struct isx_pg_params *params, const struct sql_search *search)
{
	const struct isx_query_plan *plan = &search->plan;
	isx_pg_array_open(params, ISX_PG_FLOAT8);
	for (size_t i = 0; i < plan->type_count; i++)
		isx_pg_array_f64(params, search->scorer.types[i].threshold);
	isx_pg_array_close(params);
}

/* Called for each row: calls cancel_check() every ROWS_A_QUESTION rows. A cancelled search leaves
 * rows unread, so its connection cannot be used again. */
static enum isx_status ask(const struct sql_search *search, size_t *rows, struct isx_err *err)
{
	const struct isx_query *query = &search->plan.query;
	if (!query->cancel_check || (*rows)++ % ROWS_A_QUESTION)
		return ISX_OK;
	enum isx_status st = isx_cancel_ask(query->cancel_check, query->cancel_arg, err);
	if (st)
		search->conn->broken = true; /* the rest of the rows is not wanted */
	return st;
}

/* Offer an asset to a ranking, once all its rows were read. The own asset and the filter are
 * looked at here and not by the server, so that the same statements serve all searches. */
static enum isx_status offer(struct sql_search *search, struct isx_ranking *ranking, uint64_t id,
			     double rank, struct isx_err *err)
{
	if (search->excludes_self && id == search->self)
		return ISX_OK;
	if (search->plan.filter && !isx_id_set_has(&search->passing, id))
		return ISX_OK;
	return isx_ranking_offer(ranking, rank, id, err);
}

/* Offer an asset by the evidence of its units. */
static enum isx_status offer_units(struct sql_search *search, struct isx_ranking *ranking,
				   uint64_t id, const struct isx_evidence *evidence,
				   struct isx_err *err)
{
	struct isx_ranked ranked;
	return isx_scorer_rank(&search->scorer, evidence, &ranked)
		       ? offer(search, ranking, id, ranked.rank, err)
		       : ISX_OK;
}

/* Take a row of the statements that score units: the best comparison of one type. The distance is
 * what the share of equal bits was made of, by the same division.
 *   share  the column of the share: that of the score, or one of its own */
static void enter_evidence(const PGresult *rows, int row, int share, struct isx_evidence *evidence)
{
	double bits = isx_pg_f64(rows, row, 3);
	evidence[isx_pg_i64(rows, row, 1)] = (struct isx_evidence){
		.score = isx_pg_f64(rows, row, 2),
		.distance = (uint32_t)lround((1 - isx_pg_f64(rows, row, share)) * bits),
		.compared_bits = (uint32_t)bits
	};
}

/* Complete a scorer that needs odds: count the units of the queried types. Distances are not sampled
 * in a database, so that the p-values are those of random codes. */
static enum isx_status find_odds(struct sql_search *search, struct isx_err *err)
{
	struct isx_query_plan *plan = &search->plan;
	struct isx_pg_params params = { 0 };
	struct isx_type_odds *odds = NULL;
	PGresult *rows = NULL;
	enum isx_status st = ISX_OK;
	isx_pg_add_i64(&params, search->head->index_id);
	isx_pg_array_open(&params, ISX_PG_TEXT);
	for (size_t t = 0; !st && t < plan->type_count; t++) {
		struct isx_type_odds *of = isx_type_odds(&odds, plan->types[t], search->arena);
		isx_pg_array_bytes(&params, plan->types[t], strlen(plan->types[t]));
		search->scorer.types[t].odds = of;
		st = of ? ISX_OK : isx_fail_memory(err);
		if (of)
			of->rows = 0;
	}
	isx_pg_array_close(&params);
	if (!st)
		st = isx_pg_run(search->conn, ISX_PG_COUNT_UNITS, &params, &rows, err);
	for (int row = 0; !st && row < PQntuples(rows); row++) {
		struct isx_type_odds *of =
			isx_type_odds(&odds, plan->types[isx_pg_i64(rows, row, 0)], search->arena);
		of->rows += (uint64_t)isx_pg_i64(rows, row, 2);
		of->lengths |= (uint64_t)1 << isx_pg_i64(rows, row, 1);
	}
	for (size_t i = 0; !st && i < plan->unit_count; i++)
		if (!plan->units[i].is_instance)
			st = isx_type_odds_fill(
				isx_type_odds(&odds, plan->units[i].type, search->arena),
				plan->units[i].body_bytes, search->arena, err);
	PQclear(rows);
	isx_pg_params_release(&params);
	return st;
}

/* Rank the assets by their units. The rows of an asset follow each other: the first row of
 * another one means that the evidence collected so far is complete. */
static enum isx_status rank_by_units(struct sql_search *search, struct isx_ranking *ranking,
				     struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	struct isx_evidence evidence[ISX_UNITS_MAX];
	size_t asked = 0;
	uint64_t id = 0;
	bool any = false; /* a row was read: 0 is an ISCC-ID, too */
	PGresult *row = NULL;
	enum isx_status st = search->scorer.needs_odds ? find_odds(search, err) : ISX_OK;
	add_units(&params, search);
	add_unit_thresholds(&params, search);
	isx_pg_add_i64(&params, search->scorer.needs_all);
	isx_evidence_clear(&search->plan, evidence);
	if (!st)
		st = isx_pg_rows_begin(search->conn, ISX_PG_SEARCH_UNITS, &params, err);
	while (!st && !(st = isx_pg_rows_next(search->conn, &row, err)) && row) {
		uint64_t next = isx_load_be64(isx_pg_field(row, 0, 0).ptr);
		st = ask(search, &asked, err);
		if (!st && any && next != id) {
			st = offer_units(search, ranking, id, evidence, err);
			isx_evidence_clear(&search->plan, evidence);
		}
		any = true;
		id = next;
		enter_evidence(row, 0, 2, evidence);
		PQclear(row);
	}
	if (!st && any)
		st = offer_units(search, ranking, id, evidence, err);
	isx_pg_params_release(&params);
	isx_ranking_sort(ranking);
	return st;
}

/* The ISCC-IDs of a ranking, as an array parameter. */
static void add_ranked(struct isx_pg_params *params, const struct isx_ranking *ranking)
{
	isx_pg_array_open(params, ISX_PG_BYTEA);
	for (size_t i = 0; i < ranking->count; i++) {
		uint8_t id[8];
		isx_store_be64(id, ranking->items[i].id);
		isx_pg_array_bytes(params, id, sizeof id);
	}
	isx_pg_array_close(params);
}

/* The places of a ranking in the order of the ISCC-IDs, in which the server returns rows: so each is found
 * by walking, and not by a search through all winners for each row. */
struct places {
	const struct isx_ranking *ranking;
	size_t *order;
	size_t at; /* of the place found last */
};

/* Order of qsort_r(), which hands on the items of the ranking. */
static int by_id(const void *left, const void *right, void *items)
{
	const struct isx_ranked *ranked = items;
	uint64_t a = ranked[*(const size_t *)left].id, b = ranked[*(const size_t *)right].id;
	return a < b ? -1 : a > b;
}

static enum isx_status list_places(struct places *places, const struct isx_ranking *ranking,
				   struct isx_arena *arena, struct isx_err *err)
{
	*places = (struct places){ .ranking = ranking,
				   .order = isx_arena_alloc(arena, ranking->count,
							    sizeof *places->order) };
	if (!places->order)
		return isx_fail_memory(err);
	for (size_t i = 0; i < ranking->count; i++)
		places->order[i] = i;
	qsort_r(places->order, ranking->count, sizeof *places->order, by_id, ranking->items);
	return ISX_OK;
}

/* The place of an asset; that of the last one if it is not there.
 *   id  no less than that of the call before */
static size_t place_of(struct places *places, uint64_t id)
{
	while (places->at + 1 < places->ranking->count &&
	       places->ranking->items[places->order[places->at]].id < id)
		places->at++;
	return places->order[places->at];
}

/* Print an ISCC-ID with the realm of the index. */
static void print_id(const struct sql_search *search, uint64_t id, char *text)
{
	struct isx_iscc_id iscc_id = { .body = id, .realm = search->head->realm, .version = 1 };
	isx_iscc_id_print(&iscc_id, text);
}

/* Make the matches. Their evidence is asked for again, as ranking leaves out scores below the
 * threshold. One statement for all of them: a trip to the server for each would cost more than the
 * rows. */
static enum isx_status make_matches(struct sql_search *search, const struct isx_ranking *ranking,
				    struct isx_result *result, struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *rows = NULL;
	struct places places;
	size_t type_count = search->plan.type_count;
	struct isx_match *matches = isx_arena_alloc(search->arena, ranking->count, sizeof *matches);
	struct isx_evidence *evidence = isx_arena_alloc(search->arena, ranking->count * type_count,
							sizeof *evidence);
	if (!matches || !evidence)
		return isx_fail_memory(err);
	enum isx_status st = list_places(&places, ranking, search->arena, err);
	if (st)
		return st;
	add_units(&params, search);
	add_ranked(&params, ranking);
	st = isx_pg_run(search->conn, ISX_PG_SCORE_UNITS, &params, &rows, err);
	for (size_t i = 0; i < ranking->count; i++)
		isx_evidence_clear(&search->plan, evidence + i * type_count);
	for (int row = 0; !st && row < PQntuples(rows); row++) {
		uint64_t id = isx_load_be64(isx_pg_field(rows, row, 0).ptr);
		enter_evidence(rows, row, 4, evidence + place_of(&places, id) * type_count);
	}
	for (size_t i = 0; !st && i < ranking->count; i++) {
		print_id(search, ranking->items[i].id, matches[i].iscc_id);
		st = isx_scorer_describe(&search->scorer, &search->plan, evidence + i * type_count,
					 search->arena, &matches[i], err);
	}
	result->matches = matches;
	result->match_count = st ? 0 : ranking->count;
	PQclear(rows);
	isx_pg_params_release(&params);
	return st;
}

/* --- simprints -------------------------------------------------------------------------------- */

/* $1 to $5 of the statements about simprints: the index, and for each queried simprint the place
 * of its type, type, place in the type, bits. Types that the index does not have are left out. */
static void add_passages(struct isx_pg_params *params, const struct sql_search *search)
{
	isx_pg_add_i64(params, search->head->index_id);
	/* All simprints once for each column, as an array parameter is written in one piece. */
	for (int column = 0; column < 4; column++) {
		static const enum isx_pg_type of[] = { ISX_PG_INT8, ISX_PG_TEXT, ISX_PG_INT8,
						       ISX_PG_VARBIT };
		isx_pg_array_open(params, of[column]);
		for (size_t t = 0; t < search->type_count; t++) {
			const struct sql_type *type = &search->types[t];
			for (size_t i = 0; type->is_there && i < type->count; i++) {
				if (column == 0)
					isx_pg_array_i64(params, (int64_t)t);
				else if (column == 1)
					isx_pg_array_bytes(params, type->type, strlen(type->type));
				else if (column == 2)
					isx_pg_array_i64(params, (int64_t)i);
				else
					isx_pg_array_bits(params, type->passages[i].bytes,
							  type->passages[i].byte_count);
			}
		}
		isx_pg_array_close(params);
	}
}

/* The thresholds of the queried simprint types, in their order. */
static void add_passage_thresholds(struct isx_pg_params *params, const struct sql_search *search)
{
	isx_pg_array_open(params, ISX_PG_FLOAT8);
	for (size_t t = 0; t < search->type_count; t++)
		isx_pg_array_f64(params,
				 isx_query_threshold(&search->plan.query, search->types[t].type,
						     search->options->match_threshold_simprints));
	isx_pg_array_close(params);
}

/* Decode the simprints of one type. One that cannot be decoded is an error only if the index has
 * simprints of its type, which is not known yet; check_passage() reports it then. */
static enum isx_status read_type(struct sql_search *search, const struct isx_query_simprints *given,
				 struct sql_type *type, struct isx_err *err)
{
	type->type = given->type;
	type->is_there = true;
	type->count = given->count;
	type->passages = isx_arena_alloc(search->arena, given->count, sizeof *type->passages);
	if (!type->passages)
		return isx_fail_memory(err);
	for (size_t i = 0; i < given->count; i++) {
		struct sql_passage *passage = &type->passages[i];
		passage->text = given->values[i];
		if (isx_base64_decode(isx_span_of(passage->text), passage->bytes,
				      sizeof passage->bytes, &passage->byte_count, NULL))
			passage->byte_count = 0;
	}
	return ISX_OK;
}

/* Report what is wrong with a simprint whose type the index has.
 *   has_length  the index has simprints of its length */
static enum isx_status check_passage(const struct sql_type *type, size_t i, bool has_length,
				     struct isx_err *err)
{
	const struct sql_passage *passage = &type->passages[i];
	uint8_t bytes[ISX_SIMPRINT_BYTES_MAX];
	size_t count;
	enum isx_status st = isx_base64_decode(isx_span_of(passage->text), bytes, sizeof bytes,
					       &count, err);
	if (!st && (passage->byte_count == 0 || !has_length))
		st = isx_fail(err, ISX_INVALID,
			      "%zu bits: the index has no simprints of this length",
			      passage->byte_count * 8);
	return st ? isx_err_at(err, st, "simprints.%s[%zu]", type->type, i) : ISX_OK;
}

/* As for a simprint that cannot be decoded: too many are an error only where the index has their
 * type. */
static enum isx_status check_count(const struct sql_type *type, struct isx_err *err)
{
	if (!type->is_there || type->count <= PASSAGES_MAX)
		return ISX_OK;
	return isx_fail(err, ISX_INVALID, "simprints.%s: expected at most %d, found %zu",
			type->type, PASSAGES_MAX, type->count);
}

/* Decode the simprints of the query, read their frequencies, and check those whose type the
 * index has. */
static enum isx_status read_passages(struct sql_search *search, struct isx_err *err)
{
	const struct isx_query *query = &search->plan.query;
	struct isx_pg_params params = { 0 };
	PGresult *rows = NULL;
	enum isx_status st = ISX_OK;
	search->type_count = query->simprint_type_count;
	search->types = isx_arena_alloc(search->arena, search->type_count, sizeof *search->types);
	if (!search->types)
		return isx_fail_memory(err);
	for (size_t t = 0; !st && t < search->type_count; t++)
		st = read_type(search, &query->simprints[t], &search->types[t], err);
	add_passages(&params, search);
	if (!st)
		st = isx_pg_run(search->conn, ISX_PG_COUNT_SIMPRINTS, &params, &rows, err);
	for (int row = 0; !st && row < PQntuples(rows); row++) {
		struct sql_type *type = &search->types[isx_pg_i64(rows, row, 0)];
		size_t i = (size_t)isx_pg_i64(rows, row, 1);
		type->is_there = isx_pg_bool(rows, row, 3);
		type->passages[i].freq = (uint64_t)isx_pg_i64(rows, row, 2);
		if (i == 0) /* once for each type */
			st = check_count(type, err);
		if (!st && type->is_there)
			st = check_passage(type, i, isx_pg_bool(rows, row, 4), err);
	}
	PQclear(rows);
	isx_pg_params_release(&params);
	return st;
}

/* Forget the hits of the asset that was read last. */
static void forget_best(struct sql_search *search)
{
	for (size_t t = 0; t < search->type_count; t++) {
		search->types[t].matched = 0;
		for (size_t i = 0; i < search->types[t].count; i++)
			search->types[t].passages[i].score = -1;
	}
}

/* The score of one type in the asset being read: the mean of the best hits, weighted by rarity.
 * A simprint without a hit counts as 0, with the weight of the queried one. */
static double score_type(const struct sql_search *search, const struct sql_type *type,
			 double *weight_sum)
{
	double found = 0, all = 0;
	for (size_t i = 0; i < type->count; i++) {
		const struct sql_passage *passage = &type->passages[i];
		bool matched = passage->score >= 0;
		double weight = isx_simprint_weight((uint64_t)search->head->assets,
						    matched ? passage->stored_freq : passage->freq);
		all += weight;
		if (matched)
			found += weight * passage->score;
	}
	*weight_sum = all;
	return all > 0 ? found / all : 0;
}

/* The score of the asset being read, over the types that have a hit. */
static double score_passages(const struct sql_search *search)
{
	double sum = 0, weight;
	size_t matched = 0;
	for (size_t t = 0; t < search->type_count; t++) {
		if (search->types[t].matched) {
			sum += score_type(search, &search->types[t], &weight);
			matched++;
		}
	}
	return isx_passages_score(sum, matched);
}

/* Enter a row, the best hit of one queried simprint, into the asset being read. */
static void enter_hit(struct sql_search *search, const PGresult *rows, int row)
{
	struct sql_type *type = &search->types[isx_pg_i64(rows, row, 1)];
	struct sql_passage *passage = &type->passages[isx_pg_i64(rows, row, 2)];
	/* The statement returns the best hit of a simprint in an asset alone, so nothing is
	 * compared here. */
	passage->score = isx_pg_f64(rows, row, 3);
	passage->stored_freq = (uint64_t)isx_pg_i64(rows, row, 7);
	type->matched++;
}

/* Rank the assets by their simprints, as rank_by_units() does by units. */
static enum isx_status rank_by_passages(struct sql_search *search, struct isx_ranking *ranking,
					struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	size_t asked = 0;
	uint64_t id = 0;
	bool any = false; /* a row was read: 0 is an ISCC-ID, too */
	PGresult *row = NULL;
	add_passages(&params, search);
	add_passage_thresholds(&params, search);
	isx_pg_add_null(&params); /* $7: all assets */
	forget_best(search);
	enum isx_status st = isx_pg_rows_begin(search->conn, ISX_PG_SEARCH_SIMPRINTS, &params, err);
	while (!st && !(st = isx_pg_rows_next(search->conn, &row, err)) && row) {
		uint64_t next = isx_load_be64(isx_pg_field(row, 0, 0).ptr);
		st = ask(search, &asked, err);
		if (!st && any && next != id) {
			st = offer(search, ranking, id, score_passages(search), err);
			forget_best(search);
		}
		any = true;
		id = next;
		enter_hit(search, row, 0);
		PQclear(row);
	}
	if (!st && any)
		st = offer(search, ranking, id, score_passages(search), err);
	isx_pg_params_release(&params);
	isx_ranking_sort(ranking);
	return st;
}

/* Fill a matched passage from its row. */
static enum isx_status make_chunk(struct sql_search *search, const PGresult *rows, int row,
				  struct isx_chunk *chunk, struct isx_err *err)
{
	const struct sql_type *type = &search->types[isx_pg_i64(rows, row, 1)];
	const struct sql_passage *passage = &type->passages[isx_pg_i64(rows, row, 2)];
	char *query = isx_arena_alloc(search->arena, 1, 2 * ISX_SIMPRINT_BYTES_MAX);
	if (!query)
		return isx_fail_memory(err);
	isx_base64_encode(passage->bytes, passage->byte_count, query);
	chunk->query = query;
	chunk->score = isx_pg_f64(rows, row, 3);
	chunk->offset = (uint32_t)isx_pg_i64(rows, row, 4);
	chunk->size = (uint32_t)isx_pg_i64(rows, row, 5);
	chunk->match = text_of_bits(search->arena, isx_pg_field(rows, row, 6));
	chunk->freq = (uint64_t)isx_pg_i64(rows, row, 7);
	return chunk->match ? ISX_OK : isx_fail_memory(err);
}

/* Fill the match of one asset from its rows [first, end), which are sorted by type. The score of
 * a type is computed again with each of its rows, and is complete with the last. */
static enum isx_status make_chunk_match(struct sql_search *search, const PGresult *rows, int first,
					int end, struct isx_chunk_match *match, struct isx_err *err)
{
	struct isx_chunk_type *types = isx_arena_alloc(search->arena, search->type_count,
						       sizeof *types);
	struct isx_chunk *chunks = isx_arena_alloc(search->arena, (size_t)(end - first),
						   sizeof *chunks);
	enum isx_status st = types && chunks ? ISX_OK : isx_fail_memory(err);
	/* Chunks of a type are a part of one array, as rows are: no type needs a count
	 * beforehand. */
	forget_best(search);
	for (int row = first; !st && row < end; row++) {
		struct sql_type *of = &search->types[isx_pg_i64(rows, row, 1)];
		if (of->matched == 0)
			types[match->type_count++] =
				(struct isx_chunk_type){ .type = of->type,
							 .queried = of->count,
							 .chunks = chunks + (row - first) };
		enter_hit(search, rows, row);
		types[match->type_count - 1].matches++;
		types[match->type_count - 1].score =
			score_type(search, of, &types[match->type_count - 1].weight);
		st = make_chunk(search, rows, row, &chunks[row - first], err);
	}
	struct isx_chunk *of_type = chunks; /* the parts of the types follow each other */
	for (size_t t = 0; !st && search->plan.query.explains && t < match->type_count; t++) {
		isx_explain_passages(of_type, types[t].matches, (uint64_t)search->head->assets);
		of_type += types[t].matches;
	}
	match->types = types;
	return st;
}

/* Make the matches by simprints: the rows of the ranked assets are asked for again, as keeping
 * those of all assets while ranking would need memory for each hit. */
static enum isx_status make_chunk_matches(struct sql_search *search,
					  const struct isx_ranking *ranking,
					  struct isx_result *result, struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *rows = NULL;
	struct isx_chunk_match *matches = isx_arena_alloc(search->arena, ranking->count,
							  sizeof *matches);
	struct places places;
	if (!matches)
		return isx_fail_memory(err);
	enum isx_status st = list_places(&places, ranking, search->arena, err);
	if (st)
		return st;
	add_passages(&params, search);
	add_passage_thresholds(&params, search);
	add_ranked(&params, ranking);
	st = isx_pg_run(search->conn, ISX_PG_SEARCH_SIMPRINTS, &params, &rows, err);
	int count = st ? 0 : PQntuples(rows);
	for (int row = 0, end; !st && row < count; row = end) {
		uint64_t id = isx_load_be64(isx_pg_field(rows, row, 0).ptr);
		size_t place = place_of(&places, id);
		for (end = row + 1; end < count; end++)
			if (isx_load_be64(isx_pg_field(rows, end, 0).ptr) != id)
				break;
		print_id(search, id, matches[place].iscc_id);
		matches[place].score = ranking->items[place].rank;
		st = make_chunk_match(search, rows, row, end, &matches[place], err);
	}
	result->chunk_matches = matches;
	result->chunk_match_count = st ? 0 : ranking->count;
	PQclear(rows);
	isx_pg_params_release(&params);
	return st;
}

/* Search by simprints: their frequencies, then the ranking, then the matched passages. */
static enum isx_status find_passages(struct sql_search *search, struct isx_result *result,
				     struct isx_err *err)
{
	struct isx_ranking ranking = isx_page_ranking(&search->plan.query, ISX_PAGE_CHUNK_MATCHES,
						      search->arena->quota);
	enum isx_status st = read_passages(search, err);
	if (!st)
		st = rank_by_passages(search, &ranking, err);
	if (!st && ranking.count)
		st = make_chunk_matches(search, &ranking, result, err);
	if (!st && search->plan.query.facets)
		st = isx_pg_facets(search->conn, search->head, &search->plan.query, &ranking,
				   search->arena, &result->chunk_facets, err);
	result->chunk_match_total = ranking.offered;
	isx_ranking_release(&ranking);
	return st;
}

/* --- both ------------------------------------------------------------------------------------- */

enum isx_status isx_pg_sql_search(struct isx_pg_conn *conn, const struct isx_pg_head *head,
				  const char *name, const struct isx_options *options,
				  const struct isx_query *query, struct isx_arena *arena,
				  struct isx_result *result, struct isx_err *err)
{
	struct sql_search search = {
		.conn = conn, .head = head, .name = name, .options = options, .arena = arena
	};
	struct isx_ranking ranking = isx_page_ranking(query, ISX_PAGE_MATCHES, arena->quota);
	enum isx_status st = make_plan(&search, query, err);
	if (!st)
		st = isx_scorer_init(&search.scorer, &search.plan, options,
				     options->match_threshold_units, false, arena, err);
	if (!st && search.plan.filter)
		st = isx_pg_filter(conn, head, search.plan.filter, query, arena->quota,
				   &search.passing, err);
	if (search.scorer.explains) /* the answer repeats what the scores were made with */
		search.plan.query.exponent = search.scorer.exponent;
	/* Units and simprints have rankings of their own, each with the limit of the query. */
	if (!st && search.plan.unit_count)
		st = rank_by_units(&search, &ranking, err);
	if (!st && ranking.count)
		st = make_matches(&search, &ranking, result, err);
	if (!st && query->facets)
		st = isx_pg_facets(conn, head, query, &ranking, arena, &result->facets, err);
	if (!st && search.plan.query.simprint_type_count)
		st = find_passages(&search, result, err);
	else if (!st && query->facets)
		st = isx_pg_facets(conn, head, query, NULL, arena, &result->chunk_facets, err);
	result->match_total = ranking.offered;
	if (!st)
		st = isx_page_end(query, search.scorer.rank, &ranking, (uint64_t)head->change_seq,
				  arena, result, err);
	isx_ranking_release(&ranking);
	isx_id_set_release(&search.passing);
	if (!st)
		result->query = search.plan.query;
	return st;
}
