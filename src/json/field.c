/*
 * field.c - read single fields, with the types and messages of pydantic's problems.
 *
 * "type" and "loc" are those of iscc-search 0.3.3, on which clients rely. A field costs one pass over
 * its text, two for a list. Without memory a reader sets out_of_memory, which counts more than any
 * problem: that fault is the server's and no 422. Must not know which fields an asset or a query has.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/field.h"

#include "base/limits.h"

#include <math.h>
#include <stdio.h>

/* Readers below have the reader at hand, not its list of problems. */
void isx_field_problem(struct isx_reader *reader, const char *type, const struct isx_place *place,
		       const char *msg, struct isx_span value)
{
	isx_problem_add(reader->problems, type, place, msg, value);
}

/* The position of `name` in the list, or the one behind the last. Linear: ISX_TYPE_NAMES_MAX
 * names at most. */
static size_t find_name(const struct isx_field_member *members, size_t count, const char *name)
{
	size_t i = 0;
	while (i < count && strcmp(members[i].name, name) != 0)
		i++;
	return i;
}

/* Values are not read here: their readers come next, with the place of each member. */
bool isx_field_members(struct isx_reader *reader, struct isx_span value,
		       const struct isx_place *place, struct isx_field_member *members,
		       size_t *count)
{
	char msg[96];
	struct isx_json_walk walk = isx_json_walk_start(value);
	struct isx_span key, member;
	*count = 0;
	if (isx_json_kind(value) != ISX_JSON_OBJECT) {
		isx_field_problem(reader, "dict_type", place, "Input should be a valid dictionary",
				  value);
		return false;
	}
	while (isx_json_next_member(&walk, &key, &member)) {
		const char *name = isx_json_name(key, reader->arena);
		if (!name) {
			reader->out_of_memory = true;
			return false;
		}
		size_t at = find_name(members, *count, name);
		if (at == ISX_TYPE_NAMES_MAX) { /* a name that is there already does not count */
			snprintf(msg, sizeof msg, "Dictionary should have at most %d items",
				 ISX_TYPE_NAMES_MAX);
			isx_field_problem(reader, "too_long", place, msg, value);
			return false;
		}
		members[at] = (struct isx_field_member){ name, member };
		*count += at == *count;
	}
	return true;
}

/* Characters of UTF-8 that has been checked: bytes that are not continuations. */
static size_t characters(struct isx_span text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.len; i++)
		count += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
	return count;
}

/* The text is decoded before its length is known, as escapes count as one character. The arena
 * keeps it also when it is refused; the caller goes back if it wants to. */
bool isx_field_text(struct isx_reader *reader, struct isx_span value, const struct isx_place *place,
		    const struct isx_text_rule *rule, const char **text)
{
	char msg[160];
	struct isx_span found;
	if (isx_json_kind(value) != ISX_JSON_STRING) {
		isx_field_problem(reader, "string_type", place, "Input should be a valid string",
				  value);
		return false;
	}
	if (!isx_json_string(value, reader->arena, &found)) {
		reader->out_of_memory = true;
		return false;
	}
	/* In the order of pydantic: kind, length, pattern. */
	size_t length = rule ? characters(found) : 0;
	if (rule && length < rule->chars_min) {
		snprintf(msg, sizeof msg, "String should have at least %zu character%s",
			 rule->chars_min, rule->chars_min == 1 ? "" : "s");
		isx_field_problem(reader, "string_too_short", place, msg, value);
		return false;
	}
	if (rule && rule->chars_max && length > rule->chars_max) {
		snprintf(msg, sizeof msg, "String should have at most %zu characters",
			 rule->chars_max);
		isx_field_problem(reader, "string_too_long", place, msg, value);
		return false;
	}
	/* A text goes on as a C string; with a NUL in it another text would be stored than was
	 * sent. */
	bool has_nul = found.len && memchr(found.ptr, '\0', found.len);
	if (has_nul || (rule && !rule->matches(found))) {
		snprintf(msg, sizeof msg, "String should match %s",
			 rule ? rule->expected : "any text without NUL");
		isx_field_problem(reader, "string_pattern_mismatch", place, msg, value);
		return false;
	}
	*text = found.ptr;
	return true;
}

/* Convert a value to a number by pydantic's lax rules, or add the problem that pydantic would. A
 * number is compared as a double, so one of any length is at worst too large for its range. */
static bool number_of(struct isx_reader *reader, struct isx_span value,
		      const struct isx_place *place, double *number)
{
	struct isx_span text;
	switch (isx_json_kind(value)) {
	case ISX_JSON_INT:
	case ISX_JSON_BOOL: /* true is 1 and false 0, as in Python */
	case ISX_JSON_DOUBLE:
		reader->out_of_memory |= !isx_json_number(value, number);
		if (reader->out_of_memory)
			return false;
		if (isfinite(*number) && *number == floor(*number))
			return true;
		/* 1e999 is JSON, and infinite as a double */
		isx_field_problem(reader, isfinite(*number) ? "int_from_float" : "finite_number",
				  place, "Input should be a whole number", value);
		return false;
	case ISX_JSON_STRING:
		reader->out_of_memory |= !isx_json_string(value, reader->arena, &text);
		if (reader->out_of_memory)
			return false;
		if (isx_span_whole(text, number))
			return true;
		isx_field_problem(reader, "int_parsing", place,
				  "Input should be a whole number, unable to parse the string",
				  value);
		return false;
	default:
		isx_field_problem(reader, "int_type", place, "Input should be a whole number",
				  value);
		return false;
	}
}

