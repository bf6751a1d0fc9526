/*
 * auth.h - the API key.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_AUTH_H
#define ISX_AUTH_H

#include "base/status.h"

/* Who may use the routes that need a key. Fill with isx_auth_init(). */
struct isx_auth {
	bool is_open;             /* no secret is set: everybody */
	bool is_locked;           /* the secret is empty: nobody */
	unsigned char digest[32]; /* of the secret, which itself is not kept */
};

/* `secret` is borrowed; NULL leaves the door open, an empty one locks everybody out. */
ISX_MUST_CHECK enum isx_status isx_auth_init(struct isx_auth *auth, const char *secret,
					     struct isx_err *err);

/* Does this key (NULL: none was sent) open? Takes the same time whatever the key has in common with
 * the secret. */
ISX_MUST_CHECK bool isx_auth_allows(const struct isx_auth *auth, const char *key);

#endif
