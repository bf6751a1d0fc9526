/*
 * code.c - a composite ISCC-CODE taken apart and put together.
 *
 * The length field of a composite is a set of optional units: 4 META, 2 SEMANTIC, 1 CONTENT. Their
 * 64-bit bodies follow in that order, then DATA and INSTANCE; a WIDE one has only these, of 128
 * bits. SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/code.h"

#include "iscc/base32.h"

enum { PART_BYTES = 8, WIDE_PART_BYTES = 16, DIGEST_BYTES_MAX = 2048 };
enum { HAS_CONTENT = 1, HAS_SEMANTIC = 2, HAS_META = 4 };

/* Append a unit of `bytes` bytes of body; its length field says so in 32-bit steps. */
static void append_unit(struct isx_unit *units, size_t *count, uint32_t maintype, uint32_t subtype,
			const uint8_t *body, size_t bytes)
{
	struct isx_unit *unit = &units[(*count)++];
	*unit = (struct isx_unit){ .header = { .maintype = maintype,
					       .subtype = subtype,
					       .length = bytes == WIDE_PART_BYTES ? 3 : 1 },
				   .body_bytes = (uint32_t)bytes };
	memcpy(unit->body, body, bytes);
}

/* Take a composite apart: `body` follows its header. DATA and INSTANCE are read from the end. */
static enum isx_status split_composite(const struct isx_header *header, const uint8_t *body,
				       size_t bytes, struct isx_unit *units, size_t *count,
				       struct isx_err *err)
{
	static const struct {
		uint32_t flag, maintype;
	} optional[] = { { HAS_META, ISX_META },
			 { HAS_SEMANTIC, ISX_SEMANTIC },
			 { HAS_CONTENT, ISX_CONTENT } };
	bool wide = header->subtype == ISX_SUBTYPE_WIDE;
	size_t part = wide ? WIDE_PART_BYTES : PART_BYTES;
	size_t least = 2 * part, at = 0;
	if (header->length > 7)
		return isx_fail(err, ISX_INVALID,
				"length field %u of an ISCC-CODE: expected 0 to 7", header->length);
	if (!wide)
		least = part * (size_t)(__builtin_popcount(header->length) > 2
						? __builtin_popcount(header->length)
						: 2);
	if (bytes < least)
		return isx_fail(err, ISX_INVALID,
				"an ISCC-CODE with %zu bytes after its header: "
				"expected at least %zu",
				bytes, least);
	for (size_t i = 0; !wide && i < 3; i++) {
		if (!(header->length & optional[i].flag))
			continue;
		uint32_t subtype = optional[i].maintype == ISX_META ? 0 : header->subtype;
		append_unit(units, count, optional[i].maintype, subtype, body + part * at++, part);
	}
	size_t data = wide ? 0 : bytes - 2 * part;
	append_unit(units, count, ISX_DATA, 0, body + data, part);
	append_unit(units, count, ISX_INSTANCE, 0, body + data + part, part);
	return ISX_OK;
}

/* Take the unit that a sequence begins with: as long as announced, or as what is left. */
static enum isx_status take_unit(const struct isx_header *header, const uint8_t *body, size_t bytes,
				 struct isx_unit *unit, size_t *taken, struct isx_err *err)
{
	size_t announced = isx_header_body_bits(header) / 8;
	if (header->maintype > ISX_FLAKE || announced == 0)
		return isx_fail(err, ISX_INVALID,
				"main type %u with length field %u does not exist",
				header->maintype, header->length);
	if (bytes == 0)
		return isx_fail(err, ISX_INVALID, "a header without a body");
	*taken = bytes < announced ? bytes : announced;
	*unit = (struct isx_unit){ .header = *header };
	unit->body_bytes = (uint32_t)(*taken < ISX_BODY_BYTES_MAX ? *taken : ISX_BODY_BYTES_MAX);
	memcpy(unit->body, body, unit->body_bytes);
	return ISX_OK;
}

enum isx_status isx_code_read(struct isx_span text, struct isx_unit *units, size_t *count,
			      struct isx_err *err)
{
	uint8_t bytes[DIGEST_BYTES_MAX];
	size_t left, used, taken = 0, found = 0;
	if (isx_span_has_prefix(text, "ISCC:"))
		text = isx_span_skip(text, 5);
	enum isx_status st = isx_base32_decode(text, ISX_AS_033, bytes, sizeof bytes, &left, err);
	for (const uint8_t *at = bytes; !st && left; at += used + taken, left -= used + taken) {
		struct isx_header header;
		st = isx_header_read(at, left, &header, &used, err);
		if (st)
			break;
		if (found + 5 > ISX_CODE_UNITS_MAX)
			return isx_fail(err, ISX_INVALID, "more than %d units in one code",
					ISX_CODE_UNITS_MAX);
		if (header.maintype == ISX_CODE) { /* what follows a composite is part of it */
			taken = left - used;
			st = split_composite(&header, at + used, taken, units, &found, err);
		} else {
			st = take_unit(&header, at + used, left - used, &units[found++], &taken,
				       err);
		}
	}
	if (!st && found == 0)
		st = isx_fail(err, ISX_INVALID, "an empty code");
	if (!st)
		*count = found;
	return st;
}

