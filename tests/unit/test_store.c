/*
 * test_store.c - the contract of every engine, through the public interface: one suite, run over
 *                each URI of `engines`, and against a brute-force model.
 *
 * postgresql:// is among them where ISX_TEST_POSTGRES is the URI of a database: in it each test has
 * a schema of its own. With ISX_TEST_POSTGRES_SEARCH=sql there are no followers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/iscc_id.h"
#include "support.h"
#include "json/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

enum { MODEL_ASSETS = 400, MODEL_QUERIES = 120, TYPES = 3, UNITS = 4 };

struct fixture {
	const char *scheme;
	char directory[64];
	struct isx_store *store;
	struct isx_err err;
};

static struct fixture fx;

static bool is_on_postgres(void)
{
	return strcmp(fx.scheme, "postgresql://") == 0;
}

/* The schema of a test has the name of its directory: isx_test_xxxxxx. */
static void open_on_postgres(void)
{
	const char *way = getenv("ISX_TEST_POSTGRES_SEARCH");
	char schema[sizeof fx.directory + 1];
	size_t len = 0;
	for (const char *at = fx.directory + strlen("/tmp/"); *at; at++) {
		if (*at >= 'A' && *at <= 'Z') /* only small letters: tell the large ones apart */
			schema[len++] = '_';
		schema[len++] = (char)(*at == '-' ? '_' : *at | 0x20);
	}
	schema[len] = '\0';
	struct isx_options options;
	isx_options_init(&options);
	options.postgres_schema = schema;
	options.postgres_followers = way && strcmp(way, "sql") == 0 ? NULL : fx.directory;
	if (isx_open(getenv("ISX_TEST_POSTGRES"), &options, &fx.store, &fx.err))
		fail_msg("open %s: %s", schema, fx.err.msg);
}

static void open_store(void)
{
	char uri[128];
	if (is_on_postgres()) {
		open_on_postgres();
		return;
	}
	snprintf(uri, sizeof uri, "%s%s", fx.scheme,
		 strcmp(fx.scheme, "memory://") ? fx.directory : "");
	if (isx_open(uri, NULL, &fx.store, &fx.err))
		fail_msg("open %s: %s", uri, fx.err.msg);
}

static int set_up(void **state)
{
	fx.scheme = *state;
	snprintf(fx.directory, sizeof fx.directory, "/tmp/isx-test-XXXXXX");
	if (!mkdtemp(fx.directory))
		return -1;
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

static bool is_on_disk(void)
{
	return strcmp(fx.scheme, "memory://") != 0;
}

/* lmdb:// finds prefixes only, scores by them, and drops simprints (test_prefix.c). */
static bool is_prefix_engine(void)
{
	return strcmp(fx.scheme, "lmdb://") == 0;
}

static void reopen(void)
{
	isx_close(fx.store);
	open_store();
}

static void expect_ok(enum isx_status st)
{
	if (st)
		fail_msg("%s", fx.err.msg);
}

/* Expect a failure with this status and with `words` in its message. */
static void expect_failure(enum isx_status st, enum isx_status wanted, const char *words)
{
	if (st != wanted || !strstr(fx.err.msg, words))
		fail_msg("status %d (wanted %d): %s", st, wanted, fx.err.msg);
}

static void id_text(uint64_t body, uint32_t realm, char *text)
{
	struct isx_iscc_id id = { .body = body, .realm = realm, .version = 1 };
	isx_iscc_id_print(&id, text);
}

/* --- a few assets ----------------------------------------------------------------------------- */

#define ID_A       "ISCC:MAIGHXLN555Y2DFF"
#define ID_B       "ISCC:MAIGGXO25TIIJR7F"
#define ID_REALM_1 "ISCC:MEIGBIUPXUJPMADP"
#define CODE_A     "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY"

static const char *const units_a[] = {
	"ISCC:AADSUWPOD5TDD5MCWZX32P6FNFIKILX42MVDHQG3D5J36RXNCKQWZGY",
	"ISCC:EADR5BPDM23VE2Z636LGF3FNDCVML5RBQIE6L4JH6VP4SCSTHAQ7UJA",
	"ISCC:GAD2RFOH27GWCEQPPWM4ZQ3YQLC4ECPEIMNFYTZITVR3KPA6F2SF74Y",
	"ISCC:IAD5V5BOQHFLPPST2ZO33NVBGFPJT5SRPW7W2JM4ZWIOA2GNFBGICUQ"
};
static const char *const units_b[] = {
	"ISCC:AADSUWPOD5TDD5MCWZX32P6FNFIKILX42MVDHQG3D5J36RXNCKQWZGY",
	"ISCC:EADR5BHTN235E2Z63OLWF3FNTCVML5RBQIA6L4JH6FP4QCSTHAQ7UJA",
	"ISCC:GADRPLSPZNFSIG6Y6RQO2ISXDQBMBLI5M7WGBXLVD7BKIBI2355X4MI",
	"ISCC:IADTWWWBMB36X3GRDE3EYW3GILM5TKIRGRKVYNNQMTLCWXGV5GJK37Q"
};

static struct isx_asset asset_of(const char *id, const char *const *units, const char *metadata)
{
	return (struct isx_asset){
		.iscc_id = id, .units = units, .unit_count = units ? UNITS : 0, .metadata = metadata
	};
}

static enum isx_outcome add_one(const struct isx_asset *asset)
{
	enum isx_outcome outcome;
	expect_ok(isx_add(fx.store, "main", asset, 1, &outcome, &fx.err));
	return outcome;
}

static size_t count_matches(const struct isx_query *query)
{
	struct isx_result *result;
	expect_ok(isx_search(fx.store, "main", query, &result, &fx.err));
	size_t count = result->match_count;
	isx_result_free(result);
	return count;
}

static uint64_t count_assets(void)
{
	struct isx_index_info info;
	expect_ok(isx_index_stat(fx.store, "main", &info, &fx.err));
	uint64_t count = info.assets;
	isx_index_info_release(&info);
	return count;
}

static void test_store__gives_back_what_was_added(void **state)
{
	struct isx_asset a = asset_of(ID_A, units_a,
				      "{\"n\":1.50,\"big\":123456789012345678901234}");
	char *json;
	(void)state;
	a.iscc_code = CODE_A;
	assert_int_equal(add_one(&a), ISX_CREATED);
	assert_int_equal(add_one(&a), ISX_UPDATED);
	assert_int_equal(count_assets(), 1);
	if (is_on_disk())
		reopen();
	expect_ok(isx_get(fx.store, "main", ID_A, &json, &fx.err));
	assert_non_null(
		strstr(json, "{\"iscc_id\":\"" ID_A "\",\"iscc_code\":\"" CODE_A "\",\"units\":["));
	assert_non_null(
		strstr(json, "\"metadata\":{\"n\":1.50,\"big\":123456789012345678901234}}"));
	isx_text_free(json);
	expect_failure(isx_get(fx.store, "main", ID_B, &json, &fx.err), ISX_NOT_FOUND, ID_B);
	expect_failure(isx_get(fx.store, "main", ID_REALM_1, &json, &fx.err), ISX_INVALID, "realm");
	expect_failure(isx_get(fx.store, "none", ID_A, &json, &fx.err), ISX_NOT_FOUND, "'none'");
}

static void test_store__ranks_by_score_then_id(void **state)
{
	struct isx_asset assets[] = { asset_of(ID_A, units_a, "{\"name\":\"a\"}"),
				      asset_of(ID_B, units_b, NULL) };
	struct isx_query query = { .units = units_a, .unit_count = UNITS };
	struct isx_result *result;
	(void)state;
	expect_ok(isx_add(fx.store, "main", assets, 2, NULL, &fx.err));
	expect_ok(isx_search(fx.store, "main", &query, &result, &fx.err));
	assert_int_equal(result->match_count, 2);
	assert_string_equal(result->matches[0].iscc_id, ID_A);
	assert_true(result->matches[0].score == 1.0);
	assert_int_equal(result->matches[0].type_count, 4);
	assert_string_equal(result->matches[0].metadata, "{\"name\":\"a\"}");
	assert_string_equal(result->matches[1].iscc_id, ID_B);
	assert_null(result->matches[1].metadata);
	assert_int_equal(result->matches[1].type_count, 3); /* its INSTANCE does not match */
	assert_string_equal(result->matches[1].types[2].type, "DATA_NONE_V0");
	assert_true(result->matches[1].types[2].score < 0.75); /* listed though it does not count */
	assert_string_equal(result->query.iscc_code, CODE_A);
	isx_result_free(result);
	query.limit = 1;
	assert_int_equal(count_matches(&query), 1);
	query = (struct isx_query){ .units = &units_a[0],
				    .unit_count = 1 }; /* both assets have it: a tie */
	expect_ok(isx_search(fx.store, "main", &query, &result, &fx.err));
	assert_int_equal(result->match_count, 2);
	assert_string_equal(result->matches[0].iscc_id, ID_B); /* the smaller ISCC-ID */
	isx_result_free(result);
}

static void test_store__more_like_this_leaves_out_the_asset_itself(void **state)
{
	struct isx_asset assets[] = { asset_of(ID_A, units_a, NULL),
				      asset_of(ID_B, units_b, NULL) };
	struct isx_query query = { .iscc_id = ID_A, .limit = 1 };
	struct isx_result *result;
	(void)state;
	expect_failure(isx_search(fx.store, "main", &query, &result, &fx.err), ISX_NOT_FOUND, ID_A);
	expect_ok(isx_add(fx.store, "main", assets, 2, NULL, &fx.err));
	expect_ok(isx_search(fx.store, "main", &query, &result, &fx.err));
	assert_int_equal(result->match_count, 1);
	assert_string_equal(result->matches[0].iscc_id, ID_B);
	assert_null(result->query.iscc_id);
	isx_result_free(result);
}

static void test_store__finds_an_asset_by_its_code_alone(void **state)
{
	struct isx_asset a = { .iscc_id = ID_A, .iscc_code = CODE_A };
	struct isx_query by_code = { .iscc_code = CODE_A };
	struct isx_query by_units = { .units = units_a, .unit_count = UNITS };
	(void)state;
	add_one(&a);
	assert_int_equal(count_matches(&by_code), 1);
	assert_int_equal(count_matches(&by_units), 1);
}

static void test_store__an_update_leaves_no_trace_of_old_units(void **state)
{
	struct isx_asset a = asset_of(ID_A, units_a, NULL);
	struct isx_query old = { .units = units_a, .unit_count = UNITS };
	struct isx_query data_of_b = { .units = &units_b[2], .unit_count = 1 };
	(void)state;
	add_one(&a);
	a.units = units_b + 1; /* CONTENT, DATA, INSTANCE of the other; no META any more */
	a.unit_count = 3;
	assert_int_equal(add_one(&a), ISX_UPDATED);
	old.units = &units_a[0];
	old.unit_count = 1;
	assert_int_equal(count_matches(&old), 0);
	old.units = &units_a[3];
	assert_int_equal(count_matches(&old), 0);
	assert_int_equal(count_matches(&data_of_b), 1);
	a = (struct isx_asset){ .iscc_id = ID_A };
	add_one(&a);
	assert_int_equal(count_matches(&data_of_b), 0);
	assert_int_equal(count_assets(), 1);
}

static void test_store__removes_an_asset_with_all_its_rows(void **state)
{
	struct isx_simprint simprint = { "CONTENT_TEXT_V0", "Mzdq5tYCKD4w4Pc4xv8T1A", 0, 10 };
	struct isx_asset a = asset_of(ID_A, units_a, NULL);
	struct isx_query query = { .units = units_a, .unit_count = UNITS };
	struct isx_index_info info;
	(void)state;
	a.simprints = &simprint;
	a.simprint_count = 1;
	add_one(&a);
	expect_ok(isx_remove(fx.store, "main", ID_A, &fx.err));
	assert_int_equal(count_matches(&query), 0);
	assert_int_equal(count_assets(), 0);
	expect_ok(isx_index_stat(fx.store, "main", &info, &fx.err));
	for (size_t i = 1; i < info.part_count; i++)
		assert_int_equal(info.parts[i].bytes, 0);
	isx_index_info_release(&info);
	expect_failure(isx_remove(fx.store, "main", ID_A, &fx.err), ISX_NOT_FOUND, ID_A);
}

static void test_store__a_batch_goes_in_whole_or_not_at_all(void **state)
{
	static const char *const bad_units[] = { "ISCC:AADSUWPO!", "garbage" };
	struct isx_asset assets[] = { asset_of(ID_A, units_a, NULL),
				      asset_of(ID_B, units_b, NULL) };
	struct isx_query query = { .units = units_a, .unit_count = UNITS };
	struct isx_simprint simprint = { "CONTENT_TEXT_V0", "A", 0, 10 };
	(void)state;
	assets[1].units = bad_units;
	assets[1].unit_count = 2;
	expect_failure(isx_add(fx.store, "main", assets, 2, NULL, &fx.err), ISX_INVALID,
		       "units[0]");
	assets[1] = (struct isx_asset){ .metadata = "{}" };
	expect_failure(isx_add(fx.store, "main", assets, 2, NULL, &fx.err), ISX_INVALID, "iscc_id");
	assets[1] = asset_of(ID_A, units_b, NULL);
	assets[1].is_new = true;
	expect_failure(isx_add(fx.store, "main", assets, 2, NULL, &fx.err), ISX_EXISTS, "asset ");
	assets[1] = asset_of(ID_REALM_1, units_b, NULL);
	expect_failure(isx_add(fx.store, "main", assets, 2, NULL, &fx.err), ISX_INVALID, "realm");
	assets[1] = asset_of(ID_B, units_b, NULL);
	assets[1].simprints = &simprint;
	assets[1].simprint_count = 1;
	if (!is_prefix_engine())
		expect_failure(isx_add(fx.store, "main", assets, 2, NULL, &fx.err), ISX_INVALID,
			       "simprints");
	assert_int_equal(count_assets(), 0);
	assert_int_equal(count_matches(&query), 0);
	assets[0] = asset_of(ID_REALM_1, units_b, NULL); /* the refused ones fixed no realm */
	assert_int_equal(add_one(&assets[0]), ISX_CREATED);
	assets[0] = asset_of(ID_A, units_a, NULL);
	expect_failure(isx_add(fx.store, "main", assets, 1, NULL, &fx.err), ISX_INVALID, "realm");
}

static void test_store__an_asset_without_an_id_gets_one(void **state)
{
	enum { COUNT = 300 };
	struct isx_asset assets[COUNT];
	enum isx_outcome outcomes[COUNT];
	char ids[COUNT][24], *json = NULL;
	struct timespec now;
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		assets[i] = asset_of(NULL, units_a, "{}");
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t before = ((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000) << 12,
		 last = 0;
	for (int round = 0; round < 3; round++) {
		expect_ok(
			isx_add_with_ids(fx.store, "main", assets, COUNT, outcomes, ids, &fx.err));
		for (size_t i = 0; i < COUNT; i++) {
			struct isx_iscc_id id;
			expect_ok(isx_iscc_id_parse(isx_span_of(ids[i]), &id, &fx.err));
			assert_true(id.body > last && id.body >= before);
			assert_int_equal(id.realm, 0);
			assert_int_equal(isx_iscc_id_hub(&id), 0);
			assert_int_equal(outcomes[i], ISX_CREATED);
			last = id.body;
		}
	}
	assert_true(last - before < (uint64_t)3600 * 1000000 << 12);
	assert_int_equal(count_assets(), 3 * COUNT);
	expect_ok(isx_get(fx.store, "main", ids[1], &json, &fx.err));
	assert_int_equal(strncmp(json, "{\"iscc_id\":\"ISCC:", 17), 0);
	assert_non_null(strstr(json, ids[1]));
	isx_text_free(json);
}

/* The realm of new ISCC-IDs is that of the index, or of an asset beside them. */
static void test_store__new_ids_are_of_the_realm_of_the_index(void **state)
{
	struct isx_asset assets[] = { asset_of(NULL, units_a, NULL),
				      asset_of(ID_REALM_1, units_b, NULL) };
	char ids[2][24];
	struct isx_iscc_id id;
	(void)state;
	expect_ok(isx_add_with_ids(fx.store, "main", assets, 2, NULL, ids, &fx.err));
	assert_string_equal(ids[1], ID_REALM_1);
	expect_ok(isx_iscc_id_parse(isx_span_of(ids[0]), &id, &fx.err));
	assert_int_equal(id.realm, 1);
	expect_ok(isx_add_with_ids(fx.store, "main", assets, 1, NULL, ids, &fx.err));
	expect_ok(isx_iscc_id_parse(isx_span_of(ids[0]), &id, &fx.err));
	assert_int_equal(id.realm, 1);
	assert_int_equal(count_assets(), 3);
	expect_failure(isx_add(fx.store, "none", assets, 1, NULL, &fx.err), ISX_NOT_FOUND,
		       "'none'");
}

static void test_store__what_has_to_be_new_replaces_nothing(void **state)
{
	struct isx_asset assets[] = { asset_of(ID_A, units_a, "{\"n\":1}"),
				      asset_of(ID_B, units_b, NULL) };
	char *json;
	(void)state;
	assets[0].is_new = assets[1].is_new = true;
	assert_int_equal(add_one(&assets[0]), ISX_CREATED);
	assets[0].metadata = "{\"n\":2}";
	expect_failure(isx_add(fx.store, "main", assets, 2, NULL, &fx.err), ISX_EXISTS, ID_A);
	assert_int_equal(fx.err.position, 0);
	assert_int_equal(count_assets(), 1);
	expect_ok(isx_get(fx.store, "main", ID_A, &json, &fx.err));
	assert_non_null(strstr(json, "{\"n\":1}"));
	isx_text_free(json);
	assets[1].iscc_id = NULL; /* the service gives other ISCC-IDs, but not for ID_A */
	expect_failure(isx_add(fx.store, "main", assets, 2, NULL, &fx.err), ISX_EXISTS, ID_A);
	assert_int_equal(count_assets(), 1);
}

static void expect_refused(const struct isx_asset *asset, const char *words)
{
	struct isx_asset batch[] = { asset_of(ID_B, units_b, NULL), *asset };
	expect_failure(isx_add(fx.store, "main", asset, 1, NULL, &fx.err), ISX_INVALID, words);
	assert_int_equal(strncmp(fx.err.msg, words, strlen(words)), 0); /* no position of one */
	expect_failure(isx_add(fx.store, "main", batch, 2, NULL, &fx.err), ISX_INVALID, words);
	assert_int_equal(strncmp(fx.err.msg, "asset 1: ", 9), 0);
	assert_int_equal(count_assets(), 0);
}

/* An object with `depth` arrays in each other. */
static void nest(char *text, size_t depth)
{
	text = stpcpy(text, "{\"a\":");
	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	text[2 * depth] = '}';
	text[2 * depth + 1] = '\0';
}

/* Assets that the readers of JSON would refuse are refused from programs too: once stored, they
 * could not be read again. */
static void test_store__refuses_what_has_not_the_shape_of_an_asset(void **state)
{
	static const char *const ids[] = { "", "x", "ISCC:maighxln555y2dff", ID_A "A",
					   "ISCC:MAIGHXLN555Y2DF\"" };
	static const char *const codes[] = { "", "KACSUWPOD5TDD5MC", "ISCC:KACSUWPOD5TDD5M",
					     CODE_A "\"", "x\xFF\"y" };
	static const char *const texts[] = { "",       " ",           "x",     "[1]",
					     "null",   "{\"a\":1,}",  "{} {}", "{\"a\":NaN}",
					     "\"{}\"", "{\"\xFF\":1}" };
	static const char *const types[] = { "", "assets_X", ".x", "a/b", "a\\b", "a\nb", NULL };
	static char long_type[3000], deep[2048];
	const char *many[65];
	struct isx_asset a;
	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		a = asset_of(ids[i], units_a, NULL);
		expect_refused(&a, "iscc_id: expected ^ISCC:");
	}
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		a = (struct isx_asset){ .iscc_id = ID_A, .iscc_code = codes[i] };
		expect_refused(&a, "iscc_code: expected ^ISCC:");
	}
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		a = asset_of(ID_A, units_a, texts[i]);
		expect_refused(&a, "metadata: ");
	}
	nest(deep, 511); /* 512 with its braces, 513 in an asset */
	a = asset_of(ID_A, units_a, deep);
	expect_refused(&a, "metadata: ");
	for (size_t i = 0; i < 65; i++)
		many[i] = units_a[0];
	a = (struct isx_asset){ .iscc_id = ID_A, .units = many, .unit_count = 65 };
	expect_refused(&a, "units: expected at most 64");
	struct isx_simprint simprints[] = { { "X", "Mzdq5tYCKD4w4Pc4xv8T1A", 0, 9 },
					    { "X", "Mzdq5tYCKD4w4Pc4xv8T1A", 9, 9 } };
	a = asset_of(ID_A, units_a, NULL);
	a.simprints = simprints;
	a.simprint_count = 2;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		simprints[1].type = types[i];
		expect_refused(&a, "simprints[1].type: ");
	}
	memset(long_type, 'T', sizeof long_type - 1);
	simprints[1].type = long_type;
	expect_refused(&a, "simprints[1].type: ");
}

