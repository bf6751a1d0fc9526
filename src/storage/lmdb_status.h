/*
 * lmdb_status.h - LMDB's codes as statuses, and its values as spans.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_STATUS_H
#define ISX_LMDB_STATUS_H

#include "base/span.h"
#include "base/status.h"

#include <lmdb.h>

/* Turn a code of LMDB (negative) or of errno (positive) into a status and a message for the user:
 * "add assets: the disk is full". Returns ISX_OK for 0.
 *   doing  what failed, the beginning of the message: an action or a path */
enum isx_status isx_lmdb_status(int code, const char *doing, struct isx_err *err);

/* A value of LMDB over bytes that it only reads: mv_data has no const. */
static inline MDB_val isx_lmdb_val(const void *bytes, size_t count)
{
	return (MDB_val){ .mv_size = count, .mv_data = (void *)(uintptr_t)bytes };
}

/* Borrowed, as every value of LMDB, until its transaction ends or writes again. */
static inline struct isx_span isx_lmdb_span(MDB_val value)
{
	return (struct isx_span){ value.mv_data, value.mv_size };
}

#endif
