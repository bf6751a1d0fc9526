/*
 * service.h - functions of the public interface with a bound on the memory of the answer, for the
 *             HTTP server. They are not exported.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SERVICE_H
#define ISX_SERVICE_H

#include "base/buf.h"
#include "engine/meter.h"

/* As isx_get(), but the JSON is appended to a buffer of the caller. If the quota of the buffer
 * refuses it, the status is the quota's. */
ISX_MUST_CHECK enum isx_status isx_get_into(struct isx_store *store, const char *name,
					    const char *iscc_id, struct isx_buf *json,
					    struct isx_err *err);

/* The same for one of a list of ISCC-IDs: an asset that is not in the index is no failure.
 *   has_index  false before the first one; set once the index is known to exist
 *   found      filled; if false, nothing was appended */
ISX_MUST_CHECK enum isx_status isx_find_into(struct isx_store *store, const char *name,
					     const char *iscc_id, struct isx_buf *json,
					     bool *has_index, bool *found, struct isx_err *err);

/* Copy an asset with all its texts into `arena`.
 *   bytes  increased by those of texts and simprints */
ISX_MUST_CHECK enum isx_status isx_asset_copy(const struct isx_asset *asset,
					      struct isx_arena *arena, struct isx_asset *copy,
					      size_t *bytes, struct isx_err *err);

/* As isx_stats(), which ends when `meter` says so, and asks `quota` (NULL: no ceiling) for what grows
 * with the index. */
ISX_MUST_CHECK enum isx_status isx_stats_within(struct isx_store *store, const char *name,
						const struct isx_meter *meter,
						const struct isx_quota *quota,
						struct isx_index_stats **stats,
						struct isx_err *err);

/* As isx_compare(), which asks `quota` (NULL: no ceiling) for the memory of the assets. */
ISX_MUST_CHECK enum isx_status isx_compare_within(struct isx_store *store, const struct isx_work *a,
						  const struct isx_work *b,
						  const struct isx_query *conditions,
						  const struct isx_quota *quota,
						  struct isx_comparison **comparison,
						  struct isx_err *err);

/* As isx_search(), but memory for the ranking and the result is asked of `quota` first (borrowed
 * until return; threads of the search may ask at the same time). The memory is held until
 * isx_result_free(), or until the search fails. A refusal is returned with the quota's status. */
ISX_MUST_CHECK enum isx_status isx_search_within(struct isx_store *store, const char *name,
						 const struct isx_query *query,
						 struct isx_quota *quota,
						 struct isx_result **result, struct isx_err *err);

/* As isx_search_many(), with the same quota for all queries. errs is not NULL. */
ISX_MUST_CHECK enum isx_status isx_search_many_within(struct isx_store *store, const char *name,
						      const struct isx_query *queries, size_t count,
						      struct isx_quota *quota,
						      struct isx_result **results,
						      struct isx_err *errs, struct isx_err *err);

#endif
