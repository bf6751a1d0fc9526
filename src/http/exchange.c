/*
 * exchange.c - the life of one request and its answer.
 *
 * In order of calls: isx_exchange_begin() after the request line; isx_exchange_field() for each
 * header; open_exchange() after the headers, which finds the route and decides whether the body is
 * wanted; isx_exchange_serve() for each piece of the body; dispatch() at its end, which answers at
 * once, or suspends the connection and queues run_exchange() for a worker, which resumes it;
 * send_answer(); isx_exchange_end().
 *
 * Threads: an exchange belongs to the event-loop thread of its connection, except between
 * suspending and resuming, when it belongs to a worker, and behind its end, when a worker frees it.
 * Only cancel checks and quotas are called by several threads at once: they use atomics.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/exchange.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/access_log.h"
#include "http/encoding.h"
#include "http/head.h"
#include "http/link.h"
#include "http/original.h"
#include "http/router.h"
#include "http/url.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
	LOOK_NS = 10000000,             /* 10 ms between two checks of a client */
	STREAM_BLOCK_BYTES = 32 * 1024, /* of a stream that libmicrohttpd asks for at a time */
	METHOD_BYTES = 16, /* kept of the name of a method, with the NUL: known ones are shorter */
};

#define HTTP_HEADER_REQUEST_ID "X-Request-ID"

/* A request, its answer, and their state. */
struct exchange {
	struct http_link *link;
	struct http_serving *serving;
	struct MHD_Connection *connection;
	uint64_t start_ns;
	int socket;              /* of the connection, while it is suspended */
	unsigned pool;           /* number of its worker pool, 0 to HTTP_POOLS - 1 */
	atomic_ullong next_look; /* time of the next check whether the client is connected */
	char *target;            /* the request target as sent */
	struct isx_head head;
	char method[METHOD_BYTES];
	char id[HTTP_REQUEST_ID_MAX + 1]; /* of the client, or generated */
	struct http_req req;
	struct http_res res;
	struct http_payload payload;
	struct http_hold hold;  /* of the answer, and of what it is made from */
	struct isx_quota quota; /* the same, as the library asks for it */
	atomic_bool is_refused; /* since the last piece of a stream was begun */
	bool is_arriving;       /* the request is not complete yet */
	bool is_open;           /* the headers are read */
	bool is_answered;       /* `res` is complete */
	bool is_given_up;       /* libmicrohttpd cannot parse the rest */
	bool is_last;           /* the connection ends with the answer */
	bool is_stream_over;    /* the piece of the stream in res.payload is the last one */
	bool has_stream_failed;
	size_t piece_bytes; /* of the piece in res.payload that were sent */
	size_t sent_bytes;
};

/* --- the body -------------------------------------------------------------------------------- */

/* Does the request have a body? Known from its headers, before the first piece arrives. */
static bool has_payload(const struct exchange *x)
{
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND,
					   MHD_HTTP_HEADER_CONTENT_LENGTH) ||
	       MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND,
					   MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static enum MHD_Result join_coding(void *arg, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	const char **coding = arg;
	(void)kind;
	if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_ENCODING) == 0)
		*coding = *coding ? "more than one" : value;
	return MHD_YES;
}

/* The Content-Encoding. Two such headers name two codings in a row, which are not supported: the
 * text returned for them is no coding either. */
static const char *find_coding(const struct exchange *x)
{
	const char *coding = NULL;
	MHD_get_connection_values(x->connection, MHD_HEADER_KIND, join_coding, &coding);
	return coding;
}

/* Is the announced length so far beyond the ceiling that the body should not be read? Then the
 * connection ends with the answer. A body up to twice too large is read and dropped, so that the
 * client gets its 413 and keeps the connection. A client that sends Expect waits with its body, so
 * it can be told at once. */
