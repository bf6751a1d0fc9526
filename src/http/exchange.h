/*
 * exchange.h - the life of one request and its answer, as libmicrohttpd calls it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_EXCHANGE_H
#define ISX_HTTP_EXCHANGE_H

#include "base/pool.h"
#include "base/span.h"
#include "http/auth.h"
#include "http/cors.h"
#include "http/metrics.h"
#include "http/payload.h"
#include "http/tls.h"

#include <microhttpd.h>
#include <stdatomic.h>

#define HTTP_CONNECTION_BYTES_MAX                                                                  \
	(64u * 1024) /* for the request line and headers, and a piece of the body */

/* What the exchanges of one server share; server.c fills it before the first connection. */
struct http_serving {
	struct isx_store *store;
	void (*name_options)(struct isx_err *err); /* as in struct isx_server_settings */
	struct isx_readiness *readiness;
	struct isx_links *links; /* all connections */
	struct isx_auth auth;
	struct isx_cors cors;
	struct http_metrics *metrics;
	struct http_counts *counts; /* of this process */
	struct http_tls tls;
	struct http_payload_purses bodies;
	struct http_purse answers;
	uint64_t id_seed;       /* of generated request ids */
	atomic_ullong id_count; /* number of generated request ids */
	struct isx_pool *quick;
	struct isx_pool *scan;
	struct isx_pool *write;
	struct isx_pool *bulk;
	struct isx_pool *joins;
	atomic_size_t exchanges; /* requests in progress */
	atomic_size_t arriving;  /* requests in progress that are not complete yet */
	atomic_size_t pieces;    /* pieces of requests that have arrived so far */
	atomic_bool is_draining; /* no new connections: finish what has begun */
	atomic_bool is_cutting;  /* the time to finish is over: cancel searches, answer 503 */
};

/* A connection has begun, or has ended, and with it the exchange under way on it. Takes the
 * arguments of MHD_OPTION_NOTIFY_CONNECTION after the first; `*state` holds the link. */
void isx_exchange_link(struct http_serving *serving, struct MHD_Connection *connection,
		       void **state, enum MHD_ConnectionNotificationCode code);

/* MHD_OPTION_URI_LOG_CALLBACK: the request line is read. Returns the exchange, which
 * isx_exchange_end() frees, or NULL without memory. */
void *isx_exchange_begin(void *arg, const char *target, struct MHD_Connection *connection);

/* MHD_AccessHandlerCallback: the headers, a piece of the body, the end of the request, or the
 * connection was resumed. */
enum MHD_Result isx_exchange_serve(void *arg, struct MHD_Connection *connection, const char *url,
				   const char *method, const char *version, const char *bytes,
				   size_t *len, void **state);

/* libmicrohttpd has read a header. As isx_head_field(). */
ISX_MUST_CHECK bool isx_exchange_field(struct MHD_Connection *connection, struct isx_span name,
				       struct isx_span *value);

/* libmicrohttpd has read a trailer, behind the last chunk of a body. */
void isx_exchange_trailer(struct MHD_Connection *connection);

/* libmicrohttpd cannot parse the request, and is about to answer `*status` and to close the
 * connection. Returns the answer to send instead (new) and its `*status`; NULL without memory. */
struct MHD_Response *isx_exchange_give_up(struct MHD_Connection *connection, unsigned *status);

/* MHD_RequestCompletedCallback: the answer is sent, or cannot be sent any more. */
void isx_exchange_end(void *arg, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode why);

#endif
