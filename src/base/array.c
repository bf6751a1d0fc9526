/*
 * array.c - arrays that grow, and sorted arrays that are searched.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/array.h"

#include <string.h>

/* Small enough for the lists of one asset, which are many, and large enough that those of a search do
 * not begin with five reallocations. */
enum { FIRST_ELEMENTS = 64 };

/* `array` is the address of a pointer to any type: it is copied, as a write through void ** would not be
 * a write to that pointer. */
enum isx_status isx_array_grow(void *array, size_t *cap, size_t need, size_t size,
			       const struct isx_quota *quota, struct isx_err *err)
{
	size_t wanted, bytes;
	void *elements;
	if (__builtin_mul_overflow(*cap, 2u, &wanted))
		return isx_fail_memory(err);
	wanted = wanted < FIRST_ELEMENTS ? FIRST_ELEMENTS : wanted;
	wanted = wanted < need ? need : wanted;
	if (__builtin_mul_overflow(wanted - *cap, size, &bytes))
		return isx_fail_memory(err);
	enum isx_status st = isx_quota_take(quota, bytes, err);
	if (st)
		return st;
	memcpy(&elements, array, sizeof elements);
	elements = isx_mem_resize(elements, wanted, size);
	if (!elements)
		return isx_fail_memory(err);
	memcpy(array, &elements, sizeof elements);
	*cap = wanted;
	return ISX_OK;
}

size_t isx_array_lower_bound(const void *array, size_t count, uint64_t id, isx_array_id_fn *id_at)
{
	size_t low = 0, high = count; /* all before `low` are less, none from `high` on is */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (id_at(array, middle) < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Sort by one byte, from `from` to `to`; numbers with equal bytes keep their order. */
static void sort_by_byte(const uint64_t *from, uint64_t *to, size_t count, unsigned shift,
			 size_t *counts)
{
	size_t place = 0;
	for (size_t i = 0; i < 256; i++) {
		size_t here = counts[i];
		counts[i] = place;
		place += here;
	}
	for (size_t i = 0; i < count; i++)
		to[counts[from[i] >> shift & 0xFF]++] = from[i];
}

/* From the lowest byte to the highest. A byte that is the same in all numbers costs no pass: the first
 * bytes of ISCC-IDs are those of their years. */
void isx_array_sort(uint64_t *numbers, uint64_t *room, size_t count)
{
	size_t counts[8][256] = { 0 };
	uint64_t *from = numbers, *to = room;
	for (size_t i = 0; i < count; i++)
		for (unsigned byte = 0; byte < 8; byte++)
			counts[byte][numbers[i] >> 8 * byte & 0xFF]++;
	for (unsigned byte = 0; byte < 8; byte++) {
		if (!count || counts[byte][numbers[0] >> 8 * byte & 0xFF] == count)
			continue;
		sort_by_byte(from, to, count, 8 * byte, counts[byte]);
		uint64_t *sorted = to;
		to = from;
		from = sorted;
	}
	if (from != numbers)
		memcpy(numbers, from, count * sizeof *numbers);
}
