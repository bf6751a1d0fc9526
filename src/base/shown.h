/*
 * shown.h - text from outside as people may see it: a terminal takes no part of it for a command, and
 *           it stays on its line.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SHOWN_H
#define ISX_SHOWN_H

#include "base/buf.h"

#define ISX_SHOWN_BYTES 12 /* room for one character as it is shown, and a NUL */

/* How the first character of `text` (not empty) is shown: as it is, or escaped.
 *   \n \r \t      line end, carriage return, tab
 *   \x1B          any other control character of ASCII, and each byte that is no UTF-8
 *   \u202E        U+0080 to U+009F, the line ends of Unicode, and what changes the direction of
 *                 writing (Bidi_Control)
 * A backslash stays as it is, so what is shown may be shown again.
 *   shown  filled: ISX_SHOWN_BYTES of room, terminated
 * Returns how many bytes of `text` that was, at least 1. */
size_t isx_shown_next(struct isx_span text, char *shown);

/* Append a text as it is shown. */
void isx_shown_add(struct isx_buf *buf, struct isx_span text);

#endif
