/*
 * lmdb_pages.h - walk the pages of an LMDB file without LMDB, which trusts every byte of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_PAGES_H
#define ISX_LMDB_PAGES_H

#include "storage/lmdb_status.h"

/* Called with what is wrong. */
typedef void isx_page_fn(const char *text, void *arg);

/* What a table has to be like. */
struct isx_table_shape {
	unsigned flags;     /* of LMDB: MDB_DUPSORT and the like */
	uint32_t row_bytes; /* of MDB_DUPFIXED; 0: any */
	bool is_brief;      /* it is read to open, list and count */
	bool is_by_key;     /* one entry of it is read at a time (isx_lmdb_get_asset()) */
};

/* How much of a file is known to be such that LMDB can be let near it. */
enum isx_pages_extent {
	ISX_PAGES_NONE,  /* nothing */
	ISX_PAGES_BRIEF, /* what it reads to open the tables, to list the index and to count */
	ISX_PAGES_ROWS,  /* all that a search reads; assets are verified one by one, on the way */
	ISX_PAGES_SAFE,  /* all: every tree and list of free pages, which a write needs */
	ISX_PAGES_ALL    /* and that no page is lost, which does no harm */
};

/* What the table called `name` has to be like; false: not known. */
typedef bool isx_table_shape_fn(const char *name, struct isx_table_shape *shape);

/* Look at the first two pages of the file at `path` before LMDB does: it divides by what they say.
 * ISX_CORRUPT: they are damaged, or those of another kind of file. */
ISX_MUST_CHECK enum isx_status isx_lmdb_pages_head(const char *path, struct isx_err *err);

/* Are the first two pages of an open file those of its last two transactions? They may seem not to
 * be while two more are committed. */
bool isx_lmdb_pages_heads_fit(MDB_env *env);

/* Walk the trees of the snapshot of `txn`, page by page as they lie in the file (lmdb_pages.c says
 * what is checked).
 *   shape   says what the tables have to be like
 *   pages   filled: how many are in use
 *   found   called for each finding, at most once for a page
 * ISX_UNAVAILABLE: writers are too fast, so that the snapshot could not be told. */
ISX_MUST_CHECK enum isx_status isx_lmdb_pages_check(MDB_txn *txn, isx_table_shape_fn *shape,
						    enum isx_pages_extent extent, uint64_t *pages,
						    isx_page_fn *found, void *arg,
						    struct isx_err *err);

/* Which pages of the table of assets were checked already: a bit for each. */
struct isx_known_pages {
	uint64_t count;
	uint8_t bits[];
};

/* Check the pages that lead to a key in the table called `name`, whose entries are plain values,
 * and those of the value: the pages that LMDB is going to read when it is asked for the key.
 *   known  what was checked is noted there and not checked again; NULL: no such place
 *   found  called if something is wrong */
ISX_MUST_CHECK enum isx_status isx_lmdb_pages_path(MDB_txn *txn, const char *name, MDB_val key,
						   struct isx_known_pages *known,
						   isx_page_fn *found, void *arg,
						   struct isx_err *err);

#endif
