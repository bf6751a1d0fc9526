/*
 * kernels.h - the kernels one by one, for dispatch.c, and what they share. Each has its own file
 *             and instruction set; all have the contract of isx_scan_fn.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_KERNELS_H
#define ISX_KERNELS_H

#include "scan/kernel.h"

/* See isx_scan_fn. */
size_t isx_scan_scalar(const struct isx_scan *scan, struct isx_hit *hits);
size_t isx_scan_avx2(const struct isx_scan *scan, struct isx_hit *hits);
size_t isx_scan_avx512(const struct isx_scan *scan, struct isx_hit *hits);
size_t isx_scan_neon(const struct isx_scan *scan, struct isx_hit *hits);

/* The vector kernels compare so many rows at once, and branch once per block: hits are rare. */
enum { ISX_SCAN_BLOCK = 8 };

/* Append the hits of a block: bit i of `near` is set if row `row` + i is a hit. Rows stay
 * ascending.
 *   found  hits before
 * Returns the hits after. */
static inline size_t isx_scan_keep(const uint32_t *distances, unsigned near, size_t row,
				   struct isx_hit *hits, size_t found)
{
	for (; near; near &= near - 1) {
		unsigned lane = (unsigned)__builtin_ctz(near);
		hits[found++] = (struct isx_hit){ (uint32_t)(row + lane), distances[lane] };
	}
	return found;
}

#endif
