/*
 * lmdb_verify.h - which pages of an open file LMDB can be let near, and the refusal of one that is damaged.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_VERIFY_H
#define ISX_LMDB_VERIFY_H

#include "storage/lmdb_file.h"

/* Verify what LMDB reads first of a file that is being opened; all of it, if it is shorter than it says.
 * ISX_CORRUPT: it is damaged. */
ISX_MUST_CHECK enum isx_status isx_lmdb_verify_opening(struct isx_lmdb_file *file,
						       struct isx_err *err);

/* Make sure that no page of that extent can lead LMDB astray, by walking all of them at the first use.
 * Every view does so by itself.
 *   again  also when it was done before
 * ISX_CORRUPT: the file is damaged, and is refused from now on. */
ISX_MUST_CHECK enum isx_status isx_lmdb_verify(struct isx_lmdb_file *file,
					       enum isx_pages_extent extent, bool again,
					       struct isx_err *err);

/* A call on the file found that something is wrong: verify once more before the next one, though not
 * more than once a minute: it may be an asset that somebody asks for again and again. */
void isx_lmdb_suspect(struct isx_lmdb_file *file);

/* A view that writes begins, and has ended: with the number of the transaction that was committed, or
 * 0. Between the two the file may be written. */
void isx_lmdb_watch_begin(struct isx_lmdb_file *file);
void isx_lmdb_watch_end(struct isx_lmdb_file *file, uint64_t txn_id);

/* Fail with ISX_CORRUPT: the file, `what` is wrong with it, and what to do. */
enum isx_status isx_lmdb_fail_damaged(const struct isx_lmdb_file *file, const char *what,
				      struct isx_err *err);

/* Look up an asset; the pages that lead to it are verified before, if they were not. A code of LMDB. */
int isx_lmdb_get_asset(struct isx_lmdb_view *view, MDB_val *key, MDB_val *value);

#endif
