/*
 * utf8.c - is this UTF-8, and which character is it?
 *
 * RFC 3629, section 4: the table is its grammar, which excludes longer forms, surrogates, and anything
 * above U+10FFFF.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/utf8.h"

size_t isx_utf8_length(struct isx_span text)
{
	const unsigned char *p = (const unsigned char *)text.ptr;
	static const struct {
		unsigned char lead_min, lead_max, second_min, second_max, length;
	} forms[] = {
		{ 0x00, 0x7F, 0, 0, 1 },       { 0xC2, 0xDF, 0x80, 0xBF, 2 },
		{ 0xE0, 0xE0, 0xA0, 0xBF, 3 }, { 0xE1, 0xEC, 0x80, 0xBF, 3 },
		{ 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 },
		{ 0xF0, 0xF0, 0x90, 0xBF, 4 }, { 0xF1, 0xF3, 0x80, 0xBF, 4 },
		{ 0xF4, 0xF4, 0x80, 0x8F, 4 },
	};
	/* the ranges of lead bytes do not overlap: the first form that fits decides */
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (p[0] < forms[i].lead_min || p[0] > forms[i].lead_max)
			continue;
		if (text.len < forms[i].length)
			return 0;
		if (forms[i].length > 1 &&
		    (p[1] < forms[i].second_min || p[1] > forms[i].second_max))
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((p[k] & 0xC0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

uint32_t isx_utf8_character(struct isx_span text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text.ptr;
	/* the lead byte says the length by its highest bits, which are no part of the number */
	uint32_t number = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++)
		number = number << 6 | (p[i] & 0x3F);
	return number;
}
