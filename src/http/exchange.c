/*
 * exchange.c - the life of one request and its answer.
 *
 * By function: isx_exchange_begin() when the request line is there; open_exchange() with the
 * headers: the route is known, and with it whether the body is wanted; take_payload() for each piece
 * of the body; dispatch() at its end: answered at once, or the connection is suspended and the
 * exchange goes to a worker, run_exchange(), which resumes the connection; send_answer();
 * isx_exchange_end(). An exchange belongs to the polling thread of its connection, except from
 * suspending to resuming, when it belongs to the worker.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/exchange.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/access_log.h"
#include "http/router.h"
#include "http/url.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
	PAYLOADS_MAX = 4,   /* bodies of the largest size that may be in memory at once */
	LOOK_NS = 10000000, /* between two looks whether a client is still there */
};

#define HTTP_HEADER_REQUEST_ID "X-Request-ID"
#define STRANGER_BYTES_MAX     (64u * 1024) /* of a body without the key: enough to see its JSON */

/* A request, its answer, and where it stands. */
struct exchange {
	struct http_serving *serving;
	struct MHD_Connection *connection;
	uint64_t start_ns;
	int socket;              /* of the connection, while it is suspended */
	unsigned lane;           /* where it waits */
	atomic_ullong next_look; /* when to see whether the client is still there */
	char *target;            /* the request target as sent */
	char own_id[HTTP_REQUEST_ID_BYTES];
	struct http_req req;
	struct http_res res;
	struct isx_buf payload;
	size_t payload_max;
	size_t held_bytes; /* of the payload, as counted in serving->payload_bytes */
	bool is_arriving;  /* the request is not complete yet */
	bool is_open;      /* the headers were seen */
	bool is_answered;  /* `res` is complete */
	size_t sent_bytes;
};

/* --- the body -------------------------------------------------------------------------------- */

static void drop_payload(struct exchange *x)
{
	atomic_fetch_sub(&x->serving->payload_bytes, x->held_bytes);
	x->held_bytes = 0;
	isx_buf_release(&x->payload);
	x->payload = (struct isx_buf){ 0 };
}

static void refuse_payload(struct exchange *x)
{
	(void)isx_fail(&x->req.cut, ISX_TOO_LARGE,
		       "the body is larger than the %zu bytes this server takes", x->payload_max);
	drop_payload(x);
}

/* Keep a piece of the body as long as all pieces stay below their ceilings. What comes after that
 * is read and dropped: a client that is still sending would not see an answer. */
static void take_payload(struct exchange *x, const char *bytes, size_t len)
{
	struct http_serving *serving = x->serving;
	if (!isx_router_wants_payload(&x->req) || x->req.cut.status)
		return;
	if (len > x->payload_max - x->held_bytes) {
		refuse_payload(x);
		return;
	}
	x->held_bytes += len;
	size_t held = atomic_fetch_add(&serving->payload_bytes, len) + len;
	isx_buf_add(&x->payload, bytes, len);
	if (x->payload.failed || held / PAYLOADS_MAX > serving->body_bytes_max) {
		(void)isx_fail(&x->req.cut, ISX_UNAVAILABLE,
			       "too many large requests at once: try again later");
		drop_payload(x);
	}
}

/* Is the body, by its announced length, so far over its ceiling that it is not worth reading? Then
 * the connection ends with the answer. A body that is only somewhat too large is read. */
static bool is_payload_hopeless(const struct exchange *x)
{
	const char *text = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND,
						       MHD_HTTP_HEADER_CONTENT_LENGTH);
	const char *expect = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_EXPECT);
	uint64_t len;
	if (!text || !isx_span_uint(isx_span_of(text), UINT64_MAX, &len))
		return false;
	return expect ? len > x->payload_max : len / 2 > x->serving->body_bytes_max;
}

