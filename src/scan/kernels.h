/*
 * kernels.h - the kernels one by one, for dispatch.c, and what they share. Each has its own file
 *             and instruction set; all have the contracts of kernel.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_KERNELS_H
#define ISX_KERNELS_H

#include "scan/kernel.h"

#include <string.h>

/* See isx_scan_fn. */
size_t isx_scan_scalar(const struct isx_scan *scan, struct isx_hit *hits);
size_t isx_scan_avx2(const struct isx_scan *scan, struct isx_hit *hits);
size_t isx_scan_avx512(const struct isx_scan *scan, struct isx_hit *hits);
size_t isx_scan_neon(const struct isx_scan *scan, struct isx_hit *hits);

/* See isx_scan_pages_fn. */
size_t isx_scan_pages_scalar(const struct isx_scan_pages *scan, struct isx_hit *hits,
			     size_t *found);
size_t isx_scan_pages_avx2(const struct isx_scan_pages *scan, struct isx_hit *hits, size_t *found);
size_t isx_scan_pages_avx512(const struct isx_scan_pages *scan, struct isx_hit *hits,
			     size_t *found);
size_t isx_scan_pages_neon(const struct isx_scan_pages *scan, struct isx_hit *hits, size_t *found);

/* See isx_scan_many_fn. */
void isx_scan_many_scalar(const struct isx_scan_many *scan);
void isx_scan_many_avx2(const struct isx_scan_many *scan);
void isx_scan_many_avx512(const struct isx_scan_many *scan);
void isx_scan_many_neon(const struct isx_scan_many *scan);

/* The vector kernels compare so many rows at once, and branch once per block: hits are rare. */
enum { ISX_SCAN_BLOCK = 8 };

/* One of several pages, as the kernel for one page wants it. */
static inline struct isx_scan isx_scan_of_page(const struct isx_scan_pages *scan, size_t page)
{
	return (struct isx_scan){ .rows = scan->pages[page].rows,
				  .count = scan->pages[page].count,
				  .row_bytes = scan->row_bytes,
				  .query = scan->query,
				  .bytes = scan->bytes,
				  .distance_max = scan->distance_max };
}

/* Have the processor bring near what it does not foresee while it reads page number `page`: the beginning of the
 * next one, as its own prefetching ends with a page, and the address of the third one from here (its entry of the
 * TLB). With 4 million rows (164 MB) a search takes 0.82 to 0.88 of the time (bench/README.md, which also has what
 * was left out: more lines are slower, as are all those of a page). Always inline: gcc 12 drops the call of a
 * function that only prefetches, as it has no effect. */
__attribute__((always_inline)) static inline void isx_scan_prefetch(
	const struct isx_scan_pages *scan, size_t page)
{
	enum { LINES = 8, LINE_BYTES = 64, FURTHER = 3 };
	const size_t last = scan->page_count - 1;
	if (page == last)
		return;
	const uint8_t *next = scan->pages[page + 1].rows;
	for (size_t i = 0; i < LINES; i++)
		__builtin_prefetch(next + i * LINE_BYTES, 0, 0);
	__builtin_prefetch(scan->pages[last - page > FURTHER ? page + FURTHER : last].rows, 0, 0);
}

/* An isx_scan_pages_fn for kernels that prepare little for a query: call the kernel for each page. */
static inline size_t isx_scan_each_page(const struct isx_scan_pages *scan, isx_scan_fn *kernel,
					struct isx_hit *hits, size_t *found)
{
	size_t page = 0;
	for (*found = 0; page < scan->page_count && !*found; page++) {
		const struct isx_scan one = isx_scan_of_page(scan, page);
		isx_scan_prefetch(scan, page);
		*found = kernel(&one, hits);
	}
	return page;
}

/* How many bytes of a body, in whole 32-bit words, to compare before most rows can be given up: the
 * distance so far of unrelated bodies, half of the bits, is distance_max or less at four standard
 * deviations from the mean only. A speed, not a filter: rows that are near so far are compared
 * to their end. */
