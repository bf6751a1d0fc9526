/*
 * test_pass.c - searches that share a pass: answers equal those of a plain model to the last bit,
 *               whatever else is in the pass, and however many threads share its rows.
 *
 * The model compares every unit with every unit, one asset after the other. `make check` runs this
 * with the thread sanitizer, too.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/scan_slots.h"
#include "iscc/iscc_id.h"
#include "service/store.h"
#include "similarity/sim_crew.h"
#include "similarity/sim_engine.h"
#include "support.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	TYPES = 3,
	ASSETS = 8000,
	UNITS_MAX = 9, /* of one asset: several of a type, so that assets cross pages */
	QUERIES = 48,
	THREADS = 12,
	TURNS = 30,
	INDEXES = 2
};

static const uint32_t maintypes[TYPES + 1] = { ISX_META, ISX_CONTENT, ISX_DATA, ISX_INSTANCE };

struct unit {
	size_t type; /* TYPES: INSTANCE */
	uint32_t bytes;
	uint8_t body[32];
	char text[ISX_UNIT_TEXT_BYTES];
};

struct item {
	uint64_t id;
	char id_text[ISX_ISCC_ID_TEXT_BYTES];
	struct unit units[UNITS_MAX];
	const char *texts[UNITS_MAX];
	size_t count;
};

struct match {
	const struct item *item;
	double score;
	double types[TYPES + 1]; /* -1: none */
};

/* A query, and what the model says. */
struct question {
	struct isx_query query;
	struct item as; /* its units */
	bool is_wrong;  /* it has to fail */
	enum isx_status status;
	struct match *matches;
	size_t match_count;
};

static struct fixture {
	struct isx_store *store;
	struct item *items;
	struct question questions[QUERIES];
	uint64_t random;
	struct isx_counters counters;
} fx;

/* --- the model -------------------------------------------------------------------------------- */

