/*
 * listen.c - opens the listening socket.
 *
 * Apart from server.c, so that several processes can share one socket, and so that errors name host
 * and port.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 1024 }; /* connections that the kernel queues until they are accepted */

uint16_t isx_listen_port(int fd)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof addr;
	if (getsockname(fd, (struct sockaddr *)&addr, &len))
		return 0;
	if (addr.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&addr)->sin_port);
	if (addr.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
	return 0;
}

/* A socket that listens on one address, or -1 with errno. */
static int listen_on(const struct addrinfo *addr)
{
	int on = 1;
	int fd = socket(addr->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* Without SO_REUSEADDR a restart fails while connections of the last process are in
	 * TIME_WAIT. */
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
	    !bind(fd, addr->ai_addr, addr->ai_addrlen) && !listen(fd, LISTEN_BACKLOG))
		return fd;
	int cause = errno; /* close() may change it */
	close(fd);
	errno = cause;
	return -1;
}

void isx_listen_show(const char *host, char *shown)
{
	bool is_bare = host && strchr(host, ':') && host[0] != '[';
	snprintf(shown, ISX_HOST_BYTES, is_bare ? "[%s]" : "%s", host ? host : "");
}

/* "[::1]" is how URLs write an IPv6 address; getaddrinfo() wants it without brackets. */
static void strip_brackets(const char *host, char *plain)
{
	size_t len = strlen(host);
	bool has_brackets = len > 2 && host[0] == '[' && host[len - 1] == ']' && strchr(host, ':');
	snprintf(plain, ISX_HOST_BYTES, "%.*s", (int)(has_brackets ? len - 2 : len),
		 host + has_brackets);
}

/* Only an IPv6 address stands in brackets, and both are there or none. */
static enum isx_status check_brackets(const char *host, const char *plain, struct isx_err *err)
{
	struct in6_addr unused;
	size_t address = strcspn(plain, "%"); /* behind it the zone, as in fe80::1%eth0 */
	char bare[ISX_HOST_BYTES];
	if (!strpbrk(host, "[]"))
		return ISX_OK;
	snprintf(bare, sizeof bare, "%.*s", (int)address, plain);
	if (strlen(plain) + 2 == strlen(host) && inet_pton(AF_INET6, bare, &unused) == 1)
		return ISX_OK;
	return isx_fail(err, ISX_INVALID,
			"cannot listen on %.100s: only an IPv6 address stands in brackets, as in "
			"[::1]. Give it so, or a host without brackets",
			host);
}

enum isx_status isx_listen_open(const char *host, uint16_t port, int *fd, uint16_t *actual_port,
				struct isx_err *err)
{
	char plain[ISX_HOST_BYTES], shown[ISX_HOST_BYTES];
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *all = NULL;
	char service[8];
	snprintf(service, sizeof service, "%u", (unsigned)port);
	isx_listen_show(host, shown);
	strip_brackets(host ? host : "", plain);
	enum isx_status st = check_brackets(host ? host : "", plain, err);
	if (st)
		return st;
	int rc = getaddrinfo(*plain ? plain : NULL, service, &hints, &all);
	if (rc)
		return isx_fail(err, ISX_INVALID, "cannot listen on %s: %s", shown,
				gai_strerror(rc));
	int found = -1;
	/* A name may have several addresses: the first one that can be bound is used. */
	for (const struct addrinfo *addr = all; addr && found < 0; addr = addr->ai_next)
		found = listen_on(addr);
	int cause = errno;
	freeaddrinfo(all);
	if (found < 0)
		return isx_fail(err, ISX_IO, "cannot listen on %s:%u: %s", shown, (unsigned)port,
				strerror(cause));
	*fd = found;
	*actual_port = isx_listen_port(found);
	return ISX_OK;
}
