/*
 * test_calibrate.c - the sampled distances of an index equal those of a plain model, and are taken
 *                    when the rows of a type have become several times as many, or few.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"
#include "iscc/iscc_id.h"
#include "similarity/sim_calibrate.h"
#include "similarity/sim_engine.h"
#include "similarity/sim_evidence.h"
#include "support.h"

#include <lmdb.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ASSETS = 5000, TYPES = 3, SAMPLED = 4096 };

static const uint32_t maintypes[TYPES] = { ISX_META, ISX_CONTENT, ISX_DATA };
static const char *const types[TYPES] = { "META_NONE_V0", "CONTENT_TEXT_V0", "DATA_NONE_V0" };

/* What the index holds: asset i has an ISCC-ID that rises with i. */
struct model_asset {
	uint8_t bodies[TYPES][ISX_BODY_BYTES_MAX];
	uint32_t bytes[TYPES]; /* 0: it has no unit of this type */
	uint8_t second_bodies[TYPES][ISX_BODY_BYTES_MAX];
	uint32_t second_bytes[TYPES]; /* 0: it has no second unit of this type */
};

static char directory[64], uri[96], path[128];
static struct model_asset assets[ASSETS];

/* --- the index -------------------------------------------------------------------------------- */

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/isx-calibrate-XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	snprintf(path, sizeof path, "%s/main/index.lmdb", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_remove_tree(directory);
	return 0;
}

static struct isx_store *open_store(void)
{
	struct isx_options options;
	struct isx_store *store;
	struct isx_err err;
	isx_options_init(&options);
	options.relaxed = true;
	if (isx_open(uri, &options, &store, &err) ||
	    (isx_index_create(store, "main", &err) && err.status != ISX_EXISTS))
		fail_msg("%s", err.msg);
	return store;
}

static const char *id_text(size_t i, char *text)
{
	struct isx_iscc_id id = { .body = (uint64_t)(i + 1) << 24 };
	isx_iscc_id_print(&id, text);
	return text;
}

/* Add the assets `first` to `first + count - 1` in one transaction.
 *   fail_after  the allocation from which on memory is out; 0: none */
static enum isx_status try_add(struct isx_store *store, size_t first, size_t count,
			       size_t fail_after, struct isx_err *err)
{
	static struct isx_asset batch[ASSETS];
	static char ids[ASSETS][ISX_ISCC_ID_TEXT_BYTES],
		texts[ASSETS][2 * TYPES][ISX_UNIT_TEXT_BYTES];
	static const char *units[ASSETS][2 * TYPES];
	for (size_t i = 0; i < count; i++) {
		const struct model_asset *asset = &assets[first + i];
		batch[i] = (struct isx_asset){ .iscc_id = id_text(first + i, ids[i]),
					       .units = units[i] };
		for (size_t t = 0; t < TYPES; t++) {
			if (!asset->bytes[t])
				continue;
			test_unit_text(maintypes[t], asset->bodies[t], asset->bytes[t],
				       texts[i][t]);
			units[i][batch[i].unit_count++] = texts[i][t];
			if (!asset->second_bytes[t])
				continue;
			test_unit_text(maintypes[t], asset->second_bodies[t],
				       asset->second_bytes[t], texts[i][TYPES + t]);
			units[i][batch[i].unit_count++] = texts[i][TYPES + t];
		}
	}
	isx_mem_fail_after(fail_after);
	enum isx_status st = isx_add(store, "main", batch, count, NULL, err);
	isx_mem_fail_after(0);
	return st;
}

static void add(struct isx_store *store, size_t first, size_t count)
{
	struct isx_err err;
	if (try_add(store, first, count, 0, &err))
		fail_msg("%s", err.msg);
}

static void remove_assets(struct isx_store *store, size_t first, size_t count)
{
	static char texts[ASSETS][ISX_ISCC_ID_TEXT_BYTES];
	static const char *ids[ASSETS];
	bool removed[ASSETS];
	struct isx_err err;
	for (size_t i = 0; i < count; i++)
		ids[i] = id_text(first + i, texts[i]);
	if (isx_remove_many(store, "main", ids, count, removed, &err))
		fail_msg("%s", err.msg);
}

