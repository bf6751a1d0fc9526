/*
 * lmdb_verify.h - which pages of an open file are verified, so that LMDB may read them, and the
 * refusal
 *                 of a damaged file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_VERIFY_H
#define ISX_LMDB_VERIFY_H

#include "storage/lmdb_file.h"

/* The first finding of a check, for the message of an error, and how many there are. { 0 }: none. */
struct isx_first_finding {
	char text[160];
	uint64_t count;
};

/* An isx_finding_fn that fills one; `arg` is its address. */
void isx_finding_keep_first(const char *text, void *arg);

/* Verify the pages that LMDB reads when a file is opened; all pages if the file is shorter than its
 * number of pages says. ISX_CORRUPT: the file is damaged. */
ISX_MUST_CHECK enum isx_status isx_lmdb_verify_opening(struct isx_lmdb_file *file,
						       struct isx_err *err);

/* Make sure that all pages of an extent are verified: walks them unless it was done before.
 * Functions that begin a view call it. Takes `verifying`; the caller may hold LMDB's writer lock,
 * not `opening`.
 *   again  walk also if it was done before
 * ISX_CORRUPT: the file is damaged, and is refused from now on. */
ISX_MUST_CHECK enum isx_status isx_lmdb_verify(struct isx_lmdb_file *file,
					       enum isx_pages_extent extent, bool again,
					       struct isx_err *err);

/* LMDB or a stored asset showed damage during a call: all pages are verified again before the next
 * view. At most once a minute, as a client may ask for a damaged asset again and again. */
void isx_lmdb_suspect(struct isx_lmdb_file *file);

/* Called when a view that writes begins and when it has ended: between the two this process may
 * write to the file.
 *   txn_id  the transaction that was committed; 0: none */
void isx_lmdb_watch_begin(struct isx_lmdb_file *file);
void isx_lmdb_watch_end(struct isx_lmdb_file *file, uint64_t txn_id);

/* Fail with ISX_CORRUPT. The message has the path of the file, `what` is wrong, and what to do. */
enum isx_status isx_lmdb_fail_damaged(const struct isx_lmdb_file *file, const char *what,
				      struct isx_err *err);

/* Look up an asset; first verifies the pages that lead to it, unless they were verified. Returns a
 * code of LMDB. MDB_CORRUPTED: the file is refused from now on (isx_lmdb_file.damage). */
int isx_lmdb_get_asset(struct isx_lmdb_view *view, MDB_val *key, MDB_val *value);

#endif
