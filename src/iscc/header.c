/*
 * header.c - the nibble-coded header of an ISCC (ISO 24138, section 6.2).
 *
 * Each of the four numbers takes one to four nibbles; its first bits tell how many:
 *   0ddd               0 to 7
 *   10dd dddd          8 to 71
 *   110d dddd dddd     72 to 583
 *   1110 dddd dddd dddd  584 to 4679
 * An odd number of nibbles is followed by a nibble of zeros, so that the body begins at a byte.
 * Pure functions; every number that can be coded is read, and whether a type exists is asked
 * separately.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/header.h"

#include "base/limits.h"

#include <string.h>

static const struct {
	uint32_t first;  /* the least number of this form; it is subtracted before coding */
	uint32_t prefix; /* the first prefix_bits bits of the first nibble */
	uint32_t prefix_bits;
	uint32_t nibbles;
} forms[] = { { 0, 0x0, 1, 1 }, { 8, 0x2, 2, 2 }, { 72, 0x6, 3, 3 }, { 584, 0xE, 4, 4 } };

enum { FORMS = sizeof forms / sizeof forms[0], NUMBER_MAX = 4679 };

/* Nibble `i`, counted from the upper half of the first byte. */
static uint32_t nibble_at(const uint8_t *bytes, size_t i)
{
	return i % 2 ? bytes[i / 2] & 0xFu : bytes[i / 2] >> 4;
}

/* Read one number at nibble *at, which moves behind it. `nibbles` bounds all reads. */
static enum isx_status read_number(const uint8_t *bytes, size_t nibbles, size_t *at,
				   uint32_t *number, struct isx_err *err)
{
	if (*at >= nibbles)
		return isx_fail(err, ISX_INVALID, "the header ends after %zu of its 4-bit groups",
				*at);
	uint32_t first = nibble_at(bytes, *at);
	for (size_t f = 0; f < FORMS; f++) {
		if (first >> (4 - forms[f].prefix_bits) != forms[f].prefix)
			continue;
		if (*at + forms[f].nibbles > nibbles)
			return isx_fail(err, ISX_INVALID, "the header is cut off after %zu bytes",
					nibbles / 2);
		uint32_t value = first & (0xFu >> forms[f].prefix_bits);
		for (size_t i = 1; i < forms[f].nibbles; i++)
			value = value << 4 | nibble_at(bytes, *at + i);
		*at += forms[f].nibbles;
		*number = value + forms[f].first;
		return ISX_OK;
	}
	return isx_fail(err, ISX_INVALID, "invalid header prefix 1111 in 4-bit group %zu", *at);
}

enum isx_status isx_header_read(const uint8_t *bytes, size_t count, struct isx_header *header,
				size_t *used, struct isx_err *err)
{
	uint32_t numbers[4];
	size_t at = 0;
	/* The header of nearly every ISCC is four nibbles 0ddd: no loop for the millions of
	 * them. */
	if (count >= 2 && !((bytes[0] | bytes[1]) & 0x88)) {
		*header = (struct isx_header){ bytes[0] >> 4, bytes[0] & 7u, bytes[1] >> 4,
					       bytes[1] & 7u };
		*used = 2;
		return ISX_OK;
	}
	for (size_t i = 0; i < 4; i++) {
		enum isx_status st = read_number(bytes, count * 2, &at, &numbers[i], err);
		if (st)
			return st;
	}
	*header = (struct isx_header){ numbers[0], numbers[1], numbers[2], numbers[3] };
	*used = (at + 1) / 2;
	return ISX_OK;
}

/* Write one number at nibble `at` into zeroed bytes; returns the nibbles it takes. */
static size_t write_number(uint8_t *bytes, size_t at, uint32_t number)
{
	size_t f = FORMS - 1; /* the form is unique: the ranges of the forms do not overlap */
	while (number < forms[f].first)
		f--;
	uint32_t nibbles = forms[f].nibbles;
	uint32_t coded = (number - forms[f].first) |
			 forms[f].prefix << (nibbles * 4 - forms[f].prefix_bits);
	for (uint32_t i = 0; i < nibbles; i++) {
		uint32_t nibble = coded >> (4 * (nibbles - 1 - i)) & 0xF;
		bytes[(at + i) / 2] |= (uint8_t)((at + i) % 2 ? nibble : nibble << 4);
	}
	return nibbles;
}

size_t isx_header_write(const struct isx_header *header, uint8_t *bytes)
{
	const uint32_t numbers[4] = { header->maintype, header->subtype, header->version,
				      header->length };
	size_t at = 0;
	for (size_t i = 0; i < 4; i++)
		if (numbers[i] > NUMBER_MAX) /* of a program: iscc.h takes any numbers */
			return 0;
	memset(bytes, 0, ISX_HEADER_BYTES_MAX);
	for (size_t i = 0; i < 4; i++)
		at += write_number(bytes, at, numbers[i]);
	return (at + 1) / 2;
}

