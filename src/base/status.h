/*
 * status.h - the one way to fail: a status of iscc_search.h and a message for the user who made the
 *            call.
 *
 * Every function that can fail returns enum isx_status and takes `struct isx_err *err` (may be
 * NULL) last. It fails with isx_fail() or returns the status of a callee, whose message is in `err`
 * already; isx_err_at() adds the place in the input. `err` is unspecified after success.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_STATUS_H
#define ISX_STATUS_H

#include "iscc_search.h"

#define ISX_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Fill `err` (may be NULL) and return `status`. A message that does not fit is cut off at the
 * end of a character. The position becomes ISX_NO_POSITION, the time to retry after 0. */
enum isx_status isx_fail(struct isx_err *err, enum isx_status status, const char *format, ...)
	ISX_PRINTF(3, 4);

/* Report an error that was kept, for example one of another thread: copy it to `err` (may be
 * NULL) and return its status. */
enum isx_status isx_err_pass(struct isx_err *err, const struct isx_err *reported);

/* Put "PLACE: " in front of the message of `err` (may be NULL) and return `status`, which `err`
 * holds from then on. The position and the time to retry after stay. */
enum isx_status isx_err_at(struct isx_err *err, enum isx_status status, const char *format, ...)
	ISX_PRINTF(3, 4);

#endif
