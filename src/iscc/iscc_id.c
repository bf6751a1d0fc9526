/*
 * iscc_id.c - an ISCC-ID from text and to text.
 *
 * Its subtype is the realm. An index holds ISCC-IDs of one realm, so on disk only the 64-bit body
 * is kept.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/iscc_id.h"

#include "iscc/base32.h"
#include "iscc/header.h"

enum { ID_BYTES = 10, HEADER_BYTES = 2 };
enum { SHOWN_MAX = 32 }; /* characters of a wrong text in a message: more than an ISCC-ID has */

/* Which ISCC-IDs may be keys: those of 64 bits and realm 0 or 1. Of version 0 the subtype is
 * taken for the realm, as 0.3.3 does, although it names a chain there. */
static enum isx_status check_header(const struct isx_header *header, struct isx_err *err)
{
	if (header->maintype != ISX_ID)
		return isx_fail(err, ISX_INVALID,
				"its main type is %u: expected %d, that of an ISCC-ID",
				header->maintype, ISX_ID);
	if (header->length != 0)
		return isx_fail(err, ISX_INVALID, "its length field is %u: expected 0 (64 bits)",
				header->length);
	if (header->version > 1)
		return isx_fail(err, ISX_INVALID, "its version is %u: expected 1", header->version);
	if (header->subtype > 1)
		return isx_fail(err, ISX_INVALID, "its realm is %u: expected 0 or 1",
				header->subtype);
	return ISX_OK;
}

/* How many characters of a wrong text a message may repeat: a message is one line of UTF-8, so
 * printable ASCII only. */
static int shown_chars(struct isx_span text)
{
	int shown = 0;
	while (shown < SHOWN_MAX && (size_t)shown < text.len && text.ptr[shown] >= ' ' &&
	       text.ptr[shown] <= '~')
		shown++;
	return shown;
}

enum isx_status isx_iscc_id_parse(struct isx_span text, struct isx_iscc_id *id, struct isx_err *err)
{
	uint8_t bytes[ID_BYTES];
	struct isx_header header;
	size_t count = 0, used;
	enum isx_status st;
	if (!isx_span_has_prefix(text, "ISCC:"))
		st = isx_fail(err, ISX_INVALID, "expected 'ISCC:' in front");
	else
		st = isx_base32_decode_iscc(text, ISX_AS_033, bytes, sizeof bytes, &count, err);
	if (!st && count != ID_BYTES)
		st = isx_fail(err, ISX_INVALID, "it has %zu bytes: expected %d", count, ID_BYTES);
	if (!st)
		st = isx_header_read(bytes, count, &header, &used, err);
	if (!st)
		st = check_header(&header, err);
	if (st)
		return isx_err_at(err, st, "Invalid ISCC-ID '%.*s'", shown_chars(text), text.ptr);
	id->body = isx_load_be64(bytes + HEADER_BYTES);
	id->realm = header.subtype;
	id->version = header.version;
	return ISX_OK;
}

void isx_iscc_id_print(const struct isx_iscc_id *id, char *text)
{
	const struct isx_header header = { .maintype = ISX_ID, .subtype = id->realm, .version = 1 };
	uint8_t bytes[ISX_HEADER_BYTES_MAX + 8];
	size_t used = isx_header_write(&header, bytes);
	isx_store_be64(bytes + used, id->body);
	memcpy(text, "ISCC:", 5);
	isx_base32_encode(bytes, used + 8, text + 5);
}
