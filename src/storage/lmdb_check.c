/*
 * lmdb_check.c - verify the invariants of an index file, in one snapshot of it.
 *
 * The pages come first (lmdb_pages.c): if they are damaged, LMDB is not asked for anything else.
 * Then the order of every table. Then each asset is asked for its rows. If there are more rows
 * than that, each row is asked for its asset, which costs more and is not needed otherwise.
 *
 * Holds a read transaction and no other lock: writers continue, and the file grows by what they
 * write meanwhile. A finding is no error: functions here fail only if the check itself could not
 * be done.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_check.h"

#include "iscc/iscc_id.h"
#include "storage/lmdb_kind.h"
#include "storage/lmdb_pages.h"
#include "storage/lmdb_snapshot.h"
#include "json/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void isx_finding(struct isx_checking *checking, const char *format, ...)
{
	char text[256];
	va_list args;
	checking->report->findings++;
	if (!checking->found)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	checking->found(text, checking->arg);
}

/* An isx_page_fn: passes a finding of lmdb_pages.c on. */
static void found_in_pages(const char *text, void *arg)
{
	isx_finding(arg, "%s", text);
}

/* The functions by which the engine of the file tells where its assets and rows are. */
static const struct isx_lmdb_kind *kind_of(const struct isx_checking *checking)
{
	return checking->view->file->kind;
}

/* For %016llx: findings name an asset by the body of its ISCC-ID, as its text may be what is
 * damaged. */
static unsigned long long id_number(const uint8_t *id)
{
	return isx_load_be64(id);
}

/* --- order ------------------------------------------------------------------------------------ */

/* The order of LMDB for keys and values without flags: by bytes, then by length. */
static int compare_bytes(MDB_val a, MDB_val b)
{
	int order = memcmp(a.mv_data, b.mv_data, a.mv_size < b.mv_size ? a.mv_size : b.mv_size);
	return order ? order : (a.mv_size > b.mv_size) - (a.mv_size < b.mv_size);
}

/* The order of the values of one key. MDB_INTEGERDUP values are numbers of the machine, so
 * little-endian. */
static int compare_values(const struct isx_checked_table *table, MDB_val a, MDB_val b)
{
	uint64_t left, right;
	if (!table->is_integer || a.mv_size != sizeof left || b.mv_size != sizeof left)
		return compare_bytes(a, b);
	memcpy(&left, a.mv_data, sizeof left);
	memcpy(&right, b.mv_data, sizeof right);
	return (left > right) - (left < right);
}

/* Check the lengths of an entry, and its order behind the entry before it.
 *   last  key and value of the entry before; without data at the first entry */
static bool check_entry(struct isx_checking *checking, const struct isx_checked_table *table,
			const MDB_val *last, MDB_val key, MDB_val value)
{
	if (table->key_bytes_max && (key.mv_size == 0 || key.mv_size > table->key_bytes_max)) {
		isx_finding(checking, "%s: a key of %zu bytes", table->name, key.mv_size);
		return false;
	}
	if (table->value_bytes && value.mv_size != table->value_bytes) {
		isx_finding(checking, "%s: a row of %zu bytes instead of %zu", table->name,
			    value.mv_size, table->value_bytes);
		return false;
	}
	int order = last[0].mv_data ? compare_bytes(last[0], key) : -1;
	if (order > 0 || (order == 0 && compare_values(table, last[1], value) >= 0)) {
		isx_finding(checking, "%s: its rows are not in order", table->name);
		return false;
	}
	return true;
}

enum isx_status isx_check_order(struct isx_checking *checking,
				const struct isx_checked_table *table, struct isx_err *err)
{
	MDB_cursor *cursor;
	MDB_stat stat = { 0 };
	MDB_val key, value, last[2] = { { 0 } }; /* borrowed from the map: nothing is copied */
	uint64_t entries = 0;
	int rc = mdb_stat(checking->view->txn, table->table, &stat);
	if (!rc)
		rc = mdb_cursor_open(checking->view->txn, table->table, &cursor);
	if (rc)
		return isx_lmdb_status(rc, table->name, err);
	while (!(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		entries++;
		if (!check_entry(checking, table, last, key, value))
			break; /* one finding for a table: the next rows would say the same */
		last[0] = key;
		last[1] = value;
	}
	mdb_cursor_close(cursor);
	/* Only after a complete walk: after a break the count would be wrong, too. */
	if (rc == MDB_NOTFOUND && entries != stat.ms_entries)
		isx_finding(checking, "%s: %llu entries, but it says %zu", table->name,
			    (unsigned long long)entries, stat.ms_entries);
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, table->name, err);
}

