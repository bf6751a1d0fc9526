/*
 * lmdb_pages.h - verify the pages of an LMDB file without LMDB, which trusts every byte of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_PAGES_H
#define ISX_LMDB_PAGES_H

#include "storage/lmdb_status.h"

/* Called for a finding; `text` is borrowed. */
typedef void isx_page_fn(const char *text, void *arg);

/* What a table has to look like. */
struct isx_table_shape {
	unsigned flags;     /* of LMDB: MDB_DUPSORT and the like */
	uint32_t row_bytes; /* of MDB_DUPFIXED; 0: any */
	bool is_brief;      /* belongs to ISX_PAGES_BRIEF */
	bool is_by_key;     /* not in ISX_PAGES_ROWS: verified by entry (isx_lmdb_get_asset()) */
};

/* How much of a file is verified, so that LMDB may read it. Each extent includes the one before. */
enum isx_pages_extent {
	ISX_PAGES_NONE,  /* nothing */
	ISX_PAGES_BRIEF, /* what is read to open the tables, to list the index and to count */
	ISX_PAGES_ROWS,  /* what a search reads, without assets: those are verified one by one */
	ISX_PAGES_SAFE,  /* all trees and lists of free pages, which a write needs */
	ISX_PAGES_ALL    /* also that no page is lost, which does no harm: for index check */
};

/* Fill in what the table called `name` has to look like; false: the name is not known. */
typedef bool isx_table_shape_fn(const char *name, struct isx_table_shape *shape);

/* Check the first two pages of the file at `path`, the meta pages, before LMDB opens it: LMDB
 * divides by what they say. ISX_CORRUPT: they are damaged, or the file is of another kind. */
ISX_MUST_CHECK enum isx_status isx_lmdb_pages_head(const char *path, struct isx_err *err);

/* Are the meta pages of an open file those of two successive transactions? Read several
 * times, as other processes may commit between the reads. */
bool isx_lmdb_pages_heads_fit(MDB_env *env);

/* Verify the pages of the snapshot of `txn` (lmdb_pages.c says what is checked). Reads with
 * pread(), so damage is a finding and never a signal. Needs 2 bits of memory for each page of the
 * file.
 *   shape   what the tables have to look like
 *   pages   filled: number of pages in use
 *   found   called for each finding, at most once for a page
 * ISX_UNAVAILABLE: two commits have replaced the meta page of the snapshot; try again with a new
 * one. */
ISX_MUST_CHECK enum isx_status isx_lmdb_pages_check(MDB_txn *txn, isx_table_shape_fn *shape,
						    enum isx_pages_extent extent, uint64_t *pages,
						    isx_page_fn *found, void *arg,
						    struct isx_err *err);

/* The pages of the table of assets that were verified: a bit for each, set and read atomically. */
struct isx_known_pages {
	uint64_t count;
	uint8_t bits[];
};

/* Verify the pages that LMDB reads to find a key in the table called `name`, whose entries are
 * plain values: those from the root to the key, and those of its value.
 *   known  pages that were verified are recorded there and not read again; NULL: verify all
 *   found  called if a page is damaged */
ISX_MUST_CHECK enum isx_status isx_lmdb_pages_path(MDB_txn *txn, const char *name, MDB_val key,
						   struct isx_known_pages *known,
						   isx_page_fn *found, void *arg,
						   struct isx_err *err);

#endif
