/*
 * link.h - the connections of a server, and the request that is under way on each.
 *
 * libmicrohttpd (0.9.75) does not tell everything of a connection: it may forget that a request has
 * begun on it, and that its client has gone. So we keep a list of our own.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_LINK_H
#define ISX_HTTP_LINK_H

#include "base/status.h"
#include "http/watch.h"

struct exchange;
struct http_serving;
struct isx_links;

/* A connection. */
struct http_link {
	struct http_serving *serving;
	struct exchange *exchange; /* has begun on it, and not ended; its polling thread's */
	int fd; /* of the connection, whose owner closes it after removing the link */
	struct http_watched watched;
	struct http_link *before, *next; /* in the list */
};

/* Make an empty list, and start the thread that looks for clients that have gone, or do not move.
 *   links  new, free with isx_links_free() */
ISX_MUST_CHECK enum isx_status isx_links_new(const struct http_watch_rule *rule,
					     struct isx_links **links, struct isx_err *err);

/* End the thread and free the list, which no connection is in any more. NULL is allowed. */
void isx_links_free(struct isx_links *links);

/* Add a connection that has begun, and whose first head has to come; NULL without memory. */
struct http_link *isx_link_add(struct isx_links *links, struct http_serving *serving, int fd);

/* From now on the connection has to move: a head or a body arrives, or its answer is sent. `request_id` is
 * borrowed until isx_link_unwatch(). */
void isx_link_watch(struct isx_links *links, struct http_link *link, enum http_watch_for what,
		    const char *request_id);

/* It need not move any more. Returns what it was cut off for; HTTP_WATCH_NOTHING: it was not. */
enum http_watch_for isx_link_unwatch(struct isx_links *links, struct http_link *link);

/* Remove a connection that ends, and free it. */
void isx_link_remove(struct isx_links *links, struct http_link *link);

#endif
