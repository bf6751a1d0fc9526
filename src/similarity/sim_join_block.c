/*
 * sim_join_block.c - compare a block of assets with all rows of an index, and score the pairs.
 *
 *   for each type, for each table of bodies with rows of that type:
 *       for each page of rows: compare all units of the block with it, keep the hits
 *   for each INSTANCE unit: look up the matching ids, keep them as hits
 *   sort the hits by asset of the block, ISCC-ID and type; score the hits of each pair together
 *
 * A pair has the score that a search by the asset of the block gives the other one: the same
 * distances, engine/score.c, and the same lookup for types below the threshold. The comparison of
 * two bodies is over their common beginning, so it is symmetric, and so are best scores and sums.
 *
 * The hits are bounded, whatever matches. When they do not fit, the work is done again with half
 * of the assets, and with one asset in ranges of ISCC-IDs; the pairs that are delivered then cost
 * more than the comparisons.
 *
 * Everything happens in the caller's thread and read transaction.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_join_block.h"

#include "similarity/sim_evidence.h"
#include "similarity/sim_tables.h"

#include <stdlib.h>
#include <string.h>

/* Hits that are kept at once, 4 MiB. One asset and one ISCC-ID always fit: at most ISX_UNITS_MAX
 * units meet as many, and a page of 455 rows of the shortest bodies QUERIES_MAX units. */
enum {
	HITS_MAX = 1 << 18,
	QUERIES_MAX = 64 /* units that a kernel compares with a row while it has it */
};

/* One unit of the block. */
struct probe {
	const struct isx_indexed_unit *unit;
	uint32_t asset; /* position in the part */
	uint32_t type;  /* position of the first unit of this type among the units of the asset */
};

/* One row that is near enough to one unit of the block. */
struct join_hit {
	uint64_t id; /* of the row */
	uint16_t asset;
	uint16_t type;
	uint16_t distance;
	uint16_t compared_bits;
};

/* A part of the work: some assets of the block, and a range of ISCC-IDs in the rows. */
struct part {
	const struct isx_joined *assets;
	size_t count;
	uint64_t id_min, id_max;
	bool is_full; /* the hits do not fit */
};

enum isx_status isx_join_block_init(struct isx_join_block *block, struct isx_err *err)
{
	MDB_stat stat;
	int rc = mdb_env_stat(block->rows->file->env, &stat);
	if (rc)
		return isx_lmdb_status(rc, "compare assets", err);
	block->kernel = isx_kernel_best();
	block->assets_each = ISX_JOIN_ASSETS;
	for (uint32_t bytes = 1; bytes <= ISX_BODY_BYTES_MAX; bytes++)
		block->distance_max[bytes] = (uint32_t)isx_distance_max(block->threshold,
									bytes * 8);
	/* The shortest row has a body of one byte. */
	block->page_rows = stat.ms_psize / (ISX_ROW_KEY_BYTES + 1) + 1;
	block->page_hits = isx_mem_array(QUERIES_MAX * block->page_rows, sizeof *block->page_hits);
	block->hits = isx_mem_array(HITS_MAX, sizeof *block->hits);
	return block->page_hits && block->hits ? ISX_OK : isx_fail_memory(err);
}

