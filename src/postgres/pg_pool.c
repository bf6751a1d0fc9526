/*
 * pg_pool.c - a bounded pool of connections to one server.
 *
 * `lock` guards the pool without its settings; those are constant but for one atomic flag. The
 * lock is held neither while a connection is made nor while a statement runs. `changed` is
 * signalled when a connection was given back or an attempt to connect has ended.
 *
 * While the server is away, threads do not queue up behind attempts to connect: one thread makes
 * the next attempt after a pause, and the others fail at once with the last error, unless a
 * connection in use may still be given back.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uri.h"
#include "postgres/pg_schema.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
	ATTEMPTS_MAX = 4,    /* of isx_pg_do(), and of connecting */
	PAUSE_FIRST_MS = 50, /* after an attempt to connect failed; doubled each time */
	PAUSE_MAX_MS = 2000,
	PROBE_MS = 2000 /* time limit of a probe; libpq accepts no connect_timeout below 2 s */
};

struct isx_pg_pool {
	struct isx_pg_settings settings; /* its connections borrow them */
	char *uri;
	char *tables; /* the statements that create them */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct isx_pg_conn *idle;
	unsigned count; /* connections idle, in use, or being made */
	unsigned conns_max;
	unsigned epoch;    /* raised when a connection is lost; older ones are not reused */
	unsigned pause_ms; /* after the last attempt to connect; 0: it succeeded */
	uint64_t pause_until_ns;
	struct isx_err last_error; /* of the last attempt to connect that failed */
	bool may_create_schema;    /* and its tables, where they are missing */
	bool reconnecting;         /* a thread is trying whether the server is back */
	bool has_schema;           /* a connection of this pool has seen the tables */
	int64_t store_id;          /* of the tables; valid once has_schema was set */
};

/* The name is put into statements as text (isx_pg_sql_text()), so it must need no escapes;
 * PostgreSQL cuts names at 63 bytes. */
static bool is_schema_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t len = strspn(name, allowed);
	return len > 0 && len <= 63 && name[len] == '\0';
}

enum isx_status isx_pg_pool_new(const struct isx_pg_pool_options *options,
				struct isx_pg_pool **pool, struct isx_err *err)
{
	const char *uri = options->uri, *schema = options->schema;
	char *why = NULL;
	if (!is_schema_name(schema))
		return isx_fail(err, ISX_INVALID, "schema '%s': expected 1 to 63 of a-z, 0-9 and _",
				schema);
	/* Only to report a URI that libpq cannot read at the start, not at the first use. */
	PQconninfoOption *words = PQconninfoParse(uri, &why);
	if (!words) {
		char line[ISX_PG_LINE_BYTES], shown[ISX_URI_SHOWN_BYTES];
		isx_pg_first_line(line, why ? isx_uri_show(why, shown)
					    : NULL); /* it may quote a password */
		PQfreemem(why);
		return isx_fail(err, ISX_INVALID, "index URI: %s", line);
	}
	PQconninfoFree(words);
	struct isx_pg_pool *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	pthread_mutex_init(&made->lock, NULL);
	isx_clock_cond_init(&made->changed);
	made->conns_max = options->conns_max;
	made->may_create_schema = options->may_create_schema;
	made->settings.logger = options->logger;
	made->settings.read_timeout_ms = (int)options->timeout_s * 1000;
	made->uri = isx_mem_text(uri, strlen(uri));
	made->settings.schema = isx_mem_text(schema, strlen(schema));
	made->tables = isx_pg_sql_text(isx_pg_tables, schema);
	bool complete = made->uri && made->settings.schema && made->tables;
	for (size_t i = 0; i < ISX_PG_STATEMENTS; i++) {
		made->settings.statements[i] = isx_pg_sql_text(isx_pg_statements[i], schema);
		complete &= made->settings.statements[i] != NULL;
	}
	if (!complete) {
		isx_pg_pool_free(made);
		return isx_fail_memory(err);
	}
	*pool = made;
	return ISX_OK;
}

static void close_conn(struct isx_pg_conn *conn)
{
	if (conn)
		PQfinish(conn->pg);
	isx_mem_free(conn);
}

void isx_pg_pool_free(struct isx_pg_pool *pool)
{
	if (!pool)
		return;
	while (pool->idle) {
		struct isx_pg_conn *conn = pool->idle;
		pool->idle = conn->next;
		close_conn(conn);
	}
	for (size_t i = 0; i < ISX_PG_STATEMENTS; i++)
		isx_mem_free(pool->settings.statements[i]);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	isx_mem_free(pool->tables);
	isx_mem_free(pool->settings.schema);
	isx_mem_free(pool->uri);
	isx_mem_free(pool);
}