/* Bodies near few centres, so that much matches; of 32, 64 or 256 bits. */
static void make_unit(struct unit *unit, size_t type, uint64_t *random)
{
	static const uint32_t lengths[] = { 4, 8, 32, 32 };
	uint64_t centre = test_random(random) % 4 + type * 4, words[4];
	unit->type = type;
	unit->bytes = lengths[test_random(random) % 4];
	for (size_t i = 0; i < 4; i++)
		words[i] = test_random(&(uint64_t){ centre * 4 + i });
	memcpy(unit->body, words, sizeof words);
	for (uint64_t flips = test_random(random) % 70; flips > 0; flips--) {
		uint64_t bit = test_random(random) % (unit->bytes * 8);
		unit->body[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	if (type == TYPES) { /* INSTANCE: few different ones */
		memset(unit->body, 0, sizeof unit->body);
		unit->body[0] = (uint8_t)(test_random(random) % 40);
		unit->body[7] = 1;
		unit->bytes = 8;
	}
	test_unit_text(maintypes[type], unit->body, unit->bytes, unit->text);
}

/* Is one body the beginning of the other? Such a unit would not be kept beside the longer one. */
static bool is_prefix(const struct unit *a, const struct unit *b)
{
	return a->type == b->type &&
	       memcmp(a->body, b->body, a->bytes < b->bytes ? a->bytes : b->bytes) == 0;
}

static void add_unit(struct item *item, size_t type, uint64_t *random)
{
	struct unit *unit = &item->units[item->count];
	make_unit(unit, type, random);
	for (size_t i = 0; i < item->count; i++)
		if (is_prefix(unit, &item->units[i]))
			return;
	item->texts[item->count++] = unit->text;
}

/* Most ISCC-IDs lie close together, some far away: ranges of equal width are not equal work. */
static void make_item(struct item *item, size_t number, uint64_t *random)
{
	struct isx_iscc_id id = { .version = 1 };
	id.body = (number < ASSETS / 10 ? (uint64_t)number << 40 : 1ull << 60) + number + 1;
	item->id = id.body;
	isx_iscc_id_print(&id, item->id_text);
	for (size_t i = 1 + test_random(random) % UNITS_MAX; i > 0; i--)
		add_unit(item, test_random(random) % (TYPES + 1), random);
}

/* The score of two units; -1 if they are not compared. */
static double unit_score(const struct unit *a, const struct unit *b)
{
	uint32_t bytes = a->bytes < b->bytes ? a->bytes : b->bytes, distance = 0;
	if (a->type != b->type)
		return -1;
	for (uint32_t i = 0; i < bytes; i++)
		distance += (uint32_t)__builtin_popcount((unsigned)(a->body[i] ^ b->body[i]));
	if (a->type == TYPES)
		return distance == 0 ? 1 : -1;
	return 1.0 - (double)distance / (double)(bytes * 8);
}

/* Score an item; false: it is no match. */
static bool score_item(const struct question *question, const struct item *item, double threshold,
		       uint32_t exponent, struct match *match)
{
	double scores[TYPES + 1], weighted = 0, weight = 0;
	size_t count = 0;
	*match = (struct match){ .item = item };
	for (size_t type = 0; type <= TYPES; type++) {
		double best = -1;
		for (size_t i = 0; i < question->as.count; i++)
			for (size_t k = 0; k < item->count; k++) {
				const struct unit *asked = &question->as.units[i];
				double score = unit_score(asked, &item->units[k]);
				if (asked->type == type && score > best)
					best = score;
			}
		match->types[type] = best;
		if (best >= threshold)
			scores[count++] = best;
	}
	for (size_t i = 1; i < count; i++) /* descending: sums depend on the order */
		for (size_t k = i; k > 0 && scores[k - 1] < scores[k]; k--) {
			double held = scores[k];
			scores[k] = scores[k - 1];
			scores[k - 1] = held;
		}
	for (size_t i = 0; i < count; i++) {
		weighted += pow(scores[i], exponent);
		weight += scores[i];
	}
	match->score = weight > 0 ? weighted / weight : 0;
	return count > 0;
}

static int best_first(const void *left, const void *right)
{
	const struct match *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->item->id < b->item->id ? -1 : 1;
}

/* Find what the question has to be answered with. */
static void answer(struct question *question)
{
	const struct isx_query *query = &question->query;
	double threshold = query->has_min_score ? query->min_score : 0.75;
	uint32_t exponent = query->exponent ? query->exponent : 4;
	question->matches = calloc(ASSETS, sizeof *question->matches);
	for (size_t i = 0; i < ASSETS; i++) {
		const struct item *item = &fx.items[i];
		if (query->iscc_id && strcmp(query->iscc_id, item->id_text) == 0)
			continue;
		question->match_count += score_item(question, item, threshold, exponent,
						    &question->matches[question->match_count]);
	}
	qsort(question->matches, question->match_count, sizeof *question->matches, best_first);
	if (question->match_count > query->limit)
		question->match_count = query->limit;
}

/* A question of units, of one type (where the bound tightens), by ISCC-ID, or a wrong one. */
static void make_question(struct question *question, uint64_t *random)
{
	static const size_t limits[] = { 1, 3, 10, 100, 1000, ISX_BULK_MATCHES + 500 };
	uint64_t kind = test_random(random) % 8, type = test_random(random) % TYPES;
	*question = (struct question){ .query = { .limit = limits[test_random(random) % 6] } };
	question->query.has_min_score = test_random(random) % 4 == 0;
	if (question->query.has_min_score)
		question->query.min_score = 0.5 + (double)(test_random(random) % 50) / 100;
	if (test_random(random) % 4 == 0)
		question->query.exponent = 1 + (uint32_t)(test_random(random) % 6);
	if (kind == 0) {
		question->as = fx.items[test_random(random) % ASSETS];
		for (size_t i = 0; i < question->as.count; i++)
			question->as.texts[i] = NULL;
		question->query.iscc_id = question->as.id_text;
	} else {
		for (size_t i = 1 + test_random(random) % 4; i > 0; i--)
			add_unit(&question->as, kind < 4 ? type : test_random(random) % (TYPES + 1),
				 random);
		for (size_t i = 0; i < question->as.count; i++)
			question->as.texts[i] = question->as.units[i].text;
		question->query.units = question->as.texts;
		question->query.unit_count = question->as.count;
	}
	answer(question);
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Why an answer differs from the model; NULL: it does not. */
static const char *find_difference(const struct question *question, const struct isx_result *result)
{
	if (result->match_count != question->match_count)
		return "number of matches";
	for (size_t i = 0; i < result->match_count; i++) {
		const struct isx_match *got = &result->matches[i];
		const struct match *wanted = &question->matches[i];
		size_t types = 0;
		if (strcmp(got->iscc_id, wanted->item->id_text) != 0)
			return "ISCC-ID of a match";
		if (got->score != wanted->score)
			return "score of a match";
		for (size_t t = 0; t <= TYPES; t++)
			types += wanted->types[t] >= 0;
		if (got->type_count != types)
			return "number of types of a match";
		for (size_t k = 0; k < got->type_count; k++) {
			bool found = false;
			for (size_t t = 0; t <= TYPES; t++)
				found |= got->types[k].score == wanted->types[t];
			if (!found)
				return "score of a type";
		}
		if (!got->metadata || !strstr(got->metadata, wanted->item->id_text))
			return "metadata";
	}
	return NULL;
}

static void add_items(const char *index)
{
	struct isx_asset *assets = calloc(ASSETS, sizeof *assets);
	struct isx_err err;
	char(*metadata)[64] = calloc(ASSETS, sizeof *metadata);
	for (size_t i = 0; i < ASSETS; i++) {
		snprintf(metadata[i], sizeof metadata[i], "{\"of\": \"%s\"}", fx.items[i].id_text);
		assets[i] = (struct isx_asset){ .iscc_id = fx.items[i].id_text,
						.units = fx.items[i].texts,
						.unit_count = fx.items[i].count,
						.metadata = metadata[i] };
	}
	if (isx_index_create(fx.store, index, &err) ||
	    isx_add(fx.store, index, assets, ASSETS, NULL, &err))
		fail_msg("%s", err.msg);
	free(assets);
	free(metadata);
}

/* More threads than processors, so that passes are cut on every machine. */
static int set_up(void **state)
{
	struct isx_options options;
	struct isx_err err;
	(void)state;
	fx.random = test_seed();
	print_message("seed %llu\n", (unsigned long long)fx.random);
	isx_options_init(&options);
	options.threads = 4;
	options.map_bytes = 1ull << 30;
	options.counters = &fx.counters;
	if (isx_open("memory://", &options, &fx.store, &err))
		return -1;
	fx.items = calloc(ASSETS, sizeof *fx.items);
	for (size_t i = 0; i < ASSETS; i++) {
		make_item(&fx.items[i], i, &fx.random);
		for (size_t k = 0; k < fx.items[i].count; k++)
			fx.items[i].texts[k] = fx.items[i].units[k].text;
	}
	for (size_t i = 0; i < INDEXES; i++)
		add_items((const char *[]){ "a", "b" }[i]);
	for (size_t i = 0; i < QUERIES; i++)
		make_question(&fx.questions[i], &fx.random);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	isx_close(fx.store);
	for (size_t i = 0; i < QUERIES; i++)
		free(fx.questions[i].matches);
	free(fx.items);
	return 0;
}

/* --- one after the other ---------------------------------------------------------------------- */

static void test_pass__a_search_alone_equals_the_model(void **state)
{
	(void)state;
	for (size_t i = 0; i < QUERIES; i++) {
		struct isx_result *result;
		struct isx_err err;
		if (isx_search(fx.store, "a", &fx.questions[i].query, &result, &err))
			fail_msg("query %zu: %s", i, err.msg);
		const char *difference = find_difference(&fx.questions[i], result);
		if (difference)
			fail_msg("query %zu: %s differs", i, difference);
		isx_result_free(result);
	}
}

/* --- many at once ----------------------------------------------------------------------------- */

/* What a cancel check does: stop the search at the nth question. */
struct patience {
	atomic_uint asked;
	unsigned limit;
};

static enum isx_status lose_patience(void *arg, struct isx_err *err)
{
	struct patience *patience = arg;
	if (atomic_fetch_add(&patience->asked, 1) < patience->limit)
		return ISX_OK;
	if (err) {
		*err = (struct isx_err){ .status = ISX_CANCELLED };
		snprintf(err->msg, sizeof err->msg, "patience is lost");
	}
	return ISX_CANCELLED;
}

/* Batches of random queries, of which some are wrong and some are cancelled: each gets the answer
 * that it gets alone. Together they compare enough rows to be cut into ranges. */
static void test_pass__a_batch_equals_the_model_whatever_is_in_it(void **state)
{
	enum { JOBS_MAX = 150 };
	static struct isx_search_job jobs[JOBS_MAX];
	static struct isx_arena arenas[JOBS_MAX];
	static struct isx_result results[JOBS_MAX];
	static struct isx_query queries[JOBS_MAX];
	static struct patience patience[JOBS_MAX];
	static const char *const wrong_units[] = { "ISCC:AAA" };
	size_t which[JOBS_MAX], compared = 0, cancelled = 0;
	(void)state;
	for (size_t round = 0; round < 8; round++) {
		size_t count = test_random(&fx.random) % JOBS_MAX;
		for (size_t i = 0; i < count; i++) {
			which[i] = test_random(&fx.random) % QUERIES;
			queries[i] = fx.questions[which[i]].query;
			patience[i] = (struct patience){ .limit = UINT32_MAX };
			if (test_random(&fx.random) % 8 == 0) {
				queries[i] = (struct isx_query){ .limit = 5 };
				if (test_random(&fx.random) % 2)
					queries[i].iscc_id = "ISCC:MAIGHXLN555Y2DFF";
				else
					queries[i].units = wrong_units, queries[i].unit_count = 1;
			} else if (test_random(&fx.random) % 8 == 0) {
				patience[i].limit = (unsigned)(test_random(&fx.random) % 3);
			}
			queries[i].cancel_check = lose_patience;
			queries[i].cancel_arg = &patience[i];
			arenas[i] = (struct isx_arena){ 0 };
			results[i] = (struct isx_result){ 0 };
			jobs[i] = (struct isx_search_job){ .query = &queries[i],
							   .arena = &arenas[i],
							   .result = &results[i] };
		}
		isx_engine_search_many(fx.store->engine, "a", jobs, count);
		for (size_t i = 0; i < count; i++) {
			bool is_wrong = queries[i].units == wrong_units ||
					(queries[i].iscc_id &&
					 strcmp(queries[i].iscc_id, "ISCC:MAIGHXLN555Y2DFF") == 0);
			if (patience[i].limit != UINT32_MAX && jobs[i].status) {
				assert_int_equal(jobs[i].status, ISX_CANCELLED);
				assert_string_equal(jobs[i].err.msg, "patience is lost");
				cancelled++;
			} else if (is_wrong) {
				assert_int_equal(jobs[i].status,
						 queries[i].iscc_id ? ISX_NOT_FOUND : ISX_INVALID);
				assert_int_equal(jobs[i].err.status, jobs[i].status);
			} else {
				const char *difference =
					jobs[i].status ? jobs[i].err.msg
						       : find_difference(&fx.questions[which[i]],
									 &results[i]);
				if (difference)
					fail_msg("job %zu, query %zu: %s", i, which[i], difference);
				compared++;
			}
			isx_arena_release(&arenas[i]);
		}
	}
	assert_true(compared > 200 && cancelled > 5);
}

enum { TIE_ASSETS = 60000, TIES = 64 };

/* An index of units that differ in few bits, so that there are few different scores. */
static void add_ties(uint64_t *bodies)
{
	enum { BATCH = 10000 };
	static struct isx_asset assets[BATCH];
	static char ids[BATCH][ISX_ISCC_ID_TEXT_BYTES], texts[BATCH][ISX_UNIT_TEXT_BYTES];
	static const char *units[BATCH];
	struct isx_err err;
	assert_int_equal(isx_index_create(fx.store, "ties", &err), ISX_OK);
	for (size_t i = 0; i < TIE_ASSETS; i++) {
		struct isx_iscc_id id = { .body = i + 1, .version = 1 };
		size_t at = i % BATCH;
		bodies[i] = 0;
		for (uint64_t flips = 2 + test_random(&fx.random) % 3; flips > 0; flips--)
			bodies[i] ^= 1ull << test_random(&fx.random) % 64;
		isx_iscc_id_print(&id, ids[at]);
		test_unit_text(ISX_META, (const uint8_t *)&bodies[i], 8, texts[at]);
		units[at] = texts[at];
		assets[at] = (struct isx_asset){ .iscc_id = ids[at],
						 .units = &units[at],
						 .unit_count = 1 };
		if (at == BATCH - 1 && isx_add(fx.store, "ties", assets, BATCH, NULL, &err))
			fail_msg("%s", err.msg);
	}
}

/* The assets with the least distances, of equal ones those that come first.
 *   expected  filled: `limit` numbers of assets */
static void find_first(const uint64_t *bodies, uint64_t body, size_t limit, uint32_t *expected)
{
	size_t at = 0;
	for (int distance = 0; at < limit; distance++)
		for (uint32_t i = 0; i < TIE_ASSETS && at < limit; i++)
			if (__builtin_popcountll(bodies[i] ^ body) == distance)
				expected[at++] = i;
}

static bool has_expected(const struct isx_result *result, const uint32_t *expected)
{
	for (size_t i = 0; i < result->match_count; i++) {
		struct isx_iscc_id id = { .body = expected[i] + 1, .version = 1 };
		char text[ISX_ISCC_ID_TEXT_BYTES];
		isx_iscc_id_print(&id, text);
		if (strcmp(result->matches[i].iscc_id, text) != 0)
			return false;
	}
	return true;
}

/* The ISCC-ID decides who is among the best few, also where a thread of a pass gets a range with
 * lower ISCC-IDs after one with higher ones. */
static void test_pass__ties_are_decided_by_the_iscc_id_however_a_pass_is_cut(void **state)
{
	static uint64_t bodies[TIE_ASSETS];
	static uint32_t expected[TIES][20 + 4 * TIES];
	static struct isx_query queries[TIES];
	static struct isx_search_job jobs[TIES];
	static struct isx_arena arenas[TIES];
	static struct isx_result results[TIES];
	static char texts[TIES][ISX_UNIT_TEXT_BYTES];
	static const char *units[TIES];
	(void)state;
	add_ties(bodies);
	for (size_t i = 0; i < TIES; i++) {
		uint64_t body = 1ull << test_random(&fx.random) % 64;
		test_unit_text(ISX_META, (const uint8_t *)&body, 8, texts[i]);
		units[i] = texts[i];
		queries[i] = (struct isx_query){ .units = &units[i],
						 .unit_count = 1,
						 .limit = 20 + i * 4 };
		find_first(bodies, body, queries[i].limit, expected[i]);
	}
	for (size_t round = 0; round < 20; round++) {
		for (size_t i = 0; i < TIES; i++) {
			results[i] = (struct isx_result){ 0 };
			arenas[i] = (struct isx_arena){ 0 };
			jobs[i] = (struct isx_search_job){ .query = &queries[i],
							   .arena = &arenas[i],
							   .result = &results[i] };
		}
		isx_engine_search_many(fx.store->engine, "ties", jobs, TIES);
		for (size_t i = 0; i < TIES; i++) {
			assert_int_equal(jobs[i].status, ISX_OK);
			assert_int_equal(results[i].match_count, queries[i].limit);
			if (!has_expected(&results[i], expected[i]))
				fail_msg("round %zu, query %zu: another order", round, i);
			isx_arena_release(&arenas[i]);
		}
	}
}

/* --- ranks ------------------------------------------------------------------------------------ */

enum { RANKED = 36, RANKED_LIMIT = 40, RANKED_THREADS = 4 };

/* Queries of every rank, with and without a bound of the expect. */
static void make_ranked(struct isx_query queries[RANKED])
{
	for (size_t i = 0; i < RANKED; i++) {
		queries[i] = fx.questions[i].query;
		queries[i].limit = 1 + test_random(&fx.random) % RANKED_LIMIT;
		queries[i].rank = ISX_RANK_SCORE + (uint32_t)(i % 3);
		queries[i].max_expect = i % 2 ? 0 : 1e-3;
		queries[i].counts = i % 5 == 0;
	}
}

static const char *find_rank_difference(const struct isx_result *result,
					const struct isx_result *whole,
					const struct isx_query *query)
{
	size_t count = whole->match_count < query->limit ? whole->match_count : query->limit;
	if (result->match_count != count)
		return "number of matches";
	if (query->counts && result->match_total != whole->match_count)
		return "number of all matches";
	for (size_t i = 0; i < count; i++) {
		const struct isx_match *a = &result->matches[i], *b = &whole->matches[i];
		if (strcmp(a->iscc_id, b->iscc_id) != 0 || a->score != b->score)
			return "match";
		if (a->has_expect != b->has_expect || a->expect != b->expect)
			return "expect";
		if (a->tier != b->tier || a->tier_score != b->tier_score)
			return "tier";
	}
	return NULL;
}

/* Open the store that the tests share, with another number of threads. */
static struct isx_store *open_with_threads(const char *uri, uint32_t threads)
{
	struct isx_options options;
	struct isx_store *store = NULL;
	struct isx_err err;
	isx_options_init(&options);
	options.threads = threads;
	options.map_bytes = 1ull << 30;
	if (isx_open(uri, &options, &store, &err))
		fail_msg("%s", err.msg);
	return store;
}

/* Ask all queries in one call, and compare with the whole lists of one thread, to the last bit. */
static void ask_ranked(const char *uri, uint32_t threads, struct isx_query queries[RANKED],
		       struct isx_result *const wholes[RANKED])
{
	struct isx_result *results[RANKED];
	struct isx_err errs[RANKED], err;
	struct isx_store *store = open_with_threads(uri, threads);
	if (isx_search_many(store, "ranked", queries, RANKED, results, errs, &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < RANKED; i++) {
		assert_int_equal(errs[i].status, ISX_OK);
		const char *difference = find_rank_difference(results[i], wholes[i], &queries[i]);
		if (difference)
			fail_msg("%u threads, query %zu: %s differs", threads, i, difference);
		isx_result_free(results[i]);
	}
	isx_close(store);
}

/* A small limit loses nothing by any rank, and neither the number of threads nor other queries of the
 * pass change a bit. */
static void test_pass__every_rank_is_the_same_however_a_pass_is_cut(void **state)
{
	char folder[] = "/tmp/isx-ranks-XXXXXX", uri[64];
	struct isx_query queries[RANKED];
	struct isx_result *wholes[RANKED];
	struct isx_store *shared = fx.store;
	struct isx_err err;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(uri, sizeof uri, "usearch://%s", folder);
	struct isx_store *store = fx.store = open_with_threads(uri, 1);
	add_items("ranked");
	fx.store = shared;
	make_ranked(queries);
	for (size_t i = 0; i < RANKED; i++) {
		struct isx_query whole = queries[i];
		whole.limit = ASSETS;
		if (isx_search(store, "ranked", &whole, &wholes[i], &err))
			fail_msg("%s", err.msg);
	}
	isx_close(store);
	for (uint32_t threads = 1; threads <= RANKED_THREADS; threads++)
		ask_ranked(uri, threads, queries, wholes);
	for (size_t i = 0; i < RANKED; i++)
		isx_result_free(wholes[i]);
	test_remove_tree(folder);
}

static void test_pass__a_batch_on_an_index_that_is_not_there_fails(void **state)
{
	struct isx_arena arena = { 0 };
	struct isx_result result = { 0 };
	struct isx_search_job jobs[2] = {
		{ .query = &fx.questions[0].query, .arena = &arena, .result = &result }
	};
	(void)state;
	jobs[1] = jobs[0];
	isx_engine_search_many(fx.store->engine, "missing", jobs, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(jobs[i].status, ISX_NOT_FOUND);
		assert_string_equal(jobs[i].err.msg, "Index 'missing' not found");
	}
	isx_arena_release(&arena);
}

/* --- many threads ----------------------------------------------------------------------------- */

struct asker {
	uint64_t random;
	pthread_t thread;
	size_t right, cancelled;
	char why[256]; /* what was wrong first; empty: nothing */
};

/* Ask random questions of random indexes; now and then with little patience. */
static void *ask_all(void *arg)
{
	struct asker *asker = arg;
	for (size_t turn = 0; turn < TURNS && !asker->why[0]; turn++) {
		const struct question *question =
			&fx.questions[test_random(&asker->random) % QUERIES];
		const char *index = (const char *[]){ "a",
						      "b" }[test_random(&asker->random) % INDEXES];
		struct patience patience = { .limit = UINT32_MAX };
		struct isx_query query = question->query;
		struct isx_result *result;
		struct isx_err err;
		if (test_random(&asker->random) % 5 == 0)
			patience.limit = (unsigned)(test_random(&asker->random) % 3);
		query.cancel_check = lose_patience;
		query.cancel_arg = &patience;
		enum isx_status st = isx_search(fx.store, index, &query, &result, &err);
		if (st == ISX_CANCELLED && patience.limit != UINT32_MAX) {
			asker->cancelled++;
			continue;
		}
		const char *difference = st ? err.msg : find_difference(question, result);
		if (difference)
			snprintf(asker->why, sizeof asker->why, "query %zu: %.200s",
				 (size_t)(question - fx.questions), difference);
		asker->right += !difference;
		if (!st)
			isx_result_free(result);
	}
	return NULL;
}

static void test_pass__searches_of_many_threads_equal_the_model(void **state)
{
	static struct asker askers[THREADS];
	size_t right = 0, cancelled = 0;
	(void)state;
	for (size_t i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){ .random = fx.random + i };
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_all, &askers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(askers[i].thread, NULL);
		if (askers[i].why[0])
			fail_msg("%s", askers[i].why);
		right += askers[i].right;
		cancelled += askers[i].cancelled;
	}
	assert_true(right > 0 && cancelled > 0);
}

/* --- snapshots -------------------------------------------------------------------------------- */

struct writing {
	atomic_size_t written; /* assets whose add has returned */
	atomic_bool is_over;
	char ids[200][ISX_ISCC_ID_TEXT_BYTES];
	char why[256];
};

static void *write_on(void *arg)
{
	struct writing *writing = arg;
	struct isx_err err;
	for (size_t i = 0; i < 200 && !atomic_load(&writing->is_over); i++) {
		struct isx_iscc_id id = { .body = (2ull << 60) + i + 1, .version = 1 };
		char text[ISX_UNIT_TEXT_BYTES];
		uint8_t body[8] = { 0xAA, 0x55, 0xAA, 0x55, 0xAA, 0x55, 0xAA, 0x55 };
		const char *units[] = { text };
		isx_iscc_id_print(&id, writing->ids[i]);
		test_unit_text(ISX_META, body, sizeof body, text);
		struct isx_asset asset = { .iscc_id = writing->ids[i],
					   .units = units,
					   .unit_count = 1 };
		if (isx_add(fx.store, "written", &asset, 1, NULL, &err))
			break;
		atomic_store(&writing->written, i + 1);
	}
	atomic_store(&writing->is_over, true);
	return NULL;
}

/* Count the assets: at least those that were acknowledged before the search came. */
static void *read_on(void *arg)
{
	struct writing *writing = arg;
	uint8_t body[8] = { 0xAA, 0x55, 0xAA, 0x55, 0xAA, 0x55, 0xAA, 0x55 };
	char text[ISX_UNIT_TEXT_BYTES];
	const char *units[] = { text };
	struct isx_query query = { .units = units, .unit_count = 1, .limit = 500 };
	test_unit_text(ISX_META, body, sizeof body, text);
	while (!atomic_load(&writing->is_over)) {
		size_t before = atomic_load(&writing->written);
		struct isx_result *result;
		struct isx_err err;
		if (isx_search(fx.store, "written", &query, &result, &err)) {
			atomic_store(&writing->is_over, true);
			snprintf(writing->why, sizeof writing->why, "%.200s", err.msg);
			break;
		}
		if (result->match_count < before)
			snprintf(writing->why, sizeof writing->why, "%zu were written, %zu found",
				 before, result->match_count);
		isx_result_free(result);
	}
	return NULL;
}

static void test_pass__every_member_sees_what_was_written_before_it_came(void **state)
{
	static struct writing writing;
	pthread_t writer, readers[6];
	struct isx_err err;
	(void)state;
	assert_int_equal(isx_index_create(fx.store, "written", &err), ISX_OK);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_on, &writing), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_on, &writing), 0);
	pthread_join(writer, NULL);
	for (size_t i = 0; i < 6; i++)
		pthread_join(readers[i], NULL);
	assert_string_equal(writing.why, "");
	assert_int_equal(atomic_load(&writing.written), 200);
}

