/*
 * pg_conn.h - connections to PostgreSQL: a bounded pool, prepared statements, results.
 *
 * All statements are listed in pg_sql.h and prepared once per connection; values are parameters in
 * binary form. No call waits for ever: a server that stays silent for the pool's timeout counts as
 * gone. A connection that broke is replaced, with pauses that grow while the server is away.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_CONN_H
#define ISX_PG_CONN_H

#include "base/buf.h"
#include "base/limits.h"
#include "postgres/pg_sql.h"
#include "postgres/pg_values.h"

#include <libpq-fe.h>

enum {
	ISX_PG_STEPS_MAX = 6,
	ISX_PG_PATIENCE = 30 /* timeouts that statements may take whose work has no bound */
};

struct isx_pg_pool;

/* One connection, in the hands of one thread. */
struct isx_pg_conn {
	PGconn *pg;
	struct isx_pg_pool *pool;
	struct isx_pg_conn *next;
	uint64_t prepared; /* bit i: statement i */
	unsigned generation;
	int silence_ms; /* the server may keep silent so long; set by isx_pg_do() */
	bool broken;    /* do not use it again */
	bool failed;    /* the server or the way to it was at fault in what failed */
	bool retryable; /* what failed may be done again on another connection */
	/* May what is done go on? Asked while the server is waited for; NULL: always. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	void *cancel_arg;
};

/* What is done with a connection, in isx_pg_do(). */
typedef enum isx_status isx_pg_fn(struct isx_pg_conn *conn, void *arg, struct isx_err *err);

/* A pool; connects when somebody asks.
 *   pool  new, free with isx_pg_pool_free() (NULL is allowed) */
struct isx_pg_pool_options {
	const char *uri;
	const char *schema; /* its name; both are copied */
	unsigned most;      /* connections at once */
	unsigned timeout_s; /* of a silent server */
	bool makes;         /* may it make the schema and its tables? */
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
ISX_MUST_CHECK enum isx_status isx_pg_do_soon(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg,
					      struct isx_err *err);

/* Statements whose work has no bound follow: they read or write a batch or a whole index. */
void isx_pg_be_patient(struct isx_pg_conn *conn);

/* A row of `table` is not what the program writes: the database is at fault. */
enum isx_status isx_pg_fail_row(struct isx_pg_conn *conn, const char *table, struct isx_err *err);

/* Where the store of a connection writes its messages. */
const struct isx_logger *isx_pg_logger(const struct isx_pg_conn *conn);

/* How long one may wait for a lock, so that the server says so before it counts as silent. */
unsigned isx_pg_lock_ms(const struct isx_pg_conn *conn);

/* Run one statement; NULL params: none.
 *   result  new, in binary form, PQclear(); may be NULL */
ISX_MUST_CHECK enum isx_status isx_pg_run(struct isx_pg_conn *conn, enum isx_pg_statement which,
					  const struct isx_pg_params *params, PGresult **result,
					  struct isx_err *err);

/* Run one statement whose rows are many: they come one by one. Go on until *row is NULL.
 *   row  new, with one row, PQclear() */
ISX_MUST_CHECK enum isx_status isx_pg_rows_begin(struct isx_pg_conn *conn,
						 enum isx_pg_statement which,
						 const struct isx_pg_params *params,
						 struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_pg_rows_next(struct isx_pg_conn *conn, PGresult **row,
						struct isx_err *err);

/* Run a text without parameters: several statements, or COPY. */
ISX_MUST_CHECK enum isx_status isx_pg_text(struct isx_pg_conn *conn, const char *sql,
					   struct isx_err *err);

/* A pipeline: statements that are sent together, in one trip. The first that fails is told, and
 * those behind it are skipped. Not right behind isx_pg_rows_next(): libpq would go on handing out
 * the rows one by one.
 *   results  filled: one for each, isx_pg_clear(); all NULL on failure */
struct isx_pg_step {
	enum isx_pg_statement statement;
	const struct isx_pg_params *params; /* NULL: none */
};
ISX_MUST_CHECK enum isx_status isx_pg_run_steps(struct isx_pg_conn *conn,
						const struct isx_pg_step *steps, size_t count,
						PGresult **results, struct isx_err *err);
void isx_pg_clear(PGresult **results, size_t count);

/* The next row of a COPY TO STDOUT (FORMAT binary): `fields` of them; *more is false at the end.
 *   row  filled: to be given back with PQfreemem(row->memory) */
struct isx_pg_row {
	char *memory;
	struct isx_span fields[5];
};
ISX_MUST_CHECK enum isx_status isx_pg_copy_begin(struct isx_pg_conn *conn, const char *sql,
						 struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_pg_copy_row(struct isx_pg_conn *conn, size_t fields,
					       struct isx_pg_row *row, bool *more,
					       struct isx_err *err);

#endif
