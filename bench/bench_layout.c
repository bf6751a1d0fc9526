/*
 * bench_layout.c - what would another layout of the rows on disk and in memory be worth to a scan?
 *
 * Scans --rows (3,000,000: three unit types of a million assets, more than the cache holds) with the
 * fastest kernel, laid out as rows of 40 bytes (ISCC-ID and body), of 32 (a body apart from its
 * ISCC-ID) and of 24 (the first 192 bits of it apart); in blocks of 4 KiB (a page of LMDB) and of
 * 64 KiB; in a mapped file, in memory, and in memory on huge pages; with the blocks one behind the
 * other, or in random order, as in an index that was filled in random order. Prints the best of
 * --runs (21) turns. A kernel skips the first 8 bytes of a row, so of 32 bytes it compares 24: the
 * bytes that are read are the point.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "scan/kernel.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum place { A_FILE, MEMORY, HUGE_PAGES };

struct shape {
	size_t row_bytes;
	size_t block_bytes;
	enum place place;
	bool is_shuffled;
};

static const struct shape shapes[] = {
	{ 40, 4096, A_FILE, false },     { 40, 4096, MEMORY, false },
	{ 40, 4096, HUGE_PAGES, false }, { 40, 4096, A_FILE, true },
	{ 40, 4096, HUGE_PAGES, true },  { 40, 65536, A_FILE, false },
	{ 40, 65536, A_FILE, true },     { 32, 4096, A_FILE, false },
	{ 32, 65536, A_FILE, false },    { 32, 65536, A_FILE, true },
	{ 24, 65536, A_FILE, false },
};
enum { SHAPES = sizeof shapes / sizeof shapes[0], HITS = 1 << 12 };

static struct layout {
	uint8_t *blocks;
	uint32_t *order;
	size_t block_count;
	double best_ms;
} layouts[SHAPES];

static uint64_t random_state = 20261127;

static uint64_t next_random(void)
{
	uint64_t z = (random_state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static void die(const char *what)
{
	fprintf(stderr, "bench_layout: %s\n", what);
	exit(1);
}

/* Random bytes. The file has no name any more: nothing is left, however this program ends. */
static uint8_t *make_blocks(size_t bytes, enum place place)
{
	char name[] = "/var/tmp/isx-bench-XXXXXX";
	int fd = place == A_FILE ? mkstemp(name) : -1;
	if (place == A_FILE && (fd < 0 || unlink(name) || ftruncate(fd, (off_t)bytes)))
		die("no file in /var/tmp");
	uint8_t *blocks = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			       place == A_FILE ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	if (blocks == MAP_FAILED)
		die("not enough memory");
	if (place == HUGE_PAGES)
		madvise(blocks, bytes, MADV_HUGEPAGE);
	for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
		const uint64_t word = next_random();
		memcpy(blocks + i, &word, sizeof word);
	}
	if (fd >= 0)
		close(fd);
	return blocks;
}

static void make_layout(const struct shape *shape, struct layout *layout, size_t rows)
{
	const size_t block_rows = shape->block_bytes / shape->row_bytes;
	layout->block_count = rows / block_rows;
	layout->blocks = make_blocks(layout->block_count * shape->block_bytes, shape->place);
	layout->order = malloc((layout->block_count + 1) * sizeof *layout->order);
	if (!layout->order)
		die("not enough memory");
	for (size_t i = 0; i < layout->block_count; i++) {
		const size_t other = shape->is_shuffled ? next_random() % (i + 1) : i;
		layout->order[i] = layout->order[other];
		layout->order[other] = (uint32_t)i;
	}
}

static double scan_ms(const struct shape *shape, const struct layout *layout)
{
	static struct isx_hit hits[HITS];
	static const uint8_t query[ISX_SCAN_BYTES_MAX];
	struct isx_scan scan = { .count = shape->block_bytes / shape->row_bytes,
				 .row_bytes = shape->row_bytes,
				 .query = query,
				 .bytes = shape->row_bytes - ISX_ROW_KEY_BYTES,
				 .distance_max = 20 };
	const uint64_t start = isx_clock_ns();
	for (size_t i = 0; i < layout->block_count; i++) {
		scan.rows = layout->blocks + layout->order[i] * shape->block_bytes;
		isx_kernel_best()->scan(&scan, hits);
	}
	return (double)(isx_clock_ns() - start) / 1e6;
}

int main(int argc, char **argv)
{
	static const struct option names[] = { { "rows", required_argument, NULL, 'r' },
					       { "runs", required_argument, NULL, 'n' },
					       { 0 } };
	static const char *const places[] = { "mapped file", "memory", "huge pages" };
	size_t rows = 3000000, runs = 21;
	int option;
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == '?')
			return 2;
		*(option == 'r' ? &rows : &runs) = strtoull(optarg, NULL, 10);
	}
	if (rows < 10000 || rows > 100000000 || runs < 1)
		die("--rows 10000 to 100000000, --runs 1 or more");
	for (size_t i = 0; i < SHAPES; i++) {
		make_layout(&shapes[i], &layouts[i], rows);
		layouts[i].best_ms = scan_ms(&shapes[i], &layouts[i]);
	}
	for (size_t turn = 0; turn < runs; turn++) {
		for (size_t i = 0; i < SHAPES; i++) {
			const double ms = scan_ms(&shapes[i], &layouts[i]);
			layouts[i].best_ms = ms < layouts[i].best_ms ? ms : layouts[i].best_ms;
		}
	}
	printf("%zu rows, kernel %s\n", rows, isx_kernel_best()->name);
	for (size_t i = 0; i < SHAPES; i++)
		printf("  rows of %2zu bytes, blocks of %2zu KiB, %-11s, %-15s %7.2f ms\n",
		       shapes[i].row_bytes, shapes[i].block_bytes / 1024, places[shapes[i].place],
		       shapes[i].is_shuffled ? "in random order" : "in order", layouts[i].best_ms);
	return 0;
}
