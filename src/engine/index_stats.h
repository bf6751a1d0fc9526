/*
 * index_stats.h - collects the numbers of an index, however an engine reads them, and lays them out
 *                 as struct isx_index_stats.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_INDEX_STATS_H
#define ISX_INDEX_STATS_H

#include "base/mem.h"
#include "iscc_search.h"

enum {
	/* Assets that are read to count those with an ISCC-CODE and with metadata, where all
	 * assets would have to be read for that: enough for a share that is right to a percent. */
	ISX_STATS_SAMPLE = 10000
};

/* Counts by type and length. There are few, so the list is searched from its beginning. */
struct isx_tallies {
	struct isx_tally {
		char type[ISX_STATS_TYPE_BYTES];
		uint32_t bits;
		uint64_t count;
	} * items;
	size_t count, cap;
};

/* Add `count` of a type and a length. */
ISX_MUST_CHECK enum isx_status isx_tally_add(struct isx_tallies *tallies, const char *type,
					     uint32_t bits, uint64_t count, struct isx_err *err);

/* The numbers of an index while they are collected. `{ 0 }` is empty; 32 KiB, and 16 bytes for each hour
 * with an asset. */
struct isx_stats_count {
	const struct isx_quota *quota; /* asked before a list grows; NULL: no ceiling */
	uint64_t assets;
	uint32_t realm;                      /* set by the engine, if there is an asset */
	struct isx_tallies units, simprints; /* by type and length */
	struct isx_tallies unit_assets, simprint_assets; /* assets by type; `bits` is 0 */
	uint64_t sampled, with_code, with_metadata;
	uint64_t first, last; /* ISCC-ID bodies */
	struct isx_stats_hour {
		uint64_t hour; /* since 1970 */
		uint64_t count;
	} * hours; /* ascending */
	size_t hour_count, hour_cap;
	uint64_t hubs[ISX_HUB_MAX + 1];
	uint64_t groups, duplicates; /* of identical files */
	uint64_t instances;          /* INSTANCE units so far */
	uint64_t before[2];          /* the first 64 bits of the last two of them */
};

/* Count an asset by its ISCC-ID. Ids must not fall from call to call. */
ISX_MUST_CHECK enum isx_status isx_stats_count_id(struct isx_stats_count *count, uint64_t id,
						  struct isx_err *err);

/* Count an INSTANCE unit by its first 64 bits. They must not fall from call to call. */
void isx_stats_count_instance(struct isx_stats_count *count, uint64_t bits);

/* Count an asset of the sample. */
void isx_stats_count_sampled(struct isx_stats_count *count, const struct isx_asset *asset);

/* Lay out what was collected.
 *   stats  filled, in `arena`, but for distances and fields */
ISX_MUST_CHECK enum isx_status isx_stats_fill(struct isx_stats_count *count,
					      struct isx_arena *arena,
					      struct isx_index_stats *stats, struct isx_err *err);

/* Free what was collected; not the struct itself. */
void isx_stats_count_release(struct isx_stats_count *count);

#endif