/* --- ranges ----------------------------------------------------------------------------------- */

struct sharing {
	struct isx_ranges ranges;
	uint64_t *ids; /* ascending */
	size_t count;
	atomic_uint *seen; /* how often each was scanned */
	atomic_size_t pieces;
};

static void *scan_ranges(void *arg)
{
	struct sharing *sharing = arg;
	uint64_t id_min, id_max, compared = 0, given;
	bool has_piece = false;
	while (isx_ranges_take(&sharing->ranges, has_piece, &id_min, &id_max)) {
		size_t at = 0;
		has_piece = true;
		given = compared;
		atomic_fetch_add(&sharing->pieces, 1);
		while (at < sharing->count && sharing->ids[at] < id_min)
			at++;
		for (; at < sharing->count && sharing->ids[at] <= id_max; at++) {
			isx_ranges_share(&sharing->ranges, sharing->ids[at], compared, &given,
					 &id_max);
			atomic_fetch_add(&sharing->seen[at], 1);
			compared += 1 << 14;
		}
	}
	return NULL;
}

/* Threads that give each other parts of a range scan everything once, also where nearly all
 * ISCC-IDs lie in a narrow part of it, and at both ends of what 64 bits can say. */
static void test_pass__ranges_are_shared_without_gaps(void **state)
{
	enum { IDS = 4000 };
	static uint64_t ids[IDS];
	static atomic_uint seen[IDS];
	(void)state;
	for (size_t round = 0; round < 20; round++) {
		struct sharing sharing = { .ids = ids, .count = IDS, .seen = seen };
		pthread_t threads[5];
		uint64_t at = 0, step = 1ull << (test_random(&fx.random) % 40);
		for (size_t i = 0; i < IDS; i++) {
			at += 1 + (i > IDS / 2 ? test_random(&fx.random) % 3
					       : test_random(&fx.random) % step);
			ids[i] = round % 2 ? at : UINT64_MAX - (IDS - 1 - i);
			atomic_store(&seen[i], 0);
		}
		isx_ranges_init(&sharing.ranges, 0, ids[IDS - 1]);
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, scan_ranges, &sharing),
					 0);
		for (size_t i = 0; i < 5; i++)
			pthread_join(threads[i], NULL);
		isx_ranges_release(&sharing.ranges);
		for (size_t i = 0; i < IDS; i++)
			assert_int_equal(atomic_load(&seen[i]), 1);
		assert_true(atomic_load(&sharing.pieces) >= 1);
	}
}

