/*
 * prefix_walk.h - the assets of a file of lmdb:// in the order of their ISCC-IDs.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PREFIX_WALK_H
#define ISX_PREFIX_WALK_H

#include "storage/lmdb_walk.h"

extern const struct isx_walk_rules isx_prefix_walk_rules;

#endif
