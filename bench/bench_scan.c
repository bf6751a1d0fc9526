/*
 * bench_scan.c - the speed at which each kernel compares a query with all rows, beside plain
 *                reading.
 *
 * Each run measures the bandwidth of one core: plain reading of memory that fits no cache. Then,
 * for each number of rows, it measures plain reading of them, and each kernel over the same rows
 * in memory, over one LMDB page of them in the cache, and over the same rows in an LMDB file, page
 * by page like a search. Readers and kernels take turns, so that a machine that slows down slows
 * all of them. "of read" is the faster reader's time over the kernel's, the median of all turns.
 * About 1 row in 10,000 is a hit.
 *
 * Last, each kernel compares the rows with several queries, a page of LMDB at a time: once with the
 * kernel for one query, called for each of them, and once with the kernel for many. Rows are a page
 * that stays in the cache, or all of them.
 *
 *   bench_scan [--rows N] [--bytes B] [--runs N] [--distance D] [--many] [--huge]
 *     --rows   only this number of rows (100,000, 1,000,000 and 10,000,000)
 *     --bytes  of a body: 4 to 32 (32)
 *     --runs   turns (11)
 *     --distance  that is a hit (a quarter of the bits)
 *     --many   only the comparison with several queries
 *     --huge   rows in memory on huge pages; LMDB's never are
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/span.h"
#include "scan/kernel.h"

#include <getopt.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	KERNELS_MAX = 8,
	RUNS_MAX = 101,
	HIT_EVERY = 10000,     /* rows */
	FLIPPED_BITS = 5,      /* of a hit */
	ROWS_A_PASS = 2000000, /* fewer rows are scanned several times a turn */
	QUERIES_MAX = 64,
	BANDWIDTH_BYTES = 400000000 /* at 2^29 reading in quarters reaches 16 GB/s, here 28 */
};

static const uint64_t seed = 20261124;
static const char unit_type[] = "CONTENT_TEXT_V0";

static struct {
	size_t rows; /* 0: three sizes */
	size_t bytes;
	size_t runs;
	uint32_t distance_max;
	int huge;
	int many;
} options = { .bytes = 32, .runs = 11 };

/* Rows in memory or in a file, and where the hits go. */
struct data {
	uint8_t *rows;
	size_t count;
	size_t row_bytes;
	uint8_t query[ISX_SCAN_BYTES_MAX];
	struct isx_hit *hits;
	MDB_env *env;
	MDB_dbi dbi;
};

/* One pass over the data, with a kernel or without. Returns a number that all kernels have to
 * agree on. */
typedef size_t pass_fn(struct data *data, const struct isx_kernel *kernel);

struct contender {
	const char *name;
	pass_fn *pass;
	const struct isx_kernel *kernel;
	double ms[RUNS_MAX];
	size_t result;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_scan: %s: %s\n", what, why);
	exit(1);
}

static void must(int rc, const char *what)
{
	if (rc)
		die(what, mdb_strerror(rc));
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* --- rows ------------------------------------------------------------------------------------ */

static void *map_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	if (memory == MAP_FAILED)
		die("memory", "not enough");
	if (options.huge)
		madvise(memory, bytes, MADV_HUGEPAGE);
	return memory;
}

