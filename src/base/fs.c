/*
 * fs.c - files and directories: errors of the system as a status.
 *
 * errno is translated here and goes no further up: callers decide by the status alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/fs.h"

#include <errno.h>
#include <string.h>

enum isx_status isx_fail_system(struct isx_err *err, int code, const char *doing)
{
	switch (code) {
	case ENOSPC:
	case EDQUOT: /* the quota of the user: to an administrator the same as a full disk */
		return isx_fail(err, ISX_FULL, "%s: the disk is full", doing);
	case EFBIG:
		return isx_fail(
			err, ISX_FULL,
			"%s: the file has reached the size that the system allows (ulimit -f)",
			doing);
	case EACCES:
	case EROFS:
	case EPERM:
		return isx_fail(err, ISX_READ_ONLY, "%s: %s", doing, strerror(code));
	case ENOMEM:
		return isx_fail(err, ISX_NO_MEMORY, "%s: out of memory", doing);
	case EMFILE:
	case ENFILE: /* descriptors come back when connections and indexes are closed: retry */
		return isx_fail(err, ISX_UNAVAILABLE, "%s: %s", doing, strerror(code));
	default:
		return isx_fail(err, ISX_IO, "%s: %s", doing, strerror(code));
	}
}

enum isx_status isx_fail_errno(struct isx_err *err, const char *doing, const char *path)
{
	enum isx_status st = isx_fail_system(err, errno, doing);
	return isx_err_at(err, st, "%s", path);
}
