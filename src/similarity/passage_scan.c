/*
 * passage_scan.c - compare pages of simprints with the simprints of queries.
 *
 * LMDB packs the rows of one type into pages, sorted by ISCC-ID (sim_format.h). Each page is
 * compared with every simprint that is looked for before the next page is read, while it is in the
 * processor's cache: 97 ms instead of 155 ms for 200 simprints against a million (bench/README.md,
 * "Why blocks"). The hits of a page are then put into the order of its rows, by counting: the work
 * grows with the hits, and not with the simprints that are looked for in each asset.
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

/* With a filter a page is compared as a whole if at least one in so many of its rows begins a range that
 * passes: to find a run of rows costs about as much as to compare eight. */
enum { ROWS_PER_RUN = 8 };

/* The ISCC-ID body of a row of the current page. */
static uint64_t row_id(const struct isx_passage_stream *stream, size_t row)
{
	return isx_load_be64(stream->page + row * stream->row_bytes);
}

/* Put the hits of all simprints in the page into the order of rows. */
static enum isx_status sort_hits(struct isx_passage_stream *stream, struct isx_err *err)
{
	uint32_t *start = stream->row_hits; /* of each row: where its next hit goes */
	size_t total = 0;
	stream->next_found = stream->found_count = 0;
	for (size_t i = 0; i < stream->asked_count; i++)
		total += stream->asked[i].found;
	if (total == 0)
		return ISX_OK;
	enum isx_status st = isx_array_room(&stream->found, &stream->found_cap, total,
					    sizeof *stream->found, NULL, err);
	if (st)
		return st;
	memset(start, 0, (stream->row_count + 1) * sizeof *start);
	for (size_t i = 0; i < stream->asked_count; i++)
		for (size_t k = 0; k < stream->asked[i].found; k++)
			start[stream->asked[i].hits[k].row + 1]++;
	for (size_t row = 1; row < stream->row_count; row++)
		start[row] += start[row - 1];
	for (size_t i = 0; i < stream->asked_count; i++) {
		for (size_t k = 0; k < stream->asked[i].found; k++) {
			const struct isx_hit *hit = &stream->asked[i].hits[k];
			struct isx_passage_hit *found = &stream->found[start[hit->row]++];
			*found = stream->askers[i];
			found->distance = hit->distance;
			found->row = stream->page + hit->row * stream->row_bytes;
		}
	}
	stream->found_count = total;
	return ISX_OK;
}

/* Compare some rows of a page with all simprints, and add the hits to those of rows before. A kernel's row
 * is a key of 8 bytes and a body. A row here has 16 bytes before its simprint (ISCC-ID body, offset,
 * size), so the kernel gets a pointer to the offset of the first row, and takes offset and size for the
 * key. */
static void scan_rows(struct isx_passage_stream *stream, size_t first, size_t end)
{
	for (size_t i = 0; i < stream->asked_count; i++) {
		stream->before[i] = stream->asked[i].found;
		stream->asked[i].hits += stream->before[i];
	}
	const struct isx_scan_many scan = {
		.rows = stream->page + first * stream->row_bytes + ISX_CHUNK_BYTES -
			ISX_ROW_KEY_BYTES,
		.count = end - first,
		.row_bytes = stream->row_bytes,
		.query_count = stream->asked_count,
		.queries = stream->asked,
	};
	isx_kernel_best()->scan_many(&scan);
	for (size_t i = 0; i < stream->asked_count; i++) {
		struct isx_scan_query *asked = &stream->asked[i];
		for (size_t k = 0; first && k < asked->found; k++)
			asked->hits[k].row += (uint32_t)first;
		asked->hits -= stream->before[i];
		asked->found += stream->before[i];
	}
	stream->row_sum += end - first;
	stream->view->meter.rows += (end - first) * stream->asked_count;
}

/* For isx_array_lower_bound(): the number by which the rows of a page are sorted. */
static uint64_t id_in_page(const void *stream, size_t row)
{
	return row_id(stream, row);
}

/* Compare the rows of a page that pass, run by run; with many runs the whole page. */
static void scan_passing(struct isx_passage_stream *stream)
{
	const struct isx_id_set *only = stream->only;
	const size_t count = stream->row_count;
	size_t at = stream->only_at, row = 0;
	if (!only || (isx_id_set_find(only, at, stream->page_id) - at) * ROWS_PER_RUN >= count) {
		scan_rows(stream, 0, count);
		return;
	}
	for (; at < only->count && only->ranges[at].first <= stream->page_id; at++) {
		size_t first = isx_array_lower_bound(stream, count, only->ranges[at].first,
						     id_in_page);
		for (row = first; row < count && row_id(stream, row) <= only->ranges[at].last;)
			row++;
		if (row > first)
			scan_rows(stream, first, row);
	}
}

