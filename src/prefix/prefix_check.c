/*
 * prefix_check.c - tell storage/lmdb_check.c where a file of lmdb:// has assets and rows.
 *
 * The check itself is the same for all engines; this file knows the keys and tables of
 * prefix_format.h. Everything reads the snapshot of the check.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prefix/prefix_check.h"

#include "prefix/prefix_file.h"

#include <string.h>

/* The key of an asset is the text of its ISCC-ID. A key of another realm is a finding of the
 * check. */
bool isx_prefix_check_key(MDB_val key, const struct isx_checking *checking, uint8_t *id)
{
	struct isx_iscc_id found;
	if (isx_iscc_id_parse(isx_lmdb_span(key), &found, NULL) || found.realm != checking->realm)
		return false;
	isx_store_be64(id, found.body);
	return true;
}

/* Find the nth stored form of an asset: there may be one under the key of each version, and each
 * has to have its rows. */
int isx_prefix_check_find(const struct isx_checking *checking, const uint8_t *id, unsigned nth,
			  MDB_val *json)
{
	const struct isx_iscc_id wanted = { .realm = checking->realm, .body = isx_load_be64(id) };
	int rc = MDB_NOTFOUND;
	for (uint32_t version = 0; version < ISX_PREFIX_ID_VERSIONS; version++) {
		char text[ISX_ISCC_ID_TEXT_BYTES];
		isx_prefix_key(&wanted, version, text);
		MDB_val key = isx_lmdb_val(text, strlen(text));
		rc = mdb_get(checking->view->txn, checking->view->tables.assets, &key, json);
		if ((rc && rc != MDB_NOTFOUND) || (rc == 0 && nth-- == 0))
			return rc;
	}
	return MDB_NOTFOUND;
}

/* The rows of an asset are its ISCC-ID under the bodies of its units. row->table is 0 if the type
 * of a unit has no table. */
enum isx_status isx_prefix_check_rows(const struct isx_checking *checking, const uint8_t *id,
				      const struct isx_asset *asset, struct isx_arena *arena,
				      struct isx_checked_row **rows, size_t *count,
				      struct isx_err *err)
{
	const struct isx_prefix_tables *t = isx_prefix_tables(checking->view);
	struct isx_indexed_unit *units;
	enum isx_status st = isx_asset_units_all(asset, arena, &units, count, err);
	if (st)
		return st;
	*rows = isx_arena_alloc(arena, *count, sizeof **rows);
	if (!*rows)
		return isx_fail_memory(err);
	for (size_t i = 0; i < *count; i++) {
		struct isx_checked_row *row = *rows + i;
		row->name = units[i].type;
		for (size_t k = 0; k < t->count; k++)
			if (strcmp(t->types[k].type, row->name) == 0)
				row->table = t->types[k].rows;
		row->key = isx_lmdb_val(units[i].body, units[i].body_bytes);
		row->value = isx_lmdb_val(id, ISX_KEY_BYTES);
	}
	return ISX_OK;
}

_Static_assert((int)ISX_PREFIX_TYPES_MAX <= (int)ISX_CHECKED_TABLES_MAX,
	       "isx_prefix_check_tables() overflows");

/* List the tables of rows: one for each unit type. */
size_t isx_prefix_check_tables(const struct isx_checking *checking,
			       struct isx_checked_table *tables)
{
	const struct isx_prefix_tables *t = isx_prefix_tables(checking->view);
	for (size_t i = 0; i < t->count; i++)
		tables[i] = (struct isx_checked_table){ .table = t->types[i].rows,
							.name = t->types[i].type,
							.value_bytes = ISX_KEY_BYTES,
							.key_bytes_max = ISX_BODY_BYTES_MAX,
							.is_integer = true };
	return t->count;
}
