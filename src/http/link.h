/*
 * link.h - the connections of a server, and the request in progress on each.
 *
 * libmicrohttpd (0.9.75) may forget that a request has begun on a connection, and may miss that its
 * client is gone. So the server has its own list.
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
	struct exchange *exchange; /* in progress, or NULL; used by the event-loop thread only */
	int fd; /* of the connection; libmicrohttpd closes it after the link is removed */
	struct http_watched watched;
	struct http_link *before, *next; /* in the list */
};

/* Make an empty list, and start the thread that finds clients that are gone or stalled.
 *   links  new, free with isx_links_free() */
ISX_MUST_CHECK enum isx_status isx_links_new(const struct http_watch_rule *rule,
					     struct isx_links **links, struct isx_err *err);

/* End the thread and free the list, which must be empty. NULL is allowed. */
void isx_links_free(struct isx_links *links);

/* Add a connection that has begun, and watch it for its first head; NULL without memory. */
struct http_link *isx_link_add(struct isx_links *links, struct http_serving *serving, int fd);

/* From now on the connection has to transfer data: `what` is a head, a body, or its answer.
 * `request_id` is borrowed until isx_link_unwatch(). */
void isx_link_watch(struct isx_links *links, struct http_link *link, enum http_watch_for what,
		    const char *request_id);

/* Stop watching. Returns for what the connection was shut down; HTTP_WATCH_NOTHING: it was not. */
enum http_watch_for isx_link_unwatch(struct isx_links *links, struct http_link *link);

/* Remove a connection that ends, and free it. */
void isx_link_remove(struct isx_links *links, struct http_link *link);

#endif
