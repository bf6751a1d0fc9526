/*
 * server.c - one polling thread (or a few) that moves bytes, and workers that think.
 *
 * Life of a request, by function: begin_exchange() when the request line is there; open_exchange()
 * with the headers: the route is known, and with it whether the body is wanted; take_payload() for
 * each piece of the body; dispatch() at its end: answered at once, or the connection is suspended
 * and the exchange goes to a worker, run_exchange(), which resumes the connection;
 * send_answer(); end_exchange(). An exchange belongs to the polling thread of its connection,
 * except from suspending to resuming, when it belongs to the worker.
 *
 * Memory is bounded by: connections_max x CONNECTION_BYTES_MAX, and PAYLOADS_MAX times the ceiling
 * of one body for all bodies together.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/server.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pool.h"
#include "http/access_log.h"
#include "http/auth.h"
#include "http/cors.h"
#include "http/listen.h"
#include "http/router.h"
#include "http/url.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	POLLERS_MAX = 4,        /* polling threads; one moves more bytes than two workers chew */
	QUICK_THREADS = 16,     /* for small requests; behind postgresql:// they wait, too */
	WRITE_THREADS = 64,     /* so many requests share a commit; all but one of them sleep */
	PAYLOADS_MAX = 4,       /* bodies of the largest size that may be in memory at once */
	FILES_RESERVED = 64,    /* open files that are not connections: LMDB, logs, epoll */
	LOOK_NS = 10000000,     /* between two looks whether a client is still there */
	STALL_MS = 1000,        /* that requests may stand still while the server stops */
	GIVE_UP_MS = 1000,      /* for workers to notice that the deadline is over */
	LAST_WORDS_MS = 200,    /* for the answers of those */
	DRAIN_STEP_NS = 2000000 /* between two looks whether the last request has ended */
};

#define HTTP_HEADER_REQUEST_ID "X-Request-ID"
#define CONNECTION_BYTES_MAX   (64u * 1024) /* request line and headers, and a piece of the body */
#define STRANGER_BYTES_MAX     (64u * 1024) /* of a body without the key: enough to see its JSON */

struct isx_server {
	struct isx_store *store;
	struct isx_auth auth;
	struct isx_cors cors;
	struct http_metrics *metrics;
	struct http_counts *counts; /* of this process */
	struct http_tls tls;
	size_t body_bytes_max;
	int listen_fd; /* ours to close, or -1 */
	uint16_t port;
	uint64_t id_seed;       /* of the names we give to requests */
	atomic_ullong id_count; /* of those given */
	struct isx_pool *quick;
	struct isx_pool *scan;
	struct isx_pool *write;
	struct MHD_Daemon *pollers[POLLERS_MAX]; /* each with its own thread, on one socket */
	int poller_fds[POLLERS_MAX];             /* copies of it, one for each */
	unsigned poller_count;
	atomic_uint quiet_pollers;   /* that accept no more */
	atomic_size_t exchanges;     /* requests that have begun and not ended */
	atomic_size_t arriving;      /* those of them that are not complete yet */
	atomic_size_t pieces;        /* of requests that have arrived, ever */
	atomic_size_t payload_bytes; /* of all bodies in memory */
	atomic_bool is_draining;
	atomic_bool is_cutting; /* the time to finish is over */
};

/* A request, its answer, and where it stands. */
struct exchange {
	struct isx_server *server;
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
	size_t held_bytes; /* of the payload, as counted in server->payload_bytes */
	bool is_arriving;  /* the request is not complete yet */
	bool is_open;      /* the headers were seen */
	bool is_answered;  /* `res` is complete */
	size_t sent_bytes;
};

void isx_server_settings_init(struct isx_server_settings *settings)
{
	*settings = (struct isx_server_settings){
		.host = "0.0.0.0",
		.port = 8000,
		.listen_fd = -1,
		.cors_origins = "*",
		.body_bytes_max = (size_t)ISX_BODY_MIB_DEFAULT << 20,
		.queue_max = ISX_QUEUE_DEFAULT,
		.connections_max = 16384,
		.timeout_s = 30,
	};
}