static bool is_payload_hopeless(const struct exchange *x)
{
	const char *text = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND,
						       MHD_HTTP_HEADER_CONTENT_LENGTH);
	const char *expect = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_EXPECT);
	uint64_t len;
	if (!text || !isx_span_uint(isx_span_of(text), UINT64_MAX, &len))
		return false;
	return expect ? len > x->payload.bytes_max : len / 2 > x->serving->bodies.body_bytes_max;
}

/* Is a content type JSON: application/json or application/ANYTHING+json? */
static bool is_json_type(const char *content_type)
{
	struct isx_span rest, type = isx_span_cut(isx_span_of(content_type), ';', &rest);
	type = isx_span_trim(type);
	if (type.len < 12 || strncasecmp(type.ptr, "application/", 12) != 0)
		return false;
	type = isx_span_skip(type, 12);
	return (type.len == 4 && strncasecmp(type.ptr, "json", 4) == 0) ||
	       (type.len >= 5 && strncasecmp(type.ptr + type.len - 5, "+json", 5) == 0);
}

/* Does the request have a body that its handler reads line by line? */
static bool has_lines(const struct exchange *x)
{
	return isx_router_wants_payload(&x->req) && x->req.is_allowed &&
	       (x->req.route->flags & HTTP_TAKES_LINES) && isx_is_lines_type(x->req.content_type);
}

/* The job of a worker: write to the disk what has arrived. */
static void run_flush(void *arg)
{
	struct exchange *x = arg;
	if (isx_spool_flush(&x->payload.spool, &x->req.cut))
		isx_http_payload_drop(&x->payload);
	MHD_resume_connection(x->connection);
}

/* Take a piece of the body. The event loop does not wait for the disk: a worker writes, and until it has,
 * nothing is read from the client. */
static void take_piece(struct exchange *x, const char *bytes, size_t len)
{
	isx_http_payload_add(&x->payload, bytes, len, &x->req);
	if (x->req.cut.status || !isx_spool_is_due(&x->payload.spool))
		return;
	MHD_suspend_connection(x->connection);
	if (!isx_pool_put_rest(x->serving->quick, run_flush, x))
		run_flush(x);
}

/* --- the answer ------------------------------------------------------------------------------ */

/* The request is complete, or its rest is not needed: it no longer counts as arriving. If its body
 * was too slow, a 408 is already sent (watch.c), and the access log has to say so. */
static void end_arrival(struct exchange *x)
{
	if (x->is_arriving)
		atomic_fetch_sub(&x->serving->arriving, 1);
	x->is_arriving = false;
	if (isx_link_unwatch(x->serving->links, x->link) == HTTP_WATCH_BODY)
		x->res.status = 408;
}

static enum isx_status fail_answers(struct isx_err *err)
{
	return isx_fail(err, ISX_UNAVAILABLE,
			"too many large answers at once: try again later, or ask for fewer matches "
			"(limit)");
}

/* struct isx_quota of the answer. Search threads call this, too. */
static enum isx_status take_for_answer(void *keeper, size_t bytes, struct isx_err *err)
{
	struct exchange *x = keeper;
	if (isx_hold_more(&x->hold, bytes))
		return ISX_OK;
	atomic_store(&x->is_refused, true);
	return fail_answers(err);
}

/* Prepare the answer for sending: compress and trim it, and count its memory until it is sent. If
 * the purse of answers has no room, a 503 replaces it. */
static void settle_answer(struct exchange *x)
{
	struct isx_err err = { 0 };
	struct isx_buf *payload = &x->res.payload;
	isx_coding_apply(&x->req, &x->res);
	isx_buf_trim(payload);
	if (isx_hold_only(&x->hold, payload->cap, ISX_SMALL_BYTES_MAX))
		return;
	(void)fail_answers(&err);
	/* The headers described the answer that is dropped, for example its Content-Encoding. */
	x->res.header_count = 0;
	isx_http_fail(&x->res, ISX_UNAVAILABLE, &err);
	isx_buf_trim(payload);
	(void)isx_hold_only(&x->hold, payload->cap, ISX_SMALL_BYTES_MAX);
}