/* Apply what a connection found out to the whole pool. Called without the lock. lost_tables is
 * cleared, as the connection may be used again, and must not report the same loss twice. */
static void read_flags(struct isx_pg_pool *pool, struct isx_pg_conn *conn)
{
	pthread_mutex_lock(&pool->lock);
	if (conn->is_lost && conn->epoch == pool->epoch)
		pool->epoch++; /* the other connections have very likely died, too */
	if (conn->lost_tables)
		pool->has_schema = false;
	if (conn->lost_names)
		atomic_store(&pool->settings.unnamed_only, true);
	conn->lost_tables = false;
	pthread_mutex_unlock(&pool->lock);
}

/* libpq prints notices of the server to stderr unless it is given another function. */
static void log_notice(void *logger, const char *message)
{
	isx_log_to(logger, ISX_LOG_DEBUG, "PostgreSQL: %s", message);
}

/* Connect. Of a name that is given twice libpq takes the last, so names before "dbname" are
 * defaults that the URI overrides, and names behind it override the URI. The TCP timeouts are
 * below the read timeout: a server whose machine or network is gone counts as gone (the
 * statement is repeated), also while a long statement runs, and not as silent (it is not).
 *   is_probe  connect within 2 s, whatever the URI says */
static enum isx_status connect_to_server(struct isx_pg_pool *pool, struct isx_pg_conn *conn,
					 bool is_probe, struct isx_err *err)
{
	char unanswered_ms[16], idle_s[16], interval_s[16];
	const char *const names[] = { "connect_timeout",
				      "fallback_application_name",
				      "tcp_user_timeout",
				      "keepalives_idle",
				      "keepalives_interval",
				      "keepalives_count",
				      "dbname",
				      "client_encoding",
				      is_probe ? "connect_timeout" : NULL,
				      NULL };
	const char *const values[] = { "5", "iscc-search", unanswered_ms, idle_s, interval_s,
				       "4", pool->uri,     "UTF8",        "2",    NULL };
	snprintf(unanswered_ms, sizeof unanswered_ms, "%d", pool->settings.read_timeout_ms / 3 * 2);
	snprintf(idle_s, sizeof idle_s, "%d", pool->settings.read_timeout_ms / 3000 + 1);
	snprintf(interval_s, sizeof interval_s, "%d", pool->settings.read_timeout_ms / 6000 + 1);
	conn->pool = pool;
	conn->settings = &pool->settings;
	conn->read_timeout_ms = is_probe ? PROBE_MS : pool->settings.read_timeout_ms;
	conn->pg = PQconnectdbParams(names, values, 1);
	if (!conn->pg)
		return isx_fail_memory(err);
	if (PQstatus(conn->pg) != CONNECTION_OK || PQsetnonblocking(conn->pg, 1)) {
		char line[ISX_PG_LINE_BYTES];
		isx_pg_first_line(line, PQerrorMessage(conn->pg));
		return isx_fail(err, ISX_UNAVAILABLE, "PostgreSQL: %s", line);
	}
	PQsetNoticeProcessor(conn->pg, log_notice, &pool->settings.logger);
	const char *encoding = PQparameterStatus(conn->pg, "server_encoding");
	if (!encoding || strcmp(encoding, "UTF8") != 0)
		return isx_fail(err, ISX_INVALID,
				"PostgreSQL: the database has the encoding %s: expected UTF8",
				encoding ? encoding : "?");
	return ISX_OK;
}

/* Connect once, and check or create the tables. Called without the lock.
 *   again  filled: true when a statement failed in a way that a second attempt can mend, as in
 *          isx_pg_do(): behind a pooler, preparing the first statement may fail because another
 *          host has prepared it there */
static enum isx_status try_open(struct isx_pg_pool *pool, bool is_probe, int64_t *store_id,
				struct isx_pg_conn **conn, bool *again, struct isx_err *err)
{
	struct isx_pg_conn *made = isx_mem_array(1, sizeof *made);
	*again = false;
	if (!made)
		return isx_fail_memory(err);
	pthread_mutex_lock(&pool->lock);
	bool has_schema = pool->has_schema; /* an attempt before may have cleared it */
	made->epoch = pool->epoch;
	pthread_mutex_unlock(&pool->lock);
	enum isx_status st = connect_to_server(pool, made, is_probe, err);
	if (!st)
		st = isx_pg_schema_ensure(made, pool->settings.schema,
					  pool->may_create_schema ? pool->tables : NULL, has_schema,
					  store_id, err);
	if (st) {
		*again = made->retryable && !made->broken;
		read_flags(pool, made);
		close_conn(made);
	} else {
		*conn = made;
	}
	return st;
}

