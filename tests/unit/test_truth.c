/*
 * test_truth.c - every answer of the engine over real data equals the exact truth.
 *
 * The corpus beside the project (../shared/data) is used where it is; otherwise the shipped sample,
 * which is said. Truth lists the best 100 of each query: [iscc_id, score, {type: score}].
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "base/mem.h"
#include "engine/asset_units.h"
#include "support.h"
#include "json/json.h"
#include "json/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT = 100, BATCH = 5000 };

static const char *data_folder(void)
{
	static const char corpus[] = "../shared/data";
	if (access("../shared/data/truth.jsonl", R_OK) == 0)
		return corpus;
	print_message("../shared/data is not here: the sample in examples/ is used\n");
	return "examples";
}

/* A line of a file of the data folder, without its end; false at the end of the file. */
struct lines {
	FILE *file;
	char *line;
	size_t cap;
};

static struct lines open_lines(const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", data_folder(), name);
	struct lines lines = { .file = fopen(path, "r") };
	if (!lines.file)
		fail_msg("%s cannot be opened", path);
	return lines;
}

static bool next_line(struct lines *lines, struct isx_span *line)
{
	ssize_t len = getline(&lines->line, &lines->cap, lines->file);
	*line = isx_span_trim((struct isx_span){ lines->line, len > 0 ? (size_t)len : 0 });
	return len > 0;
}

static void close_lines(struct lines *lines)
{
	free(lines->line);
	fclose(lines->file);
}

/* Load the first assets, at most `max`, into a new index. */
static size_t load_assets(struct isx_store *store, const char *name, size_t max)
{
	struct lines lines = open_lines("assets.jsonl");
	struct isx_asset *assets = calloc(BATCH, sizeof *assets);
	struct isx_arena arena = { 0 };
	struct isx_err err;
	struct isx_span line;
	size_t count = 0, total = 0;
	bool more = true;
	if (isx_index_create(store, name, &err))
		fail_msg("%s", err.msg);
	while (more) {
		struct isx_problems problems = { 0 };
		more = total + count < max && next_line(&lines, &line);
		if (more && isx_asset_from_json(line, &arena, &assets[count++], &problems, &err))
			fail_msg("%s", err.msg);
		if (count < BATCH && more)
			continue;
		if (isx_add(store, name, assets, count, NULL, &err))
			fail_msg("%s", err.msg);
		total += count;
		count = 0;
		isx_arena_release(&arena);
	}
	free(assets);
	close_lines(&lines);
	return total;
}

static double number(struct isx_span value)
{
	double number = NAN;
	assert_true(isx_json_number(value, &number));
	return number;
}

/* Compare one match with its line of the truth. Equal scores are in the order of ISCC-IDs in both.
 */
static void expect_match(const struct isx_match *match, struct isx_span wanted)
{
	struct isx_json_walk walk = isx_json_walk_start(wanted);
	struct isx_span id, score, types, key;
	size_t type_count = 0;
	assert_true(isx_json_next_element(&walk, &id));
	assert_true(isx_json_next_element(&walk, &score));
	assert_true(isx_json_next_element(&walk, &types));
	assert_int_equal(id.len, strlen(match->iscc_id) + 2);
	assert_memory_equal(id.ptr + 1, match->iscc_id, id.len - 2);
	assert_true(fabs(match->score - number(score)) < 1e-9);
	walk = isx_json_walk_start(types);
	while (isx_json_next_member(&walk, &key, &score))
		type_count++;
	assert_int_equal(match->type_count, type_count);
	for (size_t i = 0; i < match->type_count; i++) {
		score = isx_json_member(types, match->types[i].type);
		assert_true(score.len > 0);
		assert_true(fabs(match->types[i].score - number(score)) < 1e-9);
	}
}

