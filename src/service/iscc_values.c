/*
 * iscc_values.c - the public interface iscc.h, over src/iscc, the distance of src/scan and the
 *                 scores of src/engine.
 *
 * A program may fill struct isx_iscc with any numbers, so each function first writes the value as
 * text and reads that strictly: isx_iscc_print() is the one check. That is slower than to compare
 * fields, and the functions are for a few values, not for searching. Pure functions; results are
 * written on success only.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc.h"

#include "engine/score.h"
#include "iscc/base32.h"
#include "iscc/code.h"
#include "iscc/iscc_id.h"
#include "iscc/multibase.h"
#include "scan/kernel.h"
#include "service/store.h"

#include <string.h>

/* The public header has sizes of its own, as a program sees none of the internal headers. */
_Static_assert((int)ISX_ISCC_TYPE_BYTES >= (int)ISX_UNIT_TYPE_MAX, "the name of a type fits");
_Static_assert((int)ISX_ISCC_TEXT_BYTES >= (int)ISX_CODE_TEXT_BYTES &&
		       (int)ISX_ISCC_TEXT_BYTES >= (int)ISX_UNIT_TEXT_BYTES,
	       "texts fit");

/* --- texts ------------------------------------------------------------------------------------ */

/* Make a value of a header and a body, which have been checked.
 *   iscc  filled, with zeros behind the body: isx_iscc_order() compares all of it */
static enum isx_status fill(const struct isx_header *header, const uint8_t *body, size_t body_bytes,
			    struct isx_iscc *iscc, struct isx_err *err)
{
	struct isx_iscc made = { .maintype = header->maintype,
				 .subtype = header->subtype,
				 .version = header->version,
				 .length = header->length,
				 .bits = (uint32_t)body_bytes * 8 };
	enum isx_status st = isx_header_type_name(header, made.type, err);
	if (st)
		return st;
	memcpy(made.body, body, body_bytes);
	*iscc = made;
	return ISX_OK;
}

/* Check a canonical text with the strict reader of its main type. */
static enum isx_status check_text(uint32_t maintype, const char *text, struct isx_err *err)
{
	struct isx_unit units[ISX_CODE_UNITS_MAX];
	struct isx_iscc_id id;
	size_t count;
	if (maintype == ISX_CODE)
		return isx_code_parse(isx_span_of(text), units, &count, err);
	if (maintype == ISX_ID)
		return isx_iscc_id_parse(isx_span_of(text), &id, err);
	return isx_unit_parse(isx_span_of(text), units, err);
}

/* `text` has room for ISX_ISCC_TEXT_BYTES: 48 bytes are 77 characters of base32. */
static void print_digest(const uint8_t *digest, size_t count, char *text)
{
	memcpy(text, "ISCC:", 5);
	isx_base32_encode(digest, count, text + 5);
}

enum { DIGEST_BYTES_MAX = ISX_HEADER_BYTES_MAX + ISX_ISCC_BODY_BYTES };

/* The text may be in any form; the strict readers know the canonical one alone, so it is written
 * first. */
enum isx_status isx_iscc_parse(const char *text, struct isx_iscc *iscc, struct isx_err *err)
{
	uint8_t digest[DIGEST_BYTES_MAX]; /* a longer one is refused while it is decoded */
	char canonical[ISX_ISCC_TEXT_BYTES];
	struct isx_header header;
	size_t count = 0, used = 0;
	enum isx_status st = isx_multibase_decode(isx_span_of(text), digest, sizeof digest, &count,
						  err);
	if (!st)
		st = isx_header_read(digest, count, &header, &used, err);
	if (!st)
		st = isx_header_check(&header, err);
	if (st)
		return st;
	print_digest(digest, count, canonical);
	st = check_text(header.maintype, canonical, err);
	return st ? st : fill(&header, digest + used, count - used, iscc, err);
}

/* Refuses numbers that no header can code before it looks at the body, whose length they
 * announce. */
enum isx_status isx_iscc_print(const struct isx_iscc *iscc, char *text, struct isx_err *err)
{
	const struct isx_header header = { .maintype = iscc->maintype,
					   .subtype = iscc->subtype,
					   .version = iscc->version,
					   .length = iscc->length };
	uint8_t digest[DIGEST_BYTES_MAX];
	char made[ISX_ISCC_TEXT_BYTES]; /* initialised up to its NUL; copied whole */
	size_t used = isx_header_write(&header, digest);
	if (used == 0 || iscc->bits % 8 || iscc->bits > ISX_ISCC_BODY_BYTES * 8)
		return isx_fail(err, ISX_INVALID,
				"an ISCC with the header %u.%u.%u.%u and %u bits: there is none",
				iscc->maintype, iscc->subtype, iscc->version, iscc->length,
				iscc->bits);
	memcpy(digest + used, iscc->body, iscc->bits / 8);
	print_digest(digest, used + iscc->bits / 8, made);
	enum isx_status st = check_text(iscc->maintype, made, err);
	if (!st)
		memcpy(text, made, sizeof made);
	return st;
}

