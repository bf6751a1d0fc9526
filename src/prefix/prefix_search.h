/*
 * prefix_search.h - fetch and search assets of one file of lmdb://.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PREFIX_SEARCH_H
#define ISX_PREFIX_SEARCH_H

#include "base/buf.h"
#include "base/mem.h"
#include "storage/lmdb_file.h"

/* Append the stored JSON of an asset. */
ISX_MUST_CHECK enum isx_status isx_prefix_get_json(struct isx_lmdb_file *file, const char *iscc_id,
						   struct isx_buf *json, struct isx_err *err);

/* Answer a query; everything in *result lives in `arena`. `options` is not read. */
ISX_MUST_CHECK enum isx_status isx_prefix_search(struct isx_lmdb_file *file,
						 const struct isx_options *options,
						 const struct isx_query *query,
						 struct isx_arena *arena, struct isx_result *result,
						 struct isx_err *err);

#endif
