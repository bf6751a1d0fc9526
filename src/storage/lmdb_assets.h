/*
 * lmdb_assets.h - the calls on the assets of one open index file, for every kind of file.
 *
 * What is the same for all of them: the view, the realm of the index, errors. How an asset is stored
 * and searched is in the kind of the file (lmdb_kind.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_ASSETS_H
#define ISX_LMDB_ASSETS_H

#include "base/buf.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/scorer.h"
#include "iscc/iscc_id.h"
#include "storage/lmdb_file.h"

/* Check that `realm`, that of the ISCC-ID `iscc_id`, is the realm of the index. Any realm fits an
 * index without assets. */
ISX_MUST_CHECK enum isx_status isx_lmdb_check_realm(struct isx_lmdb_view *view, const char *iscc_id,
						    uint32_t realm, struct isx_err *err);

/* Find an asset.
 *   id    filled: `iscc_id`, decoded
 *   json  filled: the stored JSON, borrowed from the view
 * ISX_INVALID: no ISCC-ID, or one of another realm. ISX_NOT_FOUND: the index does not have it. */
ISX_MUST_CHECK enum isx_status isx_lmdb_find(struct isx_lmdb_view *view, const char *iscc_id,
					     struct isx_iscc_id *id, struct isx_span *json,
					     struct isx_err *err);

/* Make the query for assets like the asset that query->iscc_id names.
 *   effective  filled: lives in `arena`, or is borrowed from `query`
 *   id         filled: of the asset */
ISX_MUST_CHECK enum isx_status isx_lmdb_query_of(struct isx_lmdb_view *view,
						 const struct isx_query *query,
						 struct isx_arena *arena,
						 struct isx_query *effective,
						 struct isx_iscc_id *id, struct isx_err *err);

/* Fetch what a match carries of its asset, as isx_stored_carried().
 * ISX_CORRUPT: the asset has rows, but is not stored. */
ISX_MUST_CHECK enum isx_status isx_lmdb_carried(struct isx_lmdb_view *view,
						const struct isx_iscc_id *id, uint32_t with,
						struct isx_arena *arena, struct isx_asset *asset,
						struct isx_err *err);

/* Complete the evidence of an asset for an explanation, as isx_explain_unmatched(). */
ISX_MUST_CHECK enum isx_status isx_lmdb_explain(struct isx_lmdb_view *view,
						const struct isx_iscc_id *id,
						const struct isx_query_plan *plan,
						struct isx_arena *arena,
						struct isx_evidence *evidence, struct isx_err *err);

/* Append the stored JSON of an asset. Reads, and verifies, the pages that lead to it. */
ISX_MUST_CHECK enum isx_status isx_lmdb_get(struct isx_lmdb_file *file, const char *iscc_id,
					    struct isx_buf *json, struct isx_err *err);

/* Answer a query from one snapshot; query->limit is at least 1. *result lives in `arena`. */
ISX_MUST_CHECK enum isx_status isx_lmdb_search(struct isx_lmdb_file *file,
					       const struct isx_options *options,
					       const struct isx_query *query,
					       struct isx_arena *arena, struct isx_result *result,
					       struct isx_err *err);

/* Answer several queries, each from one snapshot; each job gets a status of its own. */
void isx_lmdb_search_many(struct isx_lmdb_file *file, const struct isx_options *options,
			  struct isx_search_job *jobs, size_t count);

#endif
