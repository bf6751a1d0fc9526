/*
 * test_meter.c - the counters of a store, and searches that their caller cancels.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/meter.h"
#include "iscc/iscc_id.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ASSETS = 30000, UNITS = 3, BODY_BYTES = 8 };

struct caller {
	unsigned asked;    /* calls of cancel_check() */
	unsigned patience; /* calls that let the search go on */
	bool is_silent;    /* returns the status and leaves the error alone */
};

struct fixture {
	char directory[64];
	struct isx_counters counters;
	struct isx_store *store;
	struct isx_err err;
	char units[UNITS][ISX_UNIT_TEXT_BYTES];
	const char *unit_list[UNITS];
};

static struct fixture fx;

static void random_units(uint64_t *seed)
{
	static const uint32_t types[UNITS] = { 0, 2, 3 }; /* META, CONTENT, DATA */
	for (size_t k = 0; k < UNITS; k++) {
		uint64_t body = test_random(seed);
		test_unit_text(types[k], (const uint8_t *)&body, BODY_BYTES, fx.units[k]);
		fx.unit_list[k] = fx.units[k];
	}
}

static void add_assets(uint64_t *seed)
{
	enum { BATCH = 1000 };
	static struct isx_asset assets[BATCH];
	static char ids[BATCH][24];
	static char units[BATCH][UNITS][ISX_UNIT_TEXT_BYTES];
	static const char *lists[BATCH][UNITS];
	for (size_t first = 0; first < ASSETS; first += BATCH) {
		for (size_t i = 0; i < BATCH; i++) {
			struct isx_iscc_id id = { .body = first + i + 1, .version = 1 };
			isx_iscc_id_print(&id, ids[i]);
			random_units(seed);
			memcpy(units[i], fx.units, sizeof fx.units);
			for (size_t k = 0; k < UNITS; k++)
				lists[i][k] = units[i][k];
			assets[i] = (struct isx_asset){ .iscc_id = ids[i],
							.units = lists[i],
							.unit_count = UNITS };
		}
		assert_int_equal(isx_add(fx.store, "main", assets, BATCH, NULL, &fx.err), ISX_OK);
	}
}

static int set_up(void **state)
{
	char uri[128];
	struct isx_options options;
	uint64_t seed = test_seed();
	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	snprintf(fx.directory, sizeof fx.directory, "/tmp/isx-test-XXXXXX");
	if (!mkdtemp(fx.directory))
		return -1;
	snprintf(uri, sizeof uri, "usearch://%s", fx.directory);
	isx_options_init(&options);
	options.relaxed = true;
	options.counters = &fx.counters;
	if (isx_open(uri, &options, &fx.store, &fx.err) ||
	    isx_index_create(fx.store, "main", &fx.err))
		return -1;
	add_assets(&seed);
	random_units(&seed);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	isx_close(fx.store);
	test_remove_tree(fx.directory);
	return 0;
}

static enum isx_status count_checks(void *arg, struct isx_err *err)
{
	struct caller *caller = arg;
	if (caller->asked++ < caller->patience)
		return ISX_OK;
	if (err && !caller->is_silent) {
		err->status = ISX_CANCELLED;
		snprintf(err->msg, sizeof err->msg, "enough");
	}
	return ISX_CANCELLED;
}

/* Search with this much patience; returns how many rows were compared. */
static uint64_t search(struct caller *caller, enum isx_status wanted)
{
	struct isx_result *result = NULL;
	struct isx_query query = { .units = fx.unit_list,
				   .unit_count = UNITS,
				   .cancel_check = caller ? count_checks : NULL,
				   .cancel_arg = caller };
	uint64_t before = fx.counters.rows_scanned;
	assert_int_equal(isx_search(fx.store, "main", &query, &result, &fx.err), wanted);
	isx_result_free(result);
	return fx.counters.rows_scanned - before;
}

