/*
 * percent.h - percent-encoding of URIs (RFC 3986, 2.1).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PERCENT_H
#define ISX_PERCENT_H

#include "base/buf.h"

/* The value of a hexadecimal digit in either case, 0 to 15, or -1. */
int isx_hex_value(char c);

/* Append `text`, encoded but for letters and digits of ASCII, "-._~", which are never encoded, and the
 * characters in `plain`. */
void isx_percent_add(struct isx_buf *buf, struct isx_span text, const char *plain);

/* Decode `text` to `out` (filled, room for text.len bytes; may be the text itself); returns the length.
 * A percent sign that starts no escape stands for itself. The bytes need not be UTF-8. */
size_t isx_percent_decode(struct isx_span text, bool plus_is_space, char *out);

#endif
