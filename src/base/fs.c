/*
 * fs.c - files and directories: what the system says as a status. The system's codes end here.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/fs.h"

#include <errno.h>
#include <string.h>

enum isx_status isx_fail_system(struct isx_err *err, int code, const char *doing)
{
	switch (code) {
	case ENOSPC:
	case EDQUOT:
		return isx_fail(err, ISX_FULL, "%s: the disk is full", doing);
	case EACCES:
	case EROFS:
	case EPERM:
		return isx_fail(err, ISX_READ_ONLY, "%s: %s", doing, strerror(code));
	case ENOMEM:
		return isx_fail(err, ISX_NO_MEMORY, "%s: out of memory", doing);
	case EMFILE:
	case ENFILE:
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