/* The largest asset that is allowed is added, and behaves like any other. */
static void test_store__takes_what_just_has_the_shape_of_an_asset(void **state)
{
	static char type[65], deep[2048];
	const char *many[64];
	char *json;
	(void)state;
	memset(type, 'T', sizeof type - 1);
	nest(deep, 510);
	for (size_t i = 0; i < 64; i++)
		many[i] = units_a[i % UNITS];
	struct isx_simprint simprint = { type, "Mzdq5tYCKD4w4Pc4xv8T1A", 0, 9 };
	struct isx_asset a = { .iscc_id = ID_A,
			       .iscc_code = "ISCC:7777777777777777",
			       .units = many,
			       .unit_count = 64,
			       .simprints = &simprint,
			       .simprint_count = 1,
			       .metadata = deep };
	assert_int_equal(add_one(&a), ISX_CREATED);
	assert_int_equal(add_one(&a), ISX_UPDATED);
	expect_ok(isx_get(fx.store, "main", ID_A, &json, &fx.err));
	assert_non_null(strstr(json, deep));
	isx_text_free(json);
	expect_ok(isx_remove(fx.store, "main", ID_A, &fx.err));
	assert_int_equal(count_assets(), 0);
}

static void test_store__the_last_of_equal_ids_in_a_batch_counts(void **state)
{
	struct isx_asset assets[] = { asset_of(ID_A, units_a, "{\"v\":1}"),
				      asset_of(ID_B, units_b, NULL),
				      asset_of(ID_A, units_b, "{\"v\":2}") };
	struct isx_query query = { .units = &units_a[3], .unit_count = 1 };
	enum isx_outcome outcomes[3];
	char *json;
	(void)state;
	expect_ok(isx_add(fx.store, "main", assets, 3, outcomes, &fx.err));
	assert_int_equal(outcomes[0], ISX_CREATED);
	assert_int_equal(outcomes[1], ISX_CREATED);
	assert_int_equal(outcomes[2], ISX_UPDATED);
	assert_int_equal(count_assets(), 2);
	assert_int_equal(count_matches(&query), 0);
	expect_ok(isx_get(fx.store, "main", ID_A, &json, &fx.err));
	assert_non_null(strstr(json, "{\"v\":2}"));
	isx_text_free(json);
}

