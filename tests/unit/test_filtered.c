/*
 * test_filtered.c - a search with a filter finds what the search without it finds, less the assets for
 *                   which the filter does not hold: the same scores in the same order, on every engine.
 *
 * Thresholds are low, so that nearly every row is a hit, and the answers are as long as the index.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"
#include "engine/filter.h"
#include "iscc/base32.h"
#include "iscc/iscc_id.h"
#include "service/service.h"
#include "support.h"
#include "json/field_value.h"
#include "json/wire.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ASSETS = 6000, TYPES = 3, ROUNDS = 120 };

static const uint32_t maintypes[TYPES] = { ISX_META, ISX_CONTENT, ISX_DATA };
static const char *const fields[] = { "/license", "/n", "/tags" };

static char directory[64];
static struct isx_store *store;

static void ok(enum isx_status st, const struct isx_err *err)
{
	if (st)
		fail_msg("%s", err->msg);
}

static void print_id(size_t number, char *id)
{
	const struct isx_iscc_id iscc_id = {
		.body = (uint64_t)(5000 + number * 3) << 12 | number % 4, .version = 1
	};
	isx_iscc_id_print(&iscc_id, id);
}

/* Units of a type are near each other, so that they are hits; some assets have no unit of a type, and some
 * two of one. */
static size_t random_units(uint64_t *seed, char (*texts)[ISX_UNIT_TEXT_BYTES])
{
	static const uint32_t lengths[] = { 8, 16, 32 };
	size_t count = 0;
	for (size_t i = 0; i < TYPES; i++) {
		uint64_t units = test_random(seed) % 5;
		for (uint64_t k = 0; k < (units == 4 ? 2 : units > 0); k++) {
			uint8_t body[32] = { 0 };
			for (int flip = 0; flip < 12; flip++)
				body[test_random(seed) % 32] ^= (uint8_t)(1
									  << test_random(seed) % 8);
			test_unit_text(maintypes[i], body, lengths[test_random(seed) % 3],
				       texts[count++]);
		}
	}
	uint8_t instance[8] = { (uint8_t)(test_random(seed) % 3) };
	test_unit_text(ISX_INSTANCE, instance, sizeof instance, texts[count++]);
	return count;
}

static void random_simprint(uint64_t *seed, char *text)
{
	uint8_t body[16] = { 0 };
	body[test_random(seed) % 16] ^= (uint8_t)(1 << test_random(seed) % 8);
	body[test_random(seed) % 16] ^= (uint8_t)(1 << test_random(seed) % 8);
	isx_base64_encode(body, sizeof body, text);
}

/* /license has few values, /n is another number in each asset, /tags a list. */
static void print_metadata(uint64_t *seed, size_t number, char *text, size_t size)
{
	static const char *const licenses[] = { "\"CC0\"", "\"MIT\"", "null", "true", "3" };
	if (test_random(seed) % 8 == 0)
		snprintf(text, size, "{\"other\":1}");
	else
		snprintf(text, size, "{\"license\":%s,\"n\":%zu,\"tags\":[\"t%d\",\"t%d\"]}",
			 licenses[test_random(seed) % 5], number, (int)(test_random(seed) % 20),
			 (int)(test_random(seed) % 20));
}

/* The assets of the index. */
static struct isx_asset assets[ASSETS];

static void add_assets(uint64_t *seed)
{
	static char ids[ASSETS][ISX_ISCC_ID_TEXT_BYTES], metadata[ASSETS][128];
	static char texts[ASSETS][2 * TYPES + 1][ISX_UNIT_TEXT_BYTES], simprints[ASSETS][24];
	static const char *units[ASSETS][2 * TYPES + 1];
	static struct isx_simprint passages[ASSETS];
	struct isx_err err;
	for (size_t i = 0; i < ASSETS; i++) {
		print_id(i, ids[i]);
		print_metadata(seed, i, metadata[i], sizeof *metadata);
		random_simprint(seed, simprints[i]);
		passages[i] = (struct isx_simprint){ "TEXT", simprints[i], 0, 9 };
		assets[i] = (struct isx_asset){ .iscc_id = ids[i],
						.units = units[i],
						.unit_count = random_units(seed, texts[i]),
						.simprints = &passages[i],
						.simprint_count = 1,
						.metadata = metadata[i] };
		for (size_t k = 0; k < assets[i].unit_count; k++)
			units[i][k] = texts[i][k];
	}
	ok(isx_add(store, "main", assets, ASSETS, NULL, &err), &err);
}

