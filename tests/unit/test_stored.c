/*
 * test_stored.c - stored assets that would be refused today: the index opens, and they can be
 *                 updated and removed.
 *
 * The tests write files through LMDB while no store has them open: without isx:derived, as
 * iscc-search 0.3.3 does, or with it, as an earlier version of this program.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/span.h"
#include "storage/lmdb_format.h"
#include "support.h"

#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ROWS_FLAGS = MDB_DUPSORT | MDB_DUPFIXED, MANY = 100 };

#define ID_A     "ISCC:MAIGHXLN555Y2DFF"
#define BYTES_A  "\x63\xdd\x6d\xef\x7b\x8d\x0c\xa5"
#define SIMPRINT "Mzdq5tYCKD4w4Pc4xv8T1A"

static const uint8_t simprint_bytes[16] = { 0x33, 0x37, 0x6a, 0xe6, 0xd6, 0x02, 0x28, 0x3e,
					    0x30, 0xe0, 0xf7, 0x38, 0xc6, 0xff, 0x13, 0xd4 };

static struct {
	const char *scheme;
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

static bool is_similarity(void)
{
	return strcmp(fx.scheme, "usearch://") == 0;
}

static void open_store(void)
{
	char uri[128];
	snprintf(uri, sizeof uri, "%s%s", fx.scheme, fx.directory);
	expect_ok(isx_open(uri, NULL, &fx.store, &fx.err));
}

static int set_up(void **state)
{
	fx.scheme = *state;
	snprintf(fx.directory, sizeof fx.directory, "/tmp/isx-test-XXXXXX");
	if (!mkdtemp(fx.directory))
		return -1;
	snprintf(fx.path, sizeof fx.path, is_similarity() ? "%s/main/index.lmdb" : "%s/main.lmdb",
		 fx.directory);
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

/* Put the simprint of ID_A into two tables of the given names. */
static void foreign_simprint(const char *data, unsigned flags, const char *fingerprints)
{
	uint8_t chunk[16] = BYTES_A, digest[16] = { 7 };
	chunk[15] = 9; /* its size */
	foreign_put(data, flags, simprint_bytes, sizeof simprint_bytes, chunk, sizeof chunk);
	foreign_put(fingerprints, 0, BYTES_A, 8, digest, sizeof digest);
}

static void foreign_asset(const char *json)
{
	if (is_similarity()) {
		foreign_put("__metadata__", 0, "realm_id", 8, "\0\0\0\0", 4);
		foreign_put("__assets__", 0, BYTES_A, 8, json, strlen(json));
	} else {
		foreign_put("__metadata__", 0, "realm_id", 8, "0", 1);
		foreign_put("__assets__", 0, ID_A, strlen(ID_A), json, strlen(json));
	}
}

/* Set isx:derived, as this program does: all rows are up to date. */
static void foreign_derived(void)
{
	uint8_t number[8];
	isx_store_be64(number, isx_lmdb_derived_mark(mdb_txn_id(fx.txn)));
	foreign_put("__metadata__", 0, "isx:derived", 11, number, sizeof number);
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
		return 0; /* the index has no simprint of the type */
	expect_ok(st);
	size_t count = result->chunk_match_count;
	isx_result_free(result);
	return count;
}

static size_t count_matches(const struct isx_query *query)
{
	struct isx_result *result;
	expect_ok(isx_search(fx.store, "main", query, &result, &fx.err));
	size_t count = result->match_count;
	isx_result_free(result);
	return count;
}

static size_t count_matches_of(const char *unit)
{
	return count_matches(&(struct isx_query){ .units = &unit, .unit_count = 1 });
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

/* One table could be the fingerprints of FOO or the simprints of assets_FOO. It is taken for those
 * of FOO. */
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

/* --- assets ----------------------------------------------------------------------------------- */

/* Units of three types; INSTANCE last. */
static void make_units(uint64_t seed, char texts[3][ISX_UNIT_TEXT_BYTES], const char *units[3])
{
	static const uint32_t types[] = { ISX_META, ISX_DATA, ISX_INSTANCE };
	uint8_t body[32];
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < sizeof body; k++)
			body[k] = (uint8_t)test_random(&seed);
		test_unit_text(types[i], body, i ? 32 : 8, texts[i]);
		units[i] = texts[i];
	}
}

