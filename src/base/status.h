/*
 * status.h - the one way to fail: a status from iscc_search.h and a message for the person who
 * asked.
 *
 * Every function that can fail returns enum isx_status and takes `struct isx_err *err` (may be
 * NULL) last. It fails with isx_fail() and passes on what a callee reported; isx_err_at() adds
 * where.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_STATUS_H
#define ISX_STATUS_H

#include "iscc_search.h"

#define ISX_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Fill `err` (may be NULL) and return `status`. The message is cut, at a character, to fit. */
enum isx_status isx_fail(struct isx_err *err, enum isx_status status, const char *format, ...)
	ISX_PRINTF(3, 4);

/* Pass on what was reported elsewhere, in another thread for one: copies it to `err` (may be NULL) and
 * returns its status. */
enum isx_status isx_err_pass(struct isx_err *err, const struct isx_err *reported);

/* Put "place: " in front of the message of `err` (may be NULL); returns the status it holds. */
enum isx_status isx_err_at(struct isx_err *err, enum isx_status status, const char *format, ...)
	ISX_PRINTF(3, 4);

/* The HTTP status code that tells a client of `status`. */
unsigned isx_status_http(enum isx_status status);

/* The exit code of a command that ended with `status`. */
int isx_status_exit(enum isx_status status);

#endif
