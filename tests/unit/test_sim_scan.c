/*
 * test_sim_scan.c - a lane that is sought in has the rows that one has which is opened there.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/iscc_id.h"
#include "similarity/sim_engine.h"
#include "similarity/sim_scan.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* An asset has an even ISCC-ID body, so that the odd ones between are missing. Of RARE assets one has a unit
 * of the rare type. */
enum { ASSETS = 2000, STEP = 2, RARE = 500, BODY_BYTES = 8 };

static const char type[] = "DATA_NONE_V0", rare_type[] = "META_NONE_V0";

static char directory[64], path[128];

static int set_up(void **state)
{
	static char ids[ASSETS][ISX_ISCC_ID_TEXT_BYTES], texts[ASSETS][3][ISX_UNIT_TEXT_BYTES];
	static const char *units[ASSETS][3];
	static struct isx_asset assets[ASSETS];
	uint64_t seed = test_seed();
	struct isx_options options;
	struct isx_store *store;
	struct isx_err err;
	char uri[96];
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/isx-sim-scan-XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	snprintf(path, sizeof path, "%s/main/index.lmdb", directory);
	for (size_t i = 0; i < ASSETS; i++) {
		struct isx_iscc_id id = { .body = STEP * (i + 1) };
		size_t count = i % RARE == 7 ? 3 : i % 3 == 0 ? 2 : 1;
		isx_iscc_id_print(&id, ids[i]);
		for (size_t u = 0; u < count;
		     u++) { /* two of one type, then one of the rare type */
			uint64_t body = test_random(&seed) << 1 | (u == 0);
			test_unit_text(u < 2 ? ISX_DATA : ISX_META, (const uint8_t *)&body,
				       BODY_BYTES, texts[i][u]);
			units[i][u] = texts[i][u];
		}
		assets[i] = (struct isx_asset){ .iscc_id = ids[i],
						.units = units[i],
						.unit_count = count };
	}
	isx_options_init(&options);
	if (isx_open(uri, &options, &store, &err) || isx_index_create(store, "main", &err) ||
	    isx_add(store, "main", assets, ASSETS, NULL, &err))
		fail_msg("%s", err.msg);
	isx_close(store);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_remove_tree(directory);
	return 0;
}

/* The same first row, or none; and the last one of the same page. */
static void expect_same(const struct isx_lane *sought, const struct isx_lane *opened)
{
	assert_int_equal(sought->count > 0, opened->count > 0);
	if (sought->count == 0)
		return;
	assert_memory_equal(sought->rows, opened->rows, opened->row_bytes);
	assert_ptr_equal(sought->rows + sought->count * sought->row_bytes,
			 opened->rows + opened->count * opened->row_bytes);
}

/* Seek assets in steps of up to `step_max`, now and then back to any of them. */
static void seek_many(const char *of_type, uint64_t step_max)
{
	uint64_t seed = test_seed() + step_max, id = 0;
	struct isx_options options;
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	struct isx_err err;
	struct isx_lane sought = { .type = of_type, .body_bytes = BODY_BYTES };
	isx_options_init(&options);
	if (isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, &file, &err) ||
	    isx_lmdb_read(file, ISX_PAGES_BRIEF, &view, &err) ||
	    isx_lane_open(&sought, &view, test_random(&seed) % (STEP * ASSETS), &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < 20000; i++) {
		struct isx_lane opened = { .type = of_type, .body_bytes = BODY_BYTES };
		id += test_random(&seed) % (step_max + 1);
		if (test_random(&seed) % 500 == 0 || (id > STEP * (ASSETS + 20)))
			id = test_random(&seed) % (STEP * (ASSETS + 20));
		if (isx_lane_seek(&sought, id, &err) || isx_lane_open(&opened, &view, id, &err))
			fail_msg("%s", err.msg);
		expect_same(&sought, &opened);
		isx_lane_close(&opened);
	}
	isx_lane_close(&sought);
	isx_lmdb_end(&view);
	isx_lmdb_file_close(file);
}

static void test_sim_scan__seeking_finds_what_opening_finds(void **state)
{
	(void)state;
	seek_many(type, 1);
	seek_many(type, 9);
	seek_many(type, 1000);
}

/* Few rows, all in one page; and none at all. */
static void test_sim_scan__seeking_in_a_lane_with_few_rows(void **state)
{
	(void)state;
	seek_many(rare_type, 3);
	seek_many(rare_type, 3000);
	seek_many("CONTENT_TEXT_V0", 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sim_scan__seeking_finds_what_opening_finds),
		cmocka_unit_test(test_sim_scan__seeking_in_a_lane_with_few_rows),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
