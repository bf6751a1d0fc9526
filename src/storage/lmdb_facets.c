/*
 * lmdb_facets.c - count the values of declared fields among the matches of a search.
 *
 * The table of fields has under each value the assets that have it, ascending, and the matches are sorted:
 * so each page of rows is compared with the few matches that lie in its range. No asset is read, but for
 * a value that is longer than the keys of the table.
 *
 * Reads the caller's view; locks nothing.
 *
 * Time: the rows of the field are read once, page by page, however many matches there are; no
 * match costs a lookup of its own. Memory: an entry for each value that a match has, counted
 * against the quota of the answer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_facets.h"

#include "base/array.h"
#include "engine/facets.h"
#include "engine/filter.h"
#include "engine/meter.h"
#include "storage/lmdb_fields.h"
#include "storage/lmdb_kind.h"
#include "json/field_value.h"
#include "json/wire.h"

/* The work on one list of matches. */
struct counting {
	struct isx_lmdb_view *view;
	struct isx_arena *arena; /* of the answer */
	const uint64_t *ids;     /* of the matches, ascending */
	size_t id_count;
	struct isx_meter meter;
	struct isx_counted
		*values;     /* of the field that is counted; keys of the table: field, value */
	const char *pointer; /* of the field */
	size_t value_count, value_cap;
};

/* For isx_array_lower_bound(): the ISCC-IDs of a list, and of a page of rows. */
static uint64_t id_in_list(const void *ids, size_t i)
{
	return ((const uint64_t *)ids)[i];
}

static uint64_t id_in_page(const void *rows, size_t i)
{
	return isx_load_be64((const uint8_t *)rows + i * ISX_KEY_BYTES);
}

/* --- counting --------------------------------------------------------------------------------- */

/* Count the matches in a page of rows.
 *   at  the first match that is not before the page; moved behind it
 * Both are sorted and either may be much longer, so both are searched by halving from the last
 * place on. Many pages have no match in their range and are left after two comparisons. One of the
 * matches is kept for each value: print_value() may need an asset that has it. */
static void count_page(const struct counting *counting, MDB_val page, size_t *at,
		       struct isx_counted *value)
{
	const uint8_t *rows = page.mv_data;
	const size_t count = page.mv_size / ISX_KEY_BYTES;
	const uint64_t last = id_in_page(rows, count - 1);
	size_t row = 0;
	*at += isx_array_lower_bound(counting->ids + *at, counting->id_count - *at,
				     id_in_page(rows, 0), id_in_list);
	for (; *at < counting->id_count && counting->ids[*at] <= last; ++*at) {
		uint64_t id = counting->ids[*at];
		row += isx_array_lower_bound(rows + row * ISX_KEY_BYTES, count - row, id,
					     id_in_page);
		if (id_in_page(rows, row) != id)
			continue;
		value->count++;
		value->id = id;
	}
}

/* Count the matches under the key of the cursor.
 *   page  its first row; a lone row is stored inline, and there are no pages
 * Reading ends with the last match: the rows behind it cannot count. Values without a match are
 * not entered, so a field with a million different values costs memory only for those of the
 * matches. */
static enum isx_status count_value(struct counting *counting, MDB_cursor *cursor, MDB_val key,
				   MDB_val page, struct isx_err *err)
{
	struct isx_counted value = { .key = isx_lmdb_span(key) };
	size_t rows = 0, at = 0;
	enum isx_status st = ISX_OK;
	int rc = mdb_cursor_count(cursor, &rows);
	if (!rc && rows > 1)
		rc = mdb_cursor_get(cursor, &key, &page, MDB_GET_MULTIPLE);
	while (!rc && !st) {
		count_page(counting, page, &at, &value);
		st = isx_meter_count(&counting->meter, page.mv_size / ISX_KEY_BYTES, err);
		rc = rows > 1 && at < counting->id_count
			     ? mdb_cursor_get(cursor, &key, &page, MDB_NEXT_MULTIPLE)
			     : MDB_NOTFOUND;
	}
	if (!st && rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, "count values of fields", err);
	if (st || !value.count)
		return st;
	st = isx_array_room(&counting->values, &counting->value_cap, counting->value_count + 1,
			    sizeof *counting->values, counting->arena->quota, err);
	if (!st)
		counting->values[counting->value_count++] = value;
	return st;
}

/* Count all values of a field, but for objects and the like. Objects and empty arrays all have one
 * key, so their number would say nothing about values; they sort before all other kinds, which is
 * why the walk begins behind them. */
static enum isx_status count_values(struct counting *counting, MDB_cursor *cursor, size_t field,
				    struct isx_err *err)
{
	const uint8_t first[] = { (uint8_t)field, ISX_VALUE_OTHER + 1 };
	MDB_val key = isx_lmdb_val(first, sizeof first), row;
	enum isx_status st = ISX_OK;
	counting->value_count = 0;
	int rc = mdb_cursor_get(cursor, &key, &row, MDB_SET_RANGE);
	while (!st && !rc && *(const uint8_t *)key.mv_data == field) {
		st = count_value(counting, cursor, key, row, err);
		if (!st)
			rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT_NODUP);
	}
	return st || !rc || rc == MDB_NOTFOUND ? st
					       : isx_lmdb_status(rc, "count values of fields", err);
}

/* --- describing ------------------------------------------------------------------------------- */

