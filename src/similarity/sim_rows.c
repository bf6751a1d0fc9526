/*
 * sim_rows.c - put, remove and count the rows of units.
 *
 * Rows of a batch are put table by table and type by type in the order of their ISCC-IDs, so that
 * each page is touched once. Rows that come behind the last row of their type are appended, which
 * skips the search for their place (bench/README.md, ingest).
 *
 * Relies on: a view that writes, so LMDB's writer lock is held throughout. Nothing here commits.
 * Knows the bodies of units, but not how an asset's JSON becomes units (engine/asset_units.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_rows.h"

#include "similarity/sim_tables.h"
#include "storage/lmdb_table.h"

#include <stdio.h>
#include <string.h>

/* A collected row. It lives in the arena of its isx_unit_rows. */
struct unit_row {
	struct unit_row *next;
	uint8_t value[ISX_UNIT_ROW_BYTES_MAX]; /* ISCC-ID body, then the unit's body */
};

/* The rows of one type and length, which go into one table. They stay in the order in which they
 * were added: by ISCC-ID, and those of one asset by body (isx_unit_rows_add()). */
struct isx_unit_group {
	struct isx_unit_group *next;
	char type[ISX_UNIT_TYPE_MAX];
	uint32_t body_bytes;
	bool is_instance;
	struct unit_row *first;
	struct unit_row **last; /* the end of the list: where the next row is linked */
};

/* The group of a unit, made if it is the first of its type and length; NULL when there is no
 * memory. A linear search is enough: a batch has few types. */
static struct isx_unit_group *group_of(struct isx_unit_rows *rows,
				       const struct isx_indexed_unit *unit)
{
	struct isx_unit_group **place = &rows->groups;
	for (; *place; place = &(*place)->next)
		if ((*place)->body_bytes == unit->body_bytes &&
		    strcmp((*place)->type, unit->type) == 0)
			return *place;
	struct isx_unit_group *made = isx_arena_alloc(rows->arena, 1, sizeof *made);
	if (made) {
		memcpy(made->type, unit->type, sizeof made->type);
		made->body_bytes = unit->body_bytes;
		made->is_instance = unit->is_instance;
		made->last = &made->first;
		*place = made;
	}
	return made;
}

enum isx_status isx_unit_rows_add(struct isx_unit_rows *rows, uint64_t id,
				  const struct isx_indexed_unit *unit, struct isx_err *err)
{
	struct isx_unit_group *group = group_of(rows, unit);
	struct unit_row *row = group ? isx_arena_alloc(rows->arena, 1, sizeof *row) : NULL;
	if (!row)
		return isx_fail_memory(err);
	isx_store_be64(row->value, id);
	memcpy(row->value + ISX_KEY_BYTES, unit->body, unit->body_bytes);
	*group->last = row;
	group->last = &row->next;
	return ISX_OK;
}

/* Do all rows of the group come behind those of its type in the table? Only ISCC-IDs are compared:
 * an asset that is there already is updated, and its new rows may belong before others of its
 * own. */
static int comes_last(MDB_cursor *cursor, const struct isx_unit_group *group, bool *last)
{
	MDB_val key = isx_lmdb_val(group->type, strlen(group->type)), value;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST_DUP);
	if (rc == MDB_NOTFOUND) {
		*last = false; /* the first row makes the key, which has to exist to append */
		return 0;
	}
	*last = rc == 0 && memcmp(value.mv_data, group->first->value, ISX_KEY_BYTES) < 0;
	return rc;
}

/* Put the rows of a similarity unit: type -> ISCC-ID body, body. Appending fails unless rows rise,
 * which the order of the group ensures. */
static int put_similarity_rows(MDB_cursor *cursor, const struct isx_unit_group *group)
{
	MDB_val key = isx_lmdb_val(group->type, strlen(group->type));
	size_t row_bytes = ISX_KEY_BYTES + group->body_bytes;
	bool append;
	int rc = comes_last(cursor, group, &append); /* asked once: the group is in order */
	for (const struct unit_row *row = group->first; row && !rc; row = row->next) {
		MDB_val value = isx_lmdb_val(row->value, row_bytes);
		rc = mdb_cursor_put(cursor, &key, &value, append ? MDB_APPENDDUP : 0);
	}
	return rc;
}

