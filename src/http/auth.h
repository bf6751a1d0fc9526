/*
 * auth.h - checks the API key of a request.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_AUTH_H
#define ISX_AUTH_H

#include "base/status.h"

/* Which keys open the routes that need one. Fill with isx_auth_init(). */
struct isx_auth {
	bool is_open;             /* no secret is set: no key is needed */
	bool is_locked;           /* the secret is empty: no key is right */
	unsigned char digest[32]; /* of the secret; the secret itself is not kept */
};

/* `secret` is borrowed during the call. NULL: every request is allowed; empty: none is. */
ISX_MUST_CHECK enum isx_status isx_auth_init(struct isx_auth *auth, const char *secret,
					     struct isx_err *err);

/* Is this key right (NULL: the request has none)? The time that this takes does not depend on how
 * much of the key is right. */
ISX_MUST_CHECK bool isx_auth_allows(const struct isx_auth *auth, const char *key);

#endif