static void expect_truth(struct isx_store *store, struct isx_span query_line, struct isx_span truth)
{
	struct isx_span text = isx_json_member(query_line, "query");
	struct isx_payload payload = { text, true };
	struct isx_problems problems = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_query query;
	struct isx_result *result;
	struct isx_err err;
	struct isx_span wanted = isx_json_member(truth, "assets_full"), element;
	struct isx_json_walk walk = isx_json_walk_start(wanted);
	if (isx_query_from_json(&payload, &arena, &query, &problems, &err))
		fail_msg("%s", err.msg);
	query.simprints = NULL; /* these are indexed by another test */
	query.simprint_type_count = 0;
	query.limit = LIMIT;
	if (isx_search(store, "real", &query, &result, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(result->match_count, isx_json_length(wanted));
	for (size_t i = 0; i < result->match_count; i++) {
		assert_true(isx_json_next_element(&walk, &element));
		expect_match(&result->matches[i], element);
	}
	isx_result_free(result);
	isx_arena_release(&arena);
}

static void test_truth__every_answer_equals_it(void **state)
{
	struct isx_store *store = *state;
	struct isx_err err;
	struct isx_span query, line;
	size_t checked = 0;
	struct lines queries = open_lines("queries.jsonl"), truths = open_lines("truth.jsonl");
	while (next_line(&queries, &query) && next_line(&truths, &line)) {
		size_t offset;
		if (isx_json_check(line, &offset, &err))
			fail_msg("%s", err.msg);
		expect_truth(store, query, line);
		checked++;
	}
	assert_true(checked >= 60);
	close_lines(&queries);
	close_lines(&truths);
}

/* --- near-duplicates -------------------------------------------------------------------------- */

enum { UNITS_MAX = 8, TYPES_MAX = 16, ASSETS_MAX = 20000 };

/* An asset with its units; the types are numbered in `type_names`. */
struct known {
	char iscc_id[24];
	size_t count;
	struct known_unit {
		size_t type;
		size_t words;
		bool is_instance;
		uint32_t body[8];
	} units[UNITS_MAX];
};

static char type_names[TYPES_MAX][ISX_UNIT_TYPE_MAX];

/* The pairs that are found are compared one by one with those of the two loops. */
struct brute {
	const struct known *assets;
	size_t count;
	double min_score;
	size_t i, k; /* the next pair to look at */
	size_t found;
};

static size_t type_number(const char *type)
{
	size_t i = 0;
	while (type_names[i][0] && strcmp(type_names[i], type) != 0)
		i++;
	assert_true(i < TYPES_MAX);
	snprintf(type_names[i], sizeof type_names[i], "%s", type);
	return i;
}

/* All assets of the index in the order of their ISCC-IDs. */
static size_t read_known(struct isx_store *store, struct known *all)
{
	struct isx_cursor *cursor;
	const struct isx_asset *asset;
	struct isx_err err;
	size_t count = 0;
	assert_int_equal(isx_cursor_open(store, "known", NULL, &cursor, &err), ISX_OK);
	while (!isx_cursor_next(cursor, &asset, &err) && asset) {
		struct isx_arena arena = { 0 };
		struct isx_indexed_unit *units;
		struct known *one = &all[count++];
		assert_true(count <= ASSETS_MAX);
		assert_int_equal(isx_asset_units_all(asset, &arena, &units, &one->count, &err),
				 ISX_OK);
		assert_true(one->count <= UNITS_MAX);
		snprintf(one->iscc_id, sizeof one->iscc_id, "%s", asset->iscc_id);
		for (size_t i = 0; i < one->count; i++) {
			one->units[i].type = type_number(units[i].type);
			one->units[i].words = units[i].body_bytes / 4;
			one->units[i].is_instance = units[i].is_instance;
			memcpy(one->units[i].body, units[i].body, units[i].body_bytes);
		}
		isx_arena_release(&arena);
	}
	isx_cursor_close(cursor);
	return count;
}

/* The best score of each type, -1 for none. Is one of them `min_score` or more? */
static bool is_pair(const struct known *a, const struct known *b, double min_score, double *best)
{
	bool is = false;
	for (size_t t = 0; t < TYPES_MAX; t++)
		best[t] = -1;
	for (size_t i = 0; i < a->count; i++) {
		for (size_t k = 0; k < b->count; k++) {
			const struct known_unit *x = &a->units[i], *y = &b->units[k];
			size_t words = x->words < y->words ? x->words : y->words;
			int differing = 0;
			if (x->type != y->type)
				continue;
			for (size_t w = 0; w < words; w++)
				differing += __builtin_popcount(x->body[w] ^ y->body[w]);
			double score = 1.0 - (double)differing / (double)(words * 32);
			if (x->is_instance && differing)
				continue;
			best[x->type] = score > best[x->type] ? score : best[x->type];
			is |= score >= min_score;
		}
	}
	return is;
}

/* Move to the next pair of the two loops; false after the last one. */
static bool next_pair(struct brute *brute, double *best)
{
	for (; brute->i < brute->count; brute->i++, brute->k = brute->i + 1)
		while (brute->k < brute->count)
			if (is_pair(&brute->assets[brute->i], &brute->assets[brute->k++],
				    brute->min_score, best))
				return true;
	return false;
}

static enum isx_status expect_pair(const struct isx_pair *pair, void *arg, struct isx_err *err)
{
	struct brute *brute = arg;
	double best[TYPES_MAX], weighted = 0, weight = 0;
	size_t types = 0;
	(void)err;
	assert_true(next_pair(brute, best));
	assert_string_equal(pair->iscc_id, brute->assets[brute->i].iscc_id);
	assert_string_equal(pair->match, brute->assets[brute->k - 1].iscc_id);
	for (size_t t = 0; t < TYPES_MAX; t++) {
		types += best[t] >= 0;
		weighted += best[t] >= brute->min_score ? pow(best[t], 4) : 0;
		weight += best[t] >= brute->min_score ? best[t] : 0;
	}
	assert_int_equal(pair->type_count, types);
	for (size_t t = 0; t < pair->type_count; t++)
		assert_true(pair->types[t].score == best[type_number(pair->types[t].type)]);
	assert_true(fabs(pair->score - weighted / weight) < 1e-12);
	brute->found++;
	return ISX_OK;
}

static void test_truth__near_duplicates_are_those_of_two_loops(void **state)
{
	struct isx_store *store = *state;
	struct known *all = calloc(ASSETS_MAX, sizeof *all);
	struct isx_err err;
	double best[TYPES_MAX];
	assert_true(load_assets(store, "known", ASSETS_MAX) >= 2000);
	struct brute brute = { .assets = all, .count = read_known(store, all), .k = 1 };
	brute.min_score = 0.9;
	assert_int_equal(isx_duplicates(store, "known", &(struct isx_duplicates_query){ 0 },
					expect_pair, &brute, &err),
			 ISX_OK);
	assert_false(next_pair(&brute, best));
	assert_true(brute.found > brute.count / 10);
	print_message("%zu pairs of %zu assets\n", brute.found, brute.count);
	free(all);
}

static int set_up(void **state)
{
	static struct isx_store *store;
	struct isx_err err;
	if (isx_open("memory://", NULL, &store, &err))
		return -1;
	*state = store;
	return load_assets(store, "real", SIZE_MAX) >= 2000 ? 0 : -1;
}

static int tear_down(void **state)
{
	isx_close(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truth__every_answer_equals_it),
		cmocka_unit_test(test_truth__near_duplicates_are_those_of_two_loops),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
