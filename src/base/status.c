/*
 * status.c - the names of statuses, and composing error messages.
 *
 * Nothing here allocates: "out of memory" has to be reported by the same functions. No global
 * state.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What logs, /metrics and clients of the library read. */
static const char *const names[] = {
	[ISX_OK] = "ok",
	[ISX_INVALID] = "invalid",
	[ISX_SCHEMA] = "schema",
	[ISX_NOT_FOUND] = "not_found",
	[ISX_EXISTS] = "exists",
	[ISX_UNAUTHORIZED] = "unauthorized",
	[ISX_TOO_LARGE] = "too_large",
	[ISX_READ_ONLY] = "read_only",
	[ISX_FULL] = "full",
	[ISX_UNAVAILABLE] = "unavailable",
	[ISX_CORRUPT] = "corrupt",
	[ISX_IO] = "io",
	[ISX_NO_MEMORY] = "no_memory",
	[ISX_CANCELLED] = "cancelled",
	[ISX_UNSUPPORTED] = "unsupported",
};

/* Drop an incomplete UTF-8 character at the end of `text`, which vsnprintf() has cut off at a
 * byte: a message promises UTF-8, and JSON answers and log lines repeat it. */
static void trim_partial_character(char *text)
{
	size_t len = strlen(text);
	size_t start = len;
	while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
		start--;
	if (start == 0)
		return;
	/* `start` is behind the lead byte now; a character that is complete stays. */
	unsigned char lead = (unsigned char)text[start - 1];
	size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	if (len - (start - 1) < wanted)
		text[start - 1] = '\0';
}

enum isx_status isx_fail(struct isx_err *err, enum isx_status status, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		int len = vsnprintf(err->msg, sizeof err->msg, format, args);
		va_end(args);
		err->status = status;
		err->position = ISX_NO_POSITION;
		err->retry_after_s = 0;
		if (len < 0) /* an encoding error of a wide character: no format here has one */
			err->msg[0] = '\0';
		else if ((size_t)len >= sizeof err->msg)
			trim_partial_character(err->msg);
	}
	return status;
}

/* A plain copy: a message that has passed isx_fail() is whole UTF-8. */
enum isx_status isx_err_pass(struct isx_err *err, const struct isx_err *reported)
{
	if (err)
		*err = *reported;
	return reported->status;
}

/* Several callers may add their place, innermost first: "body: units[1]: expected ...". */
enum isx_status isx_err_at(struct isx_err *err, enum isx_status status, const char *format, ...)
{
	if (err) {
		char place[128];
		char rest[sizeof err->msg];
		size_t position = err->position;
		uint32_t retry_after_s = err->retry_after_s;
		va_list args;
		va_start(args, format);
		int len = vsnprintf(place, sizeof place, format, args);
		va_end(args);
		memcpy(rest, err->msg, sizeof rest); /* isx_fail() writes where it would read */
		if (len >= 0)
			isx_fail(err, status, "%s: %s", place, rest);
		err->position = position;
		err->retry_after_s = retry_after_s;
	}
	return status;
}

/* A host program may pass any number, also a status of a later version. */
const char *isx_status_name(enum isx_status status)
{
	return (unsigned)status < sizeof names / sizeof *names ? names[status] : "unknown";
}
