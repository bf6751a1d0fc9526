/*
 * listen.h - a listening TCP socket.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LISTEN_H
#define ISX_LISTEN_H

#include "base/status.h"

#define ISX_HOST_BYTES 264 /* the longest host name in brackets, and a NUL */

/* Write a host as in a URL, with an IPv6 address in brackets, to `shown` (filled,
 * ISX_HOST_BYTES). */
void isx_listen_show(const char *host, char *shown);

/* Listen on a host (a name or an address, IPv6 with or without brackets; "" or NULL: every address)
 * and port (0: a free one).
 *   fd    filled: the socket, which the caller closes
 *   port  filled: the port it has */
ISX_MUST_CHECK enum isx_status isx_listen_open(const char *host, uint16_t port, int *fd,
					       uint16_t *actual_port, struct isx_err *err);

/* The port of a listening socket; 0 if it has none. */
uint16_t isx_listen_port(int fd);

#endif
