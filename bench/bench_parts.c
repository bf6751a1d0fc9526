/*
 * bench_parts.c - would tables of parts of bodies find near rows faster than a scan?
 *
 * A body of 256 bits is cut into parts. A row that differs in at most d bits differs in at most
 * d / parts bits in one of them (the pigeonhole principle). So a table per part, ordered by its
 * bits, finds every row within d bits: each value near the query's part is looked up, and the rows
 * there are compared. The tables lie in memory here, which is the best case.
 *
 * Prints, for each score, the time of a query by the fastest kernel over all rows, by the kernel for
 * 64 queries at once, and by tables of 13 and 16 parts; and how many rows are compared. All must find
 * the same rows. Half of the queries are stored bodies with up to d bits flipped, the others random.
 *
 *   bench_parts [--rows N] [--assets FILE]
 *     --rows    random bodies (1,000,000)
 *     --assets  instead, the bodies of 256 bits in this file of JSON lines, one asset each
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/span.h"
#include "iscc/unit.h"
#include "scan/kernel.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BITS = 256,
	BYTES = BITS / 8,
	ROW_BYTES = ISX_ROW_KEY_BYTES + BYTES,
	PARTS_MAX = 16,
	QUERIES = 64,
	TURNS = 5,
	KEYS_MAX = 200000
};

static struct {
	uint8_t *rows;
	size_t count;
	uint8_t queries[QUERIES][BYTES];
	struct isx_hit *hits;
} data;

/* The rows in the order of one part of their bodies. */
struct table {
	unsigned first_bit, bits;
	uint32_t *start; /* of each value, in `order`; one more than values */
	uint32_t *order;
};

static struct table tables[PARTS_MAX];
static size_t part_count;
static uint32_t keys[KEYS_MAX];
static uint64_t random_state = 20261127;

