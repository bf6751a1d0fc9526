/*
 * bench_passages.c - add assets with many simprints, and search for assets that share passages.
 *
 * Adds --simprints (1,000,000) random 128-bit simprints, 50 an asset, then asks with 1, 20 and 200
 * simprints, a tenth of them near stored ones (8 of 128 bits flipped), and reports the median time,
 * pairs compared per second, and the memory of the process that is its own. Then asks with 64
 * queries in one call, which share passes. Prints kernel and seed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/mem.h"
#include "iscc/base32.h"
#include "iscc/iscc_id.h"
#include "iscc_search.h"
#include "scan/kernel.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYTES = 16, PER_ASSET = 50, BATCH = 2000, TEXT_BYTES = 24, RUNS = 7, FLIPPED_BITS = 8 };

static const uint64_t seed = 20261124;

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static void die(const char *what, const struct isx_err *err)
{
	fprintf(stderr, "%s: %s\n", what, err->msg);
	exit(1);
}

/* The bits of stored simprint `number`, the same in every run. */
static void simprint_of(uint64_t number, uint8_t bytes[BYTES])
{
	uint64_t state = seed ^ number * 0xD1342543DE82EF95u;
	for (size_t i = 0; i < BYTES; i += 8) {
		uint64_t word = next_random(&state);
		memcpy(bytes + i, &word, 8);
	}
}

static void add_batch(struct isx_store *store, uint64_t first_asset, size_t assets)
{
	struct isx_asset *list = isx_mem_array(assets, sizeof *list);
	struct isx_simprint *simprints = isx_mem_array(assets * PER_ASSET, sizeof *simprints);
	char(*texts)[TEXT_BYTES] = isx_mem_array(assets * PER_ASSET, sizeof *texts);
	char(*ids)[ISX_ISCC_ID_TEXT_BYTES] = isx_mem_array(assets, sizeof *ids);
	struct isx_err err;
	for (size_t i = 0; i < assets; i++) {
		struct isx_iscc_id id = { .body = (first_asset + i + 1) << 20, .version = 1 };
		isx_iscc_id_print(&id, ids[i]);
		for (size_t k = 0; k < PER_ASSET; k++) {
			uint8_t bytes[BYTES];
			size_t at = i * PER_ASSET + k;
			simprint_of((first_asset + i) * PER_ASSET + k, bytes);
			isx_base64_encode(bytes, BYTES, texts[at]);
			simprints[at] = (struct isx_simprint){ "CONTENT_TEXT_V0", texts[at],
							       (uint32_t)k * 500, 500 };
		}
		list[i] = (struct isx_asset){ .iscc_id = ids[i],
					      .simprints = &simprints[i * PER_ASSET],
					      .simprint_count = PER_ASSET };
	}
	if (isx_add(store, "main", list, assets, NULL, &err))
		die("add", &err);
	isx_mem_free(list);
	isx_mem_free(simprints);
	isx_mem_free(texts);
	isx_mem_free(ids);
}

static int ascending(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a > b) - (a < b);
}