/* --- slots ------------------------------------------------------------------------------------ */

static bool always(void *arg)
{
	(void)arg;
	return true;
}

static bool never(void *arg)
{
	(*(unsigned *)arg)++;
	return false;
}

/* A search never waits longer than ISX_PASS_WAIT_MS for others, and one that is no longer wanted
 * gives up before. */
static void test_pass__a_wait_for_a_slot_is_bounded(void **state)
{
	unsigned asked = 0;
	(void)state;
	assert_true(isx_scan_slot_take(2, ISX_PASS_WAIT_MS, always, NULL));
	assert_int_equal(isx_scan_slots_try(2, 5), 1);
	assert_int_equal(isx_scan_slots_try(2, 5), 0);
	assert_int_equal(isx_scan_slots_try(4, 5), 2);
	isx_scan_slots_release(2);
	assert_false(isx_scan_slot_take(2, ISX_PASS_WAIT_MS, never, &asked));
	assert_int_equal(asked, 1);
	uint64_t start = isx_clock_ns();
	assert_true(isx_scan_slot_take(2, ISX_PASS_WAIT_MS, always, NULL));
	assert_true(isx_clock_ns() - start >= (uint64_t)ISX_PASS_WAIT_MS * 1000000u);
	assert_int_equal(isx_scan_slots_try(3, 1), 0);
	isx_scan_slots_release(3);
	assert_int_equal(isx_scan_slots_try(3, 9), 3);
	isx_scan_slots_release(3);
}

