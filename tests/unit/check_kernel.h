/*
 * check_kernel.h - compare a kernel, for one query and for several, with a bit-by-bit loop, between
 *                  pages that must not be read.
 *
 * It uses no test library, so that tests/arm can run it on an emulated processor.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CHECK_KERNEL_H
#define ISX_CHECK_KERNEL_H

#include "scan/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	CHECK_ROWS_MAX = 67, /* several blocks of any kernel and every rest */
	CHECK_STORED_MAX = 44,
	CHECK_SHIFTS = 8,
	CHECK_BODIES = 8,   /* different queries of one call */
	CHECK_QUERIES = 131 /* of one call: more than any kernel compares at once */
};

/* Where rows lie: their last compared byte is `shift` bytes before the unreadable page behind
 * them, or their first byte is right behind the unreadable page before them. */
enum { CHECK_AT_START = CHECK_SHIFTS, CHECK_PLACES };

struct check {
	const struct isx_kernel *kernel;
	uint64_t seed;
	uint64_t state;
	uint8_t *start; /* of the bytes that may be read */
	uint8_t *end;
	uint8_t *query_end; /* end of the page of the query; the next page is unreadable */
	size_t bytes;
	size_t row_bytes;
	uint8_t query[ISX_SCAN_BYTES_MAX];
	uint8_t rows[CHECK_ROWS_MAX * (ISX_ROW_KEY_BYTES + CHECK_STORED_MAX)];
	uint32_t distances[CHECK_ROWS_MAX]; /* by the bit-by-bit loop */
	struct check_many {
		uint8_t bodies[CHECK_BODIES][ISX_SCAN_BYTES_MAX];
		size_t bytes[CHECK_BODIES];
		uint32_t distances[CHECK_BODIES][CHECK_ROWS_MAX];
		struct isx_scan_query queries[CHECK_QUERIES];
		struct isx_hit hits[CHECK_QUERIES][CHECK_ROWS_MAX + 1];
	} many;
	char why[256]; /* describes the first difference */
};

static inline uint64_t check_random(struct check *check)
{
	uint64_t z = (check->state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static inline uint32_t check_distance(const uint8_t *a, const uint8_t *b, size_t bytes)
{
	uint32_t distance = 0;
	for (size_t bit = 0; bit < 8 * bytes; bit++)
		distance += (a[bit / 8] >> (bit % 8) & 1) != (b[bit / 8] >> (bit % 8) & 1);
	return distance;
}

/* Map two pages for rows and one for the query, each between unreadable pages. False: no memory. */
static inline bool check_open(struct check *check)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, 6 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || mprotect(map + page, 2 * page, PROT_READ | PROT_WRITE) ||
	    mprotect(map + 4 * page, page, PROT_READ | PROT_WRITE))
		return false;
	check->start = map + page;
	check->end = map + 3 * page;
	check->query_end = map + 5 * page;
	return true;
}

static inline void check_close(struct check *check)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	munmap(check->start - page, 6 * page);
}

/* Make a random query, and rows at various distances from it: equal, inverted, and with some bits
 * flipped. Bytes that are not compared are random. */