/* Connect, a few times while a second attempt can mend the failure. Called without the lock. */
static enum isx_status open_conn(struct isx_pg_pool *pool, bool is_probe, int64_t *store_id,
				 struct isx_pg_conn **conn, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	bool again = true;
	for (int i = 0; again && i < ATTEMPTS_MAX; i++)
		st = try_open(pool, is_probe, store_id, conn, &again, err);
	return st;
}

/* Take note of how a connection attempt went. Called with the lock. */
static void note_attempt(struct isx_pg_pool *pool, enum isx_status status,
			 const struct isx_err *err)
{
	if (!status) {
		pool->has_schema = true;
		pool->pause_ms = 0;
		pool->pause_until_ns = 0;
		return;
	}
	if (!pool->pause_ms) /* one message for the whole outage */
		isx_log_to(&pool->settings.logger, ISX_LOG_WARNING, "%s", err->msg);
	pool->pause_ms = pool->pause_ms ? pool->pause_ms * 2 : PAUSE_FIRST_MS;
	if (pool->pause_ms > PAUSE_MAX_MS)
		pool->pause_ms = PAUSE_MAX_MS;
	pool->pause_until_ns = isx_clock_after_ms(pool->pause_ms);
	pool->last_error = *err;
}

/* Take an idle connection of the current epoch, or NULL. Connections of earlier epochs are
 * closed, and all of them when the tables were lost, so that the next one is new and checks
 * them. Called with the lock. */
static struct isx_pg_conn *take_idle(struct isx_pg_pool *pool)
{
	while (pool->idle) {
		struct isx_pg_conn *conn = pool->idle;
		pool->idle = conn->next;
		if (conn->epoch == pool->epoch && pool->has_schema)
			return conn;
		close_conn(conn);
		pool->count--;
	}
	return NULL;
}

/* Make one more connection. Called with the lock, and returns with it; it is not held while
 * connecting. The connection is counted before it exists, so that conns_max holds meanwhile. */
static enum isx_status add_conn(struct isx_pg_pool *pool, bool is_probe, struct isx_pg_conn **conn)
{
	struct isx_err why = { 0 };
	int64_t store_id = pool->store_id;
	bool is_reconnect = pool->pause_ms != 0;
	pool->count++;
	pool->reconnecting |= is_reconnect;
	pthread_mutex_unlock(&pool->lock);
	enum isx_status st = open_conn(pool, is_probe, &store_id, conn, &why);
	pthread_mutex_lock(&pool->lock);
	note_attempt(pool, st, &why);
	if (is_reconnect)
		pool->reconnecting = false;
	pthread_cond_broadcast(&pool->changed); /* waiting threads look again */
	if (st)
		pool->count--;
	else
		pool->store_id = store_id;
	return st;
}

/* Wait until the pool changes, at most until a time of isx_clock_ns(). Called with the lock,
 * which is released meanwhile. */
static void wait_until(struct isx_pg_pool *pool, uint64_t until_ns)
{
	(void)isx_clock_wait(&pool->changed, &pool->lock, until_ns);
}

/* No connection became free in time: fail, and say which limit was reached. Called with the
 * lock. */
static enum isx_status fail_exhausted(const struct isx_pg_pool *pool, struct isx_err *err)
{
	if (pool->count < pool->conns_max)
		return isx_fail(err, ISX_UNAVAILABLE,
				"all %u connections to PostgreSQL are in use, and the server gives "
				"no more (up to %u are allowed here): %s",
				pool->count, pool->conns_max, pool->last_error.msg);
	return isx_fail(err, ISX_UNAVAILABLE,
			"all %u connections to PostgreSQL are in use "
			"(postgres_connections)",
			pool->conns_max);
}

/* Take a connection, waiting for one until `deadline_ns` at most. Each turn does the first that is
 * possible: take an idle connection; make one, unless conns_max is reached or the pause after a
 * failed attempt lasts; fail with the last error, when no connection is in use that could be given
 * back; wait. */
static enum isx_status take_by(struct isx_pg_pool *pool, uint64_t deadline_ns, bool is_probe,
			       struct isx_pg_conn **conn, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	pthread_mutex_lock(&pool->lock);
	while (!st && !(*conn = take_idle(pool))) {
		uint64_t now = isx_clock_ns();
		bool pauses = pool->pause_until_ns > now || pool->reconnecting;
		if (!pauses && pool->count < pool->conns_max) {
			if (add_conn(pool, is_probe, conn) == ISX_OK)
				break;
		} else if (pool->count == pool->reconnecting) {
			st = isx_err_pass(err, &pool->last_error);
		} else if (now < deadline_ns) {
			wait_until(pool,
				   pool->pause_until_ns > now && pool->pause_until_ns < deadline_ns
					   ? pool->pause_until_ns
					   : deadline_ns);
		} else {
			st = fail_exhausted(pool, err);
		}
	}
	pthread_mutex_unlock(&pool->lock);
	return st;
}

