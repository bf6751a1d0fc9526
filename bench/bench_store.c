/*
 * bench_store.c - add assets from JSON lines, and search them.
 *
 * Makes --assets (1,000,000) assets of 4 random 256-bit units as JSON lines in memory, reads them
 * with the reader of the REST API and adds them in batches: parsing in one thread, adding in
 * another, as the command line does. With ids ascending, and in random order. Then searches 3
 * units (META, CONTENT, DATA) of stored assets with some bits flipped, and reports p50, p99, and
 * the anonymous memory of the process, which leaves out the pages of the file; and the searches/s
 * of 1, 8 and 64 threads that search at the same time. Prints machine, kernel and seed.
 * ISCC_SEARCH_KERNEL forces a kernel.
 *
 * With --folder DIR it searches the index that is there, which is made if it is not, and stays:
 * two builds can be compared in turns on the same file. Then --clients, --units and --seconds say
 * what is measured, or --batch N: N queries in one call. --rank ranks by significance or tiered, --bits
 * makes shorter units, and with --titles N there are only N different META units, so that one in N
 * assets matches every query.
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

enum { TYPES = 4, BATCH = 20000, SEARCHES = 200, FLIPPED_BITS = 20, CLIENTS_MAX = 256 };

static const uint32_t types[TYPES] = { ISX_META, ISX_CONTENT, ISX_DATA, ISX_INSTANCE };
static const uint64_t seed = 20261124;

/* What the options make of the assets and queries; the defaults are those of all figures without
 * them. */
static struct {
	uint32_t rank;
	size_t bytes;    /* of a unit */
	uint64_t titles; /* 0: each asset has its own */
} shape = { .bytes = 32 };

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
	if (type == 0 && shape.titles)
		number %= shape.titles;
	uint64_t state = seed ^ (number * TYPES + type) * 0xD1342543DE82EF95u;
	for (size_t i = 0; i < 4; i++) {
		uint64_t word = next_random(&state);
		memcpy(body + 8 * i, &word, 8);
	}
}

