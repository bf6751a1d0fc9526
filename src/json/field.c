/*
 * field.c - the readers of single fields.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/field.h"

#include <math.h>
#include <stdio.h>

void isx_field_problem(struct isx_reader *reader, const char *type, const struct isx_place *place,
		       const char *msg, struct isx_json *value)
{
	isx_problem_add(reader->problems, type, place, msg, isx_json_source(value));
}

static size_t characters(struct isx_span text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.len; i++)
		count += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
	return count;
}

bool isx_field_text(struct isx_reader *reader, struct isx_json *value,
		    const struct isx_place *place, const struct isx_text_rule *rule,
		    const char **text)
{
	char msg[160];
	struct isx_span found = isx_json_string(value);
	if (isx_json_kind(value) != ISX_JSON_STRING) {
		isx_field_problem(reader, "string_type", place, "Input should be a valid string",
				  value);
		return false;
	}
	size_t length = rule ? characters(found) : 0;
	if (rule && length < rule->least) {
		snprintf(msg, sizeof msg, "String should have at least %zu character%s",
			 rule->least, rule->least == 1 ? "" : "s");
		isx_field_problem(reader, "string_too_short", place, msg, value);
		return false;
	}
	if (rule && rule->most && length > rule->most) {
		snprintf(msg, sizeof msg, "String should have at most %zu characters", rule->most);
		isx_field_problem(reader, "string_too_long", place, msg, value);
		return false;
	}
	bool has_nul = found.len && memchr(found.ptr, '\0', found.len);
	if (has_nul || (rule && !rule->matches(found))) {
		snprintf(msg, sizeof msg, "String should match %s",
			 rule ? rule->expected : "any text without NUL");
		isx_field_problem(reader, "string_pattern_mismatch", place, msg, value);
		return false;
	}
	*text = isx_arena_text(reader->arena, found.ptr, found.len);
	if (!*text)
		reader->out_of_memory = true;
	return *text != NULL;
}

/* The number that a text spells: blanks around, a sign, single underscores between digits, and a
 * fraction of zeros are all right. */
static bool number_of_text(struct isx_span text, double *number)
{
	double sum = 0;
	bool negative = false, digit_before = false;
	text = isx_span_trim(text);
	if (text.len && (text.ptr[0] == '+' || text.ptr[0] == '-')) {
		negative = text.ptr[0] == '-';
		text = isx_span_skip(text, 1);
	}
	size_t i = 0;
	for (; i < text.len && text.ptr[i] != '.'; i++) {
		char c = text.ptr[i];
		if (c == '_' ? !digit_before : c < '0' || c > '9')
			return false;
		digit_before = c != '_';
		if (digit_before)
			sum = sum * 10 + (c - '0');
	}
	if (!digit_before)
		return false;
	for (size_t k = i + 1; k < text.len; k++)
		if (text.ptr[k] != '0')
			return false;
	if (i < text.len && i + 1 == text.len)
		return false;
	*number = negative ? -sum : sum;
	return true;
}

bool isx_field_uint(struct isx_reader *reader, struct isx_json *value,
		    const struct isx_place *place, uint64_t most, uint64_t *number)
{
	double found = 0;
	char msg[96];
	switch (isx_json_kind(value)) {
	case ISX_JSON_INT:
	case ISX_JSON_BOOL:
		found = (double)isx_json_int(value);
		break;
	case ISX_JSON_DOUBLE:
		found = isx_json_number(value);
		if (!isfinite(found) || found != floor(found)) {
			isx_field_problem(reader,
					  isfinite(found) ? "int_from_float" : "finite_number",
					  place, "Input should be a whole number", value);
			return false;
		}
		break;
	case ISX_JSON_STRING:
		if (!number_of_text(isx_json_string(value), &found)) {
			isx_field_problem(
				reader, "int_parsing", place,
				"Input should be a whole number, unable to parse the string",
				value);
			return false;
		}
		break;
	default:
		isx_field_problem(reader, "int_type", place, "Input should be a whole number",
				  value);
		return false;
	}
	if (found < 0) {
		isx_field_problem(reader, "greater_than_equal", place,
				  "Input should be greater than or equal to 0", value);
		return false;
	}
	if (found > (double)most) {
		snprintf(msg, sizeof msg, "Input should be less than or equal to %llu",
			 (unsigned long long)most);
		isx_field_problem(reader, "less_than_equal", place, msg, value);
		return false;
	}
	*number = (uint64_t)found;
	return true;
}

bool isx_field_texts(struct isx_reader *reader, struct isx_json *value,
		     const struct isx_place *place, const struct isx_text_rule *rule, size_t least,
		     size_t most, const char *const **texts, size_t *count)
{
	char msg[96];
	if (isx_json_kind(value) != ISX_JSON_ARRAY) {
		isx_field_problem(reader, "list_type", place, "Input should be a valid list",
				  value);
		return false;
	}
	size_t length = isx_json_length(value);
	if (length > most) {
		snprintf(msg, sizeof msg, "List should have at most %zu items, not %zu", most,
			 length);
		isx_problem_add(reader->problems, "too_long", place, msg, (struct isx_span){ 0 });
		return false;
	}
	const char **list = isx_arena_alloc(reader->arena, length, sizeof *list);
	if (!list) {
		reader->out_of_memory = true;
		return false;
	}
	bool good = true;
	for (size_t i = 0; i < length; i++) {
		struct isx_place at = { .outer = place, .position = i };
		good &= isx_field_text(reader, isx_json_at(value, i), &at, rule, &list[i]);
	}
	if (good && length < least) {
		snprintf(msg, sizeof msg, "List should have at least %zu item%s, not %zu", least,
			 least == 1 ? "" : "s", length);
		isx_field_problem(reader, "too_short", place, msg, value);
		good = false;
	}
	*texts = list;
	*count = length;
	return good;
}