/* A program may fork while another thread searches: the child has all slots. */
static void test_pass__a_fork_leaves_no_slot_behind(void **state)
{
	int status = -1;
	(void)state;
	assert_true(isx_scan_slot_take(2, ISX_PASS_WAIT_MS, always, NULL));
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(isx_scan_slots_try(2, 9) == 2 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(isx_scan_slots_try(2, 9), 1);
	isx_scan_slots_release(2);
}

/* --- a costly query --------------------------------------------------------------------------- */

/* A search in a thread of its own; `other` has to be answered while it is evaluated. */
struct beside {
	struct isx_query query;
	struct beside *other; /* NULL: it waits for no other */
	atomic_bool *is_begun;
	atomic_uint asked;
	atomic_bool is_over, has_waited_in_vain;
	enum isx_status status;
};

static enum isx_status wait_for_other(void *arg, struct isx_err *err)
{
	struct beside *own = arg;
	uint64_t end_ns = isx_clock_after_ms(30000);
	atomic_fetch_add(&own->asked, 1);
	while (own->other && atomic_load(own->is_begun) && !atomic_load(&own->other->is_over)) {
		usleep(1000);
		if (isx_clock_ns() > end_ns) {
			atomic_store(&own->has_waited_in_vain, true);
			return isx_fail(err, ISX_CANCELLED, "waited in vain");
		}
	}
	return ISX_OK;
}

static void *search_beside(void *arg)
{
	struct beside *own = arg;
	struct isx_result *result = NULL;
	struct isx_err err;
	own->status = isx_search(fx.store, "filtered", &own->query, &result, &err);
	isx_result_free(result);
	atomic_store(&own->is_over, true);
	return NULL;
}

static void add_numbered(size_t count)
{
	static const char *const fields[] = { "n" };
	struct isx_err err;
	if (isx_index_create(fx.store, "filtered", &err) ||
	    isx_fields_set(fx.store, "filtered", fields, 1, NULL, NULL, &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < count; i++) {
		char metadata[32];
		snprintf(metadata, sizeof metadata, "{\"n\": %zu}", i);
		const struct isx_asset asset = { .iscc_id = fx.items[i].id_text,
						 .units = fx.items[i].texts,
						 .unit_count = fx.items[i].count,
						 .metadata = metadata };
		if (isx_add(fx.store, "filtered", &asset, 1, NULL, &err))
			fail_msg("%s", err.msg);
	}
}

/* Searches that come while all processors are busy share a pass, but not with one whose filter has so
 * many conditions that the others would wait for its evaluation. */
static void test_pass__no_search_waits_for_the_filter_of_another(void **state)
{
	enum { ASSETS_FILTERED = 200, CONDITIONS = 900, SLOTS = 4 };
	static const char condition[] = "{\"field\": \"n\", \"exists\": true},";
	static char filter[CONDITIONS * sizeof condition + 32];
	static struct beside searches[2];
	static atomic_bool is_begun;
	pthread_t threads[2];
	size_t at = (size_t)snprintf(filter, sizeof filter, "{\"any\": [");
	(void)state;
	add_numbered(ASSETS_FILTERED);
	for (size_t i = 0; i < CONDITIONS; i++)
		at += (size_t)snprintf(filter + at, sizeof filter - at, "%s", condition);
	snprintf(filter + at - 1, sizeof filter - at + 1, "]}");
	assert_true(isx_scan_slot_take(SLOTS, ISX_PASS_WAIT_MS, always, NULL));
	assert_int_equal(isx_scan_slots_try(SLOTS, SLOTS - 1), SLOTS - 1);
	for (size_t i = 0; i < 2; i++) {
		struct beside *search = &searches[i];
		search->query = (struct isx_query){ .units = fx.items[0].texts,
						    .unit_count = fx.items[0].count,
						    .filter = i ? NULL : filter,
						    .limit = 10 };
		search->query.cancel_check = wait_for_other;
		search->query.cancel_arg = search;
		search->other = i ? NULL : &searches[1];
		search->is_begun = &is_begun;
		assert_int_equal(pthread_create(&threads[i], NULL, search_beside, search), 0);
		while (atomic_load(&search->asked) < 2 && !atomic_load(&search->is_over))
			usleep(1000); /* it waits in a pass when it has been asked again */
	}
	atomic_store(&is_begun, true);
	isx_scan_slots_release(SLOTS);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_false(atomic_load(&searches[0].has_waited_in_vain));
	assert_int_equal(searches[0].status, ISX_OK);
	assert_int_equal(searches[1].status, ISX_OK);
}

/* --- another program -------------------------------------------------------------------------- */

/* As another program: commit a change that leaves what is derived out of date. Returns whether it
 * has failed.
 *   env  filled */
static bool write_foreign(const char *path, MDB_env **env)
{
	MDB_txn *txn;
	MDB_dbi table;
	MDB_val key = { 7, "another" }, value = { 7, "program" };
	alarm(60); /* a test that waits for this program fails, and does not wait forever */
	return mdb_env_create(env) || mdb_env_set_maxdbs(*env, 64) ||
	       mdb_env_open(*env, path, MDB_NOSUBDIR, 0644) || mdb_txn_begin(*env, NULL, 0, &txn) ||
	       mdb_dbi_open(txn, ISX_TABLE_METADATA, 0, &table) ||
	       mdb_put(txn, table, &key, &value, 0) || mdb_txn_commit(txn);
}

/* The same, and go on writing until `go_on` is closed.
 *   ready  told when it writes again */
static int keep_writing(const char *path, int ready, int go_on)
{
	MDB_env *env;
	MDB_txn *txn;
	char byte = 0;
	if (write_foreign(path, &env) || mdb_txn_begin(env, NULL, 0, &txn) ||
	    write(ready, &byte, 1) != 1)
		return 1;
	while (read(go_on, &byte, 1) > 0)
		;
	mdb_txn_abort(txn);
	return 0;
}

static void test_pass__a_search_waits_for_no_writer_when_it_takes_threads(void **state)
{
	char folder[] = "/tmp/isx-crew-XXXXXX", uri[64], path[96], byte;
	int ready[2], go_on[2], status = -1;
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	struct isx_options options;
	struct isx_crew crew;
	struct isx_err err;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(uri, sizeof uri, "usearch://%s", folder);
	snprintf(path, sizeof path, "%s/main/index.lmdb", folder);
	struct isx_store *store = open_with_threads(uri, 1);
	const struct isx_asset asset = { .units = fx.items[0].texts, .unit_count = 1 };
	if (isx_index_create(store, "main", &err) || isx_add(store, "main", &asset, 1, NULL, &err))
		fail_msg("%s", err.msg);
	isx_close(store);
	isx_options_init(&options);
	options.map_bytes = 1ull << 30;
	if (isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, &file, &err) ||
	    isx_lmdb_read(file, ISX_PAGES_ROWS, &view, &err))
		fail_msg("%s", err.msg);
	isx_crew_begin(&crew, &view, 3, 9);
	assert_int_equal(crew.count, 4); /* and the caller's slot, which it need not have here */
	isx_crew_end(&crew);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go_on), 0);
	pid_t other = fork();
	assert_true(other >= 0);
	if (other == 0) {
		close(go_on[1]);
		_exit(keep_writing(path, ready[1], go_on[0]));
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	isx_crew_begin(&crew, &view, 3, 9);
	assert_int_equal(waitpid(other, &status, WNOHANG), 0); /* it writes still */
	assert_int_equal(crew.count, 1);
	assert_int_equal(isx_scan_slots_try(3, 9), 3);
	isx_scan_slots_release(3);
	isx_crew_end(&crew);
	close(go_on[1]);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	isx_lmdb_end(&view);
	isx_lmdb_file_close(file);
	close(ready[0]);
	close(go_on[0]);
	test_remove_tree(folder);
}

