/*
 * cmd_serve.c - the command `serve`: serves the REST API until SIGTERM or SIGINT.
 *
 * With one worker this process serves; with more, the supervisor of workers.c forks processes that
 * each open the store and serve.
 * Order: settings, log, signal mask, metrics, TLS; then one store per process, as no store survives
 * a fork(). The URL is printed when the socket listens, as clients and scripts wait for it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/uri.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/notify.h"
#include "cli/say.h"
#include "cli/settings.h"
#include "cli/target.h"
#include "cli/workers.h"
#include "http/listen.h"
#include "http/routes.h"
#include "http/server.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Options of the command line override variables. */
static bool apply_options(const struct cli_args *args, struct settings *settings)
{
	const char *host = cli_option_value(args, "--host");
	if (host)
		settings->host = host;
	if (cli_option_value(args, "--tls-cert"))
		settings->tls_cert = cli_option_value(args, "--tls-cert");
	if (cli_option_value(args, "--tls-key"))
		settings->tls_key = cli_option_value(args, "--tls-key");
	if (cli_option_value(args, "--read-only"))
		settings->read_only = true;
	if (cli_option_value(args, "--dev"))
		settings->log_level = ISX_LOG_DEBUG;
	return cli_option_number(args, "--port", 0, 65535, settings->port, &settings->port) &&
	       cli_option_number(args, "--workers", 1, 1024, settings->workers, &settings->workers);
}

/* Each connection is an open file: raise the soft limit to the hard one. */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		isx_log(ISX_LOG_DEBUG, "cannot raise the number of open files");
}

/* Make malloc return the memory of large requests to the system. M_ARENA_MAX: no more heaps than
 * cores (default: 8 per core), because freed pieces stay in the heap of their thread.
 * M_MMAP_THRESHOLD: large pieces are mapped on their own; left alone, malloc raises that size, up
 * to 32 MiB, with each large body that is freed. Measured with 2 cores after loading 100,000 assets
 * in batches: 13 MiB remain; with M_ARENA_MAX alone 24, with neither 81. */
static void limit_heaps(void)
{
	enum { PIECE_BYTES_MAX = 256 * 1024 };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	mallopt(M_ARENA_MAX, cores < 2 ? 2 : (int)cores);
	mallopt(M_MMAP_THRESHOLD, PIECE_BYTES_MAX);
}

/* The parameters of a serving process. */
struct serving {
	const struct settings *settings;
	int listen_fd;    /* shared by all workers; -1: the server opens its own */
	bool announces;   /* without workers, this process prints the URL and notifies systemd */
	sigset_t signals; /* SIGTERM, SIGINT and SIGHUP, blocked in all threads */
	struct http_metrics *metrics;
	struct isx_buf tls_cert; /* terminated PEM; empty: no TLS */
	struct isx_buf tls_key;
};

/* Wait for SIGTERM or SIGINT; SIGHUP reopens the log file. */
static void wait_for_stop(const sigset_t *signals)
{
	int which = SIGHUP;
	while (which == SIGHUP) {
		sigwait(signals, &which);
		if (which == SIGHUP)
			isx_log_reopen();
	}
}

/* For the URL that is printed. */
static const char *scheme_of(const struct serving *serving)
{
	return serving->tls_cert.len ? "https" : "http";
}

/* Serve an open store until a signal. Returns the exit code, or ends the process if a write does
 * not finish in time. */
static int serve(const struct serving *serving, unsigned process, struct isx_store *store)
{
	const struct settings *settings = serving->settings;
	struct isx_server_settings how;
	struct isx_server *server;
	struct isx_err err = { 0 };
	char host[ISX_HOST_BYTES];
	isx_server_settings_init(&how);
	how.store = store;
	how.metrics = serving->metrics;
	how.process = process;
	how.tls = (struct http_tls){ serving->tls_cert.ptr, serving->tls_key.ptr };
	how.name_options = settings_name_variables;
	how.threads = (unsigned)settings->threads;
	how.queue_max = (unsigned)settings->queue_max;
	how.host = settings->host;
	how.port = (uint16_t)settings->port;
	how.listen_fd = serving->listen_fd;
	how.api_secret = settings->api_secret;
	how.cors_origins = settings->cors_origins;
	how.body_bytes_max = (size_t)settings->body_mib << 20;
	how.answer_bytes_max = (size_t)settings->answers_mib << 20;
	how.connections_max = (unsigned)settings->connections_max;
	how.timeout_s = (unsigned)settings->client_timeout_s;
	enum isx_status st = isx_server_start(&how, &server, &err);
	if (st)
		return target_fail(st, &err);
	/* Only now, because clients and scripts wait for this line. */
	if (serving->announces) {
		isx_listen_show(settings->host, host);
		say_line(stdout, "Starting server in production mode at %s://%s:%u",
			 scheme_of(serving), host, isx_server_port(server));
		fflush(stdout);
	}
	if (serving->announces)
		notify_supervisor("READY=1");
	wait_for_stop(&serving->signals);
	if (serving->announces)
		notify_supervisor("STOPPING=1");
	if (!isx_server_stop(server, (unsigned)settings->stop_s * 1000)) {
		isx_log(ISX_LOG_WARNING,
			"requests that did not end in %lu s are given up: none of "
			"them was acknowledged",
			settings->stop_s);
		_exit(CLI_OK); /* a running write is left as by kill -9: complete, or absent */
	}
	return CLI_OK;
}

