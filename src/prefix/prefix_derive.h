/*
 * prefix_derive.h - make the rows of a file of lmdb:// again, from its assets.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PREFIX_DERIVE_H
#define ISX_PREFIX_DERIVE_H

#include "storage/lmdb_file.h"

/* In a view that writes: empty the tables of rows and fill them from __assets__, because
 * another program wrote last (prefix_format.h). Stored JSON that is invalid is repaired. */
ISX_MUST_CHECK enum isx_status isx_prefix_derive(struct isx_lmdb_view *view, struct isx_err *err);

#endif
