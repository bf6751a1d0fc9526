/*
 * base32.h - text to bytes and back: RFC 4648 base32 without padding, and base64.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_BASE32_H
#define ISX_BASE32_H

#include "base/span.h"
#include "base/status.h"

/* Characters that `bytes` bytes need, without NUL. */
#define ISX_BASE32_CHARS(bytes) (((bytes)*8 + 4) / 5)

/* How much a reader puts up with. */
enum isx_strictness {
	ISX_STRICT, /* upper case, no bits beyond the last byte: print(parse(x)) is x */
	ISX_AS_033  /* what 0.3.3 takes: either case, spare bits ignored */
};

/* Decode base32.
 *   bytes  filled: room for `cap`
 *   count  filled: bytes written
 * ISX_INVALID names the first wrong character and its place, from 0, or the impossible length; then
 * `bytes` may hold a part. */
ISX_MUST_CHECK enum isx_status isx_base32_decode(struct isx_span text,
						 enum isx_strictness strictness, uint8_t *bytes,
						 size_t cap, size_t *count, struct isx_err *err);

/* Decode "ISCC:" and base32 after it; the prefix may be missing where 0.3.3 takes that. As above,
 * with places counted from the start of `text`. */
ISX_MUST_CHECK enum isx_status isx_base32_decode_iscc(struct isx_span text,
						      enum isx_strictness strictness,
						      uint8_t *bytes, size_t cap, size_t *count,
						      struct isx_err *err);

/* Encode `count` bytes; `text` (filled) has room for ISX_BASE32_CHARS(count) + 1. */
void isx_base32_encode(const uint8_t *bytes, size_t count, char *text);

/* Decode base64url or base64, with or without padding, as simprints are written. Characters are
 * checked strictly; spare bits are ignored. */
ISX_MUST_CHECK enum isx_status isx_base64_decode(struct isx_span text, uint8_t *bytes, size_t cap,
						 size_t *count, struct isx_err *err);

/* Encode as base64url without padding; `text` (filled) has room for (count * 8 + 5) / 6 + 1. */
void isx_base64_encode(const uint8_t *bytes, size_t count, char *text);

#endif
