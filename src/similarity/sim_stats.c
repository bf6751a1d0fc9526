/*
 * sim_stats.c - counts assets, units and simprints by the tables of a file.
 *
 * LMDB keeps the number of rows of each type, so lengths cost nothing. What is counted one by one
 * are the keys of assets, for times and hubs; the ISCC-IDs of the rows, for the assets that have
 * a type; and the rows of INSTANCE, which lie in the order of their bodies, so that identical files
 * are neighbours. Only a sample of the assets is decoded. Measured: 0.5 s for 1,000,000 assets of
 * four units that are in memory.
 *
 * Reads the caller's view, and asks its meter whether to go on.
 *
 * The view is one snapshot, so all numbers belong together although assets are added meanwhile.
 * Memory: the counts, and for INSTANCE a list of ISCC-IDs of at most 32 MiB, which counts against
 * the quota of the caller.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_stats.h"

#include "base/array.h"
#include "engine/index_stats.h"
#include "engine/score.h"
#include "similarity/sim_calibrate.h"
#include "similarity/sim_scan.h"
#include "similarity/sim_tables.h"
#include "json/wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of INSTANCE up to which an asset with several of them is counted once: a list of 32 MiB. */
enum { INSTANCES_MAX = 4 << 20 };

static const char instance_type[] = "INSTANCE_NONE_V0"; /* the only one there is */

/* --- assets ----------------------------------------------------------------------------------- */

/* Count an asset of the sample; one that cannot be read has neither code nor metadata. */
static void count_sampled(struct isx_stats_count *count, MDB_val json)
{
	struct isx_arena arena = { 0 };
	struct isx_asset asset = { 0 };
	if (isx_asset_from_stored(isx_lmdb_span(json), &arena, &asset, NULL))
		asset = (struct isx_asset){ 0 };
	isx_stats_count_sampled(count, &asset);
	isx_arena_release(&arena);
}

/* Go through the keys of all assets, and through every so many of them decode one. All pages of
 * the table are read, as keys lie beside their values; decoding JSON is what the sample saves. The
 * sample is every nth asset and not a random one: the same index gives the same numbers. */
static enum isx_status count_assets(struct isx_lmdb_view *view, struct isx_stats_count *count,
				    struct isx_err *err)
{
	MDB_stat table;
	MDB_cursor *cursor;
	MDB_val key, json;
	enum isx_status st = ISX_OK;
	if (!view->tables.assets)
		return ISX_OK;
	int rc = mdb_stat(view->txn, view->tables.assets, &table);
	if (!rc)
		rc = mdb_cursor_open(view->txn, view->tables.assets, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "count assets", err);
	uint64_t step = (table.ms_entries + ISX_STATS_SAMPLE - 1) / ISX_STATS_SAMPLE;
	while (!st && !(rc = mdb_cursor_get(cursor, &key, &json, MDB_NEXT))) {
		if (key.mv_size != ISX_KEY_BYTES) {
			rc = MDB_CORRUPTED;
			break;
		}
		if (count->assets % step == 0)
			count_sampled(count, json);
		st = isx_stats_count_id(count, isx_load_be64(key.mv_data), err);
		if (!st)
			st = isx_meter_count(&view->meter, 1, err);
	}
	mdb_cursor_close(cursor);
	return st || rc == MDB_NOTFOUND ? st : isx_lmdb_status(rc, "count assets", err);
}

/* --- units ------------------------------------------------------------------------------------ */

/* Add the rows of each key of a table to the counts of its type and length. LMDB knows how many
 * rows a key has, so a type of a million rows costs the same as one of ten. A key that is longer
 * than any type is no key of this program: the table is damaged. */
