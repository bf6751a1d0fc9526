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
	POLLERS_MAX =
		4, /* event-loop threads; one serves more bytes than two workers can process */
	QUICK_THREADS = 16, /* for small requests; with postgresql:// these wait for the database */
	SCAN_THREADS =
		64, /* so many searches can share a pass; no more of them scan than processors are */
	WRITE_THREADS =
		64, /* so many requests can share a commit; all but one of the threads sleep */
	FILES_RESERVED = 64, /* open files other than connections: LMDB, logs, epoll */
	STALL_MS = 1000,     /* a stop waits so long for clients that send nothing */
	GIVE_UP_MS = 1000,   /* time for workers to notice that the deadline is over */
	WATCH_LEAD_S = 2, /* the timeout of libmicrohttpd is so much later than that of watch.c */
	FINAL_FLUSH_MS = 200,   /* time to send the answers of cancelled requests */
	DRAIN_STEP_NS = 2000000 /* 2 ms between two checks whether the last request has ended */
};

struct isx_server {
	struct http_serving serving; /* shared with the exchanges */
	int listen_fd;               /* owned; -1: the socket is borrowed */
	uint16_t port;
	struct MHD_Daemon
		*pollers[POLLERS_MAX]; /* event loops, each with one thread, all on one socket */
	int poller_fds[POLLERS_MAX];   /* duplicates of the socket, one per poller */
	unsigned poller_count;
	atomic_uint quiet_pollers; /* pollers that have stopped accepting */
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

/* A connection begins or ends, in its event-loop thread. While the server drains, this is also
 * where a poller stops accepting. Called from another thread, MHD_quiesce_daemon() may end the
 * process: both threads remove the socket from the epoll set, and the second one panics
 * (libmicrohttpd 0.9.75, daemon.c, MHD_epoll()). */
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

/* Make a poller call notice_connection() by adding one end of a socket pair as a connection. False
 * if the poller cannot take it in STALL_MS, for example because it has all the connections it may
 * have. */
static bool ask_for_quiet(struct isx_server *server, struct MHD_Daemon *poller)
{
	const struct timespec step = { .tv_nsec = DRAIN_STEP_NS };
	const struct sockaddr no_address = { .sa_family = AF_UNIX };
	uint64_t end_ns = isx_clock_after_ms(STALL_MS);
	unsigned before = atomic_load(&server->quiet_pollers);
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	bool is_quiet = false;
	if (MHD_add_connection(poller, ends[0], &no_address, sizeof no_address) == MHD_YES)
		while (!is_quiet && isx_clock_ns() < end_ns) {
			nanosleep(&step, NULL);
			is_quiet = atomic_load(&server->quiet_pollers) != before;
		}
	close(ends[1]);
	return is_quiet;
}

/* MHD_OPTION_UNESCAPE_CALLBACK that decodes nothing: url.c does it. */
static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg, (void)connection;
	return strlen(text);
}

/* Messages of libmicrohttpd are about single connections, so they have level debug. */
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

/* `wanted` connections, or as many as the process may open files. */
static unsigned count_connections(unsigned wanted)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return wanted;
	rlim_t files = limit.rlim_cur > 2 * FILES_RESERVED ? limit.rlim_cur - FILES_RESERVED
							   : FILES_RESERVED;
	return files < wanted ? (unsigned)files : wanted;
}

/* Start one event-loop thread on a duplicate of the socket, which isx_server_stop() closes. */
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
		NULL, /* the logger comes first: it applies to options behind it */
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

/* One event-loop thread per 8 processors, at most POLLERS_MAX; connections are divided among
 * them. */
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
	isx_thread_block_signals(
		&before); /* the main thread waits for signals; no other may take them */
	for (unsigned i = 0; !st && i < count; i++)
		st = start_poller(server, fd, connections, settings->timeout_s, err);
	isx_thread_restore_signals(&before);
	return st;
}

