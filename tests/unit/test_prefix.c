/*
 * test_prefix.c - lmdb://: scores of prefixes, and files that iscc-search 0.3.3 writes too. What
 *                 all engines have in common is tested in test_store.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/iscc_id.h"
#include "support.h"

#include <lmdb.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROWS_FLAGS = MDB_DUPSORT | MDB_DUPFIXED | MDB_INTEGERDUP };

#define ID_A     "ISCC:MAIGHXLN555Y2DFF"
#define ID_A_V0  "ISCC:MAAGHXLN555Y2DFF"
#define ID_LOWER "ISCC:maighxln555y2dff"
#define ID_B     "ISCC:MAIGGXO25TIIJR7F"
#define CODE_A   "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY"
#define DATA_A   "ISCC:GAD2RFOH27GWCEQPPWM4ZQ3YQLC4ECPEIMNFYTZITVR3KPA6F2SF74Y"

static struct {
	char directory[64];
	char path[96]; /* of the file of "main" */
	struct isx_store *store;
	struct isx_err err;
} fx;

static void expect_ok(enum isx_status st)
{
	if (st)
		fail_msg("%s", fx.err.msg);
}

static void expect_failure(enum isx_status st, enum isx_status wanted, const char *words)
{
	if (st != wanted || !strstr(fx.err.msg, words))
		fail_msg("status %d (wanted %d): %s", st, wanted, fx.err.msg);
}

static void open_store(const char *scheme)
{
	char uri[128];
	snprintf(uri, sizeof uri, "%s%s", scheme, fx.directory);
	expect_ok(isx_open(uri, NULL, &fx.store, &fx.err));
}

static void close_store(void)
{
	isx_close(fx.store);
	fx.store = NULL;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(fx.directory, sizeof fx.directory, "/tmp/isx-test-XXXXXX");
	if (!mkdtemp(fx.directory))
		return -1;
	snprintf(fx.path, sizeof fx.path, "%s/main.lmdb", fx.directory);
	open_store("lmdb://");
	return isx_index_create(fx.store, "main", &fx.err) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	isx_close(fx.store);
	test_remove_tree(fx.directory);
	return 0;
}

/* An asset with units of one type: the first `bytes[i]` of one body, or of another (0x80 set). */
static void add_units(uint64_t id, uint32_t maintype, const uint32_t *bytes, size_t count)
{
	char texts[8][ISX_UNIT_TEXT_BYTES], id_text[24];
	const char *units[8];
	struct isx_iscc_id iscc_id = { .body = id, .version = 1 };
	uint8_t body[32];
	isx_iscc_id_print(&iscc_id, id_text);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < sizeof body; k++)
			body[k] = (uint8_t)(k * 37 + 1);
		body[31] ^= (uint8_t)(bytes[i] & 0x80);
		body[0] ^= (uint8_t)(bytes[i] & 0x80);
		test_unit_text(maintype, body, bytes[i] & 0x7F, texts[i]);
		units[i] = texts[i];
	}
	struct isx_asset asset = { .iscc_id = id_text, .units = units, .unit_count = count };
	expect_ok(isx_add(fx.store, "main", &asset, 1, NULL, &fx.err));
}

/* Search by META units with these lengths of the same body; expect these ids and scores in
 * order. */
static void expect_scores(const uint32_t *bytes, size_t count, const uint64_t *ids,
			  const double *scores, size_t expected)
{
	char texts[8][ISX_UNIT_TEXT_BYTES], id_text[24];
	const char *units[8];
	uint8_t body[32];
	struct isx_result *result;
	for (size_t k = 0; k < sizeof body; k++)
		body[k] = (uint8_t)(k * 37 + 1);
	for (size_t i = 0; i < count; i++) {
		test_unit_text(ISX_META, body, bytes[i], texts[i]);
		units[i] = texts[i];
	}
	struct isx_query query = { .units = units, .unit_count = count };
	expect_ok(isx_search(fx.store, "main", &query, &result, &fx.err));
	assert_int_equal(result->match_count, expected);
	for (size_t i = 0; i < expected; i++) {
		struct isx_iscc_id iscc_id = { .body = ids[i], .version = 1 };
		isx_iscc_id_print(&iscc_id, id_text);
		assert_string_equal(result->matches[i].iscc_id, id_text);
		assert_true(fabs(result->matches[i].score - scores[i]) < 1e-12);
	}
	isx_result_free(result);
}

