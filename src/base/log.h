/*
 * log.h - what the program says of itself on standard error: one line an event.
 *
 * Never pass a key or a request's body. The level is the only global state.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LOG_H
#define ISX_LOG_H

#include "base/status.h"

enum isx_log_level { ISX_LOG_DEBUG, ISX_LOG_INFO, ISX_LOG_WARNING, ISX_LOG_ERROR, ISX_LOG_NOTHING };

/* Drop what is below `level`; the start value is ISX_LOG_WARNING. */
void isx_log_set_level(enum isx_log_level level);

/* One of debug, info, warning, error, critical; false for anything else. */
bool isx_log_level_parse(const char *name, enum isx_log_level *level);

/* Write "2026-01-31T12:00:00.123Z LEVEL message" to standard error in one piece. */
void isx_log(enum isx_log_level level, const char *format, ...) ISX_PRINTF(2, 3);

#endif
