/*
 * sim_stats.h - the numbers of an index of usearch:// and memory://.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_STATS_H
#define ISX_SIM_STATS_H

#include "base/mem.h"
#include "storage/lmdb_file.h"

/* Count what an index holds: struct isx_lmdb_kind. */
ISX_MUST_CHECK enum isx_status isx_sim_stats(struct isx_lmdb_view *view,
					     const struct isx_options *options,
					     struct isx_arena *arena, struct isx_index_stats *stats,
					     struct isx_err *err);

#endif
