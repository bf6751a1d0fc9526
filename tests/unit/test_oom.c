/*
 * test_oom.c - memory that runs out anywhere in a request: a status, nothing half done, no leak.
 *
 * The first, the second, the third ... allocation fails, until the request gets through.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"
#include "support.h"
#include "json/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

enum { TRIES_MAX = 2000 };

#define ID   "ISCC:MAIGHXLN555Y2DFF"
#define CODE "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY"

static const char add_body[] = "[{\"iscc_id\":\"" ID "\",\"iscc_code\":\"" CODE
			       "\",\"metadata\":{\"name\":\"x\"},"
			       "\"simprints\":{\"CONTENT_TEXT_V0\":[{\"simprint\":"
			       "\"Mzdq5tYCKD4w4Pc4xv8T1A\",\"offset\":0,\"size\":9}]}}]";
static const char search_body[] =
	"{\"iscc_code\":\"" CODE
	"\",\"simprints\":{\"CONTENT_TEXT_V0\":[\"Mzdq5tYCKD4w4Pc4xv8T1A\"]}}";

static struct isx_store *store;
static char directory[64], uri[96], copy[96];
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

static enum isx_status search(struct isx_err *err)
{
	struct isx_payload payload = { isx_span_of(search_body), true };
	struct isx_problems problems = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_query query;
	struct isx_result *result;
	struct isx_buf answer = { 0 };
	enum isx_status st = isx_query_from_json(&payload, &arena, &query, &problems, err);
	if (!st)
		st = isx_search(store, "main", &query, &result, err);
	if (!st) {
		isx_result_to_json(&answer, result);
		st = isx_buf_status(&answer, err);
		isx_result_free(result);
	}
	isx_buf_release(&answer);
	isx_problems_release(&problems);
	isx_arena_release(&arena);
	return st;
}

/* More like this one, with its own simprints. */
static enum isx_status search_passages(struct isx_err *err)
{
	struct isx_query query = { .iscc_id = ID, .own_chunks = true };
	struct isx_result *result;
	enum isx_status st = isx_search(store, "main", &query, &result, err);
	if (!st)
		isx_result_free(result);
	return st;
}

static enum isx_status get(struct isx_err *err)
{
	char *json;
	enum isx_status st = isx_get(store, "main", ID, &json, err);
	if (!st)
		isx_text_free(json);
	return st;
}

static enum isx_status check(struct isx_err *err)
{
	struct isx_check report;
	enum isx_status st = isx_index_check(store, "main", &report, NULL, NULL, err);
	if (!st)
		assert_int_equal(report.findings, 0);
	return st;
}

static void note_progress(uint64_t bytes_done, uint64_t bytes_total, void *arg)
{
	(void)bytes_done, (void)bytes_total, (void)arg;
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

/* Let ever later allocations fail until `request` gets through; returns how often it failed. */
static size_t until_it_works(enum isx_status (*request)(struct isx_err *),
			     uint64_t assets_meanwhile)
{
	for (size_t nth = 1; nth < TRIES_MAX; nth++) {
		struct isx_err err = { 0 };
		isx_mem_fail_after(nth);
		enum isx_status st = request(&err);
		isx_mem_fail_after(0);
		if (!st)
			return nth - 1;
		if (st != ISX_NO_MEMORY)
			fail_msg("allocation %zu: status %d, %s", nth, st, err.msg);
		assert_int_equal(count_assets(), assets_meanwhile);
	}
	fail_msg("it never works");
	return 0;
}

static void test_oom__an_add_fails_whole_and_works_afterwards(void **state)
{
	(void)state;
	assert_true(until_it_works(add, 0) > 2);
	assert_int_equal(count_assets(), 1);
}

static void test_oom__a_search_fails_cleanly_and_works_afterwards(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	if (add(&err))
		fail_msg("%s", err.msg);
	assert_true(until_it_works(search, 1) > 5);
	assert_true(until_it_works(get, 1) > 0);
	if (strcmp(scheme, "lmdb") != 0)
		assert_true(until_it_works(search_passages, 1) > 5);
}

static void test_oom__a_check_fails_cleanly_and_works_afterwards(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	if (add(&err))
		fail_msg("%s", err.msg);
	assert_true(until_it_works(check, 1) > 5);
}

static void test_oom__copies_fail_whole_and_work_afterwards(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	if (add(&err))
		fail_msg("%s", err.msg);
	until_it_works(backup, 1);
	assert_int_equal(access(copy, F_OK), 0);
	if (strcmp(scheme, "memory") != 0)
		until_it_works(compact, 1);
	if (check(&err))
		fail_msg("%s", err.msg);
}

static void test_oom__opening_fails_cleanly_and_works_afterwards(void **state)
{
	(void)state;
	if (strcmp(scheme, "memory") == 0)
		return;
	isx_close(store); /* a process opens a file once */
	store = NULL;
	for (size_t nth = 1;; nth++) {
		struct isx_err err = { 0 };
		isx_mem_fail_after(nth);
		enum isx_status st = open_and_stat(&err);
		isx_mem_fail_after(0);
		if (!st)
			break;
		assert_int_equal(st, ISX_NO_MEMORY);
		assert_true(nth < TRIES_MAX);
	}
}

int main(void)
{
	static const char *const schemes[] = { "memory", "usearch", "lmdb" };
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_oom__an_add_fails_whole_and_works_afterwards),
		TEST(test_oom__a_search_fails_cleanly_and_works_afterwards),
		TEST(test_oom__a_check_fails_cleanly_and_works_afterwards),
		TEST(test_oom__copies_fail_whole_and_work_afterwards),
		TEST(test_oom__opening_fails_cleanly_and_works_afterwards),
	};
	int failed = 0;
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		scheme = schemes[i];
		failed += cmocka_run_group_tests_name(scheme, tests, NULL, NULL);
	}
	return failed;
}
