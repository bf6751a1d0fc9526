/*
 * lmdb_table.h - what is done with a table of an index file, whatever its rows are of.
 *
 * All functions want a view that writes. They never commit.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_TABLE_H
#define ISX_LMDB_TABLE_H

#include "base/buf.h"
#include "storage/lmdb_file.h"

/* Remove the rows of an asset from one table, under whatever keys they are: looks at each key. For
 * assets of which is not known any more what rows they have. Returns a code of LMDB.
 *   row_bytes  of each row of the table, which begins with the ISCC-ID body */
int isx_lmdb_sweep_table(struct isx_lmdb_view *view, MDB_dbi table, uint64_t id, size_t row_bytes);

/* If the value under the cursor is no JSON, write it again as such; *value is then in `json`. */
ISX_MUST_CHECK enum isx_status isx_lmdb_repair_value(MDB_cursor *cursor, MDB_val *key,
						     MDB_val *value, struct isx_buf *json,
						     struct isx_err *err);

#endif
