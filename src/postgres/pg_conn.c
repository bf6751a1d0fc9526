/*
 * pg_conn.c - statements over one connection, without a wait for ever.
 *
 * libpq runs in non-blocking mode, and this file waits with poll() and a limit between sending
 * and receiving: a server that has stopped, or a network that is cut, costs a request some
 * seconds and never a thread. Two failures are kept apart. A server that is reachable and silent
 * may still work on the statement, so the statement is not repeated. A server that is gone is
 * noticed earlier, by the TCP timeouts that pg_pool.c sets, and the statement may be repeated on
 * another connection.
 *
 * Statements are prepared by name, once per connection. A pooler that gives each transaction
 * another connection loses them; from the first such error on they are sent as text.
 *
 * This file does not know the pool. It sets flags in the connection, which pg_pool.c reads when
 * the connection is given back. It takes no lock: one thread at a time uses a connection.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_conn.h"

#include "base/hash.h"
#include "base/mem.h"
#include "engine/meter.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

_Static_assert(ISX_PG_STATEMENTS <= 64, "struct isx_pg_conn has a bit for each");

enum {
	SLICE_MS = 100, /* between calls of cancel_check(): a cancelled search waits no longer */
	BINARY = 1      /* libpq's number of the binary format of values and results */
};

/* --- what went wrong -------------------------------------------------------------------------- */

void isx_pg_first_line(char out[ISX_PG_LINE_BYTES], const char *message)
{
	static const char *const prefixes[] = { "ERROR:  ", "FATAL:  ", "PANIC:  " };
	for (size_t i = 0; message && i < sizeof prefixes / sizeof *prefixes; i++)
		if (strncmp(message, prefixes[i], strlen(prefixes[i])) == 0)
			message += strlen(prefixes[i]);
	snprintf(out, ISX_PG_LINE_BYTES, "%s",
		 message && *message ? message : "the connection was lost");
	out[strcspn(out, "\n")] = '\0';
}

/* The first two characters of an SQLSTATE are its class (PostgreSQL manual, appendix A). */
static bool in_class(const char *state, const char *class)
{
	return strncmp(state, class, strlen(class)) == 0;
}

/* ISX_UNAVAILABLE means that the same request may succeed later. */
static enum isx_status status_of_state(const char *state)
{
	if (strcmp(state, "53100") == 0) /* disk_full */
		return ISX_FULL;
	/* Connection lost, operator intervention, too few resources, rolled back, lock not
	 * available, and the two errors of a pooler that loses or mixes up prepared statements. */
	if (in_class(state, "08") || in_class(state, "57") || in_class(state, "53") ||
	    in_class(state, "40") || in_class(state, "55") || strcmp(state, "26000") == 0 ||
	    strcmp(state, "42P05") == 0)
		return ISX_UNAVAILABLE;
	/* read_only_sql_transaction (a standby, or as configured), insufficient_privilege */
	if (strcmp(state, "25006") == 0 || strcmp(state, "42501") == 0)
		return ISX_READ_ONLY;
	if (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0)
		return ISX_UNAVAILABLE; /* tables dropped: the next connection creates them */
	if (in_class(state, "XX"))
		return ISX_CORRUPT;
	return ISX_IO;
}

/* The connection is lost, or libpq cannot use it any more. Another connection may do the same work.
 *   why  NULL: what libpq says of the connection */
static enum isx_status fail_broken(struct isx_pg_conn *conn, const char *why, struct isx_err *err)
{
	char line[ISX_PG_LINE_BYTES];
	isx_pg_first_line(line, why ? why : PQerrorMessage(conn->pg));
	conn->broken = true;
	conn->failed = true;
	conn->retryable = true;
	conn->is_lost = true;
	return isx_fail(err, ISX_UNAVAILABLE, "PostgreSQL: %s", line);
}

/* The server accepted the statement and does not answer. It may still work on it, so the
 * statement is not repeated (`retryable` stays false), and the other connections of the pool
 * stay in use. */
static enum isx_status fail_silent(struct isx_pg_conn *conn, struct isx_err *err)
{
	conn->broken = true;
	conn->failed = true;
	return isx_fail(err, ISX_UNAVAILABLE,
			"PostgreSQL: no answer for %d s (see what it is doing, or raise "
			"postgres_timeout_s)",
			conn->read_timeout_ms / 1000);
}

/* What to do about an error whose message does not say it. */
static const char *hint_of(const char *state)
{
	if (strcmp(state, "55P03") == 0)
		return " (another program is writing to the index or has locked it: try again)";
	if (strcmp(state, "57014") == 0)
		return " (a limit of the administrator, or the administrator)";
	return "";
}

/* Turn an error result into a status, and note in the connection what it means for the connection
 * and for the pool. A result without an SQLSTATE is libpq's own: the connection is lost. */