/* Ids ascending, bodies random; every HIT_EVERY-th is the query with some bits flipped. */
static void fill_row(struct data *data, size_t number, uint64_t *state)
{
	uint8_t *row = data->rows + number * data->row_bytes, body[ISX_SCAN_BYTES_MAX];
	for (size_t i = 0; i < sizeof body; i += 8) {
		uint64_t word = next_random(state);
		memcpy(body + i, &word, 8);
	}
	if (number % HIT_EVERY == HIT_EVERY / 2) {
		memcpy(body, data->query, options.bytes);
		for (int i = 0; i < FLIPPED_BITS; i++) {
			uint64_t bit = next_random(state) % (8 * options.bytes);
			body[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
	}
	isx_store_be64(row, (uint64_t)(number + 1) << 12);
	memcpy(row + ISX_ROW_KEY_BYTES, body, options.bytes);
}

static void make_rows(struct data *data, size_t count)
{
	uint64_t state = seed;
	data->count = count;
	data->row_bytes = ISX_ROW_KEY_BYTES + options.bytes;
	for (size_t i = 0; i < sizeof data->query; i++)
		data->query[i] = (uint8_t)next_random(&state);
	data->rows = map_memory(count * data->row_bytes);
	data->hits = map_memory(count * sizeof *data->hits);
	for (size_t i = 0; i < count; i++)
		fill_row(data, i, &state);
}

static void release_rows(struct data *data)
{
	munmap(data->rows, data->count * data->row_bytes);
	munmap(data->hits, data->count * sizeof *data->hits);
}

/* The rows as an index keeps them. The file has no name any more once it is open: nothing is left,
 * however this program ends. */
static void make_file(struct data *data)
{
	const char *parent = getenv("TMPDIR");
	char directory[256], file[300], lock[310];
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val key = { sizeof unit_type - 1, (void *)(uintptr_t)unit_type }, value;
	snprintf(directory, sizeof directory, "%s/isx-bench-XXXXXX", parent ? parent : "/var/tmp");
	if (!mkdtemp(directory))
		die(directory, "cannot be made");
	snprintf(file, sizeof file, "%s/index.lmdb", directory);
	snprintf(lock, sizeof lock, "%s-lock", file);
	must(mdb_env_create(&data->env), "environment");
	must(mdb_env_set_mapsize(data->env, data->count * data->row_bytes * 2 + (1 << 24)), "map");
	must(mdb_env_set_maxdbs(data->env, 1), "tables");
	int rc = mdb_env_open(data->env, file, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC, 0600);
	unlink(file);
	unlink(lock);
	rmdir(directory);
	must(rc, file);
	must(mdb_txn_begin(data->env, NULL, 0, &txn), "begin");
	must(mdb_dbi_open(txn, "units", MDB_CREATE | MDB_DUPSORT | MDB_DUPFIXED, &data->dbi),
	     "table");
	must(mdb_cursor_open(txn, data->dbi, &cursor), "cursor");
	for (size_t i = 0; i < data->count; i++) {
		value = (MDB_val){ data->row_bytes, data->rows + i * data->row_bytes };
		must(mdb_cursor_put(cursor, &key, &value, MDB_APPENDDUP), "put");
	}
	mdb_cursor_close(cursor);
	must(mdb_txn_commit(txn), "commit");
}

/* --- passes ---------------------------------------------------------------------------------- */

/* 64 bytes a load where the machine has that; the loads are the point, not the sum. */
typedef uint64_t wide __attribute__((vector_size(64), aligned(8), may_alias));

#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static uint64_t
sum_blocks(const uint8_t *bytes, size_t blocks)
{
	wide a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	for (size_t i = 0; i + 4 <= blocks; i += 4) {
		const wide *from = (const wide *)(const void *)(bytes + 64 * i);
		a += from[0];
		b += from[1];
		c += from[2];
		d += from[3];
	}
	a += b + c + d;
	return a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7];
}

static size_t read_rows(struct data *data, const struct isx_kernel *kernel)
{
	(void)kernel;
	return sum_blocks(data->rows, data->count * data->row_bytes / 64);
}

/* Reads four quarters in turn: the hardware then prefetches in all four. */
static size_t read_quarters(struct data *data, const struct isx_kernel *kernel)
{
	const size_t quarter = data->count * data->row_bytes / 4 / 256 * 256;
	size_t sum = 0;
	(void)kernel;
	for (size_t at = 0; at < quarter; at += 256)
		for (size_t i = 0; i < 4; i++)
			sum += sum_blocks(data->rows + i * quarter + at, 4);
	return sum;
}

static size_t scan_bytes(struct data *data, const struct isx_kernel *kernel, const void *rows,
			 size_t count)
{
	struct isx_scan scan = { .rows = rows,
				 .count = count,
				 .row_bytes = data->row_bytes,
				 .query = data->query,
				 .bytes = options.bytes,
				 .distance_max = options.distance_max };
	return kernel->scan(&scan, data->hits);
}

static size_t scan_memory(struct data *data, const struct isx_kernel *kernel)
{
	return scan_bytes(data, kernel, data->rows, data->count);
}

/* As many rows as LMDB puts on a page, again and again: what a call costs. */
static size_t scan_one_page(struct data *data, const struct isx_kernel *kernel)
{
	size_t a_page = (4096 - 16) / data->row_bytes, found = 0;
	for (size_t row = 0; row < data->count; row += a_page)
		found += scan_bytes(data, kernel, data->rows, a_page);
	return found;
}

/* A lone row is stored inline: MDB_GET_MULTIPLE then leaves the value as MDB_SET set it. Without a
 * kernel: the walk alone. */
static size_t scan_file(struct data *data, const struct isx_kernel *kernel)
{
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val key = { sizeof unit_type - 1, (void *)(uintptr_t)unit_type }, page;
	size_t result = 0;
	must(mdb_txn_begin(data->env, NULL, MDB_RDONLY, &txn), "begin");
	must(mdb_cursor_open(txn, data->dbi, &cursor), "cursor");
	int rc = mdb_cursor_get(cursor, &key, &page, MDB_SET);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &page, MDB_GET_MULTIPLE);
	for (; !rc; rc = mdb_cursor_get(cursor, &key, &page, MDB_NEXT_MULTIPLE))
		result += kernel ? scan_bytes(data, kernel, page.mv_data,
					      page.mv_size / data->row_bytes)
				 : page.mv_size / data->row_bytes;
	if (rc != MDB_NOTFOUND)
		must(rc, "walk");
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	return result;
}

