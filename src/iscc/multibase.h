/*
 * multibase.h - an ISCC in the text forms that users and other systems exchange.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_MULTIBASE_H
#define ISX_MULTIBASE_H

#include "base/span.h"
#include "base/status.h"

/* Decode an ISCC in any of these forms: "ISCC:" and base32 (either case, hyphens allowed), base32
 * alone, or multibase of the ISCC multicodec 0xCC01 and the digest, with a letter for the base in
 * front: f base16, b base32, v base32hex, z base58btc, u base64url. Blanks around the text are
 * ignored.
 *   bytes  filled: the digest (header and body), room for `cap`
 *   count  filled: its bytes
 * ISX_INVALID says what was expected and what was found; places are counted from 0 in `text`. */
ISX_MUST_CHECK enum isx_status isx_multibase_decode(struct isx_span text, uint8_t *bytes,
						    size_t cap, size_t *count, struct isx_err *err);

/* Write a digest in the multibase form `base` (one of f b v z u) into `text` (filled, `cap` of
 * room). ISX_INVALID: another letter; ISX_TOO_LARGE: no room. */
ISX_MUST_CHECK enum isx_status isx_multibase_encode(char base, const uint8_t *bytes, size_t count,
						    char *text, size_t cap, struct isx_err *err);

#endif