/* Does a value begin as the key of the table does, which has been cut? */
static bool may_be(const struct isx_buf *whole, const struct isx_counted *value)
{
	const size_t head = ISX_FIELD_HEAD_BYTES - 1;
	return whole->len > head && memcmp(whole->ptr, value->key.ptr + 1, head) == 0;
}

/* Find the whole of a value that the table has cut, in an asset that has it. Only for values that
 * are shown, so at most as many assets are read as the answer lists. The digest in the key decides
 * which of the values of the asset it is: several may begin alike. An asset may have any number of long
 * values, so the meter is asked: 100 of 60,000 took 7 s. */
static enum isx_status find_whole(struct counting *counting, const struct isx_counted *value,
				  struct isx_buf *whole, struct isx_err *err)
{
	struct isx_iscc_id id = { .body = value->id, .version = 1 };
	struct isx_buf key = { 0 };
	MDB_val json;
	bool has_realm, found = false;
	enum isx_status st = counting->view->file->kind->realm(counting->view, &has_realm,
							       &id.realm, err);
	int rc = st ? 0 : counting->view->file->kind->get(counting->view, NULL, &id, &json);
	if (!st)
		st = isx_lmdb_status(rc, "fetch an asset", err);
	if (!st)
		st = isx_stored_check(isx_lmdb_span(json), err);
	if (st)
		return st;
	struct isx_field_walk walk = isx_field_walk_start(
		isx_json_member(isx_lmdb_span(json), "metadata"), counting->pointer);
	while (!st && !found && !whole->failed && isx_field_walk_next(&walk, whole)) {
		st = isx_meter_work(&counting->meter, ISX_METER_ASSET, err);
		if (!may_be(whole, value)) /* most are told apart without a digest */
			continue;
		isx_buf_clear(&key);
		isx_field_key(&key, (uint8_t)*value->key.ptr,
			      (struct isx_span){ whole->ptr, whole->len });
		found = key.len == value->key.len && memcmp(key.ptr, value->key.ptr, key.len) == 0;
	}
	if (!st)
		st = isx_buf_status(whole, err);
	if (!st)
		st = isx_buf_status(&key, err);
	isx_buf_release(&key);
	return st || found ? st : isx_lmdb_status(MDB_CORRUPTED, "read a value of a field", err);
}

/* An isx_counted_fn, with the work as its argument. */
static enum isx_status print_value(const struct isx_counted *value, void *arg,
				   struct isx_arena *arena, const char **text, struct isx_err *err)
{
	struct isx_buf whole = { 0 };
	struct isx_counted one = { .key = isx_span_skip(value->key, 1) };
	enum isx_status st = ISX_OK;
	if (value->key.len > ISX_FIELD_HEAD_BYTES) {
		st = find_whole(arg, value, &whole, err);
		one.key = (struct isx_span){ whole.ptr, whole.len };
	}
	if (!st)
		st = isx_counted_print(&one, NULL, arena, text, err);
	isx_buf_release(&whole);
	return st;
}

/* --- all -------------------------------------------------------------------------------------- */

static enum isx_status count_field(struct counting *counting, const struct isx_lmdb_fields *fields,
				   struct isx_facet *facet, struct isx_err *err)
{
	size_t field;
	MDB_cursor *cursor;
	enum isx_status st = isx_facet_check(facet->field, fields->pointers, fields->count,
					     counting->arena, &field, err);
	if (st)
		return st;
	int rc = mdb_cursor_open(counting->view->txn, counting->view->tables.fields, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "count values of fields", err);
	if (counting->id_count)
		st = count_values(counting, cursor, field, err);
	mdb_cursor_close(cursor);
	counting->pointer = fields->pointers[field];
	return st ? st
		  : isx_facet_fill(counting->values, counting->value_count, print_value, counting,
				   counting->arena, facet, err);
}

/* Sort the ISCC-IDs of all matches: the parts of several threads are mixed. */
static enum isx_status sort_ids(struct isx_ranking *ranking, struct isx_err *err)
{
	enum isx_status st = isx_quota_take(ranking->quota, ranking->id_count * sizeof(uint64_t),
					    err);
	uint64_t *room = st ? NULL : isx_mem_array(ranking->id_count, sizeof *room);
	if (!st && !room)
		st = isx_fail_memory(err);
	if (!st)
		isx_array_sort(ranking->ids, room, ranking->id_count);
	isx_mem_free(room);
	return st;
}

/* Without a ranking, or without matches, the facets are there and empty: a client finds the
 * members that it has asked for in any case. */
enum isx_status isx_lmdb_facets(struct isx_lmdb_view *view, const struct isx_query *query,
				struct isx_ranking *ranking, struct isx_arena *arena,
				const struct isx_facet **facets, struct isx_err *err)
{
	struct counting counting = { .view = view, .arena = arena, .meter = isx_meter_of(query) };
	struct isx_lmdb_fields fields;
	if (!query->facets)
		return ISX_OK;
	struct isx_facet *made = isx_arena_alloc(arena, query->facet_count, sizeof *made);
	enum isx_status st = made ? isx_lmdb_fields_read(view, arena, &fields, err)
				  : isx_fail_memory(err);
	if (!st && ranking && ranking->id_count)
		st = sort_ids(ranking, err);
	if (ranking) {
		counting.ids = ranking->ids;
		counting.id_count = ranking->id_count;
	}
	for (size_t i = 0; !st && i < query->facet_count; i++) {
		made[i].field = query->facets[i];
		counting.value_count = 0;
		st = count_field(&counting, &fields, &made[i], err);
	}
	isx_mem_free(counting.values);
	*facets = made;
	return st;
}
