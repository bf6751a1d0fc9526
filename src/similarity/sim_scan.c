/*
 * sim_scan.c - read the rows of one unit type page by page, and look up INSTANCE bodies.
 *
 * Relies on: rows of a type being sorted by ISCC-ID, and packed into pages (sim_format.h), which
 * stay where they are until the read transaction ends. One thread uses a lane; it locks nothing. A lane
 * finds its pages with a cursor, or in a list that all searches of the snapshot share (lmdb_leaves.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_scan.h"

#include "base/array.h"
#include "similarity/sim_tables.h"

#include <stdlib.h>
#include <string.h>

/* --- similarity units ------------------------------------------------------------------------- */

/* The first row of the page with an ISCC-ID of `id` or more; lane->count if there is none, as in a damaged
 * page whose rows are not sorted. Looked for where it would be if the ISCC-IDs came at a steady pace, and
 * from there in steps that double: of a page that is not in the cache few lines are read then, where
 * halving the page would read eight.
 *   pace  rows for each step of an ISCC-ID */
static size_t find_row(const struct isx_lane *lane, uint64_t id, double pace)
{
	size_t low = (size_t)((double)(id - isx_lane_id(lane, 0)) * pace), step = 1;
	size_t high = low = low < lane->count ? low : lane->count - 1;
	/* All before `low` are less, those from `high` on are not. */
	while (low > 0 && isx_lane_id(lane, low - 1) >= id) {
		high = low - 1;
		low = low > step ? low - step : 0;
		step *= 2;
	}
	for (step = 1; high < lane->count && isx_lane_id(lane, high) < id; step *= 2) {
		low = high + 1;
		high = high + step < lane->count ? high + step : lane->count;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (isx_lane_id(lane, middle) < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Make a page the current one. Nothing of it is read yet: the kernel reads it from the beginning,
 * which the processor foresees, and the last row is in the cache then (0.3 ms of a search of 100,000
 * assets). */
static void take_page(struct isx_lane *lane, MDB_val page)
{
	lane->rows = page.mv_data;
	lane->count = page.mv_size / lane->row_bytes;
}

/* Make a page of the list the current one; behind the last one the lane is empty. */
static void take_leaf(struct isx_lane *lane, size_t leaf)
{
	lane->leaf = leaf;
	lane->count = 0;
	if (leaf < lane->leaves->count) {
		lane->rows = lane->leaves->items[leaf].rows;
		lane->count = lane->leaves->items[leaf].count;
	}
}

/* For isx_array_lower_bound(): the last ISCC-ID of a page of the list. */
static uint64_t last_id_of_leaf(const void *lane, size_t leaf)
{
	const struct isx_lane *own = lane;
	const struct isx_scan_page *page = &own->leaves->items[leaf];
	return isx_load_be64(page->rows + (page->count - 1) * own->row_bytes);
}

/* Read the page that the asset `id` is in or would be in. It may begin with assets before. */
static enum isx_status read_page_of(struct isx_lane *lane, uint64_t id, struct isx_err *err)
{
	if (lane->leaves) {
		take_leaf(lane,
			  isx_array_lower_bound(lane, lane->leaves->count, id, last_id_of_leaf));
		return ISX_OK;
	}
	uint8_t first[ISX_UNIT_ROW_BYTES_MAX] = { 0 };
	isx_store_be64(first, id);
	/* The least row that the asset can have: all zeros behind its ISCC-ID. */
	MDB_val page = isx_lmdb_val(first, ISX_KEY_BYTES + lane->body_bytes);
	lane->count = 0;
	int rc = mdb_cursor_get(lane->cursor, &lane->key, &page, MDB_GET_BOTH_RANGE);
	if (!rc) /* a lone row is stored inline: LMDB then leaves `page` as it was set */
		rc = mdb_cursor_get(lane->cursor, &lane->key, &page, MDB_GET_MULTIPLE);
	if (rc == MDB_NOTFOUND)
		return ISX_OK;
	if (rc)
		return isx_lmdb_status(rc, "scan units", err);
	take_page(lane, page);
	return ISX_OK;
}

/* Make the next page of LMDB the current one. The page before stays valid, as all pages do until the view
 * ends: LMDB maps the file, and copies nothing. */
static enum isx_status read_next_page(struct isx_lane *lane, struct isx_err *err)
{
	if (lane->leaves) {
		take_leaf(lane, lane->leaf + 1);
		return ISX_OK;
	}
	MDB_val page;
	int rc = mdb_cursor_get(lane->cursor, &lane->key, &page, MDB_NEXT_MULTIPLE);
	lane->count = 0;
	if (rc == MDB_NOTFOUND)
		return ISX_OK;
	if (rc)
		return isx_lmdb_status(rc, "scan units", err);
	take_page(lane, page);
	return ISX_OK;
}

/* Leave out the rows of the page before those of the assets from `id` on, of which it has one. */
static void skip_rows(struct isx_lane *lane, uint64_t id)
{
	size_t before = find_row(lane, id, 0);
	lane->rows += before * lane->row_bytes;
	lane->count -= before;
	lane->sought = id;
}

/* Look up the rows of the assets from `id` on: a part of the page that the first of them is in. */
static enum isx_status look_up(struct isx_lane *lane, uint64_t id, struct isx_err *err)
{
	enum isx_status st = read_page_of(lane, id, err);
	lane->sought = id;
	if (!st && lane->count)
		skip_rows(lane, id);
	return st;
}

enum isx_status isx_lane_seek(struct isx_lane *lane, uint64_t id, struct isx_err *err)
{
	if (id < lane->sought || (lane->count && id > isx_lane_id(lane, lane->count - 1)))
		return look_up(lane, id, err);
	if (lane->count)
		skip_rows(lane, id);
	return ISX_OK;
}

/* --- rows that pass a filter ------------------------------------------------------------------ */

enum {
	/* Pages in a row without an asset that passes, after which the next one is looked up in the
	 * tree: that costs as much as reading the head of two or three pages. */
	SKIPS_MAX = 4,
	/* A page is compared as a whole if at least one in so many of its rows passes: to find and
	 * copy a row costs as much as to compare that many (bench/README.md, filters). */
	ROWS_PER_PICK = 64,
	/* Pages that are looked at for one page of rows, so that a thread which finds few comes back
	 * now and then to share its range. */
	LOOKS_MAX = 64
};

/* Make the next page that may have an asset which passes the rest; it is empty behind the last one. */
static enum isx_status read_rest(struct isx_lane *lane, struct isx_err *err)
{
	bool seeks = lane->skipped == SKIPS_MAX;
	enum isx_status st = seeks ? read_page_of(lane, lane->only->ranges[lane->at].first, err)
				   : read_next_page(lane, err);
	if (seeks)
		lane->skipped = 0;
	lane->rest_rows = lane->rows;
	lane->rest_count = lane->count;
	lane->looks++;
	return st;
}

/* Copy the rows of the rest that pass behind `picked` rows in the room. Returns how many are there then;
 * the rest is empty. */
static size_t pick_rows(struct isx_lane *lane, size_t picked)
{
	const struct isx_id_set *only = lane->only;
	size_t row = 0;
	lane->rows = lane->rest_rows;
	lane->count = lane->rest_count;
	lane->rest_count = 0;
	const uint64_t first = isx_lane_id(lane, 0), last = isx_lane_id(lane, lane->count - 1);
	const double pace = (double)lane->count / ((double)(last - first) + 1);
	for (;; lane->at++) {
		const struct isx_id_range *range = &only->ranges[lane->at];
		if (range->first > last)
			return picked;
		if (isx_lane_id(lane, row) < range->first)
			row = find_row(lane, range->first, pace);
		for (; row < lane->count && isx_lane_id(lane, row) <= range->last; row++)
			memcpy(lane->room + picked++ * lane->row_bytes,
			       lane->rows + row * lane->row_bytes, lane->row_bytes);
		if (row == lane->count || lane->at + 1 == only->count)
			return picked; /* the range may go on on the next page */
	}
}

/* Do so many rows of the rest pass that all of them are compared? */
static bool is_dense(const struct isx_lane *lane, uint64_t first, uint64_t last)
{
	const struct isx_id_range *range = &lane->only->ranges[lane->at];
	if (range->first <= first && range->last >= last)
		return true;
	size_t ranges = isx_id_set_find(lane->only, lane->at, last) - lane->at;
	return ranges * ROWS_PER_PICK >= lane->rest_count;
}

/* Make the next rows of assets in lane->only the current page; none are left up to id_max: the page is
 * empty. Assets that do not pass are among them only if most rows pass. */
static enum isx_status find_rows(struct isx_lane *lane, struct isx_err *err)
{
	const uint64_t looks_max = lane->looks + LOOKS_MAX;
	size_t picked = 0;
	while (picked < lane->room_rows && (!picked || lane->looks < looks_max)) {
		enum isx_status st = lane->rest_count ? ISX_OK : read_rest(lane, err);
		if (st)
			return st;
		if (!lane->rest_count)
			break;
		const uint64_t first = isx_load_be64(lane->rest_rows);
		const uint64_t last =
			isx_load_be64(lane->rest_rows + (lane->rest_count - 1) * lane->row_bytes);
		lane->at = isx_id_set_find(lane->only, lane->at, first);
		if (first > lane->id_max || lane->at == lane->only->count)
			break;
		if (lane->only->ranges[lane->at].first > last) {
			lane->rest_count = 0;
			lane->skipped++;
			continue;
		}
		lane->skipped = 0;
		if (!is_dense(lane, first, last)) {
			picked = pick_rows(lane, picked);
			continue;
		}
		if (picked)
			break; /* the dense page is the next one */
		lane->rows = lane->rest_rows;
		lane->count = lane->rest_count;
		lane->rest_count = 0;
		return ISX_OK;
	}
	lane->rows = lane->room;
	lane->count = picked;
	return ISX_OK;
}

/* --- lanes ------------------------------------------------------------------------------------ */

enum isx_status isx_lane_open(struct isx_lane *lane, struct isx_lmdb_view *view, uint64_t id_min,
			      struct isx_err *err)
{
	lane->row_bytes = ISX_ROW_KEY_BYTES + lane->body_bytes;
	lane->key = isx_lmdb_val(lane->type, strlen(lane->type));
	lane->count = lane->rest_count = 0;
	lane->skipped = 0;
	if (lane->only) { /* begin with the first asset that passes */
		lane->at = isx_id_set_find(lane->only, 0, id_min);
		if (lane->at == lane->only->count)
			return ISX_OK;
		if (lane->only->ranges[lane->at].first > id_min)
			id_min = lane->only->ranges[lane->at].first;
	}
	int rc = lane->leaves
			 ? 0
			 : mdb_cursor_open(view->txn, isx_sim_tables(view)->units[lane->body_bytes],
					   &lane->cursor);
	if (rc)
		return isx_lmdb_status(rc, "scan units", err);
	enum isx_status st = look_up(lane, id_min, err);
	if (st || !lane->count || !lane->only)
		return st;
	lane->rest_rows = lane->rows;
	lane->rest_count = lane->count;
	lane->looks++;
	return find_rows(lane, err);
}

enum isx_status isx_lane_next(struct isx_lane *lane, struct isx_err *err)
{
	return lane->only ? find_rows(lane, err) : read_next_page(lane, err);
}

/* One look at the last page in question tells where most calls end. */
size_t isx_lane_ahead(const struct isx_lane *lane, uint64_t id_max, size_t pages_max,
		      const struct isx_scan_page **pages)
{
	if (!lane->leaves || lane->only || !lane->count)
		return 0;
	const size_t next = lane->leaf + 1, left = lane->leaves->count - next;
	const size_t count = left < pages_max ? left : pages_max;
	*pages = lane->leaves->items + next;
	if (!count || id_max == UINT64_MAX || last_id_of_leaf(lane, next + count - 1) <= id_max)
		return count;
	/* The first page that ends behind id_max is the last one with assets up to it. (In a damaged
	 * file it may be any.) */
	size_t last = isx_array_lower_bound(lane, next + count, id_max + 1, last_id_of_leaf);
	return last < next ? 1 : last < next + count ? last + 1 - next : count;
}

void isx_lane_skip(struct isx_lane *lane, size_t count)
{
	take_leaf(lane, lane->leaf + count);
}

void isx_lane_close(struct isx_lane *lane)
{
	/* LMDB leaves the cursors of a transaction that only reads to the program. */
	if (lane->cursor)
		mdb_cursor_close(lane->cursor);
	lane->cursor = NULL;
	lane->count = 0;
}

enum isx_status isx_lane_measure(const struct isx_lane *lane, struct isx_lmdb_view *view,
				 uint64_t *rows, uint64_t *id_max, struct isx_err *err)
{
	MDB_cursor *cursor;
	MDB_val key = isx_lmdb_val(lane->type, strlen(lane->type)), row;
	size_t count = 0;
	*rows = *id_max = 0;
	int rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->units[lane->body_bytes], &cursor);
	if (rc)
		return isx_lmdb_status(rc, "measure units", err);
	rc = mdb_cursor_get(cursor, &key, &row, MDB_SET);
	if (!rc)
		/* LMDB keeps this number with the type's rows: none of them is read for it. */
		rc = mdb_cursor_count(cursor, &count);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &row, MDB_LAST_DUP);
	if (!rc) {
		*rows = count;
		*id_max = isx_load_be64(row.mv_data);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "measure units", err);
}

/* --- INSTANCE --------------------------------------------------------------------------------- */

/* Assets that were found, in memory of their own while the list grows. */
struct id_list {
	struct isx_instance *items;
	size_t count;
	size_t cap;
};

/* Add the assets under the cursor's key, from the current row on. */
static enum isx_status add_ids(struct id_list *list, MDB_cursor *cursor, size_t bytes,
			       struct isx_err *err)
{
	MDB_val key, value;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_GET_CURRENT);
	while (!rc) {
		enum isx_status st = isx_array_room(&list->items, &list->cap, list->count + 1,
						    sizeof *list->items, NULL, err);
		if (st)
			return st;
		list->items[list->count++] = (struct isx_instance){ isx_load_be64(value.mv_data),
								    (uint32_t)bytes * 8 };
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
		enum isx_status st = add_ids(list, cursor, unit->body_bytes, err);
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
	/* A body has at most 32 bytes, so there are at most 31 lookups, whatever the index
	 * holds. */
	for (size_t bytes = 1; bytes < unit->body_bytes; bytes++) {
		MDB_val key = isx_lmdb_val(unit->body, bytes), value;
		int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET);
		if (rc == MDB_NOTFOUND)
			continue;
		enum isx_status st = isx_lmdb_status(rc, "look up INSTANCE", err);
		if (!st)
			st = add_ids(list, cursor, bytes, err);
		if (st)
			return st;
	}
	return ISX_OK;
}

