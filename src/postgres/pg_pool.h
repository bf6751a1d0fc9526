/*
 * pg_pool.h - connections to PostgreSQL: a bounded pool of them.
 *
 * A lost connection is replaced; while the server is away, attempts to connect are 50 ms to 2 s
 * apart, and one thread at a time makes them. No call waits without a limit. All calls may be
 * made by any thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_POOL_H
#define ISX_PG_POOL_H

#include "postgres/pg_conn.h"

/* Work with a connection, done by isx_pg_do(). May be called several times: what an earlier attempt
 * left in `arg` must do no harm. */
typedef enum isx_status isx_pg_fn(struct isx_pg_conn *conn, void *arg, struct isx_err *err);

/* Make a pool. It connects when a connection is first taken.
 *   pool  new, free with isx_pg_pool_free() (NULL is allowed) when all connections were given back
 * ISX_INVALID: the URI or the name of the schema is not one. */
struct isx_pg_pool_options {
	const char *uri;
	const char *schema;     /* its name: a-z, 0-9 and _. Both are copied. */
	unsigned conns_max;     /* connections that may be open at once */
	unsigned timeout_s;     /* longest silence of the server, in seconds */
	bool may_create_schema; /* else a schema without tables is ISX_UNAVAILABLE */
	struct isx_logger logger;
};
ISX_MUST_CHECK enum isx_status isx_pg_pool_new(const struct isx_pg_pool_options *options,
					       struct isx_pg_pool **pool, struct isx_err *err);
void isx_pg_pool_free(struct isx_pg_pool *pool);

/* Take a connection: an idle one, a new one, or the next that is given back. End with
 * isx_pg_give(), which rolls back a transaction that is open. ISX_UNAVAILABLE: all connections
 * were in use for a third of the timeout, or the server cannot be reached. */
ISX_MUST_CHECK enum isx_status isx_pg_take(struct isx_pg_pool *pool, struct isx_pg_conn **conn,
					   struct isx_err *err);
void isx_pg_give(struct isx_pg_conn *conn);

/* The random number that was stored when the tables were created: tells databases apart. */
int64_t isx_pg_store_id(const struct isx_pg_conn *conn);

/* Call fn() with a connection, and up to three times more with another connection while it fails
 * with conn->retryable set (a connection that had died, a deadlock). A silent server is not
 * asked again: it may still work on the statement. A failure to connect is ISX_UNAVAILABLE. */
ISX_MUST_CHECK enum isx_status isx_pg_do(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg,
					 struct isx_err *err);

/* The same for a probe that has to answer soon, as /readyz has: connecting to each server that
 * the URI names, and each silence of a server, is limited to 2 s. */
ISX_MUST_CHECK enum isx_status isx_pg_do_probe(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg,
					       struct isx_err *err);

#endif
