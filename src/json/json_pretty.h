/*
 * json_pretty.h - JSON for people: one value a line, indented by two.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_JSON_PRETTY_H
#define ISX_JSON_PRETTY_H

#include "base/buf.h"

/* Append a value that has passed isx_json_check(), indented; with `drop_nulls` without the members
 * of objects that are null. */
void isx_json_pretty(struct isx_buf *buf, struct isx_span value, bool drop_nulls);

#endif