/* Order of qsort(), of one asset the most bits first. __instance__ is INTEGERDUP, which orders the
 * big-endian ids as little-endian numbers, and ids of several keys are mixed, so a list is sorted
 * before it is delivered. */
static int ascending(const void *left, const void *right)
{
	const struct isx_instance *a = left, *b = right;
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return (a->bits < b->bits) - (a->bits > b->bits);
}

/* Keep each ISCC-ID of a sorted list once: two INSTANCE bodies of an asset may match. */
static size_t drop_repeated(struct isx_instance *items, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || items[kept - 1].id != items[i].id)
			items[kept++] = items[i];
	return kept;
}

enum isx_status isx_instances_find(struct isx_lmdb_view *view, const struct isx_indexed_unit *unit,
				   struct isx_arena *arena, struct isx_instances *found,
				   struct isx_err *err)
{
	struct id_list list = { 0 };
	MDB_cursor *cursor;
	*found = (struct isx_instances){ 0 };
	int rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->instance, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "look up INSTANCE", err);
	enum isx_status st = add_longer(&list, cursor, unit, err);
	if (!st)
		st = add_shorter(&list, cursor, unit, err);
	mdb_cursor_close(cursor);
	if (!st && list.count) {
		qsort(list.items, list.count, sizeof *list.items, ascending);
		list.count = drop_repeated(list.items, list.count);
	}
	/* The arena gets the list once, at its final length; a list that grew in it would leave
	 * its shorter copies behind. */
	struct isx_instance *kept = st ? NULL : isx_arena_alloc(arena, list.count, sizeof *kept);
	if (!st && !kept)
		st = isx_fail_memory(err);
	if (!st && list.count)
		memcpy(kept, list.items, list.count * sizeof *kept);
	if (!st)
		*found = (struct isx_instances){ kept, list.count };
	isx_mem_free(list.items);
	return st;
}

/* For isx_array_lower_bound(): the number by which the list is sorted. */
static uint64_t id_in_list(const void *items, size_t i)
{
	return ((const struct isx_instance *)items)[i].id;
}

size_t isx_instances_position(const struct isx_instances *instances, uint64_t id)
{
	return isx_array_lower_bound(instances->items, instances->count, id, id_in_list);
}

void isx_instances_raise(const struct isx_instances *instances, uint64_t id,
			 struct isx_evidence *evidence)
{
	size_t at = isx_instances_position(instances, id);
	if (at < instances->count && instances->items[at].id == id)
		isx_evidence_raise(evidence, 0, instances->items[at].bits);
}
