/*
 * pg_conn.c - a bounded pool of connections, and statements over them without a wait for ever.
 *
 * libpq is used in its non-blocking mode: between sending and receiving stands poll() with a limit,
 * so that a server that has stopped (or a cable that was pulled) costs a request some seconds and
 * not a thread. A server that is there and silent is told from one that is gone: of the second TCP
 * knows a little earlier, and what it was asked may be asked again elsewhere. Statements are
 * prepared once per connection by name; where a pooler in between gives each transaction another
 * connection and loses them, they are sent as text from then on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_conn.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uri.h"
#include "postgres/pg_schema.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

_Static_assert(ISX_PG_STATEMENTS <= 64, "struct isx_pg_conn has a bit for each");

enum {
	ATTEMPTS_MAX = 4,
	PAUSE_FIRST_MS = 50, /* after a connection could not be made, doubled each time */
	PAUSE_MAX_MS = 2000,
	SLICE_MS = 100,  /* of a wait, between questions whether it is worth it */
	HURRY_MS = 2000, /* for an answer to who cannot wait; libpq does not connect in less */
	BINARY = 1
};

struct isx_pg_pool {
	char *uri;
	char *schema;                        /* as it was given */
	char *statements[ISX_PG_STATEMENTS]; /* with the schema put in */
	char *tables;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct isx_pg_conn *idle;
	unsigned count; /* connections there are, idle or in use */
	unsigned most;
	int silence_ms;
	unsigned generation; /* connections of an earlier one are closed, not reused */
	unsigned pause_ms;
	uint64_t pause_until_ns;
	struct isx_err why; /* it could not be connected to */
	bool makes;         /* the schema, where it is missing */
	bool probing;       /* somebody tries whether the server is back */
	bool has_schema;
	int64_t store_id;     /* once it has */
	atomic_bool no_names; /* a pooler loses prepared statements */
	struct isx_logger logger;
};

/* --- what went wrong -------------------------------------------------------------------------- */

/* The first line of a message of libpq, without what comes before the words. */
static void first_line(char out[200], const char *message)
{
	static const char *const prefixes[] = { "ERROR:  ", "FATAL:  ", "PANIC:  " };
	for (size_t i = 0; message && i < sizeof prefixes / sizeof *prefixes; i++)
		if (strncmp(message, prefixes[i], strlen(prefixes[i])) == 0)
			message += strlen(prefixes[i]);
	snprintf(out, 200, "%s", message && *message ? message : "the connection was lost");
	out[strcspn(out, "\n")] = '\0';
}

static bool in_class(const char *state, const char *class)
{
	return strncmp(state, class, strlen(class)) == 0;
}

static enum isx_status status_of_state(const char *state)
{
	if (strcmp(state, "53100") == 0)
		return ISX_FULL;
	if (in_class(state, "08") || in_class(state, "57") || in_class(state, "53") ||
	    in_class(state, "40") || in_class(state, "55") || strcmp(state, "26000") == 0 ||
	    strcmp(state, "42P05") == 0)
		return ISX_UNAVAILABLE;
	if (strcmp(state, "25006") == 0 || strcmp(state, "42501") == 0)
		return ISX_READ_ONLY;
	if (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0)
		return ISX_UNAVAILABLE; /* the tables are gone: made again for the next one */
	if (in_class(state, "XX"))
		return ISX_CORRUPT;
	return ISX_IO;
}

static enum isx_status fail_broken(struct isx_pg_conn *conn, const char *why, struct isx_err *err)
{
	char line[200];
	first_line(line, why ? why : PQerrorMessage(conn->pg));
	conn->broken = true;
	conn->failed = true;
	conn->retryable = true;
	pthread_mutex_lock(&conn->pool->lock);
	if (conn->generation == conn->pool->generation)
		conn->pool->generation++; /* its sisters have very likely died too */
	pthread_mutex_unlock(&conn->pool->lock);
	return isx_fail(err, ISX_UNAVAILABLE, "PostgreSQL: %s", line);
}

/* The server is there and says nothing. It may well be at work, so that asking again makes it
 * worse; its other connections are no worse than they were. */