/* A failure may leave any part missing: isx_server_stop() accepts that. */
enum isx_status isx_server_start(const struct isx_server_settings *settings,
				 struct isx_server **server, struct isx_err *err)
{
	unsigned threads = settings->threads ? settings->threads : count_processors();
	const struct http_watch_rule rule = { settings->timeout_s, !settings->tls.cert };
	struct isx_server *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->serving.store = settings->store;
	made->serving.name_options = settings->name_options;
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
		st = isx_readiness_new(settings->store, settings->name_options,
				       &made->serving.readiness, err);
	if (!st)
		st = isx_links_new(&rule, &made->serving.links, err);
	if (!st)
		st = isx_pool_new("http-quick", QUICK_THREADS, settings->queue_max,
				  &made->serving.quick, err);
	if (!st)
		st = isx_pool_new("http-scan", SCAN_THREADS, settings->queue_max,
				  &made->serving.scan, err);
	if (!st)
		st = isx_pool_new("http-write", WRITE_THREADS, settings->queue_max,
				  &made->serving.write, err);
	if (!st) /* for half of the processors: what follows their scans must not occupy all */
		st = isx_pool_new("http-bulk", (threads + 1) / 2, settings->queue_max,
				  &made->serving.bulk, err);
	if (!st)
		st = isx_pool_new("http-join", ISX_HTTP_JOINS_MAX, ISX_HTTP_JOINS_MAX,
				  &made->serving.joins, err);
	if (!st)
		st = start_pollers(made, settings, err);
	if (st)
		(void)!isx_server_stop(made, 0); /* no worker has a job yet, so it succeeds */
	else
		*server = made;
	return st;
}

uint16_t isx_server_port(const struct isx_server *server)
{
	return server->port;
}

/* Wait until no request is in progress, at most until `end_ns`. If only incomplete requests are
 * left and no piece of any arrives for STALL_MS, stop waiting: their clients may be gone. */
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
		    (exchanges <= arriving && now_ns - moved_ns > isx_ms_to_ns(STALL_MS)))
			return;
		nanosleep(&step, NULL);
	}
}

/* End the workers. MHD_stop_daemon() must not find a suspended connection. False if one is still
 * busy after GIVE_UP_MS. */
static bool finish_workers(struct isx_server *server)
{
	uint64_t end_ns = isx_clock_after_ms(GIVE_UP_MS);
	bool quick = isx_pool_finish_by(server->serving.quick, end_ns);
	bool scan = isx_pool_finish_by(server->serving.scan, end_ns);
	bool bulk = isx_pool_finish_by(server->serving.bulk, end_ns);
	bool joins = isx_pool_finish_by(server->serving.joins, end_ns);
	return isx_pool_finish_by(server->serving.write, end_ns) && quick && scan && bulk && joins;
}

/* Order: stop accepting; wait for requests; cancel the rest and answer 503; flush these answers;
 * stop the event loops. If a worker does not end, everything it may use has to stay: nothing is
 * freed. */
bool isx_server_stop(struct isx_server *server, unsigned deadline_ms)
{
	if (!server)
		return true;
	uint64_t end_ns = isx_clock_after_ms(deadline_ms);
	atomic_store(&server->serving.is_draining, true);
	for (unsigned i = 0; i < server->poller_count; i++)
		if (!ask_for_quiet(
			    server,
			    server->pollers[i])) /* a poller that accepts nothing cannot panic */
			MHD_quiesce_daemon(server->pollers[i]);
	if (server->listen_fd >=
	    0) { /* shutdown() ends the duplicates, too; a borrowed socket stays open */
		shutdown(server->listen_fd, SHUT_RDWR);
		close(server->listen_fd);
	}
	wait_for_exchanges(server, end_ns);
	atomic_store(&server->serving.is_cutting, true);
	bool has_ended = finish_workers(server);
	wait_for_exchanges(server, isx_clock_after_ms(FINAL_FLUSH_MS));
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
	isx_pool_free(server->serving.joins);
	isx_readiness_free(server->serving.readiness);
	isx_links_free(server->serving.links);
	isx_mem_free(server);
	return true;
}
