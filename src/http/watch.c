/*
 * watch.c - closes connections that transfer too little.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/watch.h"

#include "base/limits.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Send a 408 past libmicrohttpd, directly on the socket. That is safe: no answer has begun while
 * the body arrives, so these bytes are the whole answer. Bytes that do not fit into the socket
 * buffer are lost. */
static void tell_late(const struct http_watch_rule *rule, const char *request_id, int fd)
{
	char detail[128], answer[512];
	int len =
		snprintf(detail, sizeof detail,
			 "{\"detail\":\"the body did not arrive in time: expected %u bytes in each "
			 "%u s, or its end\"}",
			 ISX_CLIENT_BYTES_MIN, rule->period_s);
	len = snprintf(answer, sizeof answer,
		       "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
		       "Content-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"
		       "X-Request-ID: %s\r\nContent-Length: %d\r\n\r\n%s",
		       request_id, len, detail);
	if (len > 0 && (size_t)len < sizeof answer)
		(void)!send(fd, answer, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Bytes transferred on a connection so far, as TCP counts them; false if the system does not
 * tell. Bytes that only wait in a socket buffer do not count as sent: the client has to
 * acknowledge them. */
static bool count_moved(enum http_watch_for what, int fd, uint64_t *moved)
{
	struct tcp_info info;
	socklen_t len = sizeof info;
	memset(&info, 0, sizeof info); /* an older system fills less of it */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return false;
	*moved = what == HTTP_WATCH_ANSWER ? info.tcpi_bytes_acked : info.tcpi_bytes_received;
	return true;
}

/* The polling thread of the connection notices the shutdown() and ends the request. */
static void cut(const struct http_watch_rule *rule, struct http_watched *watched, int fd)
{
	watched->is_cut = true;
	if (watched->what == HTTP_WATCH_BODY && rule->can_talk)
		tell_late(rule, watched->request_id, fd);
	shutdown(fd, SHUT_RDWR);
}

void isx_watch_look(const struct http_watch_rule *rule, struct http_watched *watched, int fd,
		    uint64_t now_ns)
{
	uint64_t moved, period_ns = (uint64_t)rule->period_s * 1000000000u;
	bool is_over = watched->since_ns && now_ns - watched->since_ns >= period_ns;
	if (watched->what == HTTP_WATCH_NOTHING || watched->is_cut ||
	    (watched->since_ns && !is_over) || !count_moved(watched->what, fd, &moved))
		return;
	if (is_over && moved - watched->moved < ISX_CLIENT_BYTES_MIN) {
		cut(rule, watched, fd);
		return;
	}
	watched->since_ns = now_ns;
	watched->moved = moved;
}
