/*
 * test_duplicates.c - near-duplicates, compared with a plain model and with searches.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/iscc_id.h"
#include "support.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

enum { ASSETS_MAX = 1200, UNITS_MAX = 64, TYPES = 3, PAIRS_MAX = ASSETS_MAX * ASSETS_MAX };

struct unit {
	size_t type;
	uint32_t bytes;
	uint8_t body[32];
};

struct asset {
	uint64_t id;
	size_t count;
	struct unit units[UNITS_MAX];
};

/* One index of the model. */
struct collection {
	const char *name;
	size_t count;
	struct asset assets[ASSETS_MAX];
};

struct pair {
	uint64_t id, match;
	double score;
	double types[TYPES]; /* -1: not listed */
};

struct pairs {
	size_t count;
	size_t allowed; /* pairs until take_pair() cancels; 0: all */
	struct pair list[PAIRS_MAX];
};

static const uint32_t type_numbers[TYPES] = { ISX_META, ISX_DATA, ISX_INSTANCE };
static const char *const type_names[TYPES] = { "META_NONE_V0", "DATA_NONE_V0", "INSTANCE_NONE_V0" };

static struct collection main_index = { .name = "main" }, reference = { .name = "reference" };
static struct pairs found, expected;
static struct isx_err err;

/* --- assets ----------------------------------------------------------------------------------- */

