/*
 * pg_pool.c - a bounded pool of connections to one server.
 *
 * `lock` guards all of the pool but its settings, which do not change (but for one flag, which is
 * atomic). It is held neither while a connection is made nor while a statement runs. Threads that
 * wait for a connection wait on `changed`.
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
	ATTEMPTS_MAX = 4,
	PAUSE_FIRST_MS = 50, /* after a connection could not be made, doubled each time */
	PAUSE_MAX_MS = 2000,
	PROBE_MS = 2000 /* for an answer to who cannot wait; libpq does not connect in less */
};

struct isx_pg_pool {
	struct isx_pg_settings settings; /* borrowed by its connections */
	char *uri;
	char *tables; /* what makes them, with the schema put in */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct isx_pg_conn *idle;
	unsigned count; /* connections there are, idle or in use */
	unsigned conns_max;
	unsigned epoch; /* connections of an earlier one are closed, not reused */
	unsigned pause_ms;
	uint64_t pause_until_ns;
	struct isx_err last_error; /* it could not be connected to */
	bool may_create_schema;    /* the schema, where it is missing */
	bool reconnecting;         /* somebody tries whether the server is back */
	bool has_schema;
	int64_t store_id; /* once it has */
};

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
	PQconninfoOption *words = PQconninfoParse(uri, &why);
	if (!words) {
		char line[ISX_PG_LINE_BYTES], shown[ISX_URI_SHOWN_BYTES];
		isx_pg_first_line(line, why ? isx_uri_show(why, shown)
					    : NULL); /* may name all of the URI */
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

/* Take over what a connection found out about the server, for all connections of the pool. Told
 * once: the connection may be used again. */
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

static void log_notice(void *logger, const char *message)
{
	isx_log_to(logger, ISX_LOG_DEBUG, "PostgreSQL: %s", message);
}

/* Connect. What the URI says wins over the values given before it. That a server is gone (its
 * machine, or the way to it) TCP finds out within the timeout, also while a long statement is
 * waited for.
 *   hurries  do not wait for long, whatever the URI says */
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

/* Connect once, and see to the tables. *again: what failed may be done again, as isx_pg_do() does it
 * for statements: behind a pooler the first statement to be prepared may meet another host's. */
static enum isx_status try_open(struct isx_pg_pool *pool, bool is_probe, int64_t *store_id,
				struct isx_pg_conn **conn, bool *again, struct isx_err *err)
{
	struct isx_pg_conn *made = isx_mem_array(1, sizeof *made);
	*again = false;
	if (!made)
		return isx_fail_memory(err);
	pthread_mutex_lock(&pool->lock);
	bool has_schema = pool->has_schema; /* what fails below may find that it is gone */
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
	if (!pool->pause_ms) /* once, not at every attempt */
		isx_log_to(&pool->settings.logger, ISX_LOG_WARNING, "%s", err->msg);
	pool->pause_ms = pool->pause_ms ? pool->pause_ms * 2 : PAUSE_FIRST_MS;
	if (pool->pause_ms > PAUSE_MAX_MS)
		pool->pause_ms = PAUSE_MAX_MS;
	pool->pause_until_ns = isx_clock_ns() + (uint64_t)pool->pause_ms * 1000000;
	pool->last_error = *err;
}

/* An idle connection of the current generation, or NULL; older ones are closed. With the lock. */
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

/* Make one more connection. Called with the lock, which is not held while it connects. */
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
	pthread_cond_broadcast(&pool->changed); /* who waits may connect now, or has to give up */
	if (st)
		pool->count--;
	else
		pool->store_id = store_id;
	return st;
}

/* A time of isx_clock_ns(). */
static uint64_t in_ms(int ms)
{
	return isx_clock_ns() + (uint64_t)ms * 1000000;
}

/* Wait until something changes, at most until a time of isx_clock_ns(). Called with the lock. */
static void wait_until(struct isx_pg_pool *pool, uint64_t until_ns)
{
	(void)isx_clock_wait(&pool->changed, &pool->lock, until_ns);
}

