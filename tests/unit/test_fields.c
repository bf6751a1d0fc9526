/*
 * test_fields.c - the table of the values of declared fields follows every change of the metadata.
 *
 * Runs for the files of usearch:// and of lmdb://. `index check` compares the table with all assets, in
 * both directions; a test here damages the table to show that.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "engine/engine.h"
#include "storage/lmdb_facets.h"
#include "storage/lmdb_fields.h"
#include "storage/lmdb_filter.h"
#include "storage/lmdb_kind.h"
#include "storage/lmdb_store.h"
#include "support.h"
#include "json/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ASSETS = 40 };

static const char *scheme;
static char directory[64], path[128];
static char messages[4096];
static struct isx_engine *engine;

static void ok(enum isx_status st, const struct isx_err *err)
{
	if (st)
		fail_msg("%s", err->msg);
}

static void open_engine(void)
{
	struct isx_options options;
	struct isx_err err;
	isx_options_init(&options);
	options.relaxed = true; /* a killed process loses nothing by it */
	ok(strcmp(scheme, "usearch") == 0 ? isx_sim_open(directory, &options, &engine, &err)
					  : isx_prefix_open(directory, &options, &engine, &err),
	   &err);
}

static int set_up(void **state)
{
	struct isx_err err;
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/isx-fields-XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof path,
		 strcmp(scheme, "usearch") == 0 ? "%s/main/index.lmdb" : "%s/main.lmdb", directory);
	open_engine();
	ok(engine->ops->create(engine, "main", &err), &err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	engine->ops->close(engine);
	test_remove_tree(directory);
	return 0;
}

/* The open file of the index, and the end of its use. */
static struct isx_open_index *acquire(struct isx_lmdb_file **file)
{
	struct isx_open_index *index;
	struct isx_err err;
	ok(isx_lmdb_store_acquire(engine, "main", &index, file, &err), &err);
	return index;
}

static void declare(const char *const *pointers, size_t count)
{
	struct isx_err err;
	char **found;
	size_t found_count;
	ok(engine->ops->fields_set(engine, "main", pointers, count, NULL, NULL, &err), &err);
	ok(engine->ops->fields_get(engine, "main", &found, &found_count, &err), &err);
	assert_int_equal(found_count, count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(found[i], pointers[i]);
		isx_mem_free(found[i]);
	}
	isx_mem_free(found);
}

/* How many rows the table has. */
static uint64_t count_rows(void)
{
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	struct isx_err err;
	MDB_stat stat = { 0 };
	struct isx_open_index *index = acquire(&file);
	ok(isx_lmdb_read(file, ISX_PAGES_ROWS, &view, &err), &err);
	if (view.tables.fields)
		assert_int_equal(mdb_stat(view.txn, view.tables.fields, &stat), 0);
	isx_lmdb_end(&view);
	isx_lmdb_store_release(engine, index);
	return stat.ms_entries;
}

static void keep_message(const char *text, void *arg)
{
	(void)arg;
	size_t len = strlen(messages);
	snprintf(messages + len, sizeof messages - len, "%s\n", text);
}

static void expect_findings(const char *words)
{
	struct isx_check report;
	struct isx_err err;
	messages[0] = '\0';
	ok(engine->ops->check(engine, "main", &report, keep_message, NULL, &err), &err);
	if (!words && report.findings)
		fail_msg("%s", messages);
	if (words && !strstr(messages, words))
		fail_msg("expected '%s', found %s", words, messages);
	assert_true(report.is_derived);
}

static void print_id(size_t number, char *id)
{
	const struct isx_iscc_id iscc_id = { .body = (uint64_t)(1000 + number) << 12 | number % 5,
					     .version = 1 };
	isx_iscc_id_print(&iscc_id, id);
}

static enum isx_status add(size_t number, const char *metadata, struct isx_err *err)
{
	char id[ISX_ISCC_ID_TEXT_BYTES], unit[ISX_UNIT_TEXT_BYTES];
	uint8_t body[8] = { (uint8_t)number };
	enum isx_outcome outcome;
	test_unit_text(ISX_CONTENT, body, sizeof body, unit);
	print_id(number, id);
	const char *units[] = { unit };
	const struct isx_asset asset = {
		.iscc_id = id, .units = units, .unit_count = 1, .metadata = metadata
	};
	return engine->ops->add(engine, "main", &asset, 1, &outcome, err);
}

