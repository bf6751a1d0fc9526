/*
 * bench_filter.c - what filters and declared fields cost, and what filters save.
 *
 * Makes --assets (1,000,000) assets of 4 random units of --bits (64) and metadata in an index of
 * usearch:// in --folder DIR, which stays if it was named. Adds them with no declared field, with one
 * and with five, and declares five later. Then searches 3 units of stored assets with some bits
 * flipped: without a filter, and with filters that keep a share of the assets, chosen at random (one
 * value of a field) or by the time of their ISCC-IDs; and with facets. All kinds take turns within one
 * run, so that other programs on the machine slow all of them. Prints the median of each.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "iscc/iscc_id.h"
#include "iscc/unit.h"
#include "iscc_search.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TYPES = 4, BATCH = 20000, TURNS = 100, KINDS_MAX = 24, FLIPPED_PERCENT = 8 };

static const uint32_t types[TYPES] = { ISX_META, ISX_CONTENT, ISX_DATA, ISX_INSTANCE };
static const char *const fields[] = { "tenant", "share", "year", "price", "tags" };
static uint64_t asset_count = 1000000;
static uint32_t body_bytes = 8;

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

static void check(enum isx_status st, const struct isx_err *err)
{
	if (!st)
		return;
	fprintf(stderr, "%s\n", err->msg);
	exit(1);
}

static void body_of(uint64_t number, size_t type, uint8_t body[32])
{
	uint64_t state = 20261127 ^ (number * TYPES + type) * 0xD1342543DE82EF95u;
	for (size_t i = 0; i < 4; i++) {
		uint64_t word = next_random(&state);
		memcpy(body + 8 * i, &word, 8);
	}
}

static void unit_text(size_t type, const uint8_t body[32], char *text)
{
	struct isx_unit unit = { .header = { .maintype = types[type],
					     .length = body_bytes / 4 - 1 },
				 .body_bytes = body_bytes };
	memcpy(unit.body, body, body_bytes);
	isx_unit_print(&unit, text);
}

static void id_text(uint64_t number, char *text)
{
	struct isx_iscc_id id = { .body = (1735689600000000u + number * 1000) << 12, .version = 1 };
	isx_iscc_id_print(&id, text);
}

/* "share" has the smallest of 1000, 500, 100, 10 and 1 per mille that the asset belongs to: an asset of 1
 * per mille is in all of them. */
static void metadata_text(uint64_t number, char *text, size_t size)
{
	uint64_t state = number * 0x9E3779B97F4A7C15u, place = next_random(&state) % 1000;
	snprintf(text, size,
		 "{\"tenant\":\"tenant-%d\",\"share\":[%s1000],\"year\":%d,\"price\":%llu,"
		 "\"tags\":[\"tag-%d\",\"tag-%d\"]}",
		 (int)(next_random(&state) % 100),
		 place < 1     ? "1,10,100,500,"
		 : place < 10  ? "10,100,500,"
		 : place < 100 ? "100,500,"
		 : place < 500 ? "500,"
			       : "",
		 (int)(1990 + next_random(&state) % 36),
		 (unsigned long long)(next_random(&state) >> 30), (int)(next_random(&state) % 50),
		 (int)(next_random(&state) % 50));
}

static void add_assets(struct isx_store *store, const char *name)
{
	static char ids[BATCH][24], metadata[BATCH][200], texts[BATCH][TYPES][ISX_UNIT_TEXT_BYTES];
	static const char *units[BATCH][TYPES];
	static struct isx_asset assets[BATCH];
	struct isx_err err;
	for (uint64_t first = 0; first < asset_count; first += BATCH) {
		size_t count = asset_count - first < BATCH ? asset_count - first : BATCH;
		for (size_t i = 0; i < count; i++) {
			id_text(first + i, ids[i]);
			metadata_text(first + i, metadata[i], sizeof *metadata);
			for (size_t t = 0; t < TYPES; t++) {
				uint8_t body[32];
				body_of(first + i, t, body);
				unit_text(t, body, texts[i][t]);
				units[i][t] = texts[i][t];
			}
			assets[i] = (struct isx_asset){ .iscc_id = ids[i],
							.units = units[i],
							.unit_count = TYPES,
							.metadata = metadata[i] };
		}
		check(isx_add(store, name, assets, count, NULL, &err), &err);
	}
}

static double seconds_since(uint64_t start_ns)
{
	return (double)(isx_clock_ns() - start_ns) / 1e9;
}

static void report_size(struct isx_store *store, const char *name, const char *what, double seconds)
{
	struct isx_index_info info;
	struct isx_err err;
	check(isx_index_stat(store, name, &info, &err), &err);
	printf("%-28s %8.1f s, %7.0f assets/s, %5.0f bytes of file an asset\n", what, seconds,
	       (double)asset_count / seconds, (double)info.bytes / (double)asset_count);
	fflush(stdout);
	isx_index_info_release(&info);
}

/* Add to a new index that declares so many fields. */
static void measure_adding(struct isx_store *store, const char *name, size_t field_count)
{
	char what[64];
	struct isx_err err;
	check(isx_index_create(store, name, &err), &err);
	check(isx_fields_set(store, name, fields, field_count, NULL, NULL, &err), &err);
	uint64_t start_ns = isx_clock_ns();
	add_assets(store, name);
	snprintf(what, sizeof what, "add with %zu fields", field_count);
	report_size(store, name, what, seconds_since(start_ns));
}

/* --- searches --------------------------------------------------------------------------------- */

static struct kind {
	char what[40];
	char filter[200];
	bool facets;
	double ms[TURNS];
	double matches;
} kinds[KINDS_MAX];
static size_t kind_count;

