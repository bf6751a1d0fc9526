/*
 * lmdb_snapshot.c - begin a read transaction, and tell whether what it reads can be trusted.
 *
 * A file that cannot be locked (a read-only mount, no permission) is read without its lock file:
 * no writer knows of such a reader, so other processes are looked for before and after each read.
 * Takes no lock.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_snapshot.h"

#include "storage/lock_file.h"

#include <errno.h>
#include <string.h>

/* The file of memory:// has no name by which it could be opened again. */
void isx_lmdb_note_panic(struct isx_lmdb_file *file, int code)
{
	if (code == MDB_PANIC && file->path)
		atomic_store(&file->is_replaced, true);
}

/* The slots of readers that were killed stay taken until a process looks for them. Here that is
 * done when no other slot is left. */
int isx_lmdb_begin_snapshot(struct isx_lmdb_file *file, MDB_txn **txn)
{
	int dead = 0;
	int rc = mdb_txn_begin(file->env, NULL, MDB_RDONLY, txn);
	if (rc == MDB_READERS_FULL && !mdb_reader_check(file->env, &dead) && dead > 0)
		rc = mdb_txn_begin(file->env, NULL, MDB_RDONLY, txn);
	isx_lmdb_note_panic(file, rc);
	if (!rc && file->is_lockless && isx_lock_file_is_held(file->path)) {
		mdb_txn_abort(*txn);
		*txn = NULL;
		return EBUSY;
	}
	return rc;
}

uint64_t isx_lmdb_last_change(const struct isx_lmdb_file *file)
{
	MDB_envinfo info;
	return mdb_env_info(file->env, &info) ? 0 : info.me_last_txnid;
}

enum isx_status isx_lmdb_check_unmodified(const struct isx_lmdb_file *file, uint64_t last_change,
					  struct isx_err *err)
{
	if (!file->is_lockless)
		return ISX_OK;
	/* Order matters: first that no process has it open now, then that none has written
	 * before. */
	if (isx_lock_file_is_held(file->path))
		return isx_lmdb_status(EBUSY, "read", err);
	if (isx_lmdb_last_change(file) != last_change)
		return isx_fail(err, ISX_UNAVAILABLE,
				"read: another process has written to the index meanwhile, and the "
				"lock file, in which readers are noted, cannot be written from "
				"here: try again");
	return ISX_OK;
}

/* An MDB_msg_func: LMDB lists its readers as text, a line for each behind a line of titles. */
static int count_reader(const char *line, void *arg)
{
	uint32_t *count = arg;
	*count += line[strspn(line, " ")] >= '0' && line[strspn(line, " ")] <= '9';
	return 0;
}

uint32_t isx_lmdb_count_readers(const struct isx_lmdb_file *file)
{
	uint32_t count = 0;
	mdb_reader_list(file->env, count_reader, &count);
	return count;
}