/* Compose the answer, once, in the thread that owns the exchange. */
static void answer(struct exchange *x)
{
	isx_http_payload_finish(&x->payload, &x->req);
	x->req.payload.text = (struct isx_span){ x->payload.bytes.ptr, x->payload.bytes.len };
	x->req.payload.is_json = is_json_type(x->req.content_type);
	if (isx_cors_is_preflight(&x->req)) {
		isx_cors_preflight(&x->serving->cors, &x->req, &x->res);
	} else {
		isx_router_run(&x->req, &x->res);
		settle_answer(x);
		isx_cors_decorate(&x->serving->cors, &x->req, &x->res);
	}
	if (!x->res.stream) { /* sending may take long: free the body first */
		isx_http_payload_drop(&x->payload);
		isx_arena_release(&x->req.arena);
	}
	x->is_answered = true;
}

/* Answer with a failure outside the router, of the server itself. */
static void answer_failure(struct exchange *x, enum isx_status status, const struct isx_err *err)
{
	/* A stream that fails before its first piece has headers already. */
	x->res.header_count = 0;
	isx_http_fail(&x->res, status, err);
	isx_cors_decorate(&x->serving->cors, &x->req, &x->res);
	isx_http_payload_drop(&x->payload);
	x->is_answered = true;
}

/* 503: another server, or this one after its restart, can answer the request. */
static enum isx_status fail_stopping(struct isx_err *err)
{
	return isx_fail(err, ISX_UNAVAILABLE, "the server stops: try again later");
}

/* The cancel check of a search, called by its threads. While a connection is suspended,
 * libmicrohttpd does not poll its socket, so this does. A client that has closed its sending side
 * counts as gone: TCP cannot tell it from one that has closed the connection. */
static enum isx_status cancel_check(void *cancel_arg, struct isx_err *err)
{
	struct exchange *x = cancel_arg;
	uint64_t now_ns = isx_clock_ns();
	if (atomic_load_explicit(&x->serving->is_cutting, memory_order_relaxed))
		return fail_stopping(err);
	if (now_ns < atomic_load_explicit(&x->next_look, memory_order_relaxed))
		return ISX_OK;
	atomic_store_explicit(&x->next_look, now_ns + LOOK_NS, memory_order_relaxed);
	struct pollfd look = { .fd = x->socket, .events = POLLRDHUP };
	if (poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)))
		return isx_fail(err, ISX_CANCELLED, "the client has gone");
	return ISX_OK;
}

/* HTTP_POOL_NONE has no pool; its result is not used. */
static struct isx_pool *pool_of(const struct http_serving *serving, enum http_pool which)
{
	if (which == HTTP_POOL_WRITE)
		return serving->write;
	if (which == HTTP_POOL_BULK)
		return serving->bulk;
	return which == HTTP_POOL_SCAN ? serving->scan : serving->quick;
}

/* A search begins or ends to wait without using a processor (for a follower that is being loaded):
 * its pool meanwhile runs another search in its place. Returns false if too many wait already. */
static bool on_wait(void *cancel_arg, bool begins)
{
	const struct exchange *x = cancel_arg;
	struct isx_pool *own = pool_of(x->serving, x->pool + HTTP_POOL_QUICK);
	if (begins)
		return isx_pool_wait_begin(own);
	isx_pool_wait_end(own);
	return true;
}

/* Compose a piece of a stream. The memory of a piece is counted like that of an answer, until the next
 * one takes its place. */
static enum isx_status try_piece(struct exchange *x, struct isx_err *err)
{
	struct isx_buf *piece = &x->res.payload;
	isx_buf_release(piece);
	(void)isx_hold_only(&x->hold, 0, ISX_WORK_BYTES_FREE);
	atomic_store(&x->is_refused, false);
	x->piece_bytes = 0;
	enum isx_status st = atomic_load(&x->serving->is_cutting)
				     ? fail_stopping(err)
				     : x->res.stream->more(x->res.stream, piece, err);
	if (!st)
		st = isx_buf_status(piece, err);
	isx_buf_trim(piece);
	if (!st && !isx_hold_only(&x->hold, piece->cap, ISX_SMALL_BYTES_MAX)) {
		atomic_store(&x->is_refused, true);
		st = fail_answers(err);
	}
	return st;
}