/* Put the rows of INSTANCE units: body -> ISCC-ID body. They lie scattered by their bodies, so
 * none can be appended. */
static int put_instance_rows(MDB_cursor *cursor, const struct isx_unit_group *group)
{
	int rc = 0;
	for (const struct unit_row *row = group->first; row && !rc; row = row->next) {
		MDB_val key = isx_lmdb_val(row->value + ISX_KEY_BYTES, group->body_bytes);
		MDB_val value = isx_lmdb_val(row->value, ISX_KEY_BYTES);
		rc = mdb_cursor_put(cursor, &key, &value, 0);
	}
	return rc;
}

enum isx_status isx_unit_rows_put(const struct isx_unit_rows *rows, struct isx_lmdb_view *view,
				  struct isx_err *err)
{
	for (struct isx_unit_group *group = rows->groups; group; group = group->next) {
		MDB_cursor *cursor;
		MDB_dbi table = isx_sim_tables(view)->instance;
		enum isx_status st = ISX_OK;
		if (!group->is_instance)
			st = isx_sim_units_table(view, group->body_bytes, &table, err);
		if (st)
			return st;
		int rc = mdb_cursor_open(view->txn, table, &cursor);
		if (!rc) {
			rc = group->is_instance ? put_instance_rows(cursor, group)
						: put_similarity_rows(cursor, group);
			mdb_cursor_close(cursor);
		}
		if (rc)
			return isx_lmdb_status(rc, "add units", err);
	}
	return ISX_OK;
}

enum isx_status isx_unit_rows_remove(struct isx_lmdb_view *view, uint64_t id,
				     const struct isx_indexed_unit *units, size_t count,
				     struct isx_err *err)
{
	uint8_t row[ISX_UNIT_ROW_BYTES_MAX];
	isx_store_be64(row, id);
	for (size_t i = 0; i < count; i++) {
		MDB_dbi table = units[i].is_instance
					? isx_sim_tables(view)->instance
					: isx_sim_tables(view)->units[units[i].body_bytes];
		memcpy(row + ISX_KEY_BYTES, units[i].body, units[i].body_bytes);
		MDB_val key = isx_lmdb_val(units[i].type, strlen(units[i].type));
		MDB_val value = isx_lmdb_val(row, ISX_KEY_BYTES + units[i].body_bytes);
		if (units[i].is_instance) {
			key = isx_lmdb_val(units[i].body, units[i].body_bytes);
			value = isx_lmdb_val(row, ISX_KEY_BYTES);
		}
		/* A row that is already missing is no error. */
		int rc = table ? mdb_del(view->txn, table, &key, &value) : 0;
		if (rc && rc != MDB_NOTFOUND)
			return isx_lmdb_status(rc, "remove units", err);
	}
	return ISX_OK;
}

enum isx_status isx_unit_rows_sweep(struct isx_lmdb_view *view, uint64_t id, struct isx_err *err)
{
	const struct isx_sim_tables *t = isx_sim_tables(view);
	/* Looks at each key of each table: only for assets with unreadable JSON. */
	int rc = isx_lmdb_sweep_table(view, t->instance, id, ISX_KEY_BYTES);
	for (size_t bytes = 1; !rc && bytes <= ISX_BODY_BYTES_MAX; bytes++)
		rc = isx_lmdb_sweep_table(view, t->units[bytes], id, ISX_KEY_BYTES + bytes);
	return isx_lmdb_status(rc, "remove units", err);
}

/* --- counting --------------------------------------------------------------------------------- */

/* Rows of one unit type in all tables. */
struct type_count {
	char type[ISX_UNIT_TYPE_MAX];
	uint64_t rows;
	uint64_t bytes;
};

enum { TYPES_MAX = 64 }; /* 8 main types with at most 8 subtypes: no more exist */

/* Add the rows of one table to the counts of their types. LMDB stores the number of duplicates
 * with each key, so this costs the number of types and not of rows. MDB_CORRUPTED for keys that
 * are no unit types. */