/* Do subtype and optional units of a composite go together? */
static bool is_combination(const struct isx_header *header)
{
	bool has_media = header->length & (HAS_CONTENT | HAS_SEMANTIC);
	switch (header->subtype) {
	case ISX_SUBTYPE_SUM:
	case ISX_SUBTYPE_WIDE:
		return header->length == 0;
	case ISX_SUBTYPE_CODE_NONE:
		return header->length == HAS_META;
	default:
		return has_media;
	}
}

enum isx_status isx_code_parse(struct isx_span text, struct isx_unit *units, size_t *count,
			       struct isx_err *err)
{
	uint8_t bytes[64];
	char name[ISX_UNIT_TYPE_MAX];
	struct isx_header header;
	size_t total, used, found = 0;
	if (!isx_span_has_prefix(text, "ISCC:"))
		return isx_fail(err, ISX_INVALID, "an ISCC-CODE starts with 'ISCC:'");
	enum isx_status st = isx_base32_decode(isx_span_skip(text, 5), ISX_STRICT, bytes,
					       sizeof bytes, &total, err);
	if (!st)
		st = isx_header_read(bytes, total, &header, &used, err);
	if (!st)
		st = isx_header_type_name(&header, name, err);
	if (st)
		return st;
	if (header.maintype != ISX_CODE)
		return isx_fail(err, ISX_INVALID, "%s is not an ISCC-CODE", name);
	if (header.length > 7 || !is_combination(&header))
		return isx_fail(err, ISX_INVALID, "%s cannot have the units of length field %u",
				name, header.length);
	uint32_t bits = isx_header_body_bits(&header);
	if ((total - used) * 8 != bits)
		return isx_fail(err, ISX_INVALID, "the header announces %u bits, but %zu follow",
				bits, (total - used) * 8);
	st = split_composite(&header, bytes + used, total - used, units, &found, err);
	if (!st)
		*count = found;
	return st;
}

/* The subtype of a composite; false when the media units differ. */
static bool composite_subtype(const struct isx_unit *const by_type[ISX_CODE], size_t count,
			      bool wide, uint32_t *subtype)
{
	const struct isx_unit *semantic = by_type[ISX_SEMANTIC], *content = by_type[ISX_CONTENT];
	if (semantic && content && semantic->header.subtype != content->header.subtype)
		return false;
	if (wide)
		*subtype = ISX_SUBTYPE_WIDE;
	else if (semantic || content)
		*subtype = (content ? content : semantic)->header.subtype;
	else
		*subtype = count == 2 ? ISX_SUBTYPE_SUM : ISX_SUBTYPE_CODE_NONE;
	return true;
}

bool isx_code_compose(const struct isx_unit *units, size_t count, char *text)
{
	const struct isx_unit *by_type[ISX_CODE] = { NULL };
	uint8_t bytes[ISX_HEADER_BYTES_MAX + 5 * PART_BYTES];
	struct isx_header header = { .maintype = ISX_CODE };
	for (size_t i = 0; i < count; i++) {
		uint32_t type = units[i].header.maintype;
		if (type >= ISX_CODE || by_type[type] || units[i].body_bytes < PART_BYTES)
			return false;
		by_type[type] = &units[i];
	}
	if (!by_type[ISX_DATA] || !by_type[ISX_INSTANCE])
		return false;
	bool wide = count == 2 && by_type[ISX_DATA]->body_bytes >= WIDE_PART_BYTES &&
		    by_type[ISX_INSTANCE]->body_bytes >= WIDE_PART_BYTES;
	if (!composite_subtype(by_type, count, wide, &header.subtype))
		return false;
	header.length = (by_type[ISX_META] ? HAS_META : 0u) |
			(by_type[ISX_SEMANTIC] ? HAS_SEMANTIC : 0u) |
			(by_type[ISX_CONTENT] ? HAS_CONTENT : 0u);
	size_t at = isx_header_write(&header, bytes), part = wide ? WIDE_PART_BYTES : PART_BYTES;
	for (size_t type = 0; type < ISX_CODE; type++) {
		if (by_type[type]) {
			memcpy(bytes + at, by_type[type]->body, part);
			at += part;
		}
	}
	memcpy(text, "ISCC:", 5);
	isx_base32_encode(bytes, at, text + 5);
	return true;
}
