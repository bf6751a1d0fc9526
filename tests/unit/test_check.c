/*
 * test_check.c - `index check` finds every damage, and reports nothing in a sound file.
 *
 * Damage is written through LMDB, or byte by byte, while no store has the file open. Runs for the
 * store that the argument names, usearch or lmdb; without one for both.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_format.h"
#include "storage/lmdb_verify.h"
#include "support.h"

#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define ID      "ISCC:MAIGHXLN555Y2DFF"
#define CODE    "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY"
#define CODE_ID "\x63\xdd\x6d\xef\x7b\x8d\x0c\xa5"

static char directory[64], uri[96], path[128];
static const char *scheme = "usearch";
static char messages[4096];

static void keep_message(const char *text, void *arg)
{
	(void)arg;
	size_t len = strlen(messages);
	snprintf(messages + len, sizeof messages - len, "%s\n", text);
}

static bool is_similarity(void)
{
	return strcmp(scheme, "usearch") == 0;
}

static struct isx_store *open_store(bool read_only)
{
	struct isx_options options;
	struct isx_store *store;
	struct isx_err err;
	isx_options_init(&options);
	options.read_only = read_only;
	if (isx_open(uri, &options, &store, &err))
		fail_msg("%s", err.msg);
	return store;
}

static enum isx_status check(struct isx_check *report, struct isx_err *err)
{
	struct isx_store *store = open_store(true);
	messages[0] = '\0';
	enum isx_status st = isx_index_check(store, "main", report, keep_message, NULL, err);
	isx_close(store);
	return st;
}

static void expect_finding(const char *words)
{
	struct isx_check report;
	struct isx_err err = { 0 };
	if (check(&report, &err))
		fail_msg("%s", err.msg);
	if (!report.findings || !strstr(messages, words))
		fail_msg("expected '%s', found %d: %s", words, (int)report.findings, messages);
}

static struct isx_check expect_no_finding(void)
{
	struct isx_check report;
	struct isx_err err = { 0 };
	if (check(&report, &err))
		fail_msg("%s", err.msg);
	if (report.findings)
		fail_msg("%s", messages);
	return report;
}

static void add_assets(struct isx_store *store, int first, int count)
{
	for (int i = first; i < first + count; i++) {
		char id[24], unit[ISX_UNIT_TEXT_BYTES], simprint[24], metadata[6000];
		uint8_t body[32];
		uint64_t seed = (uint64_t)i;
		static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
		for (size_t b = 0; b < sizeof body; b++)
			body[b] = (uint8_t)test_random(&seed);
		test_unit_text(ISX_CONTENT, body, 32, unit);
		snprintf(id, sizeof id, "ISCC:MAIGHXLN555Y2%c%c%c", letters[i / 32 % 32],
			 letters[i % 32], 'A');
		snprintf(simprint, sizeof simprint, "Mzdq5tYCKD4w4Pc4xv8T%c", letters[i % 32]);
		memset(metadata, 'x', sizeof metadata);
		snprintf(metadata, 7, "{\"a\":\"");
		metadata[6] = 'x';
		snprintf(metadata + sizeof metadata - 3, 3, "\"}");
		const char *units[] = { unit };
		struct isx_simprint passages[] = {
			{ "CONTENT_TEXT_V0", "Mzdq5tYCKD4w4Pc4xv8T1A", 0, 9 },
			{ "CONTENT_TEXT_V0", "AAdq5tYCKD4w4Pc4xv8T1A", 0, 9 },
			{ "CONTENT_TEXT_V0", "AAdq5tYCKD4w4Pc4xv8T1A", 0, 9 },
		};
		struct isx_asset asset = { .iscc_id = id,
					   .units = units,
					   .unit_count = 1,
					   .simprints = passages,
					   .simprint_count = is_similarity() ? 3 : 0,
					   .metadata = metadata };
		struct isx_err err;
		if (isx_add(store, "main", &asset, 1, NULL, &err))
			fail_msg("%s", err.msg);
	}
}

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/isx-check-XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	snprintf(uri, sizeof uri, "%s://%s", scheme, directory);
	snprintf(path, sizeof path, is_similarity() ? "%s/main/index.lmdb" : "%s/main.lmdb",
		 directory);
	struct isx_store *store = open_store(false);
	struct isx_asset asset = { .iscc_id = ID, .iscc_code = CODE };
	struct isx_err err;
	if (isx_index_create(store, "main", &err) || isx_add(store, "main", &asset, 1, NULL, &err))
		fail_msg("%s", err.msg);
	add_assets(store, 0, 60);
	isx_close(store);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_remove_tree(directory);
	return 0;
}

/* --- damage ----------------------------------------------------------------------------------- */

