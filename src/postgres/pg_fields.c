/*
 * pg_fields.c - declare fields in the database, and evaluate filters without a follower.
 *
 * The list is a column of table index. A follower notices by its hash, in the head of the index, that
 * the list is another one, and is loaded again with the metadata of the assets (pg_follower.c): so
 * each host has the tables that searches need, and the database has none.
 *
 * Without followers a filter reads all assets of the index, in the snapshot of the search.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_fields.h"

#include "base/array.h"
#include "engine/facets.h"
#include "engine/filter.h"
#include "engine/index_info.h"
#include "engine/meter.h"
#include "iscc/iscc_id.h"
#include "postgres/pg_store.h"
#include "json/field_value.h"
#include "json/wire.h"

#include <stdlib.h>
#include <string.h>

enum { ASSETS_PER_QUESTION = 256 }; /* read between two calls of cancel_check() */

/* --- the list --------------------------------------------------------------------------------- */

struct getting {
	const char *name;
	struct isx_arena arena;
	struct isx_lmdb_fields fields;
};

/* For isx_pg_read(), which may call it again on another connection. */
static enum isx_status get_list(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct getting *getting = arg;
	struct isx_pg_head head;
	enum isx_status st = isx_pg_head(conn, getting->name, &head, err);
	return st ? st : isx_pg_fields_of(conn, &head, &getting->arena, &getting->fields, err);
}

enum isx_status isx_pg_fields_get(struct isx_engine *engine, const char *name, char ***fields,
				  size_t *count, struct isx_err *err)
{
	struct getting getting = { .name = name };
	enum isx_status st = isx_pg_read((struct isx_pg_store *)engine, get_list, &getting, err);
	if (!st)
		st = isx_lmdb_fields_copy(&getting.fields, fields, count, err);
	isx_arena_release(&getting.arena);
	return st;
}

struct setting {
	struct isx_pg_store *store;
	const char *name;
	const char *json;
};

/* To set the same list twice does no harm, so a lost connection is no failure. The row of the
 * index is locked from the beginning to the commit, as for every change of the index. */
static enum isx_status set_list(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	const struct setting *setting = arg;
	struct isx_pg_head head;
	struct isx_pg_params params = { 0 };
	enum isx_status st = isx_pg_begin_write(conn, setting->name, false, &head, err);
	if (st)
		return st;
	isx_pg_add_i64(&params, head.index_id);
	isx_pg_add_text(&params, setting->json);
	st = isx_pg_run(conn, ISX_PG_FIELDS_PUT, &params, NULL, err);
	if (!st)
		st = isx_pg_run(conn, ISX_PG_COMMIT, NULL, NULL, err);
	if (!st)
		st = isx_pg_head(conn, setting->name, &head, err);
	if (!st)
		isx_pg_wrote(setting->store, conn, &head);
	conn->retryable |= st && conn->broken;
	isx_pg_params_release(&params);
	return st;
}

/* Followers are loaded in the background, so that there is no progress to report. */
enum isx_status isx_pg_fields_set(struct isx_engine *engine, const char *name,
				  const char *const *fields, size_t count,
				  isx_progress_fn *progress, void *arg, struct isx_err *err)
{
	struct isx_buf json = { 0 };
	(void)progress, (void)arg;
	if (engine->options.read_only)
		return isx_fail(err, ISX_READ_ONLY, "the store was opened for reading only");
	isx_lmdb_fields_print(&json, fields, count);
	char *text = isx_buf_take(&json);
	struct setting setting = { (struct isx_pg_store *)engine, name, text };
	enum isx_status st = text ? isx_pg_do(setting.store->pool, set_list, &setting, err)
				  : isx_fail_memory(err);
	isx_mem_free(text);
	return st;
}

/* --- filters without a follower --------------------------------------------------------------- */

/* Evaluate a filter on one row of table asset. A row that is damaged counts as empty, as a follower
 * leaves it out. */
