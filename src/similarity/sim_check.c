/*
 * sim_check.c - check a file of usearch:// beyond what storage/lmdb_check.c checks of any file.
 *
 * The first part tells lmdb_check.c where this engine keeps assets and rows of units. The second
 * checks counts, the third simprints, in both directions: each simprint of 0.3.3's table has a
 * row, and each row has its simprint, fingerprint and asset.
 *
 * Everything reads one snapshot and writes nothing; writers are not held off. What is wrong is
 * reported as a finding, and the check goes on; a status other than ISX_OK means that it could not
 * go on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_check.h"

#include "similarity/sim_calibrate.h"
#include "similarity/sim_rows.h"
#include "similarity/sim_tables.h"

#include <stdio.h>
#include <string.h>

/* --- where things lie ------------------------------------------------------------------------- */

/* A key here is the body of the ISCC-ID; only its length can be wrong. lmdb:// has texts, which it
 * decodes here. */
bool isx_sim_check_key(MDB_val key, const struct isx_checking *checking, uint8_t *id)
{
	(void)checking;
	if (key.mv_size != ISX_KEY_BYTES)
		return false;
	memcpy(id, key.mv_data, ISX_KEY_BYTES);
	return true;
}

/* An asset has one key here, so only the 0th exists. */
int isx_sim_check_find(const struct isx_checking *checking, const uint8_t *id, unsigned nth,
		       MDB_val *json)
{
	MDB_val key = isx_lmdb_val(id, ISX_KEY_BYTES);
	return nth ? MDB_NOTFOUND
		   : mdb_get(checking->view->txn, checking->view->tables.assets, &key, json);
}

/* Compose the row of a unit of an asset; row->table is 0 if its table does not exist.
 *   value  room for the row; an INSTANCE needs none, as its row is the id itself */
static void compose_row(const struct isx_checking *checking, const uint8_t *id,
			const struct isx_indexed_unit *unit, uint8_t *value,
			struct isx_checked_row *row)
{
	const struct isx_sim_tables *t = isx_sim_tables(checking->view);
	row->name = unit->type;
	if (unit->is_instance) {
		row->table = t->instance;
		row->key = isx_lmdb_val(unit->body, unit->body_bytes);
		row->value = isx_lmdb_val(id, ISX_KEY_BYTES);
		return;
	}
	memcpy(value, id, ISX_KEY_BYTES);
	memcpy(value + ISX_KEY_BYTES, unit->body, unit->body_bytes);
	row->table = t->units[unit->body_bytes];
	row->key = isx_lmdb_val(unit->type, strlen(unit->type));
	row->value = isx_lmdb_val(value, ISX_KEY_BYTES + unit->body_bytes);
}

/* The rows that an asset must have follow from its JSON by the same function as when it was added, so
 * a unit that this program does not index is not reported as missing. */
enum isx_status isx_sim_check_rows(const struct isx_checking *checking, const uint8_t *id,
				   const struct isx_asset *asset, struct isx_arena *arena,
				   struct isx_checked_row **rows, size_t *count,
				   struct isx_err *err)
{
	struct isx_indexed_unit *units;
	enum isx_status st = isx_asset_units(asset, arena, &units, count, err);
	if (st)
		return st;
	uint8_t *values = isx_arena_alloc(arena, *count, ISX_UNIT_ROW_BYTES_MAX);
	*rows = isx_arena_alloc(arena, *count, sizeof **rows);
	if (!values || !*rows)
		return isx_fail_memory(err);
	for (size_t i = 0; i < *count; i++)
		compose_row(checking, id, &units[i], values + i * ISX_UNIT_ROW_BYTES_MAX,
			    *rows + i);
	return ISX_OK;
}

_Static_assert(1 + ISX_BODY_BYTES_MAX <= ISX_CHECKED_TABLES_MAX,
	       "isx_sim_check_tables() overflows");