/* Make a page the current one, and compare it. */
static enum isx_status scan_page(struct isx_passage_stream *stream, MDB_val page,
				 struct isx_err *err)
{
	stream->page = page.mv_data;
	stream->row_count = page.mv_size / stream->row_bytes;
	stream->page_id = row_id(stream, stream->row_count - 1);
	for (size_t i = 0; i < stream->asked_count; i++)
		stream->asked[i].found = 0;
	scan_passing(stream);
	return sort_hits(stream, err);
}

/* Has a page an asset that passes? Moves stream->only_at, to the end if no later page has one. */
static bool may_pass(struct isx_passage_stream *stream, MDB_val page)
{
	const struct isx_id_set *only = stream->only;
	const uint8_t *rows = page.mv_data;
	if (!only)
		return true;
	stream->only_at = isx_id_set_find(only, stream->only_at, isx_load_be64(rows));
	return stream->only_at < only->count &&
	       only->ranges[stream->only_at].first <=
		       isx_load_be64(rows + page.mv_size - stream->row_bytes);
}

/* Read the next page with an asset that passes, and compare it. Sets no_more_pages when there is none, or
 * when it begins beyond id_max: rows are sorted, so all pages behind it do too. */
static enum isx_status next_page(struct isx_passage_stream *stream, struct isx_err *err)
{
	for (;;) {
		MDB_val page;
		if (stream->before_page)
			stream->before_page(stream->before_page_arg);
		stream->no_more_pages = stream->asked_count == 0; /* all that asked are gone */
		if (stream->no_more_pages)
			return ISX_OK;
		int rc = mdb_cursor_get(stream->cursor, &stream->key, &page, MDB_NEXT_MULTIPLE);
		if (rc && rc != MDB_NOTFOUND)
			return isx_lmdb_status(rc, "scan simprints", err);
		stream->no_more_pages = rc || isx_load_be64(page.mv_data) > stream->id_max;
		if (stream->no_more_pages)
			return ISX_OK;
		if (may_pass(stream, page))
			return scan_page(stream, page, err);
		stream->no_more_pages = stream->only_at == stream->only->count;
		if (stream->no_more_pages)
			return ISX_OK;
	}
}

/* The end of the rows of the current page. */
static const uint8_t *page_end(const struct isx_passage_stream *stream)
{
	return stream->page + stream->row_count * stream->row_bytes;
}

/* Take the hits of the current asset in the current page. */
static enum isx_status take_hits(struct isx_passage_stream *stream, struct isx_err *err)
{
	size_t end = stream->next_found;
	while (end < stream->found_count && isx_load_be64(stream->found[end].row) == stream->id)
		end++;
	const size_t count = end - stream->next_found;
	enum isx_status st = isx_array_room(&stream->hits, &stream->hit_cap,
					    stream->hit_count + count, sizeof *stream->hits, NULL,
					    err);
	if (st)
		return st;
	memcpy(stream->hits + stream->hit_count, stream->found + stream->next_found,
	       count * sizeof *stream->hits);
	stream->hit_count += count;
	stream->next_found = end;
	return ISX_OK;
}

/* Skips pages without hits first. Then takes the hits of one asset, the rows of which may continue
 * on the next pages; the loop ends on the page that has a row of another asset, and this page
 * stays current. */
enum isx_status isx_passage_next(struct isx_passage_stream *stream, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	stream->hit_count = 0;
	while (!st && stream->next_found == stream->found_count && !stream->no_more_pages)
		st = next_page(stream, err);
	stream->at_end = st || stream->next_found == stream->found_count;
	if (stream->at_end)
		return st;
	stream->id = isx_load_be64(stream->found[stream->next_found].row);
	stream->at_end = stream->id > stream->id_max;
	while (!stream->at_end) {
		st = take_hits(stream, err);
		if (st || isx_load_be64(page_end(stream) - stream->row_bytes) != stream->id ||
		    stream->no_more_pages)
			return st;
		st = next_page(stream, err); /* the asset may continue there */
		if (st || stream->no_more_pages)
			return st;
	}
	return ISX_OK;
}

/* Add the simprints of a query that have `bytes` to those that are looked for. */
static void ask_passages(struct isx_passage_stream *stream, struct isx_passage_query *query,
			 size_t bytes, struct isx_hit *hits, size_t rows_max)
{
	const size_t compared = bytes < stream->stored_bytes ? bytes : stream->stored_bytes;
	const int32_t distance_max = isx_distance_max(query->threshold, (uint32_t)compared * 8);
	for (size_t i = 0; distance_max >= 0 && i < query->count; i++) {
		const struct isx_query_passage *passage = &query->passages[i];
		if (passage->byte_count != bytes)
			continue;
		stream->askers[stream->asked_count] = (struct isx_passage_hit){
			.query = query,
			.passage = (uint32_t)i,
			.compared_bits = (uint32_t)compared * 8,
			.stored_bytes = (uint32_t)stream->stored_bytes,
		};
		stream->asked[stream->asked_count] = (struct isx_scan_query){
			.query = passage->bytes,
			.bytes = compared,
			.distance_max = (uint32_t)distance_max,
			.hits = hits + stream->asked_count * rows_max,
		};
		stream->asked_count++;
	}
}

