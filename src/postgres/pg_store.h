/*
 * pg_store.h - an open store: connections, queues, followers, and what is known of its indexes. The
 *              room, lowest first:
 *
 *   pg_sql       all texts of statements
 *   pg_values    the values of statements and results
 *   pg_conn      one connection: what went wrong, statements, pipelines, COPY
 *   pg_schema    the tables: made where they are missing, and their version
 *   pg_pool      a bounded pool of connections
 *   pg_head      heads of indexes and rows of assets, as they are read
 *   pg_lock      who works on a follower, and how far that has come
 *   pg_loader    a thread for what takes long of that, and for what is done in the background
 *   pg_follower  the local copy of what is searched, and keeping it current
 *   pg_store     what the calls below share
 *   pg_write     adding and removing: one transaction for a group of requests
 *   pg_walk      reading all assets of an index
 *   pg_search    searching: in the follower, or by SQL alone (pg_sql_search)
 *   pg_engine    the engine: indexes, and which of the above a call needs
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_STORE_H
#define ISX_PG_STORE_H

#include "engine/commit_queue.h"
#include "engine/engine.h"
#include "postgres/pg_head.h"
#include "postgres/pg_pool.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ISX_PG_QUEUES = 16, ISX_PG_KNOWN = 64 };

/* An index as it was when it was last asked about: a search that begins with it saves a trip. */
struct isx_pg_known {
	char name[ISX_INDEX_NAME_MAX + 1]; /* empty: none */
	int64_t index_id;
	int64_t generation;
	int64_t change_seq; /* the newest that was seen */
	uint64_t until_ns;  /* others write to it, too: not used until then */
};

struct isx_pg_store {
	struct isx_engine engine; /* first */
	struct isx_pg_pool *pool;
	struct isx_pg_pool *readers;                    /* of the replica; NULL: there is none */
	struct isx_commit_queue *queues[ISX_PG_QUEUES]; /* of changes, by the index's name */
	char *followers_path;                           /* NULL: searched by SQL */
	pthread_mutex_t lock;                           /* guards `followers` and `known` */
	struct isx_pg_known known[ISX_PG_KNOWN];        /* by a hash of the name */
	struct isx_pg_followers *followers;             /* NULL: not opened yet */
	_Atomic uint64_t sql_until_ns;                  /* followers are passed over until then */
};

/* Do something that reads: with the replica if there is one that serves, else with the primary. */
ISX_MUST_CHECK enum isx_status isx_pg_read(struct isx_pg_store *store, isx_pg_fn *fn, void *arg,
					   struct isx_err *err);

/* The followers of the database that `conn` is connected to, opened at the first call. */
ISX_MUST_CHECK enum isx_status isx_pg_followers_of(struct isx_pg_store *store,
						   struct isx_pg_conn *conn,
						   struct isx_pg_followers **followers,
						   struct isx_err *err);

/* This host has written to an index, whose head it moved there: its follower goes there, too. */
void isx_pg_wrote(struct isx_pg_store *store, struct isx_pg_conn *conn,
		  const struct isx_pg_head *head);

/* Take note of the head of an index that was just read or written.
 *   pause_ms  searches ask for the head first for so long; 0: no change */
void isx_pg_remember(struct isx_pg_store *store, const struct isx_pg_head *head, unsigned pause_ms);

/* Fill what is known of an index without asking, but its name: number, incarnation, head. False if
 * nothing is, or has to be asked. */
bool isx_pg_recall(struct isx_pg_store *store, const char *name, struct isx_pg_head *head);

/* The queue of changes that the index `name` uses; which one writes its groups is said where the store
 * is opened. */
struct isx_commit_queue *isx_pg_queue_of(struct isx_pg_store *store, const char *name);

#endif
