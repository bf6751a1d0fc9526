/*
 * sim_calibrate.c - sample the distances between unrelated assets, for the p-values of
 *                   engine/chance.h.
 *
 * A sample is taken under the writer lock, of the rows as the transaction leaves them, and never by
 * a search. It takes 4 ms for a type with 8,000 rows, 6 to 16 for more, or 1 ms for 1,000
 * (bench/README.md), so it is taken at each doubling only as long as it is cheap. Nothing in it is
 * random: the same rows give the same sample.
 *
 * Unrelated is what the sample is about: a pair that is near by a unit of another type is left
 * out, as it would count a copy for chance. Memory: rows of 40 bytes, 4,096 at most for each type,
 * and 256 KiB of hits. All samples of a transaction take turns in it: with memory of their
 * own, a fifth of the time of `serve` was that of new pages.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_calibrate.h"

#include "engine/score.h"
#include "scan/kernel.h"
#include "similarity/sim_rows.h"
#include "similarity/sim_scan.h"
#include "similarity/sim_tables.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
	/* Rows of a sample, which make 8 million pairs. Of 1,024 rows the p-value of DATA of 128
	 * bits at 0.75, where few pairs are so near, varied by a factor of 7 between samples of one
	 * index of real assets; more rows cost the square of their number. */
	SAMPLE_ROWS = 4096,
	/* Fewer of a smaller index, so that the time of sampling grows with that of adding: with
	 * 4,096 rows of any index, samples took a third of the time in which 100,000 assets were
	 * added. Its expected numbers are smaller, too, so that larger p-values matter. */
	ROWS_PER_ROOT = 32, /* for each 1 of the square root of all rows */
	CHEAP_ROWS = 1024,  /* fewer are sampled in a millisecond */
	/* At least so many rows are compared for the far pairs, which are many and say little. A far pair
	 * stands for several from 512 rows on. Pairs of so many rows reach down to the near distances even
	 * where codes are random, so that chance.c finds no gap between far and near ones. */
	FAR_ROWS = 256,
	BLOCK_ROWS = 64,  /* compared together with */
	CHUNK_ROWS = 512, /* others: the hits of both stay in the cache */
	TYPES_MAX = 64,   /* 8 main types with at most 8 subtypes: no more exist */
	ROW_BYTES = ISX_UNIT_ROW_BYTES_MAX,
	/* rows, then for each length a u32 for each distance */
	RECORD_BYTES = 8 + 4 * ((64 + 1) + (128 + 1) + (256 + 1))
};

_Static_assert(CHUNK_ROWS >= 2 * FAR_ROWS, "far rows of one sample have no room for their hits");

static const uint32_t lengths[ISX_SAMPLE_LENGTHS] = { 64, 128, 256 };

/* From these scores on a pair is near: it is looked up whether it is related by another type. Of random
 * codes these are one pair in 1,300, 3,900 and 1.6 million; of real ones several times as many. With
 * 0.65 over 64 bits it was one of real codes in 40, which took a quarter of the time. */
static const double near_scores[ISX_SAMPLE_LENGTHS] = { 0.70, 0.65, 0.65 };

/* --- the record of a type --------------------------------------------------------------------- */

static void name_of(const char *type, char name[sizeof ISX_META_DISTANCES + ISX_UNIT_TYPE_MAX])
{
	snprintf(name, sizeof ISX_META_DISTANCES + ISX_UNIT_TYPE_MAX, ISX_META_DISTANCES, type);
}

/* Decode a record; false if it has a wrong length. */
static bool decode(MDB_val value, struct isx_distances *distances)
{
	const uint8_t *from = value.mv_data;
	memset(distances, 0, sizeof *distances);
	if (value.mv_size != RECORD_BYTES)
		return false;
	distances->rows = isx_load_be64(from);
	from += 8;
	for (size_t i = 0; i < ISX_SAMPLE_LENGTHS; i++) {
		struct isx_chance_sample *sample = &distances->samples[i];
		sample->bits = lengths[i];
		for (uint32_t d = 0; d <= lengths[i]; d++, from += 4)
			sample->pairs += sample->counts[d] = isx_load_be32(from);
	}
	return true;
}