/* An invalid URI has an exit code of its own: restarting the service does not help. */
static int fail_open(enum isx_status status, struct isx_err *err)
{
	target_fail(isx_err_at(err, status, "ISCC_SEARCH_INDEX_URI"), err);
	return status == ISX_INVALID ? CLI_BAD_URI : CLI_ERROR;
}

/* Open the store to serve. http:// is refused: the server would be a mere proxy. */
static enum isx_status open_served(const struct settings *settings, struct isx_counters *counters,
				   struct isx_store **store, struct isx_err *err)
{
	struct isx_options options;
	char shown[ISX_URI_SHOWN_BYTES];
	settings_to_options(settings, &options);
	options.counters = counters;
	options.read_only = settings->read_only;
	if (strncmp(settings->index_uri, "http", 4) == 0)
		return isx_fail(err, ISX_INVALID,
				"'%s': expected usearch:///DIR, lmdb:///DIR, memory:// or "
				"postgresql://...",
				isx_uri_show(settings->index_uri, shown));
	return isx_open(settings->index_uri, &options, store, err);
}

/* Open the store and serve it. Each process opens its own store: LMDB environments must not be used
 * across fork(). */
static int open_and_serve(void *arg, unsigned process)
{
	const struct serving *serving = arg;
	struct isx_store *store;
	struct isx_err err = { 0 };
	struct isx_counters *counters = isx_metrics_store(serving->metrics, process);
	enum isx_status st = open_served(serving->settings, counters, &store, &err);
	if (st)
		return fail_open(st, &err);
	int code = serve(serving, process, store);
	isx_close(store);
	return code;
}

/* Can the store be opened? Checked before workers are started, which would be restarted for
 * ever. */
static int try_store(const struct settings *settings)
{
	struct isx_store *store;
	struct isx_err err = { 0 };
	/* Each worker would have a store of its own. */
	if (strncmp(settings->index_uri, "memory://", 9) == 0) {
		fprintf(stderr, "Error: memory:// lives in one process: serve usearch:///DIR, or "
				"this with --workers 1\n");
		return CLI_ERROR;
	}
	enum isx_status st = open_served(settings, NULL, &store, &err);
	if (st)
		return fail_open(st, &err);
	isx_close(store);
	return CLI_OK;
}

/* The socket is opened here and shared by all workers, so that the kernel distributes the
 * connections. */
static int serve_with_workers(struct serving *serving)
{
	const struct settings *settings = serving->settings;
	struct isx_err err = { 0 };
	char host[ISX_HOST_BYTES];
	uint16_t port;
	int code = try_store(settings);
	if (code != CLI_OK)
		return code;
	enum isx_status st = isx_listen_open(settings->host, (uint16_t)settings->port,
					     &serving->listen_fd, &port, &err);
	if (st)
		return target_fail(st, &err);
	isx_listen_show(settings->host, host);
	say_line(stdout, "Starting server in production mode at %s://%s:%u with %lu workers",
		 scheme_of(serving), host, port, settings->workers);
	fflush(stdout);
	code = workers_run((unsigned)settings->workers, (unsigned)settings->stop_s * 1000,
			   serving->listen_fd, open_and_serve, serving);
	close(serving->listen_fd);
	return code;
}

/* Read a PEM file; a NUL is appended. */
static enum isx_status read_pem(const char *path, const char *setting, struct isx_buf *text,
				struct isx_err *err)
{
	if (!path || !path[0])
		return isx_fail(err, ISX_INVALID,
				"%s: expected, as TLS wants a certificate and its key", setting);
	enum isx_status st = files_read(path, FILES_ALSO_FIFO, text, err);
	isx_buf_char(text, '\0');
	if (!st)
		st = isx_buf_status(text, err);
	return st ? isx_err_at(err, st, "%s: %s", setting, path) : ISX_OK;
}

/* Read and check certificate and key, if any are set, before workers are started. */
static enum isx_status read_tls(struct serving *serving, struct isx_err *err)
{
	const char *cert = serving->settings->tls_cert, *key = serving->settings->tls_key;
	/* Neither is set: no TLS. One alone is an error of read_pem(). */
	if (!(cert && cert[0]) && !(key && key[0]))
		return ISX_OK;
	enum isx_status st = read_pem(cert, "ISCC_SEARCH_TLS_CERT", &serving->tls_cert, err);
	if (!st)
		st = read_pem(key, "ISCC_SEARCH_TLS_KEY", &serving->tls_key, err);
	if (st)
		return st;
	const struct http_tls tls = { serving->tls_cert.ptr, serving->tls_key.ptr };
	st = isx_tls_check(&tls, err);
	return st ? isx_err_at(err, st, "ISCC_SEARCH_TLS_CERT, ISCC_SEARCH_TLS_KEY") : ISX_OK;
}

