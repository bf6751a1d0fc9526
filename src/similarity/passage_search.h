/*
 * passage_search.h - find the assets that share passages with the simprints of a query.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PASSAGE_SEARCH_H
#define ISX_PASSAGE_SEARCH_H

#include "base/mem.h"
#include "storage/lmdb_file.h"

/* A search: the snapshot it reads, its query, and the asset it leaves out. All borrowed. */
struct isx_passage_ask {
	struct isx_lmdb_view *view;
	const struct isx_options *options;
	const struct isx_query *query;
	uint32_t realm;
	bool excludes_self; /* leave out the asset `self` */
	uint64_t *total;    /* filled: assets that matched, on all pages */
	uint64_t self;
};

/* Make the stored simprints of an asset the simprints of `query`, type by type in the order of
 * their places in the asset. The texts live in `arena`. */
ISX_MUST_CHECK enum isx_status isx_passages_of_asset(struct isx_lmdb_view *view, uint64_t id,
						     struct isx_arena *arena,
						     struct isx_query *query, struct isx_err *err);

/* Find the assets that share passages with query->simprints, the best query->limit of them.
 *   matches  filled: *count of them, in `arena`, without metadata
 *   ids      filled: their ISCC-ID bodies
 * ISX_INVALID: a simprint that cannot be decoded, or of a length that the index does not have. */
ISX_MUST_CHECK enum isx_status isx_passage_search(const struct isx_passage_ask *ask,
						  struct isx_arena *arena,
						  struct isx_chunk_match **matches, uint64_t **ids,
						  size_t *count, struct isx_err *err);

#endif