/* A count fits 32 bits: SAMPLE_ROWS make fewer pairs. */
static enum isx_status put_record(struct isx_lmdb_view *view, const char *type,
				  const struct isx_distances *distances, struct isx_err *err)
{
	char name[sizeof ISX_META_DISTANCES + ISX_UNIT_TYPE_MAX];
	uint8_t record[RECORD_BYTES], *to = record;
	name_of(type, name);
	isx_store_be64(to, distances->rows);
	to += 8;
	for (size_t i = 0; i < ISX_SAMPLE_LENGTHS; i++)
		for (uint32_t d = 0; d <= lengths[i]; d++, to += 4)
			isx_store_be32(to, (uint32_t)distances->samples[i].counts[d]);
	return isx_lmdb_put_meta(view, name, record, sizeof record, err);
}

/* A record that cannot be decoded is reported by `index check`; a search does without. */
enum isx_status isx_distances_get(struct isx_lmdb_view *view, const char *type,
				  struct isx_distances *distances, struct isx_err *err)
{
	char name[sizeof ISX_META_DISTANCES + ISX_UNIT_TYPE_MAX];
	MDB_val value;
	name_of(type, name);
	MDB_val key = isx_lmdb_val(name, strlen(name));
	int rc = mdb_get(view->txn, view->tables.metadata, &key, &value);
	memset(distances, 0, sizeof *distances);
	if (!rc)
		(void)decode(value, distances);
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, name, err);
}

static enum isx_status remove_record(struct isx_lmdb_view *view, const char *type,
				     struct isx_err *err)
{
	char name[sizeof ISX_META_DISTANCES + ISX_UNIT_TYPE_MAX];
	name_of(type, name);
	MDB_val key = isx_lmdb_val(name, strlen(name));
	int rc = mdb_del(view->txn, view->tables.metadata, &key, NULL);
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, name, err);
}

/* --- sampling --------------------------------------------------------------------------------- */

/* The unit types of an index, with their rows. */
struct types {
	struct {
		char name[ISX_UNIT_TYPE_MAX];
		uint64_t rows;
	} items[TYPES_MAX];
	size_t count;
};

/* An isx_unit_type_fn. */
static enum isx_status add_type(const char *type, uint64_t rows, uint64_t bytes, void *arg,
				struct isx_err *err)
{
	struct types *types = arg;
	(void)bytes, (void)err;
	if (types->count < TYPES_MAX) {
		snprintf(types->items[types->count].name, ISX_UNIT_TYPE_MAX, "%s", type);
		types->items[types->count++].rows = rows;
	}
	return ISX_OK;
}

/* Sampled units: rows as a kernel reads them, all of one size. Behind a body anything may follow. */
struct bodies {
	uint8_t (*rows)[ROW_BYTES];
	uint8_t *bytes; /* of each body; 0: the asset has no unit of this type */
};

/* A sample of one type, over one length: units of at least so many bits, in the order of their
 * lengths, then of their ISCC-IDs; and what their assets have of the other types. */
struct sample {
	struct isx_arena arena; /* of all arrays, which have room for each type of the index */
	uint32_t bits;
	uint64_t total; /* rows of which it is taken */
	struct bodies own;
	size_t count;
	struct bodies *others; /* of other_count types */
	size_t other_count;
	/* By compared bytes: the largest distance of two units whose assets are related by them. A threshold
	 * as of `duplicates`, so that the two agree on what a copy is. */
	int32_t related_max[ISX_BODY_BYTES_MAX + 1];
	struct isx_hit *hits; /* of BLOCK_ROWS rows: room for CHUNK_ROWS of each */
};

static void take_row(struct bodies *bodies, size_t at, const uint8_t *row, size_t body_bytes)
{
	memcpy(bodies->rows[at], row, ISX_KEY_BYTES + body_bytes);
	bodies->bytes[at] = (uint8_t)body_bytes;
}

