/*
 * log.h - the log: one line for each event, on standard error or in a file.
 *
 * The library logs through isx_log_to(), which calls the function that the host program has set in
 * the options of a store. Everything else here is for the program iscc-search, which sets
 * isx_log_message() there.
 *
 * Never pass a key or the body of a request. Level, format and file are the only global state.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LOG_H
#define ISX_LOG_H

#include "base/status.h"

enum isx_log_format {
	ISX_LOG_TEXT, /* 2026-01-31T12:00:00.123Z INFO message name=value name=value */
	ISX_LOG_JSON  /* {"time":"2026-01-31T12:00:00.123Z","level":"info","message":"...",...} */
};

/* A named value of an event: `text` (borrowed), or `number` if `text` is NULL. */
struct isx_log_field {
	const char *name;
	const char *text;
	uint64_t number;
};

/* Drop events below `level`; initially ISX_LOG_WARNING. */
void isx_log_set_level(enum isx_log_level level);

/* Initially ISX_LOG_TEXT. */
void isx_log_set_format(enum isx_log_format format);

/* Append to the file at `path` from now on; it is created if it is missing. `path` is borrowed
 * until the process ends. Call before there are threads. */
ISX_MUST_CHECK enum isx_status isx_log_open(const char *path, struct isx_err *err);

/* Open the log file again by its path, after logrotate has renamed it. On failure the old file
 * stays in use. Without a file nothing happens. From any thread. */
void isx_log_reopen(void);

/* Read a level, in either case: debug, info, warning, error; critical counts as error, trace as
 * debug. False for anything else. */
bool isx_log_level_parse(const char *name, enum isx_log_level *level);

/* Read "text" or "json", in either case; false for anything else. */
bool isx_log_format_parse(const char *name, enum isx_log_format *format);

/* Would an event of this level be written? Saves callers the work for its fields if not. */
bool isx_log_is_on(enum isx_log_level level);

/* Pass a message to a logger; without a function nothing happens. Of the message at most 767
 * bytes are formatted, and control characters and invalid bytes are escaped as isx_shown_next()
 * does. */
void isx_log_to(const struct isx_logger *logger, enum isx_log_level level, const char *format, ...)
	ISX_PRINTF(3, 4);

/* An isx_log_fn that writes the message to this log; `arg` is not used. */
void isx_log_message(enum isx_log_level level, const char *message, void *arg);

/* Write an event without named values. */
void isx_log(enum isx_log_level level, const char *format, ...) ISX_PRINTF(2, 3);

/* Write an event with named values. Names are ASCII letters and underscores; texts may be
 * anything and are escaped. */
void isx_log_fields(enum isx_log_level level, const char *message,
		    const struct isx_log_field *fields, size_t count);

#endif
