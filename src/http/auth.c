/*
 * auth.c - comparing API keys in constant time.
 *
 * Digests are compared instead of keys, so that the time does not even reveal the length of the
 * secret.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/auth.h"

#include <sodium.h>
#include <string.h>

static void hash_key(const char *key, unsigned char digest[32])
{
	crypto_generichash(digest, 32, (const unsigned char *)key, strlen(key), NULL, 0);
}

enum isx_status isx_auth_init(struct isx_auth *auth, const char *secret, struct isx_err *err)
{
	*auth = (struct isx_auth){ .is_open = !secret, .is_locked = secret && !*secret };
	if (sodium_init() < 0)
		return isx_fail(err, ISX_IO, "libsodium cannot be initialised");
	if (secret)
		hash_key(secret, auth->digest);
	return ISX_OK;
}

bool isx_auth_allows(const struct isx_auth *auth, const char *key)
{
	unsigned char digest[32];
	if (auth->is_open)
		return true;
	if (auth->is_locked || !key)
		return false;
	hash_key(key, digest);
	return sodium_memcmp(digest, auth->digest, sizeof digest) == 0;
}
