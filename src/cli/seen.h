/*
 * seen.h - remembers where each asset of a run came from.
 *
 * So assets with the same ISCC-ID can be reported: in the index the last one replaces the others.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SEEN_H
#define ISX_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file, or a line of one. */
struct seen_place {
	uint32_t path; /* offset of its path in the list of all paths, plus 1; 0: no place */
	uint32_t line; /* from 1; 0: the whole file */
};

struct seen_slot {
	uint64_t id;
	struct seen_place place;
};

/* `{ 0 }` is empty. Holds at most ISX_SEEN_MAX ISCC-IDs; further ones are not noted. */
struct seen {
	struct seen_slot *slots;
	size_t cap; /* a power of two */
	size_t count;
};

/* Note that the last asset with `id` (the body of its ISCC-ID) comes from `place`. Returns true if
 * `id` was noted before, with the place *before. */
bool seen_note(struct seen *seen, uint64_t id, struct seen_place place, struct seen_place *before);
void seen_release(struct seen *seen);

#endif