static void open_store(const char *scheme, unsigned threads)
{
	struct isx_options options;
	struct isx_err err;
	char uri[96];
	isx_options_init(&options);
	options.relaxed = true;
	options.threads = threads;
	snprintf(uri, sizeof uri, "%s://%s", scheme, strcmp(scheme, "memory") ? directory : "");
	ok(isx_open(uri, &options, &store, &err), &err);
}

/* --- filters ---------------------------------------------------------------------------------- */

static void random_leaf(uint64_t *seed, struct isx_buf *text)
{
	char from[ISX_ISCC_ID_TEXT_BYTES], to[ISX_ISCC_ID_TEXT_BYTES];
	size_t first = test_random(seed) % ASSETS;
	switch (test_random(seed) % 8) {
	case 0:
		isx_buf_printf(text, "{\"hub\":%d}", (int)(test_random(seed) % 5));
		return;
	case 1:
		isx_buf_printf(text, "{\"types\":[\"%s\"]}",
			       test_random(seed) % 2 ? "DATA_NONE_V0" : "CONTENT_TEXT_V0");
		return;
	case 2:
		isx_buf_printf(text, "{\"field\":\"license\",\"equals\":%s}",
			       test_random(seed) % 2 ? "\"CC0\"" : "null");
		return;
	case 3:
		isx_buf_printf(text, "{\"field\":\"tags\",\"in\":[\"t%d\",\"t%d\"]}",
			       (int)(test_random(seed) % 21), (int)(test_random(seed) % 21));
		return;
	case 4:
		isx_buf_printf(text, "{\"field\":\"tags\",\"exists\":%s}",
			       test_random(seed) % 2 ? "true" : "false");
		return;
	case 5: /* one asset, some, or many of them */
		isx_buf_printf(text, "{\"field\":\"n\",\"from\":%zu,\"to\":%zu}", first,
			       first + (1u << test_random(seed) % 14));
		return;
	default:
		print_id(first, from);
		print_id(first + (1u << test_random(seed) % 14), to);
		isx_buf_printf(text, "{\"iscc_id\":{\"from\":\"%s\",\"to\":\"%s\"}}", from, to);
	}
}

static void random_filter(uint64_t *seed, int depth, struct isx_buf *text)
{
	if (!depth || test_random(seed) % 4 == 0) {
		random_leaf(seed, text);
		return;
	}
	uint64_t kind = test_random(seed) % 3, count = kind == 2 ? 1 : 1 + test_random(seed) % 3;
	isx_buf_text(text, kind == 0 ? "{\"all\":[" : kind == 1 ? "{\"any\":[" : "{\"not\":");
	for (uint64_t i = 0; i < count; i++) {
		isx_buf_text(text, i ? "," : "");
		random_filter(seed, depth - 1, text);
	}
	isx_buf_text(text, kind == 2 ? "}" : "]}");
}

static size_t number_of(const char *iscc_id)
{
	struct isx_iscc_id id;
	struct isx_err err;
	ok(isx_iscc_id_parse(isx_span_of(iscc_id), &id, &err), &err);
	size_t number = ((id.body >> 12) - 5000) / 3;
	assert_string_equal(assets[number].iscc_id, iscc_id);
	return number;
}