void isx_join_block_release(struct isx_join_block *block)
{
	for (size_t bytes = 0; bytes <= ISX_BODY_BYTES_MAX; bytes++)
		if (block->cursors[bytes])
			mdb_cursor_close(block->cursors[bytes]);
	isx_mem_free(block->page_hits);
	isx_mem_free(block->hits);
	isx_arena_release(&block->arena);
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Keep a hit unless it is outside of the part, or a pair that another asset of the block finds. */
static void keep_hit(struct isx_join_block *block, const struct part *part,
		     const struct probe *probe, uint64_t id, uint32_t distance,
		     uint32_t compared_bits)
{
	if (id < part->id_min || id > part->id_max ||
	    (block->is_self && id <= part->assets[probe->asset].id))
		return;
	block->hits[block->hit_count++] =
		(struct join_hit){ .id = id,
				   .asset = (uint16_t)probe->asset,
				   .type = (uint16_t)probe->type,
				   .distance = (uint16_t)distance,
				   .compared_bits = (uint16_t)compared_bits };
}

/* Compare one page of rows with the units of `probes`, all of one type. */
static enum isx_status scan_page(struct isx_join_block *block, struct part *part,
				 const struct probe *probes, struct isx_scan_query *queries,
				 size_t count, MDB_val page, size_t row_bytes, struct isx_err *err)
{
	struct isx_scan_many scan = { .rows = page.mv_data,
				      .count = page.mv_size / row_bytes,
				      .row_bytes = row_bytes };
	for (size_t at = 0; at < count; at += scan.query_count) {
		scan.query_count = count - at < QUERIES_MAX ? count - at : QUERIES_MAX;
		scan.queries = queries + at;
		/* A kernel cannot stop in the middle, so there has to be room for all that it
		 * could find: each row with each query. */
		part->is_full = block->hit_count + scan.query_count * scan.count > HITS_MAX;
		if (part->is_full)
			return ISX_OK;
		block->kernel->scan_many(&scan);
		for (size_t i = 0; i < scan.query_count; i++) {
			const struct isx_scan_query *query = &scan.queries[i];
			for (size_t h = 0; h < query->found; h++)
				keep_hit(block, part, &probes[at + i],
					 isx_load_be64(scan.rows + query->hits[h].row * row_bytes),
					 query->hits[h].distance, (uint32_t)query->bytes * 8);
		}
	}
	return isx_meter_count(&block->rows->meter, scan.count * count, err);
}

/* Compare all pages of a part in one table. LMDB returns whole pages: the first may begin before
 * the part, and keep_hit() drops what is outside. */
static enum isx_status scan_pages(struct isx_join_block *block, struct part *part,
				  const struct probe *probes, struct isx_scan_query *queries,
				  size_t count, MDB_cursor *cursor, size_t body_bytes,
				  struct isx_err *err)
{
	uint8_t first[ISX_UNIT_ROW_BYTES_MAX] = { 0 };
	enum isx_status st = ISX_OK;
	isx_store_be64(first, part->id_min);
	MDB_val key = isx_lmdb_val(probes->unit->type, strlen(probes->unit->type));
	MDB_val page = isx_lmdb_val(first, ISX_KEY_BYTES + body_bytes);
	int rc = mdb_cursor_get(cursor, &key, &page, MDB_GET_BOTH_RANGE);
	if (!rc) /* a lone row is stored inline: LMDB then leaves `page` as it was set */
		rc = mdb_cursor_get(cursor, &key, &page, MDB_GET_MULTIPLE);
	while (!rc && !st && !part->is_full && isx_load_be64(page.mv_data) <= part->id_max) {
		st = scan_page(block, part, probes, queries, count, page,
			       ISX_KEY_BYTES + body_bytes, err);
		rc = mdb_cursor_get(cursor, &key, &page, MDB_NEXT_MULTIPLE);
	}
	return st || !rc || rc == MDB_NOTFOUND ? st : isx_lmdb_status(rc, "compare assets", err);
}

/* Compare units of one type with the rows of that type in one table. */
static enum isx_status scan_table(struct isx_join_block *block, struct part *part,
				  const struct probe *probes, size_t count, size_t body_bytes,
				  struct isx_err *err)
{
	const struct isx_arena then = block->arena;
	MDB_cursor *cursor;
	struct isx_scan_query *queries = isx_arena_alloc(&block->arena, count, sizeof *queries);
	if (!queries)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		const struct isx_indexed_unit *unit = probes[i].unit;
		queries[i].query = unit->body;
		queries[i].bytes = unit->body_bytes < body_bytes ? unit->body_bytes : body_bytes;
		queries[i].distance_max = block->distance_max[queries[i].bytes];
		/* scan_page() hands QUERIES_MAX queries to the kernel at a time, and has read
		 * their hits before the next ones use the same room. */
		queries[i].hits = block->page_hits + i % QUERIES_MAX * block->page_rows;
	}
	int rc = mdb_cursor_open(block->rows->txn, isx_sim_tables(block->rows)->units[body_bytes],
				 &cursor);
	if (rc)
		return isx_lmdb_status(rc, "compare assets", err);
	enum isx_status st = scan_pages(block, part, probes, queries, count, cursor, body_bytes,
					err);
	mdb_cursor_close(cursor);
	isx_arena_rewind(&block->arena, &then);
	return st;
}

/* Look up the assets with an INSTANCE that is a prefix of the unit's, or that it is a prefix of. */
static enum isx_status find_instance(struct isx_join_block *block, struct part *part,
				     const struct probe *probe, struct isx_err *err)
{
	const struct isx_arena then = block->arena;
	struct isx_instances found;
	enum isx_status st = isx_instances_find(block->rows, probe->unit, &block->arena, &found,
						err);
	if (st)
		return st;
	for (size_t i = 0; !part->is_full && i < found.count; i++) {
		part->is_full = block->hit_count == HITS_MAX;
		/* Score 1, whatever the lengths: no bit of the compared ones differs. */
		if (!part->is_full)
			keep_hit(block, part, probe, found.items[i].id, 0, 8);
	}
	isx_arena_rewind(&block->arena, &then);
	return isx_meter_count(&block->rows->meter, found.count, err);
}