static enum isx_status fail_silent(struct isx_pg_conn *conn, struct isx_err *err)
{
	conn->broken = true;
	conn->failed = true;
	return isx_fail(err, ISX_UNAVAILABLE,
			"PostgreSQL: no answer for %d s (see what it is doing, or raise "
			"ISCC_SEARCH_POSTGRES_TIMEOUT)",
			conn->silence_ms / 1000);
}

/* What to do about an error, where its words do not say. */
static const char *hint_of(const char *state)
{
	if (strcmp(state, "55P03") == 0)
		return " (another program is writing to the index or has locked it: try again)";
	if (strcmp(state, "57014") == 0)
		return " (a limit of the administrator, or the administrator)";
	return "";
}

/* Say what an error result means. */
static enum isx_status fail_result(struct isx_pg_conn *conn, const PGresult *result,
				   struct isx_err *err)
{
	char line[200];
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	if (PQstatus(conn->pg) == CONNECTION_BAD || !state)
		return fail_broken(conn, result ? PQresultErrorMessage(result) : NULL, err);
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	bool is_last = severity && strcmp(severity, "ERROR") != 0; /* FATAL, PANIC */
	if (is_last || in_class(state, "08") || in_class(state, "57P"))
		return fail_broken(conn, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), err);
	first_line(line, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
	conn->failed = true;
	if (strcmp(state, "26000") == 0 || strcmp(state, "42P05") == 0) {
		atomic_store(&conn->pool->no_names, true);
		conn->retryable = true;
	}
	conn->retryable |= in_class(state, "40");
	conn->broken |= strcmp(state, "25006") == 0; /* it may be a primary no more: ask again */
	if (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0) {
		pthread_mutex_lock(&conn->pool->lock);
		conn->pool->has_schema = false;
		pthread_mutex_unlock(&conn->pool->lock);
		conn->retryable = true;
	}
	return isx_fail(err, status_of_state(state), "PostgreSQL: %s%s", line, hint_of(state));
}

