/*
 * unit.c - one ISCC-UNIT from text and to text.
 *
 * The header of every unit that exists takes two bytes. Two readers, as in code.c: isx_unit_parse()
 * is strict; isx_unit_read() follows iscc-search 0.3.3, which takes two bytes for the header even
 * if it is longer by its own coding (a length field above 7). The rest of such a header then counts
 * as body, in reading and in printing, so that no bit is lost.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/unit.h"

#include "iscc/base32.h"

enum { HEADER_BYTES = 2 };
enum { DIGEST_BYTES_MAX = ISX_ISCC_TEXT_MAX * 5 / 8 };

/* Would isx_header_write() write the same bytes? The padding nibble of a header may not be 0. */
static bool is_canonical(const struct isx_header *header, const uint8_t *bytes, size_t used)
{
	uint8_t again[ISX_HEADER_BYTES_MAX];
	return isx_header_write(header, again) == used && memcmp(again, bytes, used) == 0;
}

/* All that isx_unit_parse() promises and base32 cannot show. `count` bytes are header and body. */
static enum isx_status check_well_formed(const struct isx_header *header, const uint8_t *bytes,
					 size_t count, size_t used, struct isx_err *err)
{
	char name[ISX_UNIT_TYPE_MAX];
	enum isx_status st = isx_header_type_name(header, name, err);
	if (st)
		return st;
	if (!is_canonical(header, bytes, used))
		return isx_fail(err, ISX_INVALID,
				"the last 4 bits of the %zu-byte header are 0x%X: expected 0", used,
				bytes[used - 1] & 0xFu);
	if (header->maintype == ISX_CODE || header->maintype == ISX_ID)
		return isx_fail(err, ISX_INVALID, "%s is not the type of an ISCC-UNIT", name);
	uint32_t bits = isx_header_body_bits(header);
	if (bits == 0)
		return isx_fail(err, ISX_INVALID,
				"length field %u: expected 0 to 7 (32 to 256 bits)",
				header->length);
	if ((count - used) * 8 != bits)
		return isx_fail(err, ISX_INVALID, "the header announces %u bits, but %zu follow",
				bits, (count - used) * 8);
	return ISX_OK;
}

enum isx_status isx_unit_parse(struct isx_span text, struct isx_unit *unit, struct isx_err *err)
{
	uint8_t bytes[ISX_HEADER_BYTES_MAX + ISX_BODY_BYTES_MAX];
	struct isx_unit found = {
		0
	}; /* bytes behind the body stay 0: bodies can be compared whole */
	size_t count, used;
	enum isx_status st = isx_base32_decode_iscc(text, ISX_STRICT, bytes, sizeof bytes, &count,
						    err);
	if (!st)
		st = isx_header_read(bytes, count, &found.header, &used, err);
	if (!st)
		st = check_well_formed(&found.header, bytes, count, used, err);
	if (st)
		return st;
	found.body_bytes = (uint32_t)(count - used);
	memcpy(found.body, bytes + used, found.body_bytes);
	*unit = found;
	return ISX_OK;
}

enum isx_status isx_unit_read(struct isx_span text, struct isx_unit *unit, struct isx_err *err)
{
	uint8_t bytes[DIGEST_BYTES_MAX]; /* 5 KiB: 0.3.3 decodes any length and cuts the body */
	struct isx_unit found = { 0 };
	size_t count, used;
	enum isx_status st = isx_base32_decode_iscc(text, ISX_AS_033, bytes, sizeof bytes, &count,
						    err);
	if (!st)
		st = isx_header_read(bytes, count, &found.header, &used, err);
	if (!st)
		st = isx_header_check(&found.header, err);
	/* isx_header_read() needs no more than the header, so a text may end behind it */
	if (!st && count <= HEADER_BYTES)
		st = isx_fail(err, ISX_INVALID,
			      "a header without a body: expected 32 bits of it or more");
	if (st)
		return st;
	size_t body_bytes = count - HEADER_BYTES;
	if (body_bytes > ISX_BODY_BYTES_MAX)
		body_bytes = ISX_BODY_BYTES_MAX;
	found.body_bytes = (uint32_t)body_bytes;
	memcpy(found.body, bytes + HEADER_BYTES, body_bytes);
	*unit = found;
	return ISX_OK;
}

void isx_unit_print(const struct isx_unit *unit, char *text)
{
	uint8_t bytes[ISX_HEADER_BYTES_MAX + ISX_BODY_BYTES_MAX];
	/* Of a longer header only its first two bytes: the rest is in the body since it was
	 * read. */
	(void)isx_header_write(&unit->header, bytes);
	memcpy(bytes + HEADER_BYTES, unit->body, unit->body_bytes);
	memcpy(text, "ISCC:", 5);
	isx_base32_encode(bytes, HEADER_BYTES + unit->body_bytes, text + 5);
}
