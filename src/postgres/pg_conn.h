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
	ISX_PG_STEPS_MAX = 6,
	ISX_PG_LINE_BYTES = 200, /* of a message of libpq */
	ISX_PG_LONG_TIMEOUT_FACTOR =
		30 /* timeouts that statements may take whose work has no bound */
};

struct isx_pg_pool;

/* What the connections of a pool have in common; borrowed, and given back after them. */
struct isx_pg_settings {
	char *schema;                        /* its name, not quoted */
	char *statements[ISX_PG_STATEMENTS]; /* with the schema put in */
	int read_timeout_ms;                 /* the server may keep silent so long */
	atomic_bool unnamed_only;            /* a pooler loses prepared statements */
	struct isx_logger logger;
};

/* One connection, in the hands of one thread. */
struct isx_pg_conn {
	PGconn *pg;
	const struct isx_pg_settings *settings;
	struct isx_pg_pool *pool; /* it is given back to; not looked into here */
	struct isx_pg_conn *next; /* of the pool's idle ones */
	uint64_t prepared;        /* bit i: statement i */
	unsigned epoch;           /* of the pool, when it was made */
	int read_timeout_ms;      /* the server may keep silent so long; set by isx_pg_do() */
	/* What was found out, for the caller and, when it is given back, for the pool. */
	bool broken;      /* do not use it again */
	bool failed;      /* the server or the way to it was at fault in what failed */
	bool retryable;   /* what failed may be done again on another connection */
	bool is_lost;     /* the server ended it, or the way to it: others are likely lost, too */
	bool lost_names;  /* a pooler has lost a prepared statement */
	bool lost_tables; /* the schema or a table of it is gone */
	/* May what is done go on? Asked while the server is waited for; NULL: always. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	void *cancel_arg;
};

/* The first line of a message of libpq, without the severity in front of it. NULL or empty: that the
 * connection was lost. */
void isx_pg_first_line(char out[ISX_PG_LINE_BYTES], const char *message);

/* Statements whose work has no bound follow: they read or write a batch or a whole index. */
void isx_pg_use_long_timeout(struct isx_pg_conn *conn);

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