/* --- several queries -------------------------------------------------------------------------- */

static struct isx_scan_query queries[QUERIES_MAX];
static size_t query_count;

/* Random queries; the first is that of the rows. */
static void make_queries(const struct data *data)
{
	static uint8_t bodies[QUERIES_MAX][ISX_SCAN_BYTES_MAX];
	static struct isx_hit hits[QUERIES_MAX][4096];
	uint64_t state = seed + 1;
	for (size_t i = 0; i < QUERIES_MAX; i++) {
		for (size_t at = 0; at < ISX_SCAN_BYTES_MAX; at++)
			bodies[i][at] = (uint8_t)next_random(&state);
		if (i == 0)
			memcpy(bodies[0], data->query, ISX_SCAN_BYTES_MAX);
		queries[i] = (struct isx_scan_query){ .query = bodies[i],
						      .bytes = options.bytes,
						      .distance_max = options.distance_max,
						      .hits = hits[i] };
	}
}

static size_t scan_each(struct data *data, const struct isx_kernel *kernel, const uint8_t *rows,
			size_t count)
{
	size_t found = 0;
	for (size_t i = 0; i < query_count; i++) {
		const struct isx_scan scan = { rows,
					       count,
					       data->row_bytes,
					       queries[i].query,
					       options.bytes,
					       options.distance_max };
		found += kernel->scan(&scan, queries[i].hits);
	}
	return found;
}

static size_t scan_many(struct data *data, const struct isx_kernel *kernel, const uint8_t *rows,
			size_t count)
{
	const struct isx_scan_many scan = { rows, count, data->row_bytes, query_count, queries };
	size_t found = 0;
	kernel->scan_many(&scan);
	for (size_t i = 0; i < query_count; i++)
		found += queries[i].found;
	return found;
}

typedef size_t compare_fn(struct data *, const struct isx_kernel *, const uint8_t *, size_t);

/* Compare all rows page by page, or the first page as often. Returns the million comparisons of a
 * code with a query in a second. */
static double time_queries(struct data *data, const struct isx_kernel *kernel, compare_fn *compare,
			   bool in_cache, size_t *found)
{
	const size_t page = (4096 - 16) / data->row_bytes;
	/* so many rows that a turn takes about as long for any number of queries */
	const size_t rows = in_cache ? ROWS_A_PASS * 4 / query_count : data->count;
	size_t compared = 0;
	*found = 0;
	uint64_t start = isx_clock_ns();
	for (size_t row = 0; row + page <= rows; row += page, compared += page)
		*found += compare(data, kernel, data->rows + (in_cache ? 0 : row * data->row_bytes),
				  page);
	return (double)(compared * query_count) * 1e3 / (double)(isx_clock_ns() - start);
}

/* The best of all turns counts: what else runs on the machine makes a turn slower, never faster. */
static void compare_many(struct data *data, const struct isx_kernel *kernel, bool in_cache)
{
	double each = 0, many = 0;
	for (size_t turn = 0; turn < options.runs; turn++) {
		size_t found, found_many;
		double speed = time_queries(data, kernel, scan_each, in_cache, &found);
		each = speed > each ? speed : each;
		speed = time_queries(data, kernel, scan_many, in_cache, &found_many);
		many = speed > many ? speed : many;
		if (found != found_many)
			die(kernel->name, "found other hits");
	}
	printf("  %-20s %-6s %3zu queries: %6.0f M codes x queries/s one by one, %6.0f together: "
	       "%.2f times\n",
	       kernel->name, in_cache ? "cache" : "memory", query_count, each, many, many / each);
}