static void test_store__instance_matches_prefixes_in_both_directions(void **state)
{
	uint8_t body[32];
	char texts[3][ISX_UNIT_TEXT_BYTES], ids[3][24];
	static const uint32_t bytes[] = { 8, 16, 32 };
	(void)state;
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)(i * 37 + 1);
	for (size_t i = 0; i < 3; i++) {
		test_unit_text(ISX_INSTANCE, body, bytes[i], texts[i]);
		id_text(1000 + i, 0, ids[i]);
		const char *unit = texts[i];
		struct isx_asset asset = { .iscc_id = ids[i], .units = &unit, .unit_count = 1 };
		add_one(&asset);
	}
	for (size_t i = 0; i < 3; i++) {
		const char *unit = texts[i];
		struct isx_query query = { .units = &unit, .unit_count = 1 };
		assert_int_equal(count_matches(&query), 3);
	}
	body[20] ^= 1; /* beyond 128 bits: the longest one differs now */
	test_unit_text(ISX_INSTANCE, body, 24, texts[0]);
	const char *unit = texts[0];
	struct isx_query query = { .units = &unit, .unit_count = 1 };
	assert_int_equal(count_matches(&query), 2);
}

static void test_store__indexes_are_made_listed_and_deleted(void **state)
{
	struct isx_index_info *infos;
	size_t count;
	(void)state;
	expect_failure(isx_index_create(fx.store, "main", &fx.err), ISX_EXISTS, "'main'");
	expect_failure(isx_index_create(fx.store, "Main", &fx.err), ISX_INVALID, "'Main'");
	expect_failure(isx_index_create(fx.store, "../x", &fx.err), ISX_INVALID, "a-z");
	expect_ok(isx_index_create(fx.store, "alpha", &fx.err));
	expect_ok(isx_index_list(fx.store, &infos, &count, &fx.err));
	assert_int_equal(count, 2);
	assert_string_equal(infos[0].name, "alpha");
	assert_string_equal(infos[1].name, "main");
	assert_string_equal(infos[1].parts[0].name, "lmdb");
	isx_index_list_free(infos, count);
	expect_ok(isx_index_delete(fx.store, "main", &fx.err));
	expect_failure(isx_index_delete(fx.store, "main", &fx.err), ISX_NOT_FOUND, "'main'");
	expect_failure(isx_index_delete(fx.store, "../alpha", &fx.err), ISX_NOT_FOUND, "not found");
	expect_ok(isx_index_create(fx.store, "main", &fx.err));
	assert_int_equal(count_assets(), 0);
}

static void test_store__names_what_is_wrong_with_a_query(void **state)
{
	static const char *const bad[] = { "ISCC:AADSUWPOD5TDD5MC1" };
	struct isx_query none = { .limit = 1 };
	struct isx_query bad_unit = { .units = bad, .unit_count = 1 };
	struct isx_query bad_code = { .iscc_code = "ISCC:7777777777777777" };
	struct isx_result *result;
	(void)state;
	expect_failure(isx_search(fx.store, "main", &none, &result, &fx.err), ISX_INVALID,
		       "iscc_code");
	expect_failure(isx_search(fx.store, "main", &bad_unit, &result, &fx.err), ISX_INVALID,
		       "units[0]");
	expect_failure(isx_search(fx.store, "main", &bad_code, &result, &fx.err), ISX_INVALID,
		       "iscc_code");
}

/* Codes that are too short, but decode, or too long: alone and beside units, in an asset and in a
 * query. */
static void test_store__a_code_of_a_wrong_length_is_refused(void **state)
{
	static const size_t cuts[] = { 1, 2, 3, 4, 5, 6, 7, 8, 16 };
	static const char *const more[] = { "A", "AA", "AAAA", "AAAAAAAA" };
	enum { CUTS = sizeof cuts / sizeof *cuts, MORE = sizeof more / sizeof *more };
	char code[sizeof CODE_A + 16];
	struct isx_result *result;
	(void)state;
	for (size_t i = 0; i < 2 * (CUTS + MORE); i++) {
		size_t k = i / 2, cut = k < CUTS ? cuts[k] : 0;
		snprintf(code, sizeof code, "%.*s%s", (int)(strlen(CODE_A) - cut), CODE_A,
			 k < CUTS ? "" : more[k - CUTS]);
		struct isx_asset a = asset_of(ID_A, i % 2 ? units_a : NULL, NULL);
		struct isx_query query = { .iscc_code = code,
					   .units = a.units,
					   .unit_count = a.unit_count };
		a.iscc_code = code;
		expect_failure(isx_add(fx.store, "main", &a, 1, NULL, &fx.err), ISX_INVALID,
			       "iscc_code: ");
		expect_failure(isx_search(fx.store, "main", &query, &result, &fx.err), ISX_INVALID,
			       "expected 55 characters behind 'ISCC:'");
	}
	assert_int_equal(count_assets(), 0);
	/* units are no ISCC-CODE: one with a byte behind it, two of which one is cut short */
	struct isx_asset odd[] = { { .iscc_id = ID_A, .iscc_code = "ISCC:GAAW4HDJSGDEPXNYAA" },
				   { .iscc_id = ID_B,
				     .iscc_code = "ISCC:GAAW4HDJSGDEPXNYIAA5V5BOQHFL" } };
	expect_ok(isx_add(fx.store, "main", odd, 2, NULL, &fx.err));
	assert_int_equal(count_assets(), 2);
}

/* --- several units of one type ---------------------------------------------------------------- */

/* Nothing is left over or missing in the file. */
static void expect_no_finding(void)
{
	struct isx_check report;
	if (is_on_postgres())
		return;
	expect_ok(isx_index_check(fx.store, "main", &report, NULL, NULL, &fx.err));
	assert_int_equal(report.findings, 0);
}

/* The texts of some forms of one unit: its body in several lengths. */
static void form_texts(uint32_t maintype, const uint8_t *body, const uint32_t *bytes, size_t count,
		       char texts[4][ISX_UNIT_TEXT_BYTES], const char *units[4])
{
	for (size_t i = 0; i < count; i++) {
		test_unit_text(maintype, body, bytes[i], texts[i]);
		units[i] = texts[i];
	}
}

/* The score of the first type of the only match; -1: there is none. */
static double score_of_type(const struct isx_query *query)
{
	struct isx_result *result;
	expect_ok(isx_search(fx.store, "main", query, &result, &fx.err));
	assert_true(result->match_count <= 1);
	double score = result->match_count ? result->matches[0].types[0].score : -1;
	isx_result_free(result);
	return score;
}

/* What a query of 256 bits finds, that differs from the asset's unit in all of the bits 64 to
 * 127. */
static double score_behind_64_bits(uint32_t maintype, const uint8_t *body)
{
	uint8_t other[32];
	char text[ISX_UNIT_TEXT_BYTES];
	const char *unit = text;
	memcpy(other, body, sizeof other);
	for (size_t i = 8; i < 16; i++)
		other[i] ^= 0xFF;
	test_unit_text(maintype, other, sizeof other, text);
	return score_of_type(&(struct isx_query){ .units = &unit, .unit_count = 1 });
}

static void test_store__the_longest_form_of_a_unit_is_compared_in_any_order(void **state)
{
	static const uint32_t types[] = { ISX_META, ISX_SEMANTIC, ISX_CONTENT, ISX_DATA,
					  ISX_INSTANCE };
	static const uint32_t orders[][4] = { { 32, 8, 0, 0 },   { 8, 32, 0, 0 },
					      { 32, 8, 32, 8 },  { 8, 16, 24, 32 },
					      { 32, 24, 16, 8 }, { 16, 32, 4, 8 },
					      { 24, 8, 32, 16 }, { 32, 32, 0, 0 } };
	uint8_t body[32];
	char texts[4][ISX_UNIT_TEXT_BYTES];
	const char *units[4];
	(void)state;
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)(i * 37 + 1);
	for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
		for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
			size_t count = orders[o][2] ? 4 : 2;
			form_texts(types[t], body, orders[o], count, texts, units);
			struct isx_asset a = { .iscc_id = ID_A,
					       .units = units,
					       .unit_count = count };
			add_one(&a);
			double score = score_behind_64_bits(types[t], body);
			/* INSTANCE matches or does not */
			assert_true(score == (types[t] == ISX_INSTANCE ? -1 : 0.75));
			for (size_t i = 0; i < count; i++) /* each of its forms finds it */
				assert_true(score_of_type(&(struct isx_query){
						    .units = &units[i], .unit_count = 1 }) == 1.0);
			expect_no_finding();
		}
	}
	expect_ok(isx_remove(fx.store, "main", ID_A, &fx.err));
	expect_no_finding();
	assert_true(score_behind_64_bits(ISX_DATA, body) == -1);
}

/* lmdb:// finds each form by the bits that are equal, as 0.3.3 does. */
static void test_store__prefixes_score_by_the_longest_form_in_any_order(void **state)
{
	static const uint32_t orders[][2] = { { 32, 8 }, { 8, 32 } };
	uint8_t body[32] = { 1, 2, 3 };
	char texts[4][ISX_UNIT_TEXT_BYTES];
	const char *units[4];
	(void)state;
	for (size_t o = 0; o < 2; o++) {
		form_texts(ISX_DATA, body, orders[o], 2, texts, units);
		struct isx_asset a = { .iscc_id = ID_A, .units = units, .unit_count = 2 };
		add_one(&a);
		struct isx_query whole = { .units = &units[o], .unit_count = 1 };
		assert_true(score_of_type(&whole) == 1.0);
		assert_true(score_behind_64_bits(ISX_DATA, body) == 0.25);
		expect_no_finding();
	}
}

static void test_store__different_units_of_one_type_are_all_found(void **state)
{
	static const uint32_t bytes[] = { 32, 32, 8, 16 };
	uint8_t bodies[4][32];
	char texts[4][ISX_UNIT_TEXT_BYTES];
	const char *units[4];
	uint64_t seed = 5;
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		for (size_t k = 0; k < 32; k++)
			bodies[i][k] = (uint8_t)test_random(&seed);
		test_unit_text(ISX_CONTENT, bodies[i], bytes[i], texts[i]);
		units[i] = texts[i];
	}
	struct isx_asset assets[] = {
		{ .iscc_id = "ISCC:MAIGBIUPXUJPMADP", .units = units_a, .unit_count = UNITS },
		{ .iscc_id = ID_B, .units = units, .unit_count = 4 },
		{ .iscc_id = ID_A, .units = units_a, .unit_count = UNITS }
	};
	expect_ok(isx_add(fx.store, "main", assets, 3, NULL, &fx.err));
	expect_no_finding();
	if (is_on_disk())
		reopen();
	for (size_t i = 0; i < 4; i++)
		assert_true(score_of_type(&(struct isx_query){ .units = &units[i],
							       .unit_count = 1 }) == 1.0);
	/* the best unit of the type counts, once */
	struct isx_query all = { .units = units, .unit_count = 4 };
	struct isx_result *result;
	expect_ok(isx_search(fx.store, "main", &all, &result, &fx.err));
	assert_int_equal(result->match_count, 1);
	assert_int_equal(result->matches[0].type_count, 1);
	assert_true(result->matches[0].types[0].score == 1.0);
	assert_true(result->matches[0].score == (is_prefix_engine() ? 0.25 : 1.0));
	isx_result_free(result);
	assets[1].unit_count = 1; /* the update removes the other three */
	add_one(&assets[1]);
	for (size_t i = 0; i < 4; i++)
		assert_true(score_of_type(&(struct isx_query){
				    .units = &units[i], .unit_count = 1 }) == (i == 0 ? 1.0 : -1));
	expect_no_finding();
	assets[1].unit_count = 4;
	add_one(&assets[1]);
	expect_ok(isx_remove(fx.store, "main", ID_B, &fx.err));
	assert_int_equal(count_matches(&all), 0);
	expect_no_finding();
	assets[1].iscc_id = "ISCC:MAIHHXLN555Y2DFF"; /* behind the rows of all others */
	for (size_t i = 0; i < 2; i++) {
		units[0] = texts[i];
		units[1] = texts[1 - i];
		add_one(&assets[1]);
		assert_int_equal(count_matches(&all), 1);
		expect_no_finding();
		expect_ok(isx_remove(fx.store, "main", assets[1].iscc_id, &fx.err));
		assert_int_equal(count_matches(&all), 0);
		expect_no_finding();
	}
}

