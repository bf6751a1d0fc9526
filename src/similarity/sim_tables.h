/*
 * sim_tables.h - the tables of an index of usearch:// and memory://, by name (sim_format.h).
 *
 * Works on the views of lmdb_file.h; nothing here begins, ends or commits one.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_TABLES_H
#define ISX_SIM_TABLES_H

#include "iscc/iscc_id.h"
#include "similarity/sim_format.h"
#include "storage/lmdb_file.h"

enum { ISX_SIMPRINT_TYPES_MAX = 64 };

/* Handles of the tables of usearch:// and memory://, in the room that a view has for them. */
struct isx_sim_tables {
	MDB_dbi instance;
	MDB_dbi units[ISX_BODY_BYTES_MAX + 1];         /* by bytes of the body */
	MDB_dbi simprints[ISX_SIMPRINT_BYTES_MAX + 1]; /* by bytes of the simprint */
	size_t sp_count;
	struct isx_sim_sp_tables {
		char type[ISX_SIMPRINT_TYPE_MAX + 1];
		MDB_dbi data;
		MDB_dbi assets;
	} __attribute__((may_alias)) sp[ISX_SIMPRINT_TYPES_MAX];
} __attribute__((may_alias)); /* a view declares the room as bytes */

_Static_assert(sizeof(struct isx_sim_tables) <= ISX_LMDB_ENGINE_TABLES_BYTES, "views have no room");

/* The handles that are valid in a view; they end with it. */
static inline struct isx_sim_tables *isx_sim_tables(struct isx_lmdb_view *view)
{
	return (void *)view->tables.of_engine;
}

/* Open the table called `name` if the engine knows it: struct isx_lmdb_kind. */
int isx_sim_open_table_by_name(struct isx_lmdb_view *view, const char *name);

/* The flags and row length of the table called `name`: struct isx_lmdb_kind. */
bool isx_sim_table_shape(const char *name, struct isx_table_shape *shape);

/* Make the tables that every index has, and write into a new one when it was made and how long a
 * body may be: struct isx_lmdb_kind. */
ISX_MUST_CHECK enum isx_status isx_sim_make_tables(struct isx_lmdb_view *view, struct isx_err *err);

/* The handle of a table in a view that writes, created if need be. */
ISX_MUST_CHECK enum isx_status isx_sim_units_table(struct isx_lmdb_view *view, size_t body_bytes,
						   MDB_dbi *table, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_sim_simprints_table(struct isx_lmdb_view *view,
						       size_t simprint_bytes, MDB_dbi *table,
						       struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_sim_sp_tables(struct isx_lmdb_view *view, const char *type,
						 const struct isx_sim_sp_tables **tables,
						 struct isx_err *err);

/* The realm of the index, 0 without assets; and an asset by its ISCC-ID: struct isx_lmdb_kind. */
ISX_MUST_CHECK enum isx_status isx_sim_realm(struct isx_lmdb_view *view, bool *found,
					     uint32_t *realm, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_sim_put_realm(struct isx_lmdb_view *view, uint32_t realm,
						 struct isx_err *err);
int isx_sim_get(struct isx_lmdb_view *view, const char *iscc_id, const struct isx_iscc_id *id,
		MDB_val *json);

#endif
