/*
 * shown.h - make text from outside safe to print: on one line, and without anything that a terminal
 *           executes.
 *
 * File names, metadata and messages of other servers may contain escape sequences that rewrite the
 * screen, or line ends that fake a line of a log.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SHOWN_H
#define ISX_SHOWN_H

#include "base/buf.h"

#define ISX_SHOWN_BYTES 12 /* room for one character, escaped or not, and a NUL */

/* The printable form of the first character of `text` (not empty): the character itself, or
 *   \n \r \t      line end, carriage return, tab
 *   \x1B          any other control character of ASCII, and each byte that is not UTF-8
 *   \u202E        U+0080 to U+009F, the line ends of Unicode, and the characters that change the
 *                 direction of writing (Bidi_Control)
 * A backslash is not escaped, so the result does not change when it is passed through again.
 *   shown  filled: ISX_SHOWN_BYTES of room, terminated
 * Returns how many bytes of `text` were read, at least 1. */
size_t isx_shown_next(struct isx_span text, char *shown);

/* Append the printable form of a text. */
void isx_shown_add(struct isx_buf *buf, struct isx_span text);

#endif