static void test_meter__counts_commits(void **state)
{
	const char *units[] = { fx.units[0] };
	const struct isx_asset asset = { .iscc_id = "ISCC:MAIGHXLN555Y2DFF",
					 .units = units,
					 .unit_count = 1 };
	uint64_t before = fx.counters.commits;
	(void)state;
	assert_int_equal(isx_add(fx.store, "main", &asset, 1, NULL, &fx.err), ISX_OK);
	assert_int_equal(fx.counters.commits - before, 1);
	assert_int_equal(isx_remove(fx.store, "main", asset.iscc_id, &fx.err), ISX_OK);
	assert_int_equal(fx.counters.commits - before, 2);
}

static void test_meter__counts_every_comparison(void **state)
{
	(void)state;
	assert_int_equal(search(NULL, ISX_OK), ASSETS * UNITS);
}

static void test_meter__a_search_may_not_even_begin(void **state)
{
	struct caller caller = { .patience = 0 };
	(void)state;
	assert_int_equal(search(&caller, ISX_CANCELLED), 0);
	assert_string_equal(fx.err.msg, "enough");
	assert_int_equal(caller.asked, 1);
}

static void test_meter__a_search_ends_on_the_way(void **state)
{
	struct caller caller = { .patience = 1 };
	struct isx_index_info info;
	(void)state;
	uint64_t rows = search(&caller, ISX_CANCELLED);
	assert_true(rows >= ISX_METER_STEP && rows < ASSETS * UNITS);
	assert_int_equal(caller.asked, 2);
	assert_int_equal(isx_index_stat(fx.store, "main", &info, &fx.err), ISX_OK);
	assert_int_equal(info.readers, 0);
	isx_index_info_release(&info);
}

/* What follows or replaces comparisons asks, too: lookups for a tier, assets that are read for a filter, and
 * winners that are described. */
static void test_meter__a_search_ends_while_assets_are_looked_up(void **state)
{
	static const struct isx_query asked[] = {
		{ .rank = ISX_RANK_TIERED, .limit = 1 },
		{ .filter = "{\"types\":[\"META_NONE_V0\"]}", .limit = 1 },
		{ .limit = ASSETS, .with = ISX_WITH_NOTHING },
	};
	(void)state;
	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		struct caller caller = { .patience = 60 };
		struct isx_result *result = NULL;
		struct isx_query query = asked[i];
		query.units = fx.unit_list;
		query.unit_count = UNITS;
		query.has_min_score = true; /* of 0: every asset matches */
		query.cancel_check = count_checks;
		query.cancel_arg = &caller;
		assert_int_equal(isx_search(fx.store, "main", &query, &result, &fx.err),
				 ISX_CANCELLED);
		assert_string_equal(fx.err.msg, "enough");
	}
}

static void test_meter__a_search_ends_without_a_message(void **state)
{
	(void)state;
	for (unsigned patience = 0; patience < 2; patience++) {
		struct caller caller = { .patience = patience, .is_silent = true };
		fx.err = (struct isx_err){ 0 };
		search(&caller, ISX_CANCELLED);
		assert_int_equal(fx.err.status, ISX_CANCELLED);
		assert_string_equal(fx.err.msg, "");
		assert_int_equal(caller.asked, patience + 1);
	}
}

static void test_meter__a_patient_caller_gets_the_answer(void **state)
{
	struct caller caller = { .patience = 1000 };
	(void)state;
	assert_int_equal(search(&caller, ISX_OK), ASSETS * UNITS);
	assert_true(caller.asked >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meter__counts_commits),
		cmocka_unit_test(test_meter__counts_every_comparison),
		cmocka_unit_test(test_meter__a_search_may_not_even_begin),
		cmocka_unit_test(test_meter__a_search_ends_on_the_way),
		cmocka_unit_test(test_meter__a_search_ends_while_assets_are_looked_up),
		cmocka_unit_test(test_meter__a_search_ends_without_a_message),
		cmocka_unit_test(test_meter__a_patient_caller_gets_the_answer),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
