/*
 * seen.c - a hash table of ISCC-IDs with linear probing: 16 bytes per slot, at most 3/4 of them
 *          used.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/seen.h"

#include "base/limits.h"
#include "base/mem.h"

enum { FIRST_SLOTS = 1024 };

/* The slot of `id`, or the empty slot for it. There always is an empty one: see grow(). */
static struct seen_slot *find_slot(const struct seen *seen, uint64_t id)
{
	uint64_t mixed =
		id * 0x9E3779B97F4A7C15u; /* ISCC-IDs contain times: those of one batch are close */
	size_t i = (size_t)(mixed >> 32) & (seen->cap - 1);
	while (seen->slots[i].place.path && seen->slots[i].id != id)
		i = (i + 1) & (seen->cap - 1);
	return &seen->slots[i];
}

/* Ensure room for one more; false at the ceiling or without memory: then new ISCC-IDs are not
 * noted. */
static bool grow(struct seen *seen)
{
	if (seen->count >= ISX_SEEN_MAX)
		return false;
	if (seen->count < seen->cap / 4 * 3)
		return true;
	struct seen grown = { .cap = seen->cap ? seen->cap * 2 : FIRST_SLOTS };
	grown.slots = isx_mem_array(grown.cap, sizeof *grown.slots);
	if (!grown.slots)
		return false;
	for (size_t i = 0; i < seen->cap; i++)
		if (seen->slots[i].place.path)
			*find_slot(&grown, seen->slots[i].id) = seen->slots[i];
	grown.count = seen->count;
	isx_mem_free(seen->slots);
	*seen = grown;
	return true;
}

bool seen_note(struct seen *seen, uint64_t id, struct seen_place place, struct seen_place *before)
{
	bool has_room = grow(seen);
	struct seen_slot *slot = seen->cap ? find_slot(seen, id) : NULL;
	if (slot && slot->place.path) {
		*before = slot->place;
		slot->place = place;
		return true;
	}
	if (has_room) {
		*slot = (struct seen_slot){ id, place };
		seen->count++;
	}
	return false;
}

void seen_release(struct seen *seen)
{
	isx_mem_free(seen->slots);
	*seen = (struct seen){ 0 };
}
