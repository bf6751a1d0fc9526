/*
 * lmdb_fields.c - keep the table of the values of declared fields.
 *
 * The rows of an asset follow from its stored JSON and the list of fields alone (json/field_value.h),
 * so that the rows of a replaced asset are known from what it was. The rows of a batch are put in the
 * order of the table: a value that many assets have is looked up once, and new ISCC-IDs, which are
 * later than those before, are appended.
 *
 * Relies on: a view that writes, so LMDB's writer lock is held throughout. Only
 * isx_lmdb_fields_set() commits. Must not know filters (lmdb_filter.c), nor what else an asset has.
 *
 * Why a table: a filter has to know its assets before the rows of a search are compared. To read
 * the metadata of each asset would cost a lookup and a walk through its JSON for every asset of
 * the index, for every search.
 *
 * Memory: BLOCK_ROWS rows that wait to be put, and the different rows of one asset, or twice as many
 * while they are listed, each with a copy of its key of at most ISX_FIELD_KEY_BYTES_MAX bytes. The
 * table itself is filled in one transaction: a reader sees the table of the old list or that of the
 * new one, never half of one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_fields.h"

#include "base/array.h"
#include "base/limits.h"
#include "storage/lmdb_kind.h"
#include "storage/lmdb_table.h"
#include "json/field_value.h"
#include "json/json.h"
#include "json/pointer.h"
#include "json/wire.h"

#include <sodium.h>
#include <stdlib.h>

enum {
	BLOCK_ROWS = 1 << 16,        /* put together at most: some MiB of memory */
	ASSETS_PER_REPORT = 1 << 10, /* of progress */
	DIGEST_BYTES = ISX_FIELD_KEY_BYTES_MAX - ISX_FIELD_HEAD_BYTES
};

/* One row: the key begins at keys.ptr + start. */
struct isx_field_row {
	size_t start;
	uint32_t bytes;
	uint64_t id;
};

/* --- the list --------------------------------------------------------------------------------- */

/* The list may come from a damaged file or from another program, so it is checked as a whole: a
 * list of which a part is usable would give other numbers to the fields behind, and the keys in
 * the table would mean other fields. */
enum isx_status isx_lmdb_fields_parse(struct isx_span json, struct isx_arena *arena,
				      struct isx_lmdb_fields *fields, bool *is_read,
				      struct isx_err *err)
{
	struct isx_span text, element;
	*is_read = !isx_json_check(json, &(size_t){ 0 }, NULL);
	*fields = (struct isx_lmdb_fields){ .pointers = isx_arena_alloc(arena, ISX_FIELDS_MAX,
									sizeof *fields->pointers) };
	if (!fields->pointers)
		return isx_fail_memory(err);
	struct isx_json_walk walk = isx_json_walk_start(json);
	while (*is_read && isx_json_next_element(&walk, &element)) {
		if (!isx_json_string(element, arena, &text))
			return isx_fail_memory(err);
		*is_read = text.len && fields->count < ISX_FIELDS_MAX;
		if (*is_read)
			fields->pointers[fields->count++] = text.ptr;
	}
	if (!*is_read)
		fields->count = 0;
	return ISX_OK;
}

void isx_lmdb_fields_print(struct isx_buf *json, const char *const *pointers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		isx_buf_char(json, i ? ',' : '[');
		isx_json_quote(json, isx_span_of(pointers[i]));
	}
	isx_buf_text(json, count ? "]" : "[]");
}

/* A file without the list, as 0.3.3 writes it, declares nothing: that is no error. One whose list
 * cannot be read is damaged, and a search with a filter must not go on as if nothing were
 * declared. */
enum isx_status isx_lmdb_fields_read(struct isx_lmdb_view *view, struct isx_arena *arena,
				     struct isx_lmdb_fields *fields, struct isx_err *err)
{
	MDB_val key = isx_lmdb_val(ISX_META_FIELDS, strlen(ISX_META_FIELDS)), value;
	int rc = view->tables.metadata ? mdb_get(view->txn, view->tables.metadata, &key, &value)
				       : MDB_NOTFOUND;
	bool is_read;
	*fields = (struct isx_lmdb_fields){ 0 };
	if (rc)
		return rc == MDB_NOTFOUND ? ISX_OK
					  : isx_lmdb_status(rc, "read the declared fields", err);
	enum isx_status st = isx_lmdb_fields_parse(isx_lmdb_span(value), arena, fields, &is_read,
						   err);
	if (st || is_read)
		return st;
	return isx_lmdb_status(MDB_CORRUPTED, "read the declared fields", err);
}

