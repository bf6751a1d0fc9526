/*
 * pg_conn.h - one connection to PostgreSQL: prepared statements, pipelines, COPY, results.
 *
 * All statements are listed in pg_sql.h and prepared once per connection; values are parameters in
 * binary form. No call waits for ever: a server that stays silent for the timeout of the settings
 * counts as gone.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_CONN_H
#define ISX_PG_CONN_H

#include "base/buf.h"
#include "base/limits.h"
#include "postgres/pg_sql.h"
#include "postgres/pg_values.h"

#include <libpq-fe.h>
#include <stdatomic.h>

enum {
	ISX_PG_STEPS_MAX = 6,    /* statements of one pipeline; adding an asset has 5 */
	ISX_PG_LINE_BYTES = 200, /* one line of a message of libpq, cut to this length */
	/* Statements whose work grows with the data may take this many read timeouts: 15 minutes
	 * with the default timeout of 30 s. */
	ISX_PG_LONG_TIMEOUT_FACTOR = 30
};

struct isx_pg_pool;

/* What all connections of a pool share. The pool owns it; connections borrow it and never outlive
 * the pool. Only `unnamed_only` changes, which is why it is atomic. */
struct isx_pg_settings {
	char *schema;                        /* its name, without quotes */
	char *statements[ISX_PG_STATEMENTS]; /* texts, with the name of the schema in them */
	int read_timeout_ms;      /* longest silence of the server; then it counts as gone */
	atomic_bool unnamed_only; /* a pooler loses prepared statements: send texts */
	struct isx_logger logger;
};

/* One connection. One thread at a time uses it, without a lock. */
struct isx_pg_conn {
	PGconn *pg;
	const struct isx_pg_settings *settings;
	struct isx_pg_pool *pool; /* that isx_pg_give() returns it to; pg_conn.c never reads it */
	struct isx_pg_conn *next; /* next idle connection of the pool */
	uint64_t prepared;        /* bit i: statement i was prepared on this connection */
	unsigned epoch;           /* of the pool, when it was made */
	int read_timeout_ms;      /* as in the settings, or what isx_pg_do() set */
	/* Set by a statement that failed. Callers read `failed`, isx_pg_do() `retryable`; the
	 * pool reads the others when the connection is given back. */
	bool broken;    /* its state is not known: close it, do not reuse it */
	bool failed;    /* the server or the network caused the failure, not this host */
	bool retryable; /* the same work may be tried on another connection */
	bool is_lost;   /* the server or the network ended it: its siblings have likely died, too */
	bool lost_names;  /* a pooler between lost a prepared statement */
	bool lost_tables; /* the schema or one of its tables is missing */
	/* Called every 100 ms while a thread waits for the server; an error ends the wait and
	 * closes the connection. NULL: wait until the timeout. isx_pg_do() sets it to NULL. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	void *cancel_arg;
};

/* Copy the first line of a message of libpq, without the severity in front of it. A message that is
 * NULL or empty becomes "the connection was lost".
 *   out  filled */
void isx_pg_first_line(char out[ISX_PG_LINE_BYTES], const char *message);

/* Allow the statements that follow on this connection ISX_PG_LONG_TIMEOUT_FACTOR read timeouts:
 * they read or write a batch or a whole index. The next isx_pg_do() ends this. */
void isx_pg_use_long_timeout(struct isx_pg_conn *conn);

/* Fail with ISX_CORRUPT, as a row of `table` is not one that this program writes. Notes that the
 * database caused the failure. */
enum isx_status isx_pg_fail_row(struct isx_pg_conn *conn, const char *table, struct isx_err *err);

/* The logger of the store that the connection belongs to, borrowed. */
const struct isx_logger *isx_pg_logger(const struct isx_pg_conn *conn);

/* The lock_timeout that statements set, in milliseconds: 5/6 of the read timeout, so that the
 * server reports a lock that is taken before it counts as silent. */
unsigned isx_pg_lock_ms(const struct isx_pg_conn *conn);

/* Run one statement.
 *   params  NULL: the statement has none
 *   result  new, in binary form, PQclear(); NULL: the result is not needed */
ISX_MUST_CHECK enum isx_status isx_pg_run(struct isx_pg_conn *conn, enum isx_pg_statement which,
					  const struct isx_pg_params *params, PGresult **result,
					  struct isx_err *err);

/* Run one statement with many rows in libpq's single-row mode, so that the memory does not grow
 * with their number. Call isx_pg_rows_next() until it fails or *row is NULL.
 *   row  new, with one row, PQclear() */
ISX_MUST_CHECK enum isx_status isx_pg_rows_begin(struct isx_pg_conn *conn,
						 enum isx_pg_statement which,
						 const struct isx_pg_params *params,
						 struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_pg_rows_next(struct isx_pg_conn *conn, PGresult **row,
						struct isx_err *err);

/* Run a text without parameters: several statements, or COPY ... TO STDOUT. */
ISX_MUST_CHECK enum isx_status isx_pg_text(struct isx_pg_conn *conn, const char *sql,
					   struct isx_err *err);

/* Run a pipeline: statements that are sent together and cost one round trip. The error of the first
 * statement that fails is returned; the server skips those behind it. Must not directly follow
 * isx_pg_rows_next(): libpq would stay in single-row mode.
 *   results  filled: one for each statement, isx_pg_clear(); all NULL on failure */
struct isx_pg_step {
	enum isx_pg_statement statement;
	const struct isx_pg_params *params; /* NULL: none */
};
ISX_MUST_CHECK enum isx_status isx_pg_run_steps(struct isx_pg_conn *conn,
						const struct isx_pg_step *steps, size_t count,
						PGresult **results, struct isx_err *err);
void isx_pg_clear(PGresult **results, size_t count);

/* Read the next row of a COPY TO STDOUT (FORMAT binary).
 *   fields  columns of the COPY, at most 5
 *   row     filled, a NULL as an empty span; end with PQfreemem(row->memory)
 *   more    filled: false behind the last row, then there is nothing to free */
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