/* Metadata with any kind of value, texts that are longer than a key of LMDB, and none at all. */
static const char *random_metadata(uint64_t *seed, char *text, size_t size)
{
	static const char *const values[] = { "1",         "1.0",  "\"a\"",    "[1,1,2,\"a\"]",
					      "{\"b\":1}", "[]",   "null",     "true",
					      "false",     "-1e3", "[[1],{}]", "\"\"",
					      "[null,0]" };
	char longer[1200];
	memset(longer, 'x', sizeof longer);
	snprintf(longer + 500 + test_random(seed) % 600, 3, "%d", (int)(test_random(seed) % 3));
	switch (test_random(seed) % 8) {
	case 0:
		return NULL;
	case 1:
		snprintf(text, size, "{\"license\":\"%s\",\"n\":{\"y\":%d}}", longer,
			 (int)(test_random(seed) % 5));
		break;
	default:
		snprintf(text, size, "{\"license\":%s,\"n\":{\"y\":%s},\"other\":%d}",
			 values[test_random(seed) % 13], values[test_random(seed) % 13],
			 (int)(test_random(seed) % 100));
	}
	return text;
}

static const char *const two_fields[] = { "/license", "/n/y" };
static const char *const other_fields[] = { "/n/y", "/n", "/license", "/missing" };

static void test_fields__rows_follow_every_change(void **state)
{
	uint64_t seed = test_seed();
	(void)state;
	for (int step = 0; step < 400; step++) {
		size_t number = test_random(&seed) % ASSETS;
		char id[ISX_ISCC_ID_TEXT_BYTES], text[2000];
		const char *metadata = random_metadata(&seed, text, sizeof text);
		const char *ids[] = { id, id };
		struct isx_err err = { 0 };
		enum isx_status st = ISX_OK;
		print_id(number, id);
		if (step == 100)
			declare(two_fields, 2);
		if (step == 250)
			declare(other_fields, 4);
		switch (test_random(&seed) % 4) {
		case 0:
			st = engine->ops->set_metadata(engine, "main", id, metadata, &err);
			break;
		case 1:
			st = engine->ops->remove(engine, "main", ids, 2, (bool[2]){ 0 }, &err);
			break;
		default:
			st = add(number, metadata, &err);
		}
		if (st != ISX_NOT_FOUND)
			ok(st, &err);
		if (step % 10 == 0)
			expect_findings(NULL);
	}
	expect_findings(NULL);
	assert_true(count_rows() > ASSETS / 2);
	for (size_t i = 0; i < ASSETS; i++) {
		char id[ISX_ISCC_ID_TEXT_BYTES];
		const char *ids[] = { id };
		struct isx_err err;
		print_id(i, id);
		ok(engine->ops->remove(engine, "main", ids, 1, (bool[1]){ 0 }, &err), &err);
	}
	assert_int_equal(count_rows(), 0);
}

static void test_fields__values_are_counted_once_for_an_asset(void **state)
{
	struct isx_err err;
	(void)state;
	ok(add(1, "{\"license\":[1,1.0,\"a\",\"a\",[],{}]}", &err), &err);
	ok(add(2, "{\"license\":1e0}", &err), &err);
	ok(add(3, "{\"n\":1}", &err), &err);
	assert_int_equal(count_rows(), 0);
	declare(two_fields, 1);
	assert_int_equal(count_rows(), 4); /* 1, "a", and that something else is there */
	declare(two_fields, 1);
	expect_findings(NULL);
	declare(two_fields, 0);
	assert_int_equal(count_rows(), 0);
	expect_findings(NULL);
}

/* Metadata with `different` numbers, each of them `times` times, in mixed order. New. */
static char *many_values(size_t different, size_t times)
{
	struct isx_buf json = { 0 };
	isx_buf_text(&json, "{\"license\":[");
	for (size_t i = 0; i < different * times; i++)
		isx_buf_printf(&json, "%s%zu", i ? "," : "", i * 7919 % different);
	isx_buf_text(&json, "]}");
	char *text = isx_buf_take(&json);
	assert_non_null(text);
	return text;
}

/* More rows than are listed, and put, at a time. */
static void test_fields__an_asset_may_have_many_values_many_times(void **state)
{
	static const size_t counts[][2] = {
		{ 1, 300000 }, { 150000, 2 }, { 70000, 1 }, { 10, 20000 }
	};
	struct isx_err err;
	(void)state;
	declare(two_fields, 2);
	ok(add(2, "{\"license\":7}", &err), &err);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		char *metadata = many_values(counts[i][0], counts[i][1]);
		ok(add(1, metadata, &err), &err);
		isx_mem_free(metadata);
		assert_int_equal(count_rows(), counts[i][0] + 1);
		expect_findings(NULL);
	}
	declare(other_fields, 3);
	assert_int_equal(count_rows(), 11);
	expect_findings(NULL);
}