/* --- the body -------------------------------------------------------------------------------- */

static void drop_payload(struct exchange *x)
{
	atomic_fetch_sub(&x->server->payload_bytes, x->held_bytes);
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
	struct isx_server *server = x->server;
	if (!isx_router_wants_payload(&x->req) || x->req.cut.status)
		return;
	if (len > x->payload_max - x->held_bytes) {
		refuse_payload(x);
		return;
	}
	x->held_bytes += len;
	size_t held = atomic_fetch_add(&server->payload_bytes, len) + len;
	isx_buf_add(&x->payload, bytes, len);
	if (x->payload.failed || held / PAYLOADS_MAX > server->body_bytes_max) {
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
	return expect ? len > x->payload_max : len / 2 > x->server->body_bytes_max;
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
		atomic_fetch_sub(&x->server->arriving, 1);
	x->is_arriving = false;
}

/* Fill in the answer; whoever owns the exchange calls this, once. */
static void answer(struct exchange *x)
{
	x->req.payload.text = (struct isx_span){ x->payload.ptr, x->payload.len };
	x->req.payload.is_json = is_json_type(x->req.content_type);
	if (isx_cors_is_preflight(&x->req)) {
		isx_cors_preflight(&x->server->cors, &x->req, &x->res);
	} else {
		isx_router_run(&x->req, &x->res);
		isx_cors_decorate(&x->server->cors, &x->req, &x->res);
	}
	drop_payload(x); /* the answer may take its time to be sent */
	isx_arena_release(&x->req.arena);
	x->is_answered = true;
}

/* Answer with a failure of the server itself. */
static void answer_failure(struct exchange *x, enum isx_status status, const struct isx_err *err)
{
	isx_http_fail(&x->res, status, err);
	isx_cors_decorate(&x->server->cors, &x->req, &x->res);
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
	if (atomic_load_explicit(&x->server->is_cutting, memory_order_relaxed))
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
	isx_metrics_run(x->server->counts, x->lane);
	if (atomic_load(&x->server->is_cutting))
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
	if (atomic_load(&x->server->is_draining))
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (!res->status)
		res->status = 200;
	enum MHD_Result queued = MHD_queue_response(x->connection, res->status, response);
	MHD_destroy_response(response);
	return queued;
}

/* --- the life of an exchange ----------------------------------------------------------------- */

/* The request line is there. MHD has not decoded anything yet, which is why we start here. */
static void *begin_exchange(void *arg, const char *target, struct MHD_Connection *connection)
{
	struct isx_server *server = arg;
	struct exchange *x = isx_mem_array(1, sizeof *x);
	if (!x)
		return NULL;
	x->server = server;
	x->connection = connection;
	x->start_ns = isx_clock_ns();
	x->target = isx_mem_text(target, strlen(target));
	x->req.store = server->store;
	x->req.metrics = server->metrics;
	x->req.may_go_on = may_go_on;
	x->req.asker = x;
	isx_metrics_request(server->counts);
	x->is_arriving = true;
	atomic_fetch_add(&server->exchanges, 1);
	atomic_fetch_add(&server->arriving, 1);
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
		isx_request_id_make(x->server->id_seed, atomic_fetch_add(&x->server->id_count, 1),
				    x->own_id);
		req->request_id = x->own_id;
	}
	if (x->server->tls.cert && !req->forwarded_proto)
		req->forwarded_proto = "https";
	enum isx_status st = x->target ? ISX_OK : isx_fail_memory(&err);
	if (!st) {
		isx_url_split(isx_span_of(x->target), &req->path, &req->query);
		st = isx_router_find(&x->server->auth, req, &err);
	}
	const char *flaw = st ? NULL : find_flaw(x, version);
	if (flaw)
		st = isx_fail(&err, ISX_INVALID, "%s", flaw);
	if (st) {
		answer_failure(x, st, &err);
		return false;
	}
	x->payload_max = x->server->body_bytes_max;
	if (!req->is_allowed && x->payload_max > STRANGER_BYTES_MAX)
		x->payload_max = STRANGER_BYTES_MAX;
	if (!is_payload_hopeless(x))
		return true;
	refuse_payload(x);
	answer(x);
	return false;
}

