/*
 * test_oom.c - memory runs out anywhere in a request: it returns a status, does nothing by halves,
 *              leaks nothing.
 *
 * The first, then the second, then the third allocation fails, and so on, until the request
 * succeeds. There are three kinds of faults: allocations of this program (base/mem.c) fail; all
 * allocations of the process fail from the nth on, those of LMDB too; or only the nth of the
 * process fails. For the last two this program defines malloc() itself; sanitizers bring their
 * own, so builds with them leave these two out.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"
#include "support.h"
#include "json/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

enum { TRIES_MAX = 2000 };

/* Which allocations fail: those of base/mem.c, all of the process from the nth on, or only its
 * nth. */
enum fault { OURS, ALL, ONE, FAULTS };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FAULTS_HERE (OURS + 1)

static void fail_after(enum fault fault, size_t nth)
{
	(void)fault;
	isx_mem_fail_after(nth);
}

static bool has_failed(enum fault fault)
{
	(void)fault;
	return false;
}
#else
#define FAULTS_HERE FAULTS

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t bytes);

static _Thread_local size_t next_failure; /* 0: none; n: the nth allocation from now */
static _Thread_local bool goes_on;        /* all later allocations fail too */
static _Thread_local bool failed;

static bool allocation_fails(void)
{
	if (next_failure == 0 || next_failure-- > 1)
		return false;
	next_failure = goes_on;
	failed = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t bytes)
{
	return allocation_fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t bytes)
{
	return allocation_fails() ? NULL : __libc_realloc(old, bytes);
}

static void fail_after(enum fault fault, size_t nth)
{
	isx_mem_fail_after(fault == OURS ? nth : 0);
	next_failure = fault == OURS ? 0 : nth;
	goes_on = fault == ALL;
	failed = failed && nth == 0;
}

/* Has an allocation failed since fail_after() last set one to fail? Unknown, so false, for OURS. */
static bool has_failed(enum fault fault)
{
	return fault != OURS && failed;
}
#endif

#define ID   "ISCC:MAIGHXLN555Y2DFF"
#define CODE "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY"

static const char add_body[] = "[{\"iscc_id\":\"" ID "\",\"iscc_code\":\"" CODE
			       "\",\"metadata\":{\"name\":\"x\"},"
			       "\"simprints\":{\"CONTENT_TEXT_V0\":[{\"simprint\":"
			       "\"Mzdq5tYCKD4w4Pc4xv8T1A\",\"offset\":0,\"size\":9}]}}]";
static const char search_body[] =
	"{\"iscc_code\":\"" CODE
	"\",\"simprints\":{\"CONTENT_TEXT_V0\":[\"Mzdq5tYCKD4w4Pc4xv8T1A\"]}}";

/* By what chance explains, and by the kind of match. */
static const char significant_body[] = "{\"iscc_code\":\"" CODE
				       "\",\"rank\":\"significance\",\"max_expect\":1e9}";
static const char tiered_body[] = "{\"iscc_code\":\"" CODE "\",\"rank\":\"tiered\"}";

static const char filtered_body[] =
	"{\"iscc_code\":\"" CODE
	"\",\"simprints\":{\"CONTENT_TEXT_V0\":[\"Mzdq5tYCKD4w4Pc4xv8T1A\"]},"
	"\"filter\":{\"types\":[\"CONTENT_TEXT_V0\"],\"iscc_id\":{\"from\":\"" ID "\"},\"any\":["
	"{\"field\":\"name\",\"in\":[\"x\",1]},{\"not\":{\"field\":\"/a/b\",\"exists\":false}}]},"
	"\"facets\":[\"name\",\"a/b\"]}";

static struct isx_store *store;
static char directory[64], uri[96], copy[96];
static enum fault fault;
static struct isx_buf answer; /* JSON of the last search, or of the last asset that was fetched */
static const char *scheme;

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/isx-oom-XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	snprintf(copy, sizeof copy, "%s/copy", directory);
	snprintf(uri, sizeof uri, "%s://%s/store", scheme, directory);
	if (strcmp(scheme, "memory") == 0)
		snprintf(uri, sizeof uri, "memory://");
	return isx_open(uri, NULL, &store, NULL) || isx_index_create(store, "main", NULL);
}

static int tear_down(void **state)
{
	(void)state;
	isx_close(store);
	test_remove_tree(directory);
	return 0;
}