/* Does a filter hold for an asset, by its definition? NULL: there is no filter. */
static bool holds_for(const struct isx_filter *filter, const char *iscc_id)
{
	struct isx_arena arena = { 0 };
	struct isx_iscc_id id;
	struct isx_err err;
	bool holds = true;
	const struct isx_asset *asset = &assets[number_of(iscc_id)];
	ok(isx_iscc_id_parse(isx_span_of(iscc_id), &id, &err), &err);
	if (filter)
		ok(isx_filter_holds(filter, id.body, asset, &arena, &holds, &err), &err);
	isx_arena_release(&arena);
	return holds;
}

/* --- facets ----------------------------------------------------------------------------------- */

static const char *const facets[] = { "license", "/tags", "n" };

/* One value among the matches, as JSON, and how many have it. */
struct tally {
	char value[40];
	uint64_t count;
};

static int by_value(const void *left, const void *right)
{
	return strcmp(((const struct tally *)left)->value, ((const struct tally *)right)->value);
}

/* List the different values of a field in one asset, each with a count of 1. */
static size_t list_values(const struct isx_asset *asset, const char *pointer, struct tally *list)
{
	struct isx_field_walk walk = isx_field_walk_start(isx_span_of(asset->metadata), pointer);
	struct isx_buf key = { 0 }, json = { 0 };
	size_t count = 0, kept = 0;
	while (isx_field_walk_next(&walk, &key)) {
		isx_buf_clear(&json);
		isx_value_to_json(&json, (struct isx_span){ key.ptr, key.len });
		snprintf(list[count].value, sizeof list->value, "%.*s", (int)json.len, json.ptr);
		list[count++].count = 1;
	}
	isx_buf_release(&key);
	isx_buf_release(&json);
	qsort(list, count, sizeof *list, by_value);
	for (size_t i = 0; i < count; i++)
		if (!i || strcmp(list[i].value, list[kept - 1].value) != 0)
			list[kept++] = list[i];
	return kept;
}

/* Compare the facets of a list with the values of all assets in it.
 *   passing  the numbers of the assets */
static void compare_facets(const struct isx_facet *found, const size_t *passing, size_t count)
{
	static struct tally tallies[2 * ASSETS];
	for (size_t f = 0; f < 3; f++) {
		size_t all = 0, kept = 0;
		uint64_t others = 0;
		for (size_t i = 0; i < count; i++)
			all += list_values(&assets[passing[i]],
					   fields[f == 1   ? 2
						  : f == 2 ? 1
							   : 0],
					   tallies + all);
		qsort(tallies, all, sizeof *tallies, by_value);
		for (size_t i = 0; i < all; i++) {
			if (kept && strcmp(tallies[i].value, tallies[kept - 1].value) == 0)
				tallies[kept - 1].count++;
			else
				tallies[kept++] = tallies[i];
			others++;
		}
		assert_string_equal(found[f].field, facets[f]);
		assert_int_equal(found[f].value_count, kept < 100 ? kept : 100);
		for (size_t i = 0; i < found[f].value_count; i++) {
			struct tally wanted = { .count = 0 };
			snprintf(wanted.value, sizeof wanted.value, "%s", found[f].values[i].value);
			const struct tally *same = bsearch(&wanted, tallies, kept, sizeof *tallies,
							   by_value);
			if (!same || same->count != found[f].values[i].count)
				fail_msg("%s of %s", wanted.value, facets[f]);
			assert_true(!i || same->count <= found[f].values[i - 1].count);
			others -= same->count;
		}
		assert_int_equal(found[f].others, others);
	}
}

/* --- comparing -------------------------------------------------------------------------------- */

/* The answer with a filter has to be the whole answer without it, less what does not pass, cut at
 * `limit`. */
