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

static int set_up(void **state)
{
	(void)state;
	return isx_open("memory://", NULL, &store, NULL) || isx_index_create(store, "main", NULL);
}

static int tear_down(void **state)
{
	(void)state;
	isx_close(store);
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
	assert_true(until_it_works(add, 0) > 5);
	assert_int_equal(count_assets(), 1);
}

static void test_oom__a_search_fails_cleanly_and_works_afterwards(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	if (add(&err))
		fail_msg("%s", err.msg);
	assert_true(until_it_works(search, 1) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_oom__an_add_fails_whole_and_works_afterwards,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_oom__a_search_fails_cleanly_and_works_afterwards, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