static enum isx_status count_keys(struct isx_lmdb_view *view, MDB_dbi table, uint32_t bits,
				  struct isx_tallies *tallies, struct isx_err *err)
{
	MDB_cursor *cursor;
	MDB_val key, row;
	enum isx_status st = ISX_OK;
	int rc = mdb_cursor_open(view->txn, table, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "count rows", err);
	while (!st && !(rc = mdb_cursor_get(cursor, &key, &row, MDB_NEXT_NODUP))) {
		char type[ISX_STATS_TYPE_BYTES] = "";
		size_t rows = 0, len = key.mv_size;
		if (len && ((const char *)key.mv_data)[len - 1] == ISX_SHADOWED)
			len--; /* the same simprint type */
		if (len >= sizeof type || (rc = mdb_cursor_count(cursor, &rows)))
			break;
		memcpy(type, key.mv_data, len);
		st = isx_tally_add(tallies, type, bits, rows, err);
	}
	mdb_cursor_close(cursor);
	return st || rc == MDB_NOTFOUND
		       ? st
		       : isx_lmdb_status(rc ? rc : MDB_CORRUPTED, "count rows", err);
}

/* Move a lane behind the rows of an asset. */
static enum isx_status pass_asset(struct isx_lmdb_view *view, struct isx_lane *lane, size_t *at,
				  uint64_t id, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	while (!st && lane->count && isx_lane_id(lane, *at) == id) {
		if (++*at < lane->count)
			continue;
		*at = 0;
		st = isx_meter_count(&view->meter, lane->count, err);
		if (!st)
			st = isx_lane_next(lane, err);
	}
	return st;
}

/* Count the assets with units of a type: the different ISCC-IDs in the rows of all lengths, which
 * are each in the order of ISCC-IDs. A merge of the lanes in their common order: in each step the
 * least ISCC-ID is one asset, and all lanes step behind it. No set of ISCC-IDs is kept, whatever
 * the number of assets. */
static enum isx_status count_carriers(struct isx_lmdb_view *view, const char *type,
				      uint64_t *assets, struct isx_err *err)
{
	struct isx_lane lanes[ISX_BODY_BYTES_MAX + 1] = { 0 };
	size_t at[ISX_BODY_BYTES_MAX + 1] = { 0 }, count = 0;
	enum isx_status st = ISX_OK;
	for (size_t bytes = 1; !st && bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		if (!isx_sim_tables(view)->units[bytes])
			continue;
		lanes[count] = (struct isx_lane){ .type = type, .body_bytes = bytes };
		st = isx_lane_open(&lanes[count++], view, 0, err);
	}
	for (bool more = true; !st && more;) {
		uint64_t id = UINT64_MAX;
		more = false;
		for (size_t l = 0; l < count; l++) {
			if (!lanes[l].count)
				continue;
			uint64_t next = isx_lane_id(&lanes[l], at[l]);
			id = next < id ? next : id;
			more = true;
		}
		*assets += more;
		for (size_t l = 0; !st && l < count; l++)
			st = pass_asset(view, &lanes[l], &at[l], id, err);
	}
	for (size_t l = 0; l < count; l++)
		isx_lane_close(&lanes[l]);
	return st;
}

/* The tallies of units have an entry for each type and length. Carriers of a type are counted
 * once, at its first entry: the lanes of all its lengths are read together then. */
static enum isx_status count_units(struct isx_lmdb_view *view, struct isx_stats_count *count,
				   struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (size_t bytes = 1; !st && bytes <= ISX_BODY_BYTES_MAX; bytes++)
		if (isx_sim_tables(view)->units[bytes])
			st = count_keys(view, isx_sim_tables(view)->units[bytes],
					(uint32_t)bytes * 8, &count->units, err);
	for (size_t i = 0; !st && i < count->units.count; i++) {
		const char *type = count->units.items[i].type;
		uint64_t assets = 0;
		bool is_first = true;
		for (size_t k = 0; k < i; k++)
			is_first &= strcmp(count->units.items[k].type, type) != 0;
		if (is_first)
			st = count_carriers(view, type, &assets, err);
		if (!st && is_first)
			st = isx_tally_add(&count->unit_assets, type, 0, assets, err);
	}
	return st;
}