static void compare_matches(const struct isx_filter *filter, const char *text,
			    const struct isx_result *whole, const struct isx_result *found,
			    size_t limit)
{
	static size_t numbers[ASSETS];
	size_t at = 0, passing = 0;
	for (size_t i = 0; i < whole->match_count; i++) {
		const struct isx_match *match = &whole->matches[i];
		if (!holds_for(filter, match->iscc_id))
			continue;
		numbers[passing++] = number_of(match->iscc_id);
		if (passing > limit)
			continue;
		if (at == found->match_count)
			fail_msg("%s is missing for %s", match->iscc_id, text);
		assert_string_equal(found->matches[at].iscc_id, match->iscc_id);
		assert_true(found->matches[at].score == match->score);
		assert_int_equal(found->matches[at].type_count, match->type_count);
		at++;
	}
	if (at != found->match_count)
		fail_msg("%s too many for %s", found->matches[at].iscc_id, text);
	assert_true(!found->query.counts || found->match_total == passing);
	if (found->facets)
		compare_facets(found->facets, numbers, passing);
}

static void compare_chunks(const struct isx_filter *filter, const char *text,
			   const struct isx_result *whole, const struct isx_result *found,
			   size_t limit)
{
	static size_t numbers[ASSETS];
	size_t at = 0, passing = 0;
	for (size_t i = 0; i < whole->chunk_match_count; i++) {
		const struct isx_chunk_match *match = &whole->chunk_matches[i];
		if (!holds_for(filter, match->iscc_id))
			continue;
		numbers[passing++] = number_of(match->iscc_id);
		if (passing > limit)
			continue;
		if (at == found->chunk_match_count)
			fail_msg("%s is missing for %s", match->iscc_id, text);
		assert_string_equal(found->chunk_matches[at].iscc_id, match->iscc_id);
		assert_true(found->chunk_matches[at].score == match->score);
		at++;
	}
	assert_int_equal(at, found->chunk_match_count);
	assert_true(!found->query.counts || found->chunk_match_total == passing);
	if (found->chunk_facets)
		compare_facets(found->chunk_facets, numbers, passing);
}

/* Search with the units of a random asset, once without and once with each of two filters; these two
 * share a pass. */
static void run_round(uint64_t *seed, bool has_simprints)
{
	static const size_t limits[] = { 1, 10, 300, ASSETS };
	static const char *const one_type = "CONTENT_TEXT_V0";
	char texts[2 * TYPES + 1][ISX_UNIT_TEXT_BYTES], simprint[2][24];
	const char *units[2 * TYPES + 1];
	const char *values[] = { simprint[0], simprint[1] };
	const struct isx_query_simprints simprints = { "TEXT", values, 2 };
	struct isx_query query = { .units = units,
				   .unit_count = random_units(seed, texts),
				   .limit = ASSETS,
				   .has_min_score = true,
				   .min_score = (double)(test_random(seed) % 4) / 4,
				   .with = ISX_WITH_NOTHING,
				   .counts = true };
	struct isx_result *whole, *found[2];
	struct isx_err err, errs[2];
	char *filters[2];
	for (size_t i = 0; i < query.unit_count; i++)
		units[i] = texts[i];
	random_simprint(seed, simprint[0]);
	random_simprint(seed, simprint[1]);
	if (has_simprints) {
		query.simprints = &simprints;
		query.simprint_type_count = 1;
	}
	if (test_random(seed) % 3 == 0) { /* a full ranking lowers the distances that count */
		query.types = &one_type;
		query.type_count = 1;
	}
	struct isx_query asked[2] = { query, query };
	for (size_t i = 0; i < 2; i++) {
		struct isx_buf text = { 0 };
		random_filter(seed, (int)(test_random(seed) % 3), &text);
		asked[i].filter = filters[i] = isx_buf_take(&text);
		asked[i].limit = limits[test_random(seed) % 4];
		if (test_random(seed) % 2) {
			asked[i].facets = facets;
			asked[i].facet_count = 3;
		}
		asked[i].counts = test_random(seed) % 2;
	}
	ok(isx_search(store, "main", &query, &whole, &err), &err);
	ok(isx_search_many(store, "main", asked, 2, found, errs, &err), &err);
	for (size_t i = 0; i < 2; i++) {
		ok(errs[i].status, &errs[i]);
		struct isx_arena arena = { 0 };
		const struct isx_filter *filter;
		ok(isx_filter_from_text(filters[i], &arena, &filter, &err), &err);
		compare_matches(filter, filters[i], whole, found[i], asked[i].limit);
		if (has_simprints)
			compare_chunks(filter, filters[i], whole, found[i], asked[i].limit);
		isx_arena_release(&arena);
		isx_result_free(found[i]);
		isx_mem_free(filters[i]);
	}
	isx_result_free(whole);
}

