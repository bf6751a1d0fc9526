/*
 * support.h - what several unit tests share: a seeded generator, temporary directories, assets.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_TEST_SUPPORT_H
#define ISX_TEST_SUPPORT_H

#include "iscc/unit.h"
#include "iscc_search.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64: good enough to spread bits, the same everywhere. */
static inline uint64_t test_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* The seed of this run: ISX_SEED, or a fixed one. */
static inline uint64_t test_seed(void)
{
	const char *text = getenv("ISX_SEED");
	return text ? strtoull(text, NULL, 0) : 20261124;
}

static inline int test_remove_entry(const char *path, const struct stat *stat, int kind,
				    struct FTW *where)
{
	(void)stat, (void)kind, (void)where;
	return remove(path);
}

static inline void test_remove_tree(const char *path)
{
	nftw(path, test_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* A unit of random bits: "ISCC:..." in `text` (filled, ISX_UNIT_TEXT_BYTES). */
static inline void test_unit_text(uint32_t maintype, const uint8_t *body, uint32_t body_bytes,
				  char *text)
{
	struct isx_unit unit = { .header = { .maintype = maintype, .length = body_bytes / 4 - 1 },
				 .body_bytes = body_bytes };
	memcpy(unit.body, body, body_bytes);
	isx_unit_print(&unit, text);
}

#endif
