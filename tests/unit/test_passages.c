/*
 * test_passages.c - a search large enough for all cores equals a brute-force model, and many in one
 *                   call equal each of them alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/base32.h"
#include "iscc/iscc_id.h"
#include "similarity/passage_scan.h"
#include "similarity/sim_engine.h"
#include "support.h"
#include "json/wire.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ASSETS = 1500, PER_ASSET = 40, QUERIES = 200, LIMIT = 50, CENTRES = 3000, FLIPS = 20 };

struct model_simprint {
	uint64_t bits;
	char text[16];
};

static struct model_simprint stored[ASSETS][PER_ASSET];
static struct model_simprint asked[QUERIES];
static double scores[ASSETS];

/* One of a few centres with some bits flipped. */
static void random_simprint(struct model_simprint *simprint, uint64_t *seed)
{
	uint64_t centre = test_random(seed) % CENTRES, flips = test_random(seed) % FLIPS;
	uint8_t bytes[8];
	simprint->bits = test_random(&centre);
	for (uint64_t i = 0; i < flips; i++)
		simprint->bits ^= 1ull << (test_random(seed) % 64);
	isx_store_be64(bytes, simprint->bits);
	isx_base64_encode(bytes, sizeof bytes, simprint->text);
}

static void id_text(size_t asset, char *text)
{
	struct isx_iscc_id id = { .body = (asset + 1) * 0x0123456789ABull, .version = 1 };
	isx_iscc_id_print(&id, text);
}

static void fill_store(struct isx_store *store, uint64_t *seed)
{
	static struct isx_simprint simprints[PER_ASSET];
	struct isx_err err;
	for (size_t a = 0; a < ASSETS; a++) {
		char id[ISX_ISCC_ID_TEXT_BYTES];
		id_text(a, id);
		for (size_t i = 0; i < PER_ASSET; i++) {
			random_simprint(&stored[a][i], seed);
			simprints[i] = (struct isx_simprint){ "T_V0", stored[a][i].text,
							      (uint32_t)i * 10, 10 };
		}
		struct isx_asset asset = { .iscc_id = id,
					   .simprints = simprints,
					   .simprint_count = PER_ASSET };
		if (isx_add(store, "main", &asset, 1, NULL, &err))
			fail_msg("%s", err.msg);
	}
}

static size_t model_freq(uint64_t bits)
{
	size_t freq = 0;
	for (size_t a = 0; a < ASSETS; a++) {
		size_t i = 0;
		while (i < PER_ASSET && stored[a][i].bits != bits)
			i++;
		freq += i < PER_ASSET;
	}
	return freq;
}

static double model_idf(uint64_t bits)
{
	return log(1 + ASSETS / (1 + (double)model_freq(bits)));
}

/* The score of one asset, -1 when nothing matches. */
static double model_score(size_t a, const double *own_idf)
{
	double found = 0, all = 0;
	bool any = false;
	for (size_t q = 0; q < QUERIES; q++) {
		double best = -1;
		size_t best_at = 0;
		for (size_t i = 0; i < PER_ASSET; i++) {
			double score = 1.0 -
				       __builtin_popcountll(asked[q].bits ^ stored[a][i].bits) /
					       64.0;
			if (score >= 0.75 && score > best) {
				best = score;
				best_at = i;
			}
		}
		double weight = best < 0 ? own_idf[q] : model_idf(stored[a][best_at].bits);
		all += weight;
		found += best < 0 ? 0 : weight * best;
		any |= best >= 0;
	}
	return any ? ldexp(nearbyint(ldexp(found / all, 40)), -40) : -1; /* as the engine rounds */
}