/* The texts of a list as memory of their own; NULL without memory. */
static char **copy_list(const struct isx_lmdb_fields *fields)
{
	size_t made = 0;
	char **texts = isx_mem_array(fields->count + 1, sizeof *texts);
	while (texts && made < fields->count) {
		const char *pointer = fields->pointers[made];
		texts[made] = isx_mem_text(pointer, strlen(pointer));
		if (!texts[made])
			break;
		made++;
	}
	if (!texts || made == fields->count)
		return texts;
	while (made > 0)
		isx_mem_free(texts[--made]);
	isx_mem_free(texts);
	return NULL;
}

enum isx_status isx_lmdb_fields_copy(const struct isx_lmdb_fields *fields, char ***pointers,
				     size_t *count, struct isx_err *err)
{
	char **texts = copy_list(fields);
	if (!texts)
		return isx_fail_memory(err);
	*pointers = texts;
	*count = fields->count;
	return ISX_OK;
}

/* The file is read as it is: rows that another program has left behind are not made anew only to
 * tell the names of the fields, which nothing but this program writes. */
enum isx_status isx_lmdb_fields_get(struct isx_lmdb_file *file, char ***pointers, size_t *count,
				    struct isx_err *err)
{
	struct isx_lmdb_view view;
	struct isx_lmdb_fields fields;
	struct isx_arena arena = { 0 };
	bool is_derived; /* the list is right in any case */
	enum isx_status st = isx_lmdb_read_as_is(file, &view, &is_derived, err);
	if (st)
		return st;
	st = isx_lmdb_fields_read(&view, &arena, &fields, err);
	isx_lmdb_end(&view);
	if (!st)
		st = isx_lmdb_fields_copy(&fields, pointers, count, err);
	isx_arena_release(&arena);
	return st;
}