static struct isx_pool *pool_of(const struct isx_server *server, enum http_lane lane)
{
	if (lane == HTTP_LANE_WRITE)
		return server->write;
	return lane == HTTP_LANE_SCAN ? server->scan : server->quick;
}

/* The request is complete: answer it, here or elsewhere. */
static enum MHD_Result dispatch(struct exchange *x)
{
	enum http_lane lane = isx_cors_is_preflight(&x->req) ? HTTP_LANE_INLINE
							     : isx_router_lane(&x->req);
	struct isx_pool *pool = pool_of(x->server, lane);
	struct isx_err err = { 0 };
	if (lane == HTTP_LANE_INLINE) {
		answer(x);
		return send_answer(x);
	}
	x->lane = lane - HTTP_LANE_QUICK;
	x->socket = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
			    ->connect_fd;
	atomic_store(&x->next_look, isx_clock_ns() + LOOK_NS);
	isx_metrics_wait(x->server->counts, x->lane);
	MHD_suspend_connection(x->connection);
	if (!isx_pool_put(pool, run_exchange, x)) {
		enum isx_status st =
			atomic_load(&x->server->is_cutting)
				? fail_stopping(&err)
				: isx_fail(&err, ISX_UNAVAILABLE,
					   "too many requests are waiting: try again later");
		isx_metrics_run(x->server->counts, x->lane);
		answer_failure(x, st, &err);
		MHD_resume_connection(x->connection);
	}
	return MHD_YES;
}

/* MHD calls this with the headers, with each piece of the body, at the end of the request, and once
 * more after the connection was resumed. */
static enum MHD_Result serve_exchange(void *arg, struct MHD_Connection *connection, const char *url,
				      const char *method, const char *version, const char *bytes,
				      size_t *len, void **state)
{
	struct exchange *x = *state;
	(void)arg, (void)connection, (void)url;
	if (!x)
		return MHD_NO; /* no memory: the connection is closed */
	atomic_fetch_add(&x->server->pieces, 1);
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
	isx_metrics_end(x->server->counts, isx_router_number(&x->req), access.status,
			access.duration_ns);
}

static void end_exchange(void *arg, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *state;
	(void)arg, (void)connection;
	if (!x)
		return;
	struct isx_server *server = x->server;
	end_arrival(x);
	report_exchange(x, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	drop_payload(x);
	isx_http_release(&x->req, &x->res);
	isx_mem_free(x->target);
	isx_mem_free(x);
	*state = NULL;
	atomic_fetch_sub(&server->exchanges, 1);
}

/* --- the life of a server -------------------------------------------------------------------- */

/* A connection begins, in its polling thread: where a poller is told to accept no more. From another
 * thread MHD_quiesce_daemon() may end the process: both threads take the socket out of the epoll set,
 * and who comes second panics (libmicrohttpd 0.9.75, daemon.c, MHD_epoll()). */
static void begin_connection(void *arg, struct MHD_Connection *connection, void **state,
			     enum MHD_ConnectionNotificationCode code)
{
	struct isx_server *server = arg;
	(void)state;
	if (code != MHD_CONNECTION_NOTIFY_STARTED || !atomic_load(&server->is_draining))
		return;
	MHD_quiesce_daemon(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON)->daemon);
	atomic_fetch_add(&server->quiet_pollers, 1);
}

