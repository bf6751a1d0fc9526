/*
 * test_leaves.c - the list of the pages of a key has exactly the values that a cursor finds in the same
 *                 snapshot, whatever is written meanwhile.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"
#include "similarity/sim_engine.h"
#include "similarity/sim_scan.h"
#include "similarity/sim_tables.h"
#include "storage/lmdb_leaves.h"
#include "storage/lmdb_verify.h"
#include "support.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

enum { BODY_BYTES = 32, ROW_BYTES = 8 + BODY_BYTES, ASKS = 4, THREADS = 6, COMMITS = 60 };

static const char type[] = "CONTENT_TEXT_V0";

static struct fixture {
	char directory[64];
	struct isx_lmdb_file *file;
	uint64_t rows; /* of the type, as the next commit will leave them */
} fx;

/* An index with one asset, so that the table of bodies of 256 bits exists. */
static int set_up(void **state)
{
	char uri[96], path[128], text[ISX_UNIT_TEXT_BYTES], other[ISX_UNIT_TEXT_BYTES];
	struct isx_options options;
	struct isx_store *store;
	struct isx_err err;
	uint8_t body[BODY_BYTES] = { 0 };
	(void)state;
	snprintf(fx.directory, sizeof fx.directory, "/tmp/isx-leaves-XXXXXX");
	if (!mkdtemp(fx.directory))
		return 1;
	snprintf(uri, sizeof uri, "usearch://%s", fx.directory);
	snprintf(path, sizeof path, "%s/main/index.lmdb", fx.directory);
	test_unit_text(ISX_META, body, BODY_BYTES, text);
	test_unit_text(ISX_DATA, body, BODY_BYTES, other);
	const char *units[] = { text, other };
	const struct isx_asset asset = { .units = units, .unit_count = 2 };
	isx_options_init(&options);
	options.relaxed = true;
	if (isx_open(uri, &options, &store, &err) || isx_index_create(store, "main", &err) ||
	    isx_add(store, "main", &asset, 1, NULL, &err))
		fail_msg("%s", err.msg);
	isx_close(store);
	fx.rows = 0;
	if (isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, &fx.file, &err))
		fail_msg("%s", err.msg);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	isx_lmdb_file_close(fx.file);
	test_remove_tree(fx.directory);
	return 0;
}

static struct isx_lmdb_view read_view(void)
{
	struct isx_lmdb_view view;
	struct isx_err err;
	if (isx_lmdb_read(fx.file, ISX_PAGES_ROWS, &view, &err))
		fail_msg("%s", err.msg);
	return view;
}

/* Commit `count` more rows of the type, between those that are there. */
static void write_rows(uint64_t count)
{
	struct isx_lmdb_view view;
	struct isx_err err;
	if (isx_lmdb_write(fx.file, &view, &err))
		fail_msg("%s", err.msg);
	for (uint64_t i = 0; i < count; i++) {
		uint8_t row[ROW_BYTES] = { 0 };
		isx_store_be64(row, fx.rows++ * 0x9E3779B97F4A7C15u);
		isx_store_be64(row + 8, fx.rows);
		MDB_val key = isx_lmdb_val(type, strlen(type));
		MDB_val value = isx_lmdb_val(row, sizeof row);
		assert_int_equal(0, mdb_put(view.txn, isx_sim_tables(&view)->units[BODY_BYTES],
					    &key, &value, 0));
	}
	if (isx_lmdb_commit(&view, &err))
		fail_msg("%s", err.msg);
}

static const struct isx_leaves *get(struct isx_lmdb_view *view)
{
	return isx_leaves_get(view, isx_sim_tables(view)->units[BODY_BYTES],
			      (struct isx_span){ type, strlen(type) });
}

/* Ask as often as it takes until there is a list. */
static const struct isx_leaves *get_listed(struct isx_lmdb_view *view)
{
	const struct isx_leaves *leaves = NULL;
	for (int i = 0; i < ASKS && !leaves; i++)
		leaves = get(view);
	return leaves;
}