/* How many of `total` rows are sampled. By the square root: the pairs of a sample, which cost the
 * time, then grow as the rows of the index do. */
static size_t sample_rows(uint64_t total)
{
	const double rows = ROWS_PER_ROOT * sqrt((double)total);
	if (total <= CHEAP_ROWS || rows >= SAMPLE_ROWS)
		return total < SAMPLE_ROWS ? (size_t)total : SAMPLE_ROWS;
	return rows < CHEAP_ROWS ? CHEAP_ROWS : (size_t)rows;
}

static bool make_bodies(struct isx_arena *arena, size_t count, struct bodies *bodies)
{
	bodies->rows = isx_arena_alloc(arena, count, sizeof *bodies->rows);
	bodies->bytes = isx_arena_alloc(arena, count, sizeof *bodies->bytes);
	return bodies->rows && bodies->bytes;
}

/* Make a sample that has room for any of these types. */
static enum isx_status make_sample(struct sample *sample, const struct types *types,
				   struct isx_err *err)
{
	uint64_t rows_max = 0;
	for (size_t i = 0; i < types->count; i++)
		rows_max = types->items[i].rows > rows_max ? types->items[i].rows : rows_max;
	const size_t room = sample_rows(rows_max);
	sample->other_count = types->count - 1;
	sample->others = isx_arena_alloc(&sample->arena, types->count, sizeof *sample->others);
	sample->hits = isx_arena_alloc(&sample->arena, BLOCK_ROWS * CHUNK_ROWS,
				       sizeof *sample->hits);
	bool is_made = sample->others && sample->hits &&
		       make_bodies(&sample->arena, room, &sample->own);
	for (size_t i = 0; is_made && i < sample->other_count; i++)
		is_made = make_bodies(&sample->arena, room, &sample->others[i]);
	for (uint32_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++)
		sample->related_max[bytes] = isx_distance_max(ISX_DUPLICATES_SCORE_DEFAULT,
							      bytes * 8);
	return is_made ? ISX_OK : isx_fail_memory(err);
}

/* Which of `total` rows is the nth that is sampled. */
static uint64_t position_of(size_t nth, size_t count, uint64_t total)
{
	return (uint64_t)((unsigned __int128)nth * total / count);
}

/* Take the sampled rows of one lane, of which the first is row `*passed` of the type. */
static enum isx_status take_lane(struct sample *sample, struct isx_lmdb_view *view,
				 struct isx_lane *lane, size_t *taken, uint64_t *passed,
				 struct isx_err *err)
{
	enum isx_status st = isx_lane_open(lane, view, 0, err);
	for (; !st && lane->count; st = isx_lane_next(lane, err)) {
		for (; *taken < sample->count; (*taken)++) {
			uint64_t at = position_of(*taken, sample->count, sample->total) - *passed;
			if (at >= lane->count)
				break;
			take_row(&sample->own, *taken, lane->rows + at * lane->row_bytes,
				 lane->body_bytes);
		}
		*passed += lane->count;
	}
	isx_lane_close(lane);
	return st;
}

/* Count the rows of a type with bodies of sample->bits or more. */
static enum isx_status count_rows(const struct sample *sample, struct isx_lmdb_view *view,
				  const char *type, uint64_t *total, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	*total = 0;
	for (size_t bytes = sample->bits / 8; !st && bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		struct isx_lane lane = { .type = type, .body_bytes = bytes };
		uint64_t rows = 0, id_max;
		if (isx_sim_tables(view)->units[bytes])
			st = isx_lane_measure(&lane, view, &rows, &id_max, err);
		*total += rows;
	}
	return st;
}

/* Take evenly spaced rows of the sample->total ones. Pages without a sampled row are passed by
 * without being read. */
static enum isx_status take_rows(struct sample *sample, struct isx_lmdb_view *view,
				 const char *type, struct isx_err *err)
{
	uint64_t passed = 0;
	size_t taken = 0;
	enum isx_status st = ISX_OK;
	sample->count = sample_rows(sample->total);
	for (size_t bytes = sample->bits / 8; !st && bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		struct isx_lane lane = { .type = type, .body_bytes = bytes };
		if (isx_sim_tables(view)->units[bytes])
			st = take_lane(sample, view, &lane, &taken, &passed, err);
	}
	return st;
}