/* --- assets ----------------------------------------------------------------------------------- */

enum isx_status isx_check_has_row(const struct isx_checking *checking, MDB_dbi table, MDB_val key,
				  MDB_val value, bool *has, struct isx_err *err)
{
	MDB_cursor *cursor;
	*has = false;
	if (!table)
		return ISX_OK;
	int rc = mdb_cursor_open(checking->view->txn, table, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "check rows", err);
	/* MDB_GET_BOTH finds the exact pair also where a key has millions of rows. */
	rc = mdb_cursor_get(cursor, &key, &value, MDB_GET_BOTH);
	mdb_cursor_close(cursor);
	*has = rc == 0;
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "check rows", err);
}

/* Names are compared, too: tables that do not exist have the same number, 0. */
static bool same_row(const struct isx_checked_row *a, const struct isx_checked_row *b)
{
	return a->table == b->table && compare_bytes(a->key, b->key) == 0 &&
	       compare_bytes(a->value, b->value) == 0 && strcmp(a->name, b->name) == 0;
}

/* Check that an asset has its rows. Adds their number to *total: check_derived() compares the sum
 * with the tables. */
static enum isx_status find_rows(struct isx_checking *checking, const uint8_t *id,
				 const struct isx_checked_row *rows, size_t count, uint64_t *total,
				 struct isx_err *err)
{
	for (size_t i = 0; i < count; i++) {
		size_t before = 0;
		bool has;
		/* Quadratic, with at most as many rows as an asset may have units. */
		while (before < i && !same_row(&rows[before], &rows[i]))
			before++;
		if (before < i)
			continue; /* what an asset lists twice has one row */
		enum isx_status st = isx_check_has_row(checking, rows[i].table, rows[i].key,
						       rows[i].value, &has, err);
		if (st)
			return st;
		(*total)++;
		if (!has)
			isx_finding(checking, "asset %016llx: the row of its %s is missing",
				    id_number(id), rows[i].name);
	}
	return ISX_OK;
}

/* Is this the JSON of the asset that a search would read? Under lmdb:// two keys may have the same
 * ISCC-ID body, and the values of fields are those of one of them. */
static bool has_fields(const struct isx_checking *checking, const uint8_t *id, MDB_val json)
{
	const struct isx_iscc_id wanted = { .version = 1,
					    .realm = checking->realm,
					    .body = isx_load_be64(id) };
	MDB_val found;
	return checking->fields.count &&
	       !kind_of(checking)->get(checking->view, NULL, &wanted, &found) &&
	       found.mv_data == json.mv_data;
}

/* The keys of the rows of the declared fields that an asset has to have; none if the index keeps
 * another JSON for it. */
static enum isx_status list_fields(const struct isx_checking *checking, const uint8_t *id,
				   MDB_val json, struct isx_arena *arena, MDB_val **keys,
				   size_t *count, struct isx_err *err)
{
	*count = 0;
	return has_fields(checking, id, json)
		       ? isx_lmdb_fields_keys(&checking->fields, isx_lmdb_span(json), arena, keys,
					      count, err)
		       : ISX_OK;
}

/* Check that an asset has its rows of declared fields, and add their number to *total. */
static enum isx_status find_fields(struct isx_checking *checking, const uint8_t *id, MDB_val json,
				   struct isx_arena *arena, uint64_t *total, struct isx_err *err)
{
	MDB_val *keys;
	size_t count;
	enum isx_status st = list_fields(checking, id, json, arena, &keys, &count, err);
	for (size_t i = 0; !st && i < count; i++) {
		bool has;
		st = isx_check_has_row(checking, checking->view->tables.fields, keys[i],
				       isx_lmdb_val(id, ISX_KEY_BYTES), &has, err);
		if (!st && !has)
			isx_finding(checking,
				    "asset %016llx: a row of the declared field %s is missing",
				    id_number(id),
				    checking->fields.pointers[*(const uint8_t *)keys[i].mv_data]);
	}
	*total += count;
	return st;
}

