/*
 * lmdb_check.h - verify the invariants of an index file.
 *
 * The invariants are the same for every kind of file (lmdb_kind.h), which says where it keeps what.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_CHECK_H
#define ISX_LMDB_CHECK_H

#include "storage/lmdb_fields.h"
#include "storage/lmdb_file.h"

/* A check of one snapshot while it runs. */
struct isx_checking {
	struct isx_lmdb_view *view;
	struct isx_check *report;
	isx_finding_fn *found;
	void *arg;
	bool has_realm;
	uint32_t realm;
	struct isx_lmdb_fields fields;
};

/* A row: its place and its bytes. */
struct isx_checked_row {
	MDB_dbi table; /* 0: there is no such table */
	MDB_val key, value;
	const char *name; /* for messages: what of the asset it is made of */
};

/* A table of rows, all of one length. */
struct isx_checked_table {
	MDB_dbi table;
	const char *name;   /* borrowed, for messages */
	size_t value_bytes; /* of each row */
	size_t key_bytes_max;
	bool is_integer; /* values are ordered as little-endian numbers */
};

/* Tables of rows of units in one file: up to 48 of lmdb://, up to 33 of usearch://. */
enum { ISX_CHECKED_TABLES_MAX = 48 };

/* Check one snapshot of a file, as isx_index_check(). */
ISX_MUST_CHECK enum isx_status isx_lmdb_check(struct isx_lmdb_file *file, struct isx_check *report,
					      isx_finding_fn *found, void *arg,
					      struct isx_err *err);

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
