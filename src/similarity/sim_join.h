/*
 * sim_join.h - find all near-duplicates of an index, or of two.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_JOIN_H
#define ISX_SIM_JOIN_H

#include "storage/lmdb_file.h"

/* As isx_duplicates(); query->min_score is set.
 *   against  the file of the reference; NULL: pairs within `file` */
ISX_MUST_CHECK enum isx_status isx_sim_join(struct isx_lmdb_file *file,
					    struct isx_lmdb_file *against,
					    const struct isx_options *options,
					    const struct isx_duplicates_query *query,
					    isx_pair_fn *found, void *arg, struct isx_err *err);

#endif