static void test_passages__a_search_on_all_cores_equals_the_model(void **state)
{
	static double own_idf[QUERIES];
	static const char *values[QUERIES];
	struct isx_store *store;
	struct isx_result *result;
	struct isx_err err;
	uint64_t seed = test_seed();
	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	if (isx_open("memory://", NULL, &store, &err) || isx_index_create(store, "main", &err))
		fail_msg("%s", err.msg);
	fill_store(store, &seed);
	for (size_t q = 0; q < QUERIES; q++) {
		random_simprint(&asked[q], &seed);
		own_idf[q] = model_idf(asked[q].bits);
		values[q] = asked[q].text;
	}
	struct isx_query_simprints type = { "T_V0", values, QUERIES };
	struct isx_query query = { .simprints = &type, .simprint_type_count = 1, .limit = LIMIT };
	if (isx_search(store, "main", &query, &result, &err))
		fail_msg("%s", err.msg);
	for (size_t a = 0; a < ASSETS; a++)
		scores[a] = model_score(a, own_idf);
	assert_int_equal(result->chunk_match_count, LIMIT);
	for (size_t m = 0; m < LIMIT; m++) {
		char id[ISX_ISCC_ID_TEXT_BYTES];
		size_t best = 0;
		for (size_t a = 1; a < ASSETS; a++)
			if (scores[a] > scores[best] + 1e-12)
				best = a;
		id_text(best, id);
		assert_string_equal(result->chunk_matches[m].iscc_id, id);
		assert_true(fabs(result->chunk_matches[m].score - scores[best]) < 1e-9);
		scores[best] = -1;
	}
	isx_result_free(result);
	isx_close(store);
}

/* The JSON of an answer; free with isx_buf_release(). */
static struct isx_buf answer_of(const struct isx_result *result)
{
	struct isx_buf buf = { 0 };
	isx_result_to_json(&buf, result);
	return buf;
}

static enum isx_status refuse(void *arg, struct isx_err *err)
{
	(void)arg;
	return isx_fail(err, ISX_CANCELLED, "gone");
}

/* Queries of random numbers of simprints, thresholds and limits, two types of which the index has
 * one, some that fail and some that are cancelled: each gets the answer that it gets alone. */
static void test_passages__queries_in_one_call_get_the_answers_that_they_get_alone(void **state)
{
	enum { MANY = 150, EACH_MAX = 40 };
	static const char *values[MANY][EACH_MAX];
	static struct model_simprint texts[MANY][EACH_MAX];
	static struct isx_query_simprints types[MANY][2];
	static struct isx_query queries[MANY];
	static struct isx_result *results[MANY];
	static struct isx_err errs[MANY];
	struct isx_store *store;
	struct isx_err err;
	uint64_t seed = test_seed();
	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	if (isx_open("memory://", NULL, &store, &err) || isx_index_create(store, "main", &err))
		fail_msg("%s", err.msg);
	fill_store(store, &seed);
	for (size_t q = 0; q < MANY; q++) {
		const size_t count = 1 + test_random(&seed) % EACH_MAX;
		for (size_t i = 0; i < count; i++) {
			random_simprint(&texts[q][i], &seed);
			values[q][i] = texts[q][i].text;
		}
		if (test_random(&seed) % 10 == 0)
			values[q][test_random(&seed) % count] = "AAAA"; /* of no stored length */
		types[q][0] = (struct isx_query_simprints){ "T_V0", values[q], count };
		types[q][1] = (struct isx_query_simprints){ "OTHER_V0", values[q], count };
		queries[q] = (struct isx_query){
			.simprints = types[q],
			.simprint_type_count = 1 + test_random(&seed) % 2,
			.limit = 1 + test_random(&seed) % 20,
			.has_min_score = test_random(&seed) % 2,
			.min_score = 0.7 + (double)(test_random(&seed) % 30) / 100,
			.counts = test_random(&seed) % 2,
			.cancel_check = test_random(&seed) % 10 ? NULL : refuse,
		};
	}
	if (isx_search_many(store, "main", queries, MANY, results, errs, &err))
		fail_msg("%s", err.msg);
	for (size_t q = 0; q < MANY; q++) {
		struct isx_result *alone = NULL;
		enum isx_status st = isx_search(store, "main", &queries[q], &alone, &err);
		assert_int_equal(errs[q].status, st);
		if (st) {
			assert_string_equal(errs[q].msg, err.msg);
			continue;
		}
		struct isx_buf one = answer_of(alone), many = answer_of(results[q]);
		assert_int_equal(one.len, many.len);
		assert_memory_equal(one.ptr, many.ptr, one.len);
		isx_buf_release(&one);
		isx_buf_release(&many);
		isx_result_free(alone);
		isx_result_free(results[q]);
	}
	isx_close(store);
}

/* Four assets with the last ISCC-IDs there are, and enough pairs for two threads: the pieces that
 * the threads take would lie after the last ISCC-ID. */
