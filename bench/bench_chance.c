/*
 * bench_chance.c - what significance costs: p-values, the significance of a match, and the sample
 *                  that an index takes of its distances.
 *
 * Prints the processor time of isx_chance_tail_fill() and isx_chance_log_expect(), and for indexes of random
 * assets with 4 units that of sampling all types, as the transaction does that doubles the rows:
 * the median, least and most of 5 turns, none of which is committed.
 *
 *   bench_chance [--assets N]...  (100,000 and 1,000,000)
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/chance.h"
#include "iscc/iscc_id.h"
#include "iscc/unit.h"
#include "iscc_search.h"
#include "scan/kernel.h"
#include "similarity/sim_calibrate.h"
#include "similarity/sim_engine.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TURNS = 5, BATCH = 4096, UNITS = 4, CALLS = 1000 };

static uint64_t random_state = 20261127;

static uint64_t next_random(void)
{
	uint64_t z = (random_state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static void must(enum isx_status st, const struct isx_err *err)
{
	if (st) {
		fprintf(stderr, "bench_chance: %s\n", err->msg);
		exit(1);
	}
}

static int by_value(const void *left, const void *right)
{
	const double *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

/* Of this thread, so that other programs on the machine count little. */
static double cpu_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* --- an index --------------------------------------------------------------------------------- */

/* The unit of a random body of 256 bits. */
static void random_unit(uint32_t maintype, char *text)
{
	struct isx_unit unit = { .header = { .maintype = maintype, .length = 7 },
				 .body_bytes = ISX_BODY_BYTES_MAX };
	for (size_t i = 0; i < ISX_BODY_BYTES_MAX; i++)
		unit.body[i] = (uint8_t)next_random();
	isx_unit_print(&unit, text);
}

static void add_batch(struct isx_store *store, size_t first, size_t count)
{
	static const uint32_t maintypes[UNITS] = { ISX_META, ISX_CONTENT, ISX_DATA, ISX_INSTANCE };
	static struct isx_asset assets[BATCH];
	static char ids[BATCH][ISX_ISCC_ID_TEXT_BYTES], texts[BATCH][UNITS][ISX_UNIT_TEXT_BYTES];
	static const char *units[BATCH][UNITS];
	struct isx_err err;
	for (size_t i = 0; i < count; i++) {
		struct isx_iscc_id id = { .body = (uint64_t)(first + i + 1) << 20 };
		isx_iscc_id_print(&id, ids[i]);
		for (size_t u = 0; u < UNITS; u++) {
			random_unit(maintypes[u], texts[i][u]);
			units[i][u] = texts[i][u];
		}
		assets[i] = (struct isx_asset){ .iscc_id = ids[i],
						.units = units[i],
						.unit_count = UNITS };
	}
	must(isx_add(store, "main", assets, count, NULL, &err), &err);
}

static void fill(const char *uri, size_t count)
{
	struct isx_options options;
	struct isx_store *store;
	struct isx_err err;
	isx_options_init(&options);
	options.relaxed = true;
	must(isx_open(uri, &options, &store, &err), &err);
	must(isx_index_create(store, "main", &err), &err);
	for (size_t i = 0; i < count; i += BATCH)
		add_batch(store, i, count - i < BATCH ? count - i : BATCH);
	isx_close(store);
}

static void measure_sample(size_t count)
{
	char directory[] = "/tmp/isx-bench-XXXXXX", uri[64], path[64];
	struct isx_options options;
	struct isx_lmdb_file *file;
	struct isx_err err;
	double turns[TURNS];
	if (!mkdtemp(directory)) {
		perror("bench_chance");
		exit(1);
	}
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	snprintf(path, sizeof path, "%s/main/index.lmdb", directory);
	double start = cpu_ms();
	fill(uri, count);
	double fill_ms = cpu_ms() - start;
	isx_options_init(&options);
	must(isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, &file, &err), &err);
	for (int i = 0; i < TURNS; i++) {
		struct isx_lmdb_view view;
		must(isx_lmdb_write(file, &view, &err), &err);
		must(isx_distances_clear(&view, &err), &err);
		start = cpu_ms();
		must(isx_sim_put_statistics(&view, &err), &err);
		turns[i] = cpu_ms() - start;
		isx_lmdb_end(&view);
	}
	isx_lmdb_file_close(file);
	qsort(turns, TURNS, sizeof *turns, by_value);
	printf("%8zu assets: sampled in %.0f ms (%.0f..%.0f); added with all samples in %.1f s\n",
	       count, turns[TURNS / 2], turns[0], turns[TURNS - 1], fill_ms / 1e3);
	snprintf(path, sizeof path, "rm -rf '%s'", directory);
	if (system(path))
		fprintf(stderr, "bench_chance: %s is left behind\n", directory);
}

/* --- functions -------------------------------------------------------------------------------- */

static void measure_functions(void)
{
	struct isx_chance_tail tail;
	struct isx_chance_sample sample = { .bits = 256, .pairs = 100 };
	struct isx_chance_part parts[UNITS];
	double sum = 0;
	sample.counts[20] = 100;
	double start = cpu_ms();
	for (int i = 0; i < CALLS; i++) {
		isx_chance_tail_fill(&tail, 256, &sample);
		sum += tail.log_p[i % 256];
	}
	printf("p-values of all distances over 256 bits: %.1f us\n",
	       (cpu_ms() - start) * 1e3 / CALLS);
	start = cpu_ms();
	for (int i = 0; i < CALLS * CALLS; i++) {
		for (uint32_t u = 0; u < UNITS; u++)
			parts[u] = isx_chance_part(&tail, (uint32_t)i % 64, 64, 1000000, 1);
		sum += isx_chance_log_expect(parts, UNITS, UNITS);
	}
	printf("significance of a match in %d types: %.0f ns\n", UNITS,
	       (cpu_ms() - start) * 1e6 / (CALLS * CALLS));
	if (sum == 0) /* so that nothing is optimized away */
		printf("\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "assets", required_argument, NULL, 'a' },
						 { 0 } };
	bool asked = false;
	int option;
	printf("kernel %s, seed %llu\n", isx_kernel_best()->name, (unsigned long long)random_state);
	measure_functions();
	while ((option = getopt_long(argc, argv, "", options, NULL)) == 'a') {
		measure_sample(strtoull(optarg, NULL, 10));
		asked = true;
	}
	if (option != -1) {
		fprintf(stderr, "usage: bench_chance [--assets N]...\n");
		return 2;
	}
	if (!asked) {
		measure_sample(100000);
		measure_sample(1000000);
	}
	return 0;
}
