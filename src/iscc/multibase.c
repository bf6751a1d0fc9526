/*
 * multibase.c - the multibase forms: a letter for the base, then the multicodec of ISCC and the
 * digest.
 *
 * base16, base32, base32hex and base64url are runs of bits; base58 is a big number.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/multibase.h"

#include "iscc/base32.h"

#include <strings.h>

enum { CODEC_BYTES = 2, DIGITS_MAX = 1200, BYTES_MAX = 600 };

static const uint8_t codec[CODEC_BYTES] = { 0xCC, 0x01 };

/* The bases whose digits are whole bits. */
static const struct bit_base {
	char letter;
	uint32_t bits;
	const char *digits;
} bit_bases[] = {
	{ 'f', 4, "0123456789abcdef" },
	{ 'b', 5, "abcdefghijklmnopqrstuvwxyz234567" },
	{ 'v', 5, "0123456789abcdefghijklmnopqrstuv" },
	{ 'u', 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" },
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

static enum isx_status fail_digit(struct isx_err *err, size_t at)
{
	return isx_fail(err, ISX_INVALID, "character %zu is not a digit of its base", at);
}

static enum isx_status decode_bits(const struct bit_base *base, struct isx_span text,
				   uint8_t *bytes, size_t *count, struct isx_err *err)
{
	uint32_t held = 0, bits = 0;
	size_t written = 0;
	for (size_t i = 0; i < text.len; i++) {
		int value = digit_value(base, text.ptr[i]);
		if (value < 0)
			return fail_digit(err, i + 1);
		held = held << base->bits | (uint32_t)value;
		bits += base->bits;
		if (bits >= 8) {
			bits -= 8;
			bytes[written++] = (uint8_t)(held >> bits);
		}
	}
	if (bits >= base->bits || (held & ((1u << bits) - 1)))
		return isx_fail(err, ISX_INVALID, "%zu digits are no whole bytes", text.len);
	*count = written;
	return ISX_OK;
}

/* Multiply a big-endian number by 58 and add, digit by digit; leading ones stand for zero bytes. */
static enum isx_status decode_base58(struct isx_span text, uint8_t *bytes, size_t *count,
				     struct isx_err *err)
{
	uint8_t number[BYTES_MAX] = { 0 };
	size_t used = 0, zeros = 0;
	while (zeros < text.len && text.ptr[zeros] == '1')
		zeros++;
	for (size_t i = zeros; i < text.len; i++) {
		const char *found = text.ptr[i] ? strchr(base58_digits, text.ptr[i]) : NULL;
		if (!found)
			return fail_digit(err, i + 1);
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

static enum isx_status decode_multiformat(struct isx_span text, uint8_t *bytes, size_t cap,
					  size_t *count, struct isx_err *err)
{
	uint8_t raw[DIGITS_MAX];
	const struct bit_base *base = find_bit_base(text.ptr[0]);
	size_t raw_count = 0;
	struct isx_span digits = isx_span_skip(text, 1);
	if (digits.len > (base ? DIGITS_MAX : BYTES_MAX))
		return isx_fail(err, ISX_INVALID, "%zu characters: longer than any ISCC", text.len);
	enum isx_status st = base ? decode_bits(base, digits, raw, &raw_count, err)
				  : decode_base58(digits, raw, &raw_count, err);
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

/* "ISCC:", in either case, is in front of what is always base32. */
static bool has_iscc_prefix(struct isx_span text)
{
	return text.len >= 5 && strncasecmp(text.ptr, "ISCC:", 5) == 0;
}

enum isx_status isx_multibase_decode(struct isx_span text, uint8_t *bytes, size_t cap,
				     size_t *count, struct isx_err *err)
{
	char plain[DIGITS_MAX];
	size_t len = 0;
	text = isx_span_trim(text);
	bool prefixed = has_iscc_prefix(text);
	if (text.len && !prefixed && strchr("fbvzu", text.ptr[0])) {
		enum isx_status st = decode_multiformat(text, bytes, cap, count, err);
		if (!st || text.ptr[0] == 'z')
			return st; /* otherwise it may be bare base32 in lower case */
	}
	if (prefixed)
		text = isx_span_skip(text, 5);
	if (text.len == 0 || text.len > sizeof plain)
		return isx_fail(err, ISX_INVALID, "%zu characters: expected an ISCC", text.len);
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != '-')
			plain[len++] = text.ptr[i];
	return isx_base32_decode((struct isx_span){ plain, len }, ISX_AS_033, bytes, cap, count,
				 err);
}

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

/* Divide a big-endian number by 58 again and again. */
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
