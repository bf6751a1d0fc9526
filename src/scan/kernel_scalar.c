/*
 * kernel_scalar.c - the reference: tests compare every other kernel with it, bit for bit.
 *
 * Also used where a vector kernel cannot work: for fewer than 8 rows and bodies of less than 4
 * bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scan/kernels.h"

#include <string.h>

uint32_t isx_distance(const uint8_t *a, const uint8_t *b, size_t bytes)
{
	uint32_t distance = 0;
	size_t i = 0;
	for (; i + 8 <= bytes; i += 8) {
		uint64_t x, y;
		memcpy(&x, a + i, sizeof x); /* not a cast: rows start at any byte */
		memcpy(&y, b + i, sizeof y);
		distance += (uint32_t)__builtin_popcountll(x ^ y);
	}
	for (; i < bytes; i++)
		distance += (uint32_t)__builtin_popcount(a[i] ^ b[i]);
	return distance;
}

size_t isx_scan_scalar(const struct isx_scan *scan, struct isx_hit *hits)
{
	const uint8_t *body = scan->rows + ISX_ROW_KEY_BYTES;
	size_t found = 0;
	for (size_t row = 0; row < scan->count; row++, body += scan->row_bytes) {
		uint32_t distance = isx_distance(body, scan->query, scan->bytes);
		if (distance <= scan->distance_max)
			hits[found++] = (struct isx_hit){ (uint32_t)row, distance };
	}
	return found;
}

size_t isx_scan_pages_scalar(const struct isx_scan_pages *scan, struct isx_hit *hits, size_t *found)
{
	return isx_scan_each_page(scan, isx_scan_scalar, hits, found);
}

void isx_scan_many_scalar(const struct isx_scan_many *scan)
{
	for (size_t i = 0; i < scan->query_count; i++)
		isx_scan_one(scan, &scan->queries[i], isx_scan_scalar);
}
