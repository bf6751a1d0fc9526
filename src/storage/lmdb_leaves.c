/*
 * lmdb_leaves.c - list the pages with the values of a key, and keep the lists of one snapshot.
 *
 * Why a list stays valid: LMDB never changes a page that a snapshot reads, and gives every commit a higher
 * number. A view with the number of the list reads the same pages, whichever thread or moment it comes from. The
 * map is never moved (lmdb_file.c). A program that overwrites the file without a transaction is noticed by
 * lmdb_verify.c, which counts file->forgotten; the lists of before are not used then.
 *
 * A list is made only when the same snapshot was asked for it several times: an index that is written
 * between its searches would pay for lists and use none. It is dropped as soon as a newer snapshot is
 * asked for. Its memory is a 256th of the rows, and bounded.
 *
 * Locks: `lock` guards the lists, their states and their users, and is held for moments; not while a list is
 * made. The pages in a list are written by one thread before it is LISTED, and only read afterwards.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_leaves.h"

#include "base/array.h"
#include "base/limits.h"
#include "storage/lmdb_file.h"

#include <errno.h>
#include <string.h>

enum {
	/* How often one snapshot is asked for a list before it is made. To make it takes as long as
	 * the search of a small index, and saves a fifth of each later one. */
	ASKED_MIN = 4,
	LEAVES_MAX = 65536 /* pages of a key: 1 MiB for 6 million units of 256 bits */
};

enum state { UNLISTED, LISTING, LISTED, TOO_LONG };

struct leaf_list {
	struct isx_leaves leaves; /* first member: what callers have; it owns its items */
	struct leaf_list *next;
	MDB_dbi table;
	char key[ISX_UNIT_TYPE_MAX];
	size_t key_bytes;
	enum state state;
	unsigned asked;
	unsigned users;
	bool is_dropped; /* no longer among the lists: free it when the last user is done */
};

void isx_leaf_lists_init(struct isx_leaf_lists *lists)
{
	pthread_mutex_init(&lists->lock, NULL);
}

static void free_list(struct leaf_list *list)
{
	isx_mem_free((void *)(uintptr_t)list->leaves.items);
	isx_mem_free(list);
}

/* Give up one use of a list. Called with the lock. */
static void let_go(struct leaf_list *list)
{
	if (--list->users == 0 && list->is_dropped)
		free_list(list);
}

/* Drop all lists; those in use are freed by their last user. Called with the lock. */
static void drop_lists(struct isx_leaf_lists *lists)
{
	for (struct leaf_list *list = lists->first, *next; list; list = next) {
		next = list->next;
		list->is_dropped = true;
		if (!list->users)
			free_list(list);
	}
	lists->first = NULL;
}

void isx_leaf_lists_release(struct isx_leaf_lists *lists)
{
	drop_lists(lists);
	pthread_mutex_destroy(&lists->lock);
}

/* The list of a key, made if there is none; NULL: there is no memory, or the key is too long. Called with
 * the lock. */
static struct leaf_list *find_list(struct isx_leaf_lists *lists, MDB_dbi table, struct isx_span key)
{
	struct leaf_list *list = lists->first;
	while (list && (list->table != table || list->key_bytes != key.len ||
			memcmp(list->key, key.ptr, key.len) != 0))
		list = list->next;
	if (list || key.len > sizeof list->key)
		return list;
	list = isx_mem_array(1, sizeof *list);
	if (!list)
		return NULL;
	list->table = table;
	list->key_bytes = key.len;
	memcpy(list->key, key.ptr, key.len);
	list->next = lists->first;
	lists->first = list;
	return list;
}

/* List the pages of a key. False: there are too many, or one cannot be read, or there is no memory. */
static bool list_leaves(struct leaf_list *list, struct isx_lmdb_view *view)
{
	MDB_cursor *cursor;
	MDB_val key = isx_lmdb_val(list->key, list->key_bytes), page;
	MDB_stat stat;
	struct isx_err ignored;
	struct isx_scan_page *items = NULL;
	size_t count = 0, cap = 0, values = 0;
	if (mdb_cursor_open(view->txn, list->table, &cursor))
		return false;
	int rc = mdb_cursor_get(cursor, &key, &page, MDB_SET_KEY);
	const size_t value_bytes = rc ? 0 : page.mv_size;
	/* Known without walking: too many even if all pages were full. */
	if (!rc && !mdb_cursor_count(cursor, &values) && !mdb_stat(view->txn, list->table, &stat) &&
	    values / (stat.ms_psize / value_bytes) > LEAVES_MAX)
		rc = ENOMEM;
	if (!rc) /* a lone value is stored inline: LMDB then leaves `page` as it was set */
		rc = mdb_cursor_get(cursor, &key, &page, MDB_GET_MULTIPLE);
	while (!rc) {
		if (count == LEAVES_MAX ||
		    isx_array_room(&items, &cap, count + 1, sizeof *items, NULL, &ignored))
			rc = ENOMEM;
		else
			items[count++] = (struct isx_scan_page){ page.mv_data,
								 page.mv_size / value_bytes };
		if (!rc)
			rc = mdb_cursor_get(cursor, &key, &page, MDB_NEXT_MULTIPLE);
	}
	mdb_cursor_close(cursor);
	if (rc != MDB_NOTFOUND) {
		isx_mem_free(items);
		return false;
	}
	list->leaves = (struct isx_leaves){ items, count };
	return true;
}

/* Are the lists those of the snapshot of the view? An older one gets none; a newer one drops them. Called
 * with the lock. */
static bool has_snapshot(struct isx_leaf_lists *lists, const struct isx_lmdb_view *view)
{
	const uint64_t txn_id = mdb_txn_id(view->txn);
	const unsigned forgotten = atomic_load(&view->file->forgotten);
	if (txn_id == lists->txn_id && forgotten == lists->forgotten)
		return true;
	if (txn_id < lists->txn_id && forgotten == lists->forgotten)
		return false;
	drop_lists(lists);
	lists->txn_id = txn_id;
	lists->forgotten = forgotten;
	return true;
}

const struct isx_leaves *isx_leaves_get(struct isx_lmdb_view *view, MDB_dbi table,
					struct isx_span key)
{
	struct isx_leaf_lists *lists = &view->file->leaves;
	if (view->writes)
		return NULL;
	pthread_mutex_lock(&lists->lock);
	struct leaf_list *list = has_snapshot(lists, view) ? find_list(lists, table, key) : NULL;
	if (list && list->state == UNLISTED && ++list->asked >= ASKED_MIN) {
		list->state = LISTING;
		list->users++; /* it may be dropped meanwhile */
		pthread_mutex_unlock(&lists->lock);
		bool is_listed = list_leaves(list, view);
		pthread_mutex_lock(&lists->lock);
		list->state = is_listed ? LISTED : TOO_LONG;
		if (!is_listed) {
			let_go(list);
			list = NULL;
		}
	} else if (list && list->state == LISTED) {
		list->users++;
	} else {
		list = NULL;
	}
	pthread_mutex_unlock(&lists->lock);
	return list ? &list->leaves : NULL;
}

void isx_leaves_put(struct isx_lmdb_view *view, const struct isx_leaves *leaves)
{
	struct isx_leaf_lists *lists = &view->file->leaves;
	struct leaf_list *list = (struct leaf_list *)(uintptr_t)leaves;
	if (!list)
		return;
	pthread_mutex_lock(&lists->lock);
	let_go(list);
	pthread_mutex_unlock(&lists->lock);
}