enum isx_status isx_pg_fail_row(struct isx_pg_conn *conn, const char *table, struct isx_err *err)
{
	conn->failed = true;
	return isx_fail(err, ISX_CORRUPT,
			"a row of table %s is not as this program writes it: restore the database",
			table);
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Is what is waited for still wanted? If not, the connection is not used again: the server
 * notices that it is closed, and ends its work (ISX_PG_LIMITS). */
static enum isx_status ask_whether_to_wait(struct isx_pg_conn *conn, struct isx_err *err)
{
	enum isx_status st = conn->cancel_check ? conn->cancel_check(conn->cancel_arg, err)
						: ISX_OK;
	conn->broken |= st != ISX_OK;
	return st;
}

/* Wait until the socket can be read (or, with `writes`, written). */
static enum isx_status wait_socket(struct isx_pg_conn *conn, bool writes, struct isx_err *err)
{
	struct pollfd socket = { .fd = PQsocket(conn->pg), .events = POLLIN };
	int ready = 0;
	if (writes)
		socket.events |= POLLOUT;
	for (int waited_ms = 0; ready <= 0;) {
		int left_ms = conn->silence_ms - waited_ms;
		int slice_ms = conn->cancel_check && left_ms > SLICE_MS ? SLICE_MS : left_ms;
		if (left_ms <= 0)
			return fail_silent(conn, err);
		ready = poll(&socket, 1, slice_ms);
		if (ready < 0 && errno != EINTR)
			break; /* libpq says what is wrong */
		waited_ms += ready == 0 ? slice_ms : 0;
		enum isx_status st = ready == 0 ? ask_whether_to_wait(conn, err) : ISX_OK;
		if (st)
			return st;
	}
	if ((socket.revents & POLLIN || !writes) && !PQconsumeInput(conn->pg))
		return fail_broken(conn, NULL, err);
	return ISX_OK;
}

static enum isx_status flush(struct isx_pg_conn *conn, struct isx_err *err)
{
	int left;
	while ((left = PQflush(conn->pg)) > 0) {
		enum isx_status st = wait_socket(conn, true, err);
		if (st)
			return st;
	}
	return left < 0 ? fail_broken(conn, NULL, err) : ISX_OK;
}

/* The next result; *result is NULL behind the last one of a statement. */
static enum isx_status next_result(struct isx_pg_conn *conn, PGresult **result, struct isx_err *err)
{
	while (PQisBusy(conn->pg)) {
		enum isx_status st = wait_socket(conn, false, err);
		if (st)
			return st;
	}
	*result = PQgetResult(conn->pg);
	return ISX_OK;
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_OUT;
}

/* Collect what one statement answers: its last result, or its first error. A COPY begins. */
static enum isx_status collect(struct isx_pg_conn *conn, PGresult **last, struct isx_err *err)
{
	PGresult *result = NULL;
	*last = NULL;
	enum isx_status st = flush(conn, err);
	while (!st && !(st = next_result(conn, &result, err)) && result) {
		if (*last && !is_good(*last)) {
			PQclear(result); /* the first error is the one to tell */
			continue;
		}
		PQclear(*last);
		*last = result;
		if (PQresultStatus(result) == PGRES_COPY_OUT)
			break;
	}
	if (!st && (!*last || !is_good(*last)))
		st = fail_result(conn, *last, err);
	if (st) {
		PQclear(*last);
		*last = NULL;
	}
	return st;
}

/* --- the pool --------------------------------------------------------------------------------- */

/* A copy of `sql` with `schema`, quoted, in place of every "@.". NULL: no memory. */
static char *put_schema(const char *sql, const char *schema)
{
	struct isx_buf text = { 0 };
	for (const char *at = sql; *at; at++) {
		if (at[0] != '@' || at[1] != '.') {
			isx_buf_char(&text, *at);
			continue;
		}
		isx_buf_char(&text, '"');
		isx_buf_text(&text, schema); /* only letters, digits and _, see isx_pg_pool_new() */
		isx_buf_text(&text, "\".");
		at++;
	}
	isx_buf_char(&text, '\0');
	return isx_buf_take(&text);
}

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
		char line[200], shown[ISX_URI_SHOWN_BYTES];
		first_line(line,
			   why ? isx_uri_show(why, shown) : NULL); /* may name all of the URI */
		PQfreemem(why);
		return isx_fail(err, ISX_INVALID, "index URI: %s", line);
	}
	PQconninfoFree(words);
	struct isx_pg_pool *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	pthread_mutex_init(&made->lock, NULL);
	isx_clock_cond_init(&made->changed);
	made->most = options->most;
	made->makes = options->makes;
	made->logger = options->logger;
	made->silence_ms = (int)options->timeout_s * 1000;
	made->uri = isx_mem_text(uri, strlen(uri));
	made->schema = isx_mem_text(schema, strlen(schema));
	made->tables = put_schema(isx_pg_tables, schema);
	bool complete = made->uri && made->schema && made->tables;
	for (size_t i = 0; i < ISX_PG_STATEMENTS; i++) {
		made->statements[i] = put_schema(isx_pg_statements[i], schema);
		complete &= made->statements[i] != NULL;
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
		isx_mem_free(pool->statements[i]);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	isx_mem_free(pool->tables);
	isx_mem_free(pool->schema);
	isx_mem_free(pool->uri);
	isx_mem_free(pool);
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
					 bool hurries, struct isx_err *err)
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
				      hurries ? "connect_timeout" : NULL,
				      NULL };
	const char *const values[] = { "5", "iscc-search", unanswered_ms, idle_s, interval_s,
				       "4", pool->uri,     "UTF8",        "2",    NULL };
	snprintf(unanswered_ms, sizeof unanswered_ms, "%d", pool->silence_ms / 3 * 2);
	snprintf(idle_s, sizeof idle_s, "%d", pool->silence_ms / 3000 + 1);
	snprintf(interval_s, sizeof interval_s, "%d", pool->silence_ms / 6000 + 1);
	conn->pool = pool;
	conn->silence_ms = hurries ? HURRY_MS : pool->silence_ms;
	conn->pg = PQconnectdbParams(names, values, 1);
	if (!conn->pg)
		return isx_fail_memory(err);
	if (PQstatus(conn->pg) != CONNECTION_OK) {
		char line[200];
		first_line(line, PQerrorMessage(conn->pg));
		return isx_fail(err, ISX_UNAVAILABLE, "PostgreSQL: %s", line);
	}
	PQsetNoticeProcessor(conn->pg, log_notice, &pool->logger);
	if (PQsetnonblocking(conn->pg, 1))
		return fail_broken(conn, NULL, err);
	const char *encoding = PQparameterStatus(conn->pg, "server_encoding");
	if (!encoding || strcmp(encoding, "UTF8") != 0)
		return isx_fail(err, ISX_INVALID,
				"PostgreSQL: the database has the encoding %s: expected UTF8",
				encoding ? encoding : "?");
	return ISX_OK;
}

