/*
 * pg_store.h - an open store: pools, queues of changes, followers, and heads that were seen last.
 *
 * The files of this folder, lowest first; each calls only those above it in this list:
 *
 *   pg_sql       the texts of all statements
 *   pg_values    values of parameters and results, in binary form
 *   pg_conn      one connection: its errors, statements, pipelines, COPY
 *   pg_schema    the tables: creating them, and their version
 *   pg_pool      a bounded pool of connections
 *   pg_head      reads heads of indexes and rows of assets, and checks them
 *   pg_lock      the lock file of a follower, and the progress that its holder writes there
 *   pg_loader    the thread that loads followers, and updates them in the background
 *   pg_follower  the local copy of the rows that a search scans, and how it is kept current
 *   pg_store     what the engine's operations share
 *   pg_write     adds and removes assets: one transaction for a group of requests
 *   pg_walk      iterates over all assets of an index
 *   pg_sql_search  searches in the database server
 *   pg_search    searches the follower, or by pg_sql_search
 *   pg_engine    the table of the engine's operations, opening, indexes
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

/* The head of an index when it was last read or written. A search that assumes that it is still the
 * head saves a round trip; the trip for the metadata of the matches checks the assumption. */
struct isx_pg_known {
	char name[ISX_INDEX_NAME_MAX + 1]; /* empty: the slot is free */
	int64_t index_id;
	int64_t generation;
	int64_t change_seq; /* the newest that this process has seen */
	int64_t fields;     /* of struct isx_pg_head */
	uint64_t until_ns;  /* another host writes to the index: ask for the head until then */
};

struct isx_pg_store {
	struct isx_engine engine; /* first */
	struct isx_pg_pool *pool;
	struct isx_pg_pool *readers;                    /* to the replica; NULL: there is none */
	struct isx_commit_queue *queues[ISX_PG_QUEUES]; /* of changes, by the index's name */
	char *followers_path;                    /* directory, owned; NULL: searches run as SQL */
	pthread_mutex_t lock;                    /* guards `followers` and `known` */
	struct isx_pg_known known[ISX_PG_KNOWN]; /* by a hash of the name */
	struct isx_pg_followers *followers;      /* NULL: not opened yet */
	_Atomic uint64_t sql_until_ns; /* searches run as SQL until then: a follower failed */
};

/* isx_pg_do() for work that only reads: on the replica, if there is one and it serves, else on the
 * primary. A replica that is damaged does not serve either. */
ISX_MUST_CHECK enum isx_status isx_pg_read(struct isx_pg_store *store, isx_pg_fn *fn, void *arg,
					   struct isx_err *err);

/* The followers of the database that `conn` is connected to; the first call opens their directory.
 *   followers  borrowed until the store is closed */
ISX_MUST_CHECK enum isx_status isx_pg_followers_of(struct isx_pg_store *store,
						   struct isx_pg_conn *conn,
						   struct isx_pg_followers **followers,
						   struct isx_err *err);

/* This host has committed a change of an index. Remembers the new head, and requests that the
 * follower is brought there in the background. */
void isx_pg_wrote(struct isx_pg_store *store, struct isx_pg_conn *conn,
		  const struct isx_pg_head *head);

/* Remember the head of an index that was just read or written.
 *   pause_ms  how long searches must not assume a head but ask for it; 0: leave that as it is */
void isx_pg_remember(struct isx_pg_store *store, const struct isx_pg_head *head, unsigned pause_ms);

/* The remembered head of an index. False if none is remembered, or searches must ask for it now.
 *   head  filled: index_id, generation, change_seq, fields and name only */
bool isx_pg_recall(struct isx_pg_store *store, const char *name, struct isx_pg_head *head);

/* The queue for changes of the index `name`, chosen by a hash: indexes may share one.
 * pg_engine.c gives the queues the function that writes their groups, so that this file need not
 * know pg_write. */
struct isx_commit_queue *isx_pg_queue_of(struct isx_pg_store *store, const char *name);

#endif