/* Bring a poller to begin_connection() by a connection of our own. False if it does not get there. */
static bool ask_for_quiet(struct isx_server *server, struct MHD_Daemon *poller)
{
	const struct timespec step = { .tv_nsec = DRAIN_STEP_NS };
	const struct sockaddr nobody = { .sa_family = AF_UNIX };
	uint64_t end_ns = isx_clock_ns() + (uint64_t)STALL_MS * 1000000u;
	unsigned before = atomic_load(&server->quiet_pollers);
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	bool is_quiet = false;
	if (MHD_add_connection(poller, ends[0], &nobody, sizeof nobody) == MHD_YES)
		while (!is_quiet && isx_clock_ns() < end_ns) {
			nanosleep(&step, NULL);
			is_quiet = atomic_load(&server->quiet_pollers) != before;
		}
	close(ends[1]);
	return is_quiet;
}

/* Keep percent signs where they are: url.c decodes. */
static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg, (void)connection;
	return strlen(text);
}

/* What libmicrohttpd has to say is about single connections, so it is for debugging only. */
static void log_library(void *arg, const char *format, va_list args)
{
	char text[256];
	(void)arg;
	int len = vsnprintf(text, sizeof text, format, args);
	while (len > 0 && (size_t)len < sizeof text && text[len - 1] == '\n')
		text[--len] = '\0';
	isx_log(ISX_LOG_DEBUG, "libmicrohttpd: %s", text);
}

static unsigned count_processors(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	return count < 1 ? 1 : count > 1024 ? 1024 : (unsigned)count;
}

/* As many connections as wished, or as the process may have open files. */
static unsigned count_connections(unsigned wished)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return wished;
	rlim_t files = limit.rlim_cur > 2 * FILES_RESERVED ? limit.rlim_cur - FILES_RESERVED
							   : FILES_RESERVED;
	return files < wished ? (unsigned)files : wished;
}

/* Start one polling thread on a copy of the socket. */
static enum isx_status start_poller(struct isx_server *server, int listen_fd, unsigned connections,
				    unsigned timeout_s, struct isx_err *err)
{
	int fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return isx_fail(err, ISX_IO, "cannot share the socket: %s", strerror(errno));
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			 MHD_USE_ERROR_LOG | (server->tls.cert ? MHD_USE_TLS : 0);
	const struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)server->tls.cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)server->tls.key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)HTTP_TLS_VERSIONS },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_Daemon *poller = MHD_start_daemon(
		flags, 0, NULL, NULL, serve_exchange, NULL, /* log first: it counts from there on */
		MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_ARRAY, server->tls.cert ? tls : tls + 3, MHD_OPTION_URI_LOG_CALLBACK,
		begin_exchange, server, MHD_OPTION_NOTIFY_COMPLETED, end_exchange, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, begin_connection, server,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT,
		connections, MHD_OPTION_CONNECTION_TIMEOUT, timeout_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MAX, MHD_OPTION_END);
	if (!poller) {
		close(fd);
		return isx_fail(err, ISX_IO, "cannot start the HTTP server");
	}
	server->poller_fds[server->poller_count] = fd;
	server->pollers[server->poller_count++] = poller;
	return ISX_OK;
}

static enum isx_status start_pollers(struct isx_server *server,
				     const struct isx_server_settings *settings,
				     struct isx_err *err)
{
	int fd = settings->listen_fd >= 0 ? settings->listen_fd : server->listen_fd;
	unsigned count = 1 + count_processors() / 8;
	if (count > POLLERS_MAX)
		count = POLLERS_MAX;
	unsigned connections = count_connections(settings->connections_max) / count;
	enum isx_status st = ISX_OK;
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the thread that waits */
	for (unsigned i = 0; !st && i < count; i++)
		st = start_poller(server, fd, connections, settings->timeout_s, err);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return st;
}

