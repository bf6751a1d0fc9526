/*
 * prefix_add.h - add and remove assets of one file of lmdb://.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PREFIX_ADD_H
#define ISX_PREFIX_ADD_H

#include "base/buf.h"
#include "storage/lmdb_file.h"

/* Add or update assets: all or none, durable on return. Their simprints are dropped.
 *   outcomes  filled: one per asset */
ISX_MUST_CHECK enum isx_status isx_prefix_add(struct isx_lmdb_file *file,
					      const struct isx_asset *assets, size_t count,
					      enum isx_outcome *outcomes, struct isx_err *err);

/* Remove the asset `iscc_id` with its rows. */
ISX_MUST_CHECK enum isx_status isx_prefix_remove(struct isx_lmdb_file *file, const char *iscc_id,
						 struct isx_err *err);

#endif