static enum isx_status put_list(struct isx_lmdb_view *view, const char *const *pointers,
				size_t count, struct isx_err *err)
{
	struct isx_buf json = { 0 };
	isx_lmdb_fields_print(&json, pointers, count);
	enum isx_status st = isx_buf_status(&json, err);
	if (!st)
		st = isx_lmdb_put_meta(view, ISX_META_FIELDS, json.ptr, json.len, err);
	isx_buf_release(&json);
	return st;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* The number of the field is the first byte, so that the values of one field are neighbours and a
 * range of values is a range of keys. LMDB bounds the length of keys, so a long value keeps its
 * beginning, for the order, and a digest of the whole, so that two long values stay apart: nothing
 * else would tell them apart but reading their assets. The digest is BLAKE2b of libsodium, for
 * which no way is known to make two values meet on purpose. */
void isx_field_key(struct isx_buf *key, size_t field, struct isx_span value)
{
	uint8_t digest[DIGEST_BYTES];
	isx_buf_char(key, (char)field);
	if (value.len <= ISX_FIELD_HEAD_BYTES - 1) {
		isx_buf_add(key, value.ptr, value.len);
		return;
	}
	isx_buf_add(key, value.ptr, ISX_FIELD_HEAD_BYTES - 1);
	crypto_generichash(digest, sizeof digest, (const unsigned char *)value.ptr, value.len, NULL,
			   0);
	isx_buf_add(key, digest, sizeof digest);
}

static void free_rows(struct isx_field_rows *rows)
{
	isx_mem_free(rows->items);
	isx_buf_release(&rows->keys);
}

static void clear_rows(struct isx_field_rows *rows)
{
	rows->count = 0;
	isx_buf_clear(&rows->keys);
}

static MDB_val key_of(const struct isx_field_rows *rows, const struct isx_field_row *row)
{
	return isx_lmdb_val(rows->keys.ptr + row->start, row->bytes);
}

/* The order of LMDB for keys, then by ISCC-ID.
 *   keys  of the rows, as qsort_r() hands it on
 * LMDB compares keys as bytes, and a key that another one begins with comes first. Any other order
 * here would make appending fail, which relies on it. */
static int by_place(const void *left, const void *right, void *keys)
{
	const struct isx_field_row *a = left, *b = right;
	const char *text = keys;
	int order = memcmp(text + a->start, text + b->start,
			   a->bytes < b->bytes ? a->bytes : b->bytes);
	if (!order)
		order = (a->bytes > b->bytes) - (a->bytes < b->bytes);
	return order ? order : (a->id > b->id) - (a->id < b->id);
}

/* qsort_r() and not qsort(): the rows know only where their keys begin, as the buffer of the keys
 * moves while it grows. */
static void sort_rows(struct isx_field_rows *rows)
{
	if (rows->count)
		qsort_r(rows->items, rows->count, sizeof *rows->items, by_place, rows->keys.ptr);
}

/* Add a row whose key was appended at `start`. Offsets instead of pointers, as the buffer of the
 * keys moves when it grows. */
static enum isx_status add_row(struct isx_field_rows *rows, size_t start, uint64_t id,
			       struct isx_err *err)
{
	enum isx_status st = isx_buf_status(&rows->keys, err);
	if (!st)
		st = isx_array_room(&rows->items, &rows->cap, rows->count + 1, sizeof *rows->items,
				    NULL, err);
	if (!st)
		rows->items[rows->count++] =
			(struct isx_field_row){ start, (uint32_t)(rows->keys.len - start), id };
	return st;
}

/* Sort the rows of one asset and keep each once: an array may have a value many times. Their keys stay
 * where they are. */
static void keep_once(struct isx_field_rows *rows)
{
	size_t kept = 0;
	sort_rows(rows);
	for (size_t i = 0; i < rows->count; i++)
		if (!kept || by_place(&rows->items[kept - 1], &rows->items[i], rows->keys.ptr) != 0)
			rows->items[kept++] = rows->items[i];
	rows->count = kept;
}

/* Keep each row once, and only the keys of those that are left. */
static enum isx_status pack_rows(struct isx_field_rows *rows, struct isx_err *err)
{
	struct isx_buf keys = { 0 };
	keep_once(rows);
	for (size_t i = 0; i < rows->count; i++) {
		const MDB_val key = key_of(rows, &rows->items[i]);
		rows->items[i].start = keys.len;
		isx_buf_add(&keys, key.mv_data, key.mv_size);
	}
	isx_buf_release(&rows->keys);
	rows->keys = keys;
	return isx_buf_status(&rows->keys, err);
}

/* List the rows of an asset, in the order of the table and each once.
 *   rows   replaced
 *   value  a buffer for one value
 * An asset without metadata has none. The walk gives each element of an array as a value of its
 * own: a search for one of several authors finds the asset. A client may send an array of millions of
 * equal values, of two bytes each: rows are packed before there are twice as many of them as there were
 * different ones, so that memory depends on the different ones. (8 MiB of zeros took 180 MiB.) */
static enum isx_status list_rows(const struct isx_lmdb_fields *fields, uint64_t id,
				 struct isx_span json, struct isx_field_rows *rows,
				 struct isx_buf *value, struct isx_err *err)
{
	const struct isx_span metadata = isx_json_member(json, "metadata");
	size_t full = BLOCK_ROWS;
	enum isx_status st = ISX_OK;
	clear_rows(rows);
	for (size_t i = 0; !st && i < fields->count; i++) {
		struct isx_field_walk walk = isx_field_walk_start(metadata, fields->pointers[i]);
		while (!st && isx_field_walk_next(&walk, value)) {
			const size_t start = rows->keys.len;
			st = isx_buf_status(value, err);
			if (st)
				return st;
			isx_field_key(&rows->keys, i, (struct isx_span){ value->ptr, value->len });
			st = add_row(rows, start, id, err);
			if (st || rows->count < full)
				continue;
			st = pack_rows(rows, err);
			full = 2 * rows->count > BLOCK_ROWS ? 2 * rows->count : BLOCK_ROWS;
		}
	}
	if (!st)
		keep_once(rows);
	return st;
}

/* --- changes ---------------------------------------------------------------------------------- */

enum isx_status isx_field_change_begin(struct isx_field_change *change, struct isx_lmdb_view *view,
				       struct isx_err *err)
{
	*change = (struct isx_field_change){ .view = view };
	return isx_lmdb_fields_read(view, &change->arena, &change->fields, err);
}

/* Compare rows of two lists of one asset. A list that has ended counts as behind everything, so
 * that the caller's walk through two lists needs no loop for what is left of the other one. */
static int compare_rows(const struct isx_field_rows *left, size_t i,
			const struct isx_field_rows *right, size_t k)
{
	if (i == left->count || k == right->count)
		return (i == left->count) - (k == right->count);
	const MDB_val a = key_of(left, &left->items[i]), b = key_of(right, &right->items[k]);
	int order = memcmp(a.mv_data, b.mv_data, a.mv_size < b.mv_size ? a.mv_size : b.mv_size);
	return order ? order : (a.mv_size > b.mv_size) - (a.mv_size < b.mv_size);
}

/* A row that is already missing is no error. The change goes on then, as what it is to reach is
 * the same; a table that lacks rows is reported by `index check`. */
static enum isx_status remove_row(struct isx_field_change *change, const struct isx_field_row *row,
				  struct isx_err *err)
{
	uint8_t id[ISX_KEY_BYTES];
	isx_store_be64(id, row->id);
	MDB_val key = key_of(&change->old, row), value = isx_lmdb_val(id, sizeof id);
	int rc = mdb_del(change->view->txn, change->view->tables.fields, &key, &value);
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "remove values of fields", err);
}