static enum isx_status fail_result(struct isx_pg_conn *conn, const PGresult *result,
				   struct isx_err *err)
{
	char line[ISX_PG_LINE_BYTES];
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	if (PQstatus(conn->pg) == CONNECTION_BAD || !state)
		return fail_broken(conn, result ? PQresultErrorMessage(result) : NULL, err);
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	bool is_last = severity && strcmp(severity, "ERROR") != 0; /* FATAL, PANIC */
	if (is_last || in_class(state, "08") || in_class(state, "57P"))
		return fail_broken(conn, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), err);
	isx_pg_first_line(line, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
	conn->failed = true;
	if (strcmp(state, "26000") == 0 || strcmp(state, "42P05") == 0) {
		conn->lost_names = true;
		conn->retryable = true;
	}
	conn->retryable |= in_class(state, "40");
	conn->broken |= strcmp(state, "25006") ==
			0; /* after a failover the primary is another server: connect again */
	if (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0) {
		conn->lost_tables = true;
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

/* May the wait go on? If not, the connection is closed rather than drained: a server with the
 * limits of ISX_PG_LIMITS notices within a second and cancels the statement. */
static enum isx_status ask_whether_to_wait(struct isx_pg_conn *conn, struct isx_err *err)
{
	enum isx_status st = isx_cancel_ask(conn->cancel_check, conn->cancel_arg, err);
	conn->broken |= st != ISX_OK;
	return st;
}

/* Wait until the socket is readable (or, with `writes`, writable), and let libpq read what came:
 * while it sends, too, as a server whose answers are not read stops reading. The timeout starts
 * anew with each byte that arrives, so that it limits silence and not the length of an answer. */
static enum isx_status wait_socket(struct isx_pg_conn *conn, bool writes, struct isx_err *err)
{
	struct pollfd socket = { .fd = PQsocket(conn->pg), .events = POLLIN };
	int ready = 0;
	if (writes)
		socket.events |= POLLOUT;
	for (int waited_ms = 0; ready <= 0;) {
		int left_ms = conn->read_timeout_ms - waited_ms;
		int slice_ms = conn->cancel_check && left_ms > SLICE_MS ? SLICE_MS : left_ms;
		if (left_ms <= 0)
			return fail_silent(conn, err);
		ready = poll(&socket, 1, slice_ms);
		if (ready < 0 && errno != EINTR)
			break; /* the next call of libpq reports what is wrong */
		waited_ms += ready == 0 ? slice_ms : 0;
		enum isx_status st = ready == 0 ? ask_whether_to_wait(conn, err) : ISX_OK;
		if (st)
			return st;
	}
	if ((socket.revents & POLLIN || !writes) && !PQconsumeInput(conn->pg))
		return fail_broken(conn, NULL, err);
	return ISX_OK;
}

/* Send everything that libpq has queued. */
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

/* Wait for the next result; *result is NULL behind the last one of a statement. */
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

/* Read the results of one text: the last of them, or the first error. All are read even behind an
 * error, as libpq takes no new statement before. Stops when a COPY begins; its rows follow. */
static enum isx_status collect(struct isx_pg_conn *conn, PGresult **last, struct isx_err *err)
{
	PGresult *result = NULL;
	*last = NULL;
	enum isx_status st = flush(conn, err);
	while (!st && !(st = next_result(conn, &result, err)) && result) {
		if (*last && !is_good(*last)) {
			PQclear(result); /* errors behind the first one only follow from it */
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

void isx_pg_use_long_timeout(struct isx_pg_conn *conn)
{
	conn->read_timeout_ms = conn->settings->read_timeout_ms * ISX_PG_LONG_TIMEOUT_FACTOR;
}

const struct isx_logger *isx_pg_logger(const struct isx_pg_conn *conn)
{
	return &conn->settings->logger;
}

unsigned isx_pg_lock_ms(const struct isx_pg_conn *conn)
{
	return (unsigned)conn->settings->read_timeout_ms / 6 * 5;
}

/* --- statements ------------------------------------------------------------------------------- */

/* Name a prepared statement by a hash of its text. Behind a pooler another version of this program
 * may have prepared statements on the same server connection: equal names mean equal texts. */
static void statement_name(const struct isx_pg_conn *conn, enum isx_pg_statement which,
			   char name[32])
{
	const char *text = conn->settings->statements[which];
	snprintf(name, 32, "isx_%016llx", (unsigned long long)isx_hash(text, strlen(text)));
}

/* Are statements prepared by name? Not after a pooler has lost one. This connection's own flag
 * counts at once, the one of the settings after the connection that saw it was given back. */
static bool uses_names(const struct isx_pg_conn *conn)
{
	return !conn->lost_names && !atomic_load(&conn->settings->unnamed_only);
}

/* Is a statement sent unprepared, so that the server plans it for its values? After some runs the
 * server uses one plan of a prepared statement for all values; that plan does not know how few
 * changes are behind change_seq, nor how few assets are in an array, and reads whole tables. What
 * was planned for an empty table is kept until the server has new statistics. (ISX_PG_WATCH_CLIENT
 * is not worth the trip that prepares it.) */
static bool is_planned_each_time(enum isx_pg_statement which)
{
	return which == ISX_PG_WATCH_CLIENT || which == ISX_PG_ASSETS_METADATA ||
	       which == ISX_PG_ASSETS_CHANGED || which == ISX_PG_CHANGED_ASSETS ||
	       which == ISX_PG_CHANGED_SIMPRINTS || which == ISX_PG_CHANGE_REACHES ||
	       which == ISX_PG_CHANGE_STEP || which == ISX_PG_SIMPRINTS_SAMPLE ||
	       which == ISX_PG_CHANGE_PRUNE || which == ISX_PG_ASSETS_DELETE ||
	       which == ISX_PG_UNITS_DELETE || which == ISX_PG_SIMPRINTS_DELETE ||
	       which == ISX_PG_SIMPRINTS_REPLACE || which >= ISX_PG_SEARCH_UNITS;
}

/* Prepare a statement on this connection, at its first use: one more round trip. */
static enum isx_status prepare(struct isx_pg_conn *conn, enum isx_pg_statement which,
			       struct isx_err *err)
{
	char name[32];
	PGresult *result;
	if (conn->prepared >> which & 1 || is_planned_each_time(which) || !uses_names(conn))
		return ISX_OK;
	statement_name(conn, which, name);
	if (!PQsendPrepare(conn->pg, name, conn->settings->statements[which], 0, NULL))
		return fail_broken(conn, NULL, err);
	enum isx_status st = collect(conn, &result, err);
	PQclear(result);
	if (!st)
		conn->prepared |= 1ull << which;
	return st;
}

/* Queue a statement with its values; flush() sends it. A value of length -1 is NULL. */
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
	if (conn->prepared >> which & 1 && uses_names(conn)) {
		statement_name(conn, which, name);
		sent = PQsendQueryPrepared(conn->pg, name, count, values,
					   params ? params->lengths : NULL, formats, BINARY);
	} else {
		sent = PQsendQueryParams(conn->pg, conn->settings->statements[which], count, NULL,
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
	if (!is_good(*row)) /* good is only the empty result behind the last row */
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

/* Read the results of all statements of a pipeline. libpq returns a result and then NULL for each
 * statement, and one result for the synchronisation point. All are read even after an error, as
 * the pipeline cannot be left before. */
static enum isx_status collect_pipe(struct isx_pg_conn *conn, PGresult **results, size_t count,
				    struct isx_err *err)
{
	enum isx_status failed = ISX_OK;
	for (size_t i = 0; i < count; i++) {
		PGresult *end = NULL;
		enum isx_status st = next_result(conn, &results[i], err);
		if (!st)
			st = next_result(conn, &end, err); /* the NULL behind each statement */
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
	char *text = isx_pg_sql_text(sql, conn->settings->schema);
	if (!text)
		return isx_fail_memory(err);
	enum isx_status st = isx_pg_text(conn, text, err);
	isx_mem_free(text);
	return st;
}

/* Wait for the next message of a COPY; *len is -1 at its end, where the final result is read,
 * too, so that an error in the middle of the rows is not taken for their end. */
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

/* Cut a tuple into its fields; false when it is none. A tuple is a 16-bit count of fields and,
 * for each, a 32-bit length (-1: NULL) and its bytes (PostgreSQL manual, COPY, binary format). */
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
	enum { HEADER_BYTES = 19 }; /* the signature, 32 bits of flags, an empty extension */
	int len = 0;
	for (;;) {
		enum isx_status st = copy_message(conn, &row->memory, &len, err);
		*more = !st && len > 0;
		if (!*more)
			return st;
		struct isx_span tuple = { row->memory, (size_t)len };
		if (tuple.len >= HEADER_BYTES &&
		    memcmp(tuple.ptr, signature, sizeof signature) == 0)
			tuple = isx_span_skip(
				tuple, HEADER_BYTES); /* the first message holds the header, too */
		if (cut_fields(tuple, fields, row))
			return ISX_OK;
		/* The header alone, or the trailer (a count of -1). The loop then reads on to
		 * the end of the COPY. */
		bool is_end = tuple.len == 0 || (tuple.len == 2 && (uint8_t)tuple.ptr[0] == 0xFF);
		PQfreemem(row->memory);
		if (!is_end)
			return fail_broken(conn, "a row of COPY cannot be read", err);
	}
}