/* Does a list have the values that a cursor finds, each once and in their order? */
static bool equals_cursor(const struct isx_leaves *leaves, struct isx_lmdb_view *view)
{
	MDB_cursor *cursor;
	MDB_val key = isx_lmdb_val(type, strlen(type)), value;
	bool is_equal = true;
	if (mdb_cursor_open(view->txn, isx_sim_tables(view)->units[BODY_BYTES], &cursor))
		return false;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_KEY);
	for (size_t page = 0; page < leaves->count; page++)
		for (size_t i = 0; i < leaves->items[page].count; i++) {
			is_equal &= !rc && value.mv_size == ROW_BYTES &&
				    memcmp(leaves->items[page].rows + i * ROW_BYTES, value.mv_data,
					   ROW_BYTES) == 0;
			rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT_DUP);
		}
	mdb_cursor_close(cursor);
	return is_equal && rc == MDB_NOTFOUND;
}

static void test_leaves__lists_what_a_cursor_finds(void **state)
{
	/* none, a lone one inside the node of its key, some that share a page with other keys, many */
	static const uint64_t more[] = { 0, 1, 1, 5, 60, 1000, 20000 };
	(void)state;
	for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
		write_rows(more[i]);
		struct isx_lmdb_view view = read_view();
		const struct isx_leaves *leaves = get_listed(&view);
		assert_non_null(leaves);
		assert_true(equals_cursor(leaves, &view));
		assert_true(fx.rows < 20000 || leaves->count > 100);
		isx_leaves_put(&view, leaves);
		isx_lmdb_end(&view);
	}
}

static void test_leaves__lists_only_what_several_searches_of_a_snapshot_want(void **state)
{
	(void)state;
	write_rows(500);
	for (int i = 1; i < ASKS; i++) { /* of other snapshots */
		struct isx_lmdb_view view = read_view();
		assert_null(get(&view));
		isx_lmdb_end(&view);
		write_rows(1);
	}
	struct isx_lmdb_view view = read_view();
	for (int i = 1; i < ASKS; i++)
		assert_null(get(&view));
	const struct isx_leaves *first = get(&view), *second = get(&view);
	assert_non_null(first);
	assert_ptr_equal(first, second); /* one list for all */
	isx_leaves_put(&view, first);
	isx_leaves_put(&view, second);
	isx_lmdb_end(&view);
}

static void test_leaves__keeps_snapshots_apart(void **state)
{
	(void)state;
	write_rows(3000);
	struct isx_lmdb_view old = read_view();
	const struct isx_leaves *of_old = get_listed(&old);
	assert_non_null(of_old);
	for (int turn = 0; turn < 5; turn++) {
		write_rows(700); /* LMDB would use the pages of `old` again, were it not open */
		struct isx_lmdb_view new = read_view();
		const struct isx_leaves *of_new = get_listed(&new);
		assert_non_null(of_new);
		assert_true(equals_cursor(of_new, &new));
		assert_false(equals_cursor(of_new, &old));
		assert_true(equals_cursor(of_old, &old)); /* dropped, but in use */
		assert_null(get_listed(&old)); /* the lists are those of the newer snapshot now */
		isx_leaves_put(&new, of_new);
		isx_lmdb_end(&new);
	}
	isx_leaves_put(&old, of_old);
	isx_lmdb_end(&old);
}

static void test_leaves__is_not_for_views_that_write(void **state)
{
	struct isx_lmdb_view view;
	struct isx_err err;
	(void)state;
	write_rows(500);
	if (isx_lmdb_write(fx.file, &view, &err))
		fail_msg("%s", err.msg);
	assert_null(get_listed(&view));
	isx_lmdb_end(&view);
}

static void test_leaves__forgets_lists_when_pages_are_verified_again(void **state)
{
	(void)state;
	write_rows(500);
	struct isx_lmdb_view view = read_view();
	const struct isx_leaves *leaves = get_listed(&view);
	assert_non_null(leaves);
	isx_lmdb_suspect(fx.file); /* another program may have overwritten the file */
	assert_null(get(&view));
	isx_leaves_put(&view, leaves);
	isx_lmdb_end(&view);
}