/* Keep a copy of a row until the end of the change. */
static enum isx_status plan_row(struct isx_field_rows *rows, MDB_val key, uint64_t id,
				struct isx_err *err)
{
	const size_t start = rows->keys.len;
	isx_buf_add(&rows->keys, key.mv_data, key.mv_size);
	return add_row(rows, start, id, err);
}

/* Fill change->old. Stored JSON that cannot be read does not tell the rows of the asset: each row
 * of the table is looked at then, and change->old is empty. That sweep reads the whole table for
 * one asset. It is for files that are damaged only: what is stored by this program was checked
 * before it was stored. */
static enum isx_status list_old(struct isx_field_change *change, uint64_t id, struct isx_span json,
				struct isx_err *err)
{
	clear_rows(&change->old);
	if (!json.len)
		return ISX_OK;
	if (!isx_stored_check(json, NULL))
		return list_rows(&change->fields, id, json, &change->old, &change->value, err);
	return isx_lmdb_status(
		isx_lmdb_sweep_table(change->view, change->view->tables.fields, id, ISX_KEY_BYTES),
		"remove values of fields", err);
}

/* Does the first of some rows of one key, sorted by ISCC-ID, come behind those in the table? Asked
 * once for a key: as long as rows of the same key follow in the order of their ISCC-IDs, and the
 * first of them came last, so do all others. */
static int comes_last(MDB_cursor *cursor, MDB_val key, uint64_t id, bool *last)
{
	MDB_val value;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST_DUP);
	*last = rc == 0 && isx_load_be64(value.mv_data) < id;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Put all rows that were planned; they are sorted. The first row of a new key makes the key, which has
 * to exist before rows are appended. */
static int put_rows(const struct isx_field_rows *rows, MDB_cursor *cursor)
{
	const struct isx_field_row *before = NULL;
	bool append = false;
	int rc = 0;
	for (size_t i = 0; !rc && i < rows->count; before = &rows->items[i++]) {
		const struct isx_field_row *row = &rows->items[i];
		MDB_val key = key_of(rows, row);
		uint8_t id[ISX_KEY_BYTES];
		isx_store_be64(id, row->id);
		MDB_val value = isx_lmdb_val(id, sizeof id);
		bool same = before && before->bytes == row->bytes &&
			    memcmp(rows->keys.ptr + before->start, key.mv_data, row->bytes) == 0;
		if (!same || !append)
			rc = comes_last(cursor, key, row->id, &append);
		if (!rc)
			rc = mdb_cursor_put(cursor, &key, &value, append ? MDB_APPENDDUP : 0);
	}
	return rc;
}