/* A copy of the file, which another program has written last, takes its place. */
static int replace_file(const char *path)
{
	char copy[112];
	MDB_env *env;
	snprintf(copy, sizeof copy, "%s.copy", path);
	return write_foreign(path, &env) || mdb_env_copy(env, copy) || rename(copy, path) != 0;
}

struct replacing {
	char path[96];
	unsigned asked;
};

/* A cancel check: the file is replaced when the second query of a batch is begun. */
static enum isx_status replace_once(void *arg, struct isx_err *err)
{
	struct replacing *replacing = arg;
	int status = -1;
	if (replacing->asked++)
		return ISX_OK;
	pid_t other = fork();
	if (other == 0)
		_exit(replace_file(replacing->path));
	return waitpid(other, &status, 0) == other && status == 0
		       ? ISX_OK
		       : isx_fail(err, ISX_CANCELLED, "not replaced");
}

/* What is derived has to be made again, and cannot be: the index has another file. */
static void test_pass__a_batch_goes_on_in_the_file_that_replaces_the_old_one(void **state)
{
	char folder[] = "/tmp/isx-batch-XXXXXX", uri[64];
	struct replacing replacing = { 0 };
	struct isx_query queries[3];
	struct isx_result *results[3];
	struct isx_err errs[3], err;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(uri, sizeof uri, "usearch://%s", folder);
	snprintf(replacing.path, sizeof replacing.path, "%s/main/index.lmdb", folder);
	struct isx_store *store = open_with_threads(uri, 1);
	const struct isx_asset asset = { .units = fx.items[0].texts, .unit_count = 1 };
	if (isx_index_create(store, "main", &err) || isx_add(store, "main", &asset, 1, NULL, &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < 3; i++)
		queries[i] = (struct isx_query){ .units = fx.items[0].texts, .unit_count = 1 };
	queries[1].cancel_check = replace_once;
	queries[1].cancel_arg = &replacing;
	if (isx_search_many(store, "main", queries, 3, results, errs, &err))
		fail_msg("%s", err.msg);
	assert_true(replacing.asked > 1);
	for (size_t i = 0; i < 3; i++) {
		if (errs[i].status)
			fail_msg("query %zu: %s", i, errs[i].msg);
		assert_int_equal(results[i]->match_count, 1);
		isx_result_free(results[i]);
	}
	isx_close(store);
	test_remove_tree(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass__a_search_alone_equals_the_model),
		cmocka_unit_test(test_pass__a_batch_equals_the_model_whatever_is_in_it),
		cmocka_unit_test(test_pass__ties_are_decided_by_the_iscc_id_however_a_pass_is_cut),
		cmocka_unit_test(test_pass__every_rank_is_the_same_however_a_pass_is_cut),
		cmocka_unit_test(test_pass__a_batch_on_an_index_that_is_not_there_fails),
		cmocka_unit_test(test_pass__searches_of_many_threads_equal_the_model),
		cmocka_unit_test(test_pass__every_member_sees_what_was_written_before_it_came),
		cmocka_unit_test(test_pass__ranges_are_shared_without_gaps),
		cmocka_unit_test(test_pass__a_wait_for_a_slot_is_bounded),
		cmocka_unit_test(test_pass__a_fork_leaves_no_slot_behind),
		cmocka_unit_test(test_pass__no_search_waits_for_the_filter_of_another),
		cmocka_unit_test(test_pass__a_search_waits_for_no_writer_when_it_takes_threads),
		cmocka_unit_test(test_pass__a_batch_goes_on_in_the_file_that_replaces_the_old_one),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
