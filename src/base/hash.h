/*
 * hash.h - FNV-1a over bytes: the same value on every machine and in every version, so it may be
 *          stored.
 *
 * Not for keys that a client chooses in a table that must not degrade: anyone can construct
 * collisions.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HASH_H
#define ISX_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t isx_hash(const void *bytes, size_t len)
{
	uint64_t hash = 0xCBF29CE484222325u;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
	return hash;
}

#endif