static void run_all(const char *scheme, unsigned threads, bool has_simprints)
{
	uint64_t seed = test_seed();
	struct isx_err err;
	snprintf(directory, sizeof directory, "/tmp/isx-filtered-XXXXXX");
	assert_non_null(mkdtemp(directory));
	open_store(scheme, threads);
	ok(isx_index_create(store, "main", &err), &err);
	ok(isx_fields_set(store, "main", fields, 3, NULL, NULL, &err), &err);
	add_assets(&seed);
	for (int i = 0; i < ROUNDS; i++)
		run_round(&seed, has_simprints && i % 3 == 0);
	isx_close(store);
	test_remove_tree(directory);
}

static void test_filtered__usearch_with_one_thread(void **state)
{
	(void)state;
	run_all("usearch", 1, true);
}

static void test_filtered__memory_with_four_threads(void **state)
{
	(void)state;
	run_all("memory", 4, true);
}

static void test_filtered__lmdb(void **state)
{
	(void)state;
	run_all("lmdb", 1, false);
}

/* --- memory ----------------------------------------------------------------------------------- */

static enum isx_status take_left(void *keeper, size_t bytes, struct isx_err *err)
{
	size_t *left = keeper;
	if (bytes > *left)
		return isx_fail(err, ISX_NO_MEMORY, "the quota is used up");
	*left -= bytes;
	return ISX_OK;
}

/* Sets that were combined are free again: a filter of many conditions needs no more memory than one of
 * a few. Each condition here takes 250 KiB. */
static void test_filtered__many_conditions_need_the_memory_of_a_few(void **state)
{
	enum { CONDITIONS = 300, LEFT = 4 << 20 };
	static const char *const words[] = { "all", "any" };
	const char *unit;
	struct isx_err err;
	(void)state;
	uint64_t seed = test_seed();
	snprintf(directory, sizeof directory, "/tmp/isx-filtered-XXXXXX");
	assert_non_null(mkdtemp(directory));
	open_store("usearch", 1);
	ok(isx_index_create(store, "main", &err), &err);
	ok(isx_fields_set(store, "main", fields, 3, NULL, NULL, &err), &err);
	add_assets(&seed);
	unit = assets[0].units[0];
	for (size_t i = 0; i < 2; i++) {
		size_t left = LEFT;
		struct isx_quota quota = { .may_take = take_left, .keeper = &left };
		struct isx_result *result;
		struct isx_buf text = { 0 };
		isx_buf_printf(&text, "{\"%s\":[", words[i]);
		for (int k = 0; k < CONDITIONS; k++) /* each keeps nearly all assets */
			isx_buf_printf(&text, "%s{\"field\":\"n\",\"from\":%d}", k ? "," : "", k);
		isx_buf_text(&text, "]}");
		const struct isx_query query = {
			.units = &unit, .unit_count = 1, .limit = 1, .filter = isx_buf_take(&text)
		};
		ok(isx_search_within(store, "main", &query, &quota, &result, &err), &err);
		assert_true(left < LEFT);
		isx_result_free(result);
		isx_mem_free((void *)(uintptr_t)query.filter);
	}
	isx_close(store);
	test_remove_tree(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filtered__usearch_with_one_thread),
		cmocka_unit_test(test_filtered__memory_with_four_threads),
		cmocka_unit_test(test_filtered__lmdb),
		cmocka_unit_test(test_filtered__many_conditions_need_the_memory_of_a_few),
	};
	printf("seed %llu\n", (unsigned long long)test_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