/* What the file of the index says of a type. */
static struct isx_distances distances_of(const char *type)
{
	struct isx_options options;
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	struct isx_distances distances;
	struct isx_err err;
	isx_options_init(&options);
	if (isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, &file, &err) ||
	    isx_lmdb_read(file, ISX_PAGES_BRIEF, &view, &err) ||
	    isx_distances_get(&view, type, &distances, &err))
		fail_msg("%s", err.msg);
	isx_lmdb_end(&view);
	isx_lmdb_file_close(file);
	return distances;
}

static uint64_t sampled_rows(const char *type)
{
	return distances_of(type).rows;
}

/* --- the model -------------------------------------------------------------------------------- */

static uint32_t differing(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < bits; i++)
		count += (a[i / 8] >> i % 8 & 1) != (b[i / 8] >> i % 8 & 1);
	return count;
}

/* A row of the index: a unit. */
struct model_row {
	const struct model_asset *asset;
	const uint8_t *body;
	uint32_t bytes;
};

/* The units of an asset of a type, as the index sorts them: shorter ones first. Returns how many. */
static size_t rows_of(const struct model_asset *asset, size_t t, struct model_row rows[2])
{
	struct model_row first = { asset, asset->bodies[t], asset->bytes[t] };
	struct model_row second = { asset, asset->second_bodies[t], asset->second_bytes[t] };
	bool is_sorted = first.bytes < second.bytes ||
			 (first.bytes == second.bytes &&
			  memcmp(first.body, second.body, first.bytes) < 0);
	rows[0] = is_sorted || !second.bytes ? first : second;
	rows[1] = is_sorted ? second : first;
	return !first.bytes ? 0 : second.bytes ? 2 : 1;
}

/* The unit by which an asset is judged: of the longest ones the first. */
static struct model_row judged_row(const struct model_asset *asset, size_t t)
{
	struct model_row rows[2];
	size_t count = rows_of(asset, t, rows);
	return rows[count == 2 && rows[1].bytes > rows[0].bytes];
}

/* Have two assets a unit of another type with a score of 0.9 or more? Or, if they have no other type
 * in common, such a score of this type? */
static bool is_related(const struct model_asset *a, const struct model_asset *b, size_t type,
		       double score)
{
	bool is_judged = false;
	for (size_t t = 0; t < TYPES; t++) {
		struct model_row left = judged_row(a, t), right = judged_row(b, t);
		uint32_t bits = 8 * (left.bytes < right.bytes ? left.bytes : right.bytes);
		if (t == type || !bits)
			continue;
		if (1 - (double)differing(left.body, right.body, bits) / bits >= 0.9)
			return true;
		is_judged = true;
	}
	return !is_judged && score >= 0.9;
}

/* Which rows are sampled of `count` assets: evenly spaced ones of those that are long enough, sorted by
 * length and ISCC-ID. Returns how many. */
static size_t choose(size_t count, size_t type, uint32_t bits, struct model_row *chosen)
{
	static struct model_row order[2 * ASSETS];
	struct model_row rows[2];
	size_t total = 0, sampled;
	for (uint32_t bytes = bits / 8; bytes <= ISX_BODY_BYTES_MAX; bytes++)
		for (size_t i = 0; i < count; i++)
			for (size_t r = 0, found = rows_of(&assets[i], type, rows); r < found; r++)
				if (rows[r].bytes == bytes)
					order[total++] = rows[r];
	sampled = total <= 1024 ? total : (size_t)(32 * sqrt((double)total));
	sampled = total > 1024 && sampled < 1024 ? 1024 : sampled;
	sampled = sampled > SAMPLED ? SAMPLED : sampled;
	for (size_t i = 0; i < sampled; i++)
		chosen[i] = order[i * total / sampled];
	return sampled;
}

