/*
 * prefix_format.h - what lies in a file of lmdb://, DIR/NAME.lmdb.
 *
 * The file of 0.3.3, table by table, so that both programs can work on it in turn:
 *
 *   __metadata__   text key -> value
 *       realm_id     "0" or "1"; absent until the first asset
 *       created_at   seconds since 1970 as decimal text
 *   __assets__     text of the ISCC-ID -> JSON of the asset without simprints
 *   TYPE           (CONTENT_TEXT_V0 and the like) DUPSORT DUPFIXED INTEGERDUP:
 *                  body of a unit, 1 to 32 bytes -> ISCC-ID body, u64 BE
 *
 * This program adds isx:format, isx:derived and isx:fields to __metadata__, and the table __fields__
 * once fields are declared (storage/lmdb_format.h). 0.3.3 opens at most 16 tables, but only those that
 * it needs, by their names: it never opens __fields__.
 *
 * Invariants
 *   - The rows are exactly the units of the stored assets: those listed, or those of the code.
 *     Shorter forms of a unit are among them: as in 0.3.3, a query matches by equal bits.
 *   - isx:derived is the number of the last committed transaction, with the rule of
 *     lmdb_format.h. If it is not, another program has written last. 0.3.3 gives no rows to
 *     assets with only a code, and leaves the rows of replaced units behind: all rows are made
 *     again before they are used.
 *   - The key of an asset is written with version 1, whatever version its ISCC-ID was given with;
 *     0.3.3 writes both versions, and both are found.
 *
 * INTEGERDUP compares the big-endian ids as little-endian numbers, so the ISCC-IDs of one body
 * come in no useful order.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PREFIX_FORMAT_H
#define ISX_PREFIX_FORMAT_H

#include "storage/lmdb_format.h"

#include <lmdb.h>

enum {
	ISX_PREFIX_ROWS_FLAGS = MDB_DUPSORT | MDB_DUPFIXED | MDB_INTEGERDUP,
	ISX_PREFIX_ID_VERSIONS = 2 /* of ISCC-IDs, 0 and 1 */
};

#endif
