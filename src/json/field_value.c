/*
 * field_value.c - write the keys of values, and find the values of a field.
 *
 * A number is 0.D1D2D3... * 10^E with D1 other than 0. Its key has, behind the kind, the sign (0 below
 * zero, 1 zero, 2 above), E in four bytes with 2^31 added, and two digits in each byte. Below zero all
 * of these bytes but the sign are inverted, and 0xFF stands behind them: -1 is more than -1.01, whose
 * digits begin with those of -1. So memcmp() compares values of any length exactly, which no double
 * could. Costs one pass over the text of the value. Must not know filters or tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/field_value.h"

#include "json/json.h"
#include "json/pointer.h"

#define EXPONENT_MAX 1000000000 /* with the digits of the longest text still within 32 bits */

enum { BELOW_ZERO, ZERO, ABOVE_ZERO };

/* A number as its text spells it. */
struct decimal {
	bool is_negative;
	const char *digits; /* from the first one that is not 0, with a point among them or not */
	size_t count;       /* digits up to the last one that is not 0; 0: the number is 0 */
	int64_t exponent;
};

/* Read the exponent behind "e", of any length. */
static int64_t read_exponent(const char *p, const char *end)
{
	int64_t exponent = 0;
	bool is_negative = p < end && *p == '-';
	for (p += p < end && (*p == '-' || *p == '+'); p < end; p++)
		if (exponent < EXPONENT_MAX)
			exponent = exponent * 10 + (*p - '0');
	if (exponent > EXPONENT_MAX)
		exponent = EXPONENT_MAX;
	return is_negative ? -exponent : exponent;
}

/* Find the digits that count, and where the point is. */
static struct decimal read_decimal(struct isx_span text)
{
	const char *end = text.ptr + text.len, *p = text.ptr;
	struct decimal number = { .is_negative = *p == '-' };
	bool is_fraction = false;
	size_t digits = 0; /* from the first one that is not 0 */
	for (p += number.is_negative; p < end && *p != 'e' && *p != 'E'; p++) {
		if (*p == '.') {
			is_fraction = true;
			continue;
		}
		if (!digits && *p == '0') {
			number.exponent -= is_fraction; /* 0.001 is 0.1 * 10^-2 */
			continue;
		}
		if (!digits)
			number.digits = p;
		digits++;
		number.exponent += !is_fraction;
		if (*p != '0')
			number.count = digits;
	}
	if (p < end)
		number.exponent += read_exponent(p + 1, end);
	return number;
}

/* Append the digits, two in each byte; a last one that is alone is followed by 0, which changes nothing
 * behind the point. */
static void add_digits(struct isx_buf *key, const struct decimal *number, uint8_t inverted)
{
	uint8_t pair = 0;
	const char *p = number->digits;
	for (size_t i = 0; i < number->count; p++) {
		if (*p == '.')
			continue;
		uint8_t digit = (uint8_t)(*p - '0');
		if (i++ % 2 == 0)
			pair = (uint8_t)(digit * 10);
		else
			isx_buf_char(key, (char)((pair + digit) ^ inverted));
	}
	if (number->count % 2)
		isx_buf_char(key, (char)(pair ^ inverted));
}

static void add_number(struct isx_buf *key, struct isx_span text)
{
	struct decimal number = read_decimal(text);
	uint8_t inverted = number.is_negative ? 0xFF : 0, exponent[4];
	isx_buf_char(key, ISX_VALUE_NUMBER);
	if (!number.count) {
		isx_buf_char(key, ZERO);
		return;
	}
	isx_buf_char(key, number.is_negative ? BELOW_ZERO : ABOVE_ZERO);
	isx_store_be32(exponent, (uint32_t)(number.exponent + INT32_MAX + 1));
	for (size_t i = 0; i < sizeof exponent; i++)
		isx_buf_char(key, (char)(exponent[i] ^ inverted));
	add_digits(key, &number, inverted);
	if (number.is_negative)
		isx_buf_char(key, (char)0xFF);
}

void isx_value_key(struct isx_buf *key, struct isx_span value)
{
	switch (isx_json_kind(value)) {
	case ISX_JSON_NULL:
		isx_buf_char(key, ISX_VALUE_NULL);
		return;
	case ISX_JSON_BOOL:
		isx_buf_char(key, value.ptr[0] == 't' ? ISX_VALUE_TRUE : ISX_VALUE_FALSE);
		return;
	case ISX_JSON_INT:
	case ISX_JSON_DOUBLE:
		add_number(key, value);
		return;
	case ISX_JSON_STRING:
		isx_buf_char(key, ISX_VALUE_STRING);
		isx_json_unescape(key, (struct isx_span){ value.ptr + 1, value.len - 2 });
		return;
	default:
		isx_buf_char(key, ISX_VALUE_OTHER);
	}
}