static enum isx_status add(struct isx_err *err)
{
	struct isx_payload payload = { isx_span_of(add_body), true };
	struct isx_problems problems = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_asset *assets;
	size_t count;
	enum isx_status st = isx_payload_check(&payload, &problems, err);
	if (!st)
		st = isx_assets_from_json(&payload, &arena, &assets, &count, &problems, err);
	if (!st)
		st = isx_add(store, "main", assets, count, NULL, err);
	isx_problems_release(&problems);
	isx_arena_release(&arena);
	return st;
}

static enum isx_status answer_with(struct isx_result *result, struct isx_err *err)
{
	isx_buf_clear(&answer);
	isx_result_to_json(&answer, result);
	isx_result_free(result);
	return isx_buf_status(&answer, err);
}

static void note_progress(uint64_t bytes_done, uint64_t bytes_total, void *arg)
{
	(void)bytes_done, (void)bytes_total, (void)arg;
}

static enum isx_status search_with(const char *body, struct isx_err *err)
{
	struct isx_payload payload = { isx_span_of(body), true };
	struct isx_problems problems = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_query query;
	struct isx_result *result;
	enum isx_status st = isx_query_from_json(&payload, &arena, &query, &problems, err);
	if (!st)
		st = isx_search(store, "main", &query, &result, err);
	if (!st)
		st = answer_with(result, err);
	isx_problems_release(&problems);
	isx_arena_release(&arena);
	return st;
}

static enum isx_status search(struct isx_err *err)
{
	return search_with(search_body, err);
}

static enum isx_status search_by_significance(struct isx_err *err)
{
	return search_with(significant_body, err);
}

static enum isx_status search_by_tier(struct isx_err *err)
{
	return search_with(tiered_body, err);
}

/* With a filter that asks tables, ISCC-IDs and units, and with facets. */
static enum isx_status search_filtered(struct isx_err *err)
{
	return search_with(filtered_body, err);
}

static enum isx_status declare(struct isx_err *err)
{
	static const char *const fields[] = { "name", "/a/b" };
	return isx_fields_set(store, "main", fields, 2, note_progress, NULL, err);
}

static enum isx_status list_fields(struct isx_err *err)
{
	char **fields;
	size_t count;
	enum isx_status st = isx_fields_get(store, "main", &fields, &count, err);
	if (st)
		return st;
	isx_buf_clear(&answer);
	isx_fields_to_json(&answer, (const char *const *)fields, count);
	isx_texts_free(fields, count);
	return isx_buf_status(&answer, err);
}

/* Search by the ISCC-ID of the stored asset, with its stored simprints. */
static enum isx_status search_passages(struct isx_err *err)
{
	struct isx_query query = { .iscc_id = ID, .own_chunks = true };
	struct isx_result *result;
	enum isx_status st = isx_search(store, "main", &query, &result, err);
	return st ? st : answer_with(result, err);
}

static enum isx_status get(struct isx_err *err)
{
	char *json;
	enum isx_status st = isx_get(store, "main", ID, &json, err);
	if (st)
		return st;
	isx_buf_clear(&answer);
	isx_buf_text(&answer, json);
	isx_text_free(json);
	return isx_buf_status(&answer, err);
}

static enum isx_status write_pair(const struct isx_pair *pair, void *arg, struct isx_err *err)
{
	(void)arg;
	isx_pair_to_json(&answer, pair);
	return isx_buf_status(&answer, err);
}

/* Of the stored asset and an equal one in another index. */
static enum isx_status duplicates(struct isx_err *err)
{
	const struct isx_duplicates_query query = { .against = "other" };
	isx_buf_clear(&answer);
	return isx_duplicates(store, "main", &query, write_pair, NULL, err);
}

static enum isx_status check(struct isx_err *err)
{
	struct isx_check report;
	enum isx_status st = isx_index_check(store, "main", &report, NULL, NULL, err);
	if (!st)
		assert_int_equal(report.findings, 0);
	return st;
}

static enum isx_status backup(struct isx_err *err)
{
	enum isx_status st = isx_index_backup(store, "main", copy, true, note_progress, NULL, err);
	if (st)
		assert_int_not_equal(access(copy, F_OK), 0);
	return st;
}

static enum isx_status compact(struct isx_err *err)
{
	struct isx_compaction done;
	return isx_index_compact(store, "main", &done, note_progress, NULL, err);
}

/* Read all assets back with their simprints, as JSON that could be added again. */
static enum isx_status walk(struct isx_err *err)
{
	struct isx_cursor *cursor;
	const struct isx_asset *asset;
	isx_buf_clear(&answer);
	enum isx_status st = isx_cursor_open(store, "main", NULL, &cursor, err);
	if (st)
		return st;
	while (!(st = isx_cursor_next(cursor, &asset, err)) && asset)
		isx_asset_to_request(&answer, asset);
	isx_cursor_close(cursor);
	return st ? st : isx_buf_status(&answer, err);
}

