/*
 * multibase.c - multibase text: a letter for the base, then the multicodec of ISCC and the digest,
 *               coded in that base.
 *
 * The digits of base16, base32, base32hex and base64url are groups of bits; base58 codes the digest
 * as one big number. For texts of users (command line, iscc.h), so it is written for clear messages
 * and not for speed; base32.c decodes assets. Pure functions, no memory but the stack.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/multibase.h"

#include "iscc/base32.h"

#include <strings.h>

/* Far above any ISCC, of which the longest takes 44 bytes: they bound the stack, and the
 * quadratic work of base58. */
enum { CODEC_BYTES = 2, DIGITS_MAX = 1200, BYTES_MAX = 600 };

static const uint8_t codec[CODEC_BYTES] = { 0xCC, 0x01 }; /* 0xCC as an unsigned varint */

/* The bases whose digits are groups of bits. */
static const struct bit_base {
	char letter;   /* in front of the text, by the multibase standard */
	uint32_t bits; /* of a digit */
	const char *name;
	const char *digits;
} bit_bases[] = {
	{ 'f', 4, "base16", "0123456789abcdef" },
	{ 'b', 5, "base32", "abcdefghijklmnopqrstuvwxyz234567" },
	{ 'v', 5, "base32hex", "0123456789abcdefghijklmnopqrstuv" },
	{ 'u', 6, "base64url", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" },
};
static const char base58_digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

static const struct bit_base *find_bit_base(char letter)
{
	for (size_t i = 0; i < sizeof bit_bases / sizeof bit_bases[0]; i++)
		if (bit_bases[i].letter == letter)
			return &bit_bases[i];
	return NULL;
}

/* The value of a digit, or -1. Bases without upper-case digits take either case. */
static int digit_value(const struct bit_base *base, char c)
{
	if (base->bits < 6 && c >= 'A' && c <= 'Z')
		c = (char)(c - 'A' + 'a');
	const char *found = c ? strchr(base->digits, c) : NULL;
	return found ? (int)(found - base->digits) : -1;
}

/* Fail because the character at `at` of `text` is not a digit of the base. */
static enum isx_status fail_digit(struct isx_err *err, struct isx_span text, size_t at,
				  const char *base)
{
	unsigned char c = (unsigned char)text.ptr[at];
	if (c > ' ' && c < 0x7F)
		return isx_fail(err, ISX_INVALID, "character %zu is '%c': expected a digit of %s",
				at, c, base);
	return isx_fail(err, ISX_INVALID, "character %zu is 0x%02X: expected a digit of %s", at, c,
			base);
}

/* Decode the digits of `text` from `start` on: `bytes` has room, as no base makes more bytes
 * than digits. */
static enum isx_status decode_bits(const struct bit_base *base, struct isx_span text, size_t start,
				   uint8_t *bytes, size_t *count, struct isx_err *err)
{
	uint32_t held = 0, bits = 0;
	size_t written = 0;
	for (size_t i = start; i < text.len; i++) {
		int value = digit_value(base, text.ptr[i]);
		if (value < 0)
			return fail_digit(err, text, i, base->name);
		held = held << base->bits | (uint32_t)value;
		bits += base->bits; /* at most 13 bits are held back: `held` does not overflow */
		if (bits >= 8) {
			bits -= 8;
			bytes[written++] = (uint8_t)(held >> bits);
		}
	}
	/* a whole digit too many, or unused bits that are not 0: no encoder writes either */
	if (bits >= base->bits || (held & ((1u << bits) - 1)))
		return isx_fail(err, ISX_INVALID, "%zu digits of %s are no whole bytes",
				text.len - start, base->name);
	*count = written;
	return ISX_OK;
}

/* Read a number in base 58: multiply by 58 and add, digit by digit. Each leading 1 (the digit 0)
 * stands for a zero byte. The caller has checked that the text has at most BYTES_MAX digits,
 * each of which adds less than a byte. */
static enum isx_status decode_base58(struct isx_span text, size_t start, uint8_t *bytes,
				     size_t *count, struct isx_err *err)
{
	uint8_t number[BYTES_MAX] = { 0 };
	size_t used = 0, zeros = 0;
	while (start + zeros < text.len && text.ptr[start + zeros] == '1')
		zeros++;
	for (size_t i = start + zeros; i < text.len; i++) {
		const char *found = text.ptr[i] ? strchr(base58_digits, text.ptr[i]) : NULL;
		if (!found)
			return fail_digit(err, text, i, "base58");
		uint32_t carry = (uint32_t)(found - base58_digits);
		for (size_t k = 0; k < used; k++) { /* number[0] is the lowest byte */
			carry += 58u * number[k];
			number[k] = (uint8_t)carry;
			carry >>= 8;
		}
		if (carry)
			number[used++] = (uint8_t)carry;
	}
	memset(bytes, 0, zeros);
	for (size_t k = 0; k < used; k++)
		bytes[zeros + k] = number[used - 1 - k];
	*count = zeros + used;
	return ISX_OK;
}

/* Decode a multibase text, whose character at `start` names the base, and remove the multicodec. */
static enum isx_status decode_multiformat(struct isx_span text, size_t start, uint8_t *bytes,
					  size_t cap, size_t *count, struct isx_err *err)
{
	uint8_t raw[DIGITS_MAX];
	const struct bit_base *base = find_bit_base(text.ptr[start]);
	size_t raw_count = 0, digits = text.len - start - 1;
	if (digits > (base ? DIGITS_MAX : BYTES_MAX))
		return isx_fail(err, ISX_INVALID, "%zu characters: longer than any ISCC", digits);
	enum isx_status st = base ? decode_bits(base, text, start + 1, raw, &raw_count, err)
				  : decode_base58(text, start + 1, raw, &raw_count, err);
	if (st)
		return st;
	if (raw_count < CODEC_BYTES || memcmp(raw, codec, CODEC_BYTES) != 0)
		return isx_fail(
			err, ISX_INVALID,
			"a multibase text that does not begin with the ISCC multicodec CC 01");
	if (raw_count - CODEC_BYTES > cap)
		return isx_fail(err, ISX_INVALID, "%zu bytes: expected at most %zu",
				raw_count - CODEC_BYTES, cap);
	*count = raw_count - CODEC_BYTES;
	memcpy(bytes, raw + CODEC_BYTES, *count);
	return ISX_OK;
}

/* Decode `text` from `start` on: base32 of either case, with hyphens anywhere. Characters are
 * checked here and not by isx_base32_decode(), which would count places without the hyphens. */
static enum isx_status decode_hyphened(struct isx_span text, size_t start, uint8_t *bytes,
				       size_t cap, size_t *count, struct isx_err *err)
{
	char plain[DIGITS_MAX];
	size_t len = 0;
	if (text.len - start > sizeof plain)
		return isx_fail(err, ISX_INVALID, "%zu characters: longer than any ISCC",
				text.len - start);
	for (size_t i = start; i < text.len; i++) {
		if (text.ptr[i] == '-')
			continue;
		if (digit_value(find_bit_base('b'), text.ptr[i]) < 0)
			return fail_digit(err, text, i, "base32");
		plain[len++] = text.ptr[i];
	}
	return isx_base32_decode((struct isx_span){ plain, len }, ISX_AS_033, bytes, cap, count,
				 err);
}

enum isx_status isx_multibase_decode(struct isx_span text, uint8_t *bytes, size_t cap,
				     size_t *count, struct isx_err *err)
{
	struct isx_span inner = isx_span_trim(text);
	if (inner.len == 0)
		return isx_fail(err, ISX_INVALID, "an empty text: expected an ISCC");
	/* the blanks in front stay, so that places are those of the caller's text */
	size_t start = (size_t)(inner.ptr - text.ptr);
	text.len = start + inner.len;
	enum isx_status st;
	if (inner.len >= 5 && strncasecmp(inner.ptr, "ISCC:", 5) == 0)
		st = decode_hyphened(text, start + 5, bytes, cap, count, err);
	/* As the first character of base32, each of these letters would begin a main type or a
	 * subtype above 7, which do not exist: there is no ambiguity. */
	else if (memchr("fbvzu", inner.ptr[0], 5))
		st = decode_multiformat(text, start, bytes, cap, count, err);
	else
		st = decode_hyphened(text, start, bytes, cap, count, err);
	if (!st && *count == 0)
		st = isx_fail(err, ISX_INVALID, "nothing follows the prefix: expected an ISCC");
	return st;
}

/* The last digit is filled up with zeros; returns the digits written. No padding: multibase has
 * none. */
static size_t encode_bits(const struct bit_base *base, const uint8_t *bytes, size_t count,
			  char *text)
{
	uint32_t held = 0, bits = 0, mask = (1u << base->bits) - 1;
	size_t written = 0;
	for (size_t i = 0; i < count; i++) {
		held = held << 8 | bytes[i];
		for (bits += 8; bits >= base->bits;
		     text[written++] = base->digits[held >> bits & mask])
			bits -= base->bits;
	}
	if (bits)
		text[written++] = base->digits[held << (base->bits - bits) & mask];
	return written;
}

/* Write a number in base 58, the reverse of decode_base58(): returns the digits written. */
static size_t encode_base58(const uint8_t *bytes, size_t count, char *text)
{
	uint8_t digits[DIGITS_MAX] = { 0 };
	size_t used = 0, zeros = 0;
	while (zeros < count && bytes[zeros] == 0)
		zeros++;
	for (size_t i = zeros; i < count; i++) {
		uint32_t carry = bytes[i];
		for (size_t k = 0; k < used; k++) { /* digits[0] is the lowest */
			carry += 256u * digits[k];
			digits[k] = (uint8_t)(carry % 58);
			carry /= 58;
		}
		for (; carry; carry /= 58)
			digits[used++] = (uint8_t)(carry % 58);
	}
	memset(text, '1', zeros);
	for (size_t k = 0; k < used; k++)
		text[zeros + k] = base58_digits[digits[used - 1 - k]];
	return zeros + used;
}

enum isx_status isx_multibase_encode(char letter, const uint8_t *bytes, size_t count, char *text,
				     size_t cap, struct isx_err *err)
{
	uint8_t raw[BYTES_MAX];
	const struct bit_base *base = find_bit_base(letter);
	if (!base && letter != 'z')
		return isx_fail(err, ISX_INVALID, "multibase '%c': expected f, b, v, z or u",
				letter);
	/* base16 is the longest: two digits for a byte, the letter and the NUL */
	if (count > sizeof raw - CODEC_BYTES || 2 * (count + CODEC_BYTES) + 2 > cap)
		return isx_fail(err, ISX_TOO_LARGE, "no room for %zu bytes", count);
	memcpy(raw, codec, CODEC_BYTES);
	memcpy(raw + CODEC_BYTES, bytes, count);
	text[0] = letter;
	size_t written = base ? encode_bits(base, raw, count + CODEC_BYTES, text + 1)
			      : encode_base58(raw, count + CODEC_BYTES, text + 1);
	text[1 + written] = '\0';
	return ISX_OK;
}