/* --- units ------------------------------------------------------------------------------------ */

/* Check a value and decode its units: those of an ISCC-CODE, or the one that an ISCC-UNIT is.
 *   units  filled: room for ISX_CODE_UNITS_MAX
 *   count  filled: 1 to ISX_ISCC_UNITS, as a strict code has five at most */
static enum isx_status read_units(const struct isx_iscc *iscc, struct isx_unit *units,
				  size_t *count, struct isx_err *err)
{
	char text[ISX_ISCC_TEXT_BYTES];
	enum isx_status st = isx_iscc_print(iscc, text, err);
	if (st)
		return st;
	if (iscc->maintype == ISX_ID)
		return isx_fail(err, ISX_INVALID,
				"%s is an ISCC-ID, which names an asset and has no units: expected "
				"an ISCC-CODE or ISCC-UNIT",
				text);
	*count = 1;
	return iscc->maintype == ISX_CODE ? isx_code_parse(isx_span_of(text), units, count, err)
					  : isx_unit_parse(isx_span_of(text), units, err);
}

enum isx_status isx_iscc_decompose(const struct isx_iscc *code, struct isx_iscc *units,
				   size_t *count, struct isx_err *err)
{
	/* read_units() wants room for any code, although a strict one has five units at most */
	struct isx_unit parts[ISX_CODE_UNITS_MAX];
	struct isx_iscc made[ISX_ISCC_UNITS];
	size_t found;
	enum isx_status st = read_units(code, parts, &found, err);
	for (size_t i = 0; !st && i < found; i++)
		st = fill(&parts[i].header, parts[i].body, parts[i].body_bytes, &made[i], err);
	if (st)
		return st;
	memcpy(units, made, found * sizeof *made);
	*count = found;
	return ISX_OK;
}

/* The text is parsed again, so that the result has the same fields as one that was read. */
enum isx_status isx_iscc_compose(const struct isx_iscc *units, size_t count, struct isx_iscc *code,
				 struct isx_err *err)
{
	/* a code among the units would need more room than `parts` has: each is read apart */
	struct isx_unit parts[ISX_ISCC_UNITS], read[ISX_CODE_UNITS_MAX];
	char text[ISX_CODE_TEXT_BYTES];
	if (count > ISX_ISCC_UNITS)
		return isx_fail(err, ISX_INVALID, "%zu units: an ISCC-CODE has at most %d", count,
				ISX_ISCC_UNITS);
	for (size_t i = 0; i < count; i++) { /* `one`: an ISCC-CODE has two units or more */
		size_t one = 0;
		enum isx_status st = read_units(&units[i], read, &one, err);
		if (!st && one != 1)
			st = isx_fail(err, ISX_INVALID,
				      "unit %zu is an ISCC-CODE: expected ISCC-UNITs", i);
		if (st)
			return st;
		parts[i] = read[0];
	}
	if (!isx_code_compose(parts, count, text))
		return isx_fail(err, ISX_INVALID,
				"these units form no ISCC-CODE: expected DATA and INSTANCE, each "
				"main type once, 64 bits or more, SEMANTIC and CONTENT of one "
				"subtype");
	return isx_iscc_parse(text, code, err);
}

/* The length of a body decides last: a shorter one, filled up with zeros, comes before a longer
 * one. */
