/*
 * filter_json.h - the filter of a query: which assets it may find, read from JSON into a tree.
 *
 * A filter is an object, and all of its members have to hold:
 *
 *	{"all": [FILTER, ...]}, {"any": [FILTER, ...]}, {"not": FILTER}
 *	{"iscc_id": {"from": ISCC-ID, "to": ISCC-ID}}	from inclusive, to exclusive; one may miss
 *	{"time": {"from": TIME, "to": TIME}}	of the ISCC-ID; TIME as in isx_timestamp_parse()
 *	{"hub": 3}, {"hub": [3, 4]}		of the ISCC-ID
 *	{"types": ["CONTENT_TEXT_V0"]}		the asset has units of all these types
 *	{"field": NAME, "equals": VALUE}	VALUE is a string, a number, true, false or null
 *	{"field": NAME, "in": [VALUE, ...]}
 *	{"field": NAME, "from": VALUE, "to": VALUE}	two numbers or two strings; one may miss
 *	{"field": NAME, "exists": true}		or false
 *
 * `{}` and `{"all": []}` hold for every asset, `{"any": []}` and `{"in": []}` for none. A condition on
 * a field holds if one of the field's values (field_value.h) meets it. Everything else is refused: a
 * condition that was mistyped must not let assets through.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_FILTER_JSON_H
#define ISX_FILTER_JSON_H

#include "json/field.h"

enum isx_condition_kind {
	ISX_FILTER_ALL,    /* all `parts` hold; none: always */
	ISX_FILTER_ANY,    /* one of `parts` holds; none: never */
	ISX_FILTER_NOT,    /* parts[0] does not hold; there is one */
	ISX_FILTER_ID,     /* first <= ISCC-ID body <= last; first > last: never */
	ISX_FILTER_HUB,    /* the hub number of the ISCC-ID is one of `hubs` */
	ISX_FILTER_TYPES,  /* the asset has units of all `types` */
	ISX_FILTER_IN,     /* a value of the field is one of `values` */
	ISX_FILTER_RANGE,  /* for a value v of the field from <= v < to, and v is of their kind */
	ISX_FILTER_EXISTS, /* the field has a value */
};

/* One node of the tree. Members that its kind does not name are 0. */
struct isx_condition {
	enum isx_condition_kind kind;
	const struct isx_condition *parts;
	size_t part_count;
	uint64_t first, last; /* ISCC-ID bodies, both inclusive */
	const uint8_t *hubs;  /* a bit for each hub number, the lowest one of a byte first */
	const char *const *types;
	size_t type_count;
	size_t field;                  /* position in `fields` of the filter */
	const struct isx_span *values; /* keys (field_value.h), sorted, each once */
	size_t value_count;
	struct isx_span from, to; /* keys of numbers or of strings; an empty span: no bound */
};

/* A filter, which lives in the arena of its reader. */
struct isx_filter {
	struct isx_condition root;
	const char **fields; /* JSON pointers (json/pointer.h), each once */
	size_t field_count;
	bool has_realm; /* the filter names ISCC-IDs, all of this realm */
	uint32_t realm;
};

/* Read a filter of a text that was checked. What is wrong becomes a problem with its place.
 *   place   of the filter itself
 *   filter  filled; not to be used if there are problems */
void isx_filter_read(struct isx_reader *reader, struct isx_span value,
		     const struct isx_place *place, struct isx_filter *filter);

/* Read a filter of a query (struct isx_query), whose text need not have been checked.
 *   text    NULL: no filter
 *   filter  new in `arena`; NULL: there is none, or it holds for every asset
 * ISX_INVALID names the place and what was expected there. */
ISX_MUST_CHECK enum isx_status isx_filter_from_text(const char *text, struct isx_arena *arena,
						    const struct isx_filter **filter,
						    struct isx_err *err);

#endif
