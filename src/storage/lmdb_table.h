/*
 * lmdb_table.h - work on a table of an index file that does not depend on what its rows are.
 *
 * All functions need a view that writes, and leave the commit to the caller.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_TABLE_H
#define ISX_LMDB_TABLE_H

#include "base/buf.h"
#include "storage/lmdb_file.h"

/* Remove the rows of an asset from one table by a look at every key. For assets with stored JSON
 * that cannot be read, so that the keys of their rows are not known. Returns a code of LMDB.
 *   table      0: there is no such table, nothing is done
 *   row_bytes  length of each row of the table, at most 40; rows begin with the ISCC-ID body */
int isx_lmdb_sweep_table(struct isx_lmdb_view *view, MDB_dbi table, uint64_t id, size_t row_bytes);

/* If the value under the cursor is no valid JSON, repair it (isx_json_repair()) and write it back;
 * *value then points into `json`. */
ISX_MUST_CHECK enum isx_status isx_lmdb_repair_value(MDB_cursor *cursor, MDB_val *key,
						     MDB_val *value, struct isx_buf *json,
						     struct isx_err *err);

#endif
