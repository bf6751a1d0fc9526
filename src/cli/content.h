/*
 * content.h - recognizes what user files have before their JSON, or instead of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CONTENT_H
#define ISX_CONTENT_H

#include "base/span.h"
#include "base/status.h"

/* Step over the byte order mark of UTF-8 at the beginning of a file, of which `text` has at least
 * the first eight bytes or all. ISX_SCHEMA if the file is compressed, or text in UTF-16
 * or UTF-32: the message tells which, and what to do. */
ISX_MUST_CHECK enum isx_status content_begin(struct isx_span *text, struct isx_err *err);

/* The line and column, from 1, of the byte at `offset`. Columns count bytes. */
void content_place(struct isx_span text, size_t offset, size_t *line, size_t *column);

#endif
