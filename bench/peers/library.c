/*
 * library.c - the peer "libiscc_search": this project's library in one process, without a server, as
 *             the libraries that it is compared with.
 *
 * Answers the commands of peer.py, one line of JSON each: library NAME FOLDER DATA. Codes and queries
 * are the files that data.py writes; a search is asked for the 10 best matches.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/mem.h"
#include "iscc/iscc_id.h"
#include "iscc/unit.h"

#include "iscc_search.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { CODE = 32, LIMIT = 10, ADD = 20000, BATCH = 1000, JUDGED = 200, CLIENTS_MAX = 64 };
#define EPOCH_US  1735689600000000u
#define TIMES_MAX 4000000u /* latencies that one run keeps */

typedef char unit_text[ISX_UNIT_TEXT_BYTES];

static struct isx_store *store;
static const char *data;
static unit_text *queries;
static size_t query_count;
static uint64_t size; /* codes in codes.bin */

static void die(const char *what, const struct isx_err *err)
{
	printf("{\"error\": \"%s: %s\"}\n", what, err->msg);
	exit(1);
}

/* The codes of a file of `data`. New, free with isx_mem_free(). */
static uint8_t *read_codes(const char *name, size_t *count)
{
	char path[4096];
	struct stat stat;
	snprintf(path, sizeof path, "%s/%s", data, name);
	FILE *file = fopen(path, "rb");
	if (!file || fstat(fileno(file), &stat) != 0)
		die(path, &(struct isx_err){ .msg = "expected a file of codes" });
	*count = (size_t)stat.st_size / CODE;
	uint8_t *codes = isx_mem_array(*count, CODE);
	if (!codes || fread(codes, CODE, *count, file) != *count)
		die(path, &(struct isx_err){ .msg = "cannot be read" });
	fclose(file);
	return codes;
}

static void print_unit(const uint8_t *code, char *text)
{
	struct isx_unit unit = { .header = { .maintype = ISX_CONTENT, .length = 7 },
				 .body_bytes = CODE };
	memcpy(unit.body, code, CODE);
	isx_unit_print(&unit, text);
}

static void read_queries(void)
{
	uint8_t *codes = read_codes("queries.bin", &query_count);
	queries = isx_mem_array(query_count, sizeof *queries);
	for (size_t i = 0; i < query_count; i++)
		print_unit(codes + i * CODE, queries[i]);
	isx_mem_free(codes);
}

/* The second unit that the API of the servers wants of each asset, as data.py makes it. */
static void print_instance(uint64_t number, char *text)
{
	struct isx_unit unit = { .header = { .maintype = ISX_INSTANCE, .length = 1 },
				 .body_bytes = 8 };
	isx_store_be64(unit.body, number * 0x9E3779B97F4A7C15u);
	isx_unit_print(&unit, text);
}

static void print_id(uint64_t number, char *text)
{
	struct isx_iscc_id id = { .body = (EPOCH_US + number * 1000) << 12, .version = 1 };
	isx_iscc_id_print(&id, text);
}

/* Add the codes of a file, numbered from `first`, in transactions of ADD assets. */
static void add_codes(const char *name, uint64_t first)
{
	static unit_text texts[ADD][2];
	static char ids[ADD][ISX_ISCC_ID_TEXT_BYTES];
	static const char *units[ADD][2];
	static struct isx_asset assets[ADD];
	struct isx_err err = { 0 };
	size_t total, count;
	uint8_t *codes = read_codes(name, &total);
	for (size_t done = 0; done < total; done += count) {
		count = total - done < ADD ? total - done : ADD;
		for (size_t i = 0; i < count; i++) {
			print_id(first + done + i, ids[i]);
			print_unit(codes + (done + i) * CODE, texts[i][0]);
			print_instance(first + done + i, texts[i][1]);
			units[i][0] = texts[i][0];
			units[i][1] = texts[i][1];
			assets[i] = (struct isx_asset){ .iscc_id = ids[i],
							.units = units[i],
							.unit_count = 2 };
		}
		if (isx_add(store, "main", assets, count, NULL, &err))
			die("add", &err);
	}
	isx_mem_free(codes);
}

static struct isx_result *search_text(const char *text, size_t limit)
{
	struct isx_err err = { 0 };
	struct isx_result *result;
	struct isx_query query = { .units = &text, .unit_count = 1, .limit = limit };
	if (isx_search(store, "main", &query, &result, &err))
		die("search", &err);
	return result;
}