static inline size_t isx_scan_first_bytes(size_t bytes, uint32_t distance_max)
{
	for (size_t first = 4; first < bytes; first += 4) {
		const size_t mean = 4 * first, variance = 2 * first;
		if (mean > distance_max &&
		    (mean - distance_max) * (mean - distance_max) >= 16 * variance)
			return first;
	}
	return (bytes + 3) / 4 * 4;
}

/* Queries of equal length that are compared together. */
enum { ISX_SCAN_TOGETHER = 64 };

/* The number of queries, from number `at` on, that have equal lengths: at most ISX_SCAN_TOGETHER.
 *   distance_max  filled: the largest of theirs */
static inline size_t isx_scan_run(const struct isx_scan_many *many, size_t at,
				  uint32_t *distance_max)
{
	const struct isx_scan_query *first = &many->queries[at];
	size_t count = 0;
	for (*distance_max = 0; at + count < many->query_count && count < ISX_SCAN_TOGETHER;
	     count++) {
		if (first[count].bytes != first->bytes)
			break;
		if (first[count].distance_max > *distance_max)
			*distance_max = first[count].distance_max;
	}
	return count;
}

/* Copy the compared bytes of a body. The usual lengths are constants, which need no call. */
static inline void isx_scan_copy(uint8_t *to, const uint8_t *body, size_t bytes)
{
	if (bytes == 32)
		memcpy(to, body, 32);
	else if (bytes == 16)
		memcpy(to, body, 16);
	else if (bytes == 8)
		memcpy(to, body, 8);
	else
		memcpy(to, body, bytes);
}

/* The kernels for several queries compare so many rows at once. */
enum { ISX_SCAN_TILE = 16 };

/* The bodies of a tile of rows, at places where 32 bytes may be read from each of them. */
struct isx_scan_tile {
	const uint8_t *bodies;
	size_t row_bytes;
	unsigned is_row; /* bit i: there is a row i */
	uint8_t copy[ISX_SCAN_TILE][ISX_SCAN_BYTES_MAX];
};

/* Point at the tile that begins at `row`. The last rows are copied: nothing behind the compared
 * bytes of the last row may be read, and a tile that is not full is filled up with zeros. */
static inline void isx_scan_tile_find(struct isx_scan_tile *tile, const struct isx_scan_many *many,
				      size_t row, size_t bytes)
{
	const uint8_t *bodies = many->rows + row * many->row_bytes + ISX_ROW_KEY_BYTES;
	const size_t left = many->count - row;
	tile->bodies = bodies;
	tile->row_bytes = many->row_bytes;
	tile->is_row = left < ISX_SCAN_TILE ? (1u << left) - 1 : 0xFFFF;
	/* a row has its key at least: behind so many rows there are 32 bytes to read */
	if (left >= ISX_SCAN_TILE + ISX_SCAN_BYTES_MAX / ISX_ROW_KEY_BYTES ||
	    (left >= ISX_SCAN_TILE && bytes == ISX_SCAN_BYTES_MAX))
		return;
	memset(tile->copy, 0, sizeof tile->copy);
	for (size_t i = 0; i < ISX_SCAN_TILE && i < left; i++)
		isx_scan_copy(tile->copy[i], bodies + i * many->row_bytes, bytes);
	tile->bodies = tile->copy[0];
	tile->row_bytes = ISX_SCAN_BYTES_MAX;
}

/* Find the hits of one query with the kernel for one. */
static inline void isx_scan_one(const struct isx_scan_many *many, struct isx_scan_query *query,
				isx_scan_fn *kernel)
{
	const struct isx_scan scan = { .rows = many->rows,
				       .count = many->count,
				       .row_bytes = many->row_bytes,
				       .query = query->query,
				       .bytes = query->bytes,
				       .distance_max = query->distance_max };
	query->found = kernel(&scan, query->hits);
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
