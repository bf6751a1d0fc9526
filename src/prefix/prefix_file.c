/*
 * prefix_file.c - the tables of a file of lmdb://: metadata, assets, rows.
 *
 * iscc-search 0.3.3 reads and writes the same tables (prefix_format.h).
 * Works in the caller's view: nothing here begins, ends or commits a transaction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prefix/prefix_file.h"

#include "iscc/base32.h"
#include "storage/lmdb_fields.h"
#include "storage/lmdb_table.h"
#include "storage/lmdb_verify.h"

#include <stdio.h>
#include <time.h>

/* --- tables ----------------------------------------------------------------------------------- */

/* Open the table of a unit type, and note it in the view; a view that writes creates it. Returns a
 * code of LMDB: MDB_DBS_FULL for one type too many. */
static int open_rows(struct isx_lmdb_view *view, const char *type)
{
	struct isx_prefix_tables *t = isx_prefix_tables(view);
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->types[i].type, type) == 0)
			return 0;
	if (t->count == ISX_PREFIX_TYPES_MAX)
		return MDB_DBS_FULL;
	struct isx_prefix_table made = { 0 }; /* all zeros: tables are compared as bytes */
	snprintf(made.type, sizeof made.type, "%s", type);
	int rc = isx_lmdb_open_table(view, type, ISX_PREFIX_ROWS_FLAGS, &made.rows);
	if (!rc)
		t->types[t->count++] = made;
	return rc;
}

/* A name that begins with "__" is no unit type. Longer names than any unit type has are ignored. */
int isx_prefix_open_table_by_name(struct isx_lmdb_view *view, const char *name)
{
	if (strcmp(name, ISX_TABLE_METADATA) == 0)
		return isx_lmdb_open_table(view, name, 0, &view->tables.metadata);
	if (strcmp(name, ISX_TABLE_ASSETS) == 0)
		return isx_lmdb_open_table(view, name, 0, &view->tables.assets);
	if (strncmp(name, "__", 2) == 0)
		return MDB_INCOMPATIBLE; /* a file of usearch:// */
	return strlen(name) < ISX_UNIT_TYPE_MAX ? open_rows(view, name) : 0;
}

/* Every table of rows has the same shape, whatever its unit type. */
bool isx_prefix_table_shape(const char *name, struct isx_table_shape *shape)
{
	*shape = (struct isx_table_shape){ 0 };
	if (isx_lmdb_fields_shape(name, shape))
		return true;
	if (strcmp(name, ISX_TABLE_METADATA) == 0)
		shape->is_brief = true;
	else if (strncmp(name, "__", 2) != 0)
		*shape = (struct isx_table_shape){ .flags = ISX_PREFIX_ROWS_FLAGS,
						   .row_bytes = ISX_KEY_BYTES };
	else if (strcmp(name, ISX_TABLE_ASSETS) == 0)
		shape->is_by_key = true;
	else
		return false;
	return true;
}

/* Tables of rows are made when the first unit of their type is put. */
enum isx_status isx_prefix_make_tables(struct isx_lmdb_view *view, struct isx_err *err)
{
	struct isx_lmdb_tables *t = &view->tables;
	bool is_new = t->metadata == 0;
	char text[32];
	struct timespec now;
	int rc = isx_lmdb_open_table(view, ISX_TABLE_METADATA, 0, &t->metadata);
	if (!rc)
		rc = isx_lmdb_open_table(view, ISX_TABLE_ASSETS, 0, &t->assets);
	enum isx_status st = isx_lmdb_status(rc, "create tables", err);
	if (st || !is_new)
		return st;
	clock_gettime(CLOCK_REALTIME, &now);
	int len = snprintf(text, sizeof text, "%lld.%06ld", (long long)now.tv_sec,
			   now.tv_nsec / 1000);
	return isx_lmdb_put_meta(view, ISX_META_CREATED, text, (size_t)len, err);
}

/* A view that only reads cannot get a new table: all its handles were looked up when it began. */
enum isx_status isx_prefix_rows_table(struct isx_lmdb_view *view, const char *type, MDB_dbi *table,
				      struct isx_err *err)
{
	int rc = view->writes ? open_rows(view, type) : 0;
	*table = 0;
	for (size_t i = 0; !rc && i < isx_prefix_tables(view)->count; i++)
		if (strcmp(isx_prefix_tables(view)->types[i].type, type) == 0)
			*table = isx_prefix_tables(view)->types[i].rows;
	return isx_lmdb_status(rc, type, err);
}

/* --- realm ------------------------------------------------------------------------------------ */

