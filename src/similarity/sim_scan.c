/*
 * sim_scan.c - find the hits of one queried unit: scan pages of rows, or look up INSTANCE bodies.
 *
 * Similarity units are found by comparing every row of their type, INSTANCE units by prefix. Both
 * kinds of streams deliver hits in the order of ISCC-IDs, so that sim_search.c can merge them.
 *
 * Relies on: rows of a type being sorted by ISCC-ID, and packed into pages (sim_format.h).
 * Everything happens in the caller's thread and read transaction; a stream locks nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_scan.h"

#include "engine/score.h"
#include "similarity/sim_tables.h"

#include <stdlib.h>
#include <string.h>

/* --- similarity units ------------------------------------------------------------------------- */

/* Compare the rows of a page with the query. The kernel reads the page where LMDB has it, at any
 * alignment. */
static enum isx_status scan_page(struct isx_stream *stream, MDB_val page, struct isx_err *err)
{
	stream->scan.rows = page.mv_data;
	stream->scan.count = page.mv_size / stream->scan.row_bytes;
	stream->hit_count = stream->kernel->scan(&stream->scan, stream->hits);
	stream->next_hit = 0;
	return isx_meter_count(&stream->view->meter, stream->scan.count, err);
}

/* Make the next hit of the page the current one; there must be one. */
static void take_hit(struct isx_stream *stream)
{
	const struct isx_hit *hit = &stream->hits[stream->next_hit++];
	stream->id = isx_load_be64(stream->scan.rows + hit->row * stream->scan.row_bytes);
	stream->score = isx_unit_score(hit->distance, stream->compared_bits);
}

/* Scan pages until one has a hit. At most one page of hits is kept, however many rows match. */
static enum isx_status next_row_hit(struct isx_stream *stream, struct isx_err *err)
{
	MDB_val page;
	enum isx_status st = ISX_OK;
	int rc = 0;
	while (stream->next_hit == stream->hit_count && !rc && !st) {
		rc = mdb_cursor_get(stream->cursor, &stream->key, &page, MDB_NEXT_MULTIPLE);
		if (!rc)
			st = scan_page(stream, page, err);
	}
	stream->at_end = rc || st;
	if (st)
		return st;
	if (rc == MDB_NOTFOUND)
		return ISX_OK;
	if (rc)
		return isx_lmdb_status(rc, "scan units", err);
	take_hit(stream);
	return ISX_OK;
}

enum isx_status isx_stream_open(struct isx_stream *stream, struct isx_lmdb_view *view,
				const struct isx_indexed_unit *unit, size_t body_bytes,
				double threshold, struct isx_arena *arena, struct isx_err *err)
{
	MDB_stat stat;
	MDB_val page;
	size_t compared = unit->body_bytes < body_bytes ? unit->body_bytes : body_bytes;
	int32_t distance_max = isx_distance_max(threshold, (uint32_t)compared * 8);
	stream->at_end = true; /* until the first hit is found */
	if (distance_max < 0)
		return ISX_OK; /* no distance reaches the threshold: the table is not read */
	stream->view = view;
	stream->kernel = isx_kernel_best();
	stream->compared_bits = (uint32_t)compared * 8;
	stream->scan = (struct isx_scan){ .row_bytes = ISX_ROW_KEY_BYTES + body_bytes,
					  .query = unit->body,
					  .bytes = compared,
					  .distance_max = (uint32_t)distance_max };
	int rc = mdb_env_stat(view->file->env, &stat);
	if (!rc)
		rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->units[body_bytes],
				     &stream->cursor);
	if (rc)
		return isx_lmdb_status(rc, "scan units", err);
	/* One page of rows is scanned at a time, and every row may be a hit. */
	stream->hits = isx_arena_alloc(arena, stat.ms_psize / stream->scan.row_bytes + 1,
				       sizeof *stream->hits);
	if (!stream->hits)
		return isx_fail_memory(err);
	stream->key = isx_lmdb_val(unit->type, strlen(unit->type));
	rc = mdb_cursor_get(stream->cursor, &stream->key, &page, MDB_SET);
	if (!rc) /* a lone row is stored inline: LMDB then leaves `page` as MDB_SET set it */
		rc = mdb_cursor_get(stream->cursor, &stream->key, &page, MDB_GET_MULTIPLE);
	if (rc == MDB_NOTFOUND)
		return ISX_OK;
	if (rc)
		return isx_lmdb_status(rc, "scan units", err);
	enum isx_status st = scan_page(stream, page, err);
	return st ? st : next_row_hit(stream, err);
}

/* --- INSTANCE --------------------------------------------------------------------------------- */

/* ISCC-IDs that were found, in memory of their own while the list grows. */
struct id_list {
	uint64_t *ids;
	size_t count;
	size_t cap;
};