int isx_value_compare(struct isx_span a, struct isx_span b)
{
	int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len); /* neither is empty */
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* --- a key as JSON ---------------------------------------------------------------------------- */

/* Append `count` digits of a key, from the digit `at` on. */
static void print_digits(struct isx_buf *json, struct isx_span pairs, uint8_t inverted, size_t at,
			 size_t count)
{
	for (; count > 0; at++, count--) {
		uint8_t pair = at / 2 < pairs.len ? (uint8_t)pairs.ptr[at / 2] ^ inverted : 0;
		isx_buf_char(json, (char)('0' + (at % 2 ? pair : pair / 10) % 10));
	}
}

/* As people write numbers: without an exponent as long as no more than twenty zeros are in it. */
static void print_number(struct isx_buf *json, struct isx_span key)
{
	enum { ZEROS_MAX = 20, HEAD = 6 }; /* kind, sign and four bytes of the exponent */
	if (key.len < 2)                   /* damaged on disk: the keys of tables are read, too */
		return isx_buf_text(json, "0");
	uint8_t inverted = key.ptr[1] == BELOW_ZERO ? 0xFF : 0;
	struct isx_span pairs = isx_span_skip(key, HEAD);
	/* Without a first digit it is 0, or damaged. */
	if (key.len <= HEAD + (inverted != 0) ||
	    ((uint8_t)pairs.ptr[0] ^ inverted) / 10 % 10 == 0) {
		isx_buf_char(json, '0');
		return;
	}
	int64_t exponent = (int64_t)(isx_load_be32(key.ptr + 2) ^ (inverted ? UINT32_MAX : 0)) -
			   INT32_MAX - 1;
	pairs.len -= inverted ? 1 : 0;
	size_t count = pairs.len * 2;
	count -= ((uint8_t)pairs.ptr[pairs.len - 1] ^ inverted) % 10 == 0;
	isx_buf_text(json, inverted ? "-" : "");
	if (exponent > 0 && exponent <= (int64_t)count + ZEROS_MAX) {
		size_t whole = (size_t)exponent;
		print_digits(json, pairs, inverted, 0, whole);
		isx_buf_text(json, whole < count ? "." : "");
		print_digits(json, pairs, inverted, whole, whole < count ? count - whole : 0);
	} else if (exponent <= 0 && exponent > -ZEROS_MAX) {
		isx_buf_text(json, "0.");
		for (int64_t i = exponent; i < 0; i++)
			isx_buf_char(json, '0');
		print_digits(json, pairs, inverted, 0, count);
	} else {
		print_digits(json, pairs, inverted, 0, 1);
		isx_buf_text(json, count > 1 ? "." : "");
		print_digits(json, pairs, inverted, 1, count - 1);
		isx_buf_printf(json, "e%lld", (long long)exponent - 1);
	}
}

void isx_value_to_json(struct isx_buf *json, struct isx_span key)
{
	switch ((enum isx_value_kind)key.ptr[0]) {
	case ISX_VALUE_FALSE:
		isx_buf_text(json, "false");
		return;
	case ISX_VALUE_TRUE:
		isx_buf_text(json, "true");
		return;
	case ISX_VALUE_NUMBER:
		print_number(json, key);
		return;
	case ISX_VALUE_STRING:
		isx_json_quote(json, isx_span_skip(key, 1));
		return;
	case ISX_VALUE_OTHER:
	case ISX_VALUE_NULL:
		break;
	}
	isx_buf_text(json, "null");
}

/* --- the values of a field -------------------------------------------------------------------- */

/* An empty array is a value of its own, of the kind OTHER: the field is present. */
struct isx_field_walk isx_field_walk_start(struct isx_span metadata, const char *pointer)
{
	struct isx_field_walk walk = { .single = isx_pointer_find(metadata, pointer) };
	if (isx_json_kind(walk.single) != ISX_JSON_ARRAY)
		return walk;
	walk.elements = isx_json_walk_start(walk.single);
	struct isx_json_walk look = walk.elements;
	struct isx_span element;
	if (isx_json_next_element(&look, &element))
		walk.single = (struct isx_span){ 0 };
	return walk;
}

bool isx_field_walk_next(struct isx_field_walk *walk, struct isx_buf *key)
{
	struct isx_span value = walk->single;
	walk->single = (struct isx_span){ 0 };
	if (!value.len && !isx_json_next_element(&walk->elements, &value))
		return false;
	isx_buf_clear(key);
	isx_value_key(key, value);
	return true;
}
