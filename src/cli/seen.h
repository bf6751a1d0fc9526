/*
 * seen.h - where the assets of this run came from: two that share an ISCC-ID are no two assets in the
 *          index, and whoever wrote them should know.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SEEN_H
#define ISX_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file, or a line of one. */
struct seen_place {
	uint32_t path; /* where its name begins in the list of all names, and 1: 0 is no place */
	uint32_t line; /* from 1; 0: the whole file */
};

struct seen_slot {
	uint64_t id;
	struct seen_place place;
};

/* `{ 0 }` is empty. Holds at most ISX_SEEN_MAX; what comes after them is not noted. */
struct seen {
	struct seen_slot *slots;
	size_t cap; /* a power of two */
	size_t count;
};

/* Note that the asset `id` (the body of its ISCC-ID) is now that of `place`. True when it was noted
 * before, with the place *before. */
bool seen_note(struct seen *seen, uint64_t id, struct seen_place place, struct seen_place *before);
void seen_release(struct seen *seen);

#endif