static void expect_model(size_t count, size_t type)
{
	static const uint32_t lengths[] = { 64, 128, 256 };
	static const double near_scores[] = { 0.70, 0.65, 0.65 };
	static struct model_row chosen[SAMPLED];
	struct isx_distances found = distances_of(types[type]);
	for (size_t k = 0; k < 3; k++) {
		uint64_t counts[257] = { 0 }, pairs = 0;
		size_t sampled = choose(count, type, lengths[k], chosen);
		/* of 512 or more rows a far pair of these stands for several */
		size_t step = sampled < 256 ? 1 : sampled / 256;
		for (size_t i = 0; i < sampled; i++) {
			for (size_t j = 0; j < i; j++) {
				const struct model_row *a = &chosen[i], *b = &chosen[j];
				uint32_t distance = differing(a->body, b->body, lengths[k]);
				double score = 1 - (double)distance / lengths[k];
				bool is_near = score >= near_scores[k];
				uint64_t weight = is_near                          ? 1
						  : i % step == 0 && j % step == 0 ? step * step
										   : 0;
				if (is_near && is_related(a->asset, b->asset, type, score))
					continue;
				counts[distance] += weight;
				pairs += weight;
			}
		}
		assert_int_equal(found.samples[k].bits, lengths[k]);
		assert_int_equal(found.samples[k].pairs, pairs);
		for (uint32_t d = 0; d <= lengths[k]; d++)
			assert_int_equal(found.samples[k].counts[d], counts[d]);
	}
}

/* Random assets, of which half are like one before them: near copies in some types, far ones in
 * others. Lengths of 32 to 256 bits; some assets have fewer units. */
static void make_assets(uint64_t seed, size_t count)
{
	static const uint32_t lengths[] = { 4, 8, 8, 12, 16, 20, 32, 32, 32 };
	for (size_t i = 0; i < count; i++) {
		struct model_asset *asset = &assets[i];
		const struct model_asset *like = i ? &assets[test_random(&seed) % i] : asset;
		bool is_like = i && test_random(&seed) % 2;
		memset(asset, 0, sizeof *asset);
		for (size_t t = 0; t < TYPES; t++) {
			uint64_t flips = test_random(&seed) % 80;
			asset->bytes[t] = test_random(&seed) % 20 ? lengths[test_random(&seed) % 9]
								  : 0;
			for (uint32_t b = 0; b < asset->bytes[t]; b++)
				asset->bodies[t][b] = is_like ? like->bodies[t][b]
							      : (uint8_t)test_random(&seed);
			for (uint64_t f = 0; f < flips && asset->bytes[t]; f++) {
				uint32_t bit = (uint32_t)test_random(&seed) % 256;
				if (bit / 8 < asset->bytes[t])
					asset->bodies[t][bit / 8] ^= (uint8_t)(1u << bit % 8);
			}
		}
		if (!asset->bytes[0] && !asset->bytes[1] && !asset->bytes[2]) {
			asset->bytes[0] = 8;
			asset->bodies[0][0] = (uint8_t)i;
		}
	}
}

/* Give one in four assets a second unit of a type. */
static void make_second_units(uint64_t seed, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t t = 0; t < TYPES; t++) {
			if (!assets[i].bytes[t] || test_random(&seed) % 4)
				continue;
			/* not the beginning of the first one, nor begun by it */
			assets[i].second_bytes[t] = 8 << test_random(&seed) % 3;
			for (size_t b = 0; b < ISX_BODY_BYTES_MAX; b++)
				assets[i].second_bodies[t][b] = (uint8_t)test_random(&seed);
			assets[i].second_bodies[t][0] = (uint8_t)~assets[i].bodies[t][0];
		}
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_calibrate__the_sample_equals_that_of_a_plain_model(void **state)
{
	(void)state;
	make_assets(test_seed(), 600);
	struct isx_store *store = open_store();
	add(store, 0, 600);
	isx_close(store);
	for (size_t t = 0; t < TYPES; t++)
		expect_model(600, t);
}