/* Take what the sampled assets have of another type in one lane. Those of equal length ascend, so that a
 * page often has the units of many of them. */
static enum isx_status take_from(const struct sample *sample, struct isx_lmdb_view *view,
				 struct isx_lane *lane, struct bodies *bodies, struct isx_err *err)
{
	enum isx_status st = isx_lane_open(lane, view, 0, err);
	for (size_t i = 0; !st && i < sample->count; i++) {
		const uint64_t id = isx_load_be64(sample->own.rows[i]);
		if (bodies->bytes[i])
			continue; /* it has a longer one */
		st = isx_lane_seek(lane, id, err);
		if (!st && lane->count && isx_lane_id(lane, 0) == id)
			take_row(bodies, i, lane->rows, lane->body_bytes);
	}
	isx_lane_close(lane);
	return st;
}

/* Look up what the sampled assets have of another type: of several units the first of the longest. */
static enum isx_status take_other(const struct sample *sample, struct isx_lmdb_view *view,
				  const char *type, struct bodies *bodies, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (size_t bytes = ISX_BODY_BYTES_MAX; !st && bytes > 0; bytes--) {
		struct isx_lane lane = { .type = type, .body_bytes = bytes };
		if (isx_sim_tables(view)->units[bytes])
			st = take_from(sample, view, &lane, bodies, err);
	}
	return st;
}

static enum isx_status take_others(struct sample *sample, struct isx_lmdb_view *view,
				   const struct types *types, const char *type, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	struct bodies *bodies = sample->others;
	for (size_t i = 0; !st && i < types->count; i++) {
		if (strcmp(types->items[i].name, type) == 0)
			continue;
		memset(bodies->bytes, 0, sample->count);
		st = take_other(sample, view, types->items[i].name, bodies++, err);
	}
	return st;
}

/* --- counting --------------------------------------------------------------------------------- */

/* Are two rows at most so far apart? Most that are not are too far by their first 64 bits already. */
static bool is_within(const uint8_t *a, const uint8_t *b, size_t bytes, int32_t distance_max)
{
	const uint8_t *left = a + ISX_KEY_BYTES, *right = b + ISX_KEY_BYTES;
	return (int32_t)isx_distance(left, right, bytes < 8 ? bytes : 8) <= distance_max &&
	       (int32_t)isx_distance(left, right, bytes) <= distance_max;
}

/* Are two sampled assets near-duplicates by a unit of another type? Where they have none in common,
 * nothing but their distance in this type can tell. */
static bool is_related(const struct sample *sample, size_t a, size_t b, uint32_t distance)
{
	bool is_judged = false;
	for (size_t i = 0; i < sample->other_count; i++) {
		const struct bodies *other = &sample->others[i];
		size_t bytes = other->bytes[a] < other->bytes[b] ? other->bytes[a]
								 : other->bytes[b];
		if (!bytes)
			continue;
		is_judged = true;
		if (is_within(other->rows[a], other->rows[b], bytes, sample->related_max[bytes]))
			return true;
	}
	return !is_judged && (int32_t)distance <= sample->related_max[sample->bits / 8];
}

/* Count the near pairs of a row with those before it, of which the assets are not related. These
 * few pairs decide the p-values that matter, so each of them is looked at, in contrast to the far
 * ones.
 *   from  the row that is number 0 of the hits */
static void count_near(const struct sample *sample, size_t at, const struct isx_scan_query *query,
		       size_t from, struct isx_chance_sample *counted)
{
	for (size_t i = 0; i < query->found; i++) {
		const struct isx_hit *hit = &query->hits[i];
		if (from + hit->row < at && !is_related(sample, from + hit->row, at, hit->distance))
			counted->counts[hit->distance]++;
	}
}

