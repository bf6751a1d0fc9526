/*
 * span.c - trim a span, and read a number strictly.
 *
 * strtoull() is not used: it takes blanks, signs and wraps "-1" around, and needs a NUL.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/span.h"

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
