/*
 * field.h - read one field of a body: its kind, its range and its pattern, with the lax conversions
 *           of pydantic, which iscc-search 0.3.3 uses.
 *
 * When a value does not fit its field, a reader adds a problem with the type and message of
 * pydantic and returns false; the caller goes on with the next field, so that a client gets all
 * problems at once. Texts and lists that are handed out live in the arena.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_FIELD_H
#define ISX_FIELD_H

#include "base/mem.h"
#include "json/json.h"
#include "json/schema.h"

/* What all readers of a body share. */
struct isx_reader {
	struct isx_arena *arena;
	struct isx_problems *problems;
	bool out_of_memory; /* set instead of adding a problem; checked at the end */
};

/* The form of a text. Its length is checked before its pattern; a text has one problem at most. */
struct isx_text_rule {
	size_t chars_min; /* Unicode characters, as pydantic counts */
	size_t chars_max; /* 0: any number */
	bool (*matches)(struct isx_span text);
	const char *expected; /* the pattern, for the message */
};

/* Add a problem that shows `value` as its "input". */
void isx_field_problem(struct isx_reader *reader, const char *type, const struct isx_place *place,
		       const char *msg, struct isx_span value);

/* One member of an object whose names the client chooses, as simprint types are. */
struct isx_field_member {
	const char *name; /* from isx_json_name(): U+0001 stands for NUL */
	struct isx_span value;
};

/* Read an object with at most ISX_TYPE_NAMES_MAX different names. Of several members with one name
 * the last value counts, at the position of the first, as in a dict of Python.
 *   members  filled: *count of them, with room for ISX_TYPE_NAMES_MAX */
bool isx_field_members(struct isx_reader *reader, struct isx_span value,
		       const struct isx_place *place, struct isx_field_member *members,
		       size_t *count);

/* Read a string that obeys `rule`; NULL: any string without NUL, which a C text cannot hold. */
bool isx_field_text(struct isx_reader *reader, struct isx_span value, const struct isx_place *place,
		    const struct isx_text_rule *rule, const char **text);

/* Read a whole number, 0 to `max`: an integer, a float without fraction, a bool, or a text of a
 * number. */
bool isx_field_uint(struct isx_reader *reader, struct isx_span value, const struct isx_place *place,
		    uint64_t max, uint64_t *number);

/* Read a number, 0 to 1: an integer, a float, a bool, or a text of a number. */
bool isx_field_score(struct isx_reader *reader, struct isx_span value,
		     const struct isx_place *place, double *score);

/* Read a finite number above 0, as isx_field_score() does. */
bool isx_field_positive(struct isx_reader *reader, struct isx_span value,
			const struct isx_place *place, double *number);

/* Read an array of `count_min` to `count_max` texts, each of which obeys `rule`. Too few are
 * reported only if all elements are texts, as by pydantic.
 *   texts  filled: the texts without problems, also when the result is false
 *   count  filled: of those */
bool isx_field_texts(struct isx_reader *reader, struct isx_span value,
		     const struct isx_place *place, const struct isx_text_rule *rule,
		     size_t count_min, size_t count_max, const char *const **texts, size_t *count);

#endif