/* Names of the types that exist, by subtype and ended by NULL, as iscc-core and 0.3.3 write
 * them: they are keys of scores in answers and of rows on disk. */
static const char *const meta_types[] = { "META_NONE_V0", NULL };
static const char *const semantic_types[] = { "SEMANTIC_TEXT_V0",  "SEMANTIC_IMAGE_V0",
					      "SEMANTIC_AUDIO_V0", "SEMANTIC_VIDEO_V0",
					      "SEMANTIC_MIXED_V0", NULL };
static const char *const content_types[] = { "CONTENT_TEXT_V0",  "CONTENT_IMAGE_V0",
					     "CONTENT_AUDIO_V0", "CONTENT_VIDEO_V0",
					     "CONTENT_MIXED_V0", NULL };
static const char *const data_types[] = { "DATA_NONE_V0", NULL };
static const char *const instance_types[] = { "INSTANCE_NONE_V0", NULL };
static const char *const code_types[] = { "ISCC_TEXT_V0",  "ISCC_IMAGE_V0", "ISCC_AUDIO_V0",
					  "ISCC_VIDEO_V0", "ISCC_MIXED_V0", "ISCC_SUM_V0",
					  "ISCC_NONE_V0",  "ISCC_WIDE_V0",  NULL };
static const char *const id_v0_types[] = { "ID_PRIVATE_V0", "ID_BITCOIN_V0", "ID_ETHEREUM_V0",
					   "ID_POLYGON_V0", NULL };
static const char *const id_v1_types[] = { "ID_REALM_0_V1", "ID_REALM_1_V1", NULL };
static const char *const flake_types[] = { "FLAKE_NONE_V0", NULL };

_Static_assert(sizeof "SEMANTIC_IMAGE_V0" <= ISX_UNIT_TYPE_MAX, "the longest name has room");

static const struct {
	const char *name;
	const char *const *types[2]; /* by version; NULL where there is none */
} maintypes[] = {
	[ISX_META] = { "META", { meta_types } },
	[ISX_SEMANTIC] = { "SEMANTIC", { semantic_types } },
	[ISX_CONTENT] = { "CONTENT", { content_types } },
	[ISX_DATA] = { "DATA", { data_types } },
	[ISX_INSTANCE] = { "INSTANCE", { instance_types } },
	[ISX_CODE] = { "ISCC", { code_types } },
	[ISX_ID] = { "ID", { id_v0_types, id_v1_types } },
	[ISX_FLAKE] = { "FLAKE", { flake_types } },
};

/* The name of a type (static); NULL, with the error set, if it does not exist. */
static const char *find_type(const struct isx_header *header, struct isx_err *err)
{
	uint32_t i = 0; /* walks the list, as a subtype from outside may be far behind its end */
	if (header->maintype > ISX_FLAKE) {
		(void)isx_fail(err, ISX_INVALID, "main type %u does not exist: expected 0 to 7",
			       header->maintype);
		return NULL;
	}
	const char *main_name = maintypes[header->maintype].name;
	if (header->version > 1 || !maintypes[header->maintype].types[header->version]) {
		(void)isx_fail(err, ISX_INVALID, "version %u of %s does not exist: expected %s",
			       header->version, main_name,
			       header->maintype == ISX_ID ? "0 or 1" : "0");
		return NULL;
	}
	const char *const *types = maintypes[header->maintype].types[header->version];
	while (i < header->subtype && types[i])
		i++;
	if (!types[i])
		(void)isx_fail(err, ISX_INVALID, "subtype %u of %s does not exist: expected %s%u",
			       header->subtype, main_name, i > 1 ? "0 to " : "", i - 1);
	return types[i];
}

enum isx_status isx_header_check(const struct isx_header *header, struct isx_err *err)
{
	return find_type(header, err) ? ISX_OK : ISX_INVALID;
}

enum isx_status isx_header_type_name(const struct isx_header *header, char *name,
				     struct isx_err *err)
{
	const char *found = find_type(header, err);
	if (!found)
		return ISX_INVALID;
	memcpy(name, found, strlen(found) + 1);
	return ISX_OK;
}

uint32_t isx_header_body_bits(const struct isx_header *header)
{
	switch (header->maintype) {
	case ISX_CODE:
		if (header->length > 7)
			return 0;
		if (header->subtype == ISX_SUBTYPE_WIDE)
			return 256;
		return 128 + 64 * (uint32_t)__builtin_popcount(header->length);
	case ISX_ID:
		/* The length field is the number of bytes of a counter behind the 64 bits;
		 * iscc-core has no length of 88 bits, so 3 is refused. */
		return header->length <= 4 && header->length != 3 ? 64 + 8 * header->length : 0;
	default:
		return header->maintype <= ISX_FLAKE && header->length <= 7
			       ? 32 * (header->length + 1)
			       : 0;
	}
}
