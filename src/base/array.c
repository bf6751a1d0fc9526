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
