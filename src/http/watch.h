/*
 * watch.h - does a connection move? Clients that neither send the request they began nor take the
 *           answer they asked for are cut off, as the memory and the connection that they hold are
 *           missing to the others.
 *
 * libmicrohttpd's own timeout starts anew with each byte, so a byte now and then would hold a head,
 * a body or an answer for ever. Here a connection has to move ISX_CLIENT_BYTES_MIN in each period, counted
 * by the system (TCP_INFO): what came from the client, or what the client has confirmed.
 *
 * Must not know: which connections there are (link.c), and locks.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_WATCH_H
#define ISX_HTTP_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* What a connection is watched for. HEAD: from its begin, or the end of a request, until the head of the
 * next request is there. */
enum http_watch_for { HTTP_WATCH_NOTHING, HTTP_WATCH_HEAD, HTTP_WATCH_BODY, HTTP_WATCH_ANSWER };

/* What is known of a connection. `{ 0 }` is not watched. */
struct http_watched {
	enum http_watch_for what;
	const char *request_id; /* borrowed as long as it is watched */
	uint64_t since_ns;      /* begin of the period, 0: it begins with the next look */
	uint64_t moved;         /* bytes that had moved then */
	bool is_cut;
};

/* What holds for all connections of a server. */
struct http_watch_rule {
	unsigned period_s;
	bool can_talk; /* the connections are not encrypted */
};

/* Look at a connection that is watched. If it has not moved it is shut down, which its polling thread
 * then finds out; one whose body is late is sent a 408 first. */
void isx_watch_look(const struct http_watch_rule *rule, struct http_watched *watched, int fd,
		    uint64_t now_ns);

#endif