enum isx_status isx_pg_take(struct isx_pg_pool *pool, struct isx_pg_conn **conn,
			    struct isx_err *err)
{
	return take_by(pool, isx_clock_after_ms((uint64_t)pool->settings.read_timeout_ms / 3),
		       false, conn, err);
}

int64_t isx_pg_store_id(const struct isx_pg_conn *conn)
{
	pthread_mutex_lock(&conn->pool->lock);
	int64_t store_id = conn->pool->store_id;
	pthread_mutex_unlock(&conn->pool->lock);
	return store_id;
}

/* A connection that is not idle after a ROLLBACK is closed, so that the server ends what is open
 * there. It is closed before it is no longer counted, so that conns_max holds. */
void isx_pg_give(struct isx_pg_conn *conn)
{
	struct isx_pg_pool *pool = conn->pool;
	bool reusable = !conn->broken && PQpipelineStatus(conn->pg) == PQ_PIPELINE_OFF;
	conn->cancel_check = NULL; /* its argument ends with the call that has set it */
	/* A rollback is short, whatever the statements before it were. */
	if (conn->read_timeout_ms > pool->settings.read_timeout_ms)
		conn->read_timeout_ms = pool->settings.read_timeout_ms;
	PGTransactionStatusType state = PQtransactionStatus(conn->pg);
	if (reusable && (state == PQTRANS_INTRANS || state == PQTRANS_INERROR))
		reusable = isx_pg_text(conn, "ROLLBACK", NULL) == ISX_OK;
	reusable &= PQtransactionStatus(conn->pg) == PQTRANS_IDLE;
	read_flags(pool, conn);
	if (reusable)
		conn->read_timeout_ms = pool->settings.read_timeout_ms;
	else
		close_conn(conn); /* the server rolls back what was open */
	pthread_mutex_lock(&pool->lock);
	if (reusable) {
		conn->next = pool->idle;
		pool->idle = conn;
	} else {
		pool->count--;
	}
	pthread_cond_signal(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

/* The same for a store that is open: every failure but memory is ISX_UNAVAILABLE, as an
 * administrator may mend it while the server runs. At the start (isx_pg_take()) a wrong database
 * is an error. */
static enum isx_status take_to_use(struct isx_pg_pool *pool, uint64_t deadline_ns, bool is_probe,
				   struct isx_pg_conn **conn, struct isx_err *err)
{
	enum isx_status st = take_by(pool, deadline_ns, is_probe, conn, err);
	return st && st != ISX_NO_MEMORY ? ISX_UNAVAILABLE : st;
}

/* Reset what the last user of a connection left in it. */
static void begin_use(struct isx_pg_conn *conn, int read_timeout_ms)
{
	conn->failed = false;
	conn->retryable = false;
	conn->read_timeout_ms = read_timeout_ms;
	conn->cancel_check = NULL;
}

enum isx_status isx_pg_do(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg, struct isx_err *err)
{
	struct isx_err why;
	enum isx_status st = ISX_OK;
	bool again = true;
	for (int i = 0; again && i < ATTEMPTS_MAX; i++) {
		struct isx_pg_conn *conn;
		why = (struct isx_err){ .position = ISX_NO_POSITION };
		st = take_to_use(pool,
				 isx_clock_after_ms((uint64_t)pool->settings.read_timeout_ms / 3),
				 false, &conn, &why);
		if (st)
			break;
		begin_use(conn, pool->settings.read_timeout_ms);
		st = fn(conn, arg, &why);
		again = st && conn->retryable;
		isx_pg_give(conn);
	}
	why.status = st; /* take_to_use() changes it, and a cancel_check() need not fill `why` */
	return st ? isx_err_pass(err, &why) : ISX_OK;
}

enum isx_status isx_pg_do_probe(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg,
				struct isx_err *err)
{
	const uint64_t end_ns = isx_clock_after_ms(PROBE_MS);
	struct isx_err why;
	enum isx_status st = ISX_OK;
	bool again = true;
	for (int i = 0; again && i < ATTEMPTS_MAX; i++) {
		struct isx_pg_conn *conn;
		why = (struct isx_err){ .position = ISX_NO_POSITION };
		st = take_to_use(pool, end_ns, true, &conn, &why);
		if (st)
			break;
		begin_use(conn, PROBE_MS);
		st = fn(conn, arg, &why);
		again = st && conn->retryable && isx_clock_ns() < end_ns;
		isx_pg_give(conn);
	}
	why.status = st; /* take_to_use() changes it, and a cancel_check() need not fill `why` */
	return st ? isx_err_pass(err, &why) : ISX_OK;
}
