/*
 * sim_check.h - check a file of usearch:// or memory://.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_CHECK_H
#define ISX_SIM_CHECK_H

#include "storage/lmdb_kind.h"

/* The functions of the same names in struct isx_lmdb_kind. */
bool isx_sim_check_key(MDB_val key, const struct isx_checking *checking, uint8_t *id);
int isx_sim_check_find(const struct isx_checking *checking, const uint8_t *id, unsigned nth,
		       MDB_val *json);
ISX_MUST_CHECK enum isx_status isx_sim_check_rows(const struct isx_checking *checking,
						  const uint8_t *id, const struct isx_asset *asset,
						  struct isx_arena *arena,
						  struct isx_checked_row **rows, size_t *count,
						  struct isx_err *err);
size_t isx_sim_check_tables(const struct isx_checking *checking, struct isx_checked_table *tables);
ISX_MUST_CHECK enum isx_status isx_sim_check_rest(struct isx_checking *checking,
						  struct isx_err *err);

#endif