static inline void check_fill(struct check *check, size_t bytes, size_t stored)
{
	check->bytes = bytes;
	check->row_bytes = ISX_ROW_KEY_BYTES + stored;
	for (size_t i = 0; i < sizeof check->query; i++)
		check->query[i] = (uint8_t)check_random(check);
	for (size_t i = 0; i < sizeof check->rows; i++)
		check->rows[i] = (uint8_t)check_random(check);
	for (size_t row = 0; row < CHECK_ROWS_MAX; row++) {
		uint8_t *body = check->rows + row * check->row_bytes + ISX_ROW_KEY_BYTES;
		const uint64_t kind = check_random(check) % 8;
		memcpy(body, check->query, bytes);
		for (size_t i = 0; i < bytes && kind == 1; i++)
			body[i] = (uint8_t)~body[i];
		const uint64_t flips = kind < 2 ? 0 : check_random(check) % (8 * bytes + 1);
		for (uint64_t i = 0; i < flips; i++) {
			const uint64_t bit = check_random(check) % (8 * bytes);
			body[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
		check->distances[row] = check_distance(body, check->query, bytes);
	}
}

/* Put the first `count` rows in their place. The last one is cut behind its compared bytes. */
static inline const uint8_t *check_place(const struct check *check, size_t count, size_t place)
{
	if (count == 0)
		return check->end;
	const size_t used = (count - 1) * check->row_bytes + ISX_ROW_KEY_BYTES + check->bytes;
	uint8_t *rows = place == CHECK_AT_START ? check->start : check->end - place - used;
	memcpy(rows, check->rows, used);
	return rows;
}

static inline bool check_scan(struct check *check, size_t count, size_t place, const uint8_t *rows,
			      uint32_t distance_max)
{
	const struct isx_hit untouched = { 0xDEADBEEF, 0xDEADBEEF };
	struct isx_hit hits[CHECK_ROWS_MAX + 1];
	struct isx_scan scan = { .rows = rows,
				 .count = count,
				 .row_bytes = check->row_bytes,
				 .query = check->query_end - check->bytes,
				 .bytes = check->bytes,
				 .distance_max = distance_max };
	hits[count] = untouched;
	const size_t found = check->kernel->scan(&scan, hits);
	size_t wanted = 0;
	bool is_equal = memcmp(&hits[count], &untouched, sizeof untouched) == 0;
	for (size_t row = 0; row < count && is_equal; row++) {
		if (check->distances[row] > distance_max)
			continue;
		is_equal = wanted < found && hits[wanted].row == row &&
			   hits[wanted].distance == check->distances[row];
		wanted++;
	}
	if (is_equal && wanted == found)
		return true;
	snprintf(check->why, sizeof check->why,
		 "%s: wrong at hit %zu of %zu: bytes %zu, row_bytes %zu, count %zu, place %zu, "
		 "distance_max %u, ISX_SEED=%llu",
		 check->kernel->name, wanted, found, check->bytes, check->row_bytes, count, place,
		 distance_max, (unsigned long long)check->seed);
	return false;
}

/* Scan the rows as up to five pages, of any number of rows. Nothing behind the first page with a hit counts. */
static inline bool check_scan_pages(struct check *check, size_t count, size_t place,
				    const uint8_t *rows, uint32_t distance_max)
{
	const struct isx_hit untouched = { 0xDEADBEEF, 0xDEADBEEF };
	struct isx_scan_page pages[5];
	struct isx_hit hits[CHECK_ROWS_MAX + 1];
	struct isx_scan_pages scan = { .pages = pages,
				       .page_count = 1 + check_random(check) % 5,
				       .row_bytes = check->row_bytes,
				       .query = check->query_end - check->bytes,
				       .bytes = check->bytes,
				       .distance_max = distance_max };
	size_t row = 0, page = 0, wanted = 0, found = 0xDEAD;
	for (size_t i = 0; i < scan.page_count; i++) {
		size_t left = count - row;
		size_t own = i + 1 < scan.page_count ? check_random(check) % (left + 1) : left;
		pages[i] = (struct isx_scan_page){ rows + row * check->row_bytes, own };
		row += own;
	}
	for (row = 0; page < scan.page_count && !wanted; row += pages[page++].count)
		for (size_t i = 0; i < pages[page].count; i++)
			wanted += check->distances[row + i] <= distance_max;
	const size_t last = pages[page - 1].count;
	hits[last] = untouched;
	const size_t done = check->kernel->scan_pages(&scan, hits, &found);
	bool is_equal = done == page && found == wanted &&
			memcmp(&hits[last], &untouched, sizeof untouched) == 0;
	for (size_t i = 0; i < wanted && is_equal; i++)
		is_equal = hits[i].row < last && (i == 0 || hits[i].row > hits[i - 1].row) &&
			   hits[i].distance <= distance_max &&
			   hits[i].distance == check->distances[row - last + hits[i].row];
	if (!is_equal)
		snprintf(check->why, sizeof check->why,
			 "%s: wrong for page %zu of %zu: bytes %zu, row_bytes %zu, count %zu, "
			 "place %zu, distance_max %u, ISX_SEED=%llu",
			 check->kernel->name, page, scan.page_count, check->bytes, check->row_bytes,
			 count, place, distance_max, (unsigned long long)check->seed);
	return is_equal;
}

/* Make the queries of isx_scan_many_fn: near the rows or random, most as long as the rows, some
 * shorter. The first is the query of the page that ends before an unreadable one. */
static inline void check_fill_many(struct check *check)
{
	for (size_t i = 0; i < CHECK_BODIES; i++) {
		uint8_t *body = check->many.bodies[i];
		for (size_t at = 0; at < ISX_SCAN_BYTES_MAX; at++)
			body[at] = (uint8_t)check_random(check);
		if (i % 2 == 0)
			memcpy(body, check->query, ISX_SCAN_BYTES_MAX);
		if (i)
			body[check_random(check) % check->bytes] ^= 0x11;
		check->many.bytes[i] = i % 4 == 3 ? 1 + check_random(check) % check->bytes
						  : check->bytes;
		for (size_t row = 0; row < CHECK_ROWS_MAX; row++)
			check->many.distances[i][row] = check_distance(
				check->rows + row * check->row_bytes + ISX_ROW_KEY_BYTES, body,
				check->many.bytes[i]);
	}
}

/* Did query number `i` get its hits and nothing else? */
static inline bool check_found(const struct check *check, size_t i, size_t count)
{
	const struct isx_scan_query *query = &check->many.queries[i];
	const uint32_t *distances = check->many.distances[i % CHECK_BODIES];
	size_t wanted = 0;
	if (query->hits[count].row != 0xDEADBEEF || query->hits[count].distance != 0xDEADBEEF)
		return false;
	for (size_t row = 0; row < count; row++) {
		if (distances[row] > query->distance_max)
			continue;
		if (wanted == query->found || query->hits[wanted].row != row ||
		    query->hits[wanted].distance != distances[row])
			return false;
		wanted++;
	}
	return wanted == query->found;
}

static inline bool check_scan_many(struct check *check, size_t count, size_t place,
				   const uint8_t *rows)
{
	static const size_t numbers[] = { 0, 1, 2, 3, 4, 5, 8, 17, 64, 65, CHECK_QUERIES };
	const uint32_t bits = (uint32_t)check->bytes * 8;
	struct isx_scan_many scan = { .rows = rows,
				      .count = count,
				      .row_bytes = check->row_bytes,
				      .queries = check->many.queries };
	scan.query_count = numbers[check_random(check) % (sizeof numbers / sizeof numbers[0])];
	const bool is_strict = check_random(check) % 2; /* no query far from the others */
	for (size_t i = 0; i < scan.query_count; i++) {
		const uint32_t limits[] = { 0,        1,    bits / 8, bits / 4,  bits / 3,
					    bits - 1, bits, 256,      UINT32_MAX };
		const size_t body = i % CHECK_BODIES;
		const uint64_t kind = check_random(check) % (is_strict ? 4 : 9);
		check->many.hits[i][count] = (struct isx_hit){ 0xDEADBEEF, 0xDEADBEEF };
		check->many.queries[i] = (struct isx_scan_query){
			.query = body ? check->many.bodies[body] : check->query_end - check->bytes,
			.bytes = check->many.bytes[body],
			.distance_max = limits[kind],
			.hits = check->many.hits[i],
			.found = 0xDEAD,
		};
	}
	check->kernel->scan_many(&scan);
	for (size_t i = 0; i < scan.query_count; i++) {
		if (check_found(check, i, count))
			continue;
		snprintf(check->why, sizeof check->why,
			 "%s: wrong for query %zu of %zu: bytes %zu of %zu, row_bytes %zu, "
			 "count %zu, place %zu, distance_max %u, ISX_SEED=%llu",
			 check->kernel->name, i, scan.query_count, check->many.queries[i].bytes,
			 check->bytes, check->row_bytes, count, place,
			 check->many.queries[i].distance_max, (unsigned long long)check->seed);
		return false;
	}
	return true;
}

/* Check every number of rows, place and kind of limit, for one length. */
static inline bool check_length(struct check *check, size_t bytes, size_t stored)
{
	const uint32_t bits = (uint32_t)bytes * 8;
	check_fill(check, bytes, stored);
	check_fill_many(check);
	memcpy(check->query_end - bytes, check->query, bytes);
	for (size_t count = 0; count <= CHECK_ROWS_MAX; count++) {
		for (size_t place = 0; place < CHECK_PLACES; place++) {
			const uint8_t *rows = check_place(check, count, place);
			const uint32_t limits[] = {
				0,         1,    (uint32_t)(check_random(check) % (bits + 1)),
				bits - 1,  bits, 256,
				UINT32_MAX
			};
			for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
				if (!check_scan(check, count, place, rows, limits[i]) ||
				    !check_scan_pages(check, count, place, rows, limits[i]))
					return false;
			if (!check_scan_many(check, count, place, rows))
				return false;
		}
	}
	return true;
}

/* Check every length, in stored bodies of every multiple of 4 and some odd lengths. False: `why`
 * tells. */
static inline bool check_kernel(struct check *check, const struct isx_kernel *kernel, uint64_t seed)
{
	check->kernel = kernel;
	check->seed = check->state = seed;
	for (size_t bytes = 1; bytes <= ISX_SCAN_BYTES_MAX; bytes++)
		for (size_t stored = bytes; stored <= CHECK_STORED_MAX; stored++)
			if (stored == bytes || stored % 4 == 0 || stored % 7 == 3)
				if (!check_length(check, bytes, stored))
					return false;
	return true;
}

/* The seed of this run: ISX_SEED, or a fixed one. */
static inline uint64_t check_seed(void)
{
	const char *text = getenv("ISX_SEED");
	return text ? strtoull(text, NULL, 0) : 20261124;
}

#endif
