/*
 * pg_pool.h - connections to PostgreSQL: a bounded pool of them.
 *
 * A connection that broke is replaced, with pauses that grow while the server is away. No call waits
 * for ever.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_POOL_H
#define ISX_PG_POOL_H

#include "postgres/pg_conn.h"

/* What is done with a connection, in isx_pg_do(). */
typedef enum isx_status isx_pg_fn(struct isx_pg_conn *conn, void *arg, struct isx_err *err);

/* A pool; connects when somebody asks.
 *   pool  new, free with isx_pg_pool_free() (NULL is allowed) */
struct isx_pg_pool_options {
	const char *uri;
	const char *schema;     /* its name; both are copied */
	unsigned conns_max;     /* connections at once */
	unsigned timeout_s;     /* of a silent server */
	bool may_create_schema; /* may it make the schema and its tables? */
	struct isx_logger logger;
};
ISX_MUST_CHECK enum isx_status isx_pg_pool_new(const struct isx_pg_pool_options *options,
					       struct isx_pg_pool **pool, struct isx_err *err);
void isx_pg_pool_free(struct isx_pg_pool *pool);

/* Take a connection: a free one, a new one, or the next that is given back. End with
 * isx_pg_give(). ISX_UNAVAILABLE: all are in use for long, or the server cannot be reached. */
ISX_MUST_CHECK enum isx_status isx_pg_take(struct isx_pg_pool *pool, struct isx_pg_conn **conn,
					   struct isx_err *err);
void isx_pg_give(struct isx_pg_conn *conn);

/* The number that the tables were made with: tells databases apart. */
int64_t isx_pg_store_id(const struct isx_pg_conn *conn);

/* Do something with a connection, and again with another when it failed in a way that allows it
 * (a connection that had died, a deadlock; not a server that was silent: it works, or hangs). */
ISX_MUST_CHECK enum isx_status isx_pg_do(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg,
					 struct isx_err *err);

/* The same for who cannot wait: nothing in it takes longer than 2 s, not even to connect (to
 * each of the servers that the URI names). */
ISX_MUST_CHECK enum isx_status isx_pg_do_probe(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg,
					       struct isx_err *err);

#endif
