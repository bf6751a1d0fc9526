/*
 * sim_add.h - add and remove assets of one index file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_ADD_H
#define ISX_SIM_ADD_H

#include "storage/lmdb_file.h"

/* Add or update assets: all or none, durable on return.
 *   outcomes  filled: one per asset */
ISX_MUST_CHECK enum isx_status isx_sim_add(struct isx_lmdb_file *file,
					   const struct isx_asset *assets, size_t count,
					   enum isx_outcome *outcomes, struct isx_err *err);

/* Remove the asset `iscc_id` with all that was derived from it. */
ISX_MUST_CHECK enum isx_status isx_sim_remove(struct isx_lmdb_file *file, const char *iscc_id,
					      struct isx_err *err);

/* Put assets of the right realm, in a view that writes. Never commits.
 *   outcomes  filled: one per asset */
ISX_MUST_CHECK enum isx_status isx_sim_put_assets(struct isx_lmdb_view *view,
						  const struct isx_asset *assets, size_t count,
						  enum isx_outcome *outcomes, struct isx_err *err);

/* Remove the asset with this ISCC-ID body, if it is there, in a view that writes. Leaves the counts
 * of types to isx_sim_put_counts(). */
ISX_MUST_CHECK enum isx_status isx_sim_remove_asset(struct isx_lmdb_view *view, uint64_t id,
						    struct isx_err *err);

#endif