/* Allocate the hits of one page for each simprint, and list the simprints in the order of their
 * lengths, as the kernels want it. LMDB's page size is the upper limit of what MDB_GET_MULTIPLE
 * returns at once. */
static enum isx_status make_room(struct isx_passage_stream *stream, size_t page_bytes,
				 struct isx_passage_query *const *queries, size_t query_count,
				 struct isx_arena *arena, struct isx_err *err)
{
	const size_t rows_max = page_bytes / stream->row_bytes + 1;
	size_t count = 0;
	for (size_t i = 0; i < query_count; i++)
		count += queries[i]->count;
	stream->asked = isx_arena_alloc(arena, count, sizeof *stream->asked);
	stream->askers = isx_arena_alloc(arena, count, sizeof *stream->askers);
	stream->before = isx_arena_alloc(arena, count, sizeof *stream->before);
	stream->row_hits = isx_arena_alloc(arena, rows_max + 1, sizeof *stream->row_hits);
	struct isx_hit *hits = isx_arena_alloc(arena, count * rows_max, sizeof *hits);
	if (!stream->asked || !stream->askers || !stream->before || !stream->row_hits || !hits)
		return isx_fail_memory(err);
	for (size_t bytes = 1; bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++)
		for (size_t i = 0; i < query_count; i++)
			ask_passages(stream, queries[i], bytes, hits, rows_max);
	return ISX_OK;
}

void isx_passage_drop(struct isx_passage_stream *stream, const struct isx_passage_query *query)
{
	size_t kept = 0;
	for (size_t i = 0; i < stream->asked_count; i++) {
		if (stream->askers[i].query == query)
			continue;
		stream->asked[kept] = stream->asked[i];
		stream->askers[kept++] = stream->askers[i];
	}
	stream->asked_count = kept;
}

/* Drop the hits on rows of assets before id_min. LMDB returns whole pages, and the first page may
 * begin with the assets of the range before. */
static void skip_to(struct isx_passage_stream *stream, uint64_t id_min)
{
	while (stream->next_found < stream->found_count &&
	       isx_load_be64(stream->found[stream->next_found].row) < id_min)
		stream->next_found++;
}

enum isx_status isx_passage_open(struct isx_passage_stream *stream, struct isx_lmdb_view *view,
				 const char *type, struct isx_passage_query *const *queries,
				 size_t query_count, size_t stored_bytes, uint64_t id_min,
				 uint64_t id_max, struct isx_arena *arena, struct isx_err *err)
{
	MDB_stat stat;
	uint8_t first[ISX_SIMPRINT_ROW_BYTES_MAX] = { 0 };
	stream->at_end = true; /* until the first hit is found */
	if (stream->only) {    /* begin with the first asset that passes */
		stream->only_at = isx_id_set_find(stream->only, 0, id_min);
		if (stream->only_at == stream->only->count)
			return ISX_OK;
		if (stream->only->ranges[stream->only_at].first > id_min)
			id_min = stream->only->ranges[stream->only_at].first;
	}
	isx_store_be64(first, id_min);
	/* The least row that an asset from id_min on can have: all zeros behind the ISCC-ID
	 * body. */
	MDB_val page = isx_lmdb_val(first, ISX_CHUNK_BYTES + stored_bytes);
	stream->view = view;
	stream->id_max = id_max;
	stream->stored_bytes = stored_bytes;
	stream->row_bytes = ISX_CHUNK_BYTES + stored_bytes;
	int rc = mdb_env_stat(view->file->env, &stat);
	if (!rc)
		rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->simprints[stored_bytes],
				     &stream->cursor);
	if (rc)
		return isx_lmdb_status(rc, "scan simprints", err);
	enum isx_status st = make_room(stream, stat.ms_psize, queries, query_count, arena, err);
	if (st)
		return st;
	stream->key = isx_lmdb_val(type, strlen(type));
	rc = mdb_cursor_get(stream->cursor, &stream->key, &page, MDB_GET_BOTH_RANGE);
	if (!rc) /* a lone row is stored inline: LMDB then leaves `page` as it was set */
		rc = mdb_cursor_get(stream->cursor, &stream->key, &page, MDB_GET_MULTIPLE);
	if (rc == MDB_NOTFOUND)
		return ISX_OK;
	if (rc)
		return isx_lmdb_status(rc, "scan simprints", err);
	if (may_pass(stream, page))
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
	isx_mem_free(stream->found);
	stream->hits = stream->found = NULL;
}
