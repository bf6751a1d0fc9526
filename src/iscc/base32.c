/*
 * base32.c - base32 and base64.
 *
 * Units are decoded by the million when assets are added, so base32 decodes eight characters to
 * five bytes at a time through a table of all 256 characters, and checks once per eight that all
 * were digits. Only a text that is refused is read again, character by character, to name the wrong
 * one. Pure functions.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/base32.h"

static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum { DIGIT = 0x20 }; /* set in the table for every digit: a digit of value 0 differs from none */
enum { BLOCK_CHARS = 8, BLOCK_BYTES = 5 }; /* the least with whole characters and whole bytes */

/* clang-format off */
#define CAPITALS_AND_FIGURES \
	['A'] = 0x20, ['B'] = 0x21, ['C'] = 0x22, ['D'] = 0x23, ['E'] = 0x24, ['F'] = 0x25, \
	['G'] = 0x26, ['H'] = 0x27, ['I'] = 0x28, ['J'] = 0x29, ['K'] = 0x2A, ['L'] = 0x2B, \
	['M'] = 0x2C, ['N'] = 0x2D, ['O'] = 0x2E, ['P'] = 0x2F, ['Q'] = 0x30, ['R'] = 0x31, \
	['S'] = 0x32, ['T'] = 0x33, ['U'] = 0x34, ['V'] = 0x35, ['W'] = 0x36, ['X'] = 0x37, \
	['Y'] = 0x38, ['Z'] = 0x39, ['2'] = 0x3A, ['3'] = 0x3B, ['4'] = 0x3C, ['5'] = 0x3D, \
	['6'] = 0x3E, ['7'] = 0x3F
#define SMALL_LETTERS \
	['a'] = 0x20, ['b'] = 0x21, ['c'] = 0x22, ['d'] = 0x23, ['e'] = 0x24, ['f'] = 0x25, \
	['g'] = 0x26, ['h'] = 0x27, ['i'] = 0x28, ['j'] = 0x29, ['k'] = 0x2A, ['l'] = 0x2B, \
	['m'] = 0x2C, ['n'] = 0x2D, ['o'] = 0x2E, ['p'] = 0x2F, ['q'] = 0x30, ['r'] = 0x31, \
	['s'] = 0x32, ['t'] = 0x33, ['u'] = 0x34, ['v'] = 0x35, ['w'] = 0x36, ['x'] = 0x37, \
	['y'] = 0x38, ['z'] = 0x39
/* clang-format on */

/* The value of each character that is a digit, with the bit DIGIT; 0 for all others. */
static const uint8_t base32_values[2][256] = {
	[ISX_STRICT] = { CAPITALS_AND_FIGURES },
	[ISX_AS_033] = { CAPITALS_AND_FIGURES, SMALL_LETTERS },
};

static enum isx_status fail_digit(struct isx_err *err, char c, size_t at, const char *expected)
{
	unsigned char byte = (unsigned char)c;
	if (byte > ' ' && byte < 0x7F)
		return isx_fail(err, ISX_INVALID, "character %zu is '%c': expected %s", at, c,
				expected);
	return isx_fail(err, ISX_INVALID, "character %zu is 0x%02X: expected %s", at, byte,
			expected);
}

/* Decode eight characters; false if one of them is not a digit: its table entry clears the bit
 * in `all`. No branch in the loop, which the compiler unrolls. */
static inline bool decode_block(const uint8_t *values, const char *text, uint8_t *bytes)
{
	uint8_t all = DIGIT;
	uint64_t bits = 0;
	for (size_t i = 0; i < BLOCK_CHARS; i++) {
		uint8_t value = values[(unsigned char)text[i]];
		all &= value;
		bits = bits << 5 | (value & 31);
	}
	/* 40 bits, moved to the upper end of 64, are the first 5 bytes of their big-endian form */
	uint8_t big_endian[8];
	isx_store_be64(big_endian, bits << (64 - 8 * BLOCK_BYTES));
	memcpy(bytes, big_endian, BLOCK_BYTES);
	return all;
}

/* Decode the last characters, seven at most.
 *   spare  filled: the unused bits behind the last whole byte, for strict callers to check */
static inline bool decode_tail(const uint8_t *values, struct isx_span text, uint8_t *bytes,
			       uint32_t *spare)
{
	uint8_t all = DIGIT;
	uint64_t bits = 0;
	uint32_t unused = (uint32_t)(text.len * 5 % 8); /* bits of the last digit beyond a byte */
	for (size_t i = 0; i < text.len; i++) {
		uint8_t value = values[(unsigned char)text.ptr[i]];
		all &= value;
		bits = bits << 5 | (value & 31);
	}
	*spare = (uint32_t)bits & ((1u << unused) - 1);
	bits >>= unused;
	for (size_t i = text.len * 5 / 8; i > 0; bits >>= 8)
		bytes[--i] = (uint8_t)bits;
	return all;
}

