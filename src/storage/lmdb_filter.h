/*
 * lmdb_filter.h - which assets of one snapshot a filter lets through, by the tables of the file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_FILTER_H
#define ISX_LMDB_FILTER_H

#include "engine/filter.h"
#include "engine/id_set.h"
#include "engine/meter.h"
#include "storage/lmdb_file.h"

/* The assets that a filter lets through. Threads that read the snapshot may share it. */
struct isx_passing {
	struct isx_id_set ids; /* no other asset passes */
	/* What has to hold besides for one of them (isx_passing_has()), as no table has it: hub
	 * numbers and unit types. NULL: all of `ids` pass. */
	const struct isx_passing_rest *rest;
	struct isx_arena arena; /* of `rest` */
	uint32_t realm;
};

/* Evaluate a filter once for all assets. It costs about as much as there are rows of the values that
 * it names.
 *   filter   borrowed as long as `passing` is used
 *   quota    asked for the sets, 16 bytes for each asset that passes and as many while they are made;
 *            NULL: no ceiling
 *   meter    asked now and then whether to go on
 *   passing  filled, release with isx_passing_release()
 * ISX_INVALID: the filter names a field that is not declared, or ISCC-IDs of another realm. */
ISX_MUST_CHECK enum isx_status isx_passing_find(struct isx_lmdb_view *view,
						const struct isx_filter *filter,
						const struct isx_quota *quota,
						struct isx_meter *meter,
						struct isx_passing *passing, struct isx_err *err);

/* Safe on one that is all zeros. */
void isx_passing_release(struct isx_passing *passing);

/* Does an asset of the index pass?
 *   passing  NULL: there is no filter
 *   view     of the same snapshot; of this thread
 *   meter    asked now and then whether to go on, where assets are read for it
 *   at       of this caller, who asks with ascending ISCC-IDs: 0 at the start; NULL: in any order */
ISX_MUST_CHECK enum isx_status isx_passing_has(const struct isx_passing *passing,
					       struct isx_lmdb_view *view, struct isx_meter *meter,
					       uint64_t id, size_t *at, bool *passes,
					       struct isx_err *err);

#endif
