/*
 * sim_add.h - add and remove assets of one file of usearch:// or memory://.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_ADD_H
#define ISX_SIM_ADD_H

#include "storage/lmdb_kind.h"

/* `prepare`, `put`, `remove` and `replace` in struct isx_lmdb_kind. */
ISX_MUST_CHECK enum isx_status isx_sim_prepare(struct isx_lmdb_add *add, size_t at,
					       struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_sim_put(struct isx_lmdb_add *add, struct isx_lmdb_view *view,
					   struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_sim_remove(struct isx_lmdb_view *view,
					      const struct isx_iscc_id *ids, size_t count,
					      struct isx_err *err);
int isx_sim_replace(struct isx_lmdb_view *view, const struct isx_iscc_id *id, MDB_val json);

/* Remove the asset with this ISCC-ID body, if it is there, in a view that writes. Leaves the counts
 * of types to isx_sim_put_statistics(). */
ISX_MUST_CHECK enum isx_status isx_sim_remove_asset(struct isx_lmdb_view *view, uint64_t id,
						    struct isx_err *err);

#endif