/* Add the assets under the cursor's key, from the current row on. */
static enum isx_status add_ids(struct id_list *list, MDB_cursor *cursor, struct isx_err *err)
{
	MDB_val key, value;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_GET_CURRENT);
	while (!rc) {
		if (list->count == list->cap) {
			size_t cap = list->cap ? list->cap * 2 : 64;
			uint64_t *ids = isx_mem_resize(list->ids, cap, sizeof *ids);
			if (!ids)
				return isx_fail_memory(err);
			list->ids = ids;
			list->cap = cap;
		}
		list->ids[list->count++] = isx_load_be64(value.mv_data);
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT_DUP);
	}
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "look up INSTANCE", err);
}

/* Add the assets of stored bodies that begin with the queried body, or equal it: one range of
 * keys. */
static enum isx_status add_longer(struct id_list *list, MDB_cursor *cursor,
				  const struct isx_indexed_unit *unit, struct isx_err *err)
{
	MDB_val key = isx_lmdb_val(unit->body, unit->body_bytes), value;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (!rc && key.mv_size >= unit->body_bytes &&
	       memcmp(key.mv_data, unit->body, unit->body_bytes) == 0) {
		enum isx_status st = add_ids(list, cursor, err);
		if (st)
			return st;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT_NODUP);
	}
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "look up INSTANCE", err);
}

/* Add the assets of stored bodies that are a proper prefix of the queried body: one lookup for
 * each length. */
static enum isx_status add_shorter(struct id_list *list, MDB_cursor *cursor,
				   const struct isx_indexed_unit *unit, struct isx_err *err)
{
	for (size_t bytes = 1; bytes < unit->body_bytes; bytes++) {
		MDB_val key = isx_lmdb_val(unit->body, bytes), value;
		int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET);
		if (rc == MDB_NOTFOUND)
			continue;
		enum isx_status st = isx_lmdb_status(rc, "look up INSTANCE", err);
		if (!st)
			st = add_ids(list, cursor, err);
		if (st)
			return st;
	}
	return ISX_OK;
}

/* Order of qsort(). __instance__ is INTEGERDUP, which orders the big-endian ids as little-endian
 * numbers, and ids of several keys are mixed, so a list is sorted before it is delivered. */
static int ascending(const void *left, const void *right)
{
	uint64_t a, b;
	memcpy(&a, left, sizeof a);
	memcpy(&b, right, sizeof b);
	return (a > b) - (a < b);
}

/* Move to the next ISCC-ID. An asset stands in the list once for each of its INSTANCE bodies that
 * matches; it is delivered once. */
static enum isx_status next_id(struct isx_stream *stream)
{
	uint64_t last = stream->id;
	do {
		stream->at_end = stream->next_hit == stream->id_count;
		if (stream->at_end)
			return ISX_OK;
		stream->id = stream->ids[stream->next_hit++];
	} while (stream->next_hit > 1 && stream->id == last); /* two units of the asset match */
	stream->score = 1.0;
	return ISX_OK;
}

enum isx_status isx_stream_open_instance(struct isx_stream *stream, struct isx_lmdb_view *view,
					 const struct isx_indexed_unit *unit,
					 struct isx_arena *arena, struct isx_err *err)
{
	struct id_list list = { 0 };
	MDB_cursor *cursor;
	stream->at_end = true;
	int rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->instance, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "look up INSTANCE", err);
	enum isx_status st = add_longer(&list, cursor, unit, err);
	if (!st)
		st = add_shorter(&list, cursor, unit, err);
	mdb_cursor_close(cursor);
	/* The list moves into the arena, so that it can be searched after the stream was closed. */
	uint64_t *ids = st ? NULL : isx_arena_alloc(arena, list.count, sizeof *ids);
	if (!st && !ids)
		st = isx_fail_memory(err);
	if (!st && list.count) {
		memcpy(ids, list.ids, list.count * sizeof *ids);
		qsort(ids, list.count, sizeof *ids, ascending);
		stream->ids = ids;
		stream->id_count = list.count;
		st = next_id(stream);
	}
	isx_mem_free(list.ids);
	return st;
}

/* --- both ------------------------------------------------------------------------------------- */

enum isx_status isx_stream_next(struct isx_stream *stream, struct isx_err *err)
{
	if (stream->ids) /* a stream of INSTANCE; one that found nothing is at its end already */
		return next_id(stream);
	if (stream->next_hit == stream->hit_count)
		return next_row_hit(stream, err);
	take_hit(stream);
	return ISX_OK;
}

void isx_stream_close(struct isx_stream *stream)
{
	if (stream->cursor)
		mdb_cursor_close(stream->cursor);
	stream->cursor = NULL;
}
