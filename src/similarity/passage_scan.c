/*
 * passage_scan.c - compare pages of simprints with all simprints of a query.
 *
 * LMDB packs the rows of one type into pages, sorted by ISCC-ID (sim_format.h). Each page is
 * compared with every query simprint before the next page is read, while it is in the processor's
 * cache: 97 ms instead of 155 ms for 200 simprints against a million (bench/README.md, "Why
 * blocks").
 *
 * Relies on: a page of LMDB staying where it is until the read transaction ends, so hits point
 * into pages. One thread uses a stream; it locks nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/passage_scan.h"

#include "base/array.h"
#include "engine/score.h"
#include "similarity/sim_tables.h"

#include <string.h>

/* The ISCC-ID body of a row of the current page. */
static uint64_t row_id(const struct isx_passage_stream *stream, size_t row)
{
	return isx_load_be64(stream->page + row * stream->row_bytes);
}

/* Compare all rows of a page with all query simprints. A kernel's row is a key of 8 bytes and a
 * body. A row here has 16 bytes before its simprint (ISCC-ID body, offset, size), so the kernel
 * gets a pointer to the offset of the first row, and takes offset and size for the key. */
static enum isx_status scan_page(struct isx_passage_stream *stream, MDB_val page,
				 struct isx_err *err)
{
	stream->page = page.mv_data;
	stream->row_count = page.mv_size / stream->row_bytes;
	stream->page_id = row_id(stream, stream->row_count - 1);
	memset(stream->next_found, 0, stream->asked_count * sizeof *stream->next_found);
	const struct isx_scan_many scan = {
		.rows = stream->page + ISX_CHUNK_BYTES - ISX_ROW_KEY_BYTES,
		.count = stream->row_count,
		.row_bytes = stream->row_bytes,
		.query_count = stream->asked_count,
		.queries = stream->asked,
	};
	isx_kernel_best()->scan_many(&scan);
	return isx_meter_count(&stream->view->meter, stream->row_count * stream->query->count, err);
}

/* Read the next page and compare it. Sets no_more_pages when the type has no further page, or when
 * the page begins beyond id_max: rows are sorted, so all pages behind it do too. */
static enum isx_status next_page(struct isx_passage_stream *stream, struct isx_err *err)
{
	MDB_val page;
	if (stream->before_page)
		stream->before_page(stream->before_page_arg);
	int rc = mdb_cursor_get(stream->cursor, &stream->key, &page, MDB_NEXT_MULTIPLE);
	if (rc == MDB_NOTFOUND) {
		stream->no_more_pages = true;
		return ISX_OK;
	}
	if (rc)
		return isx_lmdb_status(rc, "scan simprints", err);
	if (isx_load_be64(page.mv_data) <= stream->id_max)
		return scan_page(stream, page, err);
	stream->no_more_pages = true;
	return ISX_OK;
}

/* The first row of the page that has a hit which is not yet taken; row_count if there is none. */
static size_t first_row(const struct isx_passage_stream *stream)
{
	size_t first = stream->row_count;
	for (size_t i = 0; i < stream->asked_count; i++) {
		if (stream->next_found[i] == stream->asked[i].found)
			continue;
		size_t row = stream->asked[i].hits[stream->next_found[i]].row;
		if (row < first)
			first = row;
	}
	return first;
}

/* Add a hit to those of the current asset. */
static enum isx_status keep_hit(struct isx_passage_stream *stream, size_t passage,
				const struct isx_hit *hit, struct isx_err *err)
{
	size_t compared = stream->query->passages[passage].byte_count;
	if (compared > stream->stored_bytes)
		compared = stream->stored_bytes;
	enum isx_status st = isx_array_room(&stream->hits, &stream->hit_cap, stream->hit_count + 1,
					    sizeof *stream->hits, NULL, err);
	if (st)
		return st;
	stream->hits[stream->hit_count++] = (struct isx_passage_hit){
		.passage = (uint32_t)passage,
		.distance = hit->distance,
		.compared_bits = (uint32_t)compared * 8,
		.stored_bytes = (uint32_t)stream->stored_bytes,
		.row = stream->page + hit->row * stream->row_bytes,
	};
	return ISX_OK;
}

/* Take the page's hits on rows before `end`. The hits of each query simprint are in the order of
 * rows, so next_found only moves forward. */
static enum isx_status take_hits(struct isx_passage_stream *stream, size_t end, struct isx_err *err)
{
	for (size_t i = 0; i < stream->asked_count; i++) {
		const struct isx_scan_query *asked = &stream->asked[i];
		while (stream->next_found[i] < asked->found &&
		       asked->hits[stream->next_found[i]].row < end) {
			enum isx_status st = keep_hit(stream, stream->passages[i],
						      &asked->hits[stream->next_found[i]++], err);
			if (st)
				return st;
		}
	}
	return ISX_OK;
}

/* Skips pages without hits first. Then takes the hits of one asset, the rows of which may continue
 * on the next pages; the loop ends on the page that has a row of another asset, and this page
 * stays current. */