/* Ask `queries` times with `count` simprints each, in one call. */
static void ask(struct isx_store *store, uint64_t stored, size_t count, size_t queries)
{
	char(*texts)[TEXT_BYTES] = isx_mem_array(queries * count, sizeof *texts);
	const char **values = isx_mem_array(queries * count, sizeof *values);
	struct isx_query_simprints *types = isx_mem_array(queries, sizeof *types);
	struct isx_query *list = isx_mem_array(queries, sizeof *list);
	struct isx_result **results = isx_mem_array(queries, sizeof(struct isx_result *));
	uint64_t times[RUNS], state = seed;
	size_t matches = 0;
	if (!texts || !values || !types || !list || !results)
		die("ask", &(struct isx_err){ .msg = "no memory" });
	for (size_t i = 0; i < queries * count; i++) {
		uint8_t bytes[BYTES];
		bool near = i % 10 == 0;
		simprint_of(near ? next_random(&state) % stored : stored + i, bytes);
		for (int flip = 0; near && flip < FLIPPED_BITS; flip++) {
			uint64_t bit = next_random(&state) % (8 * BYTES);
			bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
		isx_base64_encode(bytes, BYTES, texts[i]);
		values[i] = texts[i];
	}
	for (size_t i = 0; i < queries; i++) {
		types[i] = (struct isx_query_simprints){ "CONTENT_TEXT_V0", values + i * count,
							 count };
		list[i] = (struct isx_query){ .simprints = &types[i],
					      .simprint_type_count = 1,
					      .limit = 100 };
	}
	for (size_t run = 0; run < RUNS; run++) {
		struct isx_err err;
		uint64_t start = isx_clock_ns();
		if (isx_search_many(store, "main", list, queries, results, NULL, &err))
			die("search", &err);
		times[run] = isx_clock_ns() - start;
		matches = 0;
		for (size_t i = 0; i < queries; i++) {
			matches += results[i]->chunk_match_count;
			isx_result_free(results[i]);
		}
	}
	qsort(times, RUNS, sizeof times[0], ascending);
	double seconds = (double)times[RUNS / 2] / 1e9;
	printf("  %2zu x %3zu simprints asked: %8.1f ms (%.1f to %.1f), %.0f million pairs/s, %zu "
	       "assets found\n",
	       queries, count, seconds * 1e3, (double)times[0] / 1e6, (double)times[RUNS - 1] / 1e6,
	       (double)stored * (double)(queries * count) / seconds / 1e6, matches);
	isx_mem_free(texts);
	isx_mem_free(values);
	isx_mem_free(types);
	isx_mem_free(list);
	isx_mem_free(results);
}

static void print_memory(void)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof line, status))
		if (strncmp(line, "RssAnon", 7) == 0)
			printf("  %s", line);
	if (status)
		fclose(status);
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
	(void)stat, (void)kind, (void)where;
	return remove(path);
}

int main(int argc, char **argv)
{
	char directory[] = "/var/tmp/isx-bench-XXXXXX", uri[64];
	struct isx_store *store;
	struct isx_index_info info;
	struct isx_err err;
	uint64_t simprints = 1000000;
	if (argc == 3 && strcmp(argv[1], "--simprints") == 0)
		simprints = strtoull(argv[2], NULL, 10);
	uint64_t assets = simprints / PER_ASSET;
	printf("kernel %s, seed %llu, %ld cores\n", isx_kernel_best()->name,
	       (unsigned long long)seed, sysconf(_SC_NPROCESSORS_ONLN));
	if (!mkdtemp(directory))
		return 1;
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	if (isx_open(uri, NULL, &store, &err) || isx_index_create(store, "main", &err))
		die("open", &err);
	uint64_t start = isx_clock_ns();
	for (uint64_t at = 0; at < assets; at += BATCH)
		add_batch(store, at, assets - at < BATCH ? (size_t)(assets - at) : BATCH);
	double seconds = (double)(isx_clock_ns() - start) / 1e9;
	if (isx_index_stat(store, "main", &info, &err))
		die("stat", &err);
	printf("%llu simprints of 128 bits, 50 an asset: %.1f s, %.0f assets/s, %.0f bytes of file "
	       "a simprint\n",
	       (unsigned long long)simprints, seconds, (double)assets / seconds,
	       (double)info.bytes / (double)simprints);
	isx_index_info_release(&info);
	isx_close(store);
	if (isx_open(uri, NULL, &store, &err))
		die("open", &err);
	ask(store, simprints, 1, 1);
	ask(store, simprints, 20, 1);
	ask(store, simprints, 200, 1);
	ask(store, simprints, 1, 64);
	ask(store, simprints, 20, 64);
	print_memory();
	isx_close(store);
	nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