typedef int damage_fn(MDB_txn *txn);

/* Write with LMDB itself, and set isx:derived, so that this program takes the write for its own. */
static void damage(damage_fn *change)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi metadata;
	uint8_t number[8];
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
	assert_int_equal(mdb_env_set_mapsize(env, 1 << 28), 0);
	assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0644), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(change(txn), 0);
	isx_store_be64(number, isx_lmdb_derived_mark(mdb_txn_id(txn)));
	MDB_val key = { 11, "isx:derived" }, value = { 8, number };
	assert_int_equal(mdb_dbi_open(txn, ISX_TABLE_METADATA, 0, &metadata), 0);
	if (change)
		assert_int_equal(mdb_put(txn, metadata, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static int open_rows(MDB_txn *txn, MDB_dbi *table)
{
	const char *name = is_similarity() ? "__units_256__" : "CONTENT_TEXT_V0";
	return mdb_dbi_open(txn, name, 0, table);
}

static int remove_a_row(MDB_txn *txn)
{
	MDB_dbi table;
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = open_rows(txn, &table);
	if (!rc)
		rc = mdb_cursor_open(txn, table, &cursor);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	return rc ? rc : mdb_cursor_del(cursor, 0);
}

static int add_a_stray_row(MDB_txn *txn)
{
	MDB_dbi table;
	uint8_t bytes[40] = "nobodys!";
	MDB_val key = { 15, "CONTENT_TEXT_V0" }, value = { is_similarity() ? 40 : 8, bytes };
	int rc = open_rows(txn, &table);
	return rc ? rc : mdb_put(txn, table, &key, &value, 0);
}

static int change_a_row(MDB_txn *txn)
{
	MDB_dbi table;
	MDB_cursor *cursor;
	MDB_val key, value;
	uint8_t row[40] = { 0 };
	uint8_t body[32] = { 1 };
	int rc = open_rows(txn, &table);
	if (!rc)
		rc = mdb_cursor_open(txn, table, &cursor);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	if (rc)
		return rc;
	memcpy(row, value.mv_data, value.mv_size);
	row[39] ^= 1;
	value.mv_data = row;
	MDB_val new_key = is_similarity() ? key : (MDB_val){ 32, body };
	MDB_val copy = value;
	rc = mdb_cursor_del(cursor, 0);
	if (!rc && is_similarity())
		copy = (MDB_val){ 40, row };
	return rc ? rc : mdb_put(txn, table, &new_key, &copy, 0);
}

static int damage_json(MDB_txn *txn)
{
	MDB_dbi table;
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_dbi_open(txn, ISX_TABLE_ASSETS, 0, &table);
	if (!rc)
		rc = mdb_cursor_open(txn, table, &cursor);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	MDB_val broken = { 9, "{\"iscc_id" };
	return rc ? rc : mdb_cursor_put(cursor, &key, &broken, MDB_CURRENT);
}

static int remove_an_asset(MDB_txn *txn)
{
	MDB_dbi table;
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_dbi_open(txn, ISX_TABLE_ASSETS, 0, &table);
	if (!rc)
		rc = mdb_cursor_open(txn, table, &cursor);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	return rc ? rc : mdb_cursor_del(cursor, 0);
}

static int change_the_realm(MDB_txn *txn)
{
	MDB_dbi table;
	MDB_val key = { 8, "realm_id" };
	MDB_val value = { is_similarity() ? 4 : 1, is_similarity() ? "\0\0\0\1" : "1" };
	int rc = mdb_dbi_open(txn, ISX_TABLE_METADATA, 0, &table);
	return rc ? rc : mdb_put(txn, table, &key, &value, 0);
}

static int break_the_realm(MDB_txn *txn)
{
	MDB_dbi table;
	MDB_val key = { 8, "realm_id" }, value = { 3, "\0\0\1" };
	int rc = mdb_dbi_open(txn, ISX_TABLE_METADATA, 0, &table);
	return rc ? rc : mdb_put(txn, table, &key, &value, 0);
}

/* A number, and still no realm. */
static int exceed_the_realm(MDB_txn *txn)
{
	MDB_dbi table;
	MDB_val key = { 8, "realm_id" };
	MDB_val value = { is_similarity() ? 4 : 1, is_similarity() ? "\0\0\0\xd0" : "7" };
	int rc = mdb_dbi_open(txn, ISX_TABLE_METADATA, 0, &table);
	return rc ? rc : mdb_put(txn, table, &key, &value, 0);
}

static int change_a_count(MDB_txn *txn)
{
	MDB_dbi table;
	MDB_val key = { 26, "nphd_count:CONTENT_TEXT_V0" }, value = { 8, "\0\0\0\0\0\0\0\1" };
	int rc = mdb_dbi_open(txn, ISX_TABLE_METADATA, 0, &table);
	return rc ? rc : mdb_put(txn, table, &key, &value, 0);
}

/* Remove the first entry of a table of simprints. */
static int remove_first_of(MDB_txn *txn, const char *name)
{
	MDB_dbi table;
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_dbi_open(txn, name, 0, &table);
	if (!rc)
		rc = mdb_cursor_open(txn, table, &cursor);
	if (!rc)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	return rc ? rc : mdb_cursor_del(cursor, 0);
}

static int remove_a_simprint_row(MDB_txn *txn)
{
	return remove_first_of(txn, "__simprints_128__");
}

static int remove_a_stored_simprint(MDB_txn *txn)
{
	return remove_first_of(txn, "__sp_CONTENT_TEXT_V0__");
}

static int remove_a_fingerprint(MDB_txn *txn)
{
	return remove_first_of(txn, "__sp_assets_CONTENT_TEXT_V0__");
}

static int change_the_format(MDB_txn *txn)
{
	MDB_dbi table;
	MDB_val key = { 10, "isx:format" }, value = { 4, "\0\0\0\2" };
	int rc = mdb_dbi_open(txn, ISX_TABLE_METADATA, 0, &table);
	return rc ? rc : mdb_put(txn, table, &key, &value, 0);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_check__finds_nothing_in_a_good_index(void **state)
{
	(void)state;
	struct isx_check report = expect_no_finding();
	assert_int_equal(report.assets, 61);
	assert_true(report.rows > 61 && report.pages > 60 && report.is_derived);
	struct isx_store *store = open_store(false);
	struct isx_err err;
	add_assets(store, 10, 30); /* updates */
	if (isx_remove(store, "main", ID, &err))
		fail_msg("%s", err.msg);
	isx_close(store);
	assert_int_equal(expect_no_finding().assets, 60);
	store = open_store(false);
	assert_int_equal(isx_index_delete(store, "main", &err), 0);
	assert_int_equal(isx_index_create(store, "main", &err), 0);
	add_assets(store, 0, 1);
	assert_int_equal(isx_remove(store, "main", "ISCC:MAIGHXLN555Y2AAA", &err), 0);
	isx_close(store);
	assert_int_equal(expect_no_finding().rows, 0);
}

static void test_check__finds_damaged_rows(void **state)
{
	static const struct {
		damage_fn *change;
		const char *words;
		bool only_similarity;
	} damages[] = {
		{ remove_a_row, "the row of its CONTENT_TEXT_V0 is missing", false },
		{ add_a_stray_row, "which is not there", false },
		{ change_a_row, "the row of its CONTENT_TEXT_V0 is missing", false },
		{ damage_json, "cannot be read", false },
		{ remove_an_asset, "which is not there", false },
		{ change_the_realm, "asset", false },
		{ change_a_count, "nphd_count:CONTENT_TEXT_V0 is 1, but there are 61", true },
		{ remove_a_simprint_row, "cannot be searched", true },
		{ remove_a_stored_simprint, "0.3.3's table does not have", true },
		{ remove_a_fingerprint, "has no fingerprint", true },
	};
	for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
		if (damages[i].only_similarity && !is_similarity())
			continue;
		damage(damages[i].change);
		expect_finding(damages[i].words);
		tear_down(state);
		assert_int_equal(set_up(state), 0);
	}
}

static long file_bytes(void)
{
	struct stat file;
	assert_int_equal(stat(path, &file), 0);
	return (long)file.st_size;
}

static void overwrite(long at, const void *bytes, size_t count)
{
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	assert_int_equal(fclose(file), 0);
}

/* Overwrite each page in turn with zeros or random bytes. The check must return; damage that it
 * does not find was in a free page. */
static void test_check__survives_a_damaged_page_anywhere(void **state)
{
	uint8_t whole[4096], damaged[4096] = { 0 };
	uint64_t seed = test_seed();
	size_t found = 0, pages = (size_t)file_bytes() / sizeof whole;
	(void)state;
	for (size_t page = 2; page < pages * 2; page++) {
		long at = (long)(page % pages * sizeof whole);
		if (page % pages < 2)
			continue;
		for (size_t i = 0; page >= pages && i < sizeof damaged; i++)
			damaged[i] = (uint8_t)test_random(&seed);
		FILE *file = fopen(path, "rb");
		assert_non_null(file);
		assert_int_equal(fseek(file, at, SEEK_SET), 0);
		assert_int_equal(fread(whole, 1, sizeof whole, file), sizeof whole);
		fclose(file);
		overwrite(at, damaged, sizeof damaged);
		struct isx_check report = { 0 };
		struct isx_err err = { 0 };
		enum isx_status st = check(&report, &err);
		found += st == ISX_CORRUPT || (!st && report.findings);
		overwrite(at, whole, sizeof whole);
	}
	assert_true(found > pages / 2);
	expect_no_finding();
}

static void expect_corrupt(const char *words)
{
	struct isx_store *store = open_store(false);
	struct isx_index_info info;
	struct isx_err err = { 0 };
	enum isx_status st = isx_index_stat(store, "main", &info, &err);
	if (!st)
		isx_index_info_release(&info);
	isx_close(store);
	assert_int_equal(st, ISX_CORRUPT);
	if (!strstr(err.msg, words))
		fail_msg("expected '%s', got '%s'", words, err.msg);
}

static void test_open__refuses_a_truncated_file(void **state)
{
	(void)state;
	assert_int_equal(truncate(path, file_bytes() / 2), 0);
	expect_corrupt("shorter than it says");
	assert_int_equal(truncate(path, 100), 0);
	expect_corrupt("LMDB");
}

static void test_open__refuses_what_is_no_index(void **state)
{
	char text[9000];
	(void)state;
	memset(text, 'x', sizeof text);
	overwrite(0, text, sizeof text);
	expect_corrupt("LMDB");
	long bytes = file_bytes();
	expect_corrupt("LMDB");
	assert_int_equal(file_bytes(), bytes); /* the file was not changed */
}

static void test_open__refuses_a_later_format(void **state)
{
	(void)state;
	char words[sizeof path + 64];
	damage(change_the_format);
	snprintf(words, sizeof words, "%s: the index has format 2", path);
	expect_corrupt(words);
}

/* It names the file, once, and so does the refusal to copy it. */
static void test_open__names_the_file_of_a_damaged_realm(void **state)
{
	(void)state;
	char copy[sizeof directory + 8];
	struct isx_err err = { 0 };
	damage(break_the_realm);
	expect_finding("realm_id in the metadata is not a realm");
	struct isx_store *store = open_store(false);
	struct isx_asset asset = { .iscc_id = ID, .iscc_code = CODE };
	assert_int_equal(isx_add(store, "main", &asset, 1, NULL, &err), ISX_CORRUPT);
	assert_true(strncmp(err.msg, path, strlen(path)) == 0);
	assert_non_null(strstr(err.msg, "bring a backup back"));
	snprintf(copy, sizeof copy, "%s/copy", directory);
	assert_int_equal(isx_index_backup(store, "main", copy, false, NULL, NULL, &err),
			 ISX_CORRUPT);
	const char *why = strstr(err.msg, "not copied");
	assert_non_null(why);
	assert_null(strstr(why + 1, "not copied"));
	isx_close(store);
}

/* A message of the damage that names the file, and is no question to the client. */
static void expect_damage(enum isx_status st, const struct isx_err *err, const char *verb)
{
	if (st != ISX_CORRUPT || err->status != ISX_CORRUPT ||
	    strncmp(err->msg, path, strlen(path)) != 0 || !strstr(err->msg, "realm_id"))
		fail_msg("%s: status %d: %s", verb, st, err->msg);
}

static enum isx_status ignore_pair(const struct isx_pair *pair, void *arg, struct isx_err *err)
{
	(void)pair, (void)arg, (void)err;
	return ISX_OK;
}

static void test_open__every_call_reports_a_realm_that_is_none(void **state)
{
	(void)state;
	const char *ids[] = { ID };
	struct isx_asset asset = { .iscc_id = ID, .iscc_code = CODE };
	const struct isx_query queries[] = { { .iscc_code = CODE }, { .iscc_id = ID } };
	struct isx_duplicates_query pairs = { .min_score = 0.9 };
	struct isx_result *result;
	struct isx_cursor *cursor;
	const struct isx_asset *read;
	struct isx_err err = { 0 };
	char *json;
	bool removed;
	damage(exceed_the_realm);
	expect_finding(is_similarity() ? "the realm is 208" : "not a realm");
	struct isx_store *store = open_store(false);
	expect_damage(isx_add(store, "main", &asset, 1, NULL, &err), &err, "add");
	expect_damage(isx_get(store, "main", ID, &json, &err), &err, "get");
	expect_damage(isx_remove(store, "main", ID, &err), &err, "remove");
	expect_damage(isx_remove_many(store, "main", ids, 1, &removed, &err), &err, "remove many");
	for (size_t i = 0; i < 2; i++)
		expect_damage(isx_search(store, "main", &queries[i], &result, &err), &err,
			      "search");
	if (is_similarity())
		expect_damage(isx_duplicates(store, "main", &pairs, ignore_pair, NULL, &err), &err,
			      "duplicates");
	enum isx_status st = isx_cursor_open(store, "main", NULL, &cursor, &err);
	if (!st)
		st = isx_cursor_next(cursor, &read, &err);
	expect_damage(st, &err, "cursor");
	isx_close(store);
}

static void test_compact__gives_back_space_and_changes_nothing(void **state)
{
	struct isx_store *store = open_store(false);
	struct isx_compaction done;
	struct isx_index_info info;
	struct isx_err err;
	char *before, *after;
	(void)state;
	add_assets(store, 0, 600);
	for (int i = 60; i < 600; i++) {
		char id[24];
		static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
		snprintf(id, sizeof id, "ISCC:MAIGHXLN555Y2%c%cA", letters[i / 32],
			 letters[i % 32]);
		assert_int_equal(isx_remove(store, "main", id, &err), 0);
	}
	assert_int_equal(isx_get(store, "main", ID, &before, &err), 0);
	if (isx_index_compact(store, "main", &done, NULL, NULL, &err))
		fail_msg("%s", err.msg);
	assert_true(done.bytes_after < done.bytes_before / 4);
	assert_int_equal(file_bytes(), done.bytes_after);
	assert_int_equal(isx_get(store, "main", ID, &after, &err), 0);
	assert_string_equal(before, after);
	add_assets(store, 600, 5); /* into the new file */
	assert_int_equal(isx_index_stat(store, "main", &info, &err), 0);
	assert_int_equal(info.assets, 66);
	isx_index_info_release(&info);
	isx_text_free(before);
	isx_text_free(after);
	isx_close(store);
	assert_int_equal(expect_no_finding().assets, 66);
}

static void test_check__the_first_finding_is_kept_and_all_are_counted(void **state)
{
	struct isx_first_finding found = { 0 };
	char text[400];
	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	isx_finding_keep_first("page 7: %s", &found);
	isx_finding_keep_first(text, &found);
	assert_string_equal(found.text, "page 7: %s");
	assert_int_equal(found.count, 2);
	found = (struct isx_first_finding){ 0 };
	isx_finding_keep_first(text, &found);
	assert_int_equal(strlen(found.text), sizeof found.text - 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_check__finds_nothing_in_a_good_index),
		TEST(test_check__finds_damaged_rows),
		TEST(test_check__survives_a_damaged_page_anywhere),
		TEST(test_open__refuses_a_truncated_file),
		TEST(test_open__refuses_what_is_no_index),
		TEST(test_open__refuses_a_later_format),
		TEST(test_open__names_the_file_of_a_damaged_realm),
		TEST(test_open__every_call_reports_a_realm_that_is_none),
		TEST(test_compact__gives_back_space_and_changes_nothing),
		cmocka_unit_test(test_check__the_first_finding_is_kept_and_all_are_counted),
	};
	int failed = 0;
	if (argc < 2 || strcmp(argv[1], "usearch") == 0)
		failed += cmocka_run_group_tests_name("usearch", tests, NULL, NULL);
	scheme = "lmdb";
	if (argc < 2 || strcmp(argv[1], "lmdb") == 0)
		failed += cmocka_run_group_tests_name("lmdb", tests, NULL, NULL);
	return failed;
}