enum isx_status isx_server_start(const struct isx_server_settings *settings,
				 struct isx_server **server, struct isx_err *err)
{
	unsigned threads = settings->threads ? settings->threads : count_processors();
	struct isx_server *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->store = settings->store;
	made->tls = settings->tls;
	made->metrics = settings->metrics;
	made->counts = isx_metrics_begin(settings->metrics, settings->process);
	made->body_bytes_max = settings->body_bytes_max;
	made->listen_fd = -1;
	if (getrandom(&made->id_seed, sizeof made->id_seed, GRND_NONBLOCK) < 0)
		made->id_seed = isx_clock_ns();
	isx_cors_init(&made->cors, settings->cors_origins);
	enum isx_status st = isx_auth_init(&made->auth, settings->api_secret, err);
	if (!st && settings->listen_fd >= 0)
		made->port = isx_listen_port(settings->listen_fd);
	else if (!st)
		st = isx_listen_open(settings->host, settings->port, &made->listen_fd, &made->port,
				     err);
	if (!st)
		st = isx_pool_new("http-quick", QUICK_THREADS, settings->queue_max, &made->quick,
				  err);
	if (!st)
		st = isx_pool_new("http-scan", threads, settings->queue_max, &made->scan, err);
	if (!st)
		st = isx_pool_new("http-write", WRITE_THREADS, settings->queue_max, &made->write,
				  err);
	if (!st)
		st = start_pollers(made, settings, err);
	if (st)
		(void)!isx_server_stop(made, 0); /* nobody works for it yet */
	else
		*server = made;
	return st;
}

uint16_t isx_server_port(const struct isx_server *server)
{
	return server->port;
}

/* Wait until no request is under way, at most until `end_ns`. Clients that have stopped in the
 * middle of a request, or are gone without our knowing, are not waited for as long as that. */
static void wait_for_exchanges(struct isx_server *server, uint64_t end_ns)
{
	const struct timespec step = { .tv_nsec = DRAIN_STEP_NS };
	size_t pieces = atomic_load(&server->pieces);
	uint64_t moved_ns = isx_clock_ns();
	for (uint64_t now_ns = moved_ns; now_ns < end_ns; now_ns = isx_clock_ns()) {
		size_t arrived = atomic_load(&server->pieces);
		size_t arriving = atomic_load(&server->arriving);
		size_t exchanges = atomic_load(&server->exchanges);
		if (arrived != pieces)
			moved_ns = now_ns;
		pieces = arrived;
		if (exchanges == 0 ||
		    (exchanges <= arriving && now_ns - moved_ns > (uint64_t)STALL_MS * 1000000u))
			return;
		nanosleep(&step, NULL);
	}
}

/* End the workers: no connection may be suspended when its poller stops. */
static bool finish_workers(struct isx_server *server)
{
	uint64_t end_ns = isx_clock_ns() + (uint64_t)GIVE_UP_MS * 1000000u;
	bool quick = isx_pool_finish_by(server->quick, end_ns);
	bool scan = isx_pool_finish_by(server->scan, end_ns);
	return isx_pool_finish_by(server->write, end_ns) && quick && scan;
}

bool isx_server_stop(struct isx_server *server, unsigned deadline_ms)
{
	if (!server)
		return true;
	uint64_t end_ns = isx_clock_ns() + (uint64_t)deadline_ms * 1000000u;
	atomic_store(&server->is_draining, true);
	for (unsigned i = 0; i < server->poller_count; i++)
		if (!ask_for_quiet(server,
				   server->pollers[i])) /* it has all the connections it takes */
			MHD_quiesce_daemon(server->pollers[i]);
	if (server->listen_fd >= 0) { /* the copies must not listen either; another's socket may */
		shutdown(server->listen_fd, SHUT_RDWR);
		close(server->listen_fd);
	}
	wait_for_exchanges(server, end_ns);
	atomic_store(&server->is_cutting, true);
	bool has_ended = finish_workers(server);
	wait_for_exchanges(server, isx_clock_ns() + (uint64_t)LAST_WORDS_MS * 1000000u);
	if (!has_ended)
		return false;
	for (unsigned i = 0; i < server->poller_count; i++) {
		MHD_stop_daemon(server->pollers[i]);
		close(server->poller_fds[i]);
	}
	isx_pool_free(server->quick);
	isx_pool_free(server->scan);
	isx_pool_free(server->write);
	isx_mem_free(server);
	return true;
}