/* Compare `count` units, all of one type, with all rows of the part. */
static enum isx_status scan_type(struct isx_join_block *block, struct part *part,
				 const struct probe *probes, size_t count, struct isx_err *err)
{
	const struct isx_sim_tables *tables = isx_sim_tables(block->rows);
	enum isx_status st = ISX_OK;
	if (probes->unit->is_instance) {
		for (size_t i = 0; !st && !part->is_full && tables->instance && i < count; i++)
			st = find_instance(block, part, &probes[i], err);
		return st;
	}
	for (size_t bytes = 1; !st && !part->is_full && bytes <= ISX_BODY_BYTES_MAX; bytes++)
		if (tables->units[bytes])
			st = scan_table(block, part, probes, count, bytes, err);
	return st;
}

/* Order of qsort(): units of one type are neighbours, and of one length, as kernels want it. */
static int by_type(const void *left, const void *right)
{
	const struct isx_indexed_unit *a = ((const struct probe *)left)->unit;
	const struct isx_indexed_unit *b = ((const struct probe *)right)->unit;
	int order = strcmp(a->type, b->type);
	return order ? order : (a->body_bytes > b->body_bytes) - (a->body_bytes < b->body_bytes);
}

/* List the units of the part, grouped by type. */
static enum isx_status list_probes(struct isx_join_block *block, const struct part *part,
				   struct isx_err *err)
{
	size_t all = 0, count = 0;
	for (size_t i = 0; i < part->count; i++)
		all += part->assets[i].unit_count;
	block->probe_count = all;
	block->probes = isx_arena_alloc(&block->arena, all, sizeof *block->probes);
	if (!block->probes)
		return isx_fail_memory(err);
	for (size_t i = 0; i < part->count; i++) {
		const struct isx_indexed_unit *units = part->assets[i].units;
		for (size_t u = 0, type = 0; u < part->assets[i].unit_count; u++) {
			if (strcmp(units[u].type, units[type].type) != 0)
				type = u;
			block->probes[count++] = (struct probe){ .unit = &units[u],
								 .asset = (uint32_t)i,
								 .type = (uint32_t)type };
		}
	}
	if (all)
		qsort(block->probes, all, sizeof *block->probes, by_type);
	return ISX_OK;
}

/* --- scoring ---------------------------------------------------------------------------------- */

/* Order of qsort(): the hits of one pair are neighbours, those of one type in it, too. */
static int by_pair(const void *left, const void *right)
{
	const struct join_hit *a = left, *b = right;
	if (a->asset != b->asset)
		return a->asset < b->asset ? -1 : 1;
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return (a->type > b->type) - (a->type < b->type);
}

/* Raise *best to the true score of one unit with the asset `id`, as a search does for its winners. */
static enum isx_status score_below(struct isx_join_block *block,
				   const struct isx_indexed_unit *unit, uint64_t id, double *best,
				   struct isx_err *err)
{
	struct isx_evidence evidence = { .score = *best };
	int rc = 0;
	for (size_t bytes = 1; !rc && bytes <= ISX_BODY_BYTES_MAX; bytes++) {
		MDB_dbi table = isx_sim_tables(block->rows)->units[bytes];
		if (!table || unit->is_instance)
			continue;
		/* The cursor stays open for the next pairs, until the block is released. */
		if (!block->cursors[bytes])
			rc = mdb_cursor_open(block->rows->txn, table, &block->cursors[bytes]);
		if (!rc)
			rc = isx_sim_compare_rows(block->cursors[bytes], unit, id, bytes,
						  &evidence);
	}
	*best = evidence.score;
	return rc ? isx_lmdb_status(rc, "compare assets", err) : ISX_OK;
}

/* Score the pair of the `count` hits, and deliver it. The best hit of a type is its true score; the
 * types without a hit are looked up. */
static enum isx_status score_pair(struct isx_join_block *block, const struct isx_joined *asset,
				  const struct join_hit *hits, size_t count, struct isx_err *err)
{
	struct isx_type_score types[ISX_UNITS_MAX];
	double scores[ISX_UNITS_MAX];
	struct isx_join_pair pair = { .id = asset->id, .match = hits->id, .types = types };
	size_t score_count = 0, h = 0;
	for (size_t u = 0, next; u < asset->unit_count; u = next) {
		const char *type = asset->units[u].type;
		double best = -1;
		for (; h < count && hits[h].type == u; h++) {
			double score = isx_unit_score(hits[h].distance, hits[h].compared_bits);
			best = score > best ? score : best;
		}
		bool has_hit = best >= 0;
		for (next = u;
		     next < asset->unit_count && strcmp(asset->units[next].type, type) == 0;
		     next++) {
			enum isx_status st = has_hit ? ISX_OK
						     : score_below(block, &asset->units[next],
								   hits->id, &best, err);
			if (st)
				return st;
		}
		/* Only types with a hit count for the score of the pair; those below the threshold
		 * are listed with it, as in a search. */
		if (has_hit)
			scores[score_count++] = best;
		if (best >= 0)
			types[pair.type_count++] = (struct isx_type_score){ type, best };
	}
	pair.score = isx_asset_score(scores, score_count, block->exponent);
	return block->found(&pair, block->arg, err);
}