static void unit_text(size_t type, const uint8_t body[32], char *text)
{
	struct isx_unit unit = { .header = { .maintype = types[type],
					     .length = (uint32_t)shape.bytes / 4 - 1 },
				 .body_bytes = (uint32_t)shape.bytes };
	memcpy(unit.body, body, shape.bytes);
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

/* Units of an asset with some bits flipped. */
struct asked {
	char texts[3][ISX_UNIT_TEXT_BYTES], id[ISX_ISCC_ID_TEXT_BYTES];
	const char *units[3];
	struct isx_query query;
};

static void make_asked(struct asked *asked, uint64_t assets, size_t unit_count, uint64_t *state)
{
	uint8_t body[32];
	uint64_t number = next_random(state) % assets;
	for (size_t t = 0; t < unit_count; t++) {
		body_of(number, t, body);
		for (size_t flip = 0; flip < FLIPPED_BITS * shape.bytes / 32; flip++) {
			uint64_t bit = next_random(state) % (shape.bytes * 8);
			body[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
		unit_text(t, body, asked->texts[t]);
		asked->units[t] = asked->texts[t];
	}
	id_text(number, asked->id);
	asked->query = (struct isx_query){
		.units = asked->units, .unit_count = unit_count, .limit = 10, .rank = shape.rank
	};
}

/* The asset must be the first match. By score, one that has only the same title may be before it. */
static void take_result(const struct asked *asked, struct isx_result *result)
{
	bool is_certain = !shape.titles || shape.rank > ISX_RANK_SCORE;
	if (result->match_count == 0 ||
	    (is_certain && strcmp(result->matches[0].iscc_id, asked->id) != 0)) {
		fprintf(stderr, "search: %s is not the first\n", asked->id);
		exit(1);
	}
	isx_result_free(result);
}

/* Search for an asset. Returns nanoseconds. */
static uint64_t search_once(struct isx_store *store, uint64_t assets, size_t unit_count,
			    uint64_t *state)
{
	struct asked asked;
	struct isx_err err = { 0 };
	struct isx_result *result;
	make_asked(&asked, assets, unit_count, state);
	uint64_t start = isx_clock_ns();
	if (isx_search(store, "main", &asked.query, &result, &err))
		die("search", &err);
	uint64_t time = isx_clock_ns() - start;
	take_result(&asked, result);
	return time;
}

/* Search for many assets in one call. */
static void search_batch(struct isx_store *store, uint64_t assets, size_t unit_count, size_t count)
{
	struct asked *asked = isx_mem_array(count, sizeof *asked);
	struct isx_query *queries = isx_mem_array(count, sizeof *queries);
	struct isx_result **results = isx_mem_array(count, sizeof *results);
	struct isx_err err = { 0 };
	uint64_t state = seed;
	for (size_t i = 0; i < count; i++) {
		make_asked(&asked[i], assets, unit_count, &state);
		queries[i] = asked[i].query;
	}
	uint64_t start = isx_clock_ns();
	if (isx_search_many(store, "main", queries, count, results, NULL, &err))
		die("search", &err);
	double taken = (double)(isx_clock_ns() - start) / 1e9;
	for (size_t i = 0; i < count; i++)
		take_result(&asked[i], results[i]);
	printf("  %zu units, one call of %zu: %8.1f searches/s, %.0f million pairs/s\n", unit_count,
	       count, (double)count / taken,
	       (double)count * (double)unit_count * (double)assets / taken / 1e6);
	isx_mem_free(asked);
	isx_mem_free(queries);
	isx_mem_free(results);
}

/* A thread that searches until a moment. */
struct client {
	struct isx_store *store;
	uint64_t assets, state, end_ns;
	size_t unit_count;
	uint64_t *times; /* new, grows */
	size_t count, cap;
	pthread_t thread;
};

static void *run_client(void *arg)
{
	struct client *client = arg;
	while (isx_clock_ns() < client->end_ns) {
		if (client->count == client->cap) {
			client->cap = client->cap ? client->cap * 2 : 1024;
			client->times = isx_mem_resize(client->times, client->cap,
						       sizeof *client->times);
		}
		client->times[client->count++] = search_once(client->store, client->assets,
							     client->unit_count, &client->state);
	}
	return NULL;
}

/* Search by several threads at the same time. */
static void search_by(struct isx_store *store, uint64_t assets, size_t unit_count, size_t clients,
		      double seconds)
{
	static struct client all[CLIENTS_MAX];
	uint64_t start = isx_clock_ns(), *times = NULL;
	size_t count = 0;
	for (size_t i = 0; i < clients; i++) {
		all[i] = (struct client){ .store = store,
					  .assets = assets,
					  .state = seed + i,
					  .end_ns = start + (uint64_t)(seconds * 1e9),
					  .unit_count = unit_count };
		if (pthread_create(&all[i].thread, NULL, run_client, &all[i]))
			exit(1);
	}
	for (size_t i = 0; i < clients; i++) {
		pthread_join(all[i].thread, NULL);
		times = isx_mem_resize(times, count + all[i].count, sizeof *times);
		memcpy(times + count, all[i].times, all[i].count * sizeof *times);
		count += all[i].count;
		isx_mem_free(all[i].times);
	}
	double taken = (double)(isx_clock_ns() - start) / 1e9;
	qsort(times, count, sizeof *times, ascending);
	printf("  %zu units, %3zu threads: %8.1f searches/s, p50 %.3f ms, p99 %.3f ms\n",
	       unit_count, clients, (double)count / taken, (double)times[count / 2] / 1e6,
	       (double)times[count * 99 / 100] / 1e6);
	isx_mem_free(times);
}

static void search(struct isx_store *store, uint64_t assets)
{
	uint64_t times[SEARCHES], state = seed;
	for (size_t i = 0; i < SEARCHES; i++)
		times[i] = search_once(store, assets, 3, &state);
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
	char directory[256];
	struct isx_store *store;
};

static void open_target(struct target *target)
{
	char uri[300];
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
		for (size_t clients = 1; !postgres && clients <= 64; clients *= 8)
			search_by(target.store, assets, 3, clients, 2);
	}
	isx_close(target.store);
	nftw(target.directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Search the index in a folder, and make it before if it is not there. */
static void run_folder(const char *folder, uint64_t assets, size_t unit_count, size_t clients,
		       double seconds, size_t batch)
{
	struct target target = { 0 };
	struct isx_buf lines = { 0 };
	struct isx_err err = { 0 };
	snprintf(target.directory, sizeof target.directory, "%s", folder);
	open_target(&target);
	enum isx_status st = isx_index_create(target.store, "main", &err);
	if (st && st != ISX_EXISTS)
		die("create", &err);
	for (uint64_t i = 0; !st && i < assets; i++)
		add_line(&lines, i);
	if (lines.failed)
		exit(1);
	ingest(target.store, (struct isx_span){ lines.ptr, lines.len });
	isx_buf_release(&lines);
	uint64_t state = seed;
	search_once(target.store, assets, unit_count, &state); /* verifies and reads the file */
	if (batch)
		search_batch(target.store, assets, unit_count, batch);
	else
		search_by(target.store, assets, unit_count, clients, seconds);
	isx_close(target.store);
}

int main(int argc, char **argv)
{
	uint64_t assets = 1000000;
	size_t clients = 64, unit_count = 3, batch = 0;
	double seconds = 2;
	const char *postgres = NULL, *folder = NULL;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--assets") == 0)
			assets = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--postgres") == 0)
			postgres = argv[i + 1];
		else if (strcmp(argv[i], "--folder") == 0)
			folder = argv[i + 1];
		else if (strcmp(argv[i], "--clients") == 0)
			clients = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--units") == 0)
			unit_count = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--batch") == 0)
			batch = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seconds") == 0)
			seconds = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--rank") == 0)
			shape.rank = isx_rank_of_word(isx_span_of(argv[i + 1]));
		else if (strcmp(argv[i], "--bits") == 0)
			shape.bytes = strtoull(argv[i + 1], NULL, 10) / 8;
		else if (strcmp(argv[i], "--titles") == 0)
			shape.titles = strtoull(argv[i + 1], NULL, 10);
	}
	if (clients > CLIENTS_MAX || unit_count < 1 || unit_count > 3 || shape.bytes < 4 ||
	    shape.bytes > 32 || shape.bytes % 4 || !isx_kernel_force(getenv("ISCC_SEARCH_KERNEL")))
		return 2;
	printf("kernel %s, seed %llu, %ld cores\n", isx_kernel_best()->name,
	       (unsigned long long)seed, sysconf(_SC_NPROCESSORS_ONLN));
	if (folder) {
		run_folder(folder, assets, unit_count, clients, seconds, batch);
		return 0;
	}
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
