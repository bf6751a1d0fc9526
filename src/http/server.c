/*
 * server.c - the life of a server: event-loop threads do socket I/O, worker pools run the handlers.
 *
 * The life of a request is in exchange.c; both meet in struct http_serving.
 *
 * Memory is bounded: docs/deployment.md has the sum.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/server.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"
#include "http/exchange.h"
#include "http/link.h"
#include "http/listen.h"
#include "http/readiness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	POLLERS_MAX = 4,        /* polling threads; one moves more bytes than two workers chew */
	QUICK_THREADS = 16,     /* for small requests; behind postgresql:// they wait, too */
	WRITE_THREADS = 64,     /* so many requests share a commit; all but one of them sleep */
	FILES_RESERVED = 64,    /* open files that are not connections: LMDB, logs, epoll */
	STALL_MS = 1000,        /* that requests may stand still while the server stops */
	GIVE_UP_MS = 1000,      /* for workers to notice that the deadline is over */
	WATCH_LEAD_S = 2,       /* a connection that is watched is cut before it times out */
	LAST_WORDS_MS = 200,    /* for the answers of those */
	DRAIN_STEP_NS = 2000000 /* between two looks whether the last request has ended */
};

struct isx_server {
	struct http_serving serving; /* what each exchange needs of its server */
	int listen_fd;               /* ours to close, or -1 */
	uint16_t port;
	struct MHD_Daemon *pollers[POLLERS_MAX]; /* each with its own thread, on one socket */
	int poller_fds[POLLERS_MAX];             /* copies of it, one for each */
	unsigned poller_count;
	atomic_uint quiet_pollers; /* that accept no more */
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
		.answer_bytes_max = (size_t)ISX_ANSWERS_MIB_DEFAULT << 20,
		.connections_max = ISX_CONNECTIONS_DEFAULT,
		.timeout_s = ISX_CLIENT_TIMEOUT_DEFAULT,
	};
}

/* A connection begins or ends, in its polling thread. Where it begins is where a poller is told to accept no more. From another
 * thread MHD_quiesce_daemon() may end the process: both threads take the socket out of the epoll set,
 * and who comes second panics (libmicrohttpd 0.9.75, daemon.c, MHD_epoll()). */
static void notice_connection(void *arg, struct MHD_Connection *connection, void **state,
			      enum MHD_ConnectionNotificationCode code)
{
	struct isx_server *server = arg;
	isx_exchange_link(&server->serving, connection, state, code);
	if (code != MHD_CONNECTION_NOTIFY_STARTED || !atomic_load(&server->serving.is_draining))
		return;
	MHD_quiesce_daemon(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON)->daemon);
	atomic_fetch_add(&server->quiet_pollers, 1);
}

/* Bring a poller to notice_connection() by a connection of our own. False if it does not get there. */
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
			 MHD_USE_ERROR_LOG | (server->serving.tls.cert ? MHD_USE_TLS : 0);
	const struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)server->serving.tls.cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)server->serving.tls.key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)HTTP_TLS_VERSIONS },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_Daemon *poller = MHD_start_daemon(
		flags, 0, NULL, NULL, isx_exchange_serve,
		NULL, /* log first: it counts from there on */
		MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_ARRAY, server->serving.tls.cert ? tls : tls + 3,
		MHD_OPTION_URI_LOG_CALLBACK, isx_exchange_begin, NULL, MHD_OPTION_NOTIFY_COMPLETED,
		isx_exchange_end, NULL, MHD_OPTION_NOTIFY_CONNECTION, notice_connection, server,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT,
		connections, MHD_OPTION_CONNECTION_TIMEOUT, timeout_s + WATCH_LEAD_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_BYTES_MAX,
		MHD_OPTION_END);
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
	sigset_t before;
	isx_thread_block_signals(&before); /* signals are for the thread that waits */
	for (unsigned i = 0; !st && i < count; i++)
		st = start_poller(server, fd, connections, settings->timeout_s, err);
	isx_thread_restore_signals(&before);
	return st;
}