static size_t count_matches(const char *unit)
{
	struct isx_query query = { .units = &unit, .unit_count = 1 };
	struct isx_result *result;
	expect_ok(isx_search(fx.store, "main", &query, &result, &fx.err));
	size_t count = result->match_count;
	isx_result_free(result);
	return count;
}

static uint64_t count_assets(void)
{
	struct isx_index_info info;
	expect_ok(isx_index_stat(fx.store, "main", &info, &fx.err));
	uint64_t count = info.assets;
	assert_int_equal(info.part_count, 1);
	assert_string_equal(info.parts[0].name, "lmdb");
	assert_true(info.parts[0].bytes == info.bytes);
	isx_index_info_release(&info);
	return count;
}

/* --- scores ----------------------------------------------------------------------------------- */

static void test_prefix__scores_matched_bits_by_the_longest_queried_unit(void **state)
{
	static const uint32_t lengths[] = { 32, 24, 16, 8, 4, 0x80 + 8, 13 };
	static const uint64_t by_256[] = { 1, 2, 3, 7, 4, 5 };
	static const double scores_256[] = { 1, .75, .5, 13 / 32., .25, .125 };
	static const uint64_t by_64[] = { 1, 2, 3, 4, 7, 5 };
	static const double scores_64[] = { 1, 1, 1, 1, 1, .5 };
	(void)state;
	for (size_t i = 0; i < 7; i++)
		add_units(i + 1, ISX_META, &lengths[i], 1);
	expect_scores((uint32_t[]){ 32 }, 1, by_256, scores_256, 6);
	expect_scores((uint32_t[]){ 8 }, 1, by_64, scores_64, 6);
}

static void test_prefix__divides_by_the_number_of_queried_units(void **state)
{
	static const double scores[] = { .5, .125 };
	(void)state;
	add_units(1, ISX_META, (uint32_t[]){ 32 }, 1);
	add_units(2, ISX_META, (uint32_t[]){ 8 }, 1);
	add_units(3, ISX_DATA, (uint32_t[]){ 32 }, 1); /* another type: never compared */
	/* the type counts once, whichever of its units matched best */
	expect_scores((uint32_t[]){ 32, 16 }, 2, (uint64_t[]){ 1, 2 }, scores, 2);
}

static void test_prefix__every_unit_of_a_type_counts(void **state)
{
	(void)state;
	add_units(1, ISX_META, (uint32_t[]){ 0x80 + 16, 8, 16, 8 }, 4);
	expect_scores((uint32_t[]){ 32 }, 1, (uint64_t[]){ 1 }, (double[]){ .5 }, 1);
	add_units(1, ISX_META, (uint32_t[]){ 0x80 + 16 }, 1); /* and an update drops them all */
	expect_scores((uint32_t[]){ 32 }, 1, NULL, NULL, 0);
}

