/*
 * sim_format.h - what lies in a file of usearch:// and memory://, byte by byte.
 *
 * storage/lmdb_format.h describes what the files of all engines share. The tables that iscc-search
 * 0.3.3 writes are kept as it knows them:
 *
 *   __metadata__        text key -> value
 *       realm_id          u32 BE    0 or 1; absent until the first asset
 *       max_dim           u32 BE    256
 *       created_at        f64 BE    seconds since 1970
 *       sp_types          JSON      array of the simprint types
 *       nphd_count:TYPE   u64 BE    rows of TYPE. 0.3.3 counts the assets that carry a unit of
 *                                   TYPE, and logs a warning where that is less
 *       sp_count:TYPE     u64 BE    simprints of TYPE
 *       isx:distances:TYPE          sampled distances between units of TYPE (sim_calibrate.h): the
 *                                   rows of TYPE then, u64 BE; and for 64, 128 and 256 compared
 *                                   bits the pairs at each distance, u32 BE each. Of this program
 *                                   alone; absent where TYPE has few rows
 *   __assets__          ISCC-ID body, u64 BE -> JSON of the asset without simprints
 *   __instance__        DUPSORT DUPFIXED INTEGERDUP: body of an INSTANCE unit ->
 *                           ISCC-ID body u64 BE
 *   __sp_TYPE__         DUPSORT DUPFIXED: simprint -> ISCC-ID body, offset u32 BE, size u32 BE
 *   __sp_assets_TYPE__  ISCC-ID body -> BLAKE2b-128 of its simprints of TYPE
 *                       0.3.3 also accepts a simprint type assets_X, and then keeps the simprints
 *                       of assets_X in __sp_assets_X__. This program refuses such types, and takes
 *                       __sp_assets_X__ for simprints of assets_X only if there is no type X.
 *
 * This program adds tables that are all derived from those above, so that they can be filled again
 * at any time:
 *
 *   __units_BITS__      DUPSORT DUPFIXED: unit type -> ISCC-ID body u64 BE, body of BITS bits
 *   __simprints_BITS__  DUPSORT DUPFIXED: simprint type ->
 *                           ISCC-ID body u64 BE, offset u32 BE, size u32 BE, simprint of BITS bits
 *                       Simprints that share type, offset and size with an earlier one of their
 *                       asset are under the type and a byte 01: as in 0.3.3, they count in
 *                       frequencies but are not searched.
 *
 * Invariant: the rows are exactly the units of the stored assets as isx_asset_units() gives them,
 * so no body of an asset is the beginning of another one of the same type.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_FORMAT_H
#define ISX_SIM_FORMAT_H

#include "storage/lmdb_format.h"

#define ISX_TABLE_UNITS     "__units_%u__"
#define ISX_TABLE_SIMPRINTS "__simprints_%u__"
#define ISX_TABLE_SP        "__sp_%s__"
#define ISX_TABLE_SP_ASSETS "__sp_assets_%s__"
#define ISX_SP_ASSETS       "assets_" /* no type may begin so: see __sp_assets_TYPE__ */
#define ISX_TABLE_NAME_MAX  (ISX_SIMPRINT_TYPE_MAX + 24)

#define ISX_META_MAX_DIM    "max_dim"
#define ISX_META_SP_TYPES   "sp_types"
#define ISX_META_UNIT_COUNT "nphd_count:%s"
#define ISX_META_SP_COUNT   "sp_count:%s"
#define ISX_META_DISTANCES  "isx:distances:%s"

#define ISX_SHADOWED '\x01' /* behind a simprint type: counted, not searched */

enum {
	ISX_UNIT_ROW_BYTES_MAX = ISX_KEY_BYTES + ISX_BODY_BYTES_MAX,
	ISX_CHUNK_BYTES = 16,       /* ISCC-ID body, offset, size */
	ISX_FINGERPRINT_BYTES = 16, /* of the simprints of one type in one asset */
	ISX_SIMPRINT_ROW_BYTES_MAX = ISX_CHUNK_BYTES + ISX_SIMPRINT_BYTES_MAX
};

#endif
