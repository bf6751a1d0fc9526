/*
 * field.h - one field of a body: its kind, its range and its pattern, with pydantic's lax rules.
 *
 * Each reader adds a problem and returns false when the value is not what the field wants. What is
 * handed out lives in the arena.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_FIELD_H
#define ISX_FIELD_H

#include "base/mem.h"
#include "json/json.h"
#include "json/schema.h"

/* Everything a reader needs besides the value. */
struct isx_reader {
	struct isx_arena *arena;
	struct isx_problems *problems;
	bool out_of_memory; /* set instead of a problem */
};

/* What a text has to look like. */
struct isx_text_rule {
	size_t least; /* characters */
	size_t most;  /* 0: any number */
	bool (*matches)(struct isx_span text);
	const char *expected; /* the pattern, in words for the message */
};

/* A problem with `value` as input. */
void isx_field_problem(struct isx_reader *reader, const char *type, const struct isx_place *place,
		       const char *msg, struct isx_span value);

/* One member of an object whose names are its senders'. */
struct isx_field_member {
	const char *name; /* NUL in it became U+0001: another name */
	struct isx_span value;
};

/* An object of at most ISX_TYPE_NAMES_MAX members with different names; of those with one name the
 * last value counts, at the place of the first.
 *   members  filled: *count of them, with room for ISX_TYPE_NAMES_MAX */
bool isx_field_members(struct isx_reader *reader, struct isx_span value,
		       const struct isx_place *place, struct isx_field_member *members,
		       size_t *count);

/* A string that obeys `rule` (NULL: any without NUL). */
bool isx_field_text(struct isx_reader *reader, struct isx_span value, const struct isx_place *place,
		    const struct isx_text_rule *rule, const char **text);

/* A whole number: an integer, a float without fraction, a bool, or a text of such a number. */
bool isx_field_uint(struct isx_reader *reader, struct isx_span value, const struct isx_place *place,
		    uint64_t most, uint64_t *number);

/* An array of at most `most` texts; fewer than `least` is a problem once all of them are texts. */
bool isx_field_texts(struct isx_reader *reader, struct isx_span value,
		     const struct isx_place *place, const struct isx_text_rule *rule, size_t least,
		     size_t most, const char *const **texts, size_t *count);

#endif