/* --- INSTANCE --------------------------------------------------------------------------------- */

/* The assets of the rows of INSTANCE that were read so far, as far as there is room for them. */
struct owners {
	uint64_t *ids;
	size_t count, cap;
	uint64_t rows;
};

/* Bodies shorter than 64 bits are filled up with zeros, so that they still stand in order. Beyond
 * INSTANCES_MAX rows the list is given up, but not the count of identical files, which needs no
 * list. */
static enum isx_status take_instance(struct isx_stats_count *count, struct owners *owners,
				     MDB_val body, MDB_val row, struct isx_err *err)
{
	uint8_t first[8] = { 0 };
	memcpy(first, body.mv_data, body.mv_size < sizeof first ? body.mv_size : sizeof first);
	isx_stats_count_instance(count, isx_load_be64(first));
	owners->rows++;
	if (owners->count == INSTANCES_MAX)
		return ISX_OK;
	enum isx_status st = isx_array_room(&owners->ids, &owners->cap, owners->count + 1,
					    sizeof *owners->ids, count->quota, err);
	if (!st)
		owners->ids[owners->count++] = isx_load_be64(row.mv_data);
	return st;
}

static int by_id(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

/* The assets with such rows, which are not in the order of ISCC-IDs. Where the list was given up,
 * each row is taken for an asset of its own, which is true of nearly all indexes; the number of
 * assets is the ceiling of it. */
static uint64_t count_owners(const struct isx_stats_count *count, struct owners *owners)
{
	uint64_t different = 0;
	if (owners->rows > owners->count)
		return owners->rows < count->assets ? owners->rows : count->assets;
	if (owners->count)
		qsort(owners->ids, owners->count, sizeof *owners->ids, by_id);
	for (size_t i = 0; i < owners->count; i++)
		different += i == 0 || owners->ids[i] != owners->ids[i - 1];
	return different;
}

/* This table has its bodies as keys and not the type, unlike the others: its rows are looked up by
 * prefix. So it is read row by row. */
static enum isx_status count_instances(struct isx_lmdb_view *view, struct isx_stats_count *count,
				       struct isx_err *err)
{
	struct owners owners = { 0 };
	MDB_cursor *cursor;
	MDB_val body, row;
	enum isx_status st = ISX_OK;
	if (!isx_sim_tables(view)->instance)
		return ISX_OK;
	int rc = mdb_cursor_open(view->txn, isx_sim_tables(view)->instance, &cursor);
	if (rc)
		return isx_lmdb_status(rc, "count INSTANCE units", err);
	while (!st && !(rc = mdb_cursor_get(cursor, &body, &row, MDB_NEXT))) {
		st = isx_tally_add(&count->units, instance_type, (uint32_t)body.mv_size * 8, 1,
				   err);
		if (!st)
			st = take_instance(count, &owners, body, row, err);
		if (!st)
			st = isx_meter_count(&view->meter, 1, err);
	}
	mdb_cursor_close(cursor);
	if (!st && rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, "count INSTANCE units", err);
	if (!st && owners.rows)
		st = isx_tally_add(&count->unit_assets, instance_type, 0,
				   count_owners(count, &owners), err);
	isx_mem_free(owners.ids);
	return st;
}

/* --- simprints -------------------------------------------------------------------------------- */

/* There is a row in __sp_assets_TYPE__ for each asset with simprints of the type. */
static enum isx_status count_simprints(struct isx_lmdb_view *view, struct isx_stats_count *count,
				       struct isx_err *err)
{
	const struct isx_sim_tables *tables = isx_sim_tables(view);
	enum isx_status st = ISX_OK;
	for (size_t bytes = 1; !st && bytes <= ISX_SIMPRINT_BYTES_MAX; bytes++)
		if (tables->simprints[bytes])
			st = count_keys(view, tables->simprints[bytes], (uint32_t)bytes * 8,
					&count->simprints, err);
	for (size_t i = 0; !st && i < tables->sp_count; i++) {
		MDB_stat assets = { 0 };
		int rc = tables->sp[i].assets ? mdb_stat(view->txn, tables->sp[i].assets, &assets)
					      : 0;
		st = rc ? isx_lmdb_status(rc, "count simprints", err)
			: isx_tally_add(&count->simprint_assets, tables->sp[i].type, 0,
					assets.ms_entries, err);
	}
	return st;
}

/* --- distances -------------------------------------------------------------------------------- */

/* Lay out what was measured over one length.
 *   threshold  the lowest score that counts
 * Both chances are p-values at the largest distance that still matches, one of random codes and
 * one of the sample, so that a user sees what the threshold lets through by chance in this
 * index. */
static enum isx_status fill_measured(const struct isx_chance_sample *sample, double threshold,
				     struct isx_arena *arena, struct isx_stats_distances *one,
				     struct isx_err *err)
{
	struct isx_chance_tail random, measured;
	int32_t distance = isx_distance_max(threshold, sample->bits);
	uint64_t *counts = isx_arena_alloc(arena, sample->bits + 1, sizeof *counts);
	if (!counts)
		return isx_fail_memory(err);
	memcpy(counts, sample->counts, (sample->bits + 1) * sizeof *counts);
	isx_chance_tail_fill(&random, sample->bits, NULL);
	isx_chance_tail_fill(&measured, sample->bits, sample);
	*one = (struct isx_stats_distances){ .bits = sample->bits,
					     .pairs = sample->pairs,
					     .counts = counts,
					     .match_distance = (uint32_t)distance,
					     .match_chance_random = exp(random.log_p[distance]),
					     .match_chance = exp(measured.log_p[distance]) };
	return ISX_OK;
}

/* Add the samples of a type, if there are any. */
static enum isx_status add_distances(struct isx_lmdb_view *view, const struct isx_options *options,
				     struct isx_arena *arena, struct isx_stats_type *type,
				     struct isx_err *err)
{
	struct isx_distances found;
	struct isx_stats_distances *made = isx_arena_alloc(arena, ISX_SAMPLE_LENGTHS, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	enum isx_status st = isx_distances_get(view, type->type, &found, err);
	for (size_t i = 0; !st && found.rows && i < ISX_SAMPLE_LENGTHS; i++)
		if (found.samples[i].pairs)
			st = fill_measured(&found.samples[i], options->match_threshold_units, arena,
					   &made[type->distances_count++], err);
	type->distances = made;
	return st;
}

/* --- all of it -------------------------------------------------------------------------------- */

static enum isx_status count_all(struct isx_lmdb_view *view, struct isx_stats_count *count,
				 struct isx_err *err)
{
	bool has_realm;
	enum isx_status st = isx_sim_realm(view, &has_realm, &count->realm, err);
	if (!st)
		st = count_assets(view, count, err);
	if (!st)
		st = count_units(view, count, err);
	if (!st)
		st = count_instances(view, count, err);
	return st ? st : count_simprints(view, count, err);
}

enum isx_status isx_sim_stats(struct isx_lmdb_view *view, const struct isx_options *options,
			      struct isx_arena *arena, struct isx_index_stats *stats,
			      struct isx_err *err)
{
	struct isx_stats_count *count = isx_mem_array(1, sizeof *count);
	if (!count)
		return isx_fail_memory(err);
	count->quota = arena->quota;
	enum isx_status st = count_all(view, count, err);
	if (!st)
		st = isx_stats_fill(count, arena, stats, err);
	/* The list is in `arena`, and only const for those who get it. */
	for (size_t i = 0; !st && i < stats->unit_type_count; i++)
		st = add_distances(view, options, arena, (struct isx_stats_type *)&stats->units[i],
				   err);
	isx_stats_count_release(count);
	isx_mem_free(count);
	return st;
}