/* Put the rows that were planned, and plan no more. */
static enum isx_status flush_rows(struct isx_field_change *change, struct isx_err *err)
{
	MDB_cursor *cursor;
	if (!change->to_put.count)
		return ISX_OK;
	sort_rows(&change->to_put);
	int rc = mdb_cursor_open(change->view->txn, change->view->tables.fields, &cursor);
	if (!rc) {
		rc = put_rows(&change->to_put, cursor);
		mdb_cursor_close(cursor);
	}
	clear_rows(&change->to_put);
	return isx_lmdb_status(rc, "add values of fields", err);
}

/* Both lists are sorted, so one walk finds what has gone and what has come. Rows of both stay
 * untouched: most updates change little, and a page that is not written costs nothing. What has
 * gone is removed at once, what has come is planned, as only rows that are put in the order of the
 * table can be appended; BLOCK_ROWS of them at a time, as a batch of assets may have any number. Neither
 * list is borrowed from the table that is written. */
enum isx_status isx_field_change_asset(struct isx_field_change *change, uint64_t id,
				       struct isx_span from, struct isx_span to,
				       struct isx_err *err)
{
	const struct isx_field_rows *old = &change->old, *made = &change->made;
	if (!change->fields.count)
		return ISX_OK;
	enum isx_status st = list_old(change, id, from, err);
	clear_rows(&change->made);
	if (!st && to.len)
		st = list_rows(&change->fields, id, to, &change->made, &change->value, err);
	for (size_t i = 0, k = 0; !st && (i < old->count || k < made->count);) {
		int order = compare_rows(old, i, made, k);
		if (order < 0)
			st = remove_row(change, &old->items[i], err);
		else if (order > 0)
			st = plan_row(&change->to_put, key_of(made, &made->items[k]), id, err);
		if (!st && change->to_put.count >= BLOCK_ROWS)
			st = flush_rows(change, err);
		i += order <= 0;
		k += order >= 0;
	}
	return st;
}

enum isx_status isx_field_change_end(struct isx_field_change *change, enum isx_status st,
				     struct isx_err *err)
{
	if (!st)
		st = flush_rows(change, err);
	free_rows(&change->old);
	free_rows(&change->made);
	free_rows(&change->to_put);
	isx_buf_release(&change->value);
	isx_arena_release(&change->arena);
	return st;
}

/* --- all assets ------------------------------------------------------------------------------- */

/* How many assets have been read, for a progress function; NULL: none. */
struct report {
	isx_progress_fn *progress;
	void *arg;
	uint64_t done, total;
};

static void report_asset(struct report *report)
{
	if (report->progress && report->done++ % ASSETS_PER_REPORT == 0)
		report->progress(report->done - 1, report->total, report->arg);
}

/* Add the rows of all assets to an empty table, in the order of the ISCC-IDs. An asset that cannot
 * be read has no values. Assets are walked by the kind of the file, which knows where its assets
 * are stored. Blocks of rows bound the memory of an index of any size; within a block each value
 * is looked up once, so larger blocks mean fewer lookups. */
static enum isx_status add_all(struct isx_lmdb_view *view, struct report *report,
			       struct isx_err *err)
{
	struct isx_field_change change;
	struct isx_iscc_id id;
	MDB_val json;
	uint64_t from = 0;
	int rc = 0;
	enum isx_status st = isx_field_change_begin(&change, view, err);
	while (!st && change.fields.count &&
	       !(rc = view->file->kind->next(view, from, &id, &json))) {
		if (!isx_stored_check(isx_lmdb_span(json), NULL))
			st = isx_field_change_asset(&change, id.body, (struct isx_span){ 0 },
						    isx_lmdb_span(json), err);
		report_asset(report);
		if (__builtin_add_overflow(id.body, (uint64_t)1, &from))
			break;
	}
	if (!st && rc && rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, "read the values of fields", err);
	return isx_field_change_end(&change, st, err);
}

/* Empty the table and fill it. mdb_drop() with 0 keeps the table, so its handle stays valid. It is
 * emptied as a whole instead of compared with what should be there: the numbers of the fields may
 * have changed, so that no old row can be trusted. */