static void test_prefix__simprints_are_dropped_and_find_nothing(void **state)
{
	static const char *const values[] = { "Mzdq5tYCKD4w4Pc4xv8T1A" };
	const char *unit = DATA_A;
	struct isx_simprint simprints[] = { { "CONTENT_TEXT_V0", values[0], 0, 10 },
					    { "CONTENT_TEXT_V0", "A", 0, 10 } }; /* never decoded */
	struct isx_asset asset = { .iscc_id = ID_A,
				   .units = &unit,
				   .unit_count = 1,
				   .simprints = simprints,
				   .simprint_count = 2 };
	struct isx_query_simprints queried = { "CONTENT_TEXT_V0", values, 1 };
	struct isx_query query = { .simprints = &queried, .simprint_type_count = 1 };
	struct isx_result *result;
	char *json;
	(void)state;
	expect_ok(isx_add(fx.store, "main", &asset, 1, NULL, &fx.err));
	expect_ok(isx_get(fx.store, "main", ID_A, &json, &fx.err));
	assert_null(strstr(json, "simprints"));
	isx_text_free(json);
	expect_ok(isx_search(fx.store, "main", &query, &result, &fx.err));
	assert_int_equal(result->match_count, 0);
	assert_int_equal(result->chunk_match_count, 0);
	isx_result_free(result);
	query.units = &unit;
	query.unit_count = 1;
	expect_ok(isx_search(fx.store, "main", &query, &result, &fx.err));
	assert_int_equal(result->match_count, 1);
	isx_result_free(result);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void test_prefix__an_id_is_found_by_its_canonical_text_of_either_version(void **state)
{
	struct isx_asset asset = { .iscc_id = ID_A_V0, .iscc_code = CODE_A };
	struct isx_query query = { .iscc_code = CODE_A };
	struct isx_result *result;
	enum isx_outcome outcome;
	char *json;
	(void)state;
	expect_ok(isx_add(fx.store, "main", &asset, 1, &outcome, &fx.err));
	expect_ok(isx_get(fx.store, "main", ID_A, &json, &fx.err));
	isx_text_free(json);
	expect_ok(isx_get(fx.store, "main", ID_A_V0, &json, &fx.err));
	assert_non_null(strstr(json, ID_A_V0)); /* as it was sent */
	isx_text_free(json);
	expect_failure(isx_get(fx.store, "main", ID_LOWER, &json, &fx.err), ISX_NOT_FOUND,
		       ID_LOWER);
	expect_failure(isx_remove(fx.store, "main", ID_LOWER, &fx.err), ISX_NOT_FOUND, ID_LOWER);
	expect_ok(isx_search(fx.store, "main", &query, &result, &fx.err));
	assert_string_equal(result->matches[0].iscc_id, ID_A);
	isx_result_free(result);
	asset.iscc_id = ID_A;
	expect_ok(isx_add(fx.store, "main", &asset, 1, &outcome, &fx.err));
	assert_int_equal(outcome, ISX_UPDATED);
	assert_int_equal(count_assets(), 1);
}

/* --- files ------------------------------------------------------------------------------------ */

static bool is_there(const char *name)
{
	char path[160];
	snprintf(path, sizeof path, "%s/%s", fx.directory, name);
	return access(path, F_OK) == 0;
}

static void test_prefix__an_index_is_one_file(void **state)
{
	struct isx_index_info *infos, info;
	size_t count;
	(void)state;
	assert_int_equal(count_assets(), 0);
	assert_true(is_there("main.lmdb") && is_there("main.lmdb-lock"));
	expect_ok(isx_index_delete(fx.store, "main", &fx.err));
	assert_false(is_there("main.lmdb") || is_there("main.lmdb-lock"));
	expect_failure(isx_index_stat(fx.store, "main", &info, &fx.err), ISX_NOT_FOUND, "main");
	assert_false(is_there("main.lmdb")); /* asking makes nothing */
	close_store();
	assert_int_equal(rmdir(fx.directory), 0); /* no hidden file is left either */
	open_store("lmdb:///");                   /* lmdb:////dir is lmdb:///dir */
	expect_ok(isx_index_create(fx.store, "b", &fx.err));
	expect_ok(isx_index_create(fx.store, "a", &fx.err));
	assert_true(is_there("a.lmdb") && !is_there("a.lmdb-lock"));
	expect_ok(isx_index_list(fx.store, &infos, &count, &fx.err));
	assert_int_equal(count, 2);
	assert_string_equal(infos[0].name, "a");
	assert_string_equal(infos[1].name, "b");
	isx_index_list_free(infos, count);
}

/* While one store has a deleted index open, a new one of that name must not share its lock file. */
static void test_prefix__a_replaced_index_is_another_one(void **state)
{
	struct isx_store *other;
	char uri[128];
	(void)state;
	snprintf(uri, sizeof uri, "lmdb://%s", fx.directory);
	add_units(1, ISX_META, (uint32_t[]){ 8 }, 1);
	expect_ok(isx_open(uri, NULL, &other, &fx.err));
	expect_ok(isx_index_delete(other, "main", &fx.err));
	expect_ok(isx_index_create(other, "main", &fx.err));
	isx_close(other);
	assert_int_equal(count_assets(), 0);
	add_units(2, ISX_META, (uint32_t[]){ 8 }, 1);
	assert_int_equal(count_assets(), 1);
}

static void test_prefix__refuses_a_file_of_the_other_engine(void **state)
{
	struct isx_store *similarity;
	struct isx_index_info info;
	char uri[128], prefix_uri[192];
	(void)state;
	close_store();
	snprintf(uri, sizeof uri, "usearch://%s", fx.directory);
	snprintf(prefix_uri, sizeof prefix_uri, "lmdb://%s/other", fx.directory);
	expect_ok(isx_open(uri, NULL, &similarity, &fx.err));
	expect_ok(isx_index_create(similarity, "other", &fx.err));
	isx_close(similarity);
	expect_ok(isx_open(prefix_uri, NULL, &fx.store, &fx.err));
	expect_failure(isx_index_stat(fx.store, "index", &info, &fx.err), ISX_CORRUPT, "");
}

static void *make_and_delete(void *arg)
{
	(void)arg;
	for (int i = 0; i < 40; i++) {
		struct isx_index_info info;
		struct isx_err err;
		(void)!isx_index_create(fx.store, "main", &err);
		enum isx_status st = isx_index_stat(fx.store, "main", &info, &err);
		if (!st)
			isx_index_info_release(&info);
		else if (st != ISX_NOT_FOUND)
			return (void *)"stat failed";
		st = isx_index_delete(fx.store, "main", &err);
		if (st && st != ISX_NOT_FOUND)
			return (void *)"delete failed";
	}
	return NULL;
}

static void test_prefix__threads_make_and_delete_one_name(void **state)
{
	pthread_t threads[4];
	void *failure;
	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_and_delete, NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], &failure);
		if (failure)
			fail_msg("%s", (const char *)failure);
	}
	close_store();
	assert_int_equal(rmdir(fx.directory), 0); /* every file was deleted with its index */
	open_store("lmdb://");
}