/* A code may be a sequence of units, too. */
static void test_store__units_of_one_type_in_a_code_are_all_found(void **state)
{
	static const char *const units[] = { "ISCC:GAAW4HDJSGDEPXNY", "ISCC:GAA7777777777777" };
	struct isx_asset a = { .iscc_id = ID_A,
			       .iscc_code = "ISCC:GAAW4HDJSGDEPXNYGAA7777777777777" };
	(void)state;
	add_one(&a);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
			count_matches(&(struct isx_query){ .units = &units[i], .unit_count = 1 }),
			1);
	expect_no_finding();
}

/* Of the units that a client lists, each is compared, and the best score of a type counts. A query
 * by an asset compares only the units by which that asset is found. */
static void test_store__an_asset_asks_with_the_longest_forms_of_its_units(void **state)
{
	static const uint32_t bytes[] = { 32, 8 };
	uint8_t body[32] = { 0 };
	char texts[4][ISX_UNIT_TEXT_BYTES], other[ISX_UNIT_TEXT_BYTES];
	const char *units[4], *unit = other;
	struct isx_query listed = { .units = units, .unit_count = 2 };
	struct isx_query alike = { .iscc_id = ID_A };
	struct isx_result *result;
	(void)state;
	form_texts(ISX_DATA, body, bytes, 2, texts, units);
	for (size_t i = 8; i < 16; i++)
		body[i] ^= 0xFF;
	test_unit_text(ISX_DATA, body, 32, other);
	struct isx_asset a = { .iscc_id = ID_A, .units = units, .unit_count = 2 };
	struct isx_asset b = { .iscc_id = ID_B, .units = &unit, .unit_count = 1 };
	add_one(&b);
	assert_true(score_of_type(&listed) == 1.0);
	add_one(&a);
	assert_true(score_of_type(&alike) == 0.75);
	alike.iscc_id = ID_B;
	assert_true(score_of_type(&alike) == 0.75);
	alike.iscc_id = ID_A;
	expect_ok(isx_search(fx.store, "main", &alike, &result, &fx.err));
	assert_int_equal(result->query.unit_count, 2); /* repeated as they were stored */
	isx_result_free(result);
}

/* --- against a model -------------------------------------------------------------------------- */

enum { MODEL_UNITS = 7 };

/* Units of any of TYPES types, several of one type among them, in any order. */
struct model_asset {
	uint64_t id;
	bool present;
	size_t count;
	struct model_unit {
		size_t type;
		uint32_t bytes;
		uint8_t body[32];
	} units[MODEL_UNITS];
};

static struct model_asset model[MODEL_ASSETS];
static const uint32_t model_types[TYPES] = { ISX_META, ISX_DATA, ISX_INSTANCE };
static const char *const model_names[TYPES] = { "META_NONE_V0", "DATA_NONE_V0",
						"INSTANCE_NONE_V0" };

/* The conditions of a query, and what the model makes of them. */
static struct model_conditions {
	double least
		[TYPES]; /* the score of each type that counts; of lmdb:// 0 without a condition */
	bool counts[TYPES];
	double exponent;
} conditions;

/* Set the conditions of a query at random, or none.
 *   scores, types  filled: of the query, which borrows them */
static void random_conditions(struct isx_query *query, struct isx_type_min_score scores[TYPES],
			      const char *types[TYPES], uint64_t *seed)
{
	static const double least[] = { 0, 0.5, 0.7, 0.8125, 0.9, 1 };
	bool has_any = test_random(seed) % 2;
	if (has_any && test_random(seed) % 2) {
		query->has_min_score = true;
		query->min_score = least[test_random(seed) % 6];
	}
	if (has_any && test_random(seed) % 3 == 0)
		query->exponent = 1 + (uint32_t)(test_random(seed) % 6);
	if (has_any && test_random(seed) % 3 == 0)
		query->types = types;
	conditions.exponent = query->exponent ? query->exponent : 4;
	for (size_t t = 0; t < TYPES; t++) {
		conditions.counts[t] = !query->types || test_random(seed) % 2;
		if (query->types && conditions.counts[t])
			types[query->type_count++] = model_names[t];
		conditions.least[t] = query->has_min_score ? query->min_score
				      : is_prefix_engine() ? 0
							   : 0.75;
		if (!has_any || test_random(seed) % 3)
			continue;
		conditions.least[t] = least[test_random(seed) % 6];
		scores[query->min_score_count++] =
			(struct isx_type_min_score){ model_names[t], conditions.least[t] };
	}
	query->min_scores = scores;
}

/* Near one of a few centres, so that there is something to find; INSTANCE there, or with one bit
 * of the longer forms inverted. */
