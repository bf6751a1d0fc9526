/*
 * array.h - arrays that grow, and sorted arrays that are searched.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ARRAY_H
#define ISX_ARRAY_H

#include "base/mem.h"

#include <stdint.h>

/* isx_array_room() when the array is too small. */
ISX_MUST_CHECK enum isx_status isx_array_grow(void *array, size_t *cap, size_t need, size_t size,
					      const struct isx_quota *quota, struct isx_err *err);

/* Make room for `need` elements of `size` bytes in all. An array that is too small is doubled at
 * least, so that adding one at a time costs a constant time for each.
 *   array  the address of the pointer to the elements, which may be NULL when *cap is 0; freed with
 *          isx_mem_free() by its owner
 *   quota  asked for the growth before it is allocated; NULL: no ceiling
 * On failure the array is as it was. */
ISX_MUST_CHECK static inline enum isx_status isx_array_room(void *array, size_t *cap, size_t need,
							    size_t size,
							    const struct isx_quota *quota,
							    struct isx_err *err)
{
	return need <= *cap ? ISX_OK : isx_array_grow(array, cap, need, size, quota, err);
}

/* The number by which an array is sorted, of the element at a position. */
typedef uint64_t isx_array_id_fn(const void *array, size_t position);

/* The position of the first of `count` elements, sorted by id_at(), whose number is `id` or more; `count`
 * if there is none. */
size_t isx_array_lower_bound(const void *array, size_t count, uint64_t id, isx_array_id_fn *id_at);

/* Sort numbers, the least first. Eight passes at most, each over all numbers: a million take some 10 ms,
 * where qsort() takes 100.
 *   room  for `count` numbers */
void isx_array_sort(uint64_t *numbers, uint64_t *room, size_t count);

#endif
