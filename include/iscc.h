/*
 * iscc.h - International Standard Content Codes (ISO 24138) as values: read and write them,
 *          decompose and compose ISCC-CODEs, and compare them as a search does.
 *
 * Part of libiscc_search; needs no store. All functions are pure: they allocate nothing, keep no
 * state, and may be called from any thread. The sections on errors and versions in iscc_search.h
 * hold here, too.
 *
 *	struct isx_iscc a, b;
 *	struct isx_err err;
 *	double score;
 *
 *	if (isx_iscc_parse("ISCC:EAA5ZPR7TUFRSUSP", &a, &err) ||
 *	    isx_iscc_parse("ISCC:EAA5ZPR7TUFRSUSO", &b, &err) ||
 *	    isx_iscc_score(&a, &b, NULL, &score, &err))
 *		die("%s", err.msg);
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISCC_H
#define ISCC_H

#include "iscc_search.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Main types, as the standard numbers them. */
enum isx_maintype {
	ISX_META = 0,
	ISX_SEMANTIC = 1,
	ISX_CONTENT = 2,
	ISX_DATA = 3,
	ISX_INSTANCE = 4,
	ISX_CODE = 5, /* called ISCC in the standard: the composite of units */
	ISX_ID = 6,
	ISX_FLAKE = 7
};

enum {
	ISX_ISCC_BODY_BYTES = 40, /* of an ISCC-CODE with five units; an ISCC-UNIT has at most 32 */
	ISX_ISCC_TYPE_BYTES = 32, /* of the longest name of a type, with the NUL */
	ISX_ISCC_TEXT_BYTES = 96, /* of the longest text, with "ISCC:" and the NUL */
	ISX_ISCC_UNITS = 5        /* of an ISCC-CODE, at most */
};

/* One ISCC-UNIT, ISCC-CODE or ISCC-ID. */
struct isx_iscc {
	uint32_t maintype;              /* enum isx_maintype */
	uint32_t subtype;               /* as the main type defines it; the realm of an ISCC-ID */
	uint32_t version;               /* 0; of an ISCC-ID 1, or 0 as iscc-search 0.3.3 allows */
	uint32_t length;                /* the length field of the header */
	uint32_t bits;                  /* of the body, a multiple of 8 */
	char type[ISX_ISCC_TYPE_BYTES]; /* for example "CONTENT_TEXT_V0" */
	uint8_t body[ISX_ISCC_BODY_BYTES]; /* zeros behind its last bit */
	uint64_t reserved[2];              /* 0 */
};

/* Read an ISCC in any common form: "ISCC:" and base32 in either case, with or without hyphens;
 * base32 alone; or multibase (f, b, v, z, u). Header and body must be well-formed: the type exists,
 * and the body is exactly as long as the header says.
 *   iscc  filled
 * ISX_INVALID says what is wrong, and where. */
ISX_API ISX_MUST_CHECK enum isx_status isx_iscc_parse(const char *text, struct isx_iscc *iscc,
						      struct isx_err *err);

/* Write the canonical text: "ISCC:" and upper-case base32.
 *   text  filled, terminated: room for ISX_ISCC_TEXT_BYTES
 * ISX_INVALID: the fields do not describe an ISCC. */
ISX_API ISX_MUST_CHECK enum isx_status isx_iscc_print(const struct isx_iscc *iscc, char *text,
						      struct isx_err *err);

/* Decompose an ISCC-CODE into its units. An ISCC-UNIT gives itself.
 *   units  filled: room for ISX_ISCC_UNITS; in the order META, SEMANTIC, CONTENT, DATA, INSTANCE
 *   count  filled
 * ISX_INVALID: an ISCC-ID has no units. */
ISX_API ISX_MUST_CHECK enum isx_status isx_iscc_decompose(const struct isx_iscc *code,
							  struct isx_iscc *units, size_t *count,
							  struct isx_err *err);

