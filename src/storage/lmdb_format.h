/*
 * lmdb_format.h - what every index file has in common, whichever engine it belongs to.
 *
 * An index is one LMDB file of named tables. Two of them are in each file:
 *
 *   __metadata__        text key -> value
 *       realm_id          0 or 1, written as the engine's format says; absent until the first asset
 *       created_at        seconds since 1970, written as the engine's format says
 *       isx:format        u32 BE    1; a higher number is refused
 *       isx:derived       u64 BE    the transaction that last brought all derived rows up to date;
 *                                   its first byte is ISX_DERIVE_RULE
 *       isx:fields        JSON      array of the declared fields, as JSON pointers into metadata
 *   __assets__          key of an asset -> its JSON, without simprints
 *
 * and one that is made when fields are first declared:
 *
 *   __fields__          DUPSORT DUPFIXED: number of the field, one byte: its position in isx:fields;
 *                       and the key of a value (json/field_value.h) -> ISCC-ID body u64 BE. A key
 *                       that is longer than ISX_FIELD_HEAD_BYTES is cut there, and the BLAKE2b-256
 *                       of the whole value key follows: equal values have equal keys, and only values
 *                       with the same beginning of 399 bytes are not in the order of the values
 *
 * iscc-search 0.3.3 writes neither isx:format, isx:derived, isx:fields nor __fields__, and ignores them. All other tables,
 * the keys of assets and the rest of __metadata__ are the engine's: similarity/sim_format.h for
 * usearch:// and memory://, prefix/prefix_format.h for lmdb://.
 *
 * The tables and these values tell whose a file is: only usearch:// has a table __instance__, 4 bytes
 * of realm_id, and 8 bytes of created_at; the texts of lmdb:// have 1, and 10 or more.
 *
 * Invariant: isx:derived is the number of the last committed transaction. If it is not, another
 * program (0.3.3, or a version of this one that makes rows by another rule) has written last, and
 * everything derived is filled again before it is used.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_FORMAT_H
#define ISX_LMDB_FORMAT_H

#include "base/limits.h"

#include <stdint.h>

#define ISX_SCHEME_SIM    "usearch://"
#define ISX_SCHEME_PREFIX "lmdb://"

#define ISX_TABLE_METADATA "__metadata__"
#define ISX_TABLE_ASSETS   "__assets__"
#define ISX_TABLE_INSTANCE "__instance__" /* of usearch:// only */

#define ISX_TABLE_FIELDS "__fields__"

#define ISX_META_REALM   "realm_id"
#define ISX_META_CREATED "created_at"
#define ISX_META_FORMAT  "isx:format"
#define ISX_META_DERIVED "isx:derived"
#define ISX_META_FIELDS  "isx:fields"

enum {
	ISX_FORMAT_VERSION = 1,
	/* The rule by which rows are made of assets; a change of the rule raises the number. A
	 * version with another rule then fills the derived tables again, whichever is the older.
	 *   0  of several similarity units of one type, the last; of an ISCC-CODE of a wrong
	 *      length, the bytes at the places where its units should be
	 *   1  the longest form of each unit; of an ISCC-CODE of a wrong length, none */
	ISX_DERIVE_RULE = 1,
	ISX_KEY_BYTES = 8, /* an ISCC-ID body, u64 BE: every row begins with it */
	/* Of the keys of __fields__. LMDB allows 511 bytes; some hundred let the order of most texts
	 * be that of the table. */
	ISX_FIELD_HEAD_BYTES = 400,
	ISX_FIELD_KEY_BYTES_MAX = ISX_FIELD_HEAD_BYTES + 32
};

/* The value of isx:derived once transaction `txn` has brought everything derived up to date. */
static inline uint64_t isx_lmdb_derived_mark(uint64_t txn)
{
	return txn | (uint64_t)ISX_DERIVE_RULE << 56;
}

#endif