/* List the tables of unit rows that exist. */
size_t isx_sim_check_tables(const struct isx_checking *checking, struct isx_checked_table *tables)
{
	const struct isx_sim_tables *t = isx_sim_tables(checking->view);
	size_t count = 0;
	if (t->instance)
		tables[count++] = (struct isx_checked_table){ .table = t->instance,
							      .name = ISX_TABLE_INSTANCE,
							      .value_bytes = ISX_KEY_BYTES,
							      .key_bytes_max = ISX_BODY_BYTES_MAX,
							      .is_integer = true };
	for (size_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++)
		if (t->units[bytes])
			tables[count++] = (struct isx_checked_table){
				.table = t->units[bytes],
				.name = "a table of units",
				.value_bytes = ISX_KEY_BYTES + bytes,
				.key_bytes_max = ISX_UNIT_TYPE_MAX - 1
			};
	return count;
}

/* --- counts ----------------------------------------------------------------------------------- */

/* Compare a count in __metadata__ with the number that was counted. No count is a count of 0. */
static enum isx_status check_number(struct isx_checking *checking, const char *name,
				    uint64_t wanted, struct isx_err *err)
{
	MDB_val key = isx_lmdb_val(name, strlen(name)), value;
	int rc = mdb_get(checking->view->txn, checking->view->tables.metadata, &key, &value);
	if (rc && rc != MDB_NOTFOUND)
		return isx_lmdb_status(rc, name, err);
	/* A count of a wrong length is taken for 0 and so reported, unless nothing was counted. */
	uint64_t found = !rc && value.mv_size == 8 ? isx_load_be64(value.mv_data) : 0;
	if (found != wanted)
		isx_finding(checking, "%s is %llu, but there are %llu", name,
			    (unsigned long long)found, (unsigned long long)wanted);
	return ISX_OK;
}

/* An isx_unit_type_fn, with the check as its argument. */
static enum isx_status check_unit_count(const char *type, uint64_t rows, uint64_t bytes, void *arg,
					struct isx_err *err)
{
	char name[sizeof ISX_META_UNIT_COUNT + ISX_UNIT_TYPE_MAX];
	(void)bytes;
	snprintf(name, sizeof name, ISX_META_UNIT_COUNT, type);
	return check_number(arg, name, rows, err);
}

/* Check that the count of each type without rows is 0. Types with rows are compared by
 * check_unit_count(). */
static enum isx_status check_empty_counts(struct isx_checking *checking, struct isx_err *err)
{
	static const char prefix[] = "nphd_count:";
	const struct isx_sim_tables *t = isx_sim_tables(checking->view);
	MDB_cursor *cursor;
	MDB_val key = isx_lmdb_val(prefix, strlen(prefix)), value;
	int rc = mdb_cursor_open(checking->view->txn, checking->view->tables.metadata, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "check counts", err);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (!rc && isx_span_has_prefix(isx_lmdb_span(key), prefix)) {
		struct isx_span type = isx_span_skip(isx_lmdb_span(key), strlen(prefix));
		MDB_val type_key = isx_lmdb_val(type.ptr, type.len), row;
		bool has_rows = false;
		for (size_t i = 1; i <= ISX_BODY_BYTES_MAX; i++)
			has_rows |= t->units[i] && /* one key lookup in each table */
				    mdb_get(checking->view->txn, t->units[i], &type_key, &row) == 0;
		if (!has_rows && value.mv_size == 8 && isx_load_be64(value.mv_data))
			isx_finding(checking, "%.*s is %llu, but there are none", (int)key.mv_size,
				    (const char *)key.mv_data,
				    (unsigned long long)isx_load_be64(value.mv_data));
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "check counts", err);
}

/* --- simprints -------------------------------------------------------------------------------- */

/* Does a table with ISCC-ID bodies as keys, __assets__ or __sp_assets_TYPE__, have this one? */
static enum isx_status has_asset(const struct isx_checking *checking, MDB_dbi table,
				 const uint8_t *id, bool *has, struct isx_err *err)
{
	MDB_val key = isx_lmdb_val(id, ISX_KEY_BYTES), value;
	int rc = mdb_get(checking->view->txn, table, &key, &value);
	*has = rc == 0;
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "look up an asset", err);
}

