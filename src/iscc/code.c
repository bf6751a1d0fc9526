/*
 * code.c - split a composite ISCC-CODE into units, and compose it of units (ISO 24138).
 *
 * The length field of a composite is a set of optional units: 4 META, 2 SEMANTIC, 1 CONTENT. Their
 * 64-bit bodies follow in that order, then DATA and INSTANCE; a WIDE one has only these two, of 128
 * bits each.
 *
 * Two readers: isx_code_parse() accepts only what isx_code_compose() writes; isx_code_read()
 * follows iscc-search 0.3.3 also where its input is no well-formed code, as clients of 0.3.3 may
 * send such texts. Pure functions on bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/code.h"

#include "iscc/base32.h"

enum { PART_BYTES = 8, WIDE_PART_BYTES = 16, DIGEST_BYTES_MAX = ISX_ISCC_TEXT_MAX * 5 / 8 };
enum { HAS_CONTENT = 1, HAS_SEMANTIC = 2, HAS_META = 4 }; /* bits of the length field */
enum { COMPOSITE_UNITS_MAX = 5, LENGTH_FIELD_MAX = 7 };

/* The body of a composite (borrowed) and the units found in it so far. */
struct split {
	const uint8_t *body;
	size_t bytes;
	struct isx_unit *units;
	size_t count;
};

/* Append the unit whose body lies from `first` to `end`, as far as these bytes exist. Its length
 * field is that of `part` bytes even if fewer exist: 0.3.3 prints it so. */
static enum isx_status append_unit(struct split *split, uint32_t maintype, uint32_t subtype,
				   size_t part, size_t first, size_t end, struct isx_err *err)
{
	const struct isx_header header = { .maintype = maintype,
					   .subtype = subtype,
					   .length = (uint32_t)part / 4 - 1 };
	char name[ISX_UNIT_TYPE_MAX];
	enum isx_status st = isx_header_type_name(&header, name, err);
	if (st)
		return st;
	if (end > split->bytes)
		end = split->bytes;
	if (first >= end)
		return isx_fail(err, ISX_INVALID,
				"an ISCC-CODE with %zu bytes after its header has none for %s",
				split->bytes, name);
	struct isx_unit *unit = &split->units[split->count++];
	*unit = (struct isx_unit){ .header = header, .body_bytes = (uint32_t)(end - first) };
	memcpy(unit->body, split->body + first, end - first);
	return ISX_OK;
}

/* Split a body of DATA and INSTANCE alone, from its start. */
static enum isx_status split_wide(struct split *split, struct isx_err *err)
{
	size_t part = WIDE_PART_BYTES;
	enum isx_status st = append_unit(split, ISX_DATA, 0, part, 0, part, err);
	return st ? st : append_unit(split, ISX_INSTANCE, 0, part, part, 2 * part, err);
}

/* Split any other body: optional units from its start, DATA and INSTANCE from its end. The
 * length of a composite behind a unit of a sequence is not checked: when it is too short, units
 * share bytes; when it is too long, some bytes belong to no unit. */
static enum isx_status split_composite(const struct isx_header *header, struct split *split,
				       struct isx_err *err)
{
	static const struct {
		uint32_t flag, maintype;
	} optional[] = { { HAS_META, ISX_META },
			 { HAS_SEMANTIC, ISX_SEMANTIC },
			 { HAS_CONTENT, ISX_CONTENT } };
	size_t part = PART_BYTES, at = 0;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < sizeof optional / sizeof optional[0]; i++) {
		if (!(header->length & optional[i].flag))
			continue;
		uint32_t subtype = optional[i].maintype == ISX_META ? 0 : header->subtype;
		st = append_unit(split, optional[i].maintype, subtype, part, at, at + part, err);
		at += part;
	}
	/* in a body that is too short, positions stop at 0, and a unit without bytes is refused */
	size_t data = split->bytes > 2 * part ? split->bytes - 2 * part : 0;
	size_t instance = split->bytes > part ? split->bytes - part : 0;
	if (!st)
		st = append_unit(split, ISX_DATA, 0, part, data, instance, err);
	if (!st)
		st = append_unit(split, ISX_INSTANCE, 0, part, instance, instance + part, err);
	return st;
}