/* Each unit is a row of the sample; by which one of another type an asset is judged is looked up in
 * the tables of several lengths. */
static void test_calibrate__assets_with_several_units_of_a_type(void **state)
{
	(void)state;
	make_assets(test_seed() + 2, 1500);
	make_second_units(test_seed() + 3, 1500);
	struct isx_store *store = open_store();
	add(store, 0, 1500);
	isx_close(store);
	for (size_t t = 0; t < TYPES; t++)
		expect_model(1500, t);
}

/* More rows than are sampled: evenly spaced ones, of tables of several pages. */
static void test_calibrate__many_rows_are_sampled_evenly(void **state)
{
	(void)state;
	make_assets(test_seed() + 1, ASSETS);
	for (size_t i = 0; i < ASSETS; i++) { /* over 4,096 rows of 64 bits or more */
		if (!assets[i].bytes[1] || assets[i].bytes[1] == 4)
			assets[i].bytes[1] = 8;
		assets[i].bytes[2] = 0;
	}
	struct isx_store *store = open_store();
	add(store, 0, ASSETS);
	isx_close(store);
	expect_model(ASSETS, 1);
}

/* By a factor of two, and from 1,024 rows on, by four. */
static void test_calibrate__samples_are_taken_when_rows_grow_or_shrink(void **state)
{
	const char *type = types[1];
	(void)state;
	make_assets(test_seed(), 4100);
	for (size_t i = 0; i < 4100; i++)
		assets[i].bytes[1] = 8;
	struct isx_store *store = open_store();
	add(store, 0, 63);
	assert_int_equal(sampled_rows(type), 0);
	add(store, 63, 1);
	assert_int_equal(sampled_rows(type), 64);
	add(store, 64, 63);
	assert_int_equal(sampled_rows(type), 64); /* of 127 */
	add(store, 127, 2);
	assert_int_equal(sampled_rows(type), 129);
	add(store, 0, 100); /* again: the number of rows stays */
	assert_int_equal(sampled_rows(type), 129);
	add(store, 129, 896);
	assert_int_equal(sampled_rows(type), 1025);
	add(store, 1025, 3074);
	assert_int_equal(sampled_rows(type), 1025); /* of 4,099 */
	add(store, 4099, 1);
	assert_int_equal(sampled_rows(type), 4100);
	remove_assets(store, 1026, 3074);
	assert_int_equal(sampled_rows(type), 4100); /* of 1,026 */
	remove_assets(store, 1023, 3);
	assert_int_equal(sampled_rows(type), 1023);
	remove_assets(store, 512, 511);
	assert_int_equal(sampled_rows(type), 1023); /* of 512 */
	remove_assets(store, 511, 1);
	assert_int_equal(sampled_rows(type), 511);
	remove_assets(store, 63, 448);
	assert_int_equal(sampled_rows(type), 0); /* of 63 */
	remove_assets(store, 0, 63);
	assert_int_equal(sampled_rows(type), 0);
	isx_close(store);
}

/* The sample depends on the rows, not on the order in which they came. */
static void test_calibrate__the_same_rows_give_the_same_sample(void **state)
{
	struct isx_distances first, second;
	(void)state;
	make_assets(test_seed(), 500);
	struct isx_store *store = open_store();
	add(store, 0, 500);
	isx_close(store);
	first = distances_of(types[1]);
	test_remove_tree(directory);
	assert_int_equal(set_up(state), 0);
	store = open_store();
	add(store, 450, 50);
	add(store, 0, 40);
	add(store, 40, 410); /* over twice what was there */
	isx_close(store);
	second = distances_of(types[1]);
	assert_memory_equal(&first, &second, sizeof first);
}