static void ingest(void)
{
	struct isx_err err = { 0 };
	uint64_t start = isx_clock_ns();
	if (isx_index_create(store, "main", &err))
		die("create", &err);
	add_codes("codes.bin", 0);
	printf("{\"seconds\": %.6f}\n", (double)(isx_clock_ns() - start) / 1e9);
}

/* Search with BATCH units at once; free each of `results` with isx_result_free(). */
static void search_batch(const unit_text *texts, size_t text_count, struct isx_result **results)
{
	static struct isx_query batch[BATCH];
	static const char *units[BATCH];
	struct isx_err err = { 0 };
	for (size_t i = 0; i < BATCH; i++) {
		units[i] = texts[i % text_count];
		batch[i] =
			(struct isx_query){ .units = &units[i], .unit_count = 1, .limit = LIMIT };
	}
	if (isx_search_many(store, "main", batch, BATCH, results, NULL, &err))
		die("batch", &err);
}

static void count_lost(void)
{
	static unit_text texts[BATCH];
	static struct isx_result *results[BATCH];
	size_t count, lost = 0;
	uint8_t *codes = read_codes("more.bin", &count);
	if (count != BATCH)
		die("more.bin", &(struct isx_err){ .msg = "expected 1,000 codes" });
	for (size_t i = 0; i < count; i++)
		print_unit(codes + i * CODE, texts[i]);
	isx_mem_free(codes);
	search_batch(texts, count, results);
	for (size_t i = 0; i < count; i++) {
		char id[ISX_ISCC_ID_TEXT_BYTES];
		bool found = false;
		print_id(size + i, id);
		for (size_t m = 0; results[i] && m < results[i]->match_count; m++)
			found |= strcmp(results[i]->matches[m].iscc_id, id) == 0;
		lost += !found;
		isx_result_free(results[i]);
	}
	printf("{\"lost\": %zu, \"of\": %zu}\n", lost, count);
}

/* The numbers of the codes that match the first queries, as a list of lists in a file. */
static void write_answers(const char *path)
{
	FILE *out = fopen(path, "w");
	if (!out)
		die(path, &(struct isx_err){ .msg = "cannot be written" });
	for (size_t i = 0; i < JUDGED && i < query_count; i++) {
		struct isx_result *result = search_text(queries[i], LIMIT);
		fprintf(out, "%s", i ? ",[" : "[[");
		for (size_t m = 0; m < result->match_count; m++) {
			const char *text = result->matches[m].iscc_id;
			struct isx_iscc_id id;
			struct isx_err err = { 0 };
			if (isx_iscc_id_parse((struct isx_span){ text, strlen(text) }, &id, &err))
				die("answer", &err);
			fprintf(out, "%s%llu", m ? "," : "",
				(unsigned long long)(isx_iscc_id_time_us(&id) - EPOCH_US) / 1000);
		}
		fprintf(out, "]");
		isx_result_free(result);
	}
	fprintf(out, "]");
	fclose(out);
	printf("{}\n");
}

struct client {
	pthread_t thread;
	size_t first;
	uint64_t end; /* of isx_clock_ns() */
	uint64_t *times;
	size_t count, max;
};

static void *search_until(void *arg)
{
	struct client *client = arg;
	uint64_t now = isx_clock_ns(), before;
	for (size_t i = client->first; now < client->end && client->count < client->max; i++) {
		isx_result_free(search_text(queries[i % query_count], LIMIT));
		before = now;
		now = isx_clock_ns();
		client->times[client->count++] = now - before;
	}
	return NULL;
}

static int ascending(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return (a > b) - (a < b);
}