/* Compare the rows from `begin` to `end` together, which takes a third of the time, with those from `from`
 * to `to`, CHUNK_ROWS at most. */
static void count_block(const struct sample *sample, size_t begin, size_t end, size_t from,
			size_t to, uint32_t near, struct isx_chance_sample *counted)
{
	struct isx_scan_query queries[BLOCK_ROWS];
	for (size_t at = begin; at < end; at++)
		queries[at - begin] = (struct isx_scan_query){
			.query = sample->own.rows[at] + ISX_KEY_BYTES,
			.bytes = sample->bits / 8,
			.distance_max = near,
			.hits = sample->hits + (at - begin) * CHUNK_ROWS,
		};
	const struct isx_scan_many scan = { .rows = sample->own.rows[from],
					    .count = to - from,
					    .row_bytes = ROW_BYTES,
					    .query_count = end - begin,
					    .queries = queries };
	isx_kernel_best()->scan_many(&scan);
	for (size_t at = begin; at < end; at++)
		count_near(sample, at, &queries[at - begin], from, counted);
}

/* Count the far pairs of a row and those before it: of each `step` rows the first. */
static void count_far(const struct sample *sample, size_t at, uint32_t near, size_t step,
		      struct isx_chance_sample *counted)
{
	const struct isx_scan scan = { .rows = sample->own.rows[0],
				       .count = at / step,
				       .row_bytes = step * ROW_BYTES,
				       .query = sample->own.rows[at] + ISX_KEY_BYTES,
				       .bytes = sample->bits / 8,
				       .distance_max = sample->bits };
	size_t found = isx_kernel_best()->scan(&scan, sample->hits);
	for (size_t i = 0; i < found; i++)
		if (sample->hits[i].distance > near)
			counted->counts[sample->hits[i].distance] += step * step;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Count the distances of all pairs of a sample. Far ones are counted of evenly spaced rows, each for
 * all pairs of the rows that these two stand for.
 *   near  the largest distance of a near pair */
static void count_pairs(const struct sample *sample, uint32_t near,
			struct isx_chance_sample *counted)
{
	const size_t step = sample->count < FAR_ROWS ? 1 : sample->count / FAR_ROWS;
	for (size_t begin = 0; begin < sample->count; begin += BLOCK_ROWS) {
		size_t end = least(begin + BLOCK_ROWS, sample->count);
		for (size_t from = 0; from < end; from += CHUNK_ROWS)
			count_block(sample, begin, end, from, least(from + CHUNK_ROWS, end), near,
				    counted);
	}
	for (size_t at = 0; at < sample->count; at += step)
		count_far(sample, at, near, step, counted);
}

/* Take a sample over sample->bits, unless the one over fewer bits is of the same rows. Most types
 * have bodies of one length only, and then the three samples are of the same rows: they are taken
 * once. */
static enum isx_status take_sample(struct sample *sample, struct isx_lmdb_view *view,
				   const struct types *types, const char *type, struct isx_err *err)
{
	uint64_t total;
	enum isx_status st = count_rows(sample, view, type, &total, err);
	if (st || total == sample->total)
		return st;
	sample->total = total;
	st = take_rows(sample, view, type, err);
	return st ? st : take_others(sample, view, types, type, err);
}

/* Sample one type over each length, and write its record. */
static enum isx_status sample_type(struct sample *sample, struct isx_lmdb_view *view,
				   const struct types *types, const char *type, uint64_t rows,
				   struct isx_err *err)
{
	struct isx_distances distances = { .rows = rows };
	enum isx_status st = sample->own.rows ? ISX_OK : make_sample(sample, types, err);
	sample->total = sample->count = 0;
	for (size_t i = 0; !st && i < ISX_SAMPLE_LENGTHS; i++) {
		sample->bits = distances.samples[i].bits = lengths[i];
		int32_t near = isx_distance_max(near_scores[i], lengths[i]);
		st = take_sample(sample, view, types, type, err);
		if (!st)
			count_pairs(sample, (uint32_t)near, &distances.samples[i]);
	}
	return st ? st : put_record(view, type, &distances, err);
}

/* Is a sample of a type with `sampled` rows too old for one with `rows`? The first assets of an index are
 * often alike, so that a small sample has to follow soon. */
static bool is_due(uint64_t sampled, uint64_t rows)
{
	const uint64_t factor = sampled < CHEAP_ROWS ? 2 : 4;
	return sampled == 0 || rows / factor >= sampled || rows <= sampled / factor;
}

/* The record of a type without rows is left where it is: nothing matches by it. When rows of the
 * type come again, they are few beside those that were sampled. */
enum isx_status isx_sim_put_statistics(struct isx_lmdb_view *view, struct isx_err *err)
{
	struct types types = { .count = 0 };
	struct isx_distances distances;
	struct sample sample = { .count = 0 };
	enum isx_status st = isx_sim_put_counts(view, err);
	if (!st)
		st = isx_sim_each_unit_type(view, add_type, &types, err);
	for (size_t i = 0; !st && i < types.count; i++) {
		const char *type = types.items[i].name;
		uint64_t rows = types.items[i].rows;
		st = isx_distances_get(view, type, &distances, err);
		if (st || !is_due(distances.rows, rows))
			continue;
		st = rows < ISX_SAMPLE_ROWS_MIN
			     ? remove_record(view, type, err)
			     : sample_type(&sample, view, &types, type, rows, err);
	}
	isx_arena_release(&sample.arena);
	return st;
}

/* --- all records ------------------------------------------------------------------------------ */

static const char prefix[] = "isx:distances:"; /* of ISX_META_DISTANCES */

enum isx_status isx_distances_clear(struct isx_lmdb_view *view, struct isx_err *err)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(view->txn, view->tables.metadata, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "forget samples", err);
	while (!rc) {
		MDB_val key = isx_lmdb_val(prefix, strlen(prefix)), value;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
		if (!rc && !isx_span_has_prefix(isx_lmdb_span(key), prefix))
			break;
		if (!rc)
			rc = mdb_cursor_del(cursor, 0);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "forget samples", err);
}

