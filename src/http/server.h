/*
 * server.h - the HTTP server: connections, request bodies, worker threads.
 *
 * Reads no environment and sets no signal handler; whoever starts it decides when it ends.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SERVER_H
#define ISX_SERVER_H

#include "base/status.h"
#include "http/metrics.h"
#include "http/tls.h"

/* How a server runs. Fill with isx_server_settings_init() first; `store` and `metrics` have no
 * default. Texts are borrowed until isx_server_stop(). */
struct isx_server_settings {
	struct isx_store *store; /* borrowed */
	const char *host;        /* default "0.0.0.0" */
	uint16_t port;           /* default 8000; 0: any free port */
	int listen_fd;           /* default -1; otherwise a socket to listen on instead, borrowed */
	struct http_metrics *metrics; /* borrowed; shared by the processes that serve together */
	unsigned process;             /* which of them this is, 0 and up */
	struct http_tls tls;          /* default: none, HTTP as it is */
	const char *api_secret;       /* default NULL: no key is needed; empty: no key is right */
	const char *cors_origins;     /* default "*"; or a list with commas */
	size_t body_bytes_max;        /* of one request; default ISX_BODY_MIB_DEFAULT MiB */
	size_t answer_bytes_max;      /* of all answers that are made or wait to be sent; default
					 ISX_ANSWERS_MIB_DEFAULT MiB */
	unsigned threads;             /* that scan; default 0: one for each processor */
	unsigned queue_max;           /* requests that wait for such a thread; default 4096 */
	unsigned connections_max; /* default 16384, less where the process may open fewer files */
	unsigned timeout_s;       /* in which a client has to move something; default 30 */
};

struct isx_server;

/* Set every setting to its default. */
void isx_server_settings_init(struct isx_server_settings *settings);

/* Start to serve; returns at once.
 *   server  new, end with isx_server_stop() */
ISX_MUST_CHECK enum isx_status isx_server_start(const struct isx_server_settings *settings,
						struct isx_server **server, struct isx_err *err);

/* The port it listens on. */
uint16_t isx_server_port(const struct isx_server *server);

/* Accept no more connections, let requests that have begun end, and free the server. After
 * `deadline_ms` connections that still send or receive are cut, searches are given up, and what waits
 * for a worker is answered 503. False: a worker is busy all the same, with a write that the disk or
 * another process's lock holds up; then it has all that is the server's, and the process has to end
 * as it is. NULL is allowed. */
ISX_MUST_CHECK bool isx_server_stop(struct isx_server *server, unsigned deadline_ms);

#endif
