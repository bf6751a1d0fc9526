/*
 * tls.c - checks a certificate and its key before a server is started with them.
 *
 * libmicrohttpd reads both only when a daemon starts, so a trial daemon is started that does not
 * listen. It only tells success or failure; so faults that show in the texts are reported first.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/tls.h"

#include <microhttpd.h>
#include <string.h>

/* The trial daemon has no socket, so this is never called; MHD_start_daemon() wants a handler. */
static enum MHD_Result refuse(void *arg, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *bytes,
			      size_t *len, void **state)
{
	(void)arg, (void)connection, (void)url, (void)method, (void)version, (void)bytes;
	(void)len, (void)state;
	return MHD_NO;
}

enum isx_status isx_tls_check(const struct http_tls *tls, struct isx_err *err)
{
	if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
		return isx_fail(err, ISX_INVALID, "TLS: libmicrohttpd was built without it");
	if (!strstr(tls->cert, "-----BEGIN CERTIFICATE-----"))
		return isx_fail(err, ISX_INVALID,
				"certificate: expected PEM, \"BEGIN CERTIFICATE\"");
	if (strstr(tls->key, "ENCRYPTED"))
		return isx_fail(err, ISX_INVALID, "key: expected one without a passphrase");
	if (!strstr(tls->key, "PRIVATE KEY-----"))
		return isx_fail(err, ISX_INVALID, "key: expected PEM, \"BEGIN PRIVATE KEY\"");
	struct MHD_Daemon *trial = MHD_start_daemon(
		MHD_USE_TLS | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, refuse, NULL,
		MHD_OPTION_HTTPS_MEM_CERT, tls->cert, MHD_OPTION_HTTPS_MEM_KEY, tls->key,
		MHD_OPTION_HTTPS_PRIORITIES, HTTP_TLS_VERSIONS, MHD_OPTION_END);
	if (!trial)
		return isx_fail(err, ISX_INVALID,
				"certificate and key: expected a valid pair that belongs together");
	MHD_stop_daemon(trial);
	return ISX_OK;
}
