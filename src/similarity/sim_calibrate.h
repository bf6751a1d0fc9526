/*
 * sim_calibrate.h - how far unrelated assets of an index are apart, measured by sampling.
 *
 * For each unit type 1,024 to 4,096 rows (all of fewer), evenly spaced, are compared with each
 * other, and their distances are counted in __metadata__ (sim_format.h): in the transaction of an add, a removal or
 * a derivation that brings the type to ISX_SAMPLE_ROWS_MIN rows, or to twice or half of the rows
 * that it had when this was last done; from 1,024 rows on, to four times or a quarter. So all
 * searches of all processes read the same numbers, and none has to sample.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_CALIBRATE_H
#define ISX_SIM_CALIBRATE_H

#include "engine/chance.h"
#include "storage/lmdb_check.h"
#include "storage/lmdb_file.h"

enum { ISX_SAMPLE_ROWS_MIN = 64 }; /* fewer rows are not sampled: 2,000 pairs say little */

/* Read what was measured of a unit type; distances->rows is 0 if nothing was: few rows, or all of
 * them written by a version that did not sample. */
ISX_MUST_CHECK enum isx_status isx_distances_get(struct isx_lmdb_view *view, const char *type,
						 struct isx_distances *distances,
						 struct isx_err *err);

/* In a view that writes, after rows were put or removed: write their counts (isx_sim_put_counts()),
 * and sample the types of which the number of rows has changed so much (above). */
ISX_MUST_CHECK enum isx_status isx_sim_put_statistics(struct isx_lmdb_view *view,
						      struct isx_err *err);

/* Forget all samples: the next isx_sim_put_statistics() takes new ones. */
ISX_MUST_CHECK enum isx_status isx_distances_clear(struct isx_lmdb_view *view, struct isx_err *err);

/* Check that all samples can be read and belong to the rows of the index. */
ISX_MUST_CHECK enum isx_status isx_distances_check(struct isx_checking *checking,
						   struct isx_err *err);

#endif
