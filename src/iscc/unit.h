/*
 * unit.h - one ISCC-UNIT: a type and a body of bits in which like content has like bits.
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

/* Characters of the longest unit text, with "ISCC:" and NUL. */
enum { ISX_UNIT_TEXT_BYTES = 5 + 64 + 1 }; /* an 8-byte header and 32 bytes of body at most */

/* Read a well-formed unit: "ISCC:" and upper-case base32 of a canonical header and exactly the body
 * it announces, of main type META, SEMANTIC, CONTENT, DATA, INSTANCE or FLAKE, 32 to 256 bits.
 * isx_unit_print() gives the same text back. ISX_INVALID says what is wrong and where. */
ISX_MUST_CHECK enum isx_status isx_unit_parse(struct isx_span text, struct isx_unit *unit,
					      struct isx_err *err);

/* Read a unit the way 0.3.3 does, which is what its clients send: "ISCC:" is optional, base32 of
 * either case follows, two bytes are header and all others are body, whatever the length field
 * says; a body over 256 bits is cut. A composite ISCC-CODE or an ISCC-ID passes as a unit of its
 * own type. ISX_INVALID: undecodable, of a type that does not exist, or without a body. */
ISX_MUST_CHECK enum isx_status isx_unit_read(struct isx_span text, struct isx_unit *unit,
					     struct isx_err *err);

/* Write the canonical text into `text` (filled, ISX_UNIT_TEXT_BYTES of room). */
void isx_unit_print(const struct isx_unit *unit, char *text);

/* Are two units of this main type compared by identity (INSTANCE) rather than by distance? */
static inline bool isx_unit_is_instance(const struct isx_unit *unit)
{
	return unit->header.maintype == ISX_INSTANCE;
}

#endif
