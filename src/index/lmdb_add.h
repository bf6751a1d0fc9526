/*
 * lmdb_add.h - add and remove assets of one index file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_ADD_H
#define ISX_LMDB_ADD_H

#include "index/lmdb_file.h"

/* Add or update assets: all or none, durable on return.
 *   outcomes  filled: one per asset */
ISX_MUST_CHECK enum isx_status isx_lmdb_add(struct isx_lmdb_file *file,
					    const struct isx_asset *assets, size_t count,
					    enum isx_outcome *outcomes, struct isx_err *err);

/* Remove the asset `iscc_id` with all that was derived from it. */
ISX_MUST_CHECK enum isx_status isx_lmdb_remove(struct isx_lmdb_file *file, const char *iscc_id,
					       struct isx_err *err);

/* Does the realm of an ISCC-ID fit this index? *has_realm is false for an index without assets. */
ISX_MUST_CHECK enum isx_status isx_lmdb_check_realm(struct isx_lmdb_view *view, const char *iscc_id,
						    uint32_t realm, bool *has_realm,
						    struct isx_err *err);

#endif