/* No connection became free. Called with the lock. */
static enum isx_status fail_exhausted(const struct isx_pg_pool *pool, struct isx_err *err)
{
	if (pool->count < pool->conns_max)
		return isx_fail(err, ISX_UNAVAILABLE,
				"all %u connections to PostgreSQL are in use, and the server gives "
				"no more (up to %u are allowed here): %s",
				pool->count, pool->conns_max, pool->last_error.msg);
	return isx_fail(err, ISX_UNAVAILABLE,
			"all %u connections to PostgreSQL are in use "
			"(ISCC_SEARCH_POSTGRES_CONNECTIONS)",
			pool->conns_max);
}

/* Take a connection, and wait for one at most until a time. */
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
			st = isx_fail(err, pool->last_error.status, "%s", pool->last_error.msg);
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
	return take_by(pool, in_ms(pool->settings.read_timeout_ms / 3), false, conn, err);
}

int64_t isx_pg_store_id(const struct isx_pg_conn *conn)
{
	pthread_mutex_lock(&conn->pool->lock);
	int64_t store_id = conn->pool->store_id;
	pthread_mutex_unlock(&conn->pool->lock);
	return store_id;
}

void isx_pg_give(struct isx_pg_conn *conn)
{
	struct isx_pg_pool *pool = conn->pool;
	bool reusable = !conn->broken && PQpipelineStatus(conn->pg) == PQ_PIPELINE_OFF;
	PGTransactionStatusType state = PQtransactionStatus(conn->pg);
	if (reusable && (state == PQTRANS_INTRANS || state == PQTRANS_INERROR))
		reusable = isx_pg_text(conn, "ROLLBACK", NULL) == ISX_OK;
	reusable &= PQtransactionStatus(conn->pg) == PQTRANS_IDLE;
	read_flags(pool, conn);
	if (!reusable)
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

/* The same while the store is in use: whatever keeps it from its database, it may come back. */
static enum isx_status take_to_use(struct isx_pg_pool *pool, uint64_t deadline_ns, bool is_probe,
				   struct isx_pg_conn **conn, struct isx_err *err)
{
	enum isx_status st = take_by(pool, deadline_ns, is_probe, conn, err);
	return st && st != ISX_NO_MEMORY ? ISX_UNAVAILABLE : st;
}

static void begin_use(struct isx_pg_conn *conn, int read_timeout_ms)
{
	conn->failed = false;
	conn->retryable = false;
	conn->read_timeout_ms = read_timeout_ms;
	conn->cancel_check = NULL;
}

enum isx_status isx_pg_do(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg, struct isx_err *err)
{
	struct isx_err why = { 0 };
	enum isx_status st = ISX_OK;
	bool again = true;
	for (int i = 0; again && i < ATTEMPTS_MAX; i++) {
		struct isx_pg_conn *conn;
		st = take_to_use(pool, in_ms(pool->settings.read_timeout_ms / 3), false, &conn,
				 &why);
		if (st)
			break;
		begin_use(conn, pool->settings.read_timeout_ms);
		st = fn(conn, arg, &why);
		again = st && conn->retryable;
		isx_pg_give(conn);
	}
	return st ? isx_fail(err, st, "%s", why.msg) : ISX_OK;
}

enum isx_status isx_pg_do_probe(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg,
				struct isx_err *err)
{
	const uint64_t end_ns = in_ms(PROBE_MS);
	struct isx_err why = { 0 };
	enum isx_status st = ISX_OK;
	bool again = true;
	for (int i = 0; again && i < ATTEMPTS_MAX; i++) {
		struct isx_pg_conn *conn;
		st = take_to_use(pool, end_ns, true, &conn, &why);
		if (st)
			break;
		begin_use(conn, PROBE_MS);
		st = fn(conn, arg, &why);
		again = st && conn->retryable && isx_clock_ns() < end_ns;
		isx_pg_give(conn);
	}
	return st ? isx_fail(err, st, "%s", why.msg) : ISX_OK;
}
