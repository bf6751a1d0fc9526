/*
 * test_stored.c - usearch:// takes over what 0.3.3 or an earlier version has stored, also what would
 *                 be refused today. That of lmdb:// is in test_prefix.c.
 *
 * Files are written through LMDB while no store has them open, without isx:derived, as 0.3.3 does.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/span.h"
#include "support.h"

#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ROWS_FLAGS = MDB_DUPSORT | MDB_DUPFIXED, INSTANCE_FLAGS = ROWS_FLAGS | MDB_INTEGERDUP };

#define ID_A     "ISCC:MAIGHXLN555Y2DFF"
#define BYTES_A  "\x63\xdd\x6d\xef\x7b\x8d\x0c\xa5"
#define SIMPRINT "Mzdq5tYCKD4w4Pc4xv8T1A"

static const uint8_t simprint_bytes[16] = { 0x33, 0x37, 0x6a, 0xe6, 0xd6, 0x02, 0x28, 0x3e,
					    0x30, 0xe0, 0xf7, 0x38, 0xc6, 0xff, 0x13, 0xd4 };

static struct {
	char directory[64];
	char path[96]; /* of the file of "main" */
	struct isx_store *store;
	struct isx_err err;
	MDB_env *env;
	MDB_txn *txn;
} fx;

static void expect_ok(enum isx_status st)
{
	if (st)
		fail_msg("%s", fx.err.msg);
}

static void open_store(void)
{
	char uri[128];
	snprintf(uri, sizeof uri, "usearch://%s", fx.directory);
	expect_ok(isx_open(uri, NULL, &fx.store, &fx.err));
}

static int set_up(void **state)
{
	(void)state;
	snprintf(fx.directory, sizeof fx.directory, "/tmp/isx-test-XXXXXX");
	if (!mkdtemp(fx.directory))
		return -1;
	snprintf(fx.path, sizeof fx.path, "%s/main/index.lmdb", fx.directory);
	open_store();
	return isx_index_create(fx.store, "main", &fx.err) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	isx_close(fx.store);
	test_remove_tree(fx.directory);
	return 0;
}

/* --- writing as others do --------------------------------------------------------------------- */

static void foreign_begin(void)
{
	isx_close(fx.store);
	fx.store = NULL;
	assert_int_equal(mdb_env_create(&fx.env), 0);
	mdb_env_set_maxdbs(fx.env, 16);
	mdb_env_set_mapsize(fx.env, 1 << 26);
	assert_int_equal(mdb_env_open(fx.env, fx.path, MDB_NOSUBDIR, 0644), 0);
	assert_int_equal(mdb_txn_begin(fx.env, NULL, 0, &fx.txn), 0);
}

static void foreign_end(void)
{
	assert_int_equal(mdb_txn_commit(fx.txn), 0);
	mdb_env_close(fx.env);
	open_store();
}

static void foreign_put(const char *table, unsigned flags, const void *key, size_t key_bytes,
			const void *value, size_t value_bytes)
{
	MDB_dbi dbi;
	MDB_val k = { key_bytes, (void *)(uintptr_t)key };
	MDB_val v = { value_bytes, (void *)(uintptr_t)value };
	assert_int_equal(mdb_dbi_open(fx.txn, table, flags | MDB_CREATE, &dbi), 0);
	assert_int_equal(mdb_put(fx.txn, dbi, &k, &v, 0), 0);
}

/* The simprint of ID_A in two tables, under whatever names. */
static void foreign_simprint(const char *data, unsigned flags, const char *fingerprints)
{
	uint8_t chunk[16] = BYTES_A, digest[16] = { 7 };
	chunk[15] = 9; /* its size */
	foreign_put(data, flags, simprint_bytes, sizeof simprint_bytes, chunk, sizeof chunk);
	foreign_put(fingerprints, 0, BYTES_A, 8, digest, sizeof digest);
}

static void foreign_asset(const char *json)
{
	foreign_put("__metadata__", 0, "realm_id", 8, "\0\0\0\0", 4);
	foreign_put("__assets__", 0, BYTES_A, 8, json, strlen(json));
}

/* --- asking ----------------------------------------------------------------------------------- */

static size_t count_passages(const char *type)
{
	static const char *const values[] = { SIMPRINT };
	struct isx_query_simprints queried = { type, values, 1 };
	struct isx_query query = { .simprints = &queried, .simprint_type_count = 1 };
	struct isx_result *result;
	enum isx_status st = isx_search(fx.store, "main", &query, &result, &fx.err);
	if (st == ISX_INVALID && strstr(fx.err.msg, "no simprints of this length"))
		return 0; /* nor any other */
	expect_ok(st);
	size_t count = result->chunk_match_count;
	isx_result_free(result);
	return count;
}

static void print_finding(const char *text, void *arg)
{
	(void)arg;
	print_message("finding: %s\n", text);
}

static void expect_no_finding(void)
{
	struct isx_check report;
	expect_ok(isx_index_check(fx.store, "main", &report, print_finding, NULL, &fx.err));
	assert_int_equal(report.findings, 0);
}

/* --- types of simprints ----------------------------------------------------------------------- */

static void test_stored__a_type_called_assets_x_does_not_close_the_index(void **state)
{
	(void)state;
	foreign_begin();
	foreign_asset("{\"iscc_id\":\"" ID_A "\"}");
	foreign_simprint("__sp_assets_FOO__", ROWS_FLAGS, "__sp_assets_assets_FOO__");
	foreign_end();
	assert_int_equal(count_passages("assets_FOO"), 1);
	assert_int_equal(count_passages("FOO"), 0);
	expect_no_finding();
	isx_close(fx.store);
	open_store();
	assert_int_equal(count_passages("assets_FOO"), 1);
	expect_ok(isx_remove(fx.store, "main", ID_A, &fx.err));
	assert_int_equal(count_passages("assets_FOO"), 0);
	expect_no_finding();
}

/* One table is the fingerprints of FOO and the simprints of assets_FOO: FOO comes first. */
static void test_stored__a_type_beside_one_called_assets_stays_as_it_is(void **state)
{
	struct isx_simprint simprint = { "FOO", SIMPRINT, 0, 9 };
	struct isx_asset asset = { .iscc_id = ID_A, .simprints = &simprint, .simprint_count = 1 };
	(void)state;
	expect_ok(isx_add(fx.store, "main", &asset, 1, NULL, &fx.err));
	foreign_begin();
	foreign_simprint("__sp_assets_FOO__", 0, "__sp_assets_assets_FOO__");
	foreign_end();
	assert_int_equal(count_passages("FOO"), 1);
	assert_int_equal(count_passages("assets_FOO"), 0);
	expect_ok(isx_add(fx.store, "main", &asset, 1, NULL, &fx.err));
	isx_close(fx.store);
	open_store();
	assert_int_equal(count_passages("FOO"), 1);
	expect_ok(isx_remove(fx.store, "main", ID_A, &fx.err));
	assert_int_equal(count_passages("FOO"), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stored__a_type_called_assets_x_does_not_close_the_index),
		TEST(test_stored__a_type_beside_one_called_assets_stays_as_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