enum isx_status isx_server_start(const struct isx_server_settings *settings,
				 struct isx_server **server, struct isx_err *err)
{
	unsigned threads = settings->threads ? settings->threads : count_processors();
	const struct http_watch_rule rule = { settings->timeout_s, !settings->tls.cert };
	struct isx_server *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->serving.store = settings->store;
	made->serving.tls = settings->tls;
	made->serving.metrics = settings->metrics;
	made->serving.counts = isx_metrics_begin(settings->metrics, settings->process);
	isx_http_payload_purses_init(&made->serving.bodies, settings->body_bytes_max);
	made->serving.answers.bytes_max = settings->answer_bytes_max;
	made->listen_fd = -1;
	if (getrandom(&made->serving.id_seed, sizeof made->serving.id_seed, GRND_NONBLOCK) < 0)
		made->serving.id_seed = isx_clock_ns();
	isx_cors_init(&made->serving.cors, settings->cors_origins);
	enum isx_status st = isx_auth_init(&made->serving.auth, settings->api_secret, err);
	if (!st && settings->listen_fd >= 0)
		made->port = isx_listen_port(settings->listen_fd);
	else if (!st)
		st = isx_listen_open(settings->host, settings->port, &made->listen_fd, &made->port,
				     err);
	if (!st)
		st = isx_readiness_new(settings->store, &made->serving.readiness, err);
	if (!st)
		st = isx_links_new(&rule, &made->serving.links, err);
	if (!st)
		st = isx_pool_new("http-quick", QUICK_THREADS, settings->queue_max,
				  &made->serving.quick, err);
	if (!st)
		st = isx_pool_new("http-scan", threads, settings->queue_max, &made->serving.scan,
				  err);
	if (!st)
		st = isx_pool_new("http-write", WRITE_THREADS, settings->queue_max,
				  &made->serving.write, err);
	if (!st) /* fewer than scan, so that these are never all processors */
		st = isx_pool_new("http-bulk", (threads + 1) / 2, settings->queue_max,
				  &made->serving.bulk, err);
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
	size_t pieces = atomic_load(&server->serving.pieces);
	uint64_t moved_ns = isx_clock_ns();
	for (uint64_t now_ns = moved_ns; now_ns < end_ns; now_ns = isx_clock_ns()) {
		size_t arrived = atomic_load(&server->serving.pieces);
		size_t arriving = atomic_load(&server->serving.arriving);
		size_t exchanges = atomic_load(&server->serving.exchanges);
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
	bool quick = isx_pool_finish_by(server->serving.quick, end_ns);
	bool scan = isx_pool_finish_by(server->serving.scan, end_ns);
	bool bulk = isx_pool_finish_by(server->serving.bulk, end_ns);
	return isx_pool_finish_by(server->serving.write, end_ns) && quick && scan && bulk;
}

bool isx_server_stop(struct isx_server *server, unsigned deadline_ms)
{
	if (!server)
		return true;
	uint64_t end_ns = isx_clock_ns() + (uint64_t)deadline_ms * 1000000u;
	atomic_store(&server->serving.is_draining, true);
	for (unsigned i = 0; i < server->poller_count; i++)
		if (!ask_for_quiet(server,
				   server->pollers[i])) /* it has all the connections it takes */
			MHD_quiesce_daemon(server->pollers[i]);
	if (server->listen_fd >= 0) { /* the copies must not listen either; another's socket may */
		shutdown(server->listen_fd, SHUT_RDWR);
		close(server->listen_fd);
	}
	wait_for_exchanges(server, end_ns);
	atomic_store(&server->serving.is_cutting, true);
	bool has_ended = finish_workers(server);
	wait_for_exchanges(server, isx_clock_ns() + (uint64_t)LAST_WORDS_MS * 1000000u);
	if (!has_ended)
		return false;
	for (unsigned i = 0; i < server->poller_count; i++) {
		MHD_stop_daemon(server->pollers[i]);
		close(server->poller_fds[i]);
	}
	isx_pool_free(server->serving.quick);
	isx_pool_free(server->serving.scan);
	isx_pool_free(server->serving.write);
	isx_pool_free(server->serving.bulk);
	isx_readiness_free(server->serving.readiness);
	isx_links_free(server->serving.links);
	isx_mem_free(server);
	return true;
}