/* Fail with the first character from `start` on that is not a digit; there is one. */
static enum isx_status fail_base32(struct isx_err *err, struct isx_span text, size_t start,
				   enum isx_strictness strictness)
{
	while (start < text.len && base32_values[strictness][(unsigned char)text.ptr[start]])
		start++;
	return fail_digit(err, text.ptr[start], start, "A to Z or 2 to 7");
}

/* Decode the text from character `start` on; places in messages are counted from the first
 * character, as the caller's text may have a prefix. */
static enum isx_status decode_base32(struct isx_span text, size_t start,
				     enum isx_strictness strictness, uint8_t *bytes, size_t cap,
				     size_t *count, struct isx_err *err)
{
	const uint8_t *values = base32_values[strictness];
	size_t at = start, chars = text.len - start, tail = chars % BLOCK_CHARS, written = 0;
	size_t total = chars / BLOCK_CHARS * BLOCK_BYTES + tail * 5 / 8;
	uint32_t spare = 0;
	/* before anything is written, as texts from outside have any length */
	if (total > cap)
		return isx_fail(err, ISX_INVALID, "%zu characters of base32: expected at most %zu",
				chars, ISX_BASE32_CHARS(cap));
	for (; text.len - at >= BLOCK_CHARS; at += BLOCK_CHARS, written += BLOCK_BYTES)
		if (!decode_block(values, text.ptr + at, bytes + written))
			return fail_base32(err, text, at, strictness);
	if (tail && !decode_tail(values, isx_span_skip(text, at), bytes + written, &spare))
		return fail_base32(err, text, at, strictness);
	/* Of 1, 3 or 6 characters the last adds no byte. Checked behind the digits, so that a text
	 * with a wrong character is reported as such. */
	if (tail == 1 || tail == 3 || tail == 6)
		return isx_fail(err, ISX_INVALID, "%zu characters of base32 are no whole bytes",
				chars);
	if (spare && strictness == ISX_STRICT)
		return isx_fail(err, ISX_INVALID,
				"character %zu is '%c': its last bits are beyond the last byte, "
				"expected zeros",
				text.len - 1, text.ptr[text.len - 1]);
	*count = total;
	return ISX_OK;
}

enum isx_status isx_base32_decode(struct isx_span text, enum isx_strictness strictness,
				  uint8_t *bytes, size_t cap, size_t *count, struct isx_err *err)
{
	return decode_base32(text, 0, strictness, bytes, cap, count, err);
}

enum isx_status isx_base32_decode_iscc(struct isx_span text, enum isx_strictness strictness,
				       uint8_t *bytes, size_t cap, size_t *count,
				       struct isx_err *err)
{
	bool prefixed = isx_span_has_prefix(text, "ISCC:");
	if (!prefixed && strictness == ISX_STRICT)
		return isx_fail(err, ISX_INVALID, "expected 'ISCC:' in front");
	return decode_base32(text, prefixed ? 5 : 0, strictness, bytes, cap, count, err);
}

void isx_base32_encode(const uint8_t *bytes, size_t count, char *text)
{
	uint64_t held =
		0; /* its lowest `bits` bits are not written yet; older bits are shifted out */
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

enum { NO_BASE64_DIGIT = 0x80 }; /* above every value */

/* The value of a digit of base64 or base64url: read as one alphabet, as no character differs
 * between them. Simprints are few beside units, so a table is not worth its 256 bytes. */
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
	return c == '_' || c == '/' ? 63 : NO_BASE64_DIGIT;
}

enum isx_status isx_base64_decode(struct isx_span text, uint8_t *bytes, size_t cap, size_t *count,
				  struct isx_err *err)
{
	size_t written = 0, padding = 0;
	uint32_t held = 0, bits = 0; /* as in isx_base32_encode() */
	while (padding < 2 && text.len && text.ptr[text.len - 1] == '=') {
		text.len--;
		padding++;
	}
	if (text.len % 4 == 1) /* its 6 bits make no byte */
		return isx_fail(err, ISX_INVALID, "%zu characters of base64 are no whole bytes",
				text.len);
	if (text.len / 4 * 3 + text.len % 4 * 3 / 4 > cap)
		return isx_fail(err, ISX_INVALID,
				"%zu characters of base64: expected at most %zu bytes", text.len,
				cap);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t value = base64_value(text.ptr[i]);
		if (value == NO_BASE64_DIGIT)
			return fail_digit(err, text.ptr[i], i, "a digit of base64");
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