/* Is a piece to be composed again, as a smaller one? */
static bool settle_piece(struct exchange *x, enum isx_status st)
{
	struct http_stream *stream = x->res.stream;
	struct isx_err refusal;
	bool is_refused = atomic_load(&x->is_refused);
	bool is_short = is_refused && (st == ISX_UNAVAILABLE || st == ISX_NO_MEMORY);
	if (!stream->settle || (st && !is_short))
		return false;
	(void)fail_answers(&refusal);
	return stream->settle(stream, is_refused ? &refusal : NULL);
}

/* The next piece of a stream, in a worker. */
static enum isx_status compose_piece(struct exchange *x, struct isx_err *err)
{
	enum isx_status st;
	do
		st = try_piece(x, err);
	while (settle_piece(x, st));
	x->is_stream_over = st || x->res.payload.len == 0;
	if (st && st != ISX_CANCELLED && st != ISX_NOT_FOUND)
		isx_log(ISX_LOG_WARNING, "request %s: the answer cannot be completed: %s", x->id,
			err->msg);
	return st;
}

/* The job of a worker. After MHD_resume_connection() the exchange belongs to the event-loop thread
 * again and must not be touched. */
static void run_exchange(void *arg)
{
	struct exchange *x = arg;
	struct isx_err err = { 0 };
	enum isx_status st = ISX_OK;
	isx_metrics_run(x->serving->counts, x->pool);
	if (atomic_load(&x->serving->is_cutting))
		st = fail_stopping(&err);
	else
		answer(x);
	if (!st && x->res.stream)
		st = compose_piece(x, &err);
	if (st) {
		/* the headers described the stream, for example its Content-Encoding */
		x->res.header_count = 0;
		answer_failure(x, st, &err);
	}
	MHD_resume_connection(x->connection);
}

/* The same for each further piece of a stream. Behind the last one the stream is closed here and not in
 * the event loop, as isx_exchange_end() says. */
static void run_stream(void *arg)
{
	struct exchange *x = arg;
	struct isx_err err = { 0 };
	isx_metrics_run(x->serving->counts, x->pool);
	x->has_stream_failed = compose_piece(x, &err) != ISX_OK;
	if (x->is_stream_over) {
		x->res.stream->close(x->res.stream);
		x->res.stream = NULL;
		isx_http_payload_drop(&x->payload);
	}
	MHD_resume_connection(x->connection);
}

/* MHD_ContentReaderCallback of a stream. Without bytes at hand it suspends the connection until a
 * worker has composed the next piece: so no piece is composed before the client has taken the one
 * before. While a worker composes, the client has nothing to read and is not watched. */
