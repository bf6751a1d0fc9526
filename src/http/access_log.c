/*
 * access_log.c - writes one log line per request, and makes request ids.
 *
 * The line has no query and no header except the request id: queries and headers may contain a key.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/access_log.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES_MAX = 200 };

/* Spaces, control characters and bytes beyond ASCII become "?": a path must not be able to end the
 * line or to look like another field of it. */
static void print_path(struct isx_span path, char text[PATH_BYTES_MAX + 1])
{
	size_t len = path.len < PATH_BYTES_MAX ? path.len : PATH_BYTES_MAX;
	for (size_t i = 0; i < len; i++)
		text[i] = path.ptr[i] > ' ' && path.ptr[i] < 127 ? path.ptr[i] : '?';
	text[len] = '\0';
}

/* The address of the client as text. A dual-stack socket shows IPv4 clients as ::ffff:a.b.c.d; the
 * log has the IPv4 address alone. */
static const char *print_client(const struct sockaddr *client, char text[INET6_ADDRSTRLEN])
{
	const void *address = NULL;
	if (client && client->sa_family == AF_INET)
		address = &((const struct sockaddr_in *)(const void *)client)->sin_addr;
	else if (client && client->sa_family == AF_INET6)
		address = &((const struct sockaddr_in6 *)(const void *)client)->sin6_addr;
	if (!address || !inet_ntop(client->sa_family, address, text, INET6_ADDRSTRLEN))
		return "-";
	return strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.') ? text + 7 : text;
}

/* A missing field is "-": every line has the same fields. */
static const char *or_dash(const char *text)
{
	return text && *text ? text : "-";
}

void isx_access_log(const struct http_access *access)
{
	char path[PATH_BYTES_MAX + 1], client[INET6_ADDRSTRLEN];
	if (!isx_log_is_on(ISX_LOG_INFO))
		return;
	print_path(access->path, path);
	const struct isx_log_field fields[] = {
		{ .name = "method", .text = or_dash(access->method) },
		{ .name = "path", .text = or_dash(path) },
		{ .name = "status", .number = access->status },
		{ .name = "bytes", .number = access->sent_bytes },
		{ .name = "duration_us", .number = access->duration_ns / 1000 },
		{ .name = "route", .text = or_dash(access->route) },
		{ .name = "client", .text = print_client(access->client, client) },
		{ .name = "request_id", .text = or_dash(access->request_id) },
		{ .name = "aborted", .number = 1 }, /* last: left out of complete answers */
	};
	size_t count = sizeof fields / sizeof *fields;
	isx_log_fields(ISX_LOG_INFO, "request", fields, access->is_complete ? count - 1 : count);
}

bool isx_request_id_is_valid(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._:=+/";
	size_t len = id ? strspn(id, allowed) : 0;
	return len > 0 && len <= HTTP_REQUEST_ID_MAX && id[len] == '\0';
}

void isx_request_id_make(uint64_t seed, uint64_t count, char id[HTTP_REQUEST_ID_BYTES])
{
	/* splitmix64 is a bijection: ids of one server never repeat, and the seed keeps those of
	 * several servers apart. */
	uint64_t z = seed + (count + 1) * 0x9E3779B97F4A7C15u;
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	snprintf(id, HTTP_REQUEST_ID_BYTES, "%016llx", (unsigned long long)(z ^ (z >> 31)));
}
