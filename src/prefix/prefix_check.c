/*
 * prefix_check.c - tell storage/lmdb_check.c where a file of lmdb:// has assets and rows.
 *
 * The check itself is the same for all engines; this file knows the keys and tables of
 * prefix_format.h. Everything reads the snapshot of the check.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prefix/prefix_file.h"
#include "storage/lmdb_check.h"

#include <string.h>

/* The key of an asset is the text of its ISCC-ID. A key of another realm is a finding of the
 * check. */
static bool read_key(MDB_val key, const struct isx_checking *checking, uint8_t *id)
{
	struct isx_iscc_id found;
	if (isx_iscc_id_parse(isx_lmdb_span(key), &found, NULL) || found.realm != checking->realm)
		return false;
	isx_store_be64(id, found.body);
	return true;
}

/* Find the nth stored form of an asset: there may be one under the key of each version, and each
 * has to have its rows. */
static int find_asset(const struct isx_checking *checking, const uint8_t *id, unsigned nth,
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

/* The row that a unit of an asset has to have. row->table is 0 if its type has no table. */
static void compose_row(const struct isx_checking *checking, const uint8_t *id,
			const struct isx_indexed_unit *unit, struct isx_checked_row *row)
{
	const struct isx_prefix_tables *t = isx_prefix_tables(checking->view);
	row->table = 0;
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->types[i].type, unit->type) == 0)
			row->table = t->types[i].rows;
	memcpy(row->room, id, ISX_KEY_BYTES);
	row->key = isx_lmdb_val(unit->body, unit->body_bytes);
	row->value = isx_lmdb_val(row->room, ISX_KEY_BYTES);
}

_Static_assert((int)ISX_PREFIX_TYPES_MAX <= (int)ISX_CHECKED_TABLES_MAX, "row_tables() overflows");

/* List the tables of rows: one for each unit type. */
static size_t row_tables(const struct isx_checking *checking, struct isx_checked_table *tables)
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

const struct isx_check_rules isx_prefix_check = { .realm = isx_prefix_realm,
						  .read_key = read_key,
						  .find = find_asset,
						  .units = isx_asset_units_all,
						  .row = compose_row,
						  .tables = row_tables };
