/*
 * lmdb_check.h - verify the invariants of an index file.
 *
 * The invariants are the same for both layouts of files; *rules* say where each layout keeps what.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_CHECK_H
#define ISX_LMDB_CHECK_H

#include "engine/asset_units.h"
#include "storage/lmdb_file.h"

/* A check of one snapshot while it runs. */
struct isx_checking {
	struct isx_lmdb_view *view;
	struct isx_check *report;
	isx_finding_fn *found;
	void *arg;
	bool has_realm;
	uint32_t realm;
};

/* A row: its place and its bytes. */
struct isx_checked_row {
	MDB_dbi table; /* 0: there is no such table */
	MDB_val key, value;
	uint8_t room[ISX_UNIT_ROW_BYTES_MAX]; /* holds a composed value; `value` points into it */
};

/* A table of rows, all of one length. */
struct isx_checked_table {
	MDB_dbi table;
	const char *name;   /* borrowed, for messages */
	size_t value_bytes; /* of each row */
	size_t key_bytes_max;
	bool is_integer; /* values are ordered as little-endian numbers */
};

/* Tables of unit rows in one file: up to 48 of lmdb://, up to 33 of usearch://. */
enum { ISX_CHECKED_TABLES_MAX = 48 };

struct isx_check_rules {
	/* The realm in __metadata__. */
	enum isx_status (*realm)(struct isx_lmdb_view *view, bool *found, uint32_t *realm,
				 struct isx_err *err);
	/* Is this the key of an asset of the realm? Then `id` is filled: its ISCC-ID body,
	 * big-endian. */
	bool (*read_key)(MDB_val key, const struct isx_checking *checking, uint8_t *id);
	/* Find the stored JSON of an asset. A layout may have several keys for one ISCC-ID body:
	 * `nth` counts them from 0. Returns a code of LMDB: MDB_NOTFOUND after the last one. */
	int (*find)(const struct isx_checking *checking, const uint8_t *id, unsigned nth,
		    MDB_val *json);
	/* The units by which an asset is found. */
	isx_asset_units_fn *units;
	/* Compose the row of one unit of the asset `id`. */
	void (*row)(const struct isx_checking *checking, const uint8_t *id,
		    const struct isx_indexed_unit *unit, struct isx_checked_row *row);
	/* List the tables that hold rows of units (room for ISX_CHECKED_TABLES_MAX); returns how
	 * many. */
	size_t (*tables)(const struct isx_checking *checking, struct isx_checked_table *tables);
	/* Check what only this layout has; NULL: nothing. */
	enum isx_status (*rest)(struct isx_checking *checking, struct isx_err *err);
};

/* The rules of usearch:// and memory://, and those of lmdb://. */
extern const struct isx_check_rules isx_sim_check;
extern const struct isx_check_rules isx_prefix_check;

/* Check one snapshot of a file, as isx_index_check(). */
ISX_MUST_CHECK enum isx_status isx_lmdb_check(struct isx_lmdb_file *file,
					      const struct isx_check_rules *rules,
					      struct isx_check *report, isx_finding_fn *found,
					      void *arg, struct isx_err *err);

/* Check the pages of a file that is refused as damaged. This process must not have the file open;
 * no lock is taken, and LMDB reads only its first two pages. */
ISX_MUST_CHECK enum isx_status isx_lmdb_check_refused(const char *path,
						      const struct isx_lmdb_kind *kind,
						      struct isx_check *report,
						      isx_finding_fn *found, void *arg,
						      struct isx_err *err);

/* Report something that is wrong: counts it and calls checking->found. */
void isx_finding(struct isx_checking *checking, const char *format, ...) ISX_PRINTF(2, 3);

/* Walk a table and report if its keys or values are out of order, of other lengths than those given
 * (0: any length), or not as many as the table's record says. */
ISX_MUST_CHECK enum isx_status isx_check_order(struct isx_checking *checking,
					       const struct isx_checked_table *table,
					       struct isx_err *err);

/* *has: does the table (0: none) have exactly this row? */
ISX_MUST_CHECK enum isx_status isx_check_has_row(const struct isx_checking *checking, MDB_dbi table,
						 MDB_val key, MDB_val value, bool *has,
						 struct isx_err *err);

#endif