/* Read one asset and check its rows. Each wrong asset is a finding and the check continues;
 * only a lack of memory ends it, so `cause` is kept apart from `err`. */
static enum isx_status check_asset(struct isx_checking *checking, MDB_val key, MDB_val json,
				   uint64_t *total, struct isx_err *err)
{
	/* The arena lives for one asset: memory does not grow with the index. */
	struct isx_arena arena = { 0 };
	struct isx_asset asset;
	struct isx_checked_row *rows;
	struct isx_iscc_id named;
	struct isx_err cause = { 0 };
	uint8_t id[ISX_KEY_BYTES];
	size_t count = 0;
	checking->report->assets++;
	if (!kind_of(checking)->check_key(key, checking, id)) {
		isx_finding(checking,
			    "an asset has a key of %zu bytes that is no ISCC-ID of the "
			    "index's realm",
			    key.mv_size);
		return ISX_OK;
	}
	enum isx_status st = isx_asset_from_stored(isx_lmdb_span(json), &arena, &asset, &cause);
	if (st && st != ISX_NO_MEMORY) {
		isx_finding(checking, "asset %016llx cannot be read: %s", id_number(id), cause.msg);
		st = ISX_OK;
		goto done;
	}
	if (!st && (!asset.iscc_id || isx_iscc_id_parse(isx_span_of(asset.iscc_id), &named, NULL) ||
		    named.body != isx_load_be64(id) || named.realm != checking->realm))
		isx_finding(checking, "asset %016llx calls itself %s", id_number(id),
			    asset.iscc_id ? asset.iscc_id : "nothing");
	if (!st)
		st = kind_of(checking)->check_rows(checking, id, &asset, &arena, &rows, &count,
						   &cause);
	if (st && st != ISX_NO_MEMORY) {
		/* No finding: iscc-search 0.3.3 stores assets that cannot be decoded, and they
		 * just have no rows. */
		checking->report->unsearchable++;
		st = ISX_OK;
	} else if (!st && checking->report->is_derived) {
		st = find_rows(checking, id, rows, count, total, &cause);
	}
	if (!st && checking->report->is_derived)
		st = find_fields(checking, id, json, &arena, total, &cause);
done:
	isx_arena_release(&arena);
	return st ? isx_fail(err, st, "%s", cause.msg) : ISX_OK;
}