/* Near one of a few centres, so that there is something to find. */
static void random_unit(struct unit *unit, uint64_t *seed)
{
	static const uint32_t lengths[] = { 4, 8, 8, 12, 16, 24, 32, 32 };
	uint64_t centre = test_random(seed) % 40, flips = test_random(seed) % 30;
	*unit = (struct unit){ .type = test_random(seed) % TYPES,
			       .bytes = lengths[test_random(seed) % 8] };
	for (size_t i = 0; i < 32; i++)
		unit->body[i] = (uint8_t)(centre * 53 + i * 31 * (centre + 1));
	if (unit->type == 2) {
		unit->body[3 + test_random(seed) % 6] ^= flips % 2;
		return;
	}
	for (uint64_t i = 0; i < flips; i++) {
		uint64_t bit = test_random(seed) % 256;
		unit->body[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
}

/* Up to five units; one in four is a form of an earlier one, in another length. */
static void random_assets(struct collection *collection, size_t count, uint64_t *seed)
{
	collection->count = count;
	for (size_t i = 0; i < count; i++) {
		struct asset *asset = &collection->assets[i];
		asset->id = (i ? asset[-1].id : 1) + 1 + test_random(seed) % 1000;
		asset->count = 1 + test_random(seed) % 5;
		for (size_t u = 0; u < asset->count; u++) {
			random_unit(&asset->units[u], seed);
			if (u && test_random(seed) % 4 == 0) {
				asset->units[u] = asset->units[test_random(seed) % u];
				asset->units[u].bytes = 4u << test_random(seed) % 4;
			}
		}
	}
}

static void add_asset(struct isx_store *store, const char *name, const struct asset *asset)
{
	static char texts[UNITS_MAX][ISX_UNIT_TEXT_BYTES];
	const char *units[UNITS_MAX];
	char id[24];
	const struct isx_iscc_id iscc_id = { .body = asset->id, .version = 1 };
	for (size_t u = 0; u < asset->count; u++) {
		const struct unit *unit = &asset->units[u];
		test_unit_text(type_numbers[unit->type], unit->body, unit->bytes, texts[u]);
		units[u] = texts[u];
	}
	isx_iscc_id_print(&iscc_id, id);
	const struct isx_asset one = { .iscc_id = id, .units = units, .unit_count = asset->count };
	assert_int_equal(isx_add(store, name, &one, 1, NULL, &err), ISX_OK);
}

static void add_all(struct isx_store *store, const struct collection *collection)
{
	assert_int_equal(isx_index_create(store, collection->name, &err), ISX_OK);
	for (size_t i = 0; i < collection->count; i++)
		add_asset(store, collection->name, &collection->assets[i]);
}

static struct isx_store *open_store(uint32_t threads, double threshold)
{
	struct isx_options options;
	struct isx_store *store;
	isx_options_init(&options);
	options.threads = threads;
	options.match_threshold_units = threshold;
	assert_int_equal(isx_open("memory://", &options, &store, &err), ISX_OK);
	return store;
}

/* --- the model -------------------------------------------------------------------------------- */

static bool has_longer_form(const struct asset *asset, size_t u)
{
	const struct unit *unit = &asset->units[u];
	for (size_t i = 0; i < asset->count; i++)
		if (asset->units[i].type == unit->type && asset->units[i].bytes > unit->bytes &&
		    memcmp(asset->units[i].body, unit->body, unit->bytes) == 0)
			return true;
	return false;
}

static double unit_score(const struct unit *a, const struct unit *b)
{
	uint32_t bytes = a->bytes < b->bytes ? a->bytes : b->bytes, differing = 0;
	for (uint32_t i = 0; i < bytes; i++)
		differing += (uint32_t)__builtin_popcount(a->body[i] ^ b->body[i]);
	if (a->type == 2)
		return differing ? -1 : 1;
	return 1.0 - differing / (bytes * 8.0);
}

/* Is it a pair, and with which scores of types? `which`: the type that counts; TYPES: all. */
static bool is_pair(const struct asset *a, const struct asset *b, double min_score, size_t which,
		    struct pair *pair)
{
	bool is = false;
	*pair = (struct pair){ .id = a->id, .match = b->id, .types = { -1, -1, -1 } };
	for (size_t i = 0; i < a->count; i++)
		for (size_t k = 0; k < b->count; k++) {
			double *best = &pair->types[a->units[i].type];
			if (a->units[i].type != b->units[k].type || has_longer_form(a, i) ||
			    has_longer_form(b, k) || (which < TYPES && a->units[i].type != which))
				continue;
			double score = unit_score(&a->units[i], &b->units[k]);
			*best = score > *best ? score : *best;
			is |= score >= min_score;
		}
	return is;
}

/* All pairs of two collections, or within one, from the ISCC-ID `from` on. */
static void find_expected(const struct collection *one, const struct collection *other,
			  double min_score, size_t which, uint64_t from)
{
	expected.count = 0;
	for (size_t i = 0; i < one->count; i++)
		for (size_t k = one == other ? i + 1 : 0; k < other->count; k++)
			if (one->assets[i].id >= from &&
			    is_pair(&one->assets[i], &other->assets[k], min_score, which,
				    &expected.list[expected.count]))
				expected.count++;
}

/* --- what is tested --------------------------------------------------------------------------- */

static enum isx_status take_pair(const struct isx_pair *pair, void *arg, struct isx_err *why)
{
	struct isx_iscc_id id, match;
	struct pairs *pairs = arg;
	struct pair *kept = &pairs->list[pairs->count++];
	assert_true(pairs->count < PAIRS_MAX);
	assert_int_equal(isx_iscc_id_parse(isx_span_of(pair->iscc_id), &id, &err), ISX_OK);
	assert_int_equal(isx_iscc_id_parse(isx_span_of(pair->match), &match, &err), ISX_OK);
	*kept = (struct pair){
		.id = id.body, .match = match.body, .score = pair->score, .types = { -1, -1, -1 }
	};
	for (size_t t = 0; t < pair->type_count; t++)
		for (size_t i = 0; i < TYPES; i++)
			if (strcmp(pair->types[t].type, type_names[i]) == 0)
				kept->types[i] = pair->types[t].score;
	if (pairs->count != pairs->allowed)
		return ISX_OK;
	why->status = ISX_CANCELLED;
	snprintf(why->msg, sizeof why->msg, "enough");
	return ISX_CANCELLED;
}

static void find(struct isx_store *store, const struct isx_duplicates_query *query)
{
	found.count = found.allowed = 0;
	enum isx_status st = isx_duplicates(store, "main", query, take_pair, &found, &err);
	if (st)
		fail_msg("%s", err.msg);
}

static void expect_same(void)
{
	for (size_t i = 0; i < expected.count && i < found.count; i++) {
		const struct pair *a = &expected.list[i], *b = &found.list[i];
		assert_int_equal(a->id, b->id);
		assert_int_equal(a->match, b->match);
		for (size_t t = 0; t < TYPES; t++)
			assert_true(a->types[t] == b->types[t]);
	}
	assert_int_equal(expected.count, found.count);
}

/* Each pair is found by a search with one of its assets, either of them, with the same score, and
 * nothing else is. */
static void expect_as_searched(struct isx_store *store, const struct collection *collection)
{
	size_t matches = 0, wanted = 2 * found.count;
	for (size_t i = 0; i < collection->count; i++) {
		char text[24];
		const struct isx_iscc_id id = { .body = collection->assets[i].id, .version = 1 };
		isx_iscc_id_print(&id, text);
		const struct isx_query query = { .iscc_id = text, .limit = ASSETS_MAX };
		struct isx_result *result;
		assert_int_equal(isx_search(store, collection->name, &query, &result, &err),
				 ISX_OK);
		for (size_t m = 0; m < result->match_count; m++) {
			struct isx_iscc_id other;
			size_t p = 0;
			assert_int_equal(isx_iscc_id_parse(isx_span_of(result->matches[m].iscc_id),
							   &other, &err),
					 ISX_OK);
			uint64_t low = other.body < id.body ? other.body : id.body;
			uint64_t high = other.body < id.body ? id.body : other.body;
			while (p < found.count &&
			       (found.list[p].id != low || found.list[p].match != high))
				p++;
			assert_true(p < found.count);
			assert_true(result->matches[m].score == found.list[p].score);
			matches++;
		}
		isx_result_free(result);
	}
	assert_int_equal(matches, wanted);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_duplicates__are_those_of_the_model_whatever_the_threads(void **state)
{
	static const double min_scores[] = { 0.62, 0.75, 0.9, 1.0 };
	uint64_t seed = test_seed();
	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (uint32_t threads = 1; threads <= 4; threads++) {
		double min_score = min_scores[threads - 1];
		random_assets(&main_index, 500 + test_random(&seed) % 600, &seed);
		struct isx_store *store = open_store(threads, min_score);
		add_all(store, &main_index);
		find(store, &(struct isx_duplicates_query){ .has_min_score = true,
							    .min_score = min_score });
		find_expected(&main_index, &main_index, min_score, TYPES, 0);
		expect_same();
		assert_true(found.count > 20);
		isx_close(store);
	}
}

static void test_duplicates__are_what_a_search_by_either_asset_finds(void **state)
{
	uint64_t seed = test_seed() + 1;
	(void)state;
	random_assets(&main_index, 300, &seed);
	struct isx_store *store = open_store(2, 0.85);
	add_all(store, &main_index);
	find(store, &(struct isx_duplicates_query){ .has_min_score = true, .min_score = 0.85 });
	expect_as_searched(store, &main_index);
	isx_close(store);
}

static void test_duplicates__have_a_threshold_of_0_9_unless_told(void **state)
{
	uint64_t seed = test_seed() + 2;
	(void)state;
	random_assets(&main_index, 300, &seed);
	struct isx_store *store = open_store(0, 0.75);
	add_all(store, &main_index);
	find(store, &(struct isx_duplicates_query){ 0 });
	find_expected(&main_index, &main_index, 0.9, TYPES, 0);
	expect_same();
	isx_close(store);
}

static void test_duplicates__count_only_the_types_that_are_named(void **state)
{
	uint64_t seed = test_seed() + 3;
	(void)state;
	random_assets(&main_index, 400, &seed);
	struct isx_store *store = open_store(2, 0.75);
	add_all(store, &main_index);
	for (size_t t = 0; t < TYPES; t++) {
		find(store, &(struct isx_duplicates_query){ .types = &type_names[t],
							    .type_count = 1,
							    .has_min_score = true,
							    .min_score = 0.8 });
		find_expected(&main_index, &main_index, 0.8, t, 0);
		expect_same();
		assert_true(found.count > 0);
	}
	isx_close(store);
}

static void test_duplicates__begin_at_an_iscc_id(void **state)
{
	uint64_t seed = test_seed() + 4;
	(void)state;
	random_assets(&main_index, 700, &seed);
	struct isx_store *store = open_store(3, 0.75);
	add_all(store, &main_index);
	for (size_t i = 0; i < 4; i++) {
		char from[24];
		const struct isx_iscc_id id = { .body = main_index.assets[i * 230 + 1].id - i % 2,
						.version = 1 };
		isx_iscc_id_print(&id, from);
		find(store, &(struct isx_duplicates_query){
				    .from = from, .has_min_score = true, .min_score = 0.8 });
		find_expected(&main_index, &main_index, 0.8, TYPES, id.body);
		expect_same();
	}
	isx_close(store);
}

/* Also with an asset of the reference that has the same ISCC-ID, and one that is older. */
static void test_duplicates__against_a_reference_are_all_pairs_of_both(void **state)
{
	uint64_t seed = test_seed() + 5;
	(void)state;
	random_assets(&main_index, 600, &seed);
	random_assets(&reference, 300, &seed);
	reference.assets[0] = main_index.assets[0];
	struct isx_store *store = open_store(2, 0.75), *other = open_store(2, 0.75);
	add_all(store, &main_index);
	add_all(store, &reference);
	add_all(other, &reference);
	find_expected(&main_index, &reference, 0.8, TYPES, 0);
	find(store, &(struct isx_duplicates_query){
			    .against = "reference", .has_min_score = true, .min_score = 0.8 });
	expect_same();
	assert_int_equal(found.list[0].id, found.list[0].match);
	find(store, &(struct isx_duplicates_query){ .against = "reference",
						    .against_store = other,
						    .has_min_score = true,
						    .min_score = 0.8 });
	expect_same();
	isx_close(store);
	isx_close(other);
}

/* 256 assets of one block have more hits than are kept at once. */
static void test_duplicates__of_very_many_equal_assets_are_all_found(void **state)
{
	uint64_t seed = test_seed() + 6;
	(void)state;
	random_assets(&main_index, 900, &seed);
	for (size_t i = 0; i < main_index.count; i++) {
		main_index.assets[i].count = TYPES;
		for (size_t u = 0; u < TYPES; u++)
			main_index.assets[i].units[u] = (struct unit){ .type = u, .bytes = 8 };
	}
	struct isx_store *store = open_store(2, 0.75);
	add_all(store, &main_index);
	find(store, &(struct isx_duplicates_query){ .has_min_score = true, .min_score = 1 });
	find_expected(&main_index, &main_index, 1, TYPES, 0);
	assert_int_equal(expected.count, 900 * 899 / 2);
	expect_same();
	isx_close(store);
}

/* 64 units of one type in 120 assets: one asset alone has more hits than are kept at once. */
static void test_duplicates__of_one_asset_with_very_many_hits_are_all_found(void **state)
{
	uint64_t seed = test_seed() + 7;
	(void)state;
	random_assets(&main_index, 120, &seed);
	for (size_t i = 0; i < main_index.count; i++) {
		main_index.assets[i].count = UNITS_MAX;
		for (size_t u = 0; u < UNITS_MAX; u++) {
			uint64_t bits = test_random(&seed);
			main_index.assets[i].units[u] = (struct unit){ .type = 0, .bytes = 8 };
			memcpy(main_index.assets[i].units[u].body, &bits, sizeof bits);
		}
	}
	struct isx_store *store = open_store(2, 0.75);
	add_all(store, &main_index);
	find(store, &(struct isx_duplicates_query){ .has_min_score = true, .min_score = 0.01 });
	find_expected(&main_index, &main_index, 0.01, TYPES, 0);
	assert_int_equal(expected.count, 120 * 119 / 2);
	expect_same();
	isx_close(store);
}

static void test_duplicates__end_when_the_caller_has_enough(void **state)
{
	uint64_t seed = test_seed() + 8;
	struct isx_index_info info;
	(void)state;
	random_assets(&main_index, 900, &seed);
	struct isx_store *store = open_store(4, 0.75);
	add_all(store, &main_index);
	found.count = 0;
	found.allowed = 10;
	const struct isx_duplicates_query query = { .has_min_score = true, .min_score = 0.7 };
	assert_int_equal(isx_duplicates(store, "main", &query, take_pair, &found, &err),
			 ISX_CANCELLED);
	assert_string_equal(err.msg, "enough");
	assert_int_equal(found.count, 10);
	assert_int_equal(isx_index_stat(store, "main", &info, &err), ISX_OK);
	assert_int_equal(info.readers, 0);
	isx_index_info_release(&info);
	isx_close(store);
}

struct writing {
	struct isx_store *store;
	struct asset *copy;
};

/* An isx_pair_fn: add an equal asset behind all others, and remove the last one of the pair. */
static enum isx_status write_meanwhile(const struct isx_pair *pair, void *arg, struct isx_err *why)
{
	struct writing *writing = arg;
	if (found.count % 50 == 0) {
		writing->copy->id++;
		add_asset(writing->store, "main", writing->copy);
		enum isx_status st = isx_remove(writing->store, "main", pair->match, &err);
		assert_true(st == ISX_OK || st == ISX_NOT_FOUND);
	}
	return take_pair(pair, &found, why);
}

static void test_duplicates__are_of_one_snapshot(void **state)
{
	uint64_t seed = test_seed() + 11;
	(void)state;
	random_assets(&main_index, 900, &seed);
	struct asset copy = main_index.assets[0];
	copy.id = main_index.assets[899].id;
	struct isx_store *store = open_store(4, 0.75);
	struct writing writing = { store, &copy };
	add_all(store, &main_index);
	found.count = found.allowed = 0;
	const struct isx_duplicates_query query = { .has_min_score = true, .min_score = 0.7 };
	assert_int_equal(isx_duplicates(store, "main", &query, write_meanwhile, &writing, &err),
			 ISX_OK);
	find_expected(&main_index, &main_index, 0.7, TYPES, 0);
	expect_same();
	assert_true(copy.id > main_index.assets[899].id + 5);
	isx_close(store);
}

static enum isx_status refuse(void *arg, struct isx_err *why)
{
	const bool *is_silent = arg;
	if (*is_silent)
		return ISX_CANCELLED;
	why->status = ISX_CANCELLED;
	snprintf(why->msg, sizeof why->msg, "gone");
	return ISX_CANCELLED;
}

static void test_duplicates__can_be_cancelled(void **state)
{
	uint64_t seed = test_seed() + 9;
	(void)state;
	random_assets(&main_index, 600, &seed);
	struct isx_store *store = open_store(2, 0.75);
	add_all(store, &main_index);
	for (int is_silent = 0; is_silent < 2; is_silent++) {
		bool silent = is_silent;
		const struct isx_duplicates_query query = { .cancel_check = refuse,
							    .cancel_arg = &silent };
		err = (struct isx_err){ 0 };
		found.count = found.allowed = 0;
		assert_int_equal(isx_duplicates(store, "main", &query, take_pair, &found, &err),
				 ISX_CANCELLED);
		assert_int_equal(err.status, ISX_CANCELLED);
		assert_string_equal(err.msg, silent ? "" : "gone");
	}
	isx_close(store);
}

/* Sanitizers put a pthread_create() of their own in the place of the library's. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static size_t threads_to_fail; /* the next calls that fail, as without memory for a stack */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *arg),
		   void *arg)
{
	int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	if (threads_to_fail) {
		threads_to_fail--;
		return EAGAIN;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return real(thread, attributes, fn, arg);
}

/* Those that were started do all of the work; without any the call fails. */
static void test_duplicates__are_found_with_fewer_threads_than_wanted(void **state)
{
	uint64_t seed = test_seed() + 13;
	const struct isx_duplicates_query query = { .has_min_score = true, .min_score = 0.9 };
	(void)state;
	random_assets(&main_index, 600, &seed);
	struct isx_store *store = open_store(4, 0.75);
	add_all(store, &main_index);
	find(store, &query);
	const size_t count = found.count;
	assert_true(count > 0);
	for (size_t failing = 1; failing < 4; failing++) {
		threads_to_fail = failing;
		find(store, &query);
		assert_int_equal(found.count, count);
	}
	threads_to_fail = 4;
	found.count = found.allowed = 0;
	assert_int_equal(isx_duplicates(store, "main", &query, take_pair, &found, &err),
			 ISX_UNAVAILABLE);
	assert_int_equal(found.count, 0);
	assert_int_equal(threads_to_fail, 0);
	isx_close(store);
}
#endif

struct progress {
	uint64_t done, total;
	size_t calls;
};

static void note_progress(uint64_t done, uint64_t total, void *arg)
{
	struct progress *progress = arg;
	assert_true(done >= progress->done && done <= total);
	*progress = (struct progress){ done, total, progress->calls + 1 };
}

static void test_duplicates__tell_how_many_pairs_were_compared(void **state)
{
	uint64_t seed = test_seed() + 10;
	char from[24];
	(void)state;
	random_assets(&main_index, 600, &seed);
	random_assets(&reference, 50, &seed);
	struct isx_store *store = open_store(2, 0.75);
	add_all(store, &main_index);
	add_all(store, &reference);
	const struct isx_iscc_id id = { .body = main_index.assets[100].id, .version = 1 };
	isx_iscc_id_print(&id, from);
	struct progress all = { 0 }, rest = { 0 }, against = { 0 };
	struct isx_duplicates_query query = { .progress = note_progress, .progress_arg = &all };
	find(store, &query);
	assert_int_equal(all.total, 600 * 599 / 2);
	assert_int_equal(all.done, all.total);
	query.from = from;
	query.progress_arg = &rest;
	find(store, &query);
	assert_int_equal(rest.total, 500 * 499 / 2);
	query.against = "reference";
	query.progress_arg = &against;
	find(store, &query);
	assert_int_equal(against.total, 500 * 50);
	assert_int_equal(against.done, against.total);
	isx_close(store);
}

/* The ISCC-IDs of the last pair and of the last call of reached(), and how often it was called. */
struct reaching {
	size_t pairs, calls;
	uint64_t last, reached;
};

/* Wait longer than the library does between two calls of reached() once for each batch: a block of
 * 256 assets has several batches here. */
static enum isx_status take_slowly(const struct isx_pair *pair, void *arg, struct isx_err *why)
{
	struct reaching *reaching = arg;
	struct isx_iscc_id id;
	(void)why;
	assert_int_equal(isx_iscc_id_parse(isx_span_of(pair->iscc_id), &id, &err), ISX_OK);
	assert_true(id.body >= reaching->reached);
	reaching->last = id.body;
	if (reaching->pairs++ % 4096 == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 120000000 }, NULL);
	return ISX_OK;
}

static void note_reached(const char *iscc_id, void *arg)
{
	struct reaching *reaching = arg;
	struct isx_iscc_id id;
	assert_int_equal(isx_iscc_id_parse(isx_span_of(iscc_id), &id, &err), ISX_OK);
	assert_true(id.body > reaching->last);
	reaching->reached = id.body;
	reaching->calls++;
}

/* A caller that continues where reached() said gets no pair twice. */
static void test_duplicates__tell_where_to_continue_between_two_blocks_only(void **state)
{
	uint64_t seed = test_seed() + 12;
	(void)state;
	random_assets(&main_index, 900, &seed);
	for (size_t i = 0; i < main_index.count; i++) {
		main_index.assets[i].count = 1;
		main_index.assets[i].units[0] = (struct unit){ .bytes = 8,
							       .body = { (uint8_t)(i % 12) } };
	}
	for (uint32_t threads = 1; threads <= 2; threads++) {
		struct isx_store *store = open_store(threads, 0.75);
		struct reaching reaching = { 0 };
		const struct isx_duplicates_query query = { .has_min_score = true,
							    .min_score = 1,
							    .reached = note_reached,
							    .progress_arg = &reaching };
		add_all(store, &main_index);
		assert_int_equal(
			isx_duplicates(store, "main", &query, take_slowly, &reaching, &err),
			ISX_OK);
		assert_int_equal(reaching.pairs, 12 * 75 * 74 / 2);
		assert_true(reaching.calls > 0);
		isx_close(store);
	}
}

static void expect_refused(struct isx_store *store, const char *name,
			   const struct isx_duplicates_query *query, enum isx_status status,
			   const char *words)
{
	assert_int_equal(isx_duplicates(store, name, query, take_pair, &found, &err), status);
	if (!strstr(err.msg, words))
		fail_msg("'%s' is not in '%s'", words, err.msg);
}

static void test_duplicates__of_wrong_queries_are_refused(void **state)
{
	struct isx_store *store = open_store(2, 0.75), *prefixes;
	char directory[] = "/tmp/isx-test-XXXXXX", uri[64];
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(uri, sizeof uri, "lmdb://%s", directory);
	assert_int_equal(isx_open(uri, NULL, &prefixes, &err), ISX_OK);
	assert_int_equal(isx_index_create(prefixes, "main", &err), ISX_OK);
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	expect_refused(store, "none", &(struct isx_duplicates_query){ 0 }, ISX_NOT_FOUND,
		       "Index 'none' not found");
	expect_refused(store, "main", &(struct isx_duplicates_query){ .against = "none" },
		       ISX_NOT_FOUND, "Index 'none' not found");
	expect_refused(store, "main", &(struct isx_duplicates_query){ .against = "main" },
		       ISX_INVALID, "is the index itself");
	expect_refused(store, "main",
		       &(struct isx_duplicates_query){ .has_min_score = true, .min_score = 1.5 },
		       ISX_INVALID, "min_score");
	expect_refused(store, "main",
		       &(struct isx_duplicates_query){ .has_min_score = true, .min_score = -0.5 },
		       ISX_INVALID, "min_score");
	expect_refused(store, "main", &(struct isx_duplicates_query){ .from = "ISCC:NONE" },
		       ISX_INVALID, "ISCC");
	expect_refused(store, "main", &(struct isx_duplicates_query){ .reserved = { 1 } },
		       ISX_INVALID, "reserved");
	expect_refused(prefixes, "main", &(struct isx_duplicates_query){ 0 }, ISX_UNSUPPORTED,
		       "usearch://");
	expect_refused(
		store, "main",
		&(struct isx_duplicates_query){ .against = "main", .against_store = prefixes },
		ISX_UNSUPPORTED, "another engine");
	isx_close(store);
	isx_close(prefixes);
	test_remove_tree(directory);
}

static void test_duplicates__of_an_empty_index_are_none(void **state)
{
	struct isx_store *store = open_store(2, 0.75);
	(void)state;
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	find(store, &(struct isx_duplicates_query){ 0 });
	assert_int_equal(found.count, 0);
	uint64_t seed = test_seed();
	random_assets(&reference, 1, &seed);
	add_all(store, &reference);
	find(store, &(struct isx_duplicates_query){ .against = "reference" });
	assert_int_equal(found.count, 0);
	add_asset(store, "main", &reference.assets[0]);
	find(store, &(struct isx_duplicates_query){ 0 });
	assert_int_equal(found.count, 0);
	find(store, &(struct isx_duplicates_query){ .against = "reference" });
	assert_int_equal(found.count, 1);
	isx_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_duplicates__are_those_of_the_model_whatever_the_threads),
		cmocka_unit_test(test_duplicates__are_what_a_search_by_either_asset_finds),
		cmocka_unit_test(test_duplicates__have_a_threshold_of_0_9_unless_told),
		cmocka_unit_test(test_duplicates__count_only_the_types_that_are_named),
		cmocka_unit_test(test_duplicates__begin_at_an_iscc_id),
		cmocka_unit_test(test_duplicates__against_a_reference_are_all_pairs_of_both),
		cmocka_unit_test(test_duplicates__of_very_many_equal_assets_are_all_found),
		cmocka_unit_test(test_duplicates__of_one_asset_with_very_many_hits_are_all_found),
		cmocka_unit_test(test_duplicates__end_when_the_caller_has_enough),
		cmocka_unit_test(test_duplicates__are_of_one_snapshot),
		cmocka_unit_test(test_duplicates__can_be_cancelled),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		cmocka_unit_test(test_duplicates__are_found_with_fewer_threads_than_wanted),
#endif
		cmocka_unit_test(test_duplicates__tell_how_many_pairs_were_compared),
		cmocka_unit_test(test_duplicates__tell_where_to_continue_between_two_blocks_only),
		cmocka_unit_test(test_duplicates__of_wrong_queries_are_refused),
		cmocka_unit_test(test_duplicates__of_an_empty_index_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
