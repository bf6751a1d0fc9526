/*
 * unit.h - one ISCC-UNIT: a type, and a body of bits of which similar content has many in common.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_UNIT_H
#define ISX_UNIT_H

#include "base/limits.h"
#include "base/span.h"
#include "iscc/header.h"

struct isx_unit {
	struct isx_header header;
	uint8_t body[ISX_BODY_BYTES_MAX];
	uint32_t body_bytes; /* 1 to 32 */
};

/* Bytes of the longest text of a unit, with "ISCC:" and NUL. */
enum { ISX_UNIT_TEXT_BYTES = 5 + 64 + 1 }; /* an 8-byte header and 32 bytes of body at most */

/* Read a well-formed unit: "ISCC:" and upper-case base32 of a canonical header and exactly the body
 * it announces, of main type META, SEMANTIC, CONTENT, DATA, INSTANCE or FLAKE, 32 to 256 bits.
 * isx_unit_print() gives the same text back. ISX_INVALID says what is wrong and where. */
ISX_MUST_CHECK enum isx_status isx_unit_parse(struct isx_span text, struct isx_unit *unit,
					      struct isx_err *err);

/* Read a unit as 0.3.3 does, for units of its clients and its files: "ISCC:" is optional, base32
 * of either case follows, the first two bytes are the header and all others the body, whatever
 * the length field says; a body of more than 256 bits is cut. A composite ISCC-CODE or an
 * ISCC-ID passes as a unit of its own type. ISX_INVALID: not decodable, of a type that does not
 * exist, or without a body. */
ISX_MUST_CHECK enum isx_status isx_unit_read(struct isx_span text, struct isx_unit *unit,
					     struct isx_err *err);

/* Write the canonical text into `text` (filled, ISX_UNIT_TEXT_BYTES of room). */
void isx_unit_print(const struct isx_unit *unit, char *text);

/* An INSTANCE unit identifies content and has no similarity: such units are compared for
 * equality. */
static inline bool isx_unit_is_instance(const struct isx_unit *unit)
{
	return unit->header.maintype == ISX_INSTANCE;
}

#endif
