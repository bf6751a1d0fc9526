/*
 * sim_search.h - answer a query from one index file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_SEARCH_H
#define ISX_SIM_SEARCH_H

#include "base/buf.h"
#include "base/mem.h"
#include "storage/lmdb_file.h"

/* The assets most like the query; query->limit is at least 1. *result lives in `arena`. */
ISX_MUST_CHECK enum isx_status isx_sim_search(struct isx_lmdb_file *file,
					      const struct isx_options *options,
					      const struct isx_query *query,
					      struct isx_arena *arena, struct isx_result *result,
					      struct isx_err *err);

/* Append the stored JSON of an asset. */
ISX_MUST_CHECK enum isx_status isx_sim_get(struct isx_lmdb_file *file, const char *iscc_id,
					   struct isx_buf *json, struct isx_err *err);

#endif
