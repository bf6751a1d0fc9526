/*
 * say.h - what the program tells people: whatever was put into a message, a terminal takes no part of
 *         it for a command.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SAY_H
#define ISX_SAY_H

#include "base/shown.h"

#include <stdio.h>

/* Print what printf would, as base/shown.h shows it, in one piece. Line ends are escaped, too: a text
 * of several lines is several calls of say_line(). */
void say(FILE *out, const char *format, ...) ISX_PRINTF(2, 3);

/* The same, and a line end. */
void say_line(FILE *out, const char *format, ...) ISX_PRINTF(2, 3);

/* Print a text as it is shown. */
void say_text(FILE *out, struct isx_span text);

/* Print JSON, which has been checked, and a line end to standard output. What a terminal would take for
 * a command is in strings only, and is escaped there as JSON does it: it stays the same JSON. */
void say_json(struct isx_span json);

#endif
