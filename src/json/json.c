/*
 * json.c - decode values in place.
 *
 * Relies on isx_json_check(): an escape is whole, a number is well-formed, UTF-8 is valid.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/json.h"

#include <stdlib.h>

/* By form and not by value, as pydantic tells an int from a float. */
static enum isx_json_kind number_kind(struct isx_span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] == '.' || value.ptr[i] == 'e' || value.ptr[i] == 'E')
			return ISX_JSON_DOUBLE;
	return ISX_JSON_INT;
}

enum isx_json_kind isx_json_kind(struct isx_span value)
{
	switch (value.len ? value.ptr[0] : 'n') { /* a missing value is like null */
	case 'n':
		return ISX_JSON_NULL;
	case 't':
	case 'f':
		return ISX_JSON_BOOL;
	case '"':
		return ISX_JSON_STRING;
	case '[':
		return ISX_JSON_ARRAY;
	case '{':
		return ISX_JSON_OBJECT;
	default:
		return number_kind(value);
	}
}

/* Decode the text between the quotes of a string; NULL when memory ran out. The arena's memory
 * is zeroed, so the NUL is there. */
static char *read_text(struct isx_span raw, struct isx_arena *arena, size_t *len)
{
	char *text = isx_arena_bytes(arena, raw.len + 1);
	struct isx_buf buf = { .ptr = text, .cap = raw.len }; /* never grows: no escape is
								 shorter than its character */
	if (text)
		isx_json_unescape(&buf, raw);
	*len = buf.len;
	return text;
}

bool isx_json_string(struct isx_span value, struct isx_arena *arena, struct isx_span *text)
{
	*text = (struct isx_span){ 0 };
	if (isx_json_kind(value) != ISX_JSON_STRING)
		return true;
	text->ptr = read_text((struct isx_span){ value.ptr + 1, value.len - 2 }, arena, &text->len);
	return text->ptr;
}

/* Two names that differ in NUL and U+0001 alone become one: neither is a name that is stored. */
const char *isx_json_name(struct isx_span key, struct isx_arena *arena)
{
	size_t len;
	char *name = read_text(key, arena, &len);
	for (size_t i = 0; name && i < len; i++)
		if (!name[i])
			name[i] = '\1';
	return name;
}

int64_t isx_json_int(struct isx_span value)
{
	/* callers check ranges afterwards; clamping keeps a number of any length out of them */
	bool negative = value.len && value.ptr[0] == '-';
	int64_t sum = 0;
	if (isx_json_kind(value) == ISX_JSON_BOOL)
		return value.ptr[0] == 't';
	if (isx_json_kind(value) != ISX_JSON_INT)
		return 0;
	for (size_t i = negative; i < value.len; i++) {
		int64_t digit = value.ptr[i] - '0';
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_sub_overflow(sum, digit,
					   &sum)) /* negative, as INT64_MIN has no positive */
			return negative ? INT64_MIN : INT64_MAX;
	}
	return negative ? sum : sum == INT64_MIN ? INT64_MAX : -sum;
}

bool isx_json_number(struct isx_span value, double *number)
{
	char few[64], *many = NULL; /* strtod() needs a NUL behind the number */
	if (isx_json_kind(value) != ISX_JSON_DOUBLE) {
		*number = (double)isx_json_int(value);
		return true;
	}
	if (value.len >= sizeof few) {
		many = isx_mem_text(value.ptr, value.len);
		if (!many)
			return false;
	} else {
		memcpy(few, value.ptr, value.len);
		few[value.len] = '\0';
	}
	*number = strtod(many ? many : few, NULL);
	isx_mem_free(many);
	return true;
}

/* Walks the whole array, as nothing about it is kept. */
size_t isx_json_length(struct isx_span array)
{
	struct isx_json_walk walk = isx_json_walk_start(array);
	struct isx_span element;
	size_t count = 0;
	if (isx_json_kind(array) != ISX_JSON_ARRAY)
		return 0;
	while (isx_json_next_element(&walk, &element))
		count++;
	return count;
}