/* Does a content type mean JSON: application/json or application/something+json? */
static bool is_json_type(const char *content_type)
{
	struct isx_span type = isx_span_of(content_type);
	const char *params = type.len ? memchr(type.ptr, ';', type.len) : NULL;
	if (params)
		type.len = (size_t)(params - type.ptr);
	type = isx_span_trim(type);
	if (type.len < 12 || strncasecmp(type.ptr, "application/", 12) != 0)
		return false;
	type = isx_span_skip(type, 12);
	return (type.len == 4 && strncasecmp(type.ptr, "json", 4) == 0) ||
	       (type.len >= 5 && strncasecmp(type.ptr + type.len - 5, "+json", 5) == 0);
}

/* --- the answer ------------------------------------------------------------------------------ */

/* The request is complete, or what is missing of it does not count. */
static void end_arrival(struct exchange *x)
{
	if (x->is_arriving)
		atomic_fetch_sub(&x->serving->arriving, 1);
	x->is_arriving = false;
}

/* Fill in the answer; whoever owns the exchange calls this, once. */
static void answer(struct exchange *x)
{
	x->req.payload.text = (struct isx_span){ x->payload.ptr, x->payload.len };
	x->req.payload.is_json = is_json_type(x->req.content_type);
	if (isx_cors_is_preflight(&x->req)) {
		isx_cors_preflight(&x->serving->cors, &x->req, &x->res);
	} else {
		isx_router_run(&x->req, &x->res);
		isx_cors_decorate(&x->serving->cors, &x->req, &x->res);
	}
	drop_payload(x); /* the answer may take its time to be sent */
	isx_arena_release(&x->req.arena);
	x->is_answered = true;
}

/* Answer with a failure of the server itself. */
static void answer_failure(struct exchange *x, enum isx_status status, const struct isx_err *err)
{
	isx_http_fail(&x->res, status, err);
	isx_cors_decorate(&x->serving->cors, &x->req, &x->res);
	drop_payload(x);
	x->is_answered = true;
}

static enum isx_status fail_stopping(struct isx_err *err)
{
	return isx_fail(err, ISX_UNAVAILABLE, "the server stops: try again later");
}

/* May a search go on? Asked by the threads that work for it. While a connection is suspended nobody
 * but us looks at its socket. A client that has closed its side of the connection counts as gone:
 * one that has only ended its sending looks the same. */
static enum isx_status may_go_on(void *asker, struct isx_err *err)
{
	struct exchange *x = asker;
	uint64_t now_ns = isx_clock_ns();
	if (atomic_load_explicit(&x->serving->is_cutting, memory_order_relaxed))
		return fail_stopping(err);
	if (now_ns < atomic_load_explicit(&x->next_look, memory_order_relaxed))
		return ISX_OK;
	atomic_store_explicit(&x->next_look, now_ns + LOOK_NS, memory_order_relaxed);
	struct pollfd look = { .fd = x->socket, .events = POLLRDHUP };
	if (poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)))
		return isx_fail(err, ISX_ABANDONED, "the client has gone");
	return ISX_OK;
}

/* A worker's job. Once resumed, the exchange is the polling thread's again. */
static void run_exchange(void *arg)
{
	struct exchange *x = arg;
	struct isx_err err = { 0 };
	isx_metrics_run(x->serving->counts, x->lane);
	if (atomic_load(&x->serving->is_cutting))
		answer_failure(x, fail_stopping(&err), &err);
	else
		answer(x);
	MHD_resume_connection(x->connection);
}

static void free_bytes(void *bytes)
{
	isx_mem_free(bytes);
}