/* Split a composite, whatever the length of its body. */
static enum isx_status split_code(const struct isx_header *header, struct split *split,
				  struct isx_err *err)
{
	if (header->length > LENGTH_FIELD_MAX)
		return isx_fail(err, ISX_INVALID,
				"length field %u of an ISCC-CODE: expected 0 to %d", header->length,
				LENGTH_FIELD_MAX);
	return header->subtype == ISX_SUBTYPE_WIDE ? split_wide(split, err)
						   : split_composite(header, split, err);
}

/* Read the first unit of a sequence: its body is as long as the header announces, or what is left.
 *   taken  filled: bytes of the body */
static enum isx_status take_unit(const struct isx_header *header, const uint8_t *body, size_t bytes,
				 struct isx_unit *unit, size_t *taken, struct isx_err *err)
{
	size_t announced = isx_header_body_bits(header) / 8;
	if (announced == 0)
		return isx_fail(err, ISX_INVALID, "length field %u does not exist for main type %u",
				header->length, header->maintype);
	if (bytes == 0)
		return isx_fail(err, ISX_INVALID,
				"a header without a body: expected 32 bits of it or more");
	*taken = bytes < announced ? bytes : announced; /* 32 at most: fits a unit */
	*unit = (struct isx_unit){ .header = *header, .body_bytes = (uint32_t)*taken };
	memcpy(unit->body, body, *taken);
	return ISX_OK;
}

/* Read the unit or composite at `at`, of which `left` bytes exist, and append its units.
 *   taken  filled: bytes it takes, header included */
static enum isx_status read_next(const uint8_t *at, size_t left, struct isx_unit *units,
				 size_t *count, size_t *taken, struct isx_err *err)
{
	struct isx_header header;
	size_t used, body_bytes = 0;
	enum isx_status st = isx_header_read(at, left, &header, &used, err);
	if (!st)
		st = isx_header_check(&header, err);
	if (st)
		return st;
	/* before anything is appended: `units` has room for ISX_CODE_UNITS_MAX and no more */
	if (*count + (header.maintype == ISX_CODE ? COMPOSITE_UNITS_MAX : 1) > ISX_CODE_UNITS_MAX)
		return isx_fail(err, ISX_INVALID, "more than %d units in one code",
				ISX_CODE_UNITS_MAX);
	if (header.maintype == ISX_CODE) { /* all bytes behind its header belong to a composite */
		struct split split = { at + used, left - used, units, *count };
		body_bytes = left - used;
		st = split_code(&header, &split, err);
		*count = split.count;
	} else {
		st = take_unit(&header, at + used, left - used, &units[*count], &body_bytes, err);
		*count += !st;
	}
	*taken = used + body_bytes;
	return st;
}

/* Decodes the header only: it is called for every asset and query, and the body is decoded later
 * anyway. What cannot be decoded here passes, as isx_code_read() reports it better. */
enum isx_status isx_code_check(struct isx_span text, struct isx_err *err)
{
	enum { HEAD_CHARS = 4 }; /* 2 bytes: no composite that exists has a longer header */
	uint8_t bytes[2];
	struct isx_header header;
	size_t count, used;
	if (isx_span_has_prefix(text, "ISCC:"))
		text = isx_span_skip(text, 5);
	const struct isx_span head = { text.ptr, HEAD_CHARS };
	if (text.len < HEAD_CHARS ||
	    isx_base32_decode(head, ISX_AS_033, bytes, sizeof bytes, &count, NULL) ||
	    isx_header_read(bytes, count, &header, &used, NULL) ||
	    isx_header_check(&header, NULL) || header.maintype != ISX_CODE)
		return ISX_OK;
	/* 0 bits: a length field that no composite has, which the reader reports */
	uint32_t bits = isx_header_body_bits(&header);
	size_t expected = ISX_BASE32_CHARS(used + bits / 8);
	if (bits == 0 || text.len == expected)
		return ISX_OK;
	return isx_fail(err, ISX_INVALID,
			"an ISCC-CODE whose header announces %u bits: expected %zu characters "
			"behind 'ISCC:', found %zu",
			bits, expected, text.len);
}

enum isx_status isx_code_read(struct isx_span text, struct isx_unit *units, size_t *count,
			      struct isx_err *err)
{
	uint8_t bytes[DIGEST_BYTES_MAX];
	size_t total, found = 0;
	enum isx_status st = isx_code_check(text, err);
	if (!st)
		st = isx_base32_decode_iscc(text, ISX_AS_033, bytes, sizeof bytes, &total, err);
	if (st)
		return st;
	for (size_t at = 0, taken = 0; at < total; at += taken) {
		size_t unit = found; /* number of the unit that is read now, for the message */
		st = read_next(bytes + at, total - at, units, &found, &taken, err);
		if (st)
			return at ? isx_err_at(err, st, "unit %zu of the code", unit) : st;
	}
	if (found == 0)
		return isx_fail(err, ISX_INVALID, "an empty code");
	*count = found;
	return ISX_OK;
}

