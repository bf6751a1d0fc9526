/*
 * iscc_id.h - an ISCC-ID, the key of an asset: time and hub number in 64 bits, and a realm.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ISCC_ID_H
#define ISX_ISCC_ID_H

#include "base/limits.h"
#include "base/span.h"
#include "base/status.h"

struct isx_iscc_id {
	uint64_t body;    /* microseconds since 1970 << 12 | hub number; big-endian on disk */
	uint32_t realm;   /* 0 or 1 */
	uint32_t version; /* 1; 0 is accepted, as by 0.3.3, and printed as 1 */
};

/* Read an ISCC-ID as 0.3.3 does: "ISCC:" in upper case, then base32 in either case of exactly
 * ten bytes, with main type ID, version 0 or 1, realm 0 or 1, and length field 0. ISX_INVALID
 * says which of these is not so. */
ISX_MUST_CHECK enum isx_status isx_iscc_id_parse(struct isx_span text, struct isx_iscc_id *id,
						 struct isx_err *err);

/* Write the canonical text (version 1) into `text` (filled, ISX_ISCC_ID_TEXT_BYTES of room). */
void isx_iscc_id_print(const struct isx_iscc_id *id, char *text);

static inline uint64_t isx_iscc_id_time_us(const struct isx_iscc_id *id)
{
	return id->body >> 12;
}

static inline uint32_t isx_iscc_id_hub(const struct isx_iscc_id *id)
{
	return (uint32_t)(id->body & 0xFFF);
}

#endif
