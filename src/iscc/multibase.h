/*
 * multibase.h - an ISCC in the forms that people and other systems pass around.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_MULTIBASE_H
#define ISX_MULTIBASE_H

#include "base/span.h"
#include "base/status.h"

/* Decode an ISCC in any of the forms people pass around: "ISCC:" + base32 (either case, hyphens
 * allowed), bare base32, or multibase with the ISCC multicodec 0xCC01 in front: f base16, b base32,
 * v base32hex, z base58btc, u base64url. Surrounding blanks are ignored.
 *   bytes  filled: the digest (header and body), room for `cap`
 * ISX_INVALID says what was expected and what is there; places are counted from 0 in `text`. */
ISX_MUST_CHECK enum isx_status isx_multibase_decode(struct isx_span text, uint8_t *bytes,
						    size_t cap, size_t *count, struct isx_err *err);

/* Write a digest in the multibase form `base` (one of f b v z u) into `text` (filled, `cap` of
 * room). ISX_INVALID: another letter; ISX_TOO_LARGE: no room. */
ISX_MUST_CHECK enum isx_status isx_multibase_encode(char base, const uint8_t *bytes, size_t count,
						    char *text, size_t cap, struct isx_err *err);

#endif
