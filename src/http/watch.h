/*
 * watch.h - closes connections that transfer too little.
 *
 * A client that neither sends the request it began nor reads the answer it asked for holds memory
 * and a connection that other clients need. The timeout of libmicrohttpd restarts with each byte,
 * so one byte now and then would hold a head, a body or an answer for ever. Here a connection has
 * to transfer ISX_CLIENT_BYTES_MIN in each period, as TCP counts it (TCP_INFO): bytes received, or
 * bytes acknowledged by the client.
 *
 * Must not know: which connections there are (link.c), and locks.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_WATCH_H
#define ISX_HTTP_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* What a connection is watched for. HTTP_WATCH_HEAD: from its begin, or from the end of a request,
 * until the head of the next request is complete. */
enum http_watch_for { HTTP_WATCH_NOTHING, HTTP_WATCH_HEAD, HTTP_WATCH_BODY, HTTP_WATCH_ANSWER };

/* The state of a watched connection. `{ 0 }`: not watched. */
struct http_watched {
	enum http_watch_for what;
	const char *request_id; /* borrowed as long as it is watched */
	uint64_t since_ns;      /* begin of the period; 0: it begins at the next look */
	uint64_t moved;         /* bytes transferred until then */
	bool is_cut;
};

/* The rule for all connections of a server. */
struct http_watch_rule {
	unsigned period_s;
	bool can_talk; /* the connections are not encrypted */
};

/* Check a watched connection. If it has transferred too little, shut it down; its polling thread
 * then ends it. If the body was late, a 408 is sent first. Called with the lock of the links
 * (link.c). */
void isx_watch_look(const struct http_watch_rule *rule, struct http_watched *watched, int fd,
		    uint64_t now_ns);

#endif
