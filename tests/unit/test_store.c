/*
 * test_store.c - the contract of every engine, through the public interface: one suite, run over
 * each URI of `engines`, and against a brute-force model.
 *
 * postgresql:// is among them where ISX_TEST_POSTGRES is the URI of a database: in it each test has
 * a schema of its own. With ISX_TEST_POSTGRES_SEARCH=sql there are no followers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/iscc_id.h"
#include "support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

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

/* The schema of a test is called as its directory: isx_test_xxxxxx. */
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

/* Expect a failure of this kind whose message has `words`. */
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
				    .unit_count = 1 }; /* both carry it: a tie */
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
	assets[1] = asset_of(NULL, units_b, NULL);
	expect_failure(isx_add(fx.store, "main", assets, 2, NULL, &fx.err), ISX_INVALID, "iscc_id");
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

static void expect_refused(const struct isx_asset *asset, const char *words)
{
	struct isx_asset batch[] = { asset_of(ID_B, units_b, NULL), *asset };
	expect_failure(isx_add(fx.store, "main", asset, 1, NULL, &fx.err), ISX_INVALID, words);
	assert_int_equal(strncmp(fx.err.msg, words, strlen(words)), 0); /* no place of one alone */
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

/* What readers of JSON would refuse is refused from programs, too: it could not be read again. */
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

/* The most that has the shape goes in, and is an asset like any other. */
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

/* --- against a model -------------------------------------------------------------------------- */

struct model_asset {
	uint64_t id;
	bool present;
	uint32_t bytes[TYPES]; /* 0: no unit of that type */
	uint8_t body[TYPES][32];
};

static struct model_asset model[MODEL_ASSETS];
static const uint32_t model_types[TYPES] = { ISX_META, ISX_DATA, ISX_INSTANCE };

static void random_bodies(struct model_asset *asset, uint64_t *seed)
{
	static const uint32_t lengths[] = { 0, 4, 8, 12, 16, 24, 32, 32 };
	for (size_t t = 0; t < TYPES; t++) {
		asset->bytes[t] = lengths[test_random(seed) % 8];
		/* near one of a few centres, so that there is something to find */
		uint64_t centre = test_random(seed) % 5, flips = test_random(seed) % 40;
		for (size_t i = 0; i < 32; i++)
			asset->body[t][i] = (uint8_t)(centre * 53 + i * 31);
		for (uint64_t i = 0; i < flips && t != 2; i++) {
			uint64_t bit = test_random(seed) % 256;
			asset->body[t][bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
	}
}

/* The units of an asset as texts; returns their number. */
static size_t model_units(const struct model_asset *asset, char texts[TYPES][ISX_UNIT_TEXT_BYTES],
			  const char *units[TYPES])
{
	size_t count = 0;
	for (size_t t = 0; t < TYPES; t++) {
		if (!asset->bytes[t])
			continue;
		test_unit_text(model_types[t], asset->body[t], asset->bytes[t], texts[count]);
		units[count] = texts[count];
		count++;
	}
	return count;
}

static double model_unit_score(const struct model_asset *a, const struct model_asset *b, size_t t)
{
	uint32_t bytes = a->bytes[t] < b->bytes[t] ? a->bytes[t] : b->bytes[t];
	uint32_t differing = 0;
	for (uint32_t bit = 0; bit < bytes * 8; bit++)
		differing += (a->body[t][bit / 8] >> (bit % 8) & 1) !=
			     (b->body[t][bit / 8] >> (bit % 8) & 1);
	if (model_types[t] == ISX_INSTANCE)
		return differing ? -1 : 1;
	return 1.0 - differing / (bytes * 8.0);
}

/* sum(s^4) / sum(s) over s >= 0.75, or -1 */
static double model_score(const struct model_asset *query, const struct model_asset *asset)
{
	double weighted = 0, weight = 0;
	for (size_t t = 0; t < TYPES; t++) {
		if (!query->bytes[t] || !asset->bytes[t])
			continue;
		double s = model_unit_score(query, asset, t);
		if (s >= 0.75) {
			weighted += s * s * s * s;
			weight += s;
		}
	}
	return weight > 0 ? weighted / weight : -1;
}

/* Bits of the shorter one, where it is a prefix of the longer, over those of the query: summed, and
 * divided by the number of queried units; or -1 */
static double model_prefix_score(const struct model_asset *query, const struct model_asset *asset)
{
	double sum = 0;
	size_t queried = 0;
	for (size_t t = 0; t < TYPES; t++) {
		uint32_t bytes = query->bytes[t] < asset->bytes[t] ? query->bytes[t]
								   : asset->bytes[t];
		queried += query->bytes[t] != 0;
		if (bytes && memcmp(query->body[t], asset->body[t], bytes) == 0)
			sum += (double)bytes / query->bytes[t];
	}
	return sum > 0 ? sum / (double)queried : -1;
}

static void change_model(size_t i, uint64_t *seed)
{
	struct model_asset *asset = &model[i];
	char id[24], texts[TYPES][ISX_UNIT_TEXT_BYTES];
	const char *units[TYPES];
	id_text(asset->id, 0, id);
	if (asset->present && test_random(seed) % 3 == 0) {
		expect_ok(isx_remove(fx.store, "main", id, &fx.err));
		asset->present = false;
		return;
	}
	random_bodies(asset, seed);
	struct isx_asset given = { .iscc_id = id, .units = units };
	given.unit_count = model_units(asset, texts, units);
	assert_int_equal(add_one(&given), asset->present ? ISX_UPDATED : ISX_CREATED);
	asset->present = true;
}

static void expect_like_model(const struct model_asset *query, size_t limit)
{
	char texts[TYPES][ISX_UNIT_TEXT_BYTES], id[24];
	const char *units[TYPES];
	struct isx_query asked = { .units = units, .limit = limit };
	struct isx_result *result;
	double scores[MODEL_ASSETS];
	bool listed[MODEL_ASSETS] = { false };
	size_t expected = 0;
	asked.unit_count = model_units(query, texts, units);
	if (!asked.unit_count)
		return;
	for (size_t i = 0; i < MODEL_ASSETS; i++) {
		scores[i] = !model[i].present    ? -1
			    : is_prefix_engine() ? model_prefix_score(query, &model[i])
						 : model_score(query, &model[i]);
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
		random_bodies(&query, &seed);
		expect_like_model(&query, 1 + test_random(&seed) % 60);
		if (is_on_disk() && step % 40 == 39)
			reopen();
	}
}

#define ON_SIMILARITY_ENGINES(test)                                                                \
	cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "memory://"),            \
		cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "usearch://")

#define ON_EACH_ENGINE(test)                                                                       \
	ON_SIMILARITY_ENGINES(test),                                                               \
		cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down, "lmdb://")

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
		ON_EACH_ENGINE(test_store__equals_a_brute_force_model),
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
		ON_POSTGRES(test_store__equals_a_brute_force_model),
	};
	return cmocka_run_group_tests_name("postgresql", tests, NULL, NULL);
}

int main(void)
{
	return getenv("ISX_TEST_POSTGRES") ? run_on_postgres() : run_everywhere();
}