static enum isx_status holds_in_row(const struct isx_pg_head *head, const struct isx_filter *filter,
				    const PGresult *row, uint64_t id, bool *holds,
				    struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_asset asset = { 0 };
	enum isx_status st = isx_pg_read_asset(head, id, isx_pg_field(row, 0, 1),
					       isx_pg_field(row, 0, 2), &arena, &asset, NULL);
	if (st == ISX_CORRUPT)
		asset = (struct isx_asset){ 0 };
	st = st == ISX_NO_MEMORY ? isx_fail_memory(err)
				 : isx_filter_holds(filter, id, &asset, &arena, holds, err);
	isx_arena_release(&arena);
	return st;
}

/* Read all assets, in the order of their ISCC-IDs. A search that is cancelled leaves rows unread,
 * so its connection cannot be used again. Rows arrive one by one, so that memory does not grow
 * with the index; the set that is kept has 16 bytes for each asset that passes. They come in the
 * order that a set needs. */
static enum isx_status read_assets(struct isx_pg_conn *conn, const struct isx_pg_head *head,
				   const struct isx_filter *filter, const struct isx_query *query,
				   const struct isx_quota *quota, struct isx_id_set *set,
				   struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *row = NULL;
	size_t asked = 0;
	isx_pg_add_i64(&params, head->index_id);
	isx_pg_add_null(&params);
	isx_pg_add_i64(&params, 1);
	enum isx_status st = isx_pg_rows_begin(conn, ISX_PG_ASSETS_SCAN, &params, err);
	while (!st && !(st = isx_pg_rows_next(conn, &row, err)) && row) {
		struct isx_span iscc_id = isx_pg_field(row, 0, 0);
		bool holds = false;
		if (asked++ % ASSETS_PER_QUESTION == 0)
			st = isx_cancel_ask(query->cancel_check, query->cancel_arg, err);
		uint64_t id = iscc_id.len == 8 ? isx_load_be64(iscc_id.ptr) : 0;
		if (!st && iscc_id.len == 8)
			st = holds_in_row(head, filter, row, id, &holds, err);
		if (!st && holds)
			st = isx_id_set_add(set, id, id, quota, err);
		conn->broken |= st != ISX_OK;
		PQclear(row);
	}
	isx_pg_params_release(&params);
	return st;
}

/* The server sends all assets, and this program evaluates the filter. A filter that is translated
 * into SQL would be a second definition of what filters mean, by the rules that the database has
 * for numbers and texts. A follower answers such searches without reading any asset. */
enum isx_status isx_pg_filter(struct isx_pg_conn *conn, const struct isx_pg_head *head,
			      const struct isx_filter *filter, const struct isx_query *query,
			      const struct isx_quota *quota, struct isx_id_set *set,
			      struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_lmdb_fields declared;
	*set = (struct isx_id_set){ 0 };
	enum isx_status st = isx_pg_fields_of(conn, head, &arena, &declared, err);
	if (!st)
		st = isx_filter_check(filter, declared.pointers, declared.count, head->has_realm,
				      head->realm, err);
	if (!st)
		st = read_assets(conn, head, filter, query, quota, set, err);
	isx_arena_release(&arena);
	return st;
}

/* --- facets without a follower ---------------------------------------------------------------- */

/* The values of all facets in all matches: one entry for each, with a count of 1. */
struct tally {
	struct isx_arena *arena; /* of the keys */
	struct isx_counted *items;
	size_t count, cap;
	struct isx_buf key;
};

/* Add the values that an asset has in a field. */
static enum isx_status tally_values(struct tally *tally, struct isx_span metadata,
				    const char *pointer, uint64_t id, struct isx_err *err)
{
	struct isx_field_walk walk = isx_field_walk_start(metadata, pointer);
	enum isx_status st = ISX_OK;
	while (!st && isx_field_walk_next(&walk, &tally->key)) {
		st = isx_buf_status(&tally->key, err);
		if (st || tally->key.ptr[0] == ISX_VALUE_OTHER)
			continue;
		st = isx_array_room(&tally->items, &tally->cap, tally->count + 1,
				    sizeof *tally->items, tally->arena->quota, err);
		const char *key = st ? NULL
				     : isx_arena_text(tally->arena, tally->key.ptr, tally->key.len);
		if (!st && !key)
			st = isx_fail_memory(err);
		if (!st)
			tally->items[tally->count++] =
				(struct isx_counted){ { key, tally->key.len }, 1, id };
	}
	return st;
}

