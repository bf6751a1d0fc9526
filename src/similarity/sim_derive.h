/*
 * sim_derive.h - fill the derived tables from __assets__ and __sp_TYPE__.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_DERIVE_H
#define ISX_SIM_DERIVE_H

#include "storage/lmdb_file.h"

/* In a view that writes: empty __units_*__, __simprints_*__ and __instance__ and fill them from
 * the tables that 0.3.3 writes. Stored JSON that is invalid (NaN, lone surrogates) is repaired. */
ISX_MUST_CHECK enum isx_status isx_sim_derive(struct isx_lmdb_view *view, struct isx_err *err);

#endif
