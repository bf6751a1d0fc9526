/*
 * tls.h - a certificate and its key, as the server is given them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_TLS_H
#define ISX_TLS_H

#include "base/status.h"

#define HTTP_TLS_VERSIONS "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* A certificate (and those that lead from it to an authority) with its key, PEM text. Borrowed as
 * long as a server uses it; `{ 0 }` is none. */
struct http_tls {
	const char *cert;
	const char *key;
};

/* Would a server take these? ISX_INVALID says what is wrong with which. */
ISX_MUST_CHECK enum isx_status isx_tls_check(const struct http_tls *tls, struct isx_err *err);

#endif