int isx_iscc_order(const struct isx_iscc *a, const struct isx_iscc *b)
{
	const uint32_t as[] = { a->maintype, a->subtype, a->version };
	const uint32_t bs[] = { b->maintype, b->subtype, b->version };
	for (size_t i = 0; i < sizeof as / sizeof *as; i++)
		if (as[i] != bs[i])
			return as[i] < bs[i] ? -1 : 1;
	int order = memcmp(a->body, b->body, sizeof a->body);
	return order ? order : (a->bits > b->bits) - (a->bits < b->bits);
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Are two units of the same type? A type is all of the header but the length. */
static bool is_one_type(const struct isx_unit *a, const struct isx_unit *b)
{
	return a->header.maintype == b->header.maintype && a->header.subtype == b->header.subtype &&
	       a->header.version == b->header.version;
}

/* Over the common length (NPHD), as a search does: units of 64 and 256 bits can be compared. */
static enum isx_status compare_units(const struct isx_unit *a, const struct isx_unit *b,
				     struct isx_iscc_comparison *made, struct isx_err *err)
{
	/* bodies are prefix codes: the first bits of a long unit are those of the short one */
	uint32_t bytes = a->body_bytes < b->body_bytes ? a->body_bytes : b->body_bytes;
	*made = (struct isx_iscc_comparison){ .distance = isx_distance(a->body, b->body, bytes),
					      .bits = bytes * 8 };
	made->score = isx_unit_is_instance(a) ? made->distance == 0
					      : isx_unit_score(made->distance, made->bits);
	return isx_header_type_name(&a->header, made->type, err);
}

enum isx_status isx_iscc_compare(const struct isx_iscc *a, const struct isx_iscc *b,
				 struct isx_iscc_comparison *comparisons, size_t *count,
				 struct isx_err *err)
{
	struct isx_unit as[ISX_CODE_UNITS_MAX], bs[ISX_CODE_UNITS_MAX];
	struct isx_iscc_comparison made[ISX_ISCC_UNITS];
	size_t a_count = 0, b_count = 0, found = 0;
	enum isx_status st = read_units(a, as, &a_count, err);
	if (!st)
		st = read_units(b, bs, &b_count, err);
	/* a strict code has a type once, so there are at most ISX_ISCC_UNITS pairs */
	for (size_t i = 0; !st && i < a_count; i++)
		for (size_t k = 0; !st && k < b_count; k++)
			if (is_one_type(&as[i], &bs[k]))
				st = compare_units(&as[i], &bs[k], &made[found++], err);
	if (st)
		return st;
	memcpy(comparisons, made, found * sizeof *made);
	*count = found;
	return ISX_OK;
}

/* Sums over the types in common; there is no distance of nothing, so none in common is an error. */
enum isx_status isx_iscc_distance(const struct isx_iscc *a, const struct isx_iscc *b,
				  uint32_t *distance, uint32_t *bits, struct isx_err *err)
{
	struct isx_iscc_comparison comparisons[ISX_ISCC_UNITS];
	size_t count = 0;
	uint32_t differing = 0, compared = 0;
	enum isx_status st = isx_iscc_compare(a, b, comparisons, &count, err);
	if (!st && count == 0)
		st = isx_fail(err, ISX_INVALID,
			      "%s and %s have no type of unit in common: there is no distance",
			      a->type, b->type);
	if (st)
		return st;
	for (size_t i = 0; i < count; i++) {
		differing += comparisons[i].distance;
		compared += comparisons[i].bits;
	}
	*distance = differing;
	if (bits)
		*bits = compared;
	return ISX_OK;
}

/* isx_asset_score() adds in an order of its own, so that the result is that of a search to the
 * last bit. */
enum isx_status isx_iscc_score(const struct isx_iscc *a, const struct isx_iscc *b,
			       const struct isx_options *options, double *score,
			       struct isx_err *err)
{
	struct isx_iscc_comparison comparisons[ISX_ISCC_UNITS];
	struct isx_options chosen;
	double scores[ISX_ISCC_UNITS];
	size_t count = 0, reached = 0;
	enum isx_status st = isx_store_read_options(options, &chosen, err);
	if (!st)
		st = isx_iscc_compare(a, b, comparisons, &count, err);
	if (st)
		return st;
	for (size_t i = 0; i < count; i++) {
		/* INSTANCE matches wholly or not at all, whatever the threshold is */
		bool is_instance = strncmp(comparisons[i].type, "INSTANCE_", 9) == 0;
		if (comparisons[i].score >= (is_instance ? 1.0 : chosen.match_threshold_units))
			scores[reached++] = comparisons[i].score;
	}
	*score = reached ? isx_asset_score(scores, reached, chosen.confidence_exponent) : 0;
	return ISX_OK;
}

/* --- ISCC-IDs --------------------------------------------------------------------------------- */

/* isx_iscc_print() first, as a program may have filled the fields; an ISCC-ID of version 0
 * passes, and its subtype is taken for the realm, as in an index. */
enum isx_status isx_iscc_id_decompose(const struct isx_iscc *iscc, struct isx_iscc_id_parts *parts,
				      struct isx_err *err)
{
	char text[ISX_ISCC_TEXT_BYTES];
	struct isx_iscc_id id;
	enum isx_status st = isx_iscc_print(iscc, text, err);
	if (!st && iscc->maintype != ISX_ID)
		st = isx_fail(err, ISX_INVALID, "%s is of type %s: expected an ISCC-ID", text,
			      iscc->type);
	if (!st)
		st = isx_iscc_id_parse(isx_span_of(text), &id, err);
	if (!st)
		*parts = (struct isx_iscc_id_parts){ .time_us = isx_iscc_id_time_us(&id),
						     .hub = isx_iscc_id_hub(&id),
						     .realm = id.realm };
	return st;
}

enum isx_status isx_iscc_id_compose(const struct isx_iscc_id_parts *parts, struct isx_iscc *iscc,
				    struct isx_err *err)
{
	char text[ISX_ISCC_ID_TEXT_BYTES];
	if (parts->time_us >> 52 || parts->hub > 0xFFF || parts->realm > 1)
		return isx_fail(err, ISX_INVALID,
				"an ISCC-ID of time %llu, hub %u, realm %u: expected a time below "
				"2^52, a hub to 4095, a realm of 0 or 1",
				(unsigned long long)parts->time_us, parts->hub, parts->realm);
	/* checked above: neither part reaches into the other's bits */
	const struct isx_iscc_id id = { .body = parts->time_us << 12 | parts->hub,
					.realm = parts->realm,
					.version = 1 };
	isx_iscc_id_print(&id, text);
	return isx_iscc_parse(text, iscc, err);
}
