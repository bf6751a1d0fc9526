/*
 * prefix_walk.h - the assets of a file of lmdb:// in the order of their ISCC-IDs.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PREFIX_WALK_H
#define ISX_PREFIX_WALK_H

#include "storage/lmdb_kind.h"

/* `next` in struct isx_lmdb_kind. */
int isx_prefix_next(struct isx_lmdb_view *view, uint64_t from, struct isx_iscc_id *id,
		    MDB_val *json);

#endif
