/*
 * prefix_add.h - add and remove assets of one file of lmdb://.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PREFIX_ADD_H
#define ISX_PREFIX_ADD_H

#include "storage/lmdb_kind.h"

/* `prepare`, `put`, `remove` and `replace` in struct isx_lmdb_kind. Simprints are dropped. */
ISX_MUST_CHECK enum isx_status isx_prefix_prepare(struct isx_lmdb_add *add, size_t at,
						  struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_prefix_put(struct isx_lmdb_add *add, struct isx_lmdb_view *view,
					      struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_prefix_remove(struct isx_lmdb_view *view,
						 const struct isx_iscc_id *ids, size_t count,
						 struct isx_err *err);
int isx_prefix_replace(struct isx_lmdb_view *view, const struct isx_iscc_id *id, MDB_val json);

#endif