static void run_many(struct data *data)
{
	static const size_t counts[] = { 1, 2, 4, 8, 16, QUERIES_MAX };
	make_queries(data);
	printf("several queries, a hit is at most %u bits away\n", options.distance_max);
	for (size_t k = 0; k < isx_kernel_count; k++) {
		for (size_t i = 0; i < 2 * sizeof counts / sizeof counts[0]; i++) {
			query_count = counts[i / 2];
			if (isx_kernels[k].runs_here())
				compare_many(data, &isx_kernels[k], i % 2 == 0);
		}
	}
}

/* --- turns ----------------------------------------------------------------------------------- */

static int ascending(const void *left, const void *right)
{
	const double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

static double median(const double *values)
{
	double sorted[RUNS_MAX];
	memcpy(sorted, values, options.runs * sizeof *values);
	qsort(sorted, options.runs, sizeof *sorted, ascending);
	return sorted[options.runs / 2];
}

static void time_pass(struct contender *contender, struct data *data, size_t turn)
{
	size_t passes = data->count < ROWS_A_PASS ? ROWS_A_PASS / data->count : 1;
	uint64_t start = isx_clock_ns();
	for (size_t i = 0; i < passes; i++)
		contender->result = contender->pass(data, contender->kernel);
	contender->ms[turn] = (double)(isx_clock_ns() - start) / 1e6 / (double)passes;
}

static double least_ms(const struct contender *contender)
{
	double least = contender->ms[0];
	for (size_t i = 1; i < options.runs; i++)
		least = contender->ms[i] < least ? contender->ms[i] : least;
	return least;
}

/* The time of the faster reader in this turn. */
static double read_ms(const struct contender *readers, size_t turn)
{
	const double one = readers[0].ms[turn], four = readers[1].ms[turn];
	return one < four ? one : four;
}

/* The first two contenders are readers, which the others are measured against. */
static void print_contender(const struct contender *contender, const struct contender *readers,
			    const struct data *data)
{
	double ratios[RUNS_MAX], most = contender->ms[0], ms = median(contender->ms);
	for (size_t i = 0; i < options.runs; i++) {
		ratios[i] = read_ms(readers, i) / contender->ms[i];
		most = contender->ms[i] > most ? contender->ms[i] : most;
	}
	printf("  %-20s %9.3f ms (%.3f..%.3f) %8.1f M codes/s %6.1f GB/s %4.0f %% of read\n",
	       contender->name, ms, least_ms(contender), most, (double)data->count / ms / 1e3,
	       (double)(data->count * data->row_bytes) / ms / 1e6, 100 * median(ratios));
}

static void take_turns(struct contender *contenders, size_t count, struct data *data)
{
	for (size_t i = 0; i < count; i++) /* maps what is not yet mapped */
		contenders[i].result = contenders[i].pass(data, contenders[i].kernel);
	for (size_t turn = 0; turn < options.runs; turn++)
		for (size_t i = 0; i < count; i++)
			time_pass(&contenders[i], data, turn);
	for (size_t i = 0; i < count; i++)
		print_contender(&contenders[i], contenders, data);
}

/* Add every kernel that runs here, doing `pass`. Returns the new count. */
static size_t add_kernels(struct contender *contenders, size_t count, pass_fn *pass)
{
	for (size_t i = 0; i < isx_kernel_count; i++)
		if (isx_kernels[i].runs_here())
			contenders[count++] = (struct contender){ .name = isx_kernels[i].name,
								  .pass = pass,
								  .kernel = &isx_kernels[i] };
	return count;
}

static void check_equal(const struct contender *contenders, size_t first, size_t count)
{
	for (size_t i = first; i < count; i++)
		if (contenders[i].result != contenders[first].result)
			die(contenders[i].name, "found other hits");
	printf("  hits: %zu\n", contenders[first].result);
}

/* The speed of plain reading where no cache helps, whatever --rows says. */
static void run_bandwidth(void)
{
	struct contender readers[] = { { .name = "read", .pass = read_rows },
				       { .name = "read in quarters", .pass = read_quarters } };
	struct data data = { .count = BANDWIDTH_BYTES / 64, .row_bytes = 64 };
	data.rows = map_memory(BANDWIDTH_BYTES);
	memset(data.rows, 1, BANDWIDTH_BYTES); /* unwritten memory is one page of zeros */
	for (size_t turn = 0; turn < options.runs; turn++)
		for (size_t i = 0; i < 2; i++)
			time_pass(&readers[i], &data, turn);
	printf("%d MB of memory, one core\n", BANDWIDTH_BYTES / 1000000);
	for (size_t i = 0; i < 2; i++)
		printf("  %-20s best %.1f GB/s, median %.1f GB/s\n", readers[i].name,
		       BANDWIDTH_BYTES / least_ms(&readers[i]) / 1e6,
		       BANDWIDTH_BYTES / median(readers[i].ms) / 1e6);
	munmap(data.rows, BANDWIDTH_BYTES);
}

static void run(size_t rows)
{
	struct contender contenders[KERNELS_MAX + 3] = { { .name = "read", .pass = read_rows },
							 { .name = "read in quarters",
							   .pass = read_quarters } };
	struct data data = { 0 };
	make_rows(&data, rows);
	if (options.many) {
		run_many(&data);
		release_rows(&data);
		return;
	}
	printf("%zu rows of %zu bytes in memory\n", rows, data.row_bytes);
	size_t count = add_kernels(contenders, 2, scan_memory);
	take_turns(contenders, count, &data);
	check_equal(contenders, 2, count);

	printf("the same number, a page of them over and over\n");
	count = add_kernels(contenders, 2, scan_one_page);
	take_turns(contenders, count, &data);

	printf("%zu rows in an LMDB file\n", rows);
	make_file(&data);
	contenders[2] = (struct contender){ .name = "pages, no kernel", .pass = scan_file };
	count = add_kernels(contenders, 3, scan_file);
	take_turns(contenders, count, &data);
	check_equal(contenders, 3, count);
	mdb_env_close(data.env);
	run_many(&data);
	release_rows(&data);
}

static void print_machine(void)
{
	char line[256];
	FILE *info = fopen("/proc/cpuinfo", "r");
	while (info && fgets(line, sizeof line, info))
		if (strncmp(line, "model name", 10) == 0) {
			printf("%s", strchr(line, ':') + 2);
			break;
		}
	if (info)
		fclose(info);
	printf("%ld cores, best kernel %s, seed %llu, %zu turns, %s pages\n",
	       sysconf(_SC_NPROCESSORS_ONLN), isx_kernel_best()->name, (unsigned long long)seed,
	       options.runs, options.huge ? "huge" : "4 KB");
}

static void read_options(int argc, char **argv)
{
	static const struct option names[] = { { "rows", required_argument, NULL, 'r' },
					       { "bytes", required_argument, NULL, 'b' },
					       { "runs", required_argument, NULL, 'n' },
					       { "distance", required_argument, NULL, 'd' },
					       { "many", no_argument, NULL, 'm' },
					       { "huge", no_argument, NULL, 'h' },
					       { 0 } };
	int option;
	options.distance_max = UINT32_MAX;
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'r')
			options.rows = strtoull(optarg, NULL, 10);
		else if (option == 'b')
			options.bytes = strtoull(optarg, NULL, 10);
		else if (option == 'n')
			options.runs = strtoull(optarg, NULL, 10);
		else if (option == 'd')
			options.distance_max = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'm')
			options.many = 1;
		else if (option == 'h')
			options.huge = 1;
		else
			exit(2);
	}
	if (options.distance_max == UINT32_MAX)
		options.distance_max = (uint32_t)options.bytes * 2;
	if (options.bytes < 4 || options.bytes > ISX_SCAN_BYTES_MAX || options.runs < 1 ||
	    options.runs > RUNS_MAX || options.rows > UINT32_MAX)
		die("options", "--bytes 4 to 32, --runs 1 to 101, --rows below 2^32");
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 100000, 1000000, 10000000 };
	read_options(argc, argv);
	print_machine();
	if (!options.many)
		run_bandwidth();
	for (size_t i = 0; i < 3 && !options.rows; i++)
		run(sizes[i]);
	if (options.rows)
		run(options.rows);
	return 0;
}
