/*
 * http_status.h - the one table between statuses of the library and statuses of HTTP: the server
 *                 answers by it, and an http:// store reads answers by it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_STATUS_H
#define ISX_HTTP_STATUS_H

#include "base/status.h"

/* The HTTP status of an answer that reports `status`: that of 0.3.3 where it has the case. */
unsigned isx_http_from_status(enum isx_status status);

/* The status that an HTTP status of 400 or more stands for, where a client can act on it; any other
 * is ISX_IO. 422 is ISX_INVALID: not the JSON of the caller is at fault, but a value in it. */
enum isx_status isx_http_to_status(long http_status);

#endif