/* Do the subtype and the optional units of a composite fit each other? Media subtypes need a
 * unit of the medium; the others say that there is none. */
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
	uint8_t bytes[64]; /* a well-formed code has 42 */
	char name[ISX_UNIT_TYPE_MAX];
	struct isx_header header;
	size_t total, used;
	enum isx_status st = isx_base32_decode_iscc(text, ISX_STRICT, bytes, sizeof bytes, &total,
						    err);
	if (!st)
		st = isx_header_read(bytes, total, &header, &used, err);
	if (!st)
		st = isx_header_type_name(&header, name, err);
	if (st)
		return st;
	if (header.maintype != ISX_CODE)
		return isx_fail(err, ISX_INVALID, "%s is not an ISCC-CODE", name);
	if (header.length > LENGTH_FIELD_MAX || !is_combination(&header))
		return isx_fail(err, ISX_INVALID, "%s cannot have the units of length field %u",
				name, header.length);
	uint32_t bits = isx_header_body_bits(&header);
	if ((total - used) * 8 != bits)
		return isx_fail(err, ISX_INVALID, "the header announces %u bits, but %zu follow",
				bits, (total - used) * 8);
	struct split split = { bytes + used, total - used, units, 0 };
	st = split_code(&header, &split, err);
	if (!st)
		*count = split.count;
	return st;
}

/* Find the subtype of a composite; false if SEMANTIC and CONTENT are of different media. */
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

/* Sort units by main type; false if one of them cannot be part of a code, or DATA or INSTANCE is
 * missing.
 *   by_type  filled: borrowed pointers into `units`; entries must be NULL before */
static bool sort_units(const struct isx_unit *units, size_t count,
		       const struct isx_unit *by_type[ISX_CODE])
{
	for (size_t i = 0; i < count; i++) {
		uint32_t type = units[i].header.maintype;
		if (type >= ISX_CODE || by_type[type] || units[i].body_bytes < PART_BYTES ||
		    units[i].header.length > LENGTH_FIELD_MAX)
			return false;
		by_type[type] = &units[i];
	}
	return by_type[ISX_DATA] && by_type[ISX_INSTANCE];
}

/* Judged by the header, as in 0.3.3; the body may be shorter. */
static bool announces_wide(const struct isx_unit *unit)
{
	return isx_header_body_bits(&unit->header) >= WIDE_PART_BYTES * 8;
}

bool isx_code_compose(const struct isx_unit *units, size_t count, char *text)
{
	const struct isx_unit *by_type[ISX_CODE] = { NULL };
	uint8_t bytes[ISX_HEADER_BYTES_MAX + COMPOSITE_UNITS_MAX * PART_BYTES];
	struct isx_header header = { .maintype = ISX_CODE };
	if (!sort_units(units, count, by_type))
		return false;
	/* DATA and INSTANCE alone, both long enough; with any other unit they are cut to 64 bits */
	bool wide = count == 2 && announces_wide(by_type[ISX_DATA]) &&
		    announces_wide(by_type[ISX_INSTANCE]);
	if (!composite_subtype(by_type, count, wide, &header.subtype))
		return false;
	header.length = (by_type[ISX_META] ? HAS_META : 0u) |
			(by_type[ISX_SEMANTIC] ? HAS_SEMANTIC : 0u) |
			(by_type[ISX_CONTENT] ? HAS_CONTENT : 0u);
	size_t at = isx_header_write(&header, bytes), part = wide ? WIDE_PART_BYTES : PART_BYTES;
	for (size_t type = 0; type < ISX_CODE;
	     type++) { /* the order of bodies is that of main types */
		if (!by_type[type])
			continue;
		size_t taken = by_type[type]->body_bytes < part ? by_type[type]->body_bytes : part;
		memcpy(bytes + at, by_type[type]->body, taken);
		at += taken;
	}
	memcpy(text, "ISCC:", 5);
	isx_base32_encode(bytes, at, text + 5);
	return true;
}
