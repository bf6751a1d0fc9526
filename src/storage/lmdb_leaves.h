/*
 * lmdb_leaves.h - where the pages with the values of a key lie, listed once for all searches of one
 *                 snapshot.
 *
 * A cursor of LMDB takes 34 ns to the next page, about a third of what the comparison of its rows takes
 * (bench/README.md, "Pages, listed"). As long as nothing is written, all searches read the same pages.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_LEAVES_H
#define ISX_LMDB_LEAVES_H

#include "base/span.h"
#include "scan/kernel.h"

#include <lmdb.h>
#include <pthread.h>

struct isx_lmdb_view;

/* The pages of a key in the order of its values, as they lie in the file. Immutable; valid in every view of the
 * snapshot for which it was got, until it is put back. */
struct isx_leaves {
	const struct isx_scan_page *items;
	size_t count;
};

/* The lists of an open file. All members are private to lmdb_leaves.c. */
struct isx_leaf_lists {
	pthread_mutex_t lock;
	uint64_t txn_id;    /* the snapshot of all lists */
	unsigned forgotten; /* of the file, when they were made: see struct isx_lmdb_file */
	struct leaf_list *first;
};

/* Begin without a list. */
void isx_leaf_lists_init(struct isx_leaf_lists *lists);

/* Free all lists; none is in use. */
void isx_leaf_lists_release(struct isx_leaf_lists *lists);

/* The pages of the values of `key` in a table with MDB_DUPFIXED, as `view` sees them. From any thread.
 * Returns NULL where a list would not pay, or there is no memory for it: use a cursor then. Otherwise put it
 * back before the view ends. */
const struct isx_leaves *isx_leaves_get(struct isx_lmdb_view *view, MDB_dbi table,
					struct isx_span key);

/* Put back what isx_leaves_get() has returned; NULL is allowed. */
void isx_leaves_put(struct isx_lmdb_view *view, const struct isx_leaves *leaves);

#endif
