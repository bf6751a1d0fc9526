/*
 * hash.h - a number for some bytes: the same everywhere and always, and no secret (FNV-1a).
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
