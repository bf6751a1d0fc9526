/*
 * bench_passage_algorithms.c - ways to find all stored 128-bit simprints within 32 bits of those
 *                              of a query, in memory: why the engine scans in blocks.
 *
 *   passes   one pass over all rows for each query simprint
 *   blocks   one pass; each block of rows (a page) is compared with all query simprints while it
 *            is in the cache
 *   prefix   as blocks, but the first 64 bits are compared first, and the rest only of rows that
 *            pass
 *   mih      multi-index hashing: 8 parts of 16 bits, one of which differs in at most 4 bits by the
 *            pigeonhole principle; candidates from 8 x 2,517 buckets are verified
 *
 * All are exact; the program checks that they agree. --rows (1,000,000), --queries (200). Prints
 * the seed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/mem.h"
#include "scan/kernel.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BYTES = 16,
	ROW = 24,
	RADIUS = 32,
	BLOCK = 128,
	PARTS = 8,
	PART_RADIUS = 4,
	BUCKETS = 65536
};

static const uint64_t seed = 20261124;

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

struct data {
	uint8_t *rows; /* 8-byte key, 16-byte simprint */
	size_t count;
	uint8_t (*queries)[BYTES];
	size_t query_count;
	struct isx_hit *hits;
};

static size_t scan(const struct data *data, size_t first, size_t count, const uint8_t *query,
		   size_t bytes)
{
	const struct isx_scan scan = { .rows = data->rows + first * ROW,
				       .count = count,
				       .row_bytes = ROW,
				       .query = query,
				       .bytes = bytes,
				       .distance_max = RADIUS };
	return isx_kernel_best()->scan(&scan, data->hits);
}

static size_t by_passes(const struct data *data)
{
	size_t found = 0;
	for (size_t q = 0; q < data->query_count; q++)
		found += scan(data, 0, data->count, data->queries[q], BYTES);
	return found;
}

static size_t block_rows(const struct data *data, size_t first)
{
	return data->count - first < BLOCK ? data->count - first : BLOCK;
}

static size_t by_blocks(const struct data *data)
{
	size_t found = 0;
	for (size_t first = 0; first < data->count; first += BLOCK)
		for (size_t q = 0; q < data->query_count; q++)
			found += scan(data, first, block_rows(data, first), data->queries[q],
				      BYTES);
	return found;
}

static size_t by_prefix(const struct data *data)
{
	size_t found = 0;
	for (size_t first = 0; first < data->count; first += BLOCK) {
		for (size_t q = 0; q < data->query_count; q++) {
			size_t left = scan(data, first, block_rows(data, first), data->queries[q],
					   8);
			for (size_t i = 0; i < left; i++) {
				const uint8_t *body = data->rows +
						      (first + data->hits[i].row) * ROW + 8;
				found += isx_distance(body, data->queries[q], BYTES) <= RADIUS;
			}
		}
	}
	return found;
}

/* --- multi-index hashing ------------------------------------------------------------------------
 */

struct part_index {
	uint32_t *starts; /* BUCKETS + 1 */
	uint32_t *rows;   /* by bucket */
};

static uint32_t part_of(const uint8_t *body, size_t part)
{
	return (uint32_t)body[2 * part] << 8 | body[2 * part + 1];
}

static struct part_index make_index(const struct data *data, size_t part)
{
	struct part_index index = { isx_mem_array(BUCKETS + 1, sizeof(uint32_t)),
				    isx_mem_array(data->count, sizeof(uint32_t)) };
	for (size_t i = 0; i < data->count; i++)
		index.starts[part_of(data->rows + i * ROW + 8, part) + 1]++;
	for (size_t i = 0; i < BUCKETS; i++)
		index.starts[i + 1] += index.starts[i];
	uint32_t *next = isx_mem_array(BUCKETS, sizeof *next);
	memcpy(next, index.starts, BUCKETS * sizeof *next);
	for (size_t i = 0; i < data->count; i++)
		index.rows[next[part_of(data->rows + i * ROW + 8, part)]++] = (uint32_t)i;
	isx_mem_free(next);
	return index;
}

static size_t probe(const struct data *data, const struct part_index *indexes,
		    const uint16_t *masks, size_t mask_count, const uint8_t *query, uint32_t *seen,
		    uint32_t stamp)
{
	size_t found = 0;
	for (size_t part = 0; part < PARTS; part++) {
		for (size_t m = 0; m < mask_count; m++) {
			uint32_t bucket = part_of(query, part) ^ masks[m];
			for (uint32_t at = indexes[part].starts[bucket];
			     at < indexes[part].starts[bucket + 1]; at++) {
				uint32_t row = indexes[part].rows[at];
				if (seen[row] == stamp)
					continue;
				seen[row] = stamp;
				found += isx_distance(data->rows + row * (size_t)ROW + 8, query,
						      BYTES) <= RADIUS;
			}
		}
	}
	return found;
}

