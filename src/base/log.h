/*
 * log.h - what the program says of itself: one line an event, on standard error or in a file.
 *
 * What the library has to say goes to the function that the host program gave with the options of the
 * store: isx_log_to(). The rest of this file is for the program, which gives isx_log_message().
 *
 * Never pass a key or a request's body. Level, format and file are the only global state.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LOG_H
#define ISX_LOG_H

#include "base/status.h"

enum isx_log_format {
	ISX_LOG_TEXT, /* 2026-01-31T12:00:00.123Z INFO message name=value name=value */
	ISX_LOG_JSON  /* {"time":"2026-01-31T12:00:00.123Z","level":"info","message":"...",...} */
};

/* A named value of an event: a text, or with NULL the number. Texts are borrowed. */
struct isx_log_field {
	const char *name;
	const char *text;
	uint64_t number;
};

/* Drop what is below `level`; the start value is ISX_LOG_WARNING. */
void isx_log_set_level(enum isx_log_level level);

/* The start value is ISX_LOG_TEXT. */
void isx_log_set_format(enum isx_log_format format);

/* Write to the end of the file at `path` (borrowed for good) from now on, making it if need be. */
ISX_MUST_CHECK enum isx_status isx_log_open(const char *path, struct isx_err *err);

/* Open the file again under its name: the old one may have been renamed. On failure the old one
 * stays. Nothing happens where standard error is used. */
void isx_log_reopen(void);

/* One of debug, info, warning, error, critical; false for anything else. */
bool isx_log_level_parse(const char *name, enum isx_log_level *level);

/* "text" or "json"; false for anything else. */
bool isx_log_format_parse(const char *name, enum isx_log_format *format);

/* Would an event of this level be written? For callers that have to work for its fields. */
bool isx_log_is_on(enum isx_log_level level);

/* Hand a message to a logger; nothing happens without one. The message is cut, at a character, to 768
 * bytes, and what is no UTF-8 in it becomes question marks. */
void isx_log_to(const struct isx_logger *logger, enum isx_log_level level, const char *format, ...)
	ISX_PRINTF(3, 4);

/* An isx_log_fn that writes an event; `arg` is not used. */
void isx_log_message(enum isx_log_level level, const char *message, void *arg);

/* Write an event in one piece. */
void isx_log(enum isx_log_level level, const char *format, ...) ISX_PRINTF(2, 3);

/* Write an event with named values. Names are plain; a text value may be anything. */
void isx_log_fields(enum isx_log_level level, const char *message,
		    const struct isx_log_field *fields, size_t count);

#endif