static void random_unit(struct model_unit *unit, uint64_t *seed)
{
	static const uint32_t lengths[] = { 4, 8, 8, 12, 16, 24, 32, 32 };
	uint64_t centre = test_random(seed) % 5, flips = test_random(seed) % 40;
	unit->type = test_random(seed) % TYPES;
	unit->bytes = lengths[test_random(seed) % 8];
	for (size_t i = 0; i < 32; i++)
		unit->body[i] = (uint8_t)(centre * 53 + i * 31);
	if (unit->type == 2) {
		unit->body[9] ^= flips % 2;
		return;
	}
	for (uint64_t i = 0; i < flips; i++) {
		uint64_t bit = test_random(seed) % 256;
		unit->body[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
}

/* One unit in three is a form of an earlier one: its body in another length. */
static void random_units(struct model_asset *asset, uint64_t *seed)
{
	static const uint32_t forms[] = { 4, 8, 16, 24, 32 };
	asset->count = test_random(seed) % (MODEL_UNITS + 1);
	for (size_t i = 0; i < asset->count; i++) {
		if (i && test_random(seed) % 3 == 0) {
			asset->units[i] = asset->units[test_random(seed) % i];
			asset->units[i].bytes = forms[test_random(seed) % 5];
		} else {
			random_unit(&asset->units[i], seed);
		}
	}
}

/* The units of an asset as texts. */
static void model_texts(const struct model_asset *asset,
			char texts[MODEL_UNITS][ISX_UNIT_TEXT_BYTES],
			const char *units[MODEL_UNITS])
{
	for (size_t i = 0; i < asset->count; i++) {
		const struct model_unit *unit = &asset->units[i];
		test_unit_text(model_types[unit->type], unit->body, unit->bytes, texts[i]);
		units[i] = texts[i];
	}
}

static bool begins_with(const struct model_unit *longer, const struct model_unit *shorter)
{
	return longer->type == shorter->type && longer->bytes >= shorter->bytes &&
	       memcmp(longer->body, shorter->body, shorter->bytes) == 0;
}

/* Is another unit of the asset a longer form of this one? */
static bool has_longer_form(const struct model_asset *asset, size_t i)
{
	for (size_t k = 0; k < asset->count; k++)
		if (asset->units[k].bytes > asset->units[i].bytes &&
		    begins_with(&asset->units[k], &asset->units[i]))
			return true;
	return false;
}

static double model_unit_score(const struct model_unit *a, const struct model_unit *b)
{
	uint32_t bytes = a->bytes < b->bytes ? a->bytes : b->bytes;
	uint32_t differing = 0;
	for (uint32_t bit = 0; bit < bytes * 8; bit++)
		differing += (a->body[bit / 8] >> (bit % 8) & 1) !=
			     (b->body[bit / 8] >> (bit % 8) & 1);
	if (model_types[a->type] == ISX_INSTANCE)
		return differing ? -1 : 1;
	return 1.0 - differing / (bytes * 8.0);
}

/* The best score of each type, over all queried units and the longest forms of those of the asset;
 * -1 where there is none. Returns sum(s^e) / sum(s) over the scores that count, or -1. */
static double model_score(const struct model_asset *query, const struct model_asset *asset,
			  double best[TYPES])
{
	double weighted = 0, weight = 0;
	bool matches = false;
	for (size_t t = 0; t < TYPES; t++) {
		best[t] = -1;
		for (size_t q = 0; conditions.counts[t] && q < query->count; q++) {
			for (size_t i = 0; i < asset->count; i++) {
				if (query->units[q].type != t || asset->units[i].type != t ||
				    has_longer_form(asset, i))
					continue;
				double s = model_unit_score(&query->units[q], &asset->units[i]);
				best[t] = s > best[t] ? s : best[t];
			}
		}
		if (best[t] >= 0 && best[t] >= conditions.least[t]) {
			weighted += pow(best[t], conditions.exponent);
			weight += best[t];
			matches = true;
		}
	}
	return !matches ? -1 : weight > 0 ? weighted / weight : 0;
}

/* Of each type the most bits of a queried unit and one of the asset, where one begins with the
 * other, over the bits of the longest queried one. Returns their sum, divided by the number of
 * queried units that count; or -1. */
static double model_prefix_score(const struct model_asset *query, const struct model_asset *asset,
				 double best[TYPES])
{
	double sum = 0;
	size_t asked_count = 0;
	for (size_t t = 0; t < TYPES; t++) {
		uint32_t longest = 0, most = 0;
		for (size_t q = 0; q < query->count; q++) {
			const struct model_unit *asked = &query->units[q];
			if (asked->type != t || !conditions.counts[t])
				continue;
			asked_count++;
			longest = asked->bytes > longest ? asked->bytes : longest;
			for (size_t i = 0; i < asset->count; i++) {
				const struct model_unit *unit = &asset->units[i];
				uint32_t bytes = begins_with(asked, unit)   ? unit->bytes
						 : begins_with(unit, asked) ? asked->bytes
									    : 0;
				most = bytes > most ? bytes : most;
			}
		}
		best[t] = most ? (double)most / longest : -1;
		sum += most && best[t] >= conditions.least[t] ? best[t] : 0;
	}
	return sum > 0 ? sum / (double)asked_count : -1;
}

static double model_scores(const struct model_asset *query, const struct model_asset *asset,
			   double best[TYPES])
{
	return is_prefix_engine() ? model_prefix_score(query, asset, best)
				  : model_score(query, asset, best);
}

static void change_model(size_t i, uint64_t *seed)
{
	struct model_asset *asset = &model[i];
	char id[24], texts[MODEL_UNITS][ISX_UNIT_TEXT_BYTES];
	const char *units[MODEL_UNITS];
	id_text(asset->id, 0, id);
	if (asset->present && test_random(seed) % 3 == 0) {
		expect_ok(isx_remove(fx.store, "main", id, &fx.err));
		asset->present = false;
		return;
	}
	random_units(asset, seed);
	model_texts(asset, texts, units);
	struct isx_asset given = { .iscc_id = id, .units = units, .unit_count = asset->count };
	assert_int_equal(add_one(&given), asset->present ? ISX_UPDATED : ISX_CREATED);
	asset->present = true;
}

/* A match lists the best score of each type, as the model has it. */
static void expect_types(const struct isx_match *match, const double best[TYPES])
{
	size_t expected = 0;
	for (size_t t = 0; t < TYPES; t++)
		expected += best[t] >= 0;
	assert_int_equal(match->type_count, expected);
	for (size_t i = 0; i < match->type_count; i++) {
		size_t t = 0;
		while (strcmp(match->types[i].type, model_names[t]) != 0)
			assert_true(++t < TYPES);
		assert_true(fabs(match->types[i].score - best[t]) < 1e-12);
	}
}

static void expect_like_model(const struct model_asset *query, size_t limit, uint64_t *seed)
{
	char texts[MODEL_UNITS][ISX_UNIT_TEXT_BYTES], id[24];
	const char *units[MODEL_UNITS];
	struct isx_query asked = { .units = units, .limit = limit, .unit_count = query->count };
	struct isx_type_min_score min_scores[TYPES];
	const char *counting[TYPES];
	struct isx_result *result;
	double scores[MODEL_ASSETS], types[MODEL_ASSETS][TYPES];
	bool listed[MODEL_ASSETS] = { false };
	size_t expected = 0;
	if (!query->count)
		return;
	model_texts(query, texts, units);
	random_conditions(&asked, min_scores, counting, seed);
	for (size_t i = 0; i < MODEL_ASSETS; i++) {
		scores[i] = model[i].present ? model_scores(query, &model[i], types[i]) : -1;
		expected += scores[i] >= 0;
	}
	expect_ok(isx_search(fx.store, "main", &asked, &result, &fx.err));
	assert_int_equal(result->match_count, expected < limit ? expected : limit);
	for (size_t m = 0; m < result->match_count; m++) {
		size_t best = MODEL_ASSETS;
		for (size_t i = 0; i < MODEL_ASSETS; i++)
			if (scores[i] >= 0 && !listed[i] &&
			    (best == MODEL_ASSETS || scores[i] > scores[best] + 1e-12))
				best = i; /* ids rise with i, so the first of equal scores is right
					   */
		listed[best] = true;
		id_text(model[best].id, 0, id);
		assert_true(fabs(result->matches[m].score - scores[best]) < 1e-12);
		assert_string_equal(result->matches[m].iscc_id, id);
		expect_types(&result->matches[m], types[best]);
	}
	isx_result_free(result);
}

static void test_store__equals_a_brute_force_model(void **state)
{
	uint64_t seed = test_seed();
	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	memset(model, 0, sizeof model);
	for (size_t i = 0; i < MODEL_ASSETS; i++)
		model[i].id = (i + 1) * 0x0123456789ABCDull;
	for (size_t step = 0; step < MODEL_QUERIES; step++) {
		struct model_asset query = { 0 };
		for (size_t k = 0; k < 10; k++)
			change_model(test_random(&seed) % MODEL_ASSETS, &seed);
		random_units(&query, &seed);
		expect_like_model(&query, 1 + test_random(&seed) % 60, &seed);
		if (is_on_disk() && step % 40 == 39)
			reopen();
	}
	expect_no_finding();
}

/* --- ranks ------------------------------------------------------------------------------------ */

/* What the model knows of an asset that a query is compared with. */
struct model_match {
	bool matches;
	double score;
	double best[TYPES];
	double log_expect;
	const char *tier;
	double tier_score;
};

/* The rows that an index has of a type: as many as different units, without shorter forms (lmdb://
 * has those, too). */
static uint64_t model_rows(size_t type)
{
	uint64_t rows = 0;
	for (size_t a = 0; a < MODEL_ASSETS; a++)
		for (size_t i = 0; model[a].present && i < model[a].count; i++) {
			const struct model_unit *unit = &model[a].units[i];
			bool has_row = unit->type == type &&
				       (is_prefix_engine() || !has_longer_form(&model[a], i));
			for (size_t k = 0; k < i; k++)
				has_row &= unit->type != model[a].units[k].type ||
					   unit->bytes != model[a].units[k].bytes ||
					   !begins_with(unit, &model[a].units[k]);
			rows += has_row;
		}
	return rows;
}

/* The p-value of random codes: P(distance <= d) of `bits` fair coins. */
static long double binomial(uint32_t d, uint32_t bits)
{
	long double term = 1, sum = 0;
	for (uint32_t k = 0; k <= d; k++) {
		sum += term;
		term = term * (bits - k) / (k + 1);
	}
	return sum * powl(0.5L, bits);
}

/* The bits over which the best units of a type were compared: the most, where scores are equal. */
static uint32_t model_bits(const struct model_asset *query, const struct model_asset *asset,
			   size_t type, double best)
{
	uint32_t most = 0;
	for (size_t q = 0; q < query->count; q++)
		for (size_t i = 0; i < asset->count; i++) {
			const struct model_unit *a = &query->units[q], *b = &asset->units[i];
			uint32_t bytes = a->bytes < b->bytes ? a->bytes : b->bytes;
			if (a->type != type || b->type != type)
				continue;
			if (is_prefix_engine()
				    ? begins_with(a, b) || begins_with(b, a)
				    : !has_longer_form(asset, i) && model_unit_score(a, b) == best)
				most = bytes > most ? bytes : most;
		}
	return most * 8;
}

/* ln of rows * C(queried, count) * the truncated product of Fisher, with the rows and p-values of the
 * types that count (docs/scores.md). */
static double model_log_expect(const struct model_asset *query, const struct model_asset *asset,
			       const double best[TYPES])
{
	uint64_t rows = UINT64_MAX;
	long double w = 1, reach = 1, term = 1, sum = 0;
	size_t count = 0, queried = 0;
	for (size_t t = 0; t < TYPES; t++) {
		size_t units = 0;
		for (size_t q = 0; conditions.counts[t] && q < query->count; q++)
			units += query->units[q].type == t;
		queried += units > 0;
		if (!units || best[t] < 0 || best[t] < conditions.least[t])
			continue;
		uint32_t bits = model_bits(query, asset, t, best[t]);
		bool is_equal = is_prefix_engine() || model_types[t] == ISX_INSTANCE;
		uint32_t d = is_equal ? 0 : (uint32_t)lround((1 - best[t]) * bits), most = d;
		while (!is_equal && most < bits &&
		       1.0 - (most + 1) / (double)bits >= conditions.least[t])
			most++;
		uint64_t all = model_rows(t);
		w *= fminl(1, binomial(d, bits) * units);
		reach *= fminl(1, binomial(most, bits) * units);
		rows = all < rows ? all : rows;
		count++;
	}
	for (size_t j = 0; j < count; j++) {
		sum += term;
		term = term * logl(reach / w) / (j + 1);
	}
	long double choices = count == queried            ? 1
			      : queried == 3 && count > 0 ? 3
							  : 2; /* C(3, 1), C(3, 2), C(2, 1) */
	return (double)(logl((long double)rows) + logl(choices) + logl(w) + logl(sum));
}

/* The tier of units of META, DATA and INSTANCE (docs/scores.md). */
static const char *model_tier(const double best[TYPES], double *tier_score)
{
	static const double weights[TYPES] = { 0.5, 0.3, 0.5 }, alone[TYPES] = { 0.9, 0.95, 1 };
	double meta = best[0], data = best[1], sum = 0, weight = 0;
	int soft = 0, faint = 0;
	size_t top = 0;
	for (size_t t = 0; t < TYPES; t++) {
		soft += best[t] >= 0.7;
		faint += best[t] >= 0.6;
		sum += best[t] < 0 ? 0 : weights[t] * best[t];
		weight += best[t] < 0 ? 0 : weights[t];
		top = best[t] > best[top] ? t : top;
	}
	*tier_score = sum / weight;
	if (best[2] >= 0.85)
		return data >= 0 && data < 0.7 ? "incoherent" : "exact";
	if (data >= 0.85)
		return "near_duplicate";
	if (soft && faint > 1)
		return "corroborated";
	if (meta >= 0.85)
		return "title_only";
	*tier_score *= alone[top];
	return "weak";
}

static bool is_near(double a, double b)
{
	return fabs(a - b) <= 1e-9 * fmax(1, fabs(b));
}

/* A match is as the model says. Where an index has measured distances, chance explains more than
 * random codes would: lmdb:// and small types are not measured. */
static void expect_rank_of(const struct isx_match *match, const struct model_match *wanted,
			   uint32_t rank)
{
	assert_true(wanted->matches);
	assert_true(is_near(match->score, wanted->score));
	expect_types(match, wanted->best);
	if (rank == ISX_RANK_SIGNIFICANCE)
		assert_true(match->has_expect);
	if (match->has_expect && wanted->log_expect > -700)
		assert_true(log(match->expect) >=
			    wanted->log_expect - 1e-9 * (1 + fabs(wanted->log_expect)));
	if (match->has_expect && is_prefix_engine() && wanted->log_expect > -700)
		assert_true(is_near(log(match->expect), wanted->log_expect));
	assert_int_equal(match->tier != NULL, rank == ISX_RANK_TIERED);
	if (match->tier) {
		assert_string_equal(match->tier, wanted->tier);
		assert_true(is_near(match->tier_score, wanted->tier_score));
	}
}

/* Does a match rank before the one behind it? */
static bool is_in_order(const struct isx_match *a, const struct isx_match *b, uint32_t rank)
{
	static const char *const tiers[] = { "exact",      "near_duplicate", "corroborated",
					     "title_only", "weak",           "incoherent" };
	size_t first = 0, second = 0;
	double x = rank == ISX_RANK_SIGNIFICANCE ? -a->expect
		   : rank == ISX_RANK_TIERED     ? a->tier_score
						 : a->score;
	double y = rank == ISX_RANK_SIGNIFICANCE ? -b->expect
		   : rank == ISX_RANK_TIERED     ? b->tier_score
						 : b->score;
	while (rank == ISX_RANK_TIERED && strcmp(tiers[first], a->tier) != 0)
		first++;
	while (rank == ISX_RANK_TIERED && strcmp(tiers[second], b->tier) != 0)
		second++;
	if (first != second)
		return first < second;
	return fabs(x - y) <= 1e-12 * fabs(x) || x > y;
}

static void expect_same_match(const struct isx_match *a, const struct isx_match *b)
{
	assert_string_equal(a->iscc_id, b->iscc_id);
	assert_true(a->score == b->score && a->has_expect == b->has_expect);
	assert_true(!a->has_expect || a->expect == b->expect);
	assert_true(!a->tier || a->tier_score == b->tier_score);
}

/* A smaller limit loses nothing, and pages neither repeat nor lose a match. */
static void expect_parts_of(const struct isx_result *whole, struct isx_query asked, uint64_t *seed)
{
	struct isx_result *part = NULL;
	size_t done = 0;
	char after[128] = "";
	asked.limit = 1 + test_random(seed) % (whole->match_count + 2);
	asked.counts = true;
	asked.after = after;
	for (bool more = true; more;) {
		expect_ok(isx_search(fx.store, "main", &asked, &part, &fx.err));
		assert_int_equal(part->match_total, whole->match_count);
		for (size_t i = 0; i < part->match_count; i++)
			expect_same_match(&part->matches[i], &whole->matches[done++]);
		more = part->next != NULL;
		snprintf(after, sizeof after, "%s", more ? part->next : "");
		struct isx_query other = asked;
		other.rank = asked.rank % ISX_RANK_TIERED + 1;
		isx_result_free(part);
		if (!more)
			continue;
		assert_int_equal(isx_search(fx.store, "main", &other, &part, &fx.err), ISX_INVALID);
		assert_non_null(strstr(fx.err.msg, "ranked by"));
	}
	assert_int_equal(done, whole->match_count);
}

/* One query by all ranks. */
static void expect_ranks_like_model(const struct model_asset *query, uint64_t *seed)
{
	static const double bounds[] = { 0, 1e-12, 1e-3, 1, 1e9 };
	static struct model_match wanted[MODEL_ASSETS];
	char texts[MODEL_UNITS][ISX_UNIT_TEXT_BYTES], id[24];
	const char *units[MODEL_UNITS], *counting[TYPES];
	struct isx_query asked = { .units = units, .limit = MODEL_ASSETS };
	struct isx_type_min_score min_scores[TYPES];
	struct isx_result *all, *result;
	size_t matching = 0;
	asked.unit_count = query->count;
	model_texts(query, texts, units);
	random_conditions(&asked, min_scores, counting, seed);
	for (size_t i = 0; i < MODEL_ASSETS; i++) {
		struct model_match *one = &wanted[i];
		one->score = model[i].present ? model_scores(query, &model[i], one->best) : -1;
		one->matches = one->score >= 0;
		matching += one->matches;
		if (!one->matches)
			continue;
		one->tier = model_tier(one->best, &one->tier_score);
		one->log_expect = model_log_expect(query, &model[i], one->best);
	}
	for (asked.rank = ISX_RANK_SCORE; asked.rank <= ISX_RANK_TIERED; asked.rank++) {
		size_t kept = 0;
		asked.max_expect = 1e300; /* above any: every match shows its expect */
		expect_ok(isx_search(fx.store, "main", &asked, &all, &fx.err));
		assert_int_equal(all->match_count, matching);
		asked.max_expect = bounds[test_random(seed) % 5];
		expect_ok(isx_search(fx.store, "main", &asked, &result, &fx.err));
		for (size_t m = 0; m < all->match_count; m++) {
			const struct isx_match *match = &all->matches[m];
			size_t at = 0;
			for (; at < MODEL_ASSETS; at++) {
				id_text(model[at].id, 0, id);
				if (strcmp(id, match->iscc_id) == 0)
					break;
			}
			assert_true(at < MODEL_ASSETS && match->has_expect);
			expect_rank_of(match, &wanted[at], asked.rank);
			assert_true(m == 0 || is_in_order(match - 1, match, asked.rank));
			if (asked.max_expect > 0 && match->expect > asked.max_expect)
				continue;
			assert_true(kept < result->match_count);
			assert_string_equal(result->matches[kept].iscc_id, match->iscc_id);
			expect_rank_of(&result->matches[kept++], &wanted[at], asked.rank);
		}
		assert_int_equal(kept, result->match_count);
		expect_parts_of(result, asked, seed);
		isx_result_free(all);
		isx_result_free(result);
	}
}

/* By score, by significance and by tier, with and without a bound of the expect: what is found, in
 * which order, and in which pages. */
static void test_store__ranks_like_a_brute_force_model(void **state)
{
	enum { QUERIES = 24 };
	uint64_t seed = test_seed();
	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	memset(model, 0, sizeof model);
	for (size_t i = 0; i < MODEL_ASSETS; i++)
		model[i].id = (i + 1) * 0x0123456789ABCDull;
	for (size_t step = 0; step < QUERIES; step++) {
		struct model_asset query = { 0 };
		for (size_t k = 0; k < 40; k++)
			change_model(test_random(&seed) % MODEL_ASSETS, &seed);
		while (!query.count)
			random_units(&query, &seed);
		expect_ranks_like_model(&query, &seed);
	}
	expect_no_finding();
}

/* --- what matches carry ------------------------------------------------------------------------ */

/* Search for A, and return the match of B, borrowed from *result. */
static const struct isx_match *match_with(uint32_t with, struct isx_result **result)
{
	const struct isx_query query = { .iscc_id = ID_A, .with = with };
	expect_ok(isx_search(fx.store, "main", &query, result, &fx.err));
	assert_int_equal((*result)->match_count, 1);
	assert_string_equal((*result)->matches[0].iscc_id, ID_B);
	return &(*result)->matches[0];
}

static void test_store__a_match_carries_what_the_query_asks_for(void **state)
{
	(void)state;
	struct isx_asset a = asset_of(ID_A, units_a, "{\"n\":1.10}");
	struct isx_asset b = asset_of(ID_B, units_b, "{\"n\":2.20}");
	struct isx_result *result;
	a.iscc_code = b.iscc_code = CODE_A;
	add_one(&a);
	add_one(&b);
	for (uint32_t with = 0; with < 16; with++) {
		const struct isx_match *match = match_with(with, &result);
		bool has_metadata = with == 0 || (with & ISX_WITH_METADATA);
		if (has_metadata)
			assert_string_equal(match->metadata, "{\"n\":2.20}");
		else
			assert_null(match->metadata);
		if (with & ISX_WITH_CODE)
			assert_string_equal(match->iscc_code, CODE_A);
		else
			assert_null(match->iscc_code);
		assert_int_equal(match->unit_count, with & ISX_WITH_UNITS ? UNITS : 0);
		for (size_t i = 0; i < match->unit_count; i++)
			assert_string_equal(match->units[i], units_b[i]);
		assert_int_equal(result->query.with, with);
		isx_result_free(result);
	}
}

static void test_store__refuses_conditions_that_are_out_of_range(void **state)
{
	(void)state;
	static const double wrong[] = { -0.1, 1.1, NAN };
	struct isx_result *result;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		const struct isx_type_min_score score = { "DATA_NONE_V0", wrong[i] };
		const struct isx_query one = { .iscc_code = CODE_A,
					       .has_min_score = true,
					       .min_score = wrong[i] };
		const struct isx_query typed = { .iscc_code = CODE_A,
						 .min_scores = &score,
						 .min_score_count = 1 };
		expect_failure(isx_search(fx.store, "main", &one, &result, &fx.err), ISX_INVALID,
			       "min_score: expected 0 to 1");
		expect_failure(isx_search(fx.store, "main", &typed, &result, &fx.err), ISX_INVALID,
			       "min_scores.DATA_NONE_V0: expected 0 to 1");
	}
}

/* --- several queries in one call ------------------------------------------------------------------ */

enum { MANY = 100 };

/* Expect the same answer as to the query alone, byte for byte as JSON. */
static void expect_like_single(const struct isx_query *query, const struct isx_result *found,
			       const struct isx_err *err)
{
	struct isx_result *result = NULL;
	struct isx_buf one = { 0 }, other = { 0 };
	enum isx_status st = isx_search(fx.store, "main", query, &result, &fx.err);
	assert_int_equal(st, err->status);
	if (st) {
		assert_null(found);
		assert_string_equal(err->msg, fx.err.msg);
		return;
	}
	isx_result_to_json(&one, result);
	isx_result_to_json(&other, found);
	assert_int_equal(one.len, other.len);
	assert_memory_equal(one.ptr, other.ptr, one.len);
	isx_buf_release(&one);
	isx_buf_release(&other);
	isx_result_free(result);
}

/* Good and bad queries of every kind in one call. */
static void test_store__many_queries_are_answered_like_single_ones(void **state)
{
	static const char *const bad_units[] = { "ISCC:EAAXT7R7UHWWOL!5" };
	static struct model_asset asked[MANY];
	static char texts[MANY][MODEL_UNITS][ISX_UNIT_TEXT_BYTES], ids[MANY][24];
	const char *units[MANY][MODEL_UNITS];
	struct isx_query queries[MANY] = { 0 };
	struct isx_result *results[MANY];
	struct isx_err errs[MANY];
	uint64_t seed = test_seed();
	size_t failed = 0;
	(void)state;
	memset(model, 0, sizeof model);
	for (size_t i = 0; i < MODEL_ASSETS; i++) {
		model[i].id = (i + 1) * 0x0123456789ABCDull;
		change_model(i, &seed);
	}
	for (size_t i = 0; i < MANY; i++) {
		random_units(&asked[i], &seed);
		model_texts(&asked[i], texts[i], units[i]);
		queries[i].units = units[i];
		queries[i].unit_count = asked[i].count; /* 0 is a bad query */
		queries[i].limit = test_random(&seed) % 5 ? 1 + test_random(&seed) % 60 : 0;
		queries[i].with = (uint32_t)(test_random(&seed) % 16);
		queries[i].has_min_score = test_random(&seed) % 2;
		queries[i].min_score = (double)(test_random(&seed) % 6) / 5;
		id_text(model[test_random(&seed) % MODEL_ASSETS].id + (i % 20 == 3), 0, ids[i]);
		if (i % 10 == 3)
			queries[i].iscc_id = ids[i]; /* every second of them is unknown */
		if (i % 10 == 7)
			queries[i].units = bad_units, queries[i].unit_count = 1;
		if (i % 10 == 8)
			queries[i].min_score = 2;
	}
	/* Twice: after the single searches the follower of a database is up to date. */
	for (int round = 0; round < 2; round++) {
		expect_ok(isx_search_many(fx.store, "main", queries, MANY, results, errs, &fx.err));
		for (size_t i = 0; i < MANY; i++) {
			failed += results[i] == NULL;
			expect_like_single(&queries[i], results[i], &errs[i]);
			isx_result_free(results[i]);
		}
	}
	assert_in_range(failed, 30, 120);
}

static void test_store__many_queries_without_an_index_or_without_queries(void **state)
{
	(void)state;
	const struct isx_query queries[] = { { .iscc_code = CODE_A }, { .iscc_code = "ISCC:A" } };
	struct isx_result *results[2] = { NULL };
	struct isx_err errs[2];
	enum isx_status st = isx_search_many(fx.store, "other", queries, 2, results, errs, &fx.err);
	expect_failure(st, ISX_NOT_FOUND, "Index 'other' not found");
	assert_true(!results[0] && !results[1]);
	st = isx_search_many(fx.store, "other", queries + 1, 1, results, errs, &fx.err);
	expect_failure(st, ISX_NOT_FOUND, "Index 'other' not found");
	st = isx_search_many(fx.store, "other", NULL, 0, results, errs, &fx.err);
	expect_failure(st, ISX_NOT_FOUND, "Index 'other' not found");
	expect_ok(isx_search_many(fx.store, "main", NULL, 0, results, errs, &fx.err));
	expect_ok(isx_search_many(fx.store, "main", queries, 2, results, NULL, &fx.err));
	assert_non_null(results[0]);
	assert_null(results[1]);
	isx_result_free(results[0]);
	expect_ok(isx_search_many(fx.store, "main", queries + 1, 1, results, errs, &fx.err));
	assert_null(results[0]);
	assert_int_equal(errs[0].status, ISX_INVALID);
}

/* --- reading back ----------------------------------------------------------------------------- */

enum { WALKED = 300 };

/* ISCC-IDs all over their range, the least and the greatest among them. */
static uint64_t walked_body(size_t i, uint64_t *seed)
{
	uint64_t body = test_random(seed) >> (i % 60);
	return i == 7 ? 0 : i == 8 ? UINT64_MAX : body;
}

static int by_body(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

/* Add assets in no order; their bodies come back sorted and without repetition. */
static size_t add_walked(uint64_t bodies[WALKED])
{
	uint64_t seed = test_seed();
	size_t count = 1;
	for (size_t i = 0; i < WALKED; i++) {
		char id[24], metadata[40];
		bodies[i] = walked_body(i, &seed);
		id_text(bodies[i], 0, id);
		snprintf(metadata, sizeof metadata, "{\"body\":\"%llx\"}",
			 (unsigned long long)bodies[i]);
		struct isx_asset asset = asset_of(id, units_a, metadata);
		add_one(&asset);
	}
	qsort(bodies, WALKED, sizeof *bodies, by_body);
	for (size_t i = 1; i < WALKED; i++)
		if (bodies[i] != bodies[count - 1])
			bodies[count++] = bodies[i];
	return count;
}

/* Walk the index and expect exactly these assets. */
static void expect_walk(const char *from, const uint64_t *bodies, size_t count)
{
	struct isx_cursor *cursor;
	const struct isx_asset *asset = NULL;
	expect_ok(isx_cursor_open(fx.store, "main", from, &cursor, &fx.err));
	for (size_t i = 0; i < count; i++) {
		char id[24], metadata[40];
		id_text(bodies[i], 0, id);
		snprintf(metadata, sizeof metadata, "{\"body\":\"%llx\"}",
			 (unsigned long long)bodies[i]);
		expect_ok(isx_cursor_next(cursor, &asset, &fx.err));
		assert_non_null(asset);
		assert_string_equal(asset->iscc_id, id);
		assert_string_equal(asset->metadata, metadata);
		assert_null(asset->iscc_code);
		assert_int_equal(asset->unit_count, UNITS);
		for (size_t u = 0; u < UNITS; u++)
			assert_string_equal(asset->units[u], units_a[u]);
		assert_int_equal(asset->simprint_count, 0);
	}
	for (int i = 0; i < 2; i++) { /* the walk stays at its end */
		expect_ok(isx_cursor_next(cursor, &asset, &fx.err));
		assert_null(asset);
	}
	isx_cursor_close(cursor);
}

static void test_store__a_cursor_gives_all_assets_in_the_order_of_their_ids(void **state)
{
	uint64_t bodies[WALKED];
	(void)state;
	expect_walk(NULL, NULL, 0);
	size_t count = add_walked(bodies);
	expect_walk(NULL, bodies, count);
	for (size_t i = 0; i < count; i += 13) {
		char from[24];
		id_text(bodies[i], 0, from);
		expect_walk(from, bodies + i, count - i);
		id_text(bodies[i] + 1, 0, from); /* the greatest wraps around */
		if (bodies[i] != UINT64_MAX)
			expect_walk(from, bodies + i + 1, count - i - 1);
	}
	isx_cursor_close(NULL);
}

/* Walk a range and expect those of `bodies` that `range` describes. */
static void expect_range(const struct isx_range *range, uint64_t after, const uint64_t *bodies,
			 size_t count)
{
	struct isx_cursor *cursor;
	const struct isx_asset *asset = NULL;
	expect_ok(isx_cursor_open_range(fx.store, "main", range, &cursor, &fx.err));
	for (size_t i = 0; i < count; i++) {
		char id[24];
		if ((range->after && bodies[i] <= after) || bodies[i] >> 12 < range->from_us ||
		    (range->to_us && bodies[i] >> 12 >= range->to_us) ||
		    (range->has_hub && (bodies[i] & 0xFFF) != range->hub))
			continue;
		id_text(bodies[i], 0, id);
		expect_ok(isx_cursor_next(cursor, &asset, &fx.err));
		assert_non_null(asset);
		assert_string_equal(asset->iscc_id, id);
	}
	expect_ok(isx_cursor_next(cursor, &asset, &fx.err));
	assert_null(asset);
	isx_cursor_close(cursor);
}

static void test_store__a_cursor_reads_ranges_of_time_and_hubs(void **state)
{
	uint64_t bodies[WALKED], seed = test_seed();
	(void)state;
	size_t count = add_walked(bodies);
	for (int i = 0; i < 200; i++) {
		uint64_t after = bodies[test_random(&seed) % count] + test_random(&seed) % 3 - 1;
		uint64_t one = bodies[test_random(&seed) % count];
		char id[24];
		id_text(after, 0, id);
		struct isx_range range = {
			.after = i & 1 ? id : NULL,
			.from_us = i & 2 ? bodies[test_random(&seed) % count] >> 12 : 0,
			.to_us = i & 4 ? bodies[test_random(&seed) % count] >> 12 : 0,
			.has_hub = i & 8,
			.no_simprints = i & 16,
			.hub = one & 0xFFF,
		};
		expect_range(&range, after, bodies, count);
	}
	expect_range(&(struct isx_range){ .from_us = UINT64_MAX }, 0, bodies, count);
	expect_range(&(struct isx_range){ .has_hub = true, .hub = 4095 }, 0, bodies, count);
	struct isx_cursor *cursor;
	expect_failure(isx_cursor_open_range(fx.store, "main",
					     &(struct isx_range){ .has_hub = true, .hub = 4096 },
					     &cursor, &fx.err),
		       ISX_INVALID, "hub: expected 0 to 4095");
	expect_failure(isx_cursor_open_range(fx.store, "none", &(struct isx_range){ .after = "x" },
					     &cursor, &fx.err),
		       ISX_NOT_FOUND, "'none'");
}

static void test_store__lists_of_ids_are_got_and_removed(void **state)
{
	uint64_t bodies[WALKED];
	char texts[WALKED + 2][24];
	const char *ids[WALKED + 2];
	bool removed[WALKED + 2];
	char **jsons = NULL;
	(void)state;
	size_t count = add_walked(bodies), half = count / 2;
	for (size_t i = 0; i < count; i++)
		id_text(bodies[i], 0, texts[i]);
	id_text(bodies[half] + 1, 0, texts[count]);    /* unknown */
	memcpy(texts[count + 1], texts[half - 1], 24); /* twice */
	for (size_t i = 0; i < count + 2; i++)
		ids[i] = texts[i];
	expect_ok(
		isx_get_many(fx.store, "main", ids + half - 1, count - half + 3, &jsons, &fx.err));
	for (size_t i = 0; i < count - half + 1; i++)
		assert_non_null(strstr(jsons[i], ids[half - 1 + i]));
	assert_null(jsons[count - half + 1]);
	assert_string_equal(jsons[count - half + 2], jsons[0]);
	isx_texts_free(jsons, count - half + 3);
	expect_ok(isx_remove_many(fx.store, "main", ids + half - 1, count - half + 3, removed,
				  &fx.err));
	for (size_t i = 0; i < count - half + 3; i++)
		assert_int_equal(removed[i], i < count - half + 1);
	expect_walk(NULL, bodies, half - 1);
	removed[0] = true;
	expect_ok(isx_remove_many(fx.store, "main", ids + half, 1, removed, &fx.err));
	assert_false(removed[0]);
	ids[1] = ID_REALM_1;
	expect_failure(isx_remove_many(fx.store, "main", ids, 2, removed, &fx.err), ISX_INVALID,
		       "asset 1");
	assert_int_equal(fx.err.position, 1);
	expect_walk(NULL, bodies, half - 1); /* all or nothing */
	expect_failure(isx_remove_many(fx.store, "none", ids, 1, removed, &fx.err), ISX_NOT_FOUND,
		       "'none'");
	expect_failure(isx_get_many(fx.store, "none", ids, 1, &jsons, &fx.err), ISX_NOT_FOUND,
		       "'none'");
}

static void test_store__metadata_change_alone(void **state)
{
	struct isx_asset a = asset_of(ID_A, units_a, "{\"name\":\"old\"}");
	const struct isx_query query = { .units = units_a, .unit_count = UNITS };
	char *json;
	(void)state;
	a.iscc_code = CODE_A;
	add_one(&a);
	expect_ok(isx_metadata_set(fx.store, "main", ID_A, "{\"n\":1.0,\"l\":[1e5]}", &fx.err));
	expect_ok(isx_get(fx.store, "main", ID_A, &json, &fx.err));
	assert_non_null(strstr(json, "\"iscc_code\":\"" CODE_A "\",\"units\":[\""));
	assert_non_null(strstr(json, ",\"metadata\":{\"n\":1.0,\"l\":[1e5]}}"));
	isx_text_free(json);
	struct isx_result *result;
	expect_ok(isx_search(fx.store, "main", &query, &result, &fx.err));
	assert_int_equal(result->match_count, 1);
	assert_string_equal(result->matches[0].metadata, "{\"n\":1.0,\"l\":[1e5]}");
	isx_result_free(result);
	expect_ok(isx_metadata_set(fx.store, "main", ID_A, NULL, &fx.err));
	expect_ok(isx_get(fx.store, "main", ID_A, &json, &fx.err));
	assert_null(strstr(json, "metadata"));
	isx_text_free(json);
	expect_failure(isx_metadata_set(fx.store, "main", ID_A, "[1]", &fx.err), ISX_INVALID,
		       "metadata");
	expect_failure(isx_metadata_set(fx.store, "main", ID_B, "{}", &fx.err), ISX_NOT_FOUND,
		       ID_B);
	expect_failure(isx_metadata_set(fx.store, "main", ID_REALM_1, "{}", &fx.err), ISX_INVALID,
		       "realm");
	expect_failure(isx_metadata_set(fx.store, "none", ID_A, "{}", &fx.err), ISX_NOT_FOUND,
		       "'none'");
	expect_no_finding();
}

/* Compare one page with its part of the whole result. */
static void expect_page(const struct isx_result *page, const struct isx_result *all, size_t first)
{
	for (size_t i = 0; i < page->match_count; i++) {
		const struct isx_match *a = &page->matches[i], *b = &all->matches[first + i];
		assert_string_equal(a->iscc_id, b->iscc_id);
		assert_memory_equal(&a->score, &b->score, sizeof a->score);
	}
	for (size_t i = 0; i < page->chunk_match_count; i++) {
		const struct isx_chunk_match *a = &page->chunk_matches[i];
		assert_string_equal(a->iscc_id, all->chunk_matches[first + i].iscc_id);
	}
	assert_int_equal(page->match_total, all->match_count);
	assert_int_equal(page->chunk_match_total, all->chunk_match_count);
}

/* Read a search page by page, and expect that the pages are the whole result, each match once. */
static void expect_pages(const struct isx_query *query, size_t limit)
{
	struct isx_query asked = *query;
	struct isx_result *all, *page;
	char after[200] = "";
	size_t matches = 0, chunks = 0, pages = 0;
	asked.limit = 100000;
	expect_ok(isx_search(fx.store, "main", &asked, &all, &fx.err));
	assert_null(all->next);
	asked.limit = limit;
	asked.counts = true;
	for (bool more = true; more; pages++) {
		asked.after = after;
		expect_ok(isx_search(fx.store, "main", &asked, &page, &fx.err));
		assert_true(page->match_count <= limit && page->chunk_match_count <= limit);
		/* a list that has ended stays at its end */
		expect_page(page, all, pages * limit);
		assert_false(page->is_changed);
		matches += page->match_count;
		chunks += page->chunk_match_count;
		more = page->next != NULL;
		if (more)
			snprintf(after, sizeof after, "%s", page->next);
		isx_result_free(page);
	}
	assert_int_equal(matches, all->match_count);
	assert_int_equal(chunks, all->chunk_match_count);
	isx_result_free(all);
}

enum { PAGED = 200 };

/* Add assets of which many tie: some have equal units and simprints. */
static void add_paged(uint64_t *seed)
{
	for (size_t i = 0; i < PAGED; i++) {
		char id[24];
		const struct isx_simprint simprints[] = {
			{ "CONTENT_TEXT_V0", i % 3 ? "AAAAAAAAAAA" : "AAAAAAAAAAE", 0, 10 },
			{ "CONTENT_TEXT_V0", i % 2 ? "_____wAAAAA" : "_____wAAAAE", 10, 10 },
		};
		id_text((test_random(seed) >> 20) + i, 0, id);
		struct isx_asset asset = asset_of(id, i % 5 ? units_a : units_b, NULL);
		asset.simprints = simprints;
		asset.simprint_count = 2;
		add_one(&asset);
	}
}

static void test_store__pages_of_a_search_are_the_whole_search(void **state)
{
	static const char *const passages[] = { "AAAAAAAAAAA", "_____wAAAAA" };
	const struct isx_query_simprints simprints = { "CONTENT_TEXT_V0", passages, 2 };
	struct isx_query query = { .units = units_a, .unit_count = UNITS };
	uint64_t seed = test_seed();
	struct isx_result *page;
	(void)state;
	expect_pages(&query, 3);
	add_paged(&seed);
	for (size_t limit = 1; limit < 300; limit = limit * 3 + 1)
		expect_pages(&query, limit);
	query.unit_count = 1; /* one type: distances are narrowed */
	expect_pages(&query, 7);
	query.has_min_score = true;
	query.min_score = 0.2;
	expect_pages(&query, 50);
	query.simprints = &simprints;
	query.simprint_type_count = 1;
	expect_pages(&query, 9);
	query.unit_count = 0;
	expect_pages(&query, 30);
	query.after = "AAAA";
	expect_failure(isx_search(fx.store, "main", &query, &page, &fx.err), ISX_INVALID, "after");
}

static void test_store__a_page_tells_that_something_was_written(void **state)
{
	struct isx_query query = { .units = units_a, .unit_count = UNITS, .limit = 2, .after = "" };
	uint64_t seed = test_seed();
	struct isx_result *first, *second;
	struct isx_asset changed = asset_of(ID_A, units_b, NULL);
	(void)state;
	add_paged(&seed);
	expect_ok(isx_search(fx.store, "main", &query, &first, &fx.err));
	query.after = first->next;
	assert_non_null(query.after);
	expect_ok(isx_search(fx.store, "main", &query, &second, &fx.err));
	assert_false(second->is_changed);
	isx_result_free(second);
	add_one(&changed);
	expect_ok(isx_search(fx.store, "main", &query, &second, &fx.err));
	assert_true(second->is_changed);
	isx_result_free(second);
	isx_result_free(first);
}

static void test_store__a_cursor_sees_one_moment(void **state)
{
	uint64_t bodies[WALKED];
	struct isx_cursor *cursor;
	const struct isx_asset *asset;
	char *json, id[24];
	size_t count = add_walked(bodies), seen = 0;
	(void)state;
	expect_ok(isx_cursor_open(fx.store, "main", NULL, &cursor, &fx.err));
	id_text(bodies[count - 2], 0, id);
	expect_ok(isx_remove(fx.store, "main", id, &fx.err));
	struct isx_asset changed = asset_of(ID_A, units_b, NULL);
	add_one(&changed);
	while (!isx_cursor_next(cursor, &asset, &fx.err) && asset) {
		id_text(bodies[seen++], 0, id);
		assert_string_equal(asset->iscc_id, id);
	}
	assert_int_equal(seen, count);
	isx_cursor_close(cursor);
	expect_ok(isx_get(fx.store, "main", ID_A, &json, &fx.err));
	isx_text_free(json);
}

static void test_store__a_cursor_names_what_is_wrong(void **state)
{
	struct isx_cursor *cursor = (struct isx_cursor *)&fx;
	struct isx_asset a = asset_of(ID_A, units_a, NULL);
	(void)state;
	add_one(&a);
	expect_failure(isx_cursor_open(fx.store, "none", NULL, &cursor, &fx.err), ISX_NOT_FOUND,
		       "'none'");
	expect_failure(isx_cursor_open(fx.store, "main", ID_REALM_1, &cursor, &fx.err), ISX_INVALID,
		       "realm");
	expect_failure(isx_cursor_open(fx.store, "main", "ISCC:X", &cursor, &fx.err), ISX_INVALID,
		       "");
	assert_ptr_equal(cursor, &fx);
	expect_ok(isx_index_delete(fx.store, "main", &fx.err)); /* no walk keeps it */
}

/* Two types, two lengths, and at one place two simprints. */
static const struct isx_simprint walked_simprints[] = {
	{ "A_V0", "AAAAAAAAAAA", 0, 10 },          { "A_V0", "AQEBAQEBAQE", 10, 10 },
	{ "A_V0", "AgICAgICAgI", 10, 10 },         { "A_V0", "AwMDAwMDAwMDAwMDAwMDAw", 10, 20 },
	{ "A_V0", "BAQEBAQEBAQ", 4000000000u, 1 }, { "B_V0", "BQUFBQUFBQU", 5, 5 },
};
enum { WALKED_SIMPRINTS = sizeof walked_simprints / sizeof *walked_simprints };

static void expect_simprints(const struct isx_asset *asset)
{
	assert_int_equal(asset->simprint_count, is_prefix_engine() ? 0 : WALKED_SIMPRINTS);
	for (size_t i = 0; i < asset->simprint_count; i++) {
		assert_string_equal(asset->simprints[i].type, walked_simprints[i].type);
		assert_string_equal(asset->simprints[i].simprint, walked_simprints[i].simprint);
		assert_int_equal(asset->simprints[i].offset, walked_simprints[i].offset);
		assert_int_equal(asset->simprints[i].size, walked_simprints[i].size);
	}
}

static void test_store__an_asset_comes_back_with_everything_that_is_stored(void **state)
{
	struct isx_asset a = asset_of(ID_A, units_a, "{\"n\":1.50}"),
			 b = asset_of(ID_B, NULL, NULL);
	struct isx_asset *asset = (struct isx_asset *)&fx;
	const struct isx_asset *walked;
	struct isx_cursor *cursor;
	(void)state;
	a.iscc_code = CODE_A;
	a.simprints = walked_simprints;
	a.simprint_count = WALKED_SIMPRINTS;
	add_one(&b);
	expect_failure(isx_asset_get(fx.store, "main", ID_A, &asset, &fx.err), ISX_NOT_FOUND, ID_A);
	add_one(&a);
	for (int again = 0; again < 2; again++) {
		expect_ok(isx_asset_get(fx.store, "main", ID_A, &asset, &fx.err));
		assert_string_equal(asset->iscc_id, ID_A);
		assert_string_equal(asset->iscc_code, CODE_A);
		assert_string_equal(asset->metadata, "{\"n\":1.50}");
		assert_int_equal(asset->unit_count, UNITS);
		expect_simprints(asset);
		assert_int_equal(add_one(asset), ISX_UPDATED); /* added again as it was read */
		isx_asset_free(asset);
	}
	expect_ok(isx_cursor_open(fx.store, "main", ID_A, &cursor, &fx.err));
	expect_ok(isx_cursor_next(cursor, &walked, &fx.err));
	expect_simprints(walked);
	isx_cursor_close(cursor);
	expect_ok(isx_asset_get(fx.store, "main", ID_B, &asset, &fx.err));
	assert_null(asset->metadata);
	assert_int_equal(asset->unit_count + asset->simprint_count, 0);
	isx_asset_free(asset);
	isx_asset_free(NULL);
	expect_failure(isx_asset_get(fx.store, "none", ID_A, &asset, &fx.err), ISX_NOT_FOUND,
		       "'none'");
	expect_failure(isx_asset_get(fx.store, "main", ID_REALM_1, &asset, &fx.err), ISX_INVALID,
		       "realm");
}

#define ON_SIMILARITY_ENGINES(test)                                                                \
	cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "memory://"),            \
		cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "usearch://")

