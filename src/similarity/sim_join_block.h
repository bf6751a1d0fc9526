/*
 * sim_join_block.h - compare a block of assets with all rows of an index, and score the pairs.
 *
 * A *block* is some hundred assets that go through the rows together: each page of rows is read
 * from memory once, and meets all units of the block while it is in the processor's cache. A block
 * belongs to one thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_JOIN_BLOCK_H
#define ISX_SIM_JOIN_BLOCK_H

#include "engine/asset_units.h"
#include "scan/kernel.h"
#include "storage/lmdb_file.h"

/* Assets of one block. Their units take 8 KiB of a cache for each type, beside a page of rows. */
enum { ISX_JOIN_ASSETS = 256 };

/* An asset of a block, with the units by which it is compared. */
struct isx_joined {
	uint64_t id;                          /* ISCC-ID body */
	const struct isx_indexed_unit *units; /* sorted by type */
	size_t unit_count;
};

/* A pair that was found. */
struct isx_join_pair {
	uint64_t id;    /* of the asset of the block */
	uint64_t match; /* of the asset in the rows */
	double score;
	const struct isx_type_score *types; /* borrowed until the call returns */
	size_t type_count;
};

/* Takes a pair; anything but ISX_OK ends the block with that status. */
typedef enum isx_status isx_join_fn(const struct isx_join_pair *pair, void *arg,
				    struct isx_err *err);

/* What compares blocks, one after the other. `{ .rows = ..., }` to begin; the caller sets the
 * members down to `arg`. */
struct isx_join_block {
	struct isx_lmdb_view *rows; /* of the index that is compared with; its meter counts */
	double threshold;           /* the least unit score that counts, 0 to 1 */
	uint32_t exponent;
	bool is_self; /* the block is of the same index: take only matches with a larger ISCC-ID */
	isx_join_fn *found;
	void *arg;
	/* private */
	const struct isx_kernel *kernel;
	uint32_t distance_max[ISX_BODY_BYTES_MAX + 1]; /* by compared bytes */
	MDB_cursor *cursors[ISX_BODY_BYTES_MAX + 1];   /* of the tables of bodies, to score pairs */
	struct isx_arena arena;
	struct probe *probes; /* the units of the block */
	size_t probe_count;
	const struct isx_joined *assets;
	size_t asset_count;
	size_t assets_each; /* assets that are compared at once: fewer where pairs are many */
	struct isx_hit *page_hits;
	size_t page_rows; /* at most, in a page */
	struct join_hit *hits;
	size_t hit_count;
};

/* Allocate what the comparisons need: 4 MiB, whatever is found. */
ISX_MUST_CHECK enum isx_status isx_join_block_init(struct isx_join_block *block,
						   struct isx_err *err);

/* Find all pairs of `count` assets, at most ISX_JOIN_ASSETS of ascending ISCC-IDs, with assets in
 * the rows, in the order of both ISCC-IDs.
 *   assets  borrowed until the call returns */
ISX_MUST_CHECK enum isx_status isx_join_block_run(struct isx_join_block *block,
						  const struct isx_joined *assets, size_t count,
						  struct isx_err *err);

/* Release everything, before `rows` ends. Safe after a failed init. */
void isx_join_block_release(struct isx_join_block *block);

#endif
