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
	(64u * 1024) /* request line and headers, and a piece of the body */

/* What the exchanges of one server share; server.c fills it before the first connection. */
struct http_serving {
	struct isx_store *store;
	struct isx_readiness *readiness;
	struct isx_links *links; /* all connections */
	struct isx_auth auth;
	struct isx_cors cors;
	struct http_metrics *metrics;
	struct http_counts *counts; /* of this process */
	struct http_tls tls;
	struct http_payload_purses bodies;
	struct http_purse answers;
	uint64_t id_seed;       /* of the names we give to requests */
	atomic_ullong id_count; /* of those given */
	struct isx_pool *quick;
	struct isx_pool *scan;
	struct isx_pool *write;
	struct isx_pool *bulk;
	atomic_size_t exchanges; /* requests that have begun and not ended */
	atomic_size_t arriving;  /* those of them that are not complete yet */
	atomic_size_t pieces;    /* of requests that have arrived, ever */
	atomic_bool is_draining;
	atomic_bool is_cutting; /* the time to finish is over */
};

/* A connection has begun, or has ended, and with it the exchange that was under way on it. For
 * MHD_OPTION_NOTIFY_CONNECTION, with its arguments behind the first; `*state` is ours. */
void isx_exchange_link(struct http_serving *serving, struct MHD_Connection *connection,
		       void **state, enum MHD_ConnectionNotificationCode code);

/* MHD_OPTION_URI_LOG_CALLBACK: the request line is there. Returns the exchange, which
 * isx_exchange_end() frees, or NULL without memory. */
void *isx_exchange_begin(void *arg, const char *target, struct MHD_Connection *connection);

/* MHD_AccessHandlerCallback: the headers, a piece of the body, the end of the request, or the
 * connection was resumed. */
enum MHD_Result isx_exchange_serve(void *arg, struct MHD_Connection *connection, const char *url,
				   const char *method, const char *version, const char *bytes,
				   size_t *len, void **state);

/* A header has come. As isx_head_field(). */
ISX_MUST_CHECK bool isx_exchange_field(struct MHD_Connection *connection, struct isx_span name,
				       struct isx_span *value);

/* A trailer has come, behind the last chunk of a body. */
void isx_exchange_trailer(struct MHD_Connection *connection);

/* The library cannot read on and means to answer `*status` before it closes the connection. Returns
 * the answer to send instead, new, with its `*status`; or NULL without memory. */
struct MHD_Response *isx_exchange_give_up(struct MHD_Connection *connection, unsigned *status);

/* MHD_RequestCompletedCallback: the answer is sent, or never will be. */
void isx_exchange_end(void *arg, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode why);

#endif