/* --- what 0.3.3 writes ------------------------------------------------------------------------ */

static MDB_txn *foreign_begin(MDB_env **env)
{
	MDB_txn *txn;
	assert_int_equal(mdb_env_create(env), 0);
	mdb_env_set_maxdbs(*env, 16);
	assert_int_equal(mdb_env_open(*env, fx.path, MDB_NOSUBDIR, 0644), 0);
	assert_int_equal(mdb_txn_begin(*env, NULL, 0, &txn), 0);
	return txn;
}

static void foreign_put(MDB_txn *txn, const char *table, unsigned flags, const void *key,
			size_t key_bytes, const void *value, size_t value_bytes)
{
	MDB_dbi dbi;
	MDB_val k = { key_bytes, (void *)(uintptr_t)key };
	MDB_val v = { value_bytes, (void *)(uintptr_t)value };
	assert_int_equal(mdb_dbi_open(txn, table, flags | MDB_CREATE, &dbi), 0);
	assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
}

static void foreign_asset(MDB_txn *txn, const char *id, const char *json)
{
	foreign_put(txn, "__assets__", 0, id, strlen(id), json, strlen(json));
}

static void foreign_end(MDB_env *env, MDB_txn *txn)
{
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	open_store("lmdb://");
}

/* A directory as 0.3.3 leaves it: an asset with only a code, another with a key of version 0 and a
 * row of a unit that it no longer has, no realm (as after a refused batch), and invalid JSON. */
