/*
 * base32.c - base32 and base64.
 *
 * Units arrive by the million, so base32 goes eight characters to five bytes through a table.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/base32.h"

static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum { NO_DIGIT = 0x80 };

/* The value of each character + 1, so that zero means none; upper case. */
static const uint8_t base32_values[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
	['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['2'] = 27, ['3'] = 28,
	['4'] = 29, ['5'] = 30, ['6'] = 31, ['7'] = 32,
};

static uint8_t base32_value(char c, enum isx_strictness strictness)
{
	if (strictness == ISX_AS_033 && c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	return (uint8_t)(base32_values[(unsigned char)c] - 1); /* none: 255 */
}

static enum isx_status fail_digit(struct isx_err *err, struct isx_span text, size_t at,
				  const char *expected)
{
	unsigned char c = (unsigned char)text.ptr[at];
	if (c > ' ' && c < 0x7F)
		return isx_fail(err, ISX_INVALID, "character %zu is '%c': expected %s", at, c,
				expected);
	return isx_fail(err, ISX_INVALID, "character %zu is 0x%02X: expected %s", at, c, expected);
}

enum isx_status isx_base32_decode(struct isx_span text, enum isx_strictness strictness,
				  uint8_t *bytes, size_t cap, size_t *count, struct isx_err *err)
{
	size_t written = 0, tail = text.len % 8;
	uint64_t held = 0;
	uint32_t bits = 0;
	if (tail == 1 || tail == 3 || tail == 6)
		return isx_fail(err, ISX_INVALID, "%zu characters of base32 are no whole bytes",
				text.len);
	if (text.len / 8 * 5 + tail * 5 / 8 > cap)
		return isx_fail(err, ISX_INVALID, "%zu characters of base32: expected at most %zu",
				text.len, ISX_BASE32_CHARS(cap));
	for (size_t i = 0; i < text.len; i++) {
		uint8_t value = base32_value(text.ptr[i], strictness);
		if (value >= 32)
			return fail_digit(err, text, i, "A to Z or 2 to 7");
		held = held << 5 | value;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			bytes[written++] = (uint8_t)(held >> bits);
		}
	}
	if (strictness == ISX_STRICT && (held & ((1u << bits) - 1)))
		return isx_fail(err, ISX_INVALID, "character %zu has bits beyond the last byte",
				text.len - 1);
	*count = written;
	return ISX_OK;
}

void isx_base32_encode(const uint8_t *bytes, size_t count, char *text)
{
	uint64_t held = 0;
	uint32_t bits = 0;
	for (size_t i = 0; i < count; i++) {
		held = held << 8 | bytes[i];
		for (bits += 8; bits >= 5; *text++ = base32_digits[held >> bits & 31])
			bits -= 5;
	}
	if (bits)
		*text++ = base32_digits[held << (5 - bits) & 31];
	*text = '\0';
}

static uint8_t base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint8_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0' + 52);
	if (c == '-' || c == '+')
		return 62;
	return c == '_' || c == '/' ? 63 : NO_DIGIT;
}

enum isx_status isx_base64_decode(struct isx_span text, uint8_t *bytes, size_t cap, size_t *count,
				  struct isx_err *err)
{
	size_t written = 0, padding = 0;
	uint32_t held = 0, bits = 0;
	while (padding < 2 && text.len && text.ptr[text.len - 1] == '=') {
		text.len--;
		padding++;
	}
	if (text.len % 4 == 1)
		return isx_fail(err, ISX_INVALID, "%zu characters of base64 are no whole bytes",
				text.len);
	if (text.len / 4 * 3 + text.len % 4 * 3 / 4 > cap)
		return isx_fail(err, ISX_INVALID,
				"%zu characters of base64: expected at most %zu bytes", text.len,
				cap);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t value = base64_value(text.ptr[i]);
		if (value == NO_DIGIT)
			return fail_digit(err, text, i, "base64");
		held = held << 6 | value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[written++] = (uint8_t)(held >> bits);
		}
	}
	*count = written;
	return ISX_OK;
}

void isx_base64_encode(const uint8_t *bytes, size_t count, char *text)
{
	uint32_t held = 0, bits = 0;
	for (size_t i = 0; i < count; i++) {
		held = held << 8 | bytes[i];
		for (bits += 8; bits >= 6; *text++ = base64_digits[held >> bits & 63])
			bits -= 6;
	}
	if (bits)
		*text++ = base64_digits[held << (6 - bits) & 63];
	*text = '\0';
}