/* The metrics are mapped before any fork(), so that all workers share them. */
static int serve_as_set(const struct settings *settings)
{
	struct serving serving = { .settings = settings, .listen_fd = -1 };
	struct isx_err err = { 0 };
	raise_file_limit();
	limit_heaps();
	sigemptyset(&serving.signals);
	sigaddset(&serving.signals, SIGTERM);
	sigaddset(&serving.signals, SIGINT);
	sigaddset(&serving.signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &serving.signals,
		    NULL); /* before any thread starts, so that all inherit the mask */
	/* With workers, the supervisor announces the URL (serve_with_workers()). */
	serving.announces = settings->workers <= 1;
	enum isx_status st = isx_metrics_new(settings->workers ? (unsigned)settings->workers : 1,
					     isx_route_describe, &serving.metrics, &err);
	if (!st)
		st = read_tls(&serving, &err);
	int code = st                  ? target_fail(st, &err)
		   : serving.announces ? open_and_serve(&serving, 0)
				       : serve_with_workers(&serving);
	isx_metrics_free(serving.metrics);
	isx_buf_release(&serving.tls_cert);
	isx_buf_release(&serving.tls_key);
	return code;
}

/* The log file is opened before workers are forked: they share the descriptor. */
static bool open_log(const struct settings *settings)
{
	struct isx_err err = { 0 };
	isx_log_set_level(settings->log_level);
	isx_log_set_format(settings->log_format);
	if (!settings->log_file || !settings->log_file[0])
		return true;
	enum isx_status st = isx_log_open(settings->log_file, &err);
	if (st)
		target_fail(isx_err_at(&err, st, "ISCC_SEARCH_LOG_FILE"), &err);
	return !st;
}

/* Exit status: CLI_USAGE for a wrong option, CLI_BAD_URI for a URI that no restart can mend,
 * CLI_ERROR otherwise. */
static int run_serve(const struct cli_args *args)
{
	struct settings settings;
	struct isx_err err = { 0 };
	enum isx_status st = settings_read(&settings, &err);
	int code = CLI_ERROR;
	/* The server goes on when a client ends its connection, or the reader of its output. */
	signal(SIGPIPE, SIG_IGN);
	if (st) {
		target_fail(st, &err);
	} else if (apply_options(args, &settings)) {
		code = open_log(&settings) ? serve_as_set(&settings) : CLI_ERROR;
	} else {
		code = CLI_USAGE;
	}
	settings_release(&settings);
	return code;
}

static const struct cli_option options[] = {
	{ "--host", 'h', "HOST", "Address to listen on (ISCC_SEARCH_HOST; default: 0.0.0.0)" },
	{ "--port", 'p', "PORT",
	  "Port to listen on, 0: any free one (ISCC_SEARCH_PORT; default: 8000)" },
	{ "--dev", 'd', NULL, "Log at level debug" },
	{ "--workers", 'w', "N",
	  "Processes that share the port (ISCC_SEARCH_WORKERS; default: 1)" },
	{ "--tls-cert", 0, "FILE", "Serve https with this certificate (ISCC_SEARCH_TLS_CERT)" },
	{ "--tls-key", 0, "FILE", "Private key of the certificate (ISCC_SEARCH_TLS_KEY)" },
	{ "--read-only", 0, NULL, "Never write to the store (ISCC_SEARCH_READ_ONLY)" },
};

const struct cli_command command_serve = {
	.name = "serve",
	.summary = "Serve the REST API",
	.text = "ISCC_SEARCH_INDEX_URI, in the environment or in .env, names the store:\n"
		"  usearch:///DIR     similarity search, one file per index (default: the data "
		"folder)\n"
		"  lmdb:///DIR        prefix search of units, in files that 0.3.3 can open\n"
		"  memory://          similarity search, lost when the server stops\n"
		"  postgresql://...   similarity search for many hosts (docs/postgres.md)\n\n"
		"Further variables, described in iscc-search(1), all with the prefix "
		"ISCC_SEARCH_:\n"
		"  API_SECRET (the key that clients send as X-API-Key), CORS_ORIGINS, "
		"BODY_LIMIT_MIB,\n"
		"  ANSWERS_MIB, CONNECTIONS, CLIENT_TIMEOUT, THREADS, QUEUE_LIMIT, STOP_TIMEOUT,\n"
		"  LOG_LEVEL, LOG_FORMAT (text or json), LOG_FILE, MATCH_THRESHOLD_UNITS,\n"
		"  MATCH_THRESHOLD_SIMPRINTS, CONFIDENCE_EXPONENT, DURABILITY, MAP_GIB, KERNEL;\n"
		"  for postgresql:// POSTGRES_SCHEMA, POSTGRES_FOLLOWER_DIR, POSTGRES_SEARCH,\n"
		"  POSTGRES_READ_URI, POSTGRES_CONNECTIONS, POSTGRES_TIMEOUT and "
		"POSTGRES_PATIENCE.\n\n"
		"Examples:\n"
		"  iscc-search serve --port 9000\n"
		"  ISCC_SEARCH_INDEX_URI=usearch:///srv/iscc iscc-search serve --workers 4\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_serve,
};