static void run_clients(size_t clients, double seconds)
{
	static struct client all[CLIENTS_MAX];
	/* Not from malloc(), which may keep the memory: the memory of the library is measured. */
	uint64_t *times = mmap(NULL, TIMES_MAX * sizeof *times, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t start = isx_clock_ns();
	size_t share = TIMES_MAX / clients, count = 0;
	if (times == MAP_FAILED)
		die("clients", &(struct isx_err){ .msg = "no memory for latencies" });
	for (size_t i = 0; i < clients; i++) {
		all[i] = (struct client){ .first = 37 * i,
					  .times = times + i * share,
					  .max = share,
					  .end = start + (uint64_t)(seconds * 1e9) };
		if (pthread_create(&all[i].thread, NULL, search_until, &all[i]))
			die("clients", &(struct isx_err){ .msg = "no thread" });
	}
	for (size_t i = 0; i < clients; i++) {
		pthread_join(all[i].thread, NULL);
		memmove(times + count, all[i].times, all[i].count * sizeof *times);
		count += all[i].count;
	}
	double taken = (double)(isx_clock_ns() - start) / 1e9;
	qsort(times, count, sizeof *times, ascending);
	printf("{\"per_s\": %.1f, \"p50_ms\": %.4f, \"p99_ms\": %.4f}\n", (double)count / taken,
	       (double)times[count / 2] / 1e6, (double)times[count * 99 / 100] / 1e6);
	munmap(times, TIMES_MAX * sizeof *times);
}

static void search_batches(double seconds)
{
	static struct isx_result *results[BATCH];
	uint64_t start = isx_clock_ns(), done = 0;
	do {
		search_batch(queries, query_count, results);
		for (size_t i = 0; i < BATCH; i++) {
			if (!results[i])
				die("batch", &(struct isx_err){ .msg = "a query has failed" });
			isx_result_free(results[i]);
		}
		done += BATCH;
	} while ((double)(isx_clock_ns() - start) / 1e9 < seconds);
	printf("{\"per_s\": %.1f}\n", (double)done / ((double)(isx_clock_ns() - start) / 1e9));
}

static enum isx_status count_pair(const struct isx_pair *pair, void *arg, struct isx_err *err)
{
	(void)pair, (void)err;
	++*(uint64_t *)arg;
	return ISX_OK;
}

static void find_pairs(void)
{
	struct isx_err err = { 0 };
	struct isx_duplicates_query query = { .has_min_score = true, .min_score = 0.9 };
	uint64_t pairs = 0, start = isx_clock_ns();
	if (isx_duplicates(store, "main", &query, count_pair, &pairs, &err))
		die("pairs", &err);
	printf("{\"seconds\": %.6f, \"pairs\": %llu}\n", (double)(isx_clock_ns() - start) / 1e9,
	       (unsigned long long)pairs);
}

static void print_memory(void)
{
	char line[256];
	double kib = 0;
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof line, status))
		if (strncmp(line, "RssAnon:", 8) == 0 || strncmp(line, "RssShmem:", 9) == 0)
			kib += strtod(strchr(line, ':') + 1, NULL);
	if (status)
		fclose(status);
	printf("{\"mib\": %.2f}\n", kib / 1024);
}

static void obey(const char *line)
{
	char command[32] = "", first[4096] = "", second[32] = "";
	(void)sscanf(line, "%31s %4095s %31s", command, first, second);
	if (strcmp(command, "ingest") == 0) {
		ingest();
	} else if (strcmp(command, "more") == 0) {
		add_codes("more.bin", size);
		printf("{}\n");
	} else if (strcmp(command, "first") == 0) {
		isx_result_free(search_text(queries[1], LIMIT));
		printf("{}\n");
	} else if (strcmp(command, "lost") == 0) {
		count_lost();
	} else if (strcmp(command, "answers") == 0) {
		write_answers(first);
	} else if (strcmp(command, "clients") == 0) {
		run_clients(strtoul(first, NULL, 10), strtod(second, NULL));
	} else if (strcmp(command, "batch") == 0) {
		search_batches(strtod(first, NULL));
	} else if (strcmp(command, "pairs") == 0) {
		find_pairs();
	} else if (strcmp(command, "memory") == 0) {
		print_memory();
	} else {
		printf("{\"error\": \"unknown command\"}\n");
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char uri[4200], line[4200];
	struct isx_err err = { 0 };
	if (argc < 4)
		die("usage", &(struct isx_err){ .msg = "library NAME FOLDER DATA" });
	snprintf(uri, sizeof uri, "usearch://%s", argv[2]);
	data = argv[3];
	if (isx_open(uri, NULL, &store, &err))
		die(uri, &err);
	read_queries();
	isx_mem_free(read_codes("codes.bin", &size));
	while (fgets(line, sizeof line, stdin))
		obey(line);
	isx_close(store);
	return 0;
}