/* Check that a simprint of __sp_TYPE__ has a row in __simprints_BITS__, searched or shadowed. */
static enum isx_status check_stored_simprint(struct isx_checking *checking,
					     const struct isx_sim_sp_tables *sp, MDB_val simprint,
					     MDB_val chunk, struct isx_err *err)
{
	uint8_t row[ISX_SIMPRINT_ROW_BYTES_MAX];
	char name[ISX_SIMPRINT_TYPE_MAX + 2];
	size_t len = strlen(sp->type);
	bool has = false;
	if (simprint.mv_size > ISX_SIMPRINT_BYTES_MAX)
		return ISX_OK; /* 0.3.3 stores longer ones; they get no row */
	memcpy(row, chunk.mv_data, ISX_CHUNK_BYTES);
	memcpy(row + ISX_CHUNK_BYTES, simprint.mv_data, simprint.mv_size);
	memcpy(name, sp->type, len);
	name[len] = ISX_SHADOWED;
	/* After a change by 0.3.3 all rows are searched ones (sim_derive.c), so either key is
	 * right. */
	for (size_t shadowed = 0; !has && shadowed <= 1; shadowed++) {
		enum isx_status st = isx_check_has_row(
			checking, isx_sim_tables(checking->view)->simprints[simprint.mv_size],
			isx_lmdb_val(name, len + shadowed),
			isx_lmdb_val(row, ISX_CHUNK_BYTES + simprint.mv_size), &has, err);
		if (st)
			return st;
	}
	if (!has)
		isx_finding(checking, "asset %016llx: a simprint of %s cannot be searched",
			    (unsigned long long)isx_load_be64(row), sp->type);
	return ISX_OK;
}

/* Check all simprints of one __sp_TYPE__. Rows of a wrong length are already findings of
 * isx_check_order(). */