/* Update the asset to other units, and expect to find it by these alone; then remove it. */
static void expect_an_asset_like_any_other(const char *const old[3])
{
	char texts[3][ISX_UNIT_TEXT_BYTES];
	const char *units[3];
	struct isx_asset asset = { .iscc_id = ID_A, .units = units, .unit_count = 3 };
	enum isx_outcome outcome;
	make_units(99, texts, units);
	expect_ok(isx_add(fx.store, "main", &asset, 1, &outcome, &fx.err));
	assert_int_equal(outcome, ISX_UPDATED);
	expect_no_finding();
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(count_matches_of(units[i]), 1);
		assert_int_equal(count_matches_of(old[i]), 0);
	}
	expect_ok(isx_remove(fx.store, "main", ID_A, &fx.err));
	expect_no_finding();
	assert_int_equal(count_matches_of(units[0]), 0);
}

/* Other assets with the same units stand around the asset, and have to stay. */
static void add_beside(const char *const units[3])
{
	static const char *const ids[] = { "ISCC:MAIGGXO25TIIJR7F", ID_A, "ISCC:MAIHHXLN555Y2DFF" };
	struct isx_asset assets[3];
	for (size_t i = 0; i < 3; i++)
		assets[i] =
			(struct isx_asset){ .iscc_id = ids[i], .units = units, .unit_count = 3 };
	expect_ok(isx_add(fx.store, "main", assets, 3, NULL, &fx.err));
}

/* The stored JSON does not have the units whose rows are in the file. */
static void poison(const char *json)
{
	foreign_begin();
	foreign_asset(json);
	foreign_derived();
	foreign_end();
}

static void test_stored__what_is_no_asset_can_be_updated_and_removed(void **state)
{
	static const char *const broken[] = {
		"{\"iscc_id\":\"" ID_A "\",\"metadata\":}",
		"{\"iscc_id\":\"" ID_A "\",\"metadata\":not json}",
		"{\"iscc_id\":\"" ID_A "\",\"units\":[5]}",
		"",
	};
	char texts[3][ISX_UNIT_TEXT_BYTES], others[3][ISX_UNIT_TEXT_BYTES];
	const char *units[3], *other_units[3];
	(void)state;
	make_units(1, texts, units);
	make_units(2, others, other_units);
	for (size_t i = 0; i < 2 * sizeof broken / sizeof *broken; i++) {
		struct isx_asset update = { .iscc_id = ID_A,
					    .units = other_units,
					    .unit_count = 3 };
		add_beside(units);
		poison(broken[i / 2]);
		assert_int_equal(count_matches_of(units[0]), 3);
		if (i % 2)
			expect_ok(isx_remove(fx.store, "main", ID_A, &fx.err));
		else
			expect_ok(isx_add(fx.store, "main", &update, 1, NULL, &fx.err));
		for (size_t k = 0; k < 3; k++) {
			assert_int_equal(count_matches_of(units[k]), 2);
			assert_int_equal(count_matches_of(other_units[k]), i % 2 ? 0 : 1);
		}
		expect_no_finding();
	}
}

/* An earlier version accepted such assets from programs: they are read unchanged. */
static void test_stored__an_asset_of_another_shape_is_an_asset(void **state)
{
	static const char *const fields[] = { "\"iscc_code\":\"x\\\"y\"", "\"metadata\":[1,2]",
					      "\"metadata\":\"\"", "\"simprints\":5" };
	char texts[3][ISX_UNIT_TEXT_BYTES], json[512];
	const char *units[3];
	(void)state;
	make_units(1, texts, units);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		foreign_begin();
		snprintf(json, sizeof json,
			 "{\"iscc_id\":\"" ID_A "\",\"units\":[\"%s\",\"%s\",\"%s\"],%s}", units[0],
			 units[1], units[2], fields[i]);
		foreign_asset(json);
		foreign_end();
		assert_int_equal(count_matches_of(units[2]), 1);
		expect_no_finding();
		expect_an_asset_like_any_other(units);
	}
}

static void test_stored__an_asset_with_a_unit_that_is_none_can_be_updated_and_removed(void **state)
{
	char texts[3][ISX_UNIT_TEXT_BYTES], json[512];
	const char *units[3];
	(void)state;
	make_units(1, texts, units);
	snprintf(json, sizeof json, "{\"iscc_id\":\"" ID_A "\",\"units\":[\"%s\",\"%s\",\"%s\"]}",
		 units[0], "ISCC:QAAAAAAAAAAAAAAA", units[2]);
	foreign_begin();
	foreign_asset(json);
	foreign_end();
	assert_int_equal(count_matches_of(units[0]), 0); /* as before: found by none */
	expect_an_asset_like_any_other(units);
	foreign_begin();
	foreign_asset(json);
	foreign_end();
	expect_ok(isx_remove(fx.store, "main", ID_A, &fx.err));
	expect_no_finding();
}