static ssize_t read_stream(void *arg, uint64_t position, char *bytes, size_t max)
{
	struct exchange *x = arg;
	const struct isx_buf *piece = &x->res.payload;
	size_t left = piece->len - x->piece_bytes;
	(void)position;
	if (x->has_stream_failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (left == 0 && x->is_stream_over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (left == 0) {
		(void)isx_link_unwatch(x->serving->links, x->link);
		isx_metrics_wait(x->serving->counts, x->pool);
		MHD_suspend_connection(x->connection);
		if (!isx_pool_put_rest(pool_of(x->serving, x->pool + HTTP_POOL_QUICK), run_stream,
				       x)) {
			isx_metrics_run(x->serving->counts, x->pool);
			x->has_stream_failed = true; /* said when this is called again */
			MHD_resume_connection(x->connection);
		}
		return 0;
	}
	if (x->piece_bytes == 0)
		isx_link_watch(x->serving->links, x->link, HTTP_WATCH_ANSWER, x->id);
	size_t count = left < max ? left : max;
	memcpy(bytes, piece->ptr + x->piece_bytes, count);
	x->piece_bytes += count;
	x->sent_bytes += count;
	return (ssize_t)count;
}

/* MHD_ContentReaderFreeCallback: payloads come from base/mem.c. */
static void free_bytes(void *bytes)
{
	isx_mem_free(bytes);
}

/* Make the response from the answer; it takes the memory of the payload. Embedded files are not
 * copied. */
static struct MHD_Response *make_response(struct exchange *x)
{
	static char out_of_memory[] = "{\"detail\":\"out of memory\"}";
	struct http_res *res = &x->res;
	x->sent_bytes = res->file.len;
	if (res->stream)
		return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
							 read_stream, x, NULL);
	if (res->file.ptr)
		return MHD_create_response_from_buffer(
			res->file.len, (void *)(uintptr_t)res->file.ptr, MHD_RESPMEM_PERSISTENT);
	size_t len = res->payload.len;
	char *bytes = isx_buf_take(&res->payload);
	if (!bytes) {
		res->status = 503;
		x->sent_bytes = sizeof out_of_memory - 1;
		return MHD_create_response_from_buffer(x->sent_bytes, out_of_memory,
						       MHD_RESPMEM_PERSISTENT);
	}
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback(len, bytes, free_bytes);
	if (!response)
		isx_mem_free(bytes);
	x->sent_bytes = len;
	return response;
}

/* The whole answer with its headers, new; NULL without memory. */
static struct MHD_Response *compose_answer(struct exchange *x)
{
	struct http_res *res = &x->res;
	struct MHD_Response *response = make_response(x);
	const char *type = res->content_type ? res->content_type : "application/json";
	if (!response)
		return NULL;
	if (*type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	for (size_t i = 0; i < res->header_count; i++)
		MHD_add_response_header(response, res->headers[i].name, res->headers[i].value);
	if (x->req.request_id)
		MHD_add_response_header(response, HTTP_HEADER_REQUEST_ID, x->req.request_id);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (atomic_load(&x->serving->is_draining) || x->is_last)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (!res->status)
		res->status = 200;
	return response;
}

/* Queue the answer. The link watches from here on whether the client reads it. */
static enum MHD_Result send_answer(struct exchange *x)
{
	struct MHD_Response *response = compose_answer(x);
	if (!response)
		return MHD_NO;
	isx_link_watch(x->serving->links, x->link, HTTP_WATCH_ANSWER, x->id);
	enum MHD_Result queued = isx_original_queue_response(x->connection, x->res.status,
							     response);
	MHD_destroy_response(response);
	return queued;
}

/* --- the life of an exchange ----------------------------------------------------------------- */

static int socket_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static struct http_link *link_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

/* The exchange that is under way on a connection, or NULL. */
static struct exchange *exchange_of(struct MHD_Connection *connection)
{
	struct http_link *link = link_of(connection);
	return link ? link->exchange : NULL;
}

/* The context of a connection is its link. An exchange that is left when the connection ends was
 * forgotten by libmicrohttpd: end it here. */
void isx_exchange_link(struct http_serving *serving, struct MHD_Connection *connection,
		       void **state, enum MHD_ConnectionNotificationCode code)
{
	struct http_link *link = *state;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*state = isx_link_add(serving->links, serving, socket_of(connection));
		return;
	}
	if (!link)
		return;
	void *left = link->exchange;
	isx_exchange_end(NULL, connection, &left, MHD_REQUEST_TERMINATED_WITH_ERROR);
	isx_link_remove(serving->links, link);
	*state = NULL;
}

/* Start an exchange and count it; NULL without memory, and libmicrohttpd then closes the
 * connection. The link remembers it, because libmicrohttpd may forget to call isx_exchange_end()
 * for it. */
static struct exchange *begin_exchange(struct MHD_Connection *connection, const char *target)
{
	struct http_link *link = link_of(connection);
	struct exchange *x = link ? isx_mem_array(1, sizeof *x) : NULL;
	if (!x)
		return NULL;
	x->link = link;
	x->serving = link->serving;
	x->connection = connection;
	x->start_ns = isx_clock_ns();
	x->target = isx_mem_text(target, strlen(target));
	x->req.store = x->serving->store;
	x->req.readiness = x->serving->readiness;
	x->req.name_options = x->serving->name_options;
	x->req.metrics = x->serving->metrics;
	x->req.joins = x->serving->joins;
	x->req.is_stopping = &x->serving->is_cutting;
	x->req.cancel_check = cancel_check;
	x->req.on_wait = on_wait;
	x->req.cancel_arg = x;
	x->quota = (struct isx_quota){ .may_take = take_for_answer, .keeper = x };
	x->req.quota = &x->quota;
	x->res.payload.quota = &x->quota;
	isx_hold_init(&x->hold, &x->serving->answers, ISX_WORK_BYTES_FREE);
	isx_url_split(isx_span_of(x->target), &x->req.path, &x->req.query);
	isx_request_id_make(x->serving->id_seed, atomic_fetch_add(&x->serving->id_count, 1), x->id);
	x->req.request_id = x->id;
	isx_metrics_request(x->serving->counts);
	x->is_arriving = true;
	atomic_fetch_add(&x->serving->exchanges, 1);
	atomic_fetch_add(&x->serving->arriving, 1);
	link->exchange = x;
	return x;
}

/* Called after the request line, before libmicrohttpd decodes the target: url.c has to see the
 * escapes. */
void *isx_exchange_begin(void *arg, const char *target, struct MHD_Connection *connection)
{
	struct exchange *x = begin_exchange(connection, target);
	(void)arg;
	if (x)
		isx_head_begin(&x->head, target);
	return x;
}

bool isx_exchange_field(struct MHD_Connection *connection, struct isx_span name,
			struct isx_span *value)
{
	struct exchange *x = exchange_of(connection);
	return !x || isx_head_field(&x->head, name, value);
}

/* Trailers are not used, and libmicrohttpd parses them as leniently as headers. So where the next
 * request begins is uncertain, and the connection has to end. */
void isx_exchange_trailer(struct MHD_Connection *connection)
{
	struct exchange *x = exchange_of(connection);
	if (x)
		x->is_last = true;
}

/* Check the head of a request for faults that libmicrohttpd tolerates (head.h). */
static void check_head(struct exchange *x, const char *method)
{
	size_t len = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
			     ->header_size;
	isx_head_end(&x->head, (struct isx_span){ method, len });
	if (!x->head.status && isx_head_params(x->req.query) > ISX_PARAMS_MAX) {
		x->head.status = MHD_HTTP_URI_TOO_LONG;
		x->head.detail = "the URL has too many parameters";
	}
}

/* Where files of spools are. */
static const char *spool_directory(const struct http_serving *serving)
{
	const char *directory = isx_store_options(serving->store)->temporary_directory;
	return directory ? directory : "/tmp";
}

/* Answer with an HTTP status that has no isx_status, and end the connection. */
static void answer_last(struct exchange *x, unsigned http_status, const char *detail)
{
	isx_http_detail(&x->res, http_status, detail);
	isx_cors_decorate(&x->serving->cors, &x->req, &x->res);
	isx_http_payload_drop(&x->payload);
	x->is_answered = true;
	x->is_last = true;
}

/* The headers are read. Returns whether to read the rest of the request; if not, the answer is
 * composed. The key is checked here, before the body, so that bodies without the key can be
 * limited. */
static bool open_exchange(struct exchange *x, const char *method)
{
	struct http_req *req = &x->req;
	const char *request_id;
	const struct {
		const char *name;
		const char **value;
	} wanted[] = {
		{ MHD_HTTP_HEADER_ACCEPT, &req->accept },
		{ MHD_HTTP_HEADER_ACCEPT_ENCODING, &req->accept_encoding },
		{ MHD_HTTP_HEADER_CONTENT_TYPE, &req->content_type },
		{ MHD_HTTP_HEADER_ORIGIN, &req->origin },
		{ "X-API-Key", &req->api_key },
		{ HTTP_HEADER_REQUEST_ID, &request_id },
		{ "Access-Control-Request-Method", &req->preflight_method },
		{ "Access-Control-Request-Headers", &req->preflight_headers },
	};
	struct isx_err err = { 0 };
	x->is_open = true;
	snprintf(x->method, sizeof x->method, "%s", method);
	req->method = x->method;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		*wanted[i].value = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND,
							       wanted[i].name);
	if (isx_request_id_is_valid(request_id))
		snprintf(x->id, sizeof x->id, "%s", request_id);
	enum isx_status st = x->target ? isx_router_find(&x->serving->auth, req, &err)
				       : isx_fail_memory(&err);
	if (st) {
		answer_failure(x, st, &err);
		return false;
	}
	check_head(x, method);
	if (x->head.status) {
		answer_last(x, x->head.status, x->head.detail);
		return false;
	}
	isx_http_payload_open(&x->payload, &x->serving->bodies,
			      isx_router_wants_payload(req) ? find_coding(x) : NULL,
			      has_lines(x) ? spool_directory(x->serving) : NULL, req);
	if (x->payload.is_lines || !is_payload_hopeless(x)) {
		if (has_payload(x))
			isx_link_watch(x->serving->links, x->link, HTTP_WATCH_BODY, x->id);
		return true;
	}
	isx_http_payload_refuse(&x->payload, req);
	answer(x);
	return false;
}

