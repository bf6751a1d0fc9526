/*
 * bench_store.c - add assets from JSON lines, and search them.
 *
 * Makes --assets (1,000,000) assets of 4 random 256-bit units as JSON lines in memory, reads them
 * with the reader of the REST API and adds them in batches: parsing in one thread, adding in
 * another, as the command line does. With ids ascending, and in random order. Then searches 3
 * units (META, CONTENT, DATA) of stored assets with some bits flipped, and reports p50, p99, and
 * the anonymous memory of the process, which leaves out the pages of the file. Prints machine,
 * kernel and seed.
 *
 * With --postgres URI it does the same in usearch:// and in a database (where it replaces the
 * index "main"): adding, loading a follower, getting one asset (a trip to the server and back),
 * searching.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/mem.h"
#include "iscc/iscc_id.h"
#include "iscc/unit.h"
#include "scan/kernel.h"
#include "json/wire.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TYPES = 4, BATCH = 20000, SEARCHES = 200, FLIPPED_BITS = 20 };

static const uint32_t types[TYPES] = { ISX_META, ISX_CONTENT, ISX_DATA, ISX_INSTANCE };
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

/* The body of one unit of asset `number`, the same in every run. */
static void body_of(uint64_t number, size_t type, uint8_t body[32])
{
	uint64_t state = seed ^ (number * TYPES + type) * 0xD1342543DE82EF95u;
	for (size_t i = 0; i < 4; i++) {
		uint64_t word = next_random(&state);
		memcpy(body + 8 * i, &word, 8);
	}
}

static void unit_text(size_t type, const uint8_t body[32], char *text)
{
	struct isx_unit unit = { .header = { .maintype = types[type], .length = 7 },
				 .body_bytes = 32 };
	memcpy(unit.body, body, 32);
	isx_unit_print(&unit, text);
}

static void id_text(uint64_t number, char *text)
{
	struct isx_iscc_id id = { .body = (1735689600000000u + number * 1000) << 12, .version = 1 };
	isx_iscc_id_print(&id, text);
}

/* Append asset `number` as one line of JSON. */
static void add_line(struct isx_buf *lines, uint64_t number)
{
	char texts[TYPES][ISX_UNIT_TEXT_BYTES], id[ISX_ISCC_ID_TEXT_BYTES];
	uint8_t body[32];
	id_text(number, id);
	for (size_t t = 0; t < TYPES; t++) {
		body_of(number, t, body);
		unit_text(t, body, texts[t]);
	}
	isx_buf_printf(lines,
		       "{\"iscc_id\":\"%s\",\"units\":[\"%s\",\"%s\",\"%s\",\"%s\"],"
		       "\"metadata\":{\"name\":\"Document "
		       "%llu\",\"source\":\"https://example.com/%llu\"}}\n",
		       id, texts[0], texts[1], texts[2], texts[3], (unsigned long long)number,
		       (unsigned long long)number);
}

struct batch {
	struct isx_arena arena;
	struct isx_asset *assets;
	size_t count;
	struct isx_store *store;
	pthread_t thread;
	bool running;
};

static void *add_batch(void *arg)
{
	struct batch *batch = arg;
	struct isx_err err = { 0 };
	if (isx_add(batch->store, "main", batch->assets, batch->count, NULL, &err))
		die("add", &err);
	return NULL;
}

static void finish_batch(struct batch *batch)
{
	if (batch->running)
		pthread_join(batch->thread, NULL);
	batch->running = false;
	isx_arena_release(&batch->arena);
	batch->count = 0;
}

/* Read all lines and add them. Returns seconds. */
static double ingest(struct isx_store *store, struct isx_span lines)
{
	struct batch batches[2] = { { .store = store }, { .store = store } };
	uint64_t start = isx_clock_ns();
	for (size_t turn = 0; lines.len; turn ^= 1) {
		struct batch *batch = &batches[turn];
		finish_batch(batch);
		batch->assets = isx_arena_alloc(&batch->arena, BATCH, sizeof *batch->assets);
		for (; lines.len && batch->count < BATCH; batch->count++) {
			const char *end = memchr(lines.ptr, '\n', lines.len);
			struct isx_span line = { lines.ptr, (size_t)(end - lines.ptr) };
			struct isx_problems problems = { 0 };
			struct isx_err err = { 0 };
			if (isx_asset_from_json(line, &batch->arena, &batch->assets[batch->count],
						&problems, &err))
				die("read", &err);
			lines = isx_span_skip(lines, line.len + 1);
		}
		if (batches[turn ^ 1].running) {
			pthread_join(batches[turn ^ 1].thread, NULL);
			batches[turn ^ 1].running = false;
		}
		batch->running = pthread_create(&batch->thread, NULL, add_batch, batch) == 0;
	}
	finish_batch(&batches[0]);
	finish_batch(&batches[1]);
	return (double)(isx_clock_ns() - start) / 1e9;
}

static int ascending(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a > b) - (a < b);
}

