/*
 * pg_store.h - what the parts of the engine on PostgreSQL share.
 *
 *   pg_conn      connections, statements, values
 *   pg_schema    the tables            pg_sql    all texts of statements
 *   pg_write     adding and removing: one transaction for a group of requests
 *   pg_follower  the local copy of what is searched, and keeping it current
 *   pg_loader    a thread for what takes long of that, and for what is done in the background
 *   pg_lock      who works on a follower, and how far that has come
 *   pg_walk      reading all assets of an index
 *   pg_search    searching: in the follower, or by SQL alone
 *   pg_store     the engine: indexes, and which of the above a call needs
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_STORE_H
#define ISX_PG_STORE_H

#include "engine/commit_queue.h"
#include "engine/engine.h"
#include "postgres/pg_conn.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ISX_PG_QUEUES = 16, ISX_PG_KNOWN = 64 };

/* An index as it was when it was last asked about: a search that begins with it saves a trip. */
struct isx_pg_known {
	char name[ISX_INDEX_NAME_MAX + 1]; /* empty: none */
	int64_t index_id;
	int64_t incarnation;
	int64_t head;      /* the newest that was seen */
	uint64_t until_ns; /* others write to it, too: not used until then */
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

/* An index as the database has it at some moment. */
struct isx_pg_head {
	int64_t index_id;
	int64_t incarnation; /* another one when it was deleted and made again */
	int64_t head;        /* number of its last change */
	int64_t mark;        /* random number of that change: tells it from one of another past */
	bool has_realm;
	uint32_t realm;
	int64_t assets;
	int64_t changed; /* assets changed in all its changes */
	bool is_replica; /* read from a replica beside a primary: this host may be ahead of it */
	char name[ISX_INDEX_NAME_MAX + 1]; /* as it was asked for */
};

/* Read the head of an index. ISX_NOT_FOUND: no such index. */
ISX_MUST_CHECK enum isx_status isx_pg_head(struct isx_pg_conn *conn, const char *name,
					   struct isx_pg_head *head, struct isx_err *err);

/* Begin a transaction that writes, and lock an index: until it ends nobody else changes it. What
 * follows may take long. ISX_NOT_FOUND: no such index; the transaction has begun all the same.
 *   relaxed  the commit need not wait for the disk */
ISX_MUST_CHECK enum isx_status isx_pg_begin_write(struct isx_pg_conn *conn, const char *name,
						  bool relaxed, struct isx_pg_head *head,
						  struct isx_err *err);

/* Begin to read one snapshot, and read the head of an index in it; the search is ended in the
 * database when its connection is closed. ISX_NOT_FOUND: no such index. */
ISX_MUST_CHECK enum isx_status isx_pg_begin_read(struct isx_pg_conn *conn, const char *name,
						 struct isx_pg_head *head, struct isx_err *err);

/* Read a head from the first row of a result. ISX_NOT_FOUND: there is none. ISX_CORRUPT: its numbers
 * cannot be those of an index.
 *   name  of the index, for the message; NULL: it is known by its number */
ISX_MUST_CHECK enum isx_status isx_pg_read_head(const PGresult *row, const char *name,
						struct isx_pg_head *head, struct isx_err *err);

/* Does the realm of an ISCC-ID fit an index? */
ISX_MUST_CHECK enum isx_status isx_pg_check_realm(const struct isx_pg_head *head,
						  const char *iscc_id, uint32_t realm,
						  struct isx_err *err);

/* Read an asset from its row.
 *   id        of the row
 *   codes     borrowed, and so is `metadata`, which is empty where there is none
 *   asset     filled, in `arena`
 * ISX_CORRUPT: the row is not as this program writes it; the message says why and what to do. */
ISX_MUST_CHECK enum isx_status isx_pg_read_asset(const struct isx_pg_head *head, uint64_t id,
						 struct isx_span codes, struct isx_span metadata,
						 struct isx_arena *arena, struct isx_asset *asset,
						 struct isx_err *err);

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

/* A random number for marks and incarnations. */
int64_t isx_pg_random(void);

/* As in struct isx_engine_ops. */
ISX_MUST_CHECK enum isx_status isx_pg_add(struct isx_engine *engine, const char *name,
					  const struct isx_asset *assets, size_t count,
					  enum isx_outcome *outcomes, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_pg_remove(struct isx_engine *engine, const char *name,
					     const char *iscc_id, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_pg_walk(struct isx_engine *engine, const char *name,
					   const char *from, struct isx_walk **walk,
					   struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_pg_search(struct isx_engine *engine, const char *name,
					     const struct isx_query *query, struct isx_arena *arena,
					     struct isx_result *result, struct isx_err *err);

/* The queue that `name` uses: what writes a group is isx_pg_write_group() (an isx_commit_fn over
 * the store). */
struct isx_commit_queue *isx_pg_queue_of(struct isx_pg_store *store, const char *name);
enum isx_status isx_pg_write_group(void *store, struct isx_commit *group, struct isx_err *err);

#endif