enum isx_status isx_prefix_realm(struct isx_lmdb_view *view, bool *found, uint32_t *realm,
				 struct isx_err *err)
{
	MDB_val key = isx_lmdb_val(ISX_META_REALM, strlen(ISX_META_REALM)), value;
	int rc = view->tables.metadata ? mdb_get(view->txn, view->tables.metadata, &key, &value)
				       : MDB_NOTFOUND;
	uint64_t number;
	*found = rc == 0; /* absent until the first asset */
	*realm = 0;
	if (rc)
		return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "read the realm", err);
	if (!isx_span_uint(isx_lmdb_span(value), 1, &number))
		return isx_lmdb_fail_damaged(
			view->file, "realm_id in the metadata is neither '0' nor '1'", err);
	*realm = (uint32_t)number;
	return ISX_OK;
}

/* As text, which is how 0.3.3 keeps the realm in a file of lmdb://. */
enum isx_status isx_prefix_put_realm(struct isx_lmdb_view *view, uint32_t realm,
				     struct isx_err *err)
{
	return isx_lmdb_put_meta(view, ISX_META_REALM, realm ? "1" : "0", 1, err);
}

/* --- assets ----------------------------------------------------------------------------------- */

void isx_prefix_key(const struct isx_iscc_id *id, uint32_t version, char *text)
{
	const struct isx_header header = { .maintype = ISX_ID,
					   .subtype = id->realm,
					   .version = version };
	uint8_t bytes[ISX_HEADER_BYTES_MAX + ISX_KEY_BYTES];
	size_t used = isx_header_write(&header, bytes);
	isx_store_be64(bytes + used, id->body);
	memcpy(text, "ISCC:", 5);
	isx_base32_encode(bytes, used + ISX_KEY_BYTES, text + 5);
}

/* Version 1 first: it is what this program writes. */
int isx_prefix_get(struct isx_lmdb_view *view, const char *iscc_id, const struct isx_iscc_id *id,
		   MDB_val *json)
{
	char text[ISX_ISCC_ID_TEXT_BYTES];
	int rc = MDB_NOTFOUND;
	isx_prefix_key(id, id->version, text);
	if (iscc_id && strcmp(text, iscc_id) != 0)
		return MDB_NOTFOUND; /* 0.3.3 looks up the text as it was given */
	for (uint32_t version = ISX_PREFIX_ID_VERSIONS; rc == MDB_NOTFOUND && version-- > 0;) {
		isx_prefix_key(id, version, text);
		MDB_val key = isx_lmdb_val(text, strlen(text));
		rc = isx_lmdb_get_asset(view, &key, json);
	}
	return rc;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Put or remove one row. To put a row that exists, or to remove one that does not, is no error: an
 * asset may list a unit twice. */
static enum isx_status change_row(struct isx_lmdb_view *view, uint64_t id,
				  const struct isx_indexed_unit *unit, bool put,
				  struct isx_err *err)
{
	MDB_dbi table;
	uint8_t id_bytes[ISX_KEY_BYTES];
	isx_store_be64(id_bytes, id);
	enum isx_status st = isx_prefix_rows_table(view, unit->type, &table, err);
	if (st)
		return st;
	MDB_val key = isx_lmdb_val(unit->body, unit->body_bytes);
	MDB_val row = isx_lmdb_val(id_bytes, sizeof id_bytes);
	int rc = put ? mdb_put(view->txn, table, &key, &row, MDB_NODUPDATA)
		     : mdb_del(view->txn, table, &key, &row);
	if (rc == MDB_KEYEXIST || rc == MDB_NOTFOUND)
		rc = 0;
	return isx_lmdb_status(rc, unit->type, err);
}

/* One lookup for each row: rows lie by the bodies of their units, so new ones are spread over the
 * table and cannot be appended. */
enum isx_status isx_prefix_rows_put(struct isx_lmdb_view *view, uint64_t id,
				    const struct isx_indexed_unit *units, size_t count,
				    struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < count; i++)
		st = change_row(view, id, &units[i], true, err);
	return st;
}

/* Remove the rows of an asset with unreadable JSON: every key of every table is looked at. */
static enum isx_status sweep_rows(struct isx_lmdb_view *view, uint64_t id, struct isx_err *err)
{
	const struct isx_prefix_tables *t = isx_prefix_tables(view);
	int rc = 0;
	for (size_t i = 0; !rc && i < t->count; i++)
		rc = isx_lmdb_sweep_table(view, t->types[i].rows, id, ISX_KEY_BYTES);
	return isx_lmdb_status(rc, "remove units", err);
}

/* Which rows an asset has follows from its stored JSON, as when they were put. */
enum isx_status isx_prefix_rows_remove(struct isx_lmdb_view *view, uint64_t id,
				       struct isx_span json, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_stored_units old;
	enum isx_status st = isx_stored_units(json, isx_asset_units_all, &arena, &old, err);
	/* What cannot be decoded has no rows; what cannot be read may have any. */
	if (!st && !old.is_read)
		st = sweep_rows(view, id, err);
	for (size_t i = 0; !st && i < old.count; i++)
		st = change_row(view, id, &old.units[i], false, err);
	isx_arena_release(&arena);
	return st;
}
