/*
 * span.h - a borrowed piece of text or bytes: pointer and length, no NUL.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SPAN_H
#define ISX_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct isx_span {
	const char *ptr; /* may be NULL when len is 0 */
	size_t len;
};

/* The span of a terminated text; NULL gives an empty one. */
static inline struct isx_span isx_span_of(const char *text)
{
	return (struct isx_span){ text, text ? strlen(text) : 0 };
}

static inline bool isx_span_is(struct isx_span span, const char *text)
{
	return span.len == strlen(text) && (span.len == 0 || memcmp(span.ptr, text, span.len) == 0);
}

static inline bool isx_span_has_prefix(struct isx_span span, const char *prefix)
{
	size_t len = strlen(prefix);
	return span.len >= len && memcmp(span.ptr, prefix, len) == 0;
}

/* The span without its first `count` bytes; empty when it has no more than that. */
static inline struct isx_span isx_span_skip(struct isx_span span, size_t count)
{
	if (count > span.len)
		count = span.len;
	return (struct isx_span){ span.len ? span.ptr + count : span.ptr, span.len - count };
}

/* The span without spaces, tabs and line ends at both ends: the blanks of JSON. */
struct isx_span isx_span_trim(struct isx_span span);

/* Cut `text` at the first `separator`: what stands before it is returned, *rest is what follows;
 * its ptr is NULL when there is no separator. */
struct isx_span isx_span_cut(struct isx_span text, char separator, struct isx_span *rest);

/* Read a whole number, 0 to `max`: decimal digits and nothing else. False leaves *value alone. */
bool isx_span_uint(struct isx_span span, uint64_t max, uint64_t *value);

/* Read a whole number as pydantic does, which 0.3.3 uses for JSON, URLs and settings: blanks around
 * it, a sign, leading zeros, single underscores between digits, and a fraction of zeros are allowed
 * ("+1_000.00"); an exponent is not. A longer number than a double can hold is infinite: the caller
 * compares with a range in any case. False leaves *number alone.
 *   number  filled: exact up to 2^53 */
bool isx_span_whole(struct isx_span span, double *number);

/* Numbers on disk and wire are big-endian, at any alignment: keys of LMDB then sort as numbers
 * do. */
static inline uint64_t isx_load_be64(const void *bytes)
{
	uint64_t value;
	memcpy(&value, bytes, sizeof value);
	return __builtin_bswap64(value);
}

static inline void isx_store_be64(void *bytes, uint64_t value)
{
	value = __builtin_bswap64(value);
	memcpy(bytes, &value, sizeof value);
}

static inline uint32_t isx_load_be32(const void *bytes)
{
	uint32_t value;
	memcpy(&value, bytes, sizeof value);
	return __builtin_bswap32(value);
}

static inline void isx_store_be32(void *bytes, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(bytes, &value, sizeof value);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the byte swaps above are for little-endian machines");

#endif