/* Sort the hits of a part, and deliver its pairs. */
static enum isx_status score_hits(struct isx_join_block *block, const struct part *part,
				  struct isx_err *err)
{
	const struct join_hit *hits = block->hits;
	enum isx_status st = ISX_OK;
	if (block->hit_count)
		qsort(block->hits, block->hit_count, sizeof *block->hits, by_pair);
	for (size_t at = 0, end; !st && at < block->hit_count; at = end) {
		for (end = at + 1; end < block->hit_count && hits[end].id == hits[at].id &&
				   hits[end].asset == hits[at].asset;)
			end++;
		st = score_pair(block, &part->assets[hits[at].asset], &hits[at], end - at, err);
	}
	return st;
}

/* Compare and score one part; nothing is delivered if its hits do not fit. */
static enum isx_status run_part(struct isx_join_block *block, struct part *part,
				struct isx_err *err)
{
	block->hit_count = 0;
	part->is_full = false;
	enum isx_status st = list_probes(block, part, err);
	for (size_t at = 0, end; !st && !part->is_full && at < block->probe_count; at = end) {
		const struct probe *probes = &block->probes[at];
		for (end = at + 1; end < block->probe_count &&
				   strcmp(block->probes[end].unit->type, probes->unit->type) == 0;)
			end++;
		st = scan_type(block, part, probes, end - at, err);
	}
	if (!st && !part->is_full)
		st = score_hits(block, part, err);
	isx_arena_release(&block->arena);
	return st;
}

/* Compare one asset with ranges of ISCC-IDs, half as wide as one that did not fit, twice as wide as
 * one that did. ISCC-IDs are times, so they are dense in some ranges. */
static enum isx_status run_alone(struct isx_join_block *block, const struct isx_joined *asset,
				 uint64_t id_min, struct isx_err *err)
{
	struct part part = { .assets = asset, .count = 1, .id_min = id_min };
	uint64_t width = UINT64_MAX;
	for (;;) {
		part.id_max = width < UINT64_MAX - part.id_min ? part.id_min + width : UINT64_MAX;
		enum isx_status st = run_part(block, &part, err);
		if (st)
			return st;
		if (part.is_full) {
			width = (part.id_max - part.id_min) / 2;
			continue;
		}
		if (part.id_max == UINT64_MAX)
			return ISX_OK;
		part.id_min = part.id_max + 1;
		width = width < UINT64_MAX / 2 ? width * 2 + 1 : UINT64_MAX;
	}
}

/* One part of the block. Halves block->assets_each if its hits do not fit, and doubles it if they
 * fill a quarter of the room or less: then twice as many assets are likely to fit. */
static enum isx_status run_some(struct isx_join_block *block, struct part *part,
				struct isx_err *err)
{
	enum isx_status st = run_part(block, part, err);
	if (st)
		return st;
	if (part->is_full) {
		block->assets_each = part->count > 1 ? part->count / 2 : 1;
		return part->count > 1 ? ISX_OK : run_alone(block, part->assets, part->id_min, err);
	}
	if (block->hit_count <= HITS_MAX / 4 && block->assets_each < ISX_JOIN_ASSETS)
		block->assets_each *= 2;
	return ISX_OK;
}

enum isx_status isx_join_block_run(struct isx_join_block *block, const struct isx_joined *assets,
				   size_t count, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (size_t at = 0; !st && at < count;) {
		size_t left = count - at;
		struct part part = { .assets = assets + at,
				     .count = left < block->assets_each ? left : block->assets_each,
				     .id_max = UINT64_MAX };
		if (block->is_self && assets[at].id == UINT64_MAX)
			return ISX_OK; /* no ISCC-ID is larger */
		/* Assets ascend: no row before the first one can be the larger ISCC-ID of a pair. */
		if (block->is_self)
			part.id_min = assets[at].id + 1;
		st = run_some(block, &part, err);
		/* Otherwise nothing was delivered, and the same assets are next in smaller
		 * parts. */
		if (part.count == 1 || !part.is_full)
			at += part.count;
	}
	return st;
}
