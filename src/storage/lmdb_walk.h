/*
 * lmdb_walk.h - go through the assets of an index file in the order of their ISCC-IDs.
 *
 * A walk holds one snapshot of the file (an LMDB read transaction) from its beginning to its end:
 * pages that writers free meanwhile are not used again, so the file grows by what is written.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_WALK_H
#define ISX_LMDB_WALK_H

#include "engine/engine.h"
#include "storage/open_files.h"

/* As `walk` in struct isx_engine_ops, with the open files of the engine. */
ISX_MUST_CHECK enum isx_status isx_lmdb_walk(struct isx_open_files *files, const char *name,
					     const struct isx_walk_range *range,
					     struct isx_walk **walk, struct isx_err *err);

#endif
