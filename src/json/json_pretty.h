/*
 * json_pretty.h - indented JSON: one value per line, two blanks per level.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_JSON_PRETTY_H
#define ISX_JSON_PRETTY_H

#include "base/buf.h"

/* Append a value that has passed isx_json_check(), indented. With `drop_nulls`, members of
 * objects whose value is null are left out. */
void isx_json_pretty(struct isx_buf *buf, struct isx_span value, bool drop_nulls);

#endif