static enum isx_status check_stored_simprints(struct isx_checking *checking,
					      const struct isx_sim_sp_tables *sp,
					      struct isx_err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	enum isx_status st = ISX_OK;
	int rc = mdb_cursor_open(checking->view->txn, sp->data, &cursor);
	if (rc)
		return isx_lmdb_status(rc, sp->type, err);
	while (!st && !(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
		if (value.mv_size == ISX_CHUNK_BYTES)
			st = check_stored_simprint(checking, sp, key, value, err);
	mdb_cursor_close(cursor);
	return !st && rc != MDB_NOTFOUND ? isx_lmdb_status(rc, sp->type, err) : st;
}

/* The tables of the type to which a key of __simprints_BITS__ belongs; NULL if there is no such
 * type. */
static const struct isx_sim_sp_tables *tables_of(const struct isx_checking *checking, MDB_val key)
{
	const struct isx_sim_tables *t = isx_sim_tables(checking->view);
	const char *name = key.mv_data;
	size_t len = key.mv_size;
	/* This program accepts no type with control characters, so none ends with this byte. */
	if (len && name[len - 1] == ISX_SHADOWED)
		len--;
	for (size_t i = 0; i < t->sp_count; i++)
		if (strlen(t->sp[i].type) == len && memcmp(t->sp[i].type, name, len) == 0)
			return &t->sp[i];
	return NULL;
}

/* Check a row of __simprints_BITS__: its simprint is in __sp_TYPE__, its asset exists, and the
 * asset has a fingerprint of this type. */
static enum isx_status check_simprint_row(struct isx_checking *checking, MDB_val key, MDB_val value,
					  struct isx_err *err)
{
	const uint8_t *row = value.mv_data;
	const struct isx_sim_sp_tables *sp = tables_of(checking, key);
	unsigned long long id = isx_load_be64(row);
	/* Three lookups for each row, in tables that are sorted by simprint and by ISCC-ID. */
	bool is_stored = false, is_listed = false, is_asset = false;
	checking->report->rows++;
	if (!sp) {
		isx_finding(checking, "asset %016llx: a simprint of a type that has no table", id);
		return ISX_OK;
	}
	enum isx_status st = isx_check_has_row(
		checking, sp->data,
		isx_lmdb_val(row + ISX_CHUNK_BYTES, value.mv_size - ISX_CHUNK_BYTES),
		isx_lmdb_val(row, ISX_CHUNK_BYTES), &is_stored, err);
	if (!st)
		st = has_asset(checking, sp->assets, row, &is_listed, err);
	if (!st)
		st = has_asset(checking, checking->view->tables.assets, row, &is_asset, err);
	if (!st && !(is_stored && is_listed && is_asset))
		isx_finding(checking, "asset %016llx: a simprint of %s %s", id, sp->type,
			    !is_asset    ? "without an asset"
			    : !is_stored ? "that 0.3.3's table does not have"
					 : "that has no fingerprint");
	return st;
}

/* Check all rows of simprints of one length. */
static enum isx_status check_simprint_rows(struct isx_checking *checking, size_t bytes,
					   struct isx_err *err)
{
	const struct isx_checked_table table = {
		.table = isx_sim_tables(checking->view)->simprints[bytes],
		.name = "a table of simprints",
		.value_bytes = ISX_CHUNK_BYTES + bytes,
		.key_bytes_max = ISX_SIMPRINT_TYPE_MAX + 1
	};
	MDB_cursor *cursor;
	MDB_val key, value;
	enum isx_status st = isx_check_order(checking, &table, err);
	int rc = st ? 0 : mdb_cursor_open(checking->view->txn, table.table, &cursor);
	if (st || rc)
		return st ? st : isx_lmdb_status(rc, table.name, err);
	while (!st && !(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
		if (value.mv_size == table.value_bytes)
			st = check_simprint_row(checking, key, value, err);
	mdb_cursor_close(cursor);
	return !st && rc != MDB_NOTFOUND ? isx_lmdb_status(rc, table.name, err) : st;
}

/* Check the two tables of one simprint type, and its count. */
static enum isx_status check_sp_tables(struct isx_checking *checking,
				       const struct isx_sim_sp_tables *sp, struct isx_err *err)
{
	char name[sizeof ISX_META_SP_COUNT + ISX_SIMPRINT_TYPE_MAX];
	MDB_stat stat;
	const struct isx_checked_table data = { .table = sp->data,
						.name = sp->type,
						.value_bytes = ISX_CHUNK_BYTES };
	const struct isx_checked_table assets = { .table = sp->assets,
						  .name = sp->type,
						  .value_bytes = ISX_FINGERPRINT_BYTES,
						  .key_bytes_max = ISX_KEY_BYTES };
	/* Simprints of 0.3.3 may have any length, so the keys of `data` have no limit. */
	enum isx_status st = isx_check_order(checking, &data, err);
	if (!st)
		st = isx_check_order(checking, &assets, err);
	if (!st)
		st = check_stored_simprints(checking, sp, err);
	if (!st)
		st = isx_lmdb_status(mdb_stat(checking->view->txn, sp->data, &stat), sp->type, err);
	snprintf(name, sizeof name, ISX_META_SP_COUNT, sp->type);
	return st ? st : check_number(checking, name, stat.ms_entries, err);
}

/* Called by lmdb_check.c after assets and rows of units, if the derived tables are up to date. */
enum isx_status isx_sim_check_rest(struct isx_checking *checking, struct isx_err *err)
{
	const struct isx_sim_tables *t = isx_sim_tables(checking->view);
	enum isx_status st = isx_sim_each_unit_type(checking->view, check_unit_count, checking,
						    err);
	if (!st)
		st = check_empty_counts(checking, err);
	if (!st)
		st = isx_distances_check(checking, err);
	for (size_t i = 0; !st && i < t->sp_count; i++)
		st = check_sp_tables(checking, &t->sp[i], err);
	for (size_t bytes = 1; !st && bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++)
		if (t->simprints[bytes])
			st = check_simprint_rows(checking, bytes, err);
	return st;
}
