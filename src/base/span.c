/*
 * span.c - trim and cut a span, and read a number, strictly or as pydantic does.
 *
 * strtoull() is not used: it takes blanks, signs and wraps "-1" around, and needs a NUL. Nothing is
 * copied: what is handed out points into the text of the caller, and lives as long.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/span.h"

/* Those of JSON (RFC 8259, 2). isspace() depends on the locale, and knows more of them. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct isx_span isx_span_trim(struct isx_span span)
{
	while (span.len && is_blank(span.ptr[0]))
		span = isx_span_skip(span, 1);
	while (span.len && is_blank(span.ptr[span.len - 1]))
		span.len--;
	return span;
}

/* A separator at the end leaves an empty rest whose ptr is not NULL: "a=" has a value, and "a" has
 * none. */
struct isx_span isx_span_cut(struct isx_span text, char separator, struct isx_span *rest)
{
	const char *at = text.len ? memchr(text.ptr, separator, text.len) : NULL;
	if (!at) {
		*rest = (struct isx_span){ 0 };
		return text;
	}
	struct isx_span before = { text.ptr, (size_t)(at - text.ptr) };
	*rest = (struct isx_span){ at + 1, text.len - before.len - 1 };
	return before;
}

/* The overflow is checked before the comparison with `max`, which may be UINT64_MAX. */
bool isx_span_uint(struct isx_span span, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;
	if (span.len == 0)
		return false;
	for (size_t i = 0; i < span.len; i++) {
		char c = span.ptr[i];
		if (c < '0' || c > '9')
			return false;
		if (__builtin_mul_overflow(sum, 10u, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(c - '0'), &sum) || sum > max)
			return false;
	}
	*value = sum;
	return true;
}

static bool is_digit(char c) /* isdigit() depends on the locale */
{
	return c >= '0' && c <= '9';
}

/* Is the rest empty, or a point and one zero or more? */
static bool is_zero_fraction(struct isx_span span)
{
	if (span.len == 0)
		return true;
	if (span.ptr[0] != '.' || span.len == 1)
		return false;
	for (size_t i = 1; i < span.len; i++)
		if (span.ptr[i] != '0')
			return false;
	return true;
}

/* The sum is a double: it rounds beyond 2^53 and becomes infinite instead of wrapping around. */
bool isx_span_whole(struct isx_span span, double *number)
{
	double sum = 0;
	span = isx_span_trim(span);
	bool is_negative = isx_span_has_prefix(span, "-");
	if (is_negative || isx_span_has_prefix(span, "+"))
		span = isx_span_skip(span, 1);
	/* A digit first, so that "_1" and "+-1" fail, and `ptr[i - 1]` exists. */
	if (span.len == 0 || !is_digit(span.ptr[0]))
		return false;
	size_t i = 0;
	for (; i < span.len; i++) {
		bool is_joint = span.ptr[i] == '_' && is_digit(span.ptr[i - 1]) &&
				i + 1 < span.len && is_digit(span.ptr[i + 1]);
		if (is_digit(span.ptr[i]))
			sum = sum * 10 + (span.ptr[i] - '0');
		else if (!is_joint)
			break;
	}
	if (!is_zero_fraction(isx_span_skip(span, i)))
		return false;
	*number = is_negative ? -sum : sum;
	return true;
}