#define ON_LMDB(test) cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "lmdb://")

#define ON_EACH_ENGINE(test) ON_SIMILARITY_ENGINES(test), ON_LMDB(test)

#define ON_POSTGRES(test)                                                                          \
	cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "postgresql://")

/* The engines that need nothing but a disk. */
static int run_everywhere(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH_ENGINE(test_store__gives_back_what_was_added),
		ON_SIMILARITY_ENGINES(test_store__ranks_by_score_then_id),
		ON_EACH_ENGINE(test_store__more_like_this_leaves_out_the_asset_itself),
		ON_EACH_ENGINE(test_store__finds_an_asset_by_its_code_alone),
		ON_EACH_ENGINE(test_store__an_update_leaves_no_trace_of_old_units),
		ON_EACH_ENGINE(test_store__removes_an_asset_with_all_its_rows),
		ON_EACH_ENGINE(test_store__a_batch_goes_in_whole_or_not_at_all),
		ON_EACH_ENGINE(test_store__refuses_what_has_not_the_shape_of_an_asset),
		ON_EACH_ENGINE(test_store__takes_what_just_has_the_shape_of_an_asset),
		ON_EACH_ENGINE(test_store__the_last_of_equal_ids_in_a_batch_counts),
		ON_EACH_ENGINE(test_store__instance_matches_prefixes_in_both_directions),
		ON_EACH_ENGINE(test_store__indexes_are_made_listed_and_deleted),
		ON_EACH_ENGINE(test_store__names_what_is_wrong_with_a_query),
		ON_EACH_ENGINE(test_store__a_code_of_a_wrong_length_is_refused),
		ON_SIMILARITY_ENGINES(
			test_store__the_longest_form_of_a_unit_is_compared_in_any_order),
		ON_LMDB(test_store__prefixes_score_by_the_longest_form_in_any_order),
		ON_EACH_ENGINE(test_store__different_units_of_one_type_are_all_found),
		ON_EACH_ENGINE(test_store__units_of_one_type_in_a_code_are_all_found),
		ON_SIMILARITY_ENGINES(
			test_store__an_asset_asks_with_the_longest_forms_of_its_units),
		ON_EACH_ENGINE(test_store__equals_a_brute_force_model),
		ON_EACH_ENGINE(test_store__ranks_like_a_brute_force_model),
		ON_EACH_ENGINE(test_store__a_match_carries_what_the_query_asks_for),
		ON_EACH_ENGINE(test_store__refuses_conditions_that_are_out_of_range),
		ON_EACH_ENGINE(test_store__many_queries_are_answered_like_single_ones),
		ON_EACH_ENGINE(test_store__many_queries_without_an_index_or_without_queries),
		ON_EACH_ENGINE(test_store__a_cursor_gives_all_assets_in_the_order_of_their_ids),
		ON_EACH_ENGINE(test_store__a_cursor_reads_ranges_of_time_and_hubs),
		ON_EACH_ENGINE(test_store__lists_of_ids_are_got_and_removed),
		ON_EACH_ENGINE(test_store__metadata_change_alone),
		ON_EACH_ENGINE(test_store__an_asset_without_an_id_gets_one),
		ON_EACH_ENGINE(test_store__new_ids_are_of_the_realm_of_the_index),
		ON_EACH_ENGINE(test_store__what_has_to_be_new_replaces_nothing),
		ON_EACH_ENGINE(test_store__pages_of_a_search_are_the_whole_search),
		ON_EACH_ENGINE(test_store__a_page_tells_that_something_was_written),
		ON_EACH_ENGINE(test_store__a_cursor_sees_one_moment),
		ON_EACH_ENGINE(test_store__a_cursor_names_what_is_wrong),
		ON_EACH_ENGINE(test_store__an_asset_comes_back_with_everything_that_is_stored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

static int run_on_postgres(void)
{
	const struct CMUnitTest tests[] = {
		ON_POSTGRES(test_store__gives_back_what_was_added),
		ON_POSTGRES(test_store__ranks_by_score_then_id),
		ON_POSTGRES(test_store__more_like_this_leaves_out_the_asset_itself),
		ON_POSTGRES(test_store__finds_an_asset_by_its_code_alone),
		ON_POSTGRES(test_store__an_update_leaves_no_trace_of_old_units),
		ON_POSTGRES(test_store__removes_an_asset_with_all_its_rows),
		ON_POSTGRES(test_store__a_batch_goes_in_whole_or_not_at_all),
		ON_POSTGRES(test_store__refuses_what_has_not_the_shape_of_an_asset),
		ON_POSTGRES(test_store__takes_what_just_has_the_shape_of_an_asset),
		ON_POSTGRES(test_store__the_last_of_equal_ids_in_a_batch_counts),
		ON_POSTGRES(test_store__instance_matches_prefixes_in_both_directions),
		ON_POSTGRES(test_store__indexes_are_made_listed_and_deleted),
		ON_POSTGRES(test_store__names_what_is_wrong_with_a_query),
		ON_POSTGRES(test_store__a_code_of_a_wrong_length_is_refused),
		ON_POSTGRES(test_store__the_longest_form_of_a_unit_is_compared_in_any_order),
		ON_POSTGRES(test_store__different_units_of_one_type_are_all_found),
		ON_POSTGRES(test_store__units_of_one_type_in_a_code_are_all_found),
		ON_POSTGRES(test_store__an_asset_asks_with_the_longest_forms_of_its_units),
		ON_POSTGRES(test_store__equals_a_brute_force_model),
		ON_POSTGRES(test_store__ranks_like_a_brute_force_model),
		ON_POSTGRES(test_store__a_match_carries_what_the_query_asks_for),
		ON_POSTGRES(test_store__refuses_conditions_that_are_out_of_range),
		ON_POSTGRES(test_store__many_queries_are_answered_like_single_ones),
		ON_POSTGRES(test_store__many_queries_without_an_index_or_without_queries),
		ON_POSTGRES(test_store__a_cursor_gives_all_assets_in_the_order_of_their_ids),
		ON_POSTGRES(test_store__a_cursor_reads_ranges_of_time_and_hubs),
		ON_POSTGRES(test_store__lists_of_ids_are_got_and_removed),
		ON_POSTGRES(test_store__metadata_change_alone),
		ON_POSTGRES(test_store__an_asset_without_an_id_gets_one),
		ON_POSTGRES(test_store__new_ids_are_of_the_realm_of_the_index),
		ON_POSTGRES(test_store__what_has_to_be_new_replaces_nothing),
		ON_POSTGRES(test_store__pages_of_a_search_are_the_whole_search),
		ON_POSTGRES(test_store__a_page_tells_that_something_was_written),
		ON_POSTGRES(test_store__a_cursor_sees_one_moment),
		ON_POSTGRES(test_store__a_cursor_names_what_is_wrong),
		ON_POSTGRES(test_store__an_asset_comes_back_with_everything_that_is_stored),
	};
	return cmocka_run_group_tests_name("postgresql", tests, NULL, NULL);
}

int main(void)
{
	return getenv("ISX_TEST_POSTGRES") ? run_on_postgres() : run_everywhere();
}
