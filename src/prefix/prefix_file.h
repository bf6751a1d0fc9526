/*
 * prefix_file.h - the tables of a file of lmdb://: find, put and remove assets and rows.
 *
 * Works on the views of lmdb_file.h; nothing here begins, ends or commits one.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PREFIX_FILE_H
#define ISX_PREFIX_FILE_H

#include "engine/asset_units.h"
#include "iscc/iscc_id.h"
#include "prefix/prefix_format.h"
#include "storage/lmdb_file.h"

/* Unit types of one file, each a table of its own. */
enum { ISX_PREFIX_TYPES_MAX = 48 };

/* Handles of the tables of unit types, in the room that a view has for them. */
struct isx_prefix_tables {
	size_t count;
	struct isx_prefix_table {
		char type[ISX_UNIT_TYPE_MAX];
		MDB_dbi rows;
	} __attribute__((may_alias)) types[ISX_PREFIX_TYPES_MAX];
} __attribute__((may_alias)); /* a view declares the room as bytes */

_Static_assert(sizeof(struct isx_prefix_tables) <= ISX_LMDB_ENGINE_TABLES_BYTES,
	       "views have no room");

/* The handles that are valid in a view; they end with it. */
static inline struct isx_prefix_tables *isx_prefix_tables(struct isx_lmdb_view *view)
{
	return (void *)view->tables.of_engine;
}

/* Open the table called `name` if the engine knows it: struct isx_lmdb_kind. */
int isx_prefix_open_table_by_name(struct isx_lmdb_view *view, const char *name);

/* The flags and row length of the table called `name`: struct isx_lmdb_kind. */
bool isx_prefix_table_shape(const char *name, struct isx_table_shape *shape);

/* Make the tables that every index has, and note in a new one when it was made: struct
 * isx_lmdb_kind. */
ISX_MUST_CHECK enum isx_status isx_prefix_make_tables(struct isx_lmdb_view *view,
						      struct isx_err *err);

/* The key of an asset: the text of its ISCC-ID, with this version.
 *   text  filled, ISX_ISCC_ID_TEXT_BYTES */
void isx_prefix_key(const struct isx_iscc_id *id, uint32_t version, char *text);

/* The realm of the index. *found is false before the first asset. */
ISX_MUST_CHECK enum isx_status isx_prefix_realm(struct isx_lmdb_view *view, bool *found,
						uint32_t *realm, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_prefix_put_realm(struct isx_lmdb_view *view, uint32_t realm,
						    struct isx_err *err);

/* Look an asset up under the key of any version: struct isx_lmdb_kind. Not found by a text that is
 * not the canonical one (lower case), as in 0.3.3. */
int isx_prefix_get(struct isx_lmdb_view *view, const char *iscc_id, const struct isx_iscc_id *id,
		   MDB_val *json);

/* The table of a unit type; 0 if there is none (a view that writes makes it). */
ISX_MUST_CHECK enum isx_status isx_prefix_rows_table(struct isx_lmdb_view *view, const char *type,
						     MDB_dbi *table, struct isx_err *err);

/* Put the rows of an asset, or remove those of one that is stored as `json`. */
ISX_MUST_CHECK enum isx_status isx_prefix_rows_put(struct isx_lmdb_view *view, uint64_t id,
						   const struct isx_indexed_unit *units,
						   size_t count, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_prefix_rows_remove(struct isx_lmdb_view *view, uint64_t id,
						      struct isx_span json, struct isx_err *err);

#endif
