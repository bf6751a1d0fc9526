/*
 * sim_rows.h - put and remove the rows of an asset: of its units and its simprints.
 *
 * All functions want a view that writes. They never commit.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_ROWS_H
#define ISX_SIM_ROWS_H

#include "engine/asset_units.h"
#include "storage/lmdb_file.h"

/* The unit rows of many assets, grouped by table and type, in the order of their ISCC-IDs. */
struct isx_unit_rows {
	struct isx_arena *arena;
	struct isx_unit_group *groups;
};

/* Collect a unit of the asset `id`. Ids must not fall from call to call, and the bodies of one
 * asset and type must rise, as those of isx_asset_units() do. */
ISX_MUST_CHECK enum isx_status isx_unit_rows_add(struct isx_unit_rows *rows, uint64_t id,
						 const struct isx_indexed_unit *unit,
						 struct isx_err *err);

/* Put all collected rows. They are appended where possible, which is many times faster. */
ISX_MUST_CHECK enum isx_status isx_unit_rows_put(const struct isx_unit_rows *rows,
						 struct isx_lmdb_view *view, struct isx_err *err);

/* Remove the rows of some units of the asset `id`. */
ISX_MUST_CHECK enum isx_status isx_unit_rows_remove(struct isx_lmdb_view *view, uint64_t id,
						    const struct isx_indexed_unit *units,
						    size_t count, struct isx_err *err);

/* Remove all unit rows of the asset `id`, for an asset of which it is not known which rows it has
 * (isx_lmdb_sweep_table()). */
ISX_MUST_CHECK enum isx_status isx_unit_rows_sweep(struct isx_lmdb_view *view, uint64_t id,
						   struct isx_err *err);

/* Write nphd_count:TYPE and sp_count:TYPE, which 0.3.3 reads. Called by
 * isx_sim_put_statistics(). */
ISX_MUST_CHECK enum isx_status isx_sim_put_counts(struct isx_lmdb_view *view, struct isx_err *err);

/* Replace the simprints of one type of the asset `id`; all of `simprints` have that type. */
ISX_MUST_CHECK enum isx_status isx_simprints_put(struct isx_lmdb_view *view, uint64_t id,
						 const struct isx_indexed_simprint *simprints,
						 size_t count, struct isx_arena *arena,
						 struct isx_err *err);

/* Remove the simprints of `type` (NULL: of every type) of the asset `id`, in time proportional to
 * their number. */
ISX_MUST_CHECK enum isx_status isx_simprints_remove(struct isx_lmdb_view *view, uint64_t id,
						    const char *type, struct isx_err *err);

/* Visit the unit types that have rows: `rows` of them in tables of `bytes` together. */
typedef enum isx_status isx_unit_type_fn(const char *type, uint64_t rows, uint64_t bytes, void *arg,
					 struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_sim_each_unit_type(struct isx_lmdb_view *view,
						      isx_unit_type_fn *visit, void *arg,
						      struct isx_err *err);

#endif