/* Only after the conversion, so that a range applies to "10" and 10.0 as to 10. */
bool isx_field_uint(struct isx_reader *reader, struct isx_span value, const struct isx_place *place,
		    uint64_t max, uint64_t *number)
{
	double found;
	char msg[96];
	if (!number_of(reader, value, place, &found))
		return false;
	if (found < 0) { /* -0.0 is 0 */
		isx_field_problem(reader, "greater_than_equal", place,
				  "Input should be greater than or equal to 0", value);
		return false;
	}
	if (found > (double)max) {
		snprintf(msg, sizeof msg, "Input should be less than or equal to %llu",
			 (unsigned long long)max);
		isx_field_problem(reader, "less_than_equal", place, msg, value);
		return false;
	}
	/* (double)UINT64_MAX is 2^64: a found 2^64 is not above it, and does not fit. */
	*number = found < 0x1p64 ? (uint64_t)found : UINT64_MAX;
	return true;
}

/* Read a finite number of any size. A text is a number if JSON could have it without the quotes;
 * pydantic also takes "1." and "1_0". */
static bool read_double(struct isx_reader *reader, struct isx_span value,
			const struct isx_place *place, double *found)
{
	bool is_text = isx_json_kind(value) == ISX_JSON_STRING;
	struct isx_span number = value;
	size_t offset;
	if (is_text) {
		reader->out_of_memory |= !isx_json_string(value, reader->arena, &number);
		number = isx_span_trim(number);
		if (isx_json_check(number, &offset, NULL))
			number.len = 0;
	}
	enum isx_json_kind kind = isx_json_kind(number);
	bool is_number = kind == ISX_JSON_INT || kind == ISX_JSON_DOUBLE ||
			 (kind == ISX_JSON_BOOL && !is_text);
	if (!is_number) {
		isx_field_problem(reader, is_text ? "float_parsing" : "float_type", place,
				  is_text ? "Input should be a valid number, unable to parse the "
					    "string as a number"
					  : "Input should be a valid number",
				  value);
		return false;
	}
	reader->out_of_memory |= !isx_json_number(number, found);
	if (reader->out_of_memory)
		return false;
	if (!isfinite(*found)) /* 1e999 */
		isx_field_problem(reader, "finite_number", place, "Input should be a finite number",
				  value);
	return isfinite(*found);
}

/* A number that is out of range is left in *score: the request is refused then. */
bool isx_field_score(struct isx_reader *reader, struct isx_span value,
		     const struct isx_place *place, double *score)
{
	if (!read_double(reader, value, place, score))
		return false;
	if (*score < 0)
		isx_field_problem(reader, "greater_than_equal", place,
				  "Input should be greater than or equal to 0", value);
	else if (*score > 1)
		isx_field_problem(reader, "less_than_equal", place,
				  "Input should be less than or equal to 1", value);
	return *score >= 0 && *score <= 1;
}

/* Left in *number as isx_field_score() leaves it. */
bool isx_field_positive(struct isx_reader *reader, struct isx_span value,
			const struct isx_place *place, double *number)
{
	if (!read_double(reader, value, place, number))
		return false;
	if (!(*number > 0))
		isx_field_problem(reader, "greater_than", place, "Input should be greater than 0",
				  value);
	return *number > 0;
}

bool isx_field_texts(struct isx_reader *reader, struct isx_span value,
		     const struct isx_place *place, const struct isx_text_rule *rule,
		     size_t count_min, size_t count_max, const char *const **texts, size_t *count)
{
	char msg[96];
	if (isx_json_kind(value) != ISX_JSON_ARRAY) {
		isx_field_problem(reader, "list_type", place, "Input should be a valid list",
				  value);
		return false;
	}
	/* Two walks: the first counts, so that the list takes memory for strings alone. An array of
	 * zeros would else take four times its text. */
	struct isx_json_walk walk = isx_json_walk_start(value);
	struct isx_span element;
	size_t length = 0, strings = 0, kept = 0;
	for (; isx_json_next_element(&walk, &element); length++)
		strings += isx_json_kind(element) == ISX_JSON_STRING;
	if (length > count_max) {
		snprintf(msg, sizeof msg, "List should have at most %zu items, not %zu", count_max,
			 length);
		/* without "input": the list is long by definition */
		isx_problem_add(reader->problems, "too_long", place, msg, (struct isx_span){ 0 });
		return false;
	}
	const char **list = isx_arena_alloc(reader->arena, strings, sizeof *list);
	if (!list) {
		reader->out_of_memory = true;
		return false;
	}
	walk = isx_json_walk_start(value);
	for (size_t i = 0; i < length && isx_json_next_element(&walk, &element); i++) {
		struct isx_place at = { .outer = place, .position = i };
		/* `kept` stays below `strings`: a refused string is overwritten by the next one */
		kept += isx_field_text(reader, element, &at, rule, &list[kept]);
	}
	bool good = kept == length;
	/* after the elements, as in pydantic: a list with a wrong element has that problem alone */
	if (good && length < count_min) {
		snprintf(msg, sizeof msg, "List should have at least %zu item%s, not %zu",
			 count_min, count_min == 1 ? "" : "s", length);
		isx_field_problem(reader, "too_short", place, msg, value);
		good = false;
	}
	*texts = list;
	*count = kept;
	return good;
}
