/*
 * lmdb_snapshot.h - read transactions of an open file, and what its environment knows of others.
 *
 * Below views (lmdb_file.h) and the verifying of pages (lmdb_verify.h), which both begin snapshots.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_SNAPSHOT_H
#define ISX_LMDB_SNAPSHOT_H

#include "storage/lmdb_file.h"

/* Begin a read transaction without a view, to verify the file; end it with mdb_txn_abort(). Returns
 * a code of LMDB; EBUSY: the file is read without its lock file, and another process has it
 * open. */
int isx_lmdb_begin_snapshot(struct isx_lmdb_file *file, MDB_txn **txn);

/* Look at the code with which a transaction could not begin: after a first page that could not be
 * written, LMDB refuses all further transactions of an environment (MDB_PANIC). The file is sound, so
 * file->is_replaced is set, and it is closed and opened again when no call uses it. */
void isx_lmdb_note_panic(struct isx_lmdb_file *file, int code);

/* The number of the last transaction that was committed, by any process. */
uint64_t isx_lmdb_last_change(const struct isx_lmdb_file *file);

/* Check after a call on a file that is read without its lock file that no process has written to it
 * since `last_change` was its last transaction. ISX_UNAVAILABLE: what was read may be wrong, since
 * a writer does not know of this reader and may have used its pages again. With a lock file it is
 * ISX_OK at once. */
ISX_MUST_CHECK enum isx_status isx_lmdb_check_unmodified(const struct isx_lmdb_file *file,
							 uint64_t last_change, struct isx_err *err);

/* The number of read transactions on the file now, of all processes. */
uint32_t isx_lmdb_count_readers(const struct isx_lmdb_file *file);

#endif