/* Compose an ISCC-CODE of units in any order, of which it has 64 bits each. DATA and INSTANCE
 * alone, both of 128 bits or more, give a WIDE code.
 *   code  filled
 * ISX_INVALID: these units form no ISCC-CODE (DATA or INSTANCE is missing, two units have one
 * main type, a unit is shorter than 64 bits, SEMANTIC and CONTENT have different subtypes). */
ISX_API ISX_MUST_CHECK enum isx_status isx_iscc_compose(const struct isx_iscc *units, size_t count,
							struct isx_iscc *code, struct isx_err *err);

/* Compare two ISCCs for sorting: the result is below 0, 0 or above 0 if `a` comes before `b`, is
 * equal, or comes after it. They are ordered by main type, subtype, version and body, so
 * ISCC-IDs of one realm by time. */
ISX_API int isx_iscc_order(const struct isx_iscc *a, const struct isx_iscc *b);

/* The comparison of two units of one type. */
struct isx_iscc_comparison {
	char type[ISX_ISCC_TYPE_BYTES];
	uint32_t distance; /* bits that differ over the common length */
	uint32_t bits;     /* the common length: that of the shorter body */
	double score;      /* 1 - distance / bits. INSTANCE units identify content and have no
			 similarity: 1 if the bodies are equal over the common length, else 0 */
	uint64_t reserved[2];
};

/* Compare the units that two ISCC-CODEs or ISCC-UNITs have in common: those of the same type.
 *   comparisons  filled: room for ISX_ISCC_UNITS
 *   count        filled: 0 if they have no type in common
 * ISX_INVALID: one is an ISCC-ID, which says nothing about content. */
ISX_API ISX_MUST_CHECK enum isx_status isx_iscc_compare(const struct isx_iscc *a,
							const struct isx_iscc *b,
							struct isx_iscc_comparison *comparisons,
							size_t *count, struct isx_err *err);

/* Count the bits in which two ISCCs differ, over the common length of the units they have in
 * common.
 *   distance  filled
 *   bits      filled: the bits that were compared; may be NULL
 * ISX_INVALID: they have no type of unit in common, or one is an ISCC-ID. */
ISX_API ISX_MUST_CHECK enum isx_status isx_iscc_distance(const struct isx_iscc *a,
							 const struct isx_iscc *b,
							 uint32_t *distance, uint32_t *bits,
							 struct isx_err *err);

/* Compute the score that a search for `a` on usearch:// gives to an asset with the units of `b`:
 * sum(s^e) / sum(s) over the scores s of units that reach the threshold; 0 if none does.
 *   options  match_threshold_units and confidence_exponent are used; NULL: the defaults
 *   score    filled: 0..1
 * ISX_INVALID: one is an ISCC-ID, or an option is out of its range. */
ISX_API ISX_MUST_CHECK enum isx_status isx_iscc_score(const struct isx_iscc *a,
						      const struct isx_iscc *b,
						      const struct isx_options *options,
						      double *score, struct isx_err *err);

/* The parts of an ISCC-ID. */
struct isx_iscc_id_parts {
	uint64_t time_us; /* microseconds since 1970, 52 bits */
	uint32_t hub;     /* number of the hub that issued it, 0 to 4095 */
	uint32_t realm;   /* 0 or 1 */
};

/* Decompose an ISCC-ID.
 *   parts  filled
 * ISX_INVALID: `iscc` is not an ISCC-ID. */
ISX_API ISX_MUST_CHECK enum isx_status isx_iscc_id_decompose(const struct isx_iscc *iscc,
							     struct isx_iscc_id_parts *parts,
							     struct isx_err *err);

/* Compose an ISCC-ID. As `from` of isx_cursor_open(), it begins the iteration at a time.
 *   iscc  filled
 * ISX_INVALID: a part is out of its range. */
ISX_API ISX_MUST_CHECK enum isx_status isx_iscc_id_compose(const struct isx_iscc_id_parts *parts,
							   struct isx_iscc *iscc,
							   struct isx_err *err);

#ifdef __cplusplus
}
#endif
#endif
