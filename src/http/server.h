/*
 * server.h - starts and stops the HTTP server.
 *
 * Reads no environment variable and sets no signal handler: the caller decides when the server
 * stops.
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
	unsigned process;             /* number of this process among them, from 0 */
	struct http_tls tls;          /* default: none, plain HTTP */
	const char *api_secret;       /* default NULL: no key is needed; empty: no key is right */
	const char *cors_origins;     /* default "*"; or a list with commas */
	size_t body_bytes_max;        /* of one request; default ISX_BODY_MIB_DEFAULT MiB */
	size_t answer_bytes_max;      /* of all answers being composed or sent; default
					 ISX_ANSWERS_MIB_DEFAULT MiB */
	/* Called with an error of the store before its message is logged or sent: an operator may set
	 * options of the library under other names. Default NULL */
	void (*name_options)(struct isx_err *err);
	unsigned threads;         /* that scan at once; default 0: one per processor */
	unsigned queue_max;       /* requests in the queue of each pool; default 4096 */
	unsigned connections_max; /* default 16384, less where the process may open fewer files */
	unsigned timeout_s; /* in which a client has to transfer ISX_CLIENT_BYTES_MIN; default 30 */
};

struct isx_server;

/* Set every setting to its default. */
void isx_server_settings_init(struct isx_server_settings *settings);

/* Start serving; returns at once.
 *   server  new, end with isx_server_stop() */
ISX_MUST_CHECK enum isx_status isx_server_start(const struct isx_server_settings *settings,
						struct isx_server **server, struct isx_err *err);

/* The port that the server listens on. */
uint16_t isx_server_port(const struct isx_server *server);

/* Accept no more connections, finish the running requests, and free the server. After
 * `deadline_ms` connections that still send or receive are closed, searches are cancelled,
 * and queued requests get a 503. Returns false if a worker is still busy with a write that
 * waits for the disk or for the lock of another process: then nothing is freed, and the
 * process has to exit. NULL is allowed. */
ISX_MUST_CHECK bool isx_server_stop(struct isx_server *server, unsigned deadline_ms);

#endif