static struct kind *add_kind(const char *what)
{
	struct kind *kind = &kinds[kind_count++];
	snprintf(kind->what, sizeof kind->what, "%s", what);
	return kind;
}

static void list_kinds(void)
{
	static const int shares[] = { 1000, 500, 100, 10, 1 };
	add_kind("no filter");
	for (size_t i = 0; i < 5; i++) {
		struct kind *kind = add_kind("");
		snprintf(kind->what, sizeof kind->what, "%g %% at random", shares[i] / 10.0);
		snprintf(kind->filter, sizeof kind->filter, "{\"field\":\"share\",\"equals\":%d}",
			 shares[i]);
	}
	for (size_t i = 0; i < 5; i++) {
		struct kind *kind = add_kind("");
		char from[24], to[24];
		uint64_t count = asset_count * (uint64_t)shares[i] / 1000;
		id_text((asset_count - count) / 2, from);
		id_text((asset_count - count) / 2 + count, to);
		snprintf(kind->what, sizeof kind->what, "%g %% of the time", shares[i] / 10.0);
		snprintf(kind->filter, sizeof kind->filter,
			 "{\"iscc_id\":{\"from\":\"%s\",\"to\":\"%s\"}}", from, to);
	}
	snprintf(add_kind("a tenant (1 %)")->filter, 200,
		 "{\"field\":\"tenant\",\"equals\":\"tenant-7\"}");
	snprintf(add_kind("10 of 36 years")->filter, 200,
		 "{\"field\":\"year\",\"from\":2000,\"to\":2010}");
	snprintf(add_kind("half of all prices")->filter, 200,
		 "{\"field\":\"price\",\"from\":8589934592}");
	snprintf(add_kind("one hub of one")->filter, 200, "{\"hub\":0}");
	add_kind("facets of tenants and years")->facets = true;
}

static void search(struct isx_store *store, const char *name, uint64_t number, struct kind *kind,
		   size_t turn)
{
	static const char *const facets[] = { "tenant", "year" };
	char texts[3][ISX_UNIT_TEXT_BYTES];
	const char *units[3] = { texts[0], texts[1], texts[2] };
	uint64_t state = number;
	struct isx_result *result;
	struct isx_err err;
	for (size_t t = 0; t < 3; t++) {
		uint8_t body[32];
		body_of(number, t, body);
		for (uint32_t i = 0; i < body_bytes * 8 * FLIPPED_PERCENT / 100; i++) {
			uint64_t bit = next_random(&state) % (body_bytes * 8);
			body[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		unit_text(t, body, texts[t]);
	}
	const struct isx_query query = { .units = units,
					 .unit_count = 3,
					 .filter = *kind->filter ? kind->filter : NULL,
					 .facets = kind->facets ? facets : NULL,
					 .facet_count = kind->facets ? 2 : 0 };
	uint64_t start_ns = isx_clock_ns();
	check(isx_search(store, name, &query, &result, &err), &err);
	kind->ms[turn] = seconds_since(start_ns) * 1000;
	kind->matches += (double)result->match_count / TURNS;
	isx_result_free(result);
}

static int by_value(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

static void measure_searches(struct isx_store *store, const char *name)
{
	uint64_t state = 1;
	list_kinds();
	for (size_t turn = 0; turn < TURNS; turn++) {
		uint64_t number = next_random(&state) % asset_count;
		struct kind first = { 0 }; /* verifies the pages of the assets that are found */
		search(store, name, number, &first, turn);
		for (size_t i = 0; i < kind_count; i++)
			search(store, name, number, &kinds[i], turn);
	}
	for (size_t i = 0; i < kind_count; i++) {
		qsort(kinds[i].ms, TURNS, sizeof(double), by_value);
		printf("%-28s p50 %7.3f ms, p90 %7.3f ms, %5.2f of no filter, %5.1f matches\n",
		       kinds[i].what, kinds[i].ms[TURNS / 2], kinds[i].ms[TURNS * 9 / 10],
		       kinds[i].ms[TURNS / 2] / kinds[0].ms[TURNS / 2], kinds[i].matches);
	}
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
	(void)stat, (void)kind, (void)where;
	return remove(path);
}

int main(int argc, char **argv)
{
	char made[] = "/tmp/bench-filter-XXXXXX", uri[300];
	const char *folder = NULL;
	struct isx_store *store;
	struct isx_options options;
	struct isx_index_info info;
	struct isx_err err;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--assets") == 0)
			asset_count = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--bits") == 0)
			body_bytes = (uint32_t)strtoul(argv[i + 1], NULL, 10) / 8;
		else if (strcmp(argv[i], "--folder") == 0)
			folder = argv[i + 1];
	}
	bool is_temporary = !folder;
	if (is_temporary)
		folder = mkdtemp(made);
	isx_options_init(&options);
	options.relaxed = true;
	snprintf(uri, sizeof uri, "usearch://%s", folder);
	check(isx_open(uri, &options, &store, &err), &err);
	printf("%llu assets of 4 random %u-bit units\n", (unsigned long long)asset_count,
	       body_bytes * 8);
	if (isx_index_stat(store, "later", &info, NULL)) {
		measure_adding(store, "one", 1);
		check(isx_index_delete(store, "one", &err), &err);
		measure_adding(store, "five", 5);
		check(isx_index_delete(store, "five", &err), &err);
		measure_adding(store, "later", 0);
		uint64_t start_ns = isx_clock_ns();
		check(isx_fields_set(store, "later", fields, 5, NULL, NULL, &err), &err);
		report_size(store, "later", "declare 5 fields later", seconds_since(start_ns));
	} else {
		isx_index_info_release(&info);
	}
	measure_searches(store, "later");
	isx_close(store);
	if (is_temporary)
		nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
