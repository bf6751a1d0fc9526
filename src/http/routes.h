/*
 * routes.h - the table of routes: which method and path lead to which handler.
 *
 * Must not know: how a request is matched against the table (router.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_ROUTES_H
#define ISX_HTTP_ROUTES_H

#include "http/request.h"

/* The worker pool that runs a handler. A slow request delays only requests of its own pool. */
enum http_pool {
	HTTP_POOL_NONE,  /* the event-loop thread itself: the handler never blocks */
	HTTP_POOL_QUICK, /* handlers that neither scan nor write */
	HTTP_POOL_SCAN,  /* searches: many threads, as those that wait together share a pass */
	HTTP_POOL_WRITE, /* handlers that wait for the disk; many of them share one commit */
	HTTP_POOL_BULK   /* batches, and searches for very many matches (isx_router_pool()) */
};

enum http_route_flags {
	HTTP_NEEDS_KEY = 1,
	HTTP_HAS_PAYLOAD = 2,
	HTTP_TAKES_LINES = 4 /* a body of lines (NDJSON) is not limited, see spool.h */
};

struct http_route {
	const char *method;
	const char *path; /* "{name}", "{iscc_id}": one segment; "*" at the end: one or more */
	http_handler *serve;
	unsigned flags; /* of enum http_route_flags */
	enum http_pool pool;
};

/* All routes. Routes of one path are neighbours: the Allow header of a 405 lists their methods. */
extern const struct http_route isx_routes[];
extern const size_t isx_route_count;

/* The method and the path template of route `number`, static texts. Both stay unchanged if there is
 * no such route. Matches http_route_describe of metrics.h. */
void isx_route_describe(size_t number, const char **method, const char **path);

#endif