/* A table that many assets share a value in, declared before and later, in an order that cannot be
 * appended. */
static void test_fields__assets_of_one_value_come_in_any_order(void **state)
{
	struct isx_err err;
	(void)state;
	declare(two_fields, 2);
	for (size_t i = 0; i < 600; i++)
		ok(add(i * 7 % 600, i % 3 ? "{\"license\":\"CC0\"}" : "{\"license\":\"MIT\"}",
		       &err),
		   &err);
	assert_int_equal(count_rows(), 600);
	expect_findings(NULL);
	declare(other_fields, 4);
	assert_int_equal(count_rows(), 600);
	expect_findings(NULL);
}

static void kill_at_progress(uint64_t done, uint64_t total, void *arg)
{
	(void)arg;
	assert_true(total > 0);
	if (done)
		kill(getpid(), SIGKILL);
}

static void test_fields__a_process_that_is_killed_declares_nothing(void **state)
{
	struct isx_lmdb_file *file;
	struct isx_err err;
	int status;
	(void)state;
	for (size_t i = 0; i < 3000; i++)
		ok(add(i, "{\"license\":1,\"n\":2}", &err), &err);
	declare(two_fields, 1);
	engine->ops->close(engine);
	pid_t child = fork();
	if (child == 0) {
		open_engine();
		(void)acquire(&file);
		(void)!isx_lmdb_fields_set(file, other_fields, 4, kill_at_progress, NULL, &err);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	open_engine();
	assert_int_equal(count_rows(), 3000);
	expect_findings(NULL);
	declare(other_fields, 4);
	assert_int_equal(count_rows(), 6000);
	expect_findings(NULL);
}

/* Change a row by LMDB itself, as damage would, and keep isx:derived right.
 *   put  add a row, or remove one */
static void damage(bool put, const char *key_text, size_t key_bytes, uint64_t id)
{
	uint8_t bytes[8];
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	struct isx_err err;
	struct isx_open_index *index = acquire(&file);
	MDB_val key = isx_lmdb_val(key_text, key_bytes), value = isx_lmdb_val(bytes, sizeof bytes);
	isx_store_be64(bytes, id << 12 | (id - 1000) % 5);
	ok(isx_lmdb_write(file, &view, &err), &err);
	assert_int_equal(put ? mdb_put(view.txn, view.tables.fields, &key, &value, 0)
			     : mdb_del(view.txn, view.tables.fields, &key, &value),
			 0);
	ok(isx_lmdb_commit(&view, &err), &err);
	isx_lmdb_store_release(engine, index);
}

static void test_fields__check_finds_missing_and_foreign_rows(void **state)
{
	static const char is_true[] = { 0, 3 }, is_false[] = { 0, 2 };
	struct isx_err err;
	(void)state;
	declare(two_fields, 2);
	ok(add(1, "{\"license\":true}", &err), &err);
	expect_findings(NULL);
	damage(true, is_false, 2, 1001);
	expect_findings("has no such unit or value");
	damage(false, is_false, 2, 1001);
	damage(true, is_true, 2, 1002);
	expect_findings("is not there");
	damage(false, is_true, 2, 1002);
	damage(false, is_true, 2, 1001);
	expect_findings("a row of the declared field /license is missing");
	damage(true, is_true, 2, 1001);
	expect_findings(NULL);
}

static void test_fields__backup_and_compact_keep_them(void **state)
{
	struct isx_compaction done;
	struct isx_err err;
	char copy[160];
	(void)state;
	declare(two_fields, 2);
	for (size_t i = 0; i < 300; i++)
		ok(add(i, "{\"license\":\"CC0\",\"n\":{\"y\":[1,2]}}", &err), &err);
	ok(engine->ops->compact(engine, "main", &done, NULL, NULL, &err), &err);
	assert_int_equal(count_rows(), 900);
	expect_findings(NULL);
	snprintf(copy, sizeof copy, "%s/copy", directory);
	ok(engine->ops->backup(engine, "main", copy, false, NULL, NULL, &err), &err);
	ok(add(1, "{\"license\":\"MIT\"}", &err), &err);
	engine->ops->close(engine);
	assert_int_equal(rename(copy, path), 0);
	open_engine();
	assert_int_equal(count_rows(), 900);
	expect_findings(NULL);
}

/* --- filters ---------------------------------------------------------------------------------- */

/* Append a random value; texts of 400 bytes and more, which the table cuts, share their beginning. */
static void random_value(uint64_t *seed, struct isx_buf *text)
{
	static const char *const values[] = { "1",     "1.0",  "2",    "-1e3", "0.5",  "\"a\"",
					      "\"b\"", "\"\"", "null", "true", "false" };
	char longer[1200];
	if (test_random(seed) % 4) {
		isx_buf_text(text, values[test_random(seed) % 11]);
		return;
	}
	memset(longer, 'x', sizeof longer);
	snprintf(longer + 396 + test_random(seed) % 8, 3, "%d", (int)(test_random(seed) % 3));
	isx_buf_printf(text, "\"%s\"", longer);
}

/* Append the ends of a range: two numbers or two texts, one of which may miss. */
static void random_range(uint64_t *seed, struct isx_buf *text)
{
	static const char *const numbers[] = { "-1e4", "0", "0.5", "1", "1.5", "2" };
	char longer[1200];
	const bool both = test_random(seed) % 2, is_text = test_random(seed) % 2;
	for (int end = 0; end < 2; end++) {
		if (!both && end)
			return;
		isx_buf_printf(text,
			       ",\"%s\":", end || (!both && test_random(seed) % 2) ? "to" : "from");
		memset(longer, 'x', sizeof longer);
		longer[396 + test_random(seed) % 8] = (char)('0' + test_random(seed) % 3);
		longer[398 + test_random(seed) % 8] = '\0';
		if (is_text)
			isx_buf_printf(text, "\"%s\"", longer);
		else
			isx_buf_text(text, numbers[test_random(seed) % 6]);
	}
}

static void random_filter(uint64_t *seed, int depth, struct isx_buf *text)
{
	static const char *const fields[] = { "license", "/n/y", "n", "missing" };
	static const char *const types[] = { "CONTENT_TEXT_V0", "DATA_NONE_V0", "META_NONE_V0" };
	const char *field = fields[test_random(seed) % 4];
	char from[ISX_ISCC_ID_TEXT_BYTES];
	uint64_t count;
	switch (test_random(seed) % (depth ? 9 : 6)) {
	case 0:
		isx_buf_printf(text, "{\"hub\":[%d,%d]}", (int)(test_random(seed) % 3),
			       (int)(test_random(seed) % 3 + 3));
		return;
	case 1:
		isx_buf_printf(text, "{\"types\":[\"%s\"]}", types[test_random(seed) % 3]);
		return;
	case 2:
		isx_buf_printf(text, "{\"field\":\"%s\",\"exists\":%s}", field,
			       test_random(seed) % 2 ? "true" : "false");
		return;
	case 3:
		isx_buf_printf(text, "{\"field\":\"%s\",\"in\":[", field);
		count = test_random(seed) % 4;
		for (uint64_t i = 0; i < count; i++) {
			isx_buf_text(text, i ? "," : "");
			random_value(seed, text);
		}
		isx_buf_text(text, "]}");
		return;
	case 4:
		isx_buf_printf(text, "{\"field\":\"%s\"", field);
		random_range(seed, text);
		isx_buf_text(text, "}");
		return;
	case 5:
		print_id(test_random(seed) % ASSETS, from);
		isx_buf_printf(text, "{\"iscc_id\":{\"%s\":\"%s\"}}",
			       test_random(seed) % 2 ? "from" : "to", from);
		return;
	case 6:
		isx_buf_text(text, "{\"not\":");
		random_filter(seed, depth - 1, text);
		isx_buf_text(text, "}");
		return;
	default:
		isx_buf_text(text, test_random(seed) % 2 ? "{\"all\":[" : "{\"any\":[");
		count = test_random(seed) % 4;
		for (uint64_t i = 0; i < count; i++) {
			isx_buf_text(text, i ? "," : "");
			random_filter(seed, depth - 1, text);
		}
		isx_buf_text(text, "]}");
	}
}

/* What the definition of the language says of one stored asset. */
static bool holds_by_definition(const struct isx_filter *filter, struct isx_span json)
{
	struct isx_arena arena = { 0 };
	struct isx_asset asset;
	struct isx_iscc_id id;
	struct isx_err err;
	bool holds;
	ok(isx_asset_from_stored(json, &arena, &asset, &err), &err);
	ok(isx_iscc_id_parse(isx_span_of(asset.iscc_id), &id, &err), &err);
	ok(isx_filter_holds(filter, id.body, &asset, &arena, &holds, &err), &err);
	isx_arena_release(&arena);
	return holds;
}

/* Compare what a filter lets through with the definition, asset by asset. */
static size_t compare_filter(struct isx_lmdb_view *view, const char *text)
{
	struct isx_arena arena = { 0 };
	struct isx_meter meter = { 0 };
	struct isx_passing passing;
	const struct isx_filter *filter;
	struct isx_iscc_id id;
	struct isx_err err;
	MDB_val json;
	uint64_t from = 0;
	size_t count = 0, at = 0;
	ok(isx_filter_from_text(text, &arena, &filter, &err), &err);
	if (!filter) {
		isx_arena_release(&arena);
		return 0;
	}
	ok(isx_passing_find(view, filter, NULL, &meter, &passing, &err), &err);
	while (!view->file->kind->next(view, from, &id, &json)) {
		bool passes, again;
		ok(isx_passing_has(&passing, view, &meter, id.body, NULL, &passes, &err), &err);
		ok(isx_passing_has(&passing, view, &meter, id.body, &at, &again, &err), &err);
		assert_int_equal(passes, again);
		if (passes != holds_by_definition(filter, isx_lmdb_span(json)))
			fail_msg("%d for %s: %.*s", passes, text, (int)json.mv_size,
				 (const char *)json.mv_data);
		count += passes;
		from = id.body + 1;
	}
	isx_passing_release(&passing);
	isx_arena_release(&arena);
	return count;
}

static void test_fields__filters_hold_as_for_each_asset(void **state)
{
	uint64_t seed = test_seed();
	struct isx_lmdb_file *file;
	struct isx_err err;
	size_t found = 0;
	(void)state;
	declare(other_fields, 4);
	for (size_t i = 0; i < ASSETS; i++) {
		struct isx_buf text = { 0 };
		isx_buf_text(&text, "{\"license\":[");
		random_value(&seed, &text);
		isx_buf_text(&text, ",");
		random_value(&seed, &text);
		isx_buf_text(&text, "],\"n\":{\"y\":");
		random_value(&seed, &text);
		isx_buf_text(&text, "}}");
		char *metadata = isx_buf_take(&text);
		ok(add(i, i % 7 ? metadata : NULL, &err), &err);
		isx_mem_free(metadata);
	}
	struct isx_open_index *index = acquire(&file);
	for (int i = 0; i < 3000; i++) {
		struct isx_lmdb_view view;
		struct isx_buf text = { 0 };
		random_filter(&seed, (int)(test_random(&seed) % 4), &text);
		char *filter = isx_buf_take(&text);
		ok(isx_lmdb_read(file, ISX_PAGES_ROWS, &view, &err), &err);
		found += compare_filter(&view, filter);
		isx_lmdb_end(&view);
		isx_mem_free(filter);
	}
	assert_true(found > 3000);
	isx_lmdb_store_release(engine, index);
}

static void test_fields__a_filter_of_an_undeclared_field_says_how_to_declare_it(void **state)
{
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	struct isx_arena arena = { 0 };
	struct isx_meter meter = { 0 };
	struct isx_passing passing;
	const struct isx_filter *filter;
	struct isx_err err;
	(void)state;
	struct isx_open_index *index = acquire(&file);
	ok(isx_lmdb_read(file, ISX_PAGES_ROWS, &view, &err), &err);
	ok(isx_filter_from_text("{\"field\":\"tenant\",\"equals\":1}", &arena, &filter, &err),
	   &err);
	assert_int_equal(isx_passing_find(&view, filter, NULL, &meter, &passing, &err),
			 ISX_INVALID);
	assert_non_null(strstr(err.msg, "/tenant"));
	assert_non_null(strstr(err.msg, "index fields"));
	isx_passing_release(&passing);
	isx_lmdb_end(&view);
	isx_arena_release(&arena);
	isx_lmdb_store_release(engine, index);
}

static enum isx_status cancel(void *asked, struct isx_err *err)
{
	++*(int *)asked;
	return isx_fail(err, ISX_CANCELLED, "the client has gone");
}

/* Each of many conditions with few rows walks through the set of those before it. */
static void test_fields__combining_sets_can_be_cancelled(void **state)
{
	enum { CONDITIONS = 900 };
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	struct isx_arena arena = { 0 };
	struct isx_buf text = { 0 };
	struct isx_passing passing;
	const struct isx_filter *filter;
	struct isx_err err;
	int asked = 0;
	/* The rows alone, one of each condition and ASSETS of the first, are fewer. */
	struct isx_meter meter = { .cancel_check = cancel,
				   .cancel_arg = &asked,
				   .next = CONDITIONS + 10 * ASSETS };
	(void)state;
	declare(other_fields, 4);
	for (size_t i = 0; i < ASSETS; i++)
		ok(add(i, i ? "{\"license\":1}" : "{\"license\":1,\"n\":1}", &err), &err);
	isx_buf_text(&text, "{\"any\":[{\"field\":\"license\",\"exists\":true}");
	for (size_t i = 1; i < CONDITIONS; i++)
		isx_buf_text(&text, ",{\"field\":\"n\",\"equals\":1}");
	isx_buf_text(&text, "]}");
	char *json = isx_buf_take(&text);
	struct isx_open_index *index = acquire(&file);
	ok(isx_lmdb_read(file, ISX_PAGES_ROWS, &view, &err), &err);
	ok(isx_filter_from_text(json, &arena, &filter, &err), &err);
	assert_int_equal(isx_passing_find(&view, filter, NULL, &meter, &passing, &err),
			 ISX_CANCELLED);
	assert_int_equal(asked, 1);
	isx_passing_release(&passing);
	isx_arena_release(&arena);
	isx_mem_free(json);
	isx_lmdb_end(&view);
	isx_lmdb_store_release(engine, index);
}

/* Values that are longer than a key of the table are found again in an asset that has them. */
static void test_fields__looking_for_long_values_can_be_cancelled(void **state)
{
	enum { VALUES = 5000 };
	static const char *const facet_fields[] = { "license" };
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	struct isx_arena arena = { 0 };
	struct isx_buf text = { 0 };
	const struct isx_facet *facets;
	struct isx_err err;
	int asked = 0;
	uint64_t id = (uint64_t)1001 << 12 | 1;
	struct isx_ranking ranking = { .ids = &id, .id_count = 1 };
	struct isx_query query = { .facets = facet_fields, .facet_count = 1 };
	(void)state;
	declare(two_fields, 2);
	isx_buf_text(&text, "{\"license\":[");
	for (size_t i = 0; i < VALUES; i++)
		isx_buf_printf(&text, "%s\"%0420d-%04zu\"", i ? "," : "", 0, i);
	isx_buf_text(&text, "]}");
	char *json = isx_buf_take(&text);
	ok(add(1, json, &err), &err);
	isx_mem_free(json);
	struct isx_open_index *index = acquire(&file);
	ok(isx_lmdb_read(file, ISX_PAGES_ROWS, &view, &err), &err);
	ok(isx_lmdb_facets(&view, &query, &ranking, &arena, &facets, &err), &err);
	assert_int_equal(facets[0].value_count, ISX_FACET_VALUES_MAX);
	assert_int_equal(facets[0].others, VALUES - ISX_FACET_VALUES_MAX);
	assert_int_equal(strlen(facets[0].values[0].value), 425 + 2);
	query.cancel_check = cancel; /* the rows alone are too few to ask */
	query.cancel_arg = &asked;
	assert_int_equal(isx_lmdb_facets(&view, &query, &ranking, &arena, &facets, &err),
			 ISX_CANCELLED);
	assert_int_equal(asked, 1);
	isx_arena_release(&arena);
	isx_lmdb_end(&view);
	isx_lmdb_store_release(engine, index);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_fields__rows_follow_every_change, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_fields__values_are_counted_once_for_an_asset, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(test_fields__an_asset_may_have_many_values_many_times,
					set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_fields__assets_of_one_value_come_in_any_order, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(test_fields__a_process_that_is_killed_declares_nothing,
					set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_fields__check_finds_missing_and_foreign_rows, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(test_fields__backup_and_compact_keep_them, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(test_fields__filters_hold_as_for_each_asset, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(
		test_fields__a_filter_of_an_undeclared_field_says_how_to_declare_it, set_up,
		tear_down),
	cmocka_unit_test_setup_teardown(test_fields__combining_sets_can_be_cancelled, set_up,
					tear_down),
	cmocka_unit_test_setup_teardown(test_fields__looking_for_long_values_can_be_cancelled,
					set_up, tear_down),
};

int main(void)
{
	int failed = 0;
	for (int i = 0; i < 2; i++) {
		scheme = i ? "lmdb" : "usearch";
		printf("%s:// with seed %llu\n", scheme, (unsigned long long)test_seed());
		failed += cmocka_run_group_tests(tests, NULL, NULL);
	}
	return failed;
}