static int count_table(struct isx_lmdb_view *view, size_t body_bytes, struct type_count *counts,
		       size_t *type_count)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->units[body_bytes], &cursor);
	if (rc)
		return rc;
	while (!(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT_NODUP))) {
		size_t rows = 0, i = 0;
		if (key.mv_size >= ISX_UNIT_TYPE_MAX || (rc = mdb_cursor_count(cursor, &rows)))
			break;
		while (i < *type_count && !isx_span_is(isx_lmdb_span(key), counts[i].type))
			i++;
		if (i == TYPES_MAX)
			break;
		if (i == *type_count) {
			memcpy(counts[i].type, key.mv_data, key.mv_size);
			(*type_count)++;
		}
		counts[i].rows += rows;
		counts[i].bytes += rows * (ISX_KEY_BYTES + body_bytes);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc ? rc : MDB_CORRUPTED;
}

enum isx_status isx_sim_each_unit_type(struct isx_lmdb_view *view, isx_unit_type_fn *visit,
				       void *arg, struct isx_err *err)
{
	/* A type may have bodies of several lengths: its rows are summed up over all tables
	 * first. */
	struct type_count counts[TYPES_MAX] = { 0 };
	size_t type_count = 0;
	for (size_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		int rc = isx_sim_tables(view)->units[bytes]
				 ? count_table(view, bytes, counts, &type_count)
				 : 0;
		if (rc)
			return isx_lmdb_status(rc, "count units", err);
	}
	for (size_t i = 0; i < type_count; i++) {
		enum isx_status st = visit(counts[i].type, counts[i].rows, counts[i].bytes, arg,
					   err);
		if (st)
			return st;
	}
	return ISX_OK;
}

static enum isx_status put_unit_count(const char *type, uint64_t rows, uint64_t bytes, void *arg,
				      struct isx_err *err)
{
	char name[sizeof ISX_META_UNIT_COUNT + ISX_UNIT_TYPE_MAX];
	uint8_t number[8];
	(void)bytes; /* for isx_index_info() only */
	snprintf(name, sizeof name, ISX_META_UNIT_COUNT, type);
	isx_store_be64(number, rows);
	return isx_lmdb_put_meta(arg, name, number, sizeof number, err);
}

/* Set all counts to 0 before they are written: isx_sim_each_unit_type() does not visit a type that
 * has lost its last row, so its old count would stay. */
static enum isx_status zero_unit_counts(struct isx_lmdb_view *view, struct isx_err *err)
{
	static const char prefix[] = "nphd_count:";
	static const uint8_t zero[8];
	MDB_cursor *cursor;
	MDB_val key = isx_lmdb_val(prefix, strlen(prefix)), value;
	int rc = mdb_cursor_open(view->txn, view->tables.metadata, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "count units", err);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (!rc && isx_span_has_prefix(isx_lmdb_span(key), prefix)) {
		value = isx_lmdb_val(zero, sizeof zero);
		rc = mdb_cursor_put(cursor, &key, &value, MDB_CURRENT);
		if (!rc)
			rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "count units", err);
}

/* 0.3.3 reads these counts; this program only checks them (sim_check.c). */
enum isx_status isx_sim_put_counts(struct isx_lmdb_view *view, struct isx_err *err)
{
	enum isx_status st = zero_unit_counts(view, err);
	if (!st)
		st = isx_sim_each_unit_type(view, put_unit_count, view, err);
	for (size_t i = 0; !st && i < isx_sim_tables(view)->sp_count; i++) {
		char name[sizeof ISX_META_SP_COUNT + ISX_SIMPRINT_TYPE_MAX];
		uint8_t number[8];
		MDB_stat stat;
		int rc = mdb_stat(view->txn, isx_sim_tables(view)->sp[i].data, &stat);
		snprintf(name, sizeof name, ISX_META_SP_COUNT, isx_sim_tables(view)->sp[i].type);
		isx_store_be64(number, rc ? 0 : stat.ms_entries);
		st = rc ? isx_lmdb_status(rc, "count simprints", err)
			: isx_lmdb_put_meta(view, name, number, sizeof number, err);
	}
	return st;
}