/* Check a record. What it should count is not known any more: assets have come and gone since. */
static void check_record(struct isx_checking *checking, const struct types *types, MDB_val key,
			 MDB_val value)
{
	static const uint64_t pairs_max = (uint64_t)SAMPLE_ROWS * SAMPLE_ROWS;
	const struct isx_span type = isx_span_skip(isx_lmdb_span(key), strlen(prefix));
	struct isx_distances distances;
	uint64_t rows = 0;
	for (size_t i = 0; i < types->count; i++)
		if (isx_span_is(type, types->items[i].name))
			rows = types->items[i].rows;
	bool is_sound = decode(value, &distances) && distances.rows >= ISX_SAMPLE_ROWS_MIN;
	for (size_t i = 0; i < ISX_SAMPLE_LENGTHS; i++)
		is_sound &= distances.samples[i].pairs <= pairs_max;
	if (!is_sound)
		isx_finding(checking, "the sampled distances of %.*s cannot be read", (int)type.len,
			    type.ptr);
	else if (rows && is_due(distances.rows, rows))
		isx_finding(checking,
			    "the distances of %.*s were sampled from %llu rows, but there are %llu",
			    (int)type.len, type.ptr, (unsigned long long)distances.rows,
			    (unsigned long long)rows);
}

enum isx_status isx_distances_check(struct isx_checking *checking, struct isx_err *err)
{
	struct types types = { .count = 0 };
	MDB_cursor *cursor;
	MDB_val key = isx_lmdb_val(prefix, strlen(prefix)), value;
	enum isx_status st = isx_sim_each_unit_type(checking->view, add_type, &types, err);
	int rc = st ? 0
		    : mdb_cursor_open(checking->view->txn, checking->view->tables.metadata,
				      &cursor);
	if (st || rc)
		return st ? st : isx_lmdb_status(rc, "check samples", err);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (!rc && isx_span_has_prefix(isx_lmdb_span(key), prefix)) {
		check_record(checking, &types, key, value);
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "check samples", err);
}