/* The request is complete: answer it in this event-loop thread, or suspend the connection and queue
 * the request for a worker. */
static enum MHD_Result dispatch(struct exchange *x)
{
	enum http_pool which = isx_cors_is_preflight(&x->req) ? HTTP_POOL_NONE
							      : isx_router_pool(&x->req);
	struct isx_pool *pool = pool_of(x->serving, which);
	struct isx_err err = { 0 };
	if (which == HTTP_POOL_NONE) {
		answer(x);
		return send_answer(x);
	}
	x->pool = which - HTTP_POOL_QUICK;
	x->socket = socket_of(x->connection);
	atomic_store(&x->next_look, isx_clock_ns() + LOOK_NS);
	isx_metrics_wait(x->serving->counts, x->pool);
	MHD_suspend_connection(x->connection);
	if (!isx_pool_put(pool, run_exchange, x)) {
		enum isx_status st =
			atomic_load(&x->serving->is_cutting)
				? fail_stopping(&err)
				: isx_fail(&err, ISX_UNAVAILABLE,
					   "too many requests are waiting: try again later");
		isx_metrics_run(x->serving->counts, x->pool);
		answer_failure(x, st, &err);
		MHD_resume_connection(x->connection);
	}
	return MHD_YES;
}

static bool is_suspended(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED)
		->suspended;
}