static uint64_t next_random(void)
{
	uint64_t z = (random_state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static void *must_allocate(size_t bytes)
{
	void *memory = malloc(bytes + 64);
	if (!memory) {
		fprintf(stderr, "bench_parts: not enough memory\n");
		exit(1);
	}
	return memory;
}

static uint8_t *body_of(size_t row)
{
	return data.rows + row * ROW_BYTES + ISX_ROW_KEY_BYTES;
}

/* --- tables ----------------------------------------------------------------------------------- */

/* The bits of a part, at most 20. */
static uint32_t part_of(const uint8_t *body, const struct table *table)
{
	uint64_t word = 0;
	const size_t byte = table->first_bit / 8;
	for (size_t i = 0; i < 4; i++)
		word = word << 8 | (byte + i < BYTES ? body[byte + i] : 0);
	return (uint32_t)(word >> (32 - table->first_bit % 8 - table->bits)) &
	       ((1u << table->bits) - 1);
}

static void make_tables(size_t parts)
{
	part_count = parts;
	for (size_t i = 0; i < parts; i++) {
		struct table *table = &tables[i];
		table->first_bit = (unsigned)(i * BITS / parts);
		table->bits = (unsigned)((i + 1) * BITS / parts) - table->first_bit;
		const size_t values = (size_t)1 << table->bits;
		table->start = must_allocate((values + 1) * sizeof *table->start);
		table->order = must_allocate(data.count * sizeof *table->order);
		memset(table->start, 0, (values + 1) * sizeof *table->start);
		for (size_t row = 0; row < data.count; row++)
			table->start[part_of(body_of(row), table) + 1]++;
		for (size_t value = 0; value < values; value++)
			table->start[value + 1] += table->start[value];
		for (size_t row = 0; row < data.count; row++)
			table->order[table->start[part_of(body_of(row), table)]++] = (uint32_t)row;
		for (size_t value = values; value > 0; value--)
			table->start[value] = table->start[value - 1];
		table->start[0] = 0;
	}
}

static void release_tables(void)
{
	for (size_t i = 0; i < part_count; i++) {
		free(tables[i].start);
		free(tables[i].order);
	}
}

/* All values that differ from `value` in at most `radius` of the bits from `bit` on. */
static size_t near_values(uint32_t value, unsigned bit, unsigned bits, size_t radius, size_t count)
{
	keys[count++] = value;
	for (unsigned i = bit; radius > 0 && i < bits; i++)
		count = near_values(value ^ 1u << i, i + 1, bits, radius - 1, count);
	return count;
}

/* Compare the rows that one table has for values near the query's. Memory is asked for ahead. */
static size_t look_up(const struct table *table, const uint8_t *query, uint32_t distance_max,
		      size_t found, size_t *compared)
{
	enum { AHEAD = 16 };
	const size_t radius = distance_max / part_count;
	const size_t count = near_values(part_of(query, table), 0, table->bits, radius, 0);
	for (size_t i = 0; i < count + AHEAD; i++) {
		if (i < count)
			__builtin_prefetch(&table->start[keys[i]]);
		if (i >= AHEAD / 2 && i - AHEAD / 2 < count)
			__builtin_prefetch(&table->order[table->start[keys[i - AHEAD / 2]]]);
		if (i < AHEAD)
			continue;
		const uint32_t key = keys[i - AHEAD], end = table->start[key + 1];
		for (uint32_t at = table->start[key]; at < end; at++) {
			if (at + 8 < end)
				__builtin_prefetch(body_of(table->order[at + 8]));
			const uint32_t row = table->order[at],
				       distance = isx_distance(body_of(row), query, BYTES);
			if (distance <= distance_max)
				data.hits[found++] = (struct isx_hit){ row, distance };
		}
		*compared += end - table->start[key];
	}
	return found;
}

static int by_row(const void *left, const void *right)
{
	const uint32_t a = ((const struct isx_hit *)left)->row,
		       b = ((const struct isx_hit *)right)->row;
	return (a > b) - (a < b);
}

/* A row may be found in several tables. Returns the hits, each once and in the order of rows. */
static size_t find_by_parts(const uint8_t *query, uint32_t distance_max, size_t *compared)
{
	size_t found = 0, kept = 0;
	for (size_t i = 0; i < part_count; i++)
		found = look_up(&tables[i], query, distance_max, found, compared);
	qsort(data.hits, found, sizeof *data.hits, by_row);
	for (size_t i = 0; i < found; i++)
		if (i == 0 || data.hits[i].row != data.hits[i - 1].row)
			data.hits[kept++] = data.hits[i];
	return kept;
}

/* --- rows and queries ------------------------------------------------------------------------- */

static void make_random(size_t rows)
{
	data.count = rows;
	data.rows = must_allocate(rows * ROW_BYTES);
	for (size_t i = 0; i < rows * ROW_BYTES; i += 8) {
		const uint64_t word = next_random();
		memcpy(data.rows + i, &word, sizeof word);
	}
}

/* Every text of a line that is a unit of 256 bits and compared by similarity. */
static void read_assets(const char *path)
{
	enum { ROWS_MAX = 1000000, LINE_MAX_BYTES = 1 << 20 };
	char *line = must_allocate(LINE_MAX_BYTES);
	FILE *file = fopen(path, "r");
	data.rows = must_allocate((size_t)ROWS_MAX * ROW_BYTES);
	while (file && fgets(line, LINE_MAX_BYTES, file)) {
		char *at = line;
		while ((at = strstr(at, "\"ISCC:")) && data.count < ROWS_MAX) {
			struct isx_unit unit;
			char *end = strchr(++at, '"');
			if (end &&
			    !isx_unit_read((struct isx_span){ at, (size_t)(end - at) }, &unit,
					   NULL) &&
			    unit.body_bytes == BYTES && !isx_unit_is_instance(&unit) &&
			    unit.header.maintype <= ISX_DATA)
				memcpy(body_of(data.count++), unit.body, BYTES);
		}
	}
	if (file)
		fclose(file);
	free(line);
}

static void make_queries(uint32_t distance_max)
{
	for (size_t i = 0; i < QUERIES; i++) {
		for (size_t at = 0; at < BYTES; at++)
			data.queries[i][at] = (uint8_t)next_random();
		if (i % 2)
			continue;
		memcpy(data.queries[i], body_of(next_random() % data.count), BYTES);
		for (uint64_t flips = next_random() % (distance_max + 1); flips > 0; flips--) {
			const uint64_t bit = next_random() % BITS;
			data.queries[i][bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* --- measuring -------------------------------------------------------------------------------- */

static size_t scan_all(const uint8_t *query, uint32_t distance_max)
{
	const struct isx_scan scan = {
		data.rows, data.count, ROW_BYTES, query, BYTES, distance_max
	};
	return isx_kernel_best()->scan(&scan, data.hits);
}

/* Page by page, as a search does it. */
static size_t scan_together(uint32_t distance_max)
{
	enum { PAGE = 102 };
	static struct isx_hit hits[QUERIES][PAGE];
	struct isx_scan_query queries[QUERIES];
	size_t found = 0;
	for (size_t i = 0; i < QUERIES; i++)
		queries[i] = (struct isx_scan_query){ data.queries[i], BYTES, distance_max, hits[i],
						      0 };
	for (size_t row = 0; row < data.count; row += PAGE) {
		const size_t left = data.count - row;
		const struct isx_scan_many scan = { data.rows + row * ROW_BYTES,
						    left < PAGE ? left : PAGE, ROW_BYTES, QUERIES,
						    queries };
		isx_kernel_best()->scan_many(&scan);
		for (size_t i = 0; i < QUERIES; i++)
			found += queries[i].found;
	}
	return found;
}

enum way { SCAN, TOGETHER, PARTS };

/* Microseconds of a query, the best turn.
 *   found, compared  filled: of all queries */
static double time_queries(enum way way, uint32_t distance_max, size_t *found, size_t *compared)
{
	double best = 1e18;
	for (size_t turn = 0; turn < TURNS; turn++) {
		const uint64_t start = isx_clock_ns();
		*found = way == TOGETHER ? scan_together(distance_max) : 0;
		*compared = 0;
		for (size_t i = 0; i < QUERIES && way != TOGETHER; i++)
			*found += way == SCAN
					  ? scan_all(data.queries[i], distance_max)
					  : find_by_parts(data.queries[i], distance_max, compared);
		const double us = (double)(isx_clock_ns() - start) / 1e3 / QUERIES;
		best = us < best ? us : best;
	}
	return best;
}

static void compare(double score)
{
	const uint32_t distance_max = (uint32_t)((1 - score) * BITS + 1e-9);
	size_t found, also, compared;
	make_queries(distance_max);
	printf("score %.2f, %2u bits: scan %8.1f us", score, distance_max,
	       time_queries(SCAN, distance_max, &found, &compared));
	printf(", 64 together %7.1f us", time_queries(TOGETHER, distance_max, &also, &compared));
	for (size_t parts = 13; parts <= PARTS_MAX && also == found; parts += 3) {
		make_tables(parts);
		const double us = time_queries(PARTS, distance_max, &also, &compared);
		printf(", %zu parts %8.1f us (%zu rows)", parts, us, compared / QUERIES);
		release_tables();
	}
	printf(", %zu hits\n", found);
	if (also != found) {
		fprintf(stderr, "bench_parts: %zu hits instead of %zu\n", also, found);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static const struct option names[] = { { "rows", required_argument, NULL, 'r' },
					       { "assets", required_argument, NULL, 'a' },
					       { 0 } };
	static const double scores[] = { 0.80, 0.85, 0.90, 0.95, 1.0 };
	size_t rows = 1000000;
	const char *assets = NULL;
	int option;
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'r')
			rows = strtoull(optarg, NULL, 10);
		else if (option == 'a')
			assets = optarg;
		else
			return 2;
	}
	if (assets)
		read_assets(assets);
	else if (rows <= UINT32_MAX)
		make_random(rows);
	if (data.count == 0) {
		fprintf(stderr, "bench_parts: no bodies of 256 bits\n");
		return 1;
	}
	data.hits = must_allocate(data.count * PARTS_MAX * sizeof *data.hits);
	printf("%zu bodies, %s, kernel %s\n", data.count, assets ? "of the file" : "random",
	       isx_kernel_best()->name);
	for (size_t i = 0; i < sizeof scores / sizeof scores[0]; i++)
		compare(scores[i]);
	return 0;
}