/* Connect once, and see to the tables. *again: what failed may be done
 * again, as isx_pg_do() does it for statements: behind a pooler the first statement to be prepared
 * may meet another host's. */
static enum isx_status try_open(struct isx_pg_pool *pool, bool hurries, int64_t *store_id,
				struct isx_pg_conn **conn, bool *again, struct isx_err *err)
{
	struct isx_pg_conn *made = isx_mem_array(1, sizeof *made);
	*again = false;
	if (!made)
		return isx_fail_memory(err);
	pthread_mutex_lock(&pool->lock);
	bool has_schema = pool->has_schema; /* what fails below may find that it is gone */
	pthread_mutex_unlock(&pool->lock);
	enum isx_status st = connect_to_server(pool, made, hurries, err);
	if (!st)
		st = isx_pg_schema_ensure(made, pool->schema, pool->makes ? pool->tables : NULL,
					  has_schema, store_id, err);
	if (st) {
		*again = made->retryable && !made->broken;
		close_conn(made);
	} else {
		*conn = made;
	}
	return st;
}

static enum isx_status open_conn(struct isx_pg_pool *pool, bool hurries, int64_t *store_id,
				 struct isx_pg_conn **conn, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	bool again = true;
	for (int i = 0; again && i < ATTEMPTS_MAX; i++)
		st = try_open(pool, hurries, store_id, conn, &again, err);
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
		isx_log_to(&pool->logger, ISX_LOG_WARNING, "%s", err->msg);
	pool->pause_ms = pool->pause_ms ? pool->pause_ms * 2 : PAUSE_FIRST_MS;
	if (pool->pause_ms > PAUSE_MAX_MS)
		pool->pause_ms = PAUSE_MAX_MS;
	pool->pause_until_ns = isx_clock_ns() + (uint64_t)pool->pause_ms * 1000000;
	pool->why = *err;
}

/* An idle connection of the current generation, or NULL; older ones are closed. With the lock. */
static struct isx_pg_conn *take_idle(struct isx_pg_pool *pool)
{
	while (pool->idle) {
		struct isx_pg_conn *conn = pool->idle;
		pool->idle = conn->next;
		if (conn->generation == pool->generation && pool->has_schema)
			return conn;
		close_conn(conn);
		pool->count--;
	}
	return NULL;
}

/* Make one more connection. Called with the lock, which is not held while it connects. */
static enum isx_status add_conn(struct isx_pg_pool *pool, bool hurries, struct isx_pg_conn **conn)
{
	struct isx_err why = { 0 };
	unsigned generation = pool->generation;
	int64_t store_id = pool->store_id;
	bool probes = pool->pause_ms != 0;
	pool->count++;
	pool->probing |= probes;
	pthread_mutex_unlock(&pool->lock);
	enum isx_status st = open_conn(pool, hurries, &store_id, conn, &why);
	pthread_mutex_lock(&pool->lock);
	note_attempt(pool, st, &why);
	if (probes)
		pool->probing = false;
	pthread_cond_broadcast(&pool->changed); /* who waits may connect now, or has to give up */
	if (st) {
		pool->count--;
	} else {
		(*conn)->generation = generation;
		pool->store_id = store_id;
	}
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
	if (pool->count < pool->most)
		return isx_fail(err, ISX_UNAVAILABLE,
				"all %u connections to PostgreSQL are in use, and the server gives "
				"no more (up to %u are allowed here): %s",
				pool->count, pool->most, pool->why.msg);
	return isx_fail(err, ISX_UNAVAILABLE,
			"all %u connections to PostgreSQL are in use "
			"(ISCC_SEARCH_POSTGRES_CONNECTIONS)",
			pool->most);
}