static size_t by_hashing(const struct data *data, double *build_ms)
{
	struct part_index indexes[PARTS];
	uint16_t *masks = isx_mem_array(BUCKETS, sizeof *masks);
	uint32_t *seen = isx_mem_array(data->count, sizeof *seen);
	size_t mask_count = 0, found = 0;
	uint64_t start = isx_clock_ns();
	for (size_t part = 0; part < PARTS; part++)
		indexes[part] = make_index(data, part);
	*build_ms = (double)(isx_clock_ns() - start) / 1e6;
	for (uint32_t mask = 0; mask < BUCKETS; mask++)
		if (__builtin_popcount(mask) <= PART_RADIUS)
			masks[mask_count++] = (uint16_t)mask;
	for (size_t q = 0; q < data->query_count; q++)
		found += probe(data, indexes, masks, mask_count, data->queries[q], seen,
			       (uint32_t)q + 1);
	for (size_t part = 0; part < PARTS; part++) {
		isx_mem_free(indexes[part].starts);
		isx_mem_free(indexes[part].rows);
	}
	isx_mem_free(masks);
	isx_mem_free(seen);
	return found;
}

/* --- the comparison ------------------------------------------------------------------------------
 */

static void report(const struct data *data, const char *name, double ms, size_t found)
{
	printf("  %-7s %9.1f ms, %6.0f million pairs/s, %zu found\n", name, ms,
	       (double)data->count * (double)data->query_count / ms / 1e3, found);
}

static size_t measure(const struct data *data, const char *name, size_t (*run)(const struct data *))
{
	uint64_t start = isx_clock_ns();
	size_t found = run(data);
	report(data, name, (double)(isx_clock_ns() - start) / 1e6, found);
	return found;
}

static void fill(struct data *data)
{
	uint64_t state = seed;
	for (size_t i = 0; i < data->count * ROW; i += 8) {
		uint64_t word = next_random(&state);
		memcpy(data->rows + i, &word, 8);
	}
	for (size_t q = 0; q < data->query_count; q++) { /* every tenth is near a stored simprint */
		for (size_t i = 0; i < BYTES; i++)
			data->queries[q][i] = (uint8_t)next_random(&state);
		if (q % 10 == 0) {
			size_t row = next_random(&state) % data->count;
			memcpy(data->queries[q], data->rows + row * ROW + 8, BYTES);
			for (int flip = 0; flip < 8; flip++) {
				uint64_t bit = next_random(&state) % (8 * BYTES);
				data->queries[q][bit / 8] ^= (uint8_t)(1u << (bit % 8));
			}
		}
	}
}

int main(int argc, char **argv)
{
	struct data data = { .count = 1000000, .query_count = 200 };
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--rows") == 0)
			data.count = strtoull(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "--queries") == 0)
			data.query_count = strtoull(argv[i + 1], NULL, 10);
	}
	data.rows = isx_mem_array(data.count, ROW);
	data.queries = isx_mem_array(data.query_count, BYTES);
	data.hits = isx_mem_array(data.count, sizeof *data.hits);
	if (!data.rows || !data.queries || !data.hits)
		return 1;
	fill(&data);
	printf("kernel %s, seed %llu, %zu rows of 128 bits, %zu query simprints, radius %d bits\n",
	       isx_kernel_best()->name, (unsigned long long)seed, data.count, data.query_count,
	       RADIUS);
	double build_ms;
	size_t found = measure(&data, "passes", by_passes);
	bool agree = measure(&data, "blocks", by_blocks) == found;
	agree &= measure(&data, "prefix", by_prefix) == found;
	uint64_t start = isx_clock_ns();
	size_t hashed = by_hashing(&data, &build_ms);
	report(&data, "mih", (double)(isx_clock_ns() - start) / 1e6 - build_ms, hashed);
	printf("          (its tables took %.0f ms to build and 32 bytes a row)\n", build_ms);
	isx_mem_free(data.rows);
	isx_mem_free(data.queries);
	isx_mem_free(data.hits);
	if (!agree || hashed != found)
		printf("they do not agree\n");
	return !agree || hashed != found;
}