static enum isx_status make_table(struct isx_lmdb_view *view, struct report *report,
				  struct isx_err *err)
{
	int rc = isx_lmdb_open_table(view, ISX_TABLE_FIELDS, ISX_FIELDS_FLAGS,
				     &view->tables.fields);
	if (!rc)
		rc = mdb_drop(view->txn, view->tables.fields, 0);
	return rc ? isx_lmdb_status(rc, "make the table of fields", err)
		  : add_all(view, report, err);
}

enum isx_status isx_lmdb_fields_derive(struct isx_lmdb_view *view, struct isx_err *err)
{
	struct report none = { 0 };
	/* Without the table no list was ever declared. */
	return view->tables.fields ? make_table(view, &none, err) : ISX_OK;
}

enum isx_status isx_lmdb_fields_put(struct isx_lmdb_view *view, const char *const *pointers,
				    size_t count, struct isx_err *err)
{
	struct report none = { 0 };
	enum isx_status st = put_list(view, pointers, count, err);
	return st ? st : make_table(view, &none, err);
}

/* *same: are these the declared fields, in this order? The order counts: the number of a field is
 * its position, and the keys in the table begin with it. */
static enum isx_status is_declared(struct isx_lmdb_view *view, const char *const *pointers,
				   size_t count, bool *same, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_lmdb_fields fields;
	enum isx_status st = isx_lmdb_fields_read(view, &arena, &fields, err);
	*same = !st && fields.count == count;
	for (size_t i = 0; *same && i < count; i++)
		*same = strcmp(fields.pointers[i], pointers[i]) == 0;
	isx_arena_release(&arena);
	return st;
}

/* The writer lock is held throughout, so no asset comes in between the list and its table. Two
 * processes that declare the same list one after the other cost one table: the second one finds
 * the list declared and writes nothing. */
enum isx_status isx_lmdb_fields_set(struct isx_lmdb_file *file, const char *const *pointers,
				    size_t count, isx_progress_fn *progress, void *arg,
				    struct isx_err *err)
{
	struct isx_lmdb_view view;
	struct report report = { .progress = progress, .arg = arg };
	MDB_stat stat = { 0 };
	bool same = false;
	enum isx_status st = isx_lmdb_write(file, &view, err);
	if (st)
		return st;
	st = is_declared(&view, pointers, count, &same, err);
	if (!st && !same)
		st = isx_lmdb_status(mdb_stat(view.txn, view.tables.assets, &stat), "count assets",
				     err);
	report.total = stat.ms_entries;
	if (!st && !same)
		st = put_list(&view, pointers, count, err);
	if (!st && !same)
		st = make_table(&view, &report, err);
	if (!st && !same)
		return isx_lmdb_commit(&view, err);
	isx_lmdb_end(&view);
	return st;
}

/* --- checks ----------------------------------------------------------------------------------- */

bool isx_lmdb_fields_shape(const char *name, struct isx_table_shape *shape)
{
	if (strcmp(name, ISX_TABLE_FIELDS) != 0)
		return false;
	*shape = (struct isx_table_shape){ .flags = ISX_FIELDS_FLAGS, .row_bytes = ISX_KEY_BYTES };
	return true;
}

/* The ISCC-ID of the rows is 0, as only keys are wanted: `index check` compares them with the rows
 * that it finds. They are copied into the arena, as the buffer that they are made in ends here. */
enum isx_status isx_lmdb_fields_keys(const struct isx_lmdb_fields *fields, struct isx_span json,
				     struct isx_arena *arena, MDB_val **keys, size_t *count,
				     struct isx_err *err)
{
	struct isx_field_rows rows = { 0 };
	struct isx_buf value = { 0 };
	enum isx_status st = list_rows(fields, 0, json, &rows, &value, err);
	const char *text = st ? NULL : isx_arena_text(arena, rows.keys.ptr, rows.keys.len);
	*keys = text ? isx_arena_alloc(arena, rows.count, sizeof **keys) : NULL;
	*count = rows.count;
	if (!st && !*keys)
		st = isx_fail_memory(err);
	for (size_t i = 0; !st && i < rows.count; i++)
		(*keys)[i] = isx_lmdb_val(text + rows.items[i].start, rows.items[i].bytes);
	isx_buf_release(&value);
	free_rows(&rows);
	return st;
}