/* The payload of the answer as a response, which takes it. */
static struct MHD_Response *make_response(struct exchange *x)
{
	static char out_of_memory[] = "{\"detail\":\"out of memory\"}";
	struct http_res *res = &x->res;
	x->sent_bytes = res->file.len;
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

static enum MHD_Result send_answer(struct exchange *x)
{
	struct http_res *res = &x->res;
	struct MHD_Response *response = make_response(x);
	const char *type = res->content_type ? res->content_type : "application/json";
	if (!response)
		return MHD_NO;
	if (*type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	for (size_t i = 0; i < res->header_count; i++)
		MHD_add_response_header(response, res->headers[i].name, res->headers[i].value);
	if (x->req.request_id)
		MHD_add_response_header(response, HTTP_HEADER_REQUEST_ID, x->req.request_id);
	if (atomic_load(&x->serving->is_draining))
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (!res->status)
		res->status = 200;
	enum MHD_Result queued = MHD_queue_response(x->connection, res->status, response);
	MHD_destroy_response(response);
	return queued;
}

/* --- the life of an exchange ----------------------------------------------------------------- */

/* The request line is there. MHD has not decoded anything yet, which is why we start here. */
void *isx_exchange_begin(void *arg, const char *target, struct MHD_Connection *connection)
{
	struct http_serving *serving = arg;
	struct exchange *x = isx_mem_array(1, sizeof *x);
	if (!x)
		return NULL;
	x->serving = serving;
	x->connection = connection;
	x->start_ns = isx_clock_ns();
	x->target = isx_mem_text(target, strlen(target));
	x->req.store = serving->store;
	x->req.metrics = serving->metrics;
	x->req.may_go_on = may_go_on;
	x->req.asker = x;
	isx_metrics_request(serving->counts);
	x->is_arriving = true;
	atomic_fetch_add(&serving->exchanges, 1);
	atomic_fetch_add(&serving->arriving, 1);
	return x;
}

static enum MHD_Result count_lengths(void *arg, enum MHD_ValueKind kind, const char *name,
				     const char *value)
{
	unsigned *count = arg;
	(void)kind, (void)value;
	*count += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	return MHD_YES;
}

/* What is wrong with the head of a request that libmicrohttpd lets pass, or NULL. Two opinions on
 * where a request ends are how requests are smuggled past a proxy. */
static const char *find_flaw(const struct exchange *x, const char *version)
{
	unsigned lengths = 0;
	MHD_get_connection_values(x->connection, MHD_HEADER_KIND, count_lengths, &lengths);
	bool is_chunked = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND,
						      MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
	if (lengths + is_chunked > 1)
		return "expected one Content-Length, or Transfer-Encoding";
	if (strchr(x->target, ' '))
		return "expected no space in the URL";
	if (!x->req.host && strcmp(version, MHD_HTTP_VERSION_1_1) == 0)
		return "expected a Host header";
	return NULL;
}

/* The headers are there. Returns whether the rest of the request is to be read. */
static bool open_exchange(struct exchange *x, const char *method, const char *version)
{
	struct http_req *req = &x->req;
	const struct {
		const char *name;
		const char **value;
	} wanted[] = {
		{ MHD_HTTP_HEADER_HOST, &req->host },
		{ MHD_HTTP_HEADER_ACCEPT, &req->accept },
		{ MHD_HTTP_HEADER_CONTENT_TYPE, &req->content_type },
		{ MHD_HTTP_HEADER_ORIGIN, &req->origin },
		{ "X-API-Key", &req->api_key },
		{ "X-Forwarded-Proto", &req->forwarded_proto },
		{ HTTP_HEADER_REQUEST_ID, &req->request_id },
		{ "Access-Control-Request-Method", &req->preflight_method },
		{ "Access-Control-Request-Headers", &req->preflight_headers },
	};
	struct isx_err err = { 0 };
	x->is_open = true;
	req->method = method;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		*wanted[i].value = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND,
							       wanted[i].name);
	if (!isx_request_id_is_valid(req->request_id)) {
		isx_request_id_make(x->serving->id_seed, atomic_fetch_add(&x->serving->id_count, 1),
				    x->own_id);
		req->request_id = x->own_id;
	}
	if (x->serving->tls.cert && !req->forwarded_proto)
		req->forwarded_proto = "https";
	enum isx_status st = x->target ? ISX_OK : isx_fail_memory(&err);
	if (!st) {
		isx_url_split(isx_span_of(x->target), &req->path, &req->query);
		st = isx_router_find(&x->serving->auth, req, &err);
	}
	const char *flaw = st ? NULL : find_flaw(x, version);
	if (flaw)
		st = isx_fail(&err, ISX_INVALID, "%s", flaw);
	if (st) {
		answer_failure(x, st, &err);
		return false;
	}
	x->payload_max = x->serving->body_bytes_max;
	if (!req->is_allowed && x->payload_max > STRANGER_BYTES_MAX)
		x->payload_max = STRANGER_BYTES_MAX;
	if (!is_payload_hopeless(x))
		return true;
	refuse_payload(x);
	answer(x);
	return false;
}

static struct isx_pool *pool_of(const struct http_serving *serving, enum http_lane lane)
{
	if (lane == HTTP_LANE_WRITE)
		return serving->write;
	return lane == HTTP_LANE_SCAN ? serving->scan : serving->quick;
}

/* The request is complete: answer it, here or elsewhere. */
static enum MHD_Result dispatch(struct exchange *x)
{
	enum http_lane lane = isx_cors_is_preflight(&x->req) ? HTTP_LANE_INLINE
							     : isx_router_lane(&x->req);
	struct isx_pool *pool = pool_of(x->serving, lane);
	struct isx_err err = { 0 };
	if (lane == HTTP_LANE_INLINE) {
		answer(x);
		return send_answer(x);
	}
	x->lane = lane - HTTP_LANE_QUICK;
	x->socket = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
			    ->connect_fd;
	atomic_store(&x->next_look, isx_clock_ns() + LOOK_NS);
	isx_metrics_wait(x->serving->counts, x->lane);
	MHD_suspend_connection(x->connection);
	if (!isx_pool_put(pool, run_exchange, x)) {
		enum isx_status st =
			atomic_load(&x->serving->is_cutting)
				? fail_stopping(&err)
				: isx_fail(&err, ISX_UNAVAILABLE,
					   "too many requests are waiting: try again later");
		isx_metrics_run(x->serving->counts, x->lane);
		answer_failure(x, st, &err);
		MHD_resume_connection(x->connection);
	}
	return MHD_YES;
}

/* MHD calls this with the headers, with each piece of the body, at the end of the request, and once
 * more after the connection was resumed. */
enum MHD_Result isx_exchange_serve(void *arg, struct MHD_Connection *connection, const char *url,
				   const char *method, const char *version, const char *bytes,
				   size_t *len, void **state)
{
	struct exchange *x = *state;
	(void)arg, (void)connection, (void)url;
	if (!x)
		return MHD_NO; /* no memory: the connection is closed */
	atomic_fetch_add(&x->serving->pieces, 1);
	if (!x->is_open) {
		/* An answer before the request is complete ends the connection. */
		return open_exchange(x, method, version) ? MHD_YES : send_answer(x);
	}
	if (*len > 0) {
		take_payload(x, bytes, *len);
		*len = 0;
		return MHD_YES;
	}
	end_arrival(x);
	return x->is_answered ? send_answer(x) : dispatch(x);
}

/* Tell of a request that has ended. */
static void report_exchange(const struct exchange *x, bool is_complete)
{
	const union MHD_ConnectionInfo *client =
		MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct http_access access = {
		.request_id = x->req.request_id,
		.method = x->req.method,
		.path = x->req.path,
		.route = isx_router_template(&x->req),
		.status = x->res.status,
		.sent_bytes = x->sent_bytes,
		.duration_ns = isx_clock_ns() - x->start_ns,
		.is_complete = is_complete,
		.client = client ? client->client_addr : NULL,
	};
	isx_access_log(&access);
	isx_metrics_end(x->serving->counts, isx_router_number(&x->req), access.status,
			access.duration_ns);
}

void isx_exchange_end(void *arg, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *state;
	(void)arg, (void)connection;
	if (!x)
		return;
	struct http_serving *serving = x->serving;
	end_arrival(x);
	report_exchange(x, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	drop_payload(x);
	isx_http_release(&x->req, &x->res);
	isx_mem_free(x->target);
	isx_mem_free(x);
	*state = NULL;
	atomic_fetch_sub(&serving->exchanges, 1);
}
