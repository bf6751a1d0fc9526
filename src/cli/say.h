/*
 * say.h - prints messages: whatever text they contain, the terminal interprets no part as a
 *         command.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SAY_H
#define ISX_SAY_H

#include "base/shown.h"

#include <stdio.h>

/* Print like printf(), with the result escaped by base/shown.h. Line ends are escaped, too: call
 * say_line() once per line. */
void say(FILE *out, const char *format, ...) ISX_PRINTF(2, 3);

/* The same, followed by a line end. */
void say_line(FILE *out, const char *format, ...) ISX_PRINTF(2, 3);

/* Print a text escaped by base/shown.h. */
void say_text(FILE *out, struct isx_span text);

/* Print checked JSON and a line end to standard output. Characters that a terminal would interpret
 * occur only within strings, where they become JSON escapes: the value stays the same. */
void say_json(struct isx_span json);

#endif