/* Check all assets in the order of their keys; sums up the rows they should have in *total. */
static enum isx_status check_assets(struct isx_checking *checking, uint64_t *total,
				    struct isx_err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	enum isx_status st = ISX_OK;
	/* The cursor visits the keys in the order of the table, which is checked by
	 * isx_check_order(). */
	int rc = mdb_cursor_open(checking->view->txn, checking->view->tables.assets, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "check assets", err);
	while (!st && !(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
		st = check_asset(checking, key, value, total, err);
	mdb_cursor_close(cursor);
	if (!st && rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, "check assets", err);
	return st;
}

/* --- rows without an asset -------------------------------------------------------------------- */

/* *has: has the asset stored at `json` to have this row? An asset that cannot be read has none;
 * it was reported before. */
static enum isx_status wants_row(struct isx_checking *checking, MDB_val json, const uint8_t *id,
				 MDB_dbi table, MDB_val key, MDB_val value, bool *has,
				 struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_asset asset;
	struct isx_checked_row *rows = NULL;
	MDB_val *keys;
	size_t count = 0;
	const bool is_field = table == checking->view->tables.fields;
	enum isx_status st = isx_asset_from_stored(isx_lmdb_span(json), &arena, &asset, err);
	if (!st && is_field)
		st = list_fields(checking, id, json, &arena, &keys, &count, err);
	for (size_t i = 0; !st && is_field && i < count && !*has; i++)
		*has = compare_bytes(keys[i], key) == 0;
	if (!st && !is_field)
		st = kind_of(checking)->check_rows(checking, id, &asset, &arena, &rows, &count,
						   err);
	for (size_t i = 0; !st && !is_field && i < count && !*has; i++)
		*has = rows[i].table == table && compare_bytes(rows[i].key, key) == 0 &&
		       compare_bytes(rows[i].value, value) == 0;
	isx_arena_release(&arena);
	return st == ISX_NO_MEMORY ? st : ISX_OK;
}

/* Check that the asset of a row exists and has to have it. */
static enum isx_status check_row(struct isx_checking *checking,
				 const struct isx_checked_table *table, MDB_val key, MDB_val value,
				 struct isx_err *err)
{
	MDB_val json;
	/* `value` begins with the ISCC-ID body. */
	bool has = false, is_there = false;
	enum isx_status st = ISX_OK;
	int rc = 0;
	/* Under lmdb:// two keys (of either realm) may have the same ISCC-ID body. */
	for (unsigned nth = 0; !st && !has && !rc; nth++) {
		rc = kind_of(checking)->check_find(checking, value.mv_data, nth, &json);
		if (rc)
			break;
		is_there = true;
		st = wants_row(checking, json, value.mv_data, table->table, key, value, &has, err);
	}
	if (!st && rc && rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, "look up an asset", err);
	if (!st && !has)
		isx_finding(checking, "%s: a row of asset %016llx, which %s", table->name,
			    id_number(value.mv_data),
			    is_there ? "has no such unit or value" : "is not there");
	return st;
}

/* Check every row of a table for its asset. Needs a look-up and a parse for each row. */
static enum isx_status check_rows(struct isx_checking *checking,
				  const struct isx_checked_table *table, struct isx_err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	enum isx_status st = ISX_OK;
	int rc = mdb_cursor_open(checking->view->txn, table->table, &cursor);
	if (rc)
		return isx_lmdb_status(rc, table->name, err);
	while (!st && !(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
		/* A row of another length has no ISCC-ID to look up; isx_check_order() has
		 * reported it. */
		if (value.mv_size == table->value_bytes)
			st = check_row(checking, table, key, value, err);
	mdb_cursor_close(cursor);
	if (!st && rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, table->name, err);
	return st;
}

/* Check rows against assets, in both directions. Each asset's rows exist if check_assets()
 * found nothing, so if the numbers are equal there is no other row either, and the slow
 * direction is left out. */
static enum isx_status check_derived(struct isx_checking *checking, struct isx_err *err)
{
	struct isx_checked_table tables[ISX_CHECKED_TABLES_MAX + 1];
	uint64_t expected = 0;
	size_t count = kind_of(checking)->check_tables(checking, tables);
	if (checking->view->tables.fields)
		tables[count++] =
			(struct isx_checked_table){ .table = checking->view->tables.fields,
						    .name = ISX_TABLE_FIELDS,
						    .value_bytes = ISX_KEY_BYTES,
						    .key_bytes_max = ISX_FIELD_KEY_BYTES_MAX };
	enum isx_status st = check_assets(checking, &expected, err);
	/* Rows are out of date after a write by another program: they will be made again, not
	 * searched. */
	if (st || !checking->report->is_derived)
		return st;
	uint64_t rows = 0;
	for (size_t i = 0; !st && i < count; i++) {
		MDB_stat stat = { 0 };
		st = isx_lmdb_status(mdb_stat(checking->view->txn, tables[i].table, &stat),
				     tables[i].name, err);
		if (!st)
			st = isx_check_order(checking, &tables[i], err);
		rows += stat.ms_entries;
	}
	checking->report->rows += rows;
	for (size_t i = 0; !st && rows != expected && i < count; i++)
		st = check_rows(checking, &tables[i], err);
	return st && !err->msg[0] ? isx_fail_memory(err) : st;
}

/* --- all -------------------------------------------------------------------------------------- */

/* Read the declared fields. A damaged list is a finding. */
static enum isx_status read_fields(struct isx_checking *checking, struct isx_arena *arena,
				   struct isx_err *err)
{
	enum isx_status st = isx_lmdb_fields_read(checking->view, arena, &checking->fields, err);
	if (st != ISX_CORRUPT)
		return st;
	isx_finding(checking, ISX_META_FIELDS " in the metadata is no list of fields");
	checking->fields.count = 0;
	return ISX_OK;
}

/* Check what is in the tables, once the pages are known to be good. */
static enum isx_status check_tables(struct isx_checking *checking, struct isx_err *err)
{
	const struct isx_lmdb_tables *t = &checking->view->tables;
	if (!t->metadata || !t->assets) {
		isx_finding(checking, "there is no table of %s: not an index",
			    t->metadata ? "assets" : "metadata");
		return ISX_OK;
	}
	enum isx_status st = isx_check_order(
		checking,
		&(struct isx_checked_table){ .table = t->metadata, .name = ISX_TABLE_METADATA },
		err);
	if (!st)
		st = isx_check_order(
			checking,
			&(struct isx_checked_table){ .table = t->assets, .name = ISX_TABLE_ASSETS },
			err);
	if (st)
		return st;
	st = kind_of(checking)->realm(checking->view, &checking->has_realm, &checking->realm, err);
	if (st == ISX_CORRUPT) {
		if (checking->realm > 1)
			isx_finding(checking, "the realm is %u: expected 0 or 1", checking->realm);
		else
			isx_finding(checking, "realm_id in the metadata is not a realm");
		return ISX_OK;
	}
	struct isx_arena arena = { 0 };
	if (!st)
		st = read_fields(checking, &arena, err);
	if (!st)
		st = check_derived(checking, err);
	isx_arena_release(&arena);
	/* The first asset fixes the realm in its own transaction, so they cannot be apart. */
	if (!st && !checking->has_realm && checking->report->assets)
		isx_finding(checking, "there are assets, but no realm");
	if (!st && kind_of(checking)->check_rest && checking->report->is_derived)
		st = kind_of(checking)->check_rest(checking, err);
	return st;
}

enum isx_status isx_lmdb_check(struct isx_lmdb_file *file, struct isx_check *report,
			       isx_finding_fn *found, void *arg, struct isx_err *err)
{
	/* A snapshot cannot be checked (ISX_UNAVAILABLE) when writers have replaced its meta page
	 * by then. The next try takes a newer snapshot. */
	enum { TRIES = 100 };
	struct isx_lmdb_view view;
	struct isx_checking checking = {
		.view = &view, .report = report, .found = found, .arg = arg
	};
	struct isx_err cause = { 0 };
	enum isx_status st = ISX_UNAVAILABLE;
	for (int i = 0; st == ISX_UNAVAILABLE && i < TRIES; i++) {
		/* Findings of a try that is repeated do not occur: ISX_UNAVAILABLE comes before
		 * the first page. */
		*report = (struct isx_check){ 0 };
		st = isx_lmdb_read_as_is(file, &view, &report->is_derived, &cause);
		if (st)
			break;
		st = isx_lmdb_pages_check(view.txn, file->kind->shape, ISX_PAGES_ALL,
					  &report->pages, found_in_pages, &checking, &cause);
		if (!st && report->findings == 0)
			st = check_tables(&checking, &cause);
		isx_lmdb_end(&view);
	}
	if (st == ISX_CORRUPT) { /* found by LMDB or when the view began: a finding, too */
		isx_finding(&checking, "%s", cause.msg);
		st = ISX_OK;
	}
	return st ? isx_fail(err, st, "%s", cause.msg) : ISX_OK;
}

enum isx_status isx_lmdb_check_refused(const char *path, const struct isx_lmdb_kind *kind,
				       struct isx_check *report, isx_finding_fn *found, void *arg,
				       struct isx_err *err)
{
	struct isx_options options = { .read_only = true };
	struct isx_checking checking = { .report = report, .found = found, .arg = arg };
	struct isx_lmdb_file *file;
	MDB_txn *txn;
	/* is_derived stays false: tables are not read. */
	*report = (struct isx_check){ 0 };
	/* Attached and not started: LMDB reads only its first two pages. */
	enum isx_status st = isx_lmdb_file_attach(path, kind, &options, ISX_LMDB_WITHOUT_LOCK,
						  &file, err);
	if (st)
		return st;
	st = isx_lmdb_status(isx_lmdb_begin_snapshot(file, &txn), path, err);
	if (!st) {
		st = isx_lmdb_pages_check(txn, kind->shape, ISX_PAGES_ALL, &report->pages,
					  found_in_pages, &checking, err);
		mdb_txn_abort(txn);
	}
	isx_lmdb_file_close(file);
	return st;
}