static void test_stored__an_asset_of_many_units_is_found_updated_and_removed(void **state)
{
	static char texts[MANY][ISX_UNIT_TEXT_BYTES], json[MANY * 80];
	const char *old[3];
	uint8_t body[32] = { 0 };
	(void)state;
	size_t len = (size_t)snprintf(json, sizeof json, "{\"iscc_id\":\"" ID_A "\",\"units\":[");
	for (size_t i = 0; i < MANY; i++) {
		body[0] = (uint8_t)i;
		test_unit_text(i ? ISX_INSTANCE : ISX_META, body, 32, texts[i]);
		len += (size_t)snprintf(json + len, sizeof json - len, "%s\"%s\"", i ? "," : "",
					texts[i]);
	}
	snprintf(json + len, sizeof json - len, "]}");
	foreign_begin();
	foreign_asset(json);
	foreign_end();
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(count_matches_of(texts[i]), 1);
	expect_no_finding();
	struct isx_query alike = { .iscc_id = ID_A };
	assert_int_equal(count_matches(&alike), 0); /* itself alone */
	old[0] = texts[0];
	old[1] = texts[64];
	old[2] = texts[MANY - 1];
	expect_an_asset_like_any_other(old);
}

/* --- rows of an earlier version --------------------------------------------------------------- */

/* Set isx:derived like a version whose rows were made by rule 0. */
static void foreign_derived_by_rule_0(void)
{
	uint8_t number[8];
	isx_store_be64(number, mdb_txn_id(fx.txn));
	foreign_put("__metadata__", 0, "isx:derived", 11, number, sizeof number);
}

/* Put a row of a unit of the asset, as the engine would. */
static void foreign_row(const char *type, const uint8_t *body, size_t bytes)
{
	uint8_t row[8 + 32] = BYTES_A;
	char table[24];
	memcpy(row + 8, body, bytes);
	snprintf(table, sizeof table, "__units_%zu__", bytes * 8);
	if (is_similarity())
		foreign_put(table, ROWS_FLAGS, type, strlen(type), row, 8 + bytes);
	else
		foreign_put(type, ROWS_FLAGS | MDB_INTEGERDUP, body, bytes, BYTES_A, 8);
}

/* A version of rule 0 trusts rows only if isx:derived is the number of the transaction, without a
 * rule. */
static void expect_an_earlier_version_makes_its_own_rows(void)
{
	MDB_dbi metadata;
	MDB_val key = { 11, (char[]){ "isx:derived" } }, value;
	foreign_begin();
	assert_int_equal(mdb_dbi_open(fx.txn, "__metadata__", 0, &metadata), 0);
	assert_int_equal(mdb_get(fx.txn, metadata, &key, &value), 0);
	assert_int_equal(value.mv_size, 8);
	uint64_t last = mdb_txn_id(fx.txn) - 1;
	assert_int_equal(isx_load_be64(value.mv_data), isx_lmdb_derived_mark(last));
	assert_int_not_equal(isx_load_be64(value.mv_data), last);
	mdb_txn_abort(fx.txn);
	mdb_env_close(fx.env);
	open_store();
}

static void test_stored__rows_of_an_earlier_version_are_made_again(void **state)
{
	uint8_t body[32], row[8];
	char texts[2][ISX_UNIT_TEXT_BYTES], asked[ISX_UNIT_TEXT_BYTES], json[256];
	struct isx_result *result;
	(void)state;
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)(i * 37 + 1);
	memcpy(row, body, sizeof row);
	test_unit_text(ISX_DATA, body, 32, texts[0]);
	test_unit_text(ISX_DATA, body, 8, texts[1]);
	for (size_t i = 8; i < 16; i++)
		body[i] ^= 0xFF;
	test_unit_text(ISX_DATA, body, 32, asked);
	const char *unit = asked;
	struct isx_query query = { .units = &unit, .unit_count = 1 };
	snprintf(json, sizeof json, "{\"iscc_id\":\"" ID_A "\",\"units\":[\"%s\",\"%s\"]}",
		 texts[0], texts[1]);
	foreign_begin();
	foreign_asset(json);
	foreign_row("DATA_NONE_V0", row, sizeof row); /* of the last unit of the type: rule 0 */
	foreign_derived_by_rule_0();
	foreign_end();
	expect_ok(isx_search(fx.store, "main", &query, &result, &fx.err));
	assert_int_equal(result->match_count, 1);
	assert_true(result->matches[0].types[0].score == 0.75);
	isx_result_free(result);
	expect_no_finding();
	expect_an_earlier_version_makes_its_own_rows();
	expect_ok(isx_remove(fx.store, "main", ID_A, &fx.err));
	assert_int_equal(count_matches(&query), 0);
	expect_no_finding();
}