static enum isx_status read_asset(struct isx_err *err)
{
	struct isx_asset *asset;
	isx_buf_clear(&answer);
	enum isx_status st = isx_asset_get(store, "main", ID, &asset, err);
	if (st)
		return st;
	isx_asset_to_request(&answer, asset);
	isx_asset_free(asset);
	return isx_buf_status(&answer, err);
}

/* From a closed store to an answer. */
static enum isx_status open_and_stat(struct isx_err *err)
{
	struct isx_store *opened;
	struct isx_index_info info;
	enum isx_status st = isx_open(uri, NULL, &opened, err);
	if (st)
		return st;
	st = isx_index_stat(opened, "main", &info, err);
	if (!st)
		isx_index_info_release(&info);
	isx_close(opened);
	return st;
}

static uint64_t count_assets(void)
{
	struct isx_index_info info;
	struct isx_err err;
	if (isx_index_stat(store, "main", &info, &err))
		fail_msg("%s", err.msg);
	uint64_t count = info.assets;
	isx_index_info_release(&info);
	return count;
}

/* Checks the invariants after each attempt. */
typedef void after_fn(enum isx_status st);

/* Let a later allocation fail each time, until `request` ends without any failure. Returns how
 * often it failed. */
static size_t until_it_works(enum isx_status (*request)(struct isx_err *), after_fn *after)
{
	size_t refused = 0;
	for (size_t nth = 1; nth < TRIES_MAX; nth++) {
		struct isx_err err = { 0 };
		fail_after(fault, nth);
		enum isx_status st = request(&err);
		fail_after(fault, 0);
		if (st && st != ISX_NO_MEMORY)
			fail_msg("fault %d, allocation %zu: status %d, %s", fault, nth, st,
				 err.msg);
		after(st);
		if (!st && !has_failed(fault))
			return refused;
		refused += st != ISX_OK;
	}
	fail_msg("it never works");
	return 0;
}

static char *expected; /* what `answer` has to be */

static void expect_from(enum isx_status (*request)(struct isx_err *))
{
	struct isx_err err = { 0 };
	if (request(&err))
		fail_msg("%s", err.msg);
	free(expected);
	expected = strndup(answer.ptr, answer.len);
	assert_non_null(expected);
}

static void expect_same_answer(enum isx_status st)
{
	if (!st) {
		assert_int_equal(answer.len, strlen(expected));
		assert_memory_equal(answer.ptr, expected, answer.len);
	}
	assert_int_equal(count_assets(), 1);
}