/* Equal titles of 100 different works are no evidence; 100 equal works are related. */
static void test_calibrate__equal_titles_and_equal_assets(void **state)
{
	struct isx_chance_tail tail;
	(void)state;
	make_assets(test_seed(), 200);
	for (size_t i = 0; i < 200; i++) {
		assets[i].bytes[0] = 16;
		memset(assets[i].bodies[0], 5, 16);
		assets[i].bytes[1] = 32;
		memset(assets[i].bodies[1], i < 100 ? (int)i : 7, 32);
		assets[i].bytes[2] = i < 100 ? 0 : 8;
		memset(assets[i].bodies[2], 9, 8);
	}
	struct isx_store *store = open_store();
	add(store, 0, 100);
	isx_close(store);
	struct isx_distances found = distances_of(types[0]);
	const struct isx_chance_sample *sample = isx_distances_sample(&found, 128);
	assert_int_equal(found.rows, 100);
	assert_non_null(sample);
	assert_int_equal(sample->counts[0], 100 * 99 / 2);
	isx_chance_tail_fill(&tail, 128, sample);
	assert_true(tail.log_p[0] == 0);
	/* 256 bits: none has so many, and those of 128 stand for them */
	assert_ptr_equal(isx_distances_sample(&found, 256), sample);
	assert_int_equal(isx_distances_sample(&found, 96)->bits, 64);
	assert_null(isx_distances_sample(&found, 56));
	test_remove_tree(directory);
	assert_int_equal(set_up(state), 0);
	store = open_store();
	add(store, 100, 100);
	isx_close(store);
	found = distances_of(types[0]);
	assert_int_equal(found.rows, 100);
	assert_null(isx_distances_sample(&found, 256));
}

/* Works of one type: that each has a copy does not make copies a matter of chance. */
static void test_calibrate__copies_in_an_index_of_one_type_are_no_chance(void **state)
{
	struct isx_chance_tail tail, random;
	uint64_t seed = test_seed();
	(void)state;
	memset(assets, 0, sizeof assets);
	for (size_t i = 0; i < 600; i++) {
		assets[i].bytes[1] = 32;
		for (size_t b = 0; b < 32; b++)
			assets[i].bodies[1][b] = i % 2 ? assets[i - 1].bodies[1][b]
						       : (uint8_t)test_random(&seed);
	}
	struct isx_store *store = open_store();
	add(store, 0, 600);
	isx_close(store);
	struct isx_distances found = distances_of(types[1]);
	isx_chance_tail_fill(&tail, 256, isx_distances_sample(&found, 256));
	isx_chance_tail_fill(&random, 256, NULL);
	assert_true(tail.log_p[0] == random.log_p[0]);
	expect_model(600, 1);
}

/* Of 520 rows each second one is compared for the far pairs, and a pair counts four times: one pair alone
 * says nothing of smaller distances all the same. */
static void test_calibrate__a_single_pair_is_no_evidence(void **state)
{
	static const uint32_t distances[] = { 80, 89, 90, 91 };
	uint64_t seed = 1; /* with others, two of these random codes may be so near, too */
	for (size_t k = 0; k < 4; k++) {
		struct isx_chance_tail tail, random;
		memset(assets, 0, sizeof assets);
		for (size_t i = 0; i < 520; i++) {
			assets[i].bytes[1] = 32;
			for (size_t b = 0; b < 32; b++)
				assets[i].bodies[1][b] = (uint8_t)test_random(&seed);
		}
		memcpy(assets[200].bodies[1], assets[100].bodies[1], 32);
		for (uint32_t bit = 0; bit < distances[k]; bit++)
			assets[200].bodies[1][bit / 8] ^= (uint8_t)(1u << bit % 8);
		struct isx_store *store = open_store();
		add(store, 0, 520);
		isx_close(store);
		struct isx_distances found = distances_of(types[1]);
		assert_int_equal(found.samples[2].counts[distances[k]], distances[k] < 90 ? 1 : 4);
		isx_chance_tail_fill(&tail, 256, isx_distances_sample(&found, 256));
		isx_chance_tail_fill(&random, 256, NULL);
		for (uint32_t d = 0; d < 90; d++)
			assert_true(tail.log_p[d] == random.log_p[d]);
		expect_model(520, 1);
		test_remove_tree(directory);
		assert_int_equal(set_up(state), 0);
	}
}