static void test_leaves__does_without_a_list_when_memory_is_out(void **state)
{
	(void)state;
	write_rows(20000);
	for (size_t after = 1; after < 4; after++) {
		write_rows(1);
		struct isx_lmdb_view view = read_view();
		isx_mem_fail_after(after);
		const struct isx_leaves *leaves = get_listed(&view);
		isx_mem_fail_after(0);
		assert_true(!leaves || equals_cursor(leaves, &view));
		assert_true(leaves == NULL || after > 1);
		isx_leaves_put(&view, leaves);
		isx_lmdb_end(&view);
	}
}

static void test_leaves__knows_no_key_that_is_longer_than_a_type(void **state)
{
	static const char key[200] = "a key of 200 bytes";
	(void)state;
	struct isx_lmdb_view view = read_view();
	for (int i = 0; i < 2 * ASKS; i++)
		assert_null(isx_leaves_get(&view, isx_sim_tables(&view)->units[BODY_BYTES],
					   (struct isx_span){ key, sizeof key }));
	isx_lmdb_end(&view);
}

/* --- lanes ------------------------------------------------------------------------------------ */

/* Commit rows of assets with up to three units, so that those of some assets are on two pages. */
static void write_units(uint64_t assets)
{
	struct isx_lmdb_view view;
	struct isx_err err;
	if (isx_lmdb_write(fx.file, &view, &err))
		fail_msg("%s", err.msg);
	for (uint64_t i = 0; i < 3 * assets; i++) {
		uint8_t row[ROW_BYTES] = { 0 };
		isx_store_be64(row, 10 + 2 * (i / 3));
		row[8] = (uint8_t)(i % 3);
		MDB_val key = isx_lmdb_val(type, strlen(type));
		MDB_val value = isx_lmdb_val(row, sizeof row);
		assert_int_equal(0, mdb_put(view.txn, isx_sim_tables(&view)->units[BODY_BYTES],
					    &key, &value, 0));
	}
	if (isx_lmdb_commit(&view, &err))
		fail_msg("%s", err.msg);
}

/* Do two lanes have the same rows to the end? */
static void assert_same_rows(struct isx_lane *one, struct isx_lane *other)
{
	struct isx_err err;
	size_t pages = 0;
	while (one->count) {
		assert_int_equal(one->count, other->count);
		assert_ptr_equal(one->rows, other->rows);
		assert_int_equal(ISX_OK, isx_lane_next(one, &err));
		assert_int_equal(ISX_OK, isx_lane_next(other, &err));
		if (++pages == 4)
			return; /* what follows does not depend on where the lanes began */
	}
	assert_int_equal(0, other->count);
}

static void test_leaves__gives_a_lane_the_rows_that_a_cursor_gives_it(void **state)
{
	enum { ASSETS = 1500 };
	struct isx_err err;
	(void)state;
	write_units(ASSETS);
	struct isx_lmdb_view view = read_view();
	const struct isx_leaves *leaves = get_listed(&view);
	assert_non_null(leaves);
	struct isx_lane sought = { .type = type, .body_bytes = BODY_BYTES, .leaves = leaves };
	assert_int_equal(ISX_OK, isx_lane_open(&sought, &view, 0, &err));
	for (uint64_t id = 0; id < 10 + 2 * ASSETS + 3; id++) {
		struct isx_lane listed = sought, walked = sought;
		listed.cursor = walked.cursor = NULL;
		walked.leaves = NULL;
		assert_int_equal(ISX_OK, isx_lane_open(&listed, &view, id, &err));
		assert_int_equal(ISX_OK, isx_lane_open(&walked, &view, id, &err));
		assert_int_equal(ISX_OK, isx_lane_seek(&sought, id, &err));
		assert_int_equal(walked.count, sought.count);
		assert_true(!walked.count || walked.rows == sought.rows);
		assert_same_rows(&listed, &walked);
		isx_lane_close(&listed);
		isx_lane_close(&walked);
	}
	isx_lane_close(&sought);
	isx_leaves_put(&view, leaves);
	isx_lmdb_end(&view);
}

