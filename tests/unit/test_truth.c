/*
 * test_truth.c - every answer of the engine over real data equals the exact truth.
 *
 * The corpus beside the project (../shared/data) is used where it is; otherwise the shipped sample,
 * which is said. Truth lists the best 100 of each query: [iscc_id, score, {type: score}].
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "base/mem.h"
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

static size_t load_assets(struct isx_store *store)
{
	struct lines lines = open_lines("assets.jsonl");
	struct isx_asset *assets = calloc(BATCH, sizeof *assets);
	struct isx_arena arena = { 0 };
	struct isx_err err;
	struct isx_span line;
	size_t count = 0, total = 0;
	bool more = true;
	while (more) {
		struct isx_problems problems = { 0 };
		more = next_line(&lines, &line);
		if (more && isx_asset_from_json(line, &arena, &assets[count++], &problems, &err))
			fail_msg("%s", err.msg);
		if (count < BATCH && more)
			continue;
		if (isx_add(store, "real", assets, count, NULL, &err))
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
	struct isx_store *store;
	struct isx_err err;
	struct isx_span query, line;
	size_t checked = 0;
	(void)state;
	if (isx_open("memory://", NULL, &store, &err) || isx_index_create(store, "real", &err))
		fail_msg("%s", err.msg);
	assert_true(load_assets(store) >= 2000);
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
	isx_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_truth__every_answer_equals_it) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
