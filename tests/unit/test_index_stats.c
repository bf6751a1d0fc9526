/*
 * test_index_stats.c - isx_stats() for programs: declared fields, cancelling, memory that runs out.
 *
 * The numbers are compared with a count in tests/http/test_stats.py.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"
#include "service/service.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A store with one asset, of any engine that keeps it in this process. */
static struct isx_store *make_store(const char *uri)
{
	static const char *const units[] = { "ISCC:EAARGRTN2OGNKMJY", "ISCC:GAARGRTN2OGNKMJY" };
	const struct isx_asset asset = { .iscc_id = "ISCC:MAIGHXLN555Y2DFF",
					 .units = units,
					 .unit_count = 2,
					 .metadata = "{\"license\":\"CC0\"}" };
	struct isx_store *store = NULL;
	struct isx_err err = { 0 };
	if (isx_open(uri, NULL, &store, &err) || isx_index_create(store, "main", &err) ||
	    isx_add(store, "main", &asset, 1, NULL, &err))
		fail_msg("%s", err.msg);
	return store;
}

static void check_numbers(const struct isx_index_stats *stats)
{
	assert_int_equal(stats->assets, 1);
	assert_int_equal(stats->unit_type_count, 2);
	assert_string_equal(stats->units[0].type, "CONTENT_TEXT_V0");
	assert_int_equal(stats->units[0].assets, 1);
	assert_int_equal(stats->units[0].lengths[0].bits, 64);
	assert_int_equal(stats->units[0].lengths[0].count, 1);
	assert_int_equal(stats->hubs[0].hub, 3237);
	assert_string_equal(stats->periods[0].name, "2025-09-02T19");
	assert_int_equal(stats->first_us, 1756842933336272);
	assert_int_equal(stats->last_us, stats->first_us);
	assert_int_equal(stats->sampled, 1);
	assert_int_equal(stats->with_metadata, 1);
}

static void test_index_stats__declared_fields_are_among_them(void **state)
{
	static const char *const fields[] = { "license" };
	struct isx_store *store = make_store("memory://");
	struct isx_index_stats *stats;
	(void)state;
	assert_int_equal(isx_stats(store, "main", &stats, NULL), ISX_OK);
	check_numbers(stats);
	assert_int_equal(stats->field_count, 0);
	isx_stats_free(stats);
	assert_int_equal(isx_fields_set(store, "main", fields, 1, NULL, NULL, NULL), ISX_OK);
	assert_int_equal(isx_stats(store, "main", &stats, NULL), ISX_OK);
	assert_int_equal(stats->field_count, 1);
	assert_string_equal(stats->fields[0], "/license");
	isx_stats_free(stats);
	isx_stats_free(NULL);
	assert_int_equal(isx_stats(store, "none", &stats, NULL), ISX_NOT_FOUND);
	isx_close(store);
}

static enum isx_status cancel(void *cancel_arg, struct isx_err *err)
{
	++*(unsigned *)cancel_arg;
	return isx_fail(err, ISX_CANCELLED, "enough");
}

/* The question comes with the first asset: the meter has counted none yet. */
static void test_index_stats__counting_can_be_cancelled(void **state)
{
	struct isx_store *store = make_store("memory://");
	unsigned asked = 0;
	const struct isx_meter meter = { .cancel_check = cancel, .cancel_arg = &asked };
	struct isx_index_stats *stats = NULL;
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(isx_stats_within(store, "main", &meter, NULL, &stats, &err),
			 ISX_CANCELLED);
	assert_string_equal(err.msg, "enough");
	assert_int_equal(asked, 1);
	assert_null(stats);
	isx_close(store);
}

static enum isx_status refuse(void *keeper, size_t bytes, struct isx_err *err)
{
	(void)keeper, (void)bytes;
	return isx_fail(err, ISX_UNAVAILABLE, "no room");
}

static void test_index_stats__memory_is_asked_of_the_quota(void **state)
{
	struct isx_store *store = make_store("memory://");
	const struct isx_work work = { .iscc = "ISCC:MAIGHXLN555Y2DFF", .index = "main" };
	const struct isx_quota quota = { .may_take = refuse };
	const struct isx_meter meter = { 0 };
	struct isx_index_stats *stats = NULL;
	struct isx_comparison *comparison = NULL;
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(isx_stats_within(store, "main", &meter, &quota, &stats, &err),
			 ISX_UNAVAILABLE);
	assert_string_equal(err.msg, "no room");
	assert_null(stats);
	assert_int_equal(isx_compare_within(store, &work, &work, NULL, &quota, &comparison, &err),
			 ISX_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "no room"));
	assert_null(comparison);
	isx_close(store);
}

static void test_index_stats__memory_may_run_out_anywhere(void **state)
{
	struct isx_store *store = make_store("memory://");
	struct isx_index_stats *stats = NULL;
	struct isx_err err;
	enum isx_status st = ISX_NO_MEMORY;
	size_t nth;
	(void)state;
	for (nth = 1; st; nth++) {
		isx_mem_fail_after(nth);
		st = isx_stats(store, "main", &stats, &err);
		isx_mem_fail_after(0);
		assert_true(st == ISX_OK || st == ISX_NO_MEMORY);
	}
	assert_true(nth > 5);
	check_numbers(stats);
	isx_stats_free(stats);
	isx_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_stats__declared_fields_are_among_them),
		cmocka_unit_test(test_index_stats__counting_can_be_cancelled),
		cmocka_unit_test(test_index_stats__memory_is_asked_of_the_quota),
		cmocka_unit_test(test_index_stats__memory_may_run_out_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
