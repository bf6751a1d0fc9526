/*
 * prefix_search.h - search the assets of one file of lmdb://.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PREFIX_SEARCH_H
#define ISX_PREFIX_SEARCH_H

#include "base/buf.h"
#include "base/mem.h"
#include "storage/lmdb_file.h"

/* Answer a query: `search` in struct isx_lmdb_kind. `options` is not read. */
ISX_MUST_CHECK enum isx_status isx_prefix_search(struct isx_lmdb_view *view,
						 const struct isx_options *options,
						 const struct isx_query *query,
						 struct isx_arena *arena, struct isx_result *result,
						 struct isx_err *err);

#endif
