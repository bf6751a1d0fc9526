/*
 * sim_search.h - answer queries from one index file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_SEARCH_H
#define ISX_SIM_SEARCH_H

#include "engine/engine.h"
#include "storage/lmdb_file.h"

/* Find the assets most like each query: `search_file` in struct isx_lmdb_kind. Searches of several
 * threads that come at the same time share one pass over the rows, and so do the jobs of one call:
 * all of them see every write that was acknowledged before they came. */
void isx_sim_search(struct isx_lmdb_file *file, const struct isx_options *options,
		    struct isx_search_job *jobs, size_t count);

#endif