/* Take a connection, and wait for one at most until a time. */
static enum isx_status take_by(struct isx_pg_pool *pool, uint64_t deadline_ns, bool hurries,
			       struct isx_pg_conn **conn, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	pthread_mutex_lock(&pool->lock);
	while (!st && !(*conn = take_idle(pool))) {
		uint64_t now = isx_clock_ns();
		bool pauses = pool->pause_until_ns > now || pool->probing;
		if (!pauses && pool->count < pool->most) {
			if (add_conn(pool, hurries, conn) == ISX_OK)
				break;
		} else if (pool->count == pool->probing) {
			st = isx_fail(err, pool->why.status, "%s", pool->why.msg);
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
	return take_by(pool, in_ms(pool->silence_ms / 3), false, conn, err);
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
static enum isx_status take_to_use(struct isx_pg_pool *pool, uint64_t deadline_ns, bool hurries,
				   struct isx_pg_conn **conn, struct isx_err *err)
{
	enum isx_status st = take_by(pool, deadline_ns, hurries, conn, err);
	return st && st != ISX_NO_MEMORY ? ISX_UNAVAILABLE : st;
}

static void begin_use(struct isx_pg_conn *conn, int silence_ms)
{
	conn->failed = false;
	conn->retryable = false;
	conn->silence_ms = silence_ms;
	conn->cancel_check = NULL;
}

enum isx_status isx_pg_do(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg, struct isx_err *err)
{
	struct isx_err why = { 0 };
	enum isx_status st = ISX_OK;
	bool again = true;
	for (int i = 0; again && i < ATTEMPTS_MAX; i++) {
		struct isx_pg_conn *conn;
		st = take_to_use(pool, in_ms(pool->silence_ms / 3), false, &conn, &why);
		if (st)
			break;
		begin_use(conn, pool->silence_ms);
		st = fn(conn, arg, &why);
		again = st && conn->retryable;
		isx_pg_give(conn);
	}
	return st ? isx_fail(err, st, "%s", why.msg) : ISX_OK;
}

enum isx_status isx_pg_do_soon(struct isx_pg_pool *pool, isx_pg_fn *fn, void *arg,
			       struct isx_err *err)
{
	const uint64_t end_ns = in_ms(HURRY_MS);
	struct isx_err why = { 0 };
	enum isx_status st = ISX_OK;
	bool again = true;
	for (int i = 0; again && i < ATTEMPTS_MAX; i++) {
		struct isx_pg_conn *conn;
		st = take_to_use(pool, end_ns, true, &conn, &why);
		if (st)
			break;
		begin_use(conn, HURRY_MS);
		st = fn(conn, arg, &why);
		again = st && conn->retryable && isx_clock_ns() < end_ns;
		isx_pg_give(conn);
	}
	return st ? isx_fail(err, st, "%s", why.msg) : ISX_OK;
}

void isx_pg_be_patient(struct isx_pg_conn *conn)
{
	conn->silence_ms = conn->pool->silence_ms * ISX_PG_PATIENCE;
}

const struct isx_logger *isx_pg_logger(const struct isx_pg_conn *conn)
{
	return &conn->pool->logger;
}

unsigned isx_pg_lock_ms(const struct isx_pg_conn *conn)
{
	return (unsigned)conn->pool->silence_ms / 6 * 5;
}

/* --- statements ------------------------------------------------------------------------------- */

/* The name says what the statement is: behind a pooler another program may have made one, too. */
static void statement_name(const struct isx_pg_conn *conn, enum isx_pg_statement which,
			   char name[32])
{
	const char *text = conn->pool->statements[which];
	snprintf(name, 32, "isx_%016llx", (unsigned long long)isx_hash(text, strlen(text)));
}

/* Is a statement better planned for its values each time? A plan for any values does not know that
 * few changes lie behind a head, and reads whole tables. */
static bool is_planned_each_time(enum isx_pg_statement which)
{
	return which == ISX_PG_ASSETS_METADATA || which == ISX_PG_ASSETS_CHANGED ||
	       which == ISX_PG_CHANGED_ASSETS || which == ISX_PG_CHANGED_SIMPRINTS ||
	       which == ISX_PG_CHANGE_REACHES || which == ISX_PG_CHANGE_STEP ||
	       which == ISX_PG_SIMPRINTS_SAMPLE || which == ISX_PG_CHANGE_PRUNE ||
	       which >= ISX_PG_SEARCH_UNITS;
}

/* Have a statement ready, before it is sent. */
static enum isx_status prepare(struct isx_pg_conn *conn, enum isx_pg_statement which,
			       struct isx_err *err)
{
	char name[32];
	PGresult *result;
	if (conn->prepared >> which & 1 || is_planned_each_time(which) ||
	    atomic_load(&conn->pool->no_names))
		return ISX_OK;
	statement_name(conn, which, name);
	if (!PQsendPrepare(conn->pg, name, conn->pool->statements[which], 0, NULL))
		return fail_broken(conn, NULL, err);
	enum isx_status st = collect(conn, &result, err);
	PQclear(result);
	if (!st)
		conn->prepared |= 1ull << which;
	return st;
}

static enum isx_status send_statement(struct isx_pg_conn *conn, enum isx_pg_statement which,
				      const struct isx_pg_params *params, struct isx_err *err)
{
	char name[32];
	const char *values[ISX_PG_PARAMS_MAX];
	int formats[ISX_PG_PARAMS_MAX], count = params ? params->count : 0, sent;
	enum isx_status st = params ? isx_buf_status(&params->bytes, err) : ISX_OK;
	if (st)
		return st;
	for (int i = 0; i < count; i++) {
		values[i] = params->lengths[i] < 0 ? NULL : params->bytes.ptr + params->starts[i];
		formats[i] = BINARY;
	}
	if (conn->prepared >> which & 1 && !atomic_load(&conn->pool->no_names)) {
		statement_name(conn, which, name);
		sent = PQsendQueryPrepared(conn->pg, name, count, values,
					   params ? params->lengths : NULL, formats, BINARY);
	} else {
		sent = PQsendQueryParams(conn->pg, conn->pool->statements[which], count, NULL,
					 values, params ? params->lengths : NULL, formats, BINARY);
	}
	return sent ? ISX_OK : fail_broken(conn, NULL, err);
}

enum isx_status isx_pg_run(struct isx_pg_conn *conn, enum isx_pg_statement which,
			   const struct isx_pg_params *params, PGresult **result,
			   struct isx_err *err)
{
	PGresult *got = NULL;
	enum isx_status st = prepare(conn, which, err);
	if (!st)
		st = send_statement(conn, which, params, err);
	if (!st)
		st = collect(conn, &got, err);
	if (!st && result)
		*result = got;
	else
		PQclear(got);
	return st;
}

enum isx_status isx_pg_rows_begin(struct isx_pg_conn *conn, enum isx_pg_statement which,
				  const struct isx_pg_params *params, struct isx_err *err)
{
	enum isx_status st = prepare(conn, which, err);
	if (!st)
		st = send_statement(conn, which, params, err);
	if (!st && !PQsetSingleRowMode(conn->pg))
		st = fail_broken(conn, NULL, err);
	return st ? st : flush(conn, err);
}

enum isx_status isx_pg_rows_next(struct isx_pg_conn *conn, PGresult **row, struct isx_err *err)
{
	enum isx_status st = next_result(conn, row, err);
	if (st || PQresultStatus(*row) == PGRES_SINGLE_TUPLE)
		return st;
	if (!is_good(*row)) /* and not even the empty one behind the last row */
		st = fail_result(conn, *row, err);
	PGresult *rest = *row;
	*row = NULL;
	while (rest && !conn->broken) {
		PQclear(rest);
		rest = NULL;
		enum isx_status drained = next_result(conn, &rest, st ? NULL : err);
		st = st ? st : drained;
	}
	PQclear(rest);
	return st;
}

enum isx_status isx_pg_text(struct isx_pg_conn *conn, const char *sql, struct isx_err *err)
{
	PGresult *result;
	if (!PQsendQuery(conn->pg, sql))
		return fail_broken(conn, NULL, err);
	enum isx_status st = collect(conn, &result, err);
	PQclear(result);
	return st;
}

/* --- pipelines -------------------------------------------------------------------------------- */

/* The results of all statements up to the synchronisation point. */
static enum isx_status collect_pipe(struct isx_pg_conn *conn, PGresult **results, size_t count,
				    struct isx_err *err)
{
	enum isx_status failed = ISX_OK;
	for (size_t i = 0; i < count; i++) {
		PGresult *end = NULL;
		enum isx_status st = next_result(conn, &results[i], err);
		if (!st)
			st = next_result(conn, &end, err); /* NULL stands between statements */
		PQclear(end);
		if (st)
			return st;
		if (!failed && !(results[i] && is_good(results[i])))
			failed = fail_result(conn, results[i],
					     err); /* those behind it are skipped */
		if (conn->broken)
			return failed;
	}
	PGresult *sync = NULL;
	enum isx_status st = next_result(conn, &sync, failed ? NULL : err);
	PQclear(sync);
	return failed ? failed : st;
}

void isx_pg_clear(PGresult **results, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		PQclear(results[i]);
		results[i] = NULL;
	}
}

enum isx_status isx_pg_run_steps(struct isx_pg_conn *conn, const struct isx_pg_step *steps,
				 size_t count, PGresult **results, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	memset(results, 0, count * sizeof *results);
	for (size_t i = 0; !st && i < count; i++)
		st = prepare(conn, steps[i].statement, err);
	if (!st && !PQenterPipelineMode(conn->pg))
		st = fail_broken(conn, NULL, err);
	for (size_t i = 0; !st && i < count; i++)
		st = send_statement(conn, steps[i].statement, steps[i].params, err);
	if (st)
		return st;
	if (!PQpipelineSync(conn->pg))
		return fail_broken(conn, NULL, err);
	st = flush(conn, err);
	if (!st)
		st = collect_pipe(conn, results, count, err);
	if (!conn->broken && !PQexitPipelineMode(conn->pg) && !st)
		st = fail_broken(conn, NULL, err);
	if (st)
		isx_pg_clear(results, count);
	return st;
}

/* --- COPY ------------------------------------------------------------------------------------- */

enum isx_status isx_pg_copy_begin(struct isx_pg_conn *conn, const char *sql, struct isx_err *err)
{
	char *text = put_schema(sql, conn->pool->schema);
	if (!text)
		return isx_fail_memory(err);
	enum isx_status st = isx_pg_text(conn, text, err);
	isx_mem_free(text);
	return st;
}

/* The next message of a COPY; *len is -1 at its end. */
static enum isx_status copy_message(struct isx_pg_conn *conn, char **memory, int *len,
				    struct isx_err *err)
{
	while ((*len = PQgetCopyData(conn->pg, memory, 1)) == 0) {
		enum isx_status st = wait_socket(conn, false, err);
		if (st)
			return st;
	}
	if (*len > 0)
		return ISX_OK;
	if (*len == -2)
		return fail_broken(conn, NULL, err);
	PGresult *result;
	enum isx_status st = collect(conn, &result, err);
	PQclear(result);
	return st;
}

/* Cut a tuple into its fields; false when it is none. */
static bool cut_fields(struct isx_span tuple, size_t fields, struct isx_pg_row *row)
{
	if (tuple.len < 2 || ((uint8_t)tuple.ptr[0] << 8 | (uint8_t)tuple.ptr[1]) != (int)fields)
		return false;
	tuple = isx_span_skip(tuple, 2);
	for (size_t i = 0; i < fields; i++) {
		if (tuple.len < 4)
			return false;
		uint32_t len = isx_load_be32(tuple.ptr);
		tuple = isx_span_skip(tuple, 4);
		len = len == UINT32_MAX ? 0 : len; /* null */
		if (len > tuple.len)
			return false;
		row->fields[i] = (struct isx_span){ tuple.ptr, len };
		tuple = isx_span_skip(tuple, len);
	}
	return true;
}

enum isx_status isx_pg_copy_row(struct isx_pg_conn *conn, size_t fields, struct isx_pg_row *row,
				bool *more, struct isx_err *err)
{
	static const char signature[11] = "PGCOPY\n\377\r\n";
	enum { HEADER_BYTES = 19 };
	int len = 0;
	for (;;) {
		enum isx_status st = copy_message(conn, &row->memory, &len, err);
		*more = !st && len > 0;
		if (!*more)
			return st;
		struct isx_span tuple = { row->memory, (size_t)len };
		if (tuple.len >= HEADER_BYTES &&
		    memcmp(tuple.ptr, signature, sizeof signature) == 0)
			tuple = isx_span_skip(tuple, HEADER_BYTES); /* in front of the first one */
		if (cut_fields(tuple, fields, row))
			return ISX_OK;
		bool is_end = tuple.len == 0 || (tuple.len == 2 && (uint8_t)tuple.ptr[0] == 0xFF);
		PQfreemem(row->memory);
		if (!is_end)
			return fail_broken(conn, "a row of COPY cannot be read", err);
	}
}