/* libmicrohttpd calls this after the headers, for each piece of the body, at the end of the
 * request, and again after the connection was resumed. */
enum MHD_Result isx_exchange_serve(void *arg, struct MHD_Connection *connection, const char *url,
				   const char *method, const char *version, const char *bytes,
				   size_t *len, void **state)
{
	struct exchange *x = *state;
	(void)arg, (void)url, (void)version;
	if (!x)
		return MHD_NO; /* no memory: the connection is closed */
	atomic_fetch_add(&x->serving->pieces, 1);
	if (!x->is_open) {
		/* An answer before the request is complete ends the connection. */
		return open_exchange(x, method) ? MHD_YES : send_answer(x);
	}
	/* libmicrohttpd goes on with the next chunk that it has read, although take_piece() has
	 * suspended the connection. Bytes that are not taken come again after it was resumed. */
	if (*len > 0 && is_suspended(connection))
		return MHD_YES;
	if (*len > 0) {
		if (isx_router_wants_payload(&x->req))
			take_piece(x, bytes, *len);
		*len = 0;
		return MHD_YES;
	}
	end_arrival(x);
	return x->is_answered ? send_answer(x) : dispatch(x);
}

/* What the library could not read: known from the status it is about to answer with, and from how
 * much of the request it has read. */
