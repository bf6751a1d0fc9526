/*
 * base32.h - text to bytes and back: base32 of RFC 4648 without padding, and base64.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_BASE32_H
#define ISX_BASE32_H

#include "base/span.h"
#include "base/status.h"

/* Characters that `bytes` bytes need, without NUL. */
#define ISX_BASE32_CHARS(bytes) (((bytes)*8 + 4) / 5)

/* Which spellings a decoder accepts. */
enum isx_strictness {
	ISX_STRICT, /* upper case, unused bits are 0: encoding gives the same text again */
	ISX_AS_033  /* all that iscc-search 0.3.3 accepts: either case, unused bits ignored */
};

/* Decode base32.
 *   bytes  filled: room for `cap`
 *   count  filled: bytes written
 * ISX_INVALID names the first wrong character and its place, counted from 0, or the impossible
 * length; `bytes` may have been written in part. */
ISX_MUST_CHECK enum isx_status isx_base32_decode(struct isx_span text,
						 enum isx_strictness strictness, uint8_t *bytes,
						 size_t cap, size_t *count, struct isx_err *err);

/* Decode base32 with "ISCC:" in front, which ISX_AS_033 allows to be missing. As
 * isx_base32_decode(), with places counted from the start of `text`. */
ISX_MUST_CHECK enum isx_status isx_base32_decode_iscc(struct isx_span text,
						      enum isx_strictness strictness,
						      uint8_t *bytes, size_t cap, size_t *count,
						      struct isx_err *err);

/* Encode `count` bytes; `text` (filled) has room for ISX_BASE32_CHARS(count) + 1. */
void isx_base32_encode(const uint8_t *bytes, size_t count, char *text);

/* Decode a simprint: base64url or base64, with or without padding. Any other character is
 * refused; unused bits are ignored. Results as isx_base32_decode(). */
ISX_MUST_CHECK enum isx_status isx_base64_decode(struct isx_span text, uint8_t *bytes, size_t cap,
						 size_t *count, struct isx_err *err);

/* Encode as base64url without padding; `text` (filled) has room for (count * 8 + 5) / 6 + 1. */
void isx_base64_encode(const uint8_t *bytes, size_t count, char *text);

#endif
