/*
 * fs.h - files and directories: errors of the system as a status.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_FS_H
#define ISX_FS_H

#include "base/status.h"

/* Fail with the meaning of `code`, a value of errno: "DOING: the disk is full". A full disk is
 * ISX_FULL, as is a file that must not grow (ulimit -f); a missing permission is ISX_READ_ONLY, no
 * memory ISX_NO_MEMORY, no free file descriptor ISX_UNAVAILABLE, and anything else ISX_IO. */
enum isx_status isx_fail_system(struct isx_err *err, int code, const char *doing);

/* The same for errno, with the path in front: "PATH: DOING: the disk is full". */
enum isx_status isx_fail_errno(struct isx_err *err, const char *doing, const char *path);

#endif