/* Write with LMDB itself, as another program: with NULL the record is removed.
 *   derives  does this program take the write for its own? */
static void foreign_put(const char *name, const void *bytes, size_t count, bool derives)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi table;
	uint8_t mark[8];
	assert_int_equal(mdb_env_create(&env), 0);
	mdb_env_set_maxdbs(env, 64);
	assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0644), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, ISX_TABLE_METADATA, 0, &table), 0);
	MDB_val key = { strlen(name), (char *)(uintptr_t)name };
	MDB_val value = { count, (void *)(uintptr_t)bytes };
	assert_int_equal(
		bytes ? mdb_put(txn, table, &key, &value, 0) : mdb_del(txn, table, &key, NULL), 0);
	isx_store_be64(mark, isx_lmdb_derived_mark(mdb_txn_id(txn)));
	key = (MDB_val){ strlen(ISX_META_DERIVED), ISX_META_DERIVED };
	value = (MDB_val){ sizeof mark, mark };
	if (derives)
		assert_int_equal(mdb_put(txn, table, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void add_once(size_t count)
{
	struct isx_store *store = open_store();
	make_assets(test_seed(), count + 1);
	for (size_t i = 0; i <= count; i++)
		assets[i].bytes[1] = 8;
	add(store, 0, count);
	isx_close(store);
}

/* A file that a version before samples has written: searched without, sampled by the next add. */
static void test_calibrate__a_file_without_samples_gets_them_by_the_next_add(void **state)
{
	(void)state;
	add_once(200);
	foreign_put("isx:distances:CONTENT_TEXT_V0", NULL, 0, true);
	assert_int_equal(sampled_rows(types[1]), 0);
	struct isx_store *store = open_store();
	add(store, 200, 1);
	isx_close(store);
	assert_int_equal(sampled_rows(types[1]), 201);
}

/* 0.3.3 has written: rows are made again, and sampled again, whatever their number was. */
static void test_calibrate__samples_are_taken_again_after_another_program(void **state)
{
	(void)state;
	add_once(300);
	struct isx_store *store = open_store();
	remove_assets(store, 200, 100);
	isx_close(store);
	assert_int_equal(sampled_rows(types[1]), 300);
	foreign_put("another program", "", 0, false);
	assert_int_equal(sampled_rows(types[1]), 200);
	expect_model(200, 1);
}

/* Memory that runs out while an add samples fails the add as a whole. */
static void test_calibrate__an_add_that_cannot_sample_leaves_nothing(void **state)
{
	enum isx_status st = ISX_NO_MEMORY;
	struct isx_err err;
	size_t failures = 0;
	(void)state;
	add_once(63);
	struct isx_store *store = open_store();
	for (; st; failures++) {
		st = try_add(store, 63, 1, failures + 1, &err);
		assert_true(st == ISX_OK || st == ISX_NO_MEMORY);
		assert_int_equal(sampled_rows(types[1]), st ? 0 : 64);
	}
	isx_close(store);
	assert_true(failures > 10);
	expect_model(64, 1);
}

/* Searches of one pass share what is known of a type. One that has no memory for it must not leave
 * the next one without the sample, which would take the distances of random codes. */
static void test_calibrate__a_search_without_memory_leaves_the_sample_to_the_next(void **state)
{
	enum { FILLED = 12 << 10 }; /* of the first block of an arena: a sample has no room there */
	struct isx_indexed_unit unit = { .body_bytes = 8 };
	const char *const asked[] = { types[1] };
	const struct isx_query_plan plan = {
		.units = &unit, .unit_count = 1, .types = (const char **)asked, .type_count = 1
	};
	struct isx_scored_type scored = { 0 };
	struct isx_scorer scorer = { .types = &scored, .type_count = 1 };
	struct isx_type_odds *odds = NULL;
	struct isx_arena arena = { 0 };
	struct isx_options options;
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	struct isx_err err;
	(void)state;
	add_once(100);
	isx_options_init(&options);
	if (isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, &file, &err) ||
	    isx_lmdb_read(file, ISX_PAGES_ROWS, &view, &err))
		fail_msg("%s", err.msg);
	snprintf(unit.type, sizeof unit.type, "%s", types[1]);
	assert_non_null(isx_arena_bytes(&arena, FILLED));
	isx_mem_fail_after(1);
	enum isx_status st = isx_sim_find_odds(&view, &plan, &scorer, &odds, &arena, &err);
	isx_mem_fail_after(0);
	assert_int_equal(st, ISX_NO_MEMORY);
	assert_non_null(odds); /* it was entered before memory ran out */
	assert_int_equal(isx_sim_find_odds(&view, &plan, &scorer, &odds, &arena, &err), ISX_OK);
	assert_int_equal(scored.odds->rows, 100);
	assert_non_null(scored.odds->distances);
	assert_int_equal(scored.odds->distances->rows, 100);
	isx_arena_release(&arena);
	isx_lmdb_end(&view);
	isx_lmdb_file_close(file);
}

static char messages[2000];

static void keep_message(const char *text, void *arg)
{
	(void)arg;
	size_t len = strlen(messages);
	snprintf(messages + len, sizeof messages - len, "%s\n", text);
}

static void expect_message(const char *words)
{
	struct isx_check report;
	struct isx_err err;
	struct isx_store *store = open_store();
	messages[0] = '\0';
	if (isx_index_check(store, "main", &report, keep_message, NULL, &err))
		fail_msg("%s", err.msg);
	isx_close(store);
	if (words ? !strstr(messages, words) : messages[0] != '\0')
		fail_msg("%s", messages);
}

static void test_calibrate__check_finds_samples_that_are_wrong(void **state)
{
	uint8_t record[1812];
	const char *name = "isx:distances:CONTENT_TEXT_V0";
	(void)state;
	add_once(300);
	expect_message(NULL);
	memset(record, 0, sizeof record);
	isx_store_be64(record, 300);
	foreign_put(name, record, sizeof record, true);
	expect_message(NULL);
	foreign_put(name, record, sizeof record - 1, true);
	expect_message("the sampled distances of CONTENT_TEXT_V0 cannot be read");
	assert_int_equal(sampled_rows(types[1]), 0);
	isx_store_be32(record + 8, 1u << 31); /* more pairs than are ever sampled */
	foreign_put(name, record, sizeof record, true);
	expect_message("the sampled distances of CONTENT_TEXT_V0 cannot be read");
	isx_store_be32(record + 8, 0);
	isx_store_be64(record, 75);
	foreign_put(name, record, sizeof record, true);
	expect_message("the distances of CONTENT_TEXT_V0 were sampled from 75 rows, but there are "
		       "300");
	isx_store_be64(record, 300);
	foreign_put("isx:distances:GONE_NONE_V0", record, sizeof record, true);
	foreign_put(name, record, sizeof record, true);
	expect_message(NULL); /* of a type that has no rows any more */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_calibrate__##name, set_up, tear_down)
		TEST(the_sample_equals_that_of_a_plain_model),
		TEST(assets_with_several_units_of_a_type),
		TEST(many_rows_are_sampled_evenly),
		TEST(samples_are_taken_when_rows_grow_or_shrink),
		TEST(the_same_rows_give_the_same_sample),
		TEST(equal_titles_and_equal_assets),
		TEST(copies_in_an_index_of_one_type_are_no_chance),
		TEST(a_single_pair_is_no_evidence),
		TEST(a_file_without_samples_gets_them_by_the_next_add),
		TEST(samples_are_taken_again_after_another_program),
		TEST(an_add_that_cannot_sample_leaves_nothing),
		TEST(a_search_without_memory_leaves_the_sample_to_the_next),
		TEST(check_finds_samples_that_are_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