static void test_prefix__takes_over_a_file_of_0_3_3(void **state)
{
	static const uint8_t body_b[8] = { 0x63, 0x5d, 0xda, 0xec, 0xd0, 0x84, 0xc7, 0xe5 };
	static const uint8_t stale[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	char unit[ISX_UNIT_TEXT_BYTES];
	MDB_env *env;
	char *json;
	(void)state;
	close_store();
	unlink(fx.path);
	MDB_txn *txn = foreign_begin(&env);
	foreign_asset(txn, ID_A, "{\"iscc_id\":\"" ID_A "\",\"iscc_code\":\"" CODE_A "\"}");
	foreign_asset(txn, "ISCC:MAAGGXO25TIIJR7F",
		      "{\"iscc_id\":\"ISCC:MAAGGXO25TIIJR7F\",\"units\":[\"" DATA_A
		      "\"],\"metadata\":{\"x\": NaN}}");
	foreign_put(txn, "META_NONE_V0", ROWS_FLAGS, stale, sizeof stale, body_b, sizeof body_b);
	foreign_end(env, txn);
	assert_int_equal(count_assets(), 2);
	assert_int_equal(count_matches(DATA_A),
			 2); /* the whole unit of one, 64 bits of the other */
	test_unit_text(ISX_META, stale, sizeof stale, unit);
	assert_int_equal(count_matches(unit), 0);
	expect_ok(isx_get(fx.store, "main", ID_B, &json, &fx.err));
	assert_non_null(strstr(json, "\"metadata\":{\"x\":null}"));
	isx_text_free(json);
	expect_failure(isx_get(fx.store, "main", "ISCC:MEIGBIUPXUJPMADP", &json, &fx.err),
		       ISX_INVALID, "realm");
	expect_ok(isx_remove(fx.store, "main", ID_B, &fx.err));
	assert_int_equal(count_assets(), 1);
}

static void test_prefix__notices_what_0_3_3_wrote_in_between(void **state)
{
	MDB_env *env;
	(void)state;
	add_units(7, ISX_META, (uint32_t[]){ 16 }, 1);
	close_store();
	MDB_txn *txn = foreign_begin(&env);
	foreign_asset(txn, ID_A, "{\"iscc_id\":\"" ID_A "\",\"iscc_code\":\"" CODE_A "\"}");
	foreign_end(env, txn);
	assert_int_equal(count_matches(DATA_A), 1);
	expect_scores((uint32_t[]){ 16 }, 1, (uint64_t[]){ 7 }, (double[]){ 1 }, 1);
}

static const char *foreign_text(MDB_txn *txn, const char *table, const char *key)
{
	static char text[256];
	MDB_dbi dbi;
	MDB_val k = { strlen(key), (void *)(uintptr_t)key }, v;
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
	snprintf(text, sizeof text, "%.*s", (int)v.mv_size, (char *)v.mv_data);
	return text;
}

static void test_prefix__writes_what_0_3_3_expects(void **state)
{
	struct isx_iscc_id id;
	uint8_t id_bytes[8], body[8];
	struct isx_asset asset = { .iscc_id = ID_A, .iscc_code = CODE_A };
	struct isx_unit data;
	MDB_env *env;
	MDB_dbi dbi;
	unsigned flags;
	(void)state;
	expect_ok(isx_add(fx.store, "main", &asset, 1, NULL, &fx.err));
	close_store();
	MDB_txn *txn = foreign_begin(&env);
	assert_string_equal(foreign_text(txn, "__metadata__", "realm_id"), "0");
	assert_true(strtod(foreign_text(txn, "__metadata__", "created_at"), NULL) > 1.7e9);
	assert_string_equal(foreign_text(txn, "__assets__", ID_A),
			    "{\"iscc_id\":\"" ID_A "\",\"iscc_code\":\"" CODE_A "\"}");
	assert_int_equal(mdb_dbi_open(txn, "DATA_NONE_V0", 0, &dbi), 0);
	assert_int_equal(mdb_dbi_flags(txn, dbi, &flags), 0);
	assert_int_equal(flags, ROWS_FLAGS);
	expect_ok(isx_iscc_id_parse(isx_span_of(ID_A), &id, &fx.err));
	expect_ok(isx_unit_read(isx_span_of(DATA_A), &data, &fx.err));
	isx_store_be64(id_bytes, id.body);
	memcpy(body, data.body, 8);
	MDB_val k = { 8, body }, v = { 8, id_bytes };
	MDB_cursor *cursor;
	assert_int_equal(mdb_cursor_open(txn, dbi, &cursor), 0);
	assert_int_equal(mdb_cursor_get(cursor, &k, &v, MDB_GET_BOTH), 0);
	mdb_cursor_close(cursor);
	foreign_end(env, txn);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_prefix__scores_matched_bits_by_the_longest_queried_unit),
		TEST(test_prefix__divides_by_the_number_of_queried_units),
		TEST(test_prefix__every_unit_of_a_type_counts),
		TEST(test_prefix__simprints_are_dropped_and_find_nothing),
		TEST(test_prefix__an_id_is_found_by_its_canonical_text_of_either_version),
		TEST(test_prefix__an_index_is_one_file),
		TEST(test_prefix__a_replaced_index_is_another_one),
		TEST(test_prefix__refuses_a_file_of_the_other_engine),
		TEST(test_prefix__threads_make_and_delete_one_name),
		TEST(test_prefix__takes_over_a_file_of_0_3_3),
		TEST(test_prefix__notices_what_0_3_3_wrote_in_between),
		TEST(test_prefix__writes_what_0_3_3_expects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
