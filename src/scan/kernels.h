/*
 * kernels.h - the kernels one by one, for dispatch.c. Each has its own file and instruction set;
 * all have the contract of isx_scan_fn. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_KERNELS_H
#define ISX_KERNELS_H

#include "scan/kernel.h"

/* See isx_scan_fn. */
size_t isx_scan_scalar(const struct isx_scan *scan, struct isx_hit *hits);
size_t isx_scan_avx2(const struct isx_scan *scan, struct isx_hit *hits);
size_t isx_scan_avx512(const struct isx_scan *scan, struct isx_hit *hits);
size_t isx_scan_neon(const struct isx_scan *scan, struct isx_hit *hits);

/* Scan the rows from `first` on with the scalar kernel, behind `found` hits; returns all hits. */
static inline size_t isx_scan_tail(const struct isx_scan *scan, size_t first, struct isx_hit *hits,
				   size_t found)
{
	struct isx_scan tail = *scan;
	tail.rows += first * scan->row_bytes;
	tail.count -= first;
	size_t more = isx_scan_scalar(&tail, hits + found);
	for (size_t i = found; i < found + more; i++)
		hits[i].row += (uint32_t)first;
	return found + more;
}

#endif