/* Order of qsort(): equal values are neighbours, and of those the ones of one asset. */
static int by_value(const void *left, const void *right)
{
	const struct isx_counted *a = left, *b = right;
	int order = isx_value_compare(a->key, b->key);
	return order ? order : (a->id > b->id) - (a->id < b->id);
}

/* Add up equal values; an asset counts once for each. Returns how many there are. In place: the
 * entries of one value become the first of them. */
static size_t add_up(struct tally *tally)
{
	size_t kept = 0;
	uint64_t last = 0;
	if (tally->count)
		qsort(tally->items, tally->count, sizeof *tally->items, by_value);
	for (size_t i = 0; i < tally->count; i++) {
		struct isx_counted *item = &tally->items[i];
		bool same = kept && isx_value_compare(tally->items[kept - 1].key, item->key) == 0;
		if (!same)
			tally->items[kept++] = *item;
		else if (item->id != last)
			tally->items[kept - 1].count++;
		last = item->id;
	}
	return kept;
}

/* Read the metadata of the matches and tally the values of one field; cancelled as read_assets()
 * is. One statement for each facet, as a connection delivers the rows of one at a time; the
 * matches are named as an array and not in the text of the statement, so its length does not
 * depend on them. */
static enum isx_status tally_field(struct isx_pg_conn *conn, const struct isx_pg_params *params,
				   const struct isx_query *query, const char *pointer,
				   struct tally *tally, struct isx_err *err)
{
	PGresult *row = NULL;
	size_t asked = 0;
	enum isx_status st = isx_pg_rows_begin(conn, ISX_PG_ASSETS_SCAN, params, err);
	while (!st && !(st = isx_pg_rows_next(conn, &row, err)) && row) {
		struct isx_span id = isx_pg_field(row, 0, 0), metadata = isx_pg_field(row, 0, 2);
		/* Metadata that was changed in the database may be no JSON for this program. */
		if (asked++ % ASSETS_PER_QUESTION == 0)
			st = isx_cancel_ask(query->cancel_check, query->cancel_arg, err);
		if (!st && id.len == 8 && metadata.len &&
		    !isx_json_check(metadata, &(size_t){ 0 }, NULL))
			st = tally_values(tally, isx_span_trim(metadata), pointer,
					  isx_load_be64(id.ptr), err);
		conn->broken |= st != ISX_OK;
		PQclear(row);
	}
	return st;
}

enum isx_status isx_pg_facets(struct isx_pg_conn *conn, const struct isx_pg_head *head,
			      const struct isx_query *query, const struct isx_ranking *ranking,
			      struct isx_arena *arena, const struct isx_facet **facets,
			      struct isx_err *err)
{
	struct isx_arena keys = { .quota = arena->quota };
	struct isx_pg_params params = { 0 };
	struct tally tally = { .arena = &keys };
	struct isx_lmdb_fields declared;
	struct isx_facet *made = isx_arena_alloc(arena, query->facet_count, sizeof *made);
	enum isx_status st = made ? isx_pg_fields_of(conn, head, &keys, &declared, err)
				  : isx_fail_memory(err);
	isx_pg_add_i64(&params, head->index_id);
	isx_pg_array_open(&params, ISX_PG_BYTEA);
	for (size_t i = 0; ranking && i < ranking->id_count; i++) {
		uint8_t id[8];
		isx_store_be64(id, ranking->ids[i]);
		isx_pg_array_bytes(&params, id, sizeof id);
	}
	isx_pg_array_close(&params);
	isx_pg_add_i64(&params, 0);
	for (size_t i = 0; !st && i < query->facet_count; i++) {
		size_t field;
		made[i].field = query->facets[i];
		tally.count = 0;
		st = isx_facet_check(made[i].field, declared.pointers, declared.count, &keys,
				     &field, err);
		if (!st && ranking && ranking->id_count)
			st = tally_field(conn, &params, query, declared.pointers[field], &tally,
					 err);
		if (!st)
			st = isx_facet_fill(tally.items, add_up(&tally), isx_counted_print, NULL,
					    arena, &made[i], err);
	}
	isx_pg_params_release(&params);
	isx_mem_free(tally.items);
	isx_buf_release(&tally.key);
	isx_arena_release(&keys);
	*facets = made;
	return st;
}
