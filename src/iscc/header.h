/*
 * header.h - the header of every ISCC: main type, subtype, version and length, each coded in one to
 *            four nibbles of 4 bits (ISO 24138, section 6.2).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HEADER_H
#define ISX_HEADER_H

#include "base/status.h"
#include "iscc.h" /* enum isx_maintype */

enum { ISX_SUBTYPE_NONE = 0, ISX_SUBTYPE_SUM = 5, ISX_SUBTYPE_CODE_NONE = 6, ISX_SUBTYPE_WIDE = 7 };

enum { ISX_HEADER_BYTES_MAX = 8 };

struct isx_header {
	uint32_t maintype; /* 0 to 4679 as stored; isx_header_check() knows which types exist */
	uint32_t subtype;
	uint32_t version;
	uint32_t length; /* as stored; isx_header_body_bits() has its meaning */
};

/* Read a header from `bytes` (borrowed, `count` long).
 *   header  filled
 *   used    filled: bytes the header takes, 2 to 8
 * ISX_INVALID: too short, or a nibble prefix that does not exist. Any numbers are accepted. */
ISX_MUST_CHECK enum isx_status isx_header_read(const uint8_t *bytes, size_t count,
					       struct isx_header *header, size_t *used,
					       struct isx_err *err);

/* Write a header into `bytes` (filled, ISX_HEADER_BYTES_MAX of room); returns the bytes it takes,
 * or 0 when a number is above 4679. */
size_t isx_header_write(const struct isx_header *header, uint8_t *bytes);

/* Check that the type exists, by main type, subtype and version. ISX_INVALID names the number
 * that does not, and the numbers that do. */
ISX_MUST_CHECK enum isx_status isx_header_check(const struct isx_header *header,
						struct isx_err *err);

/* Write the name of a type ("CONTENT_TEXT_V0", "ID_REALM_0_V1", "ISCC_WIDE_V0") into `name`
 * (filled, ISX_UNIT_TYPE_MAX of room). ISX_INVALID: no such main type, subtype or version. */
ISX_MUST_CHECK enum isx_status isx_header_type_name(const struct isx_header *header, char *name,
						    struct isx_err *err);

/* Bits of the body that the header announces, by main type and subtype; 0 if the main type has
 * no such length field. */
uint32_t isx_header_body_bits(const struct isx_header *header);

#endif