/* The pages ahead are those up to the one in which the range ends, wherever it ends. */
static void test_leaves__tells_a_lane_where_its_range_ends(void **state)
{
	enum { ASSETS = 1500, PAGES = 7 };
	const struct isx_scan_page *pages;
	struct isx_err err;
	(void)state;
	write_units(ASSETS);
	struct isx_lmdb_view view = read_view();
	const struct isx_leaves *leaves = get_listed(&view);
	struct isx_lane lane = { .type = type, .body_bytes = BODY_BYTES, .leaves = leaves };
	assert_int_equal(ISX_OK, isx_lane_open(&lane, &view, 0, &err));
	assert_int_equal(PAGES, isx_lane_ahead(&lane, UINT64_MAX, PAGES, &pages));
	for (uint64_t id = isx_lane_id(&lane, lane.count - 1); id < 10 + 2 * ASSETS; id++) {
		size_t ahead = isx_lane_ahead(&lane, id, PAGES, &pages), last = 0;
		assert_ptr_equal(leaves->items + 1, pages);
		while (last < PAGES - 1 &&
		       isx_load_be64(pages[last].rows + (pages[last].count - 1) * ROW_BYTES) <= id)
			last++;
		assert_int_equal(last + 1, ahead);
	}
	isx_lane_skip(&lane, leaves->count - 1);
	assert_ptr_equal(leaves->items[leaves->count - 1].rows, lane.rows);
	assert_int_equal(0, isx_lane_ahead(&lane, UINT64_MAX, PAGES, &pages));
	isx_lane_close(&lane);
	lane.leaves = NULL;
	assert_int_equal(0, isx_lane_ahead(&lane, UINT64_MAX, PAGES, &pages));
	isx_leaves_put(&view, leaves);
	isx_lmdb_end(&view);
}

/* --- threads ---------------------------------------------------------------------------------- */

static atomic_bool is_over;
static atomic_ullong listed, wrong;

static void *search(void *arg)
{
	(void)arg;
	while (!atomic_load(&is_over)) {
		struct isx_lmdb_view view;
		struct isx_err err;
		if (isx_lmdb_read(fx.file, ISX_PAGES_ROWS, &view, &err)) {
			atomic_fetch_add(&wrong, 1);
			break;
		}
		for (int i = 0; i < 2 * ASKS; i++) {
			const struct isx_leaves *leaves = get(&view);
			if (leaves && !equals_cursor(leaves, &view))
				atomic_fetch_add(&wrong, 1);
			atomic_fetch_add(&listed, leaves != NULL);
			isx_leaves_put(&view, leaves);
		}
		isx_lmdb_end(&view);
	}
	return NULL;
}

static void test_leaves__is_right_for_threads_beside_a_writer(void **state)
{
	pthread_t threads[THREADS];
	(void)state;
	atomic_store(&is_over, false);
	write_rows(2000);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, search, NULL));
	for (size_t i = 0; i < COMMITS || !atomic_load(&listed); i++)
		write_rows(20);
	atomic_store(&is_over, true);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(0, atomic_load(&wrong));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_leaves__lists_what_a_cursor_finds, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			test_leaves__lists_only_what_several_searches_of_a_snapshot_want, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_leaves__keeps_snapshots_apart, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_leaves__is_not_for_views_that_write, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			test_leaves__forgets_lists_when_pages_are_verified_again, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_leaves__does_without_a_list_when_memory_is_out,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_leaves__knows_no_key_that_is_longer_than_a_type, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_leaves__gives_a_lane_the_rows_that_a_cursor_gives_it, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_leaves__tells_a_lane_where_its_range_ends,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_leaves__is_right_for_threads_beside_a_writer,
						set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