static void test_passages__assets_with_the_last_iscc_ids_are_ranked_once(void **state)
{
	enum { LAST = 4, EACH = 2000, ASKED = 1000 }; /* 8 million pairs */
	static char texts[EACH][16];
	static struct isx_simprint simprints[EACH];
	static const char *values[ASKED];
	struct isx_options options;
	struct isx_store *store;
	struct isx_result *result;
	struct isx_err err;
	(void)state;
	isx_options_init(&options);
	options.threads = 2;
	if (isx_open("memory://", &options, &store, &err) || isx_index_create(store, "main", &err))
		fail_msg("%s", err.msg);
	for (uint64_t i = 0; i < EACH; i++) {
		uint64_t seed = i;
		uint8_t bytes[8];
		isx_store_be64(bytes, test_random(&seed));
		isx_base64_encode(bytes, sizeof bytes, texts[i]);
		simprints[i] = (struct isx_simprint){ "T_V0", texts[i], (uint32_t)i, 1 };
		if (i < ASKED)
			values[i] = texts[i];
	}
	char ids[LAST][ISX_ISCC_ID_TEXT_BYTES];
	for (size_t a = 0; a < LAST; a++) {
		const struct isx_iscc_id id = { .body = UINT64_MAX - (LAST - 1) + a, .version = 1 };
		isx_iscc_id_print(&id, ids[a]);
		const struct isx_asset asset = { .iscc_id = ids[a],
						 .simprints = simprints,
						 .simprint_count = EACH };
		if (isx_add(store, "main", &asset, 1, NULL, &err))
			fail_msg("%s", err.msg);
	}
	struct isx_query_simprints type = { "T_V0", values, ASKED };
	struct isx_query query = { .simprints = &type, .simprint_type_count = 1, .limit = LIMIT };
	if (isx_search(store, "main", &query, &result, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(result->chunk_match_count, LAST);
	for (size_t a = 0; a < LAST; a++)
		assert_string_equal(result->chunk_matches[a].iscc_id, ids[a]);
	isx_result_free(result);
	isx_close(store);
}

/* Lets the search begin, and cancels it at the next question. */
static enum isx_status refuse_later(void *arg, struct isx_err *err)
{
	unsigned *times = arg;
	return (*times)++ ? isx_fail(err, ISX_CANCELLED, "gone") : ISX_OK;
}

/* One client leaves while the first page with a hit is looked for, in an index with simprints of all
 * lengths: the pages are not read again for the other one. */
static void test_passages__a_member_that_leaves_early_costs_the_others_nothing(void **state)
{
	enum { EACH = 2000, FILLED = 4, LENGTH_MIN = 8, LENGTH_MAX = 32 };
	enum { ROWS = FILLED * EACH + LENGTH_MAX - LENGTH_MIN + 1, LEAVING = 20, STAYING = 40 };
	static struct isx_simprint simprints[EACH];
	static char zeros[LENGTH_MAX + 1][48];
	static const char *values[STAYING];
	const uint8_t none[LENGTH_MAX] = { 0 };
	uint8_t ones[LENGTH_MIN];
	char all[16], id[ISX_ISCC_ID_TEXT_BYTES];
	struct isx_counters counters = { 0 };
	struct isx_options options;
	struct isx_store *store;
	struct isx_result *results[2];
	struct isx_err errs[2], err;
	unsigned times = 0;
	(void)state;
	isx_options_init(&options);
	options.threads = 1;
	options.counters = &counters;
	if (isx_open("memory://", &options, &store, &err) || isx_index_create(store, "main", &err))
		fail_msg("%s", err.msg);
	memset(ones, 0xFF, sizeof ones);
	isx_base64_encode(ones, sizeof ones, all);
	for (size_t bytes = LENGTH_MIN; bytes <= LENGTH_MAX; bytes++)
		isx_base64_encode(none, bytes, zeros[bytes]);
	for (size_t a = 0; a <= FILLED; a++) {
		size_t count = a < FILLED ? EACH : LENGTH_MAX - LENGTH_MIN + 1;
		for (size_t i = 0; i < count; i++)
			simprints[i] = (struct isx_simprint){
				"T_V0",
				a < FILLED ? zeros[LENGTH_MIN]
				: i > 0    ? zeros[LENGTH_MIN + i]
					   : all, /* the only one that matches */
				(uint32_t)i, 1
			};
		id_text(a, id);
		const struct isx_asset asset = { .iscc_id = id,
						 .simprints = simprints,
						 .simprint_count = count };
		if (isx_add(store, "main", &asset, 1, NULL, &err))
			fail_msg("%s", err.msg);
	}
	for (size_t i = 0; i < STAYING; i++)
		values[i] = all;
	const struct isx_query_simprints types[] = { { "T_V0", values, LEAVING },
						     { "T_V0", values, STAYING } };
	const struct isx_query queries[] = {
		{ .simprints = &types[0],
		  .simprint_type_count = 1,
		  .limit = LIMIT,
		  .cancel_check = refuse_later,
		  .cancel_arg = &times },
		{ .simprints = &types[1], .simprint_type_count = 1, .limit = LIMIT },
	};
	counters.rows_scanned = 0;
	if (isx_search_many(store, "main", queries, 2, results, errs, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(errs[0].status, ISX_CANCELLED);
	assert_int_equal(errs[1].status, ISX_OK);
	assert_int_equal(results[1]->chunk_match_count, 1);
	assert_string_equal(results[1]->chunk_matches[0].iscc_id, id);
	assert_true(counters.rows_scanned >= ROWS * STAYING);
	assert_true(counters.rows_scanned < ROWS * (LEAVING + STAYING));
	isx_result_free(results[1]);
	isx_close(store);
}

/* A stream of which the only query is dropped before the second page is read. */
struct dropping {
	struct isx_passage_stream stream;
	struct isx_passage_query query;
	size_t pages; /* that were to be read */
};

static void drop_query(void *arg)
{
	struct dropping *dropping = arg;
	dropping->pages++;
	isx_passage_drop(&dropping->stream, &dropping->query);
}

static void test_passages__nothing_is_read_for_members_that_have_all_left(void **state)
{
	enum { EACH = 2000 };
	char folder[] = "/tmp/isx-passages-XXXXXX", uri[64], path[96], id[ISX_ISCC_ID_TEXT_BYTES];
	static struct isx_simprint simprints[EACH];
	struct isx_query_passage passage = { .byte_count = 8 };
	struct dropping dropping = { .query = { "T_V0", &passage, 1, 1.0 } };
	struct isx_passage_query *queries[] = { &dropping.query };
	struct isx_options options;
	struct isx_arena arena = { 0 };
	struct isx_store *store;
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	struct isx_err err;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(uri, sizeof uri, "usearch://%s", folder);
	snprintf(path, sizeof path, "%s/main/index.lmdb", folder);
	isx_options_init(&options);
	options.map_bytes = 1ull << 30;
	for (size_t i = 0; i < EACH; i++)
		simprints[i] = (struct isx_simprint){ "T_V0", "__________8", (uint32_t)i, 1 };
	id_text(0, id);
	const struct isx_asset asset = { .iscc_id = id,
					 .simprints = simprints,
					 .simprint_count = EACH };
	if (isx_open(uri, &options, &store, &err) || isx_index_create(store, "main", &err) ||
	    isx_add(store, "main", &asset, 1, NULL, &err))
		fail_msg("%s", err.msg);
	isx_close(store);
	if (isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, &file, &err) ||
	    isx_lmdb_read(file, ISX_PAGES_ROWS, &view, &err))
		fail_msg("%s", err.msg);
	dropping.stream.before_page = drop_query;
	dropping.stream.before_page_arg = &dropping;
	if (isx_passage_open(&dropping.stream, &view, "T_V0", queries, 1, 8, 0, UINT64_MAX, &arena,
			     &err))
		fail_msg("%s", err.msg);
	assert_true(dropping.stream.at_end);
	assert_true(dropping.stream.row_sum > 0);
	assert_int_equal(dropping.pages, 1);
	isx_passage_close(&dropping.stream);
	isx_arena_release(&arena);
	isx_lmdb_end(&view);
	isx_lmdb_file_close(file);
	test_remove_tree(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passages__a_search_on_all_cores_equals_the_model),
		cmocka_unit_test(
			test_passages__queries_in_one_call_get_the_answers_that_they_get_alone),
		cmocka_unit_test(test_passages__assets_with_the_last_iscc_ids_are_ranked_once),
		cmocka_unit_test(
			test_passages__a_member_that_leaves_early_costs_the_others_nothing),
		cmocka_unit_test(test_passages__nothing_is_read_for_members_that_have_all_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