enum isx_status isx_passage_next(struct isx_passage_stream *stream, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	size_t row = first_row(stream);
	stream->hit_count = 0;
	while (!st && row == stream->row_count && !stream->no_more_pages) {
		st = next_page(stream, err);
		row = st || stream->no_more_pages ? row : first_row(stream);
	}
	stream->at_end = st || row == stream->row_count || row_id(stream, row) > stream->id_max;
	if (stream->at_end)
		return st;
	stream->id = row_id(stream, row);
	for (;;) {
		size_t end = row;
		while (end < stream->row_count && row_id(stream, end) == stream->id)
			end++;
		st = take_hits(stream, end, err);
		if (st || end < stream->row_count)
			return st;
		st = next_page(stream, err); /* the asset may continue there */
		if (st || stream->no_more_pages)
			return st;
		row = 0;
	}
}

/* Allocate the hits of one page for each query simprint, and compute how far each may be from a
 * hit. LMDB's page size is the upper limit of what MDB_GET_MULTIPLE returns at once. */
static enum isx_status make_room(struct isx_passage_stream *stream, size_t page_bytes,
				 double threshold, struct isx_arena *arena, struct isx_err *err)
{
	const size_t count = stream->query->count, rows_max = page_bytes / stream->row_bytes + 1;
	stream->asked = isx_arena_alloc(arena, count, sizeof *stream->asked);
	stream->passages = isx_arena_alloc(arena, count, sizeof *stream->passages);
	stream->next_found = isx_arena_alloc(arena, count, sizeof *stream->next_found);
	struct isx_hit *hits = isx_arena_alloc(arena, count * rows_max, sizeof *hits);
	if (!stream->asked || !stream->passages || !stream->next_found || !hits)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		const struct isx_query_passage *passage = &stream->query->passages[i];
		const size_t bytes = passage->byte_count < stream->stored_bytes
					     ? passage->byte_count
					     : stream->stored_bytes;
		const int32_t distance_max = isx_distance_max(threshold, (uint32_t)bytes * 8);
		if (distance_max < 0)
			continue; /* no distance reaches the threshold */
		stream->passages[stream->asked_count] = (uint32_t)i;
		stream->asked[stream->asked_count++] =
			(struct isx_scan_query){ .query = passage->bytes,
						 .bytes = bytes,
						 .distance_max = (uint32_t)distance_max,
						 .hits = hits + i * rows_max };
	}
	return ISX_OK;
}

/* Drop the hits on rows of assets before id_min. LMDB returns whole pages, and the first page may
 * begin with the assets of the range before. */
static void skip_to(struct isx_passage_stream *stream, uint64_t id_min)
{
	for (size_t i = 0; i < stream->asked_count; i++) {
		const struct isx_scan_query *asked = &stream->asked[i];
		while (stream->next_found[i] < asked->found &&
		       row_id(stream, asked->hits[stream->next_found[i]].row) < id_min)
			stream->next_found[i]++;
	}
}

enum isx_status isx_passage_open(struct isx_passage_stream *stream, struct isx_lmdb_view *view,
				 const struct isx_passage_query *query, size_t stored_bytes,
				 uint64_t id_min, uint64_t id_max, double threshold,
				 struct isx_arena *arena, struct isx_err *err)
{
	MDB_stat stat;
	uint8_t first[ISX_SIMPRINT_ROW_BYTES_MAX] = { 0 };
	isx_store_be64(first, id_min);
	/* The least row that an asset from id_min on can have: all zeros behind the ISCC-ID
	 * body. */
	MDB_val page = isx_lmdb_val(first, ISX_CHUNK_BYTES + stored_bytes);
	stream->at_end = true; /* until the first hit is found */
	stream->view = view;
	stream->query = query;
	stream->id_max = id_max;
	stream->stored_bytes = stored_bytes;
	stream->row_bytes = ISX_CHUNK_BYTES + stored_bytes;
	int rc = mdb_env_stat(view->file->env, &stat);
	if (!rc)
		rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->simprints[stored_bytes],
				     &stream->cursor);
	if (rc)
		return isx_lmdb_status(rc, "scan simprints", err);
	enum isx_status st = make_room(stream, stat.ms_psize, threshold, arena, err);
	if (st)
		return st;
	stream->key = isx_lmdb_val(query->type, strlen(query->type));
	rc = mdb_cursor_get(stream->cursor, &stream->key, &page, MDB_GET_BOTH_RANGE);
	if (!rc) /* a lone row is stored inline: LMDB then leaves `page` as it was set */
		rc = mdb_cursor_get(stream->cursor, &stream->key, &page, MDB_GET_MULTIPLE);
	if (rc == MDB_NOTFOUND)
		return ISX_OK;
	if (rc)
		return isx_lmdb_status(rc, "scan simprints", err);
	st = scan_page(stream, page, err);
	if (st)
		return st;
	skip_to(stream, id_min);
	return isx_passage_next(stream, err);
}

void isx_passage_close(struct isx_passage_stream *stream)
{
	if (stream->cursor)
		mdb_cursor_close(stream->cursor);
	stream->cursor = NULL;
	isx_mem_free(stream->hits);
	stream->hits = NULL;
}
