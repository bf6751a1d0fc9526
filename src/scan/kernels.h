/*
 * kernels.h - the kernels one by one, for dispatch.c, and what they share. Each has its own file
 *             and instruction set; all have the contracts of isx_scan_fn and isx_scan_many_fn.
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

/* See isx_scan_many_fn. */
void isx_scan_many_scalar(const struct isx_scan_many *scan);
void isx_scan_many_avx2(const struct isx_scan_many *scan);
void isx_scan_many_avx512(const struct isx_scan_many *scan);
void isx_scan_many_neon(const struct isx_scan_many *scan);

/* The vector kernels compare so many rows at once, and branch once per block: hits are rare. */
enum { ISX_SCAN_BLOCK = 8 };

/* Do the work of isx_scan_many_fn with a kernel for one query. Blocks of rows stay in the cache of
 * the processor while all queries pass over them. */
static inline void isx_scan_each(const struct isx_scan_many *many, isx_scan_fn *kernel)
{
	enum { ROWS = 256 };
	for (size_t i = 0; i < many->query_count; i++)
		many->queries[i].found = 0;
	for (size_t row = 0; row < many->count; row += ROWS) {
		for (size_t i = 0; i < many->query_count; i++) {
			struct isx_scan_query *query = &many->queries[i];
			const struct isx_scan scan = {
				.rows = many->rows + row * many->row_bytes,
				.count = many->count - row < ROWS ? many->count - row : ROWS,
				.row_bytes = many->row_bytes,
				.query = query->query,
				.bytes = query->bytes,
				.distance_max = query->distance_max,
			};
			size_t end = query->found + kernel(&scan, query->hits + query->found);
			for (; query->found < end; query->found++)
				query->hits[query->found].row += (uint32_t)row;
		}
	}
}

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
