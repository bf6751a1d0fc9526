/*
 * utf8.h - is this UTF-8, and which character is it?
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_UTF8_H
#define ISX_UTF8_H

#include "base/span.h"

/* Bytes of the UTF-8 character at the beginning of `text`, which is not empty: 1 to 4, or 0 if there is
 * none (RFC 3629: shortest form, no surrogates, nothing above U+10FFFF). */
size_t isx_utf8_length(struct isx_span text);

/* The number of the character at the beginning of `text`, whose isx_utf8_length() is `len`, 1 to 4. */
uint32_t isx_utf8_character(struct isx_span text, size_t len);

#endif
