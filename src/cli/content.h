/*
 * content.h - recognizes what user files have before their JSON, or instead of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CONTENT_H
#define ISX_CONTENT_H

#include "base/span.h"
#include "base/status.h"

enum { CONTENT_BYTES = 8 }; /* of a file tell what it is */

/* What to do with a file that has no ISCC yet, for messages. */
#define CONTENT_HOW_TO_GET_CODES                                                                   \
	"make its ISCC first, for example with iscc-sdk (pip install iscc-sdk): --generator "      \
	"'iscc-sdk create {}'"

/* ISX_SCHEMA says what `text` is that begins like a compressed file, or like text in UTF-16 or UTF-32,
 * and what to do.
 *   text  at least CONTENT_BYTES, or all that there is */
ISX_MUST_CHECK enum isx_status content_check(struct isx_span text, struct isx_err *err);

/* Step over the byte order mark of UTF-8 at the beginning of a file, and check the file as
 * content_check() does, there and behind the blank lines that it begins with.
 *   text  at least the first CONTENT_BYTES of the file, or all */
ISX_MUST_CHECK enum isx_status content_begin(struct isx_span *text, struct isx_err *err);

/* The line and column, from 1, of the byte at `offset`. Columns count bytes. */
void content_place(struct isx_span text, size_t offset, size_t *line, size_t *column);

#endif
