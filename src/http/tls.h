/*
 * tls.h - the certificate and the private key of a server.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_TLS_H
#define ISX_TLS_H

#include "base/status.h"

#define HTTP_TLS_VERSIONS "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* A certificate with its chain, and its private key: PEM texts, borrowed as long as a server uses
 * them. `{ 0 }`: no TLS. */
struct http_tls {
	const char *cert;
	const char *key;
};

/* Can a server use these? ISX_INVALID names the faulty part and what was expected. */
ISX_MUST_CHECK enum isx_status isx_tls_check(const struct http_tls *tls, struct isx_err *err);

#endif