/* The code lacks three characters: 0.3.3 takes DATA and INSTANCE from the wrong places. */
#define CUT_CODE "ISCC:KACY6MYZYQFRSUSPYPNO4G3CLMACQAQWJAA4RTFHBFXCTOJUKW7H"

static void test_stored__a_code_of_a_wrong_length_stays_readable(void **state)
{
	static const char json[] = "{\"iscc_id\":\"" ID_A "\",\"iscc_code\":\"" CUT_CODE "\"}";
	static const uint8_t misplaced[] = { 0x00, 0x28, 0x02, 0x16, 0x48, 0x01, 0xC8, 0xCC };
	static const char misplaced_text[] = "ISCC:GAAQAKACCZEADSGM";
	char texts[3][ISX_UNIT_TEXT_BYTES], *got;
	const char *units[3];
	struct isx_index_info info;
	struct isx_compaction done;
	struct isx_result *result;
	(void)state;
	make_units(1, texts, units);
	foreign_begin();
	foreign_asset(json);
	foreign_row("DATA_NONE_V0", misplaced, sizeof misplaced);
	foreign_derived_by_rule_0();
	foreign_end();
	expect_ok(isx_get(fx.store, "main", ID_A, &got, &fx.err));
	assert_string_equal(got, json);
	isx_text_free(got);
	assert_int_equal(count_matches_of(misplaced_text), 0);
	expect_ok(isx_index_stat(fx.store, "main", &info, &fx.err));
	assert_int_equal(info.assets, 1);
	isx_index_info_release(&info);
	expect_no_finding();
	expect_ok(isx_index_compact(fx.store, "main", &done, NULL, NULL, &fx.err));
	expect_no_finding();
	struct isx_query alike = { .iscc_id = ID_A };
	if (isx_search(fx.store, "main", &alike, &result, &fx.err) != ISX_INVALID ||
	    !strstr(fx.err.msg, "iscc_code: ") || !strstr(fx.err.msg, "expected 55 characters"))
		fail_msg("%s", fx.err.msg);
	expect_an_asset_like_any_other(units);
}

/* The code of an asset that lists units is not read. */
static void test_stored__an_asset_with_units_and_such_a_code_is_found(void **state)
{
	char texts[3][ISX_UNIT_TEXT_BYTES], json[512];
	const char *units[3];
	(void)state;
	make_units(1, texts, units);
	snprintf(json, sizeof json,
		 "{\"iscc_id\":\"" ID_A "\",\"iscc_code\":\"" CUT_CODE
		 "\",\"units\":[\"%s\",\"%s\",\"%s\"]}",
		 units[0], units[1], units[2]);
	foreign_begin();
	foreign_asset(json);
	foreign_end();
	assert_int_equal(count_matches_of(units[1]), 1);
	struct isx_query alike = { .iscc_id = ID_A };
	assert_int_equal(count_matches(&alike), 0); /* itself alone */
	expect_an_asset_like_any_other(units);
}

#define ON_SIMILARITY(test)                                                                        \
	cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "usearch://")
#define ON_BOTH(test)                                                                              \
	ON_SIMILARITY(test),                                                                       \
		cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "lmdb://")

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_SIMILARITY(test_stored__a_type_called_assets_x_does_not_close_the_index),
		ON_SIMILARITY(test_stored__a_type_beside_one_called_assets_stays_as_it_is),
		ON_BOTH(test_stored__what_is_no_asset_can_be_updated_and_removed),
		ON_BOTH(test_stored__an_asset_of_another_shape_is_an_asset),
		ON_BOTH(test_stored__an_asset_with_a_unit_that_is_none_can_be_updated_and_removed),
		ON_BOTH(test_stored__an_asset_of_many_units_is_found_updated_and_removed),
		ON_SIMILARITY(test_stored__rows_of_an_earlier_version_are_made_again),
		ON_BOTH(test_stored__a_code_of_a_wrong_length_stays_readable),
		ON_BOTH(test_stored__an_asset_with_units_and_such_a_code_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