static void search(struct isx_store *store, uint64_t assets)
{
	uint64_t times[SEARCHES], state = seed;
	for (size_t i = 0; i < SEARCHES; i++) {
		char texts[3][ISX_UNIT_TEXT_BYTES], id[ISX_ISCC_ID_TEXT_BYTES];
		const char *units[3];
		uint8_t body[32];
		struct isx_err err = { 0 };
		struct isx_result *result;
		uint64_t number = next_random(&state) % assets;
		for (size_t t = 0; t < 3; t++) {
			body_of(number, t, body);
			for (int flip = 0; flip < FLIPPED_BITS; flip++) {
				uint64_t bit = next_random(&state) % 256;
				body[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			}
			unit_text(t, body, texts[t]);
			units[t] = texts[t];
		}
		struct isx_query query = { .units = units, .unit_count = 3, .limit = 10 };
		uint64_t start = isx_clock_ns();
		if (isx_search(store, "main", &query, &result, &err))
			die("search", &err);
		times[i] = isx_clock_ns() - start;
		id_text(number, id);
		if (result->match_count == 0 || strcmp(result->matches[0].iscc_id, id) != 0) {
			fprintf(stderr, "search: %s is not the first\n", id);
			exit(1);
		}
		isx_result_free(result);
	}
	qsort(times, SEARCHES, sizeof times[0], ascending);
	printf("  search of 3 units, %d times: p50 %.2f ms, p99 %.2f ms\n", SEARCHES,
	       (double)times[SEARCHES / 2] / 1e6, (double)times[SEARCHES * 99 / 100] / 1e6);
}

static void print_memory(void)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof line, status))
		if (strncmp(line, "RssAnon", 7) == 0 || strncmp(line, "RssFile", 7) == 0)
			printf("  %s", line);
	if (status)
		fclose(status);
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
	(void)stat, (void)kind, (void)where;
	return remove(path);
}

/* Numbers 0 to count - 1, shuffled if wanted. New. */
static uint64_t *order_of(uint64_t count, bool shuffled)
{
	uint64_t *order = isx_mem_array(count, sizeof *order), state = seed;
	for (uint64_t i = 0; i < count; i++)
		order[i] = i;
	for (uint64_t i = count - 1; shuffled && i > 0; i--) {
		uint64_t other = next_random(&state) % (i + 1), held = order[i];
		order[i] = order[other];
		order[other] = held;
	}
	return order;
}

/* The engine that is measured, and where its files are. */
struct target {
	const char *postgres; /* URI, or NULL: usearch:// */
	char directory[32];
	struct isx_store *store;
};

static void open_target(struct target *target)
{
	char uri[64];
	struct isx_options options;
	struct isx_err err = { 0 };
	isx_options_init(&options);
	options.postgres_followers = target->directory;
	snprintf(uri, sizeof uri, "usearch://%s", target->directory);
	if (isx_open(target->postgres ? target->postgres : uri, &options, &target->store, &err))
		die("open", &err);
}

/* The first search, which loads a follower, and the time of a trip to the server. */
static void measure_follower(struct target *target, uint64_t assets)
{
	uint64_t times[SEARCHES], state = seed;
	char id[ISX_ISCC_ID_TEXT_BYTES], *json;
	struct isx_err err = { 0 };
	struct isx_result *result;
	id_text(0, id);
	struct isx_query query = { .iscc_id = id, .limit = 1 };
	uint64_t start = isx_clock_ns();
	if (isx_search(target->store, "main", &query, &result, &err))
		die("search", &err);
	isx_result_free(result);
	printf("  loading the follower: %.2f s\n", (double)(isx_clock_ns() - start) / 1e9);
	for (size_t i = 0; i < SEARCHES; i++) {
		id_text(next_random(&state) % assets, id);
		start = isx_clock_ns();
		if (isx_get(target->store, "main", id, &json, &err))
			die("get", &err);
		times[i] = isx_clock_ns() - start;
		isx_text_free(json);
	}
	qsort(times, SEARCHES, sizeof times[0], ascending);
	printf("  getting an asset (one trip): p50 %.2f ms\n", (double)times[SEARCHES / 2] / 1e6);
}

static void run(const char *postgres, uint64_t assets, bool shuffled, bool searches)
{
	struct target target = { .postgres = postgres, .directory = "/var/tmp/isx-bench-XXXXXX" };
	struct isx_index_info info;
	struct isx_err err = { 0 };
	struct isx_buf lines = { 0 };
	uint64_t *order = order_of(assets, shuffled);
	for (uint64_t i = 0; i < assets; i++)
		add_line(&lines, order[i]);
	isx_mem_free(order);
	if (lines.failed || !mkdtemp(target.directory))
		die("prepare", &err);
	open_target(&target);
	if (postgres && isx_index_delete(target.store, "main", &err) != ISX_NOT_FOUND)
		printf("  (an index of that name was deleted)\n");
	if (isx_index_create(target.store, "main", &err))
		die("create", &err);
	double seconds = ingest(target.store, (struct isx_span){ lines.ptr, lines.len });
	if (isx_index_stat(target.store, "main", &info, &err))
		die("stat", &err);
	printf("%s: %llu assets of 4 units, ids %s: %.1f s, %.0f assets/s, %.0f bytes an asset\n",
	       postgres ? "postgresql://" : "usearch://", (unsigned long long)assets,
	       shuffled ? "random" : "ascending", seconds, (double)assets / seconds,
	       (double)info.bytes / (double)assets);
	isx_index_info_release(&info);
	isx_buf_release(&lines);
	if (searches) {
		isx_close(target.store); /* memory that adding left behind does not count */
		open_target(&target);
		if (postgres)
			measure_follower(&target, assets);
		search(target.store, assets);
		print_memory();
	}
	isx_close(target.store);
	nftw(target.directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
	uint64_t assets = 1000000;
	const char *postgres = NULL;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--assets") == 0)
			assets = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--postgres") == 0)
			postgres = argv[i + 1];
	}
	printf("kernel %s, seed %llu, %ld cores\n", isx_kernel_best()->name,
	       (unsigned long long)seed, sysconf(_SC_NPROCESSORS_ONLN));
	run(NULL, assets / 10, false, true);
	if (postgres)
		run(postgres, assets / 10, false, true);
	run(NULL, assets, false, true);
	if (postgres)
		run(postgres, assets, false, true);
	else
		run(NULL, assets, true, false);
	return 0;
}