static void expect_all_or_nothing(enum isx_status st)
{
	struct isx_err err = { 0 };
	assert_int_equal(count_assets(), st == ISX_OK);
	if (st)
		return;
	if (get(&err) || isx_remove(store, "main", ID, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(answer.len, strlen(expected));
	assert_memory_equal(answer.ptr, expected, answer.len);
}

static void expect_one_asset(enum isx_status st)
{
	(void)st;
	assert_int_equal(count_assets(), 1);
}

static void add_one(void)
{
	struct isx_err err = { 0 };
	if (add(&err))
		fail_msg("%s", err.msg);
}

static void test_oom__an_add_fails_whole_and_works_afterwards(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	add_one();
	expect_from(get);
	assert_int_equal(isx_remove(store, "main", ID, &err), ISX_OK);
	assert_true(until_it_works(add, expect_all_or_nothing) > 2);
	add_one();
	assert_int_equal(count_assets(), 1);
}

static void test_oom__a_search_fails_cleanly_and_works_afterwards(void **state)
{
	(void)state;
	add_one();
	expect_from(search);
	assert_true(until_it_works(search, expect_same_answer) > 5);
	expect_from(search_by_significance);
	assert_true(until_it_works(search_by_significance, expect_same_answer) > 5);
	expect_from(search_by_tier);
	assert_true(until_it_works(search_by_tier, expect_same_answer) > 5);
	expect_from(get);
	assert_true(until_it_works(get, expect_same_answer) > 0);
	expect_from(walk);
	assert_true(until_it_works(walk, expect_same_answer) > 1);
	assert_true(until_it_works(read_asset, expect_same_answer) > 1);
	if (strcmp(scheme, "lmdb") != 0) {
		expect_from(search_passages);
		assert_true(until_it_works(search_passages, expect_same_answer) > 5);
	}
}

/* After each attempt either all fields are declared or none; all are taken back for the next one. */
static void expect_all_fields_or_none(enum isx_status st)
{
	struct isx_err err = { 0 };
	assert_int_equal(list_fields(&err), ISX_OK);
	assert_int_equal(answer.len, strlen(st ? "{\"fields\":[]}" : expected));
	if (!st && isx_fields_set(store, "main", NULL, 0, NULL, NULL, &err))
		fail_msg("%s", err.msg);
}

static void test_oom__fields_and_filters_fail_cleanly_and_work_afterwards(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	add_one();
	assert_int_equal(declare(&err), ISX_OK);
	expect_from(list_fields);
	assert_true(until_it_works(list_fields, expect_same_answer) > 1);
	assert_int_equal(isx_fields_set(store, "main", NULL, 0, NULL, NULL, &err), ISX_OK);
	assert_true(until_it_works(declare, expect_all_fields_or_none) > 2);
	assert_int_equal(declare(&err), ISX_OK);
	expect_from(search_filtered);
	assert_non_null(strstr(expected,
			       "\"facets\":{\"name\":[{\"value\":\"x\",\"count\":1}],\"a/b\":[]}"));
	assert_true(until_it_works(search_filtered, expect_same_answer) > 10);
	/* a value that the table cuts is read from the asset */
	char metadata[1000];
	snprintf(metadata, sizeof metadata, "{\"a\":{\"b\":\"%0900d\"}}", 1);
	assert_int_equal(isx_metadata_set(store, "main", ID, metadata, &err), ISX_OK);
	expect_from(search_filtered);
	assert_non_null(strstr(expected, "0001\",\"count\":1}]"));
	assert_true(until_it_works(search_filtered, expect_same_answer) > 10);
	add_one();
	/* a change keeps the table up to date, or fails as a whole */
	expect_from(get);
	assert_int_equal(isx_remove(store, "main", ID, &err), ISX_OK);
	assert_true(until_it_works(add, expect_all_or_nothing) > 2);
	add_one();
	assert_int_equal(check(&err), ISX_OK);
}

static void test_oom__a_comparison_fails_cleanly_and_works_afterwards(void **state)
{
	struct isx_asset *asset;
	struct isx_err err;
	(void)state;
	if (strcmp(scheme, "lmdb") == 0)
		return;
	add_one();
	if (isx_asset_get(store, "main", ID, &asset, &err) ||
	    isx_index_create(store, "other", &err) || isx_add(store, "other", asset, 1, NULL, &err))
		fail_msg("%s", err.msg);
	isx_asset_free(asset);
	expect_from(duplicates);
	assert_true(answer.len > 0);
	assert_true(until_it_works(duplicates, expect_same_answer) > 0);
}

static void test_oom__a_check_fails_cleanly_and_works_afterwards(void **state)
{
	(void)state;
	add_one();
	assert_true(until_it_works(check, expect_one_asset) > 2);
}

static void test_oom__copies_fail_whole_and_work_afterwards(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	add_one();
	until_it_works(backup, expect_one_asset);
	assert_int_equal(access(copy, F_OK), 0);
	if (strcmp(scheme, "memory") != 0)
		until_it_works(compact, expect_one_asset);
	if (check(&err))
		fail_msg("%s", err.msg);
}

static void expect_nothing(enum isx_status st)
{
	(void)st;
}

static void test_oom__opening_fails_cleanly_and_works_afterwards(void **state)
{
	(void)state;
	if (strcmp(scheme, "memory") == 0)
		return;
	isx_close(store); /* a process opens a file once */
	store = NULL;
	assert_true(until_it_works(open_and_stat, expect_nothing) > 2);
}

int main(void)
{
	static const char *const schemes[] = { "memory", "usearch", "lmdb" };
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_oom__an_add_fails_whole_and_works_afterwards),
		TEST(test_oom__a_search_fails_cleanly_and_works_afterwards),
		TEST(test_oom__fields_and_filters_fail_cleanly_and_work_afterwards),
		TEST(test_oom__a_comparison_fails_cleanly_and_works_afterwards),
		TEST(test_oom__a_check_fails_cleanly_and_works_afterwards),
		TEST(test_oom__copies_fail_whole_and_work_afterwards),
		TEST(test_oom__opening_fails_cleanly_and_works_afterwards),
	};
	int failures = 0;
	for (fault = OURS; fault < FAULTS_HERE; fault++) {
		for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
			scheme = schemes[i];
			failures += cmocka_run_group_tests_name(scheme, tests, NULL, NULL);
		}
	}
	isx_buf_release(&answer);
	free(expected);
	return failures;
}