static const char *name_trouble(unsigned status, bool has_line, bool has_head)
{
	switch (status) {
	case MHD_HTTP_URI_TOO_LONG:
		return "the URL is too long";
	case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
		return "the headers are too long, or too many";
	case MHD_HTTP_CONTENT_TOO_LARGE:
		return "the announced length is larger than any body this server takes";
	case MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED:
		return "expected HTTP/1.1 or HTTP/1.0";
	default:
		return !has_line   ? "expected METHOD URL HTTP/1.1, each behind one space"
		       : !has_head ? "expected lines NAME: VALUE, and a Content-Length in digits"
				   : "expected chunks, each its length in hexadecimal and a line "
				     "end, its bytes and a line end";
	}
}

struct MHD_Response *isx_exchange_give_up(struct MHD_Connection *connection, unsigned *status)
{
	struct exchange *x = exchange_of(connection);
	bool has_line = x != NULL;
	if (!x)
		x = begin_exchange(connection, "");
	if (!x)
		return NULL;
	/* The only 500 of the library is for a chunk length without a line end: a fault of the
	 * client. */
	if (*status == MHD_HTTP_INTERNAL_SERVER_ERROR)
		*status = MHD_HTTP_BAD_REQUEST;
	end_arrival(x);
	isx_http_release(&x->req, &x->res);
	x->res = (struct http_res){ 0 };
	answer_last(x, *status, name_trouble(*status, has_line, x->is_open));
	x->is_given_up = true;
	return compose_answer(x);
}

/* Write the access log and the metrics of a request that has ended. A HEAD sends no body, whatever
 * its answer holds, unless libmicrohttpd has given up before it knew the method. */
static void report_exchange(const struct exchange *x, bool is_complete)
{
	const union MHD_ConnectionInfo *client =
		MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	bool has_body = x->req.method && strcmp(x->req.method, MHD_HTTP_METHOD_HEAD) != 0;
	const struct http_access access = {
		.request_id = x->req.request_id,
		.method = x->req.method,
		.path = x->req.path,
		.route = isx_router_template(&x->req),
		.status = x->res.status,
		.sent_bytes = x->is_given_up || has_body ? x->sent_bytes : 0,
		.duration_ns = isx_clock_ns() - x->start_ns,
		.is_complete = is_complete,
		.client = client ? client->client_addr : NULL,
	};
	isx_access_log(&access);
	isx_metrics_end(x->serving->counts, isx_router_number(&x->req), access.status,
			access.duration_ns);
}

/* Free an exchange that has ended. `exchanges` is decremented last: isx_server_stop() may free the
 * server after that. */
static void free_exchange(void *arg)
{
	struct exchange *x = arg;
	struct http_serving *serving = x->serving;
	isx_http_payload_drop(&x->payload);
	isx_http_release(&x->req, &x->res);
	isx_hold_release(&x->hold);
	isx_mem_free(x->target);
	isx_mem_free(x);
	atomic_fetch_sub(&serving->exchanges, 1);
}

/* A worker closes a stream that its client has left: the export of a database waits for the database,
 * and all connections would wait with it. The same for a spool: a file of many GiB takes the system
 * seconds to free. */
void isx_exchange_end(void *arg, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *state;
	(void)arg, (void)connection;
	if (!x)
		return;
	x->link->exchange = NULL;
	end_arrival(x);
	report_exchange(x, why == MHD_REQUEST_TERMINATED_COMPLETED_OK || x->is_given_up);
	/* of the next request */
	isx_link_watch(x->serving->links, x->link, HTTP_WATCH_HEAD, NULL);
	*state = NULL;
	bool may_wait = x->res.stream || x->payload.spool.directory;
	if (!may_wait || !isx_pool_put_rest(x->serving->quick, free_exchange, x))
		free_exchange(x);
}
