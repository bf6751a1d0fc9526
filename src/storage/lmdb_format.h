/*
 * lmdb_format.h - what lies in an index file, byte by byte.
 *
 * An index is one LMDB file of named tables. Those that 0.3.3 writes are kept as it knows them:
 *
 *   __metadata__        text key -> value
 *       realm_id          u32 BE    0 or 1; absent until the first asset
 *       max_dim           u32 BE    256
 *       created_at        f64 BE    seconds since 1970
 *       sp_types          JSON      array of the simprint types
 *       nphd_count:TYPE   u64 BE    rows of TYPE. 0.3.3 counts the assets that carry a unit of
 *                                   TYPE, and logs a warning where that is less
 *       sp_count:TYPE     u64 BE    simprints of TYPE
 *   __assets__          ISCC-ID body, u64 BE -> JSON of the asset without simprints
 *   __instance__        DUPSORT DUPFIXED INTEGERDUP: body of an INSTANCE unit ->
 *                           ISCC-ID body u64 BE
 *   __sp_TYPE__         DUPSORT DUPFIXED: simprint -> ISCC-ID body, offset u32 BE, size u32 BE
 *   __sp_assets_TYPE__  ISCC-ID body -> BLAKE2b-128 of its simprints of TYPE
 *                       0.3.3 takes a type assets_X, too, and then has its simprints in
 *                       __sp_assets_X__. We refuse such types, and know one where there is no
 *                       type X.
 *
 * Ours, all derived from those above, so that they can be filled again at any time:
 *
 *   __units_BITS__      DUPSORT DUPFIXED: unit type -> ISCC-ID body u64 BE, body of BITS bits
 *   __simprints_BITS__  DUPSORT DUPFIXED: simprint type ->
 *                           ISCC-ID body u64 BE, offset u32 BE, size u32 BE, simprint of BITS bits
 *                       Simprints that share type, offset and size with an earlier one of their
 *                       asset are under the type and a byte 01: they count in frequencies but
 *                       are not searched, as 0.3.3 has it.
 *   __metadata__
 *       isx:format        u32 BE    1; a higher number is refused
 *       isx:derived       u64 BE    the transaction that last brought the tables above up to
 *                                   date; in its first byte ISX_DERIVE_RULE
 *
 * Invariants
 *   - The rows are exactly the units of the stored assets as isx_asset_units() gives them: no body of
 *     an asset is the beginning of another one of the same type.
 *   - isx:derived is the number of the last committed transaction. If it is not, another program
 *     (0.3.3, or this one in a version that made rows by another rule) has written, and everything
 *     derived is filled again before it is used.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_FORMAT_H
#define ISX_LMDB_FORMAT_H

#include "base/limits.h"

#include <stdint.h>

#define ISX_TABLE_METADATA  "__metadata__"
#define ISX_TABLE_ASSETS    "__assets__"
#define ISX_TABLE_INSTANCE  "__instance__"
#define ISX_TABLE_UNITS     "__units_%u__"
#define ISX_TABLE_SIMPRINTS "__simprints_%u__"
#define ISX_TABLE_SP        "__sp_%s__"
#define ISX_TABLE_SP_ASSETS "__sp_assets_%s__"
#define ISX_SP_ASSETS       "assets_" /* no type of ours begins so: it would be taken for that */
#define ISX_TABLE_NAME_MAX  (ISX_SIMPRINT_TYPE_MAX + 24)

#define ISX_META_REALM      "realm_id"
#define ISX_META_MAX_DIM    "max_dim"
#define ISX_META_CREATED    "created_at"
#define ISX_META_SP_TYPES   "sp_types"
#define ISX_META_UNIT_COUNT "nphd_count:%s"
#define ISX_META_SP_COUNT   "sp_count:%s"
#define ISX_META_FORMAT     "isx:format"
#define ISX_META_DERIVED    "isx:derived"

#define ISX_SHADOWED '\x01' /* behind a simprint type: counted, not searched */

enum {
	ISX_FORMAT_VERSION = 1,
	/* By which rule rows are made of the units of assets: to be raised with it. A version with
	 * another rule then does not believe the rows and makes them again, whichever is the older.
	 *   0  of several similarity units of one type the last; of an ISCC-CODE of a wrong length
	 *      what lies where the units should be
	 *   1  the longest form of each unit; of such a code none */
	ISX_DERIVE_RULE = 1,
	ISX_KEY_BYTES = 8,          /* an ISCC-ID body */
	ISX_CHUNK_BYTES = 16,       /* ISCC-ID body, offset, size */
	ISX_FINGERPRINT_BYTES = 16, /* of the simprints of one type in one asset */
	ISX_UNIT_ROW_BYTES_MAX = ISX_KEY_BYTES + ISX_BODY_BYTES_MAX,
	ISX_SIMPRINT_ROW_BYTES_MAX = ISX_CHUNK_BYTES + ISX_SIMPRINT_BYTES_MAX
};

/* What isx:derived says when transaction `txn` has brought everything derived up to date. */
static inline uint64_t isx_lmdb_derived_mark(uint64_t txn)
{
	return txn | (uint64_t)ISX_DERIVE_RULE << 56;
}

#endif
