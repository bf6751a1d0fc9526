/*
 * lmdb_status.c - LMDB's codes as statuses. No caller above storage/ sees a code of LMDB.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_status.h"

#include "base/fs.h"

#include <errno.h>

enum isx_status isx_lmdb_status(int code, const char *doing, struct isx_err *err)
{
	switch (code) {
	case 0:
		return ISX_OK;
	/* MDB_MAP_RESIZED: another process has mapped the file with more address space. */
	case MDB_MAP_FULL:
	case MDB_MAP_RESIZED:
		return isx_fail(err, ISX_FULL,
				"%s: the address space of the index is used up "
				"(map_bytes)",
				doing);
	case EBUSY:
		return isx_fail(err, ISX_UNAVAILABLE,
				"%s: another process has the index open, and the lock file, in "
				"which readers are noted, cannot be written from here",
				doing);
	case MDB_PANIC: /* the file itself is as it was before (isx_lmdb_note_panic()) */
		return isx_fail(
			err, ISX_UNAVAILABLE,
			"%s: a write to the disk has failed, and the index has to be opened "
			"again: try again",
			doing);
	case MDB_READERS_FULL:
		return isx_fail(err, ISX_UNAVAILABLE, "%s: too many readers at once", doing);
	case EAGAIN: /* LMDB's record lock of process number N is held by another process N */
		return isx_fail(err, ISX_UNAVAILABLE,
				"%s: a process of the same number uses it from another PID "
				"namespace: containers that share it have to share that, too",
				doing);
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_PAGE_NOTFOUND:
	case MDB_INCOMPATIBLE:
		return isx_fail(err, ISX_CORRUPT, "%s: %s", doing, mdb_strerror(code));
	default:
		if (code > 0) /* LMDB's own codes are negative */
			return isx_fail_system(err, code, doing);
		return isx_fail(err, ISX_IO, "%s: %s", doing, mdb_strerror(code));
	}
}
