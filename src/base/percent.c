/*
 * percent.c - percent-encoding of URIs.
 *
 * isalnum() is not used: it depends on the locale.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/percent.h"

int isx_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c |
		   0x20); /* the lower case of a letter; no other character becomes one of these */
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The unreserved characters of RFC 3986, 2.3, and those of `plain`. */
static bool is_plain(char c, const char *plain)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && (strchr("-._~", c) || strchr(plain, c)));
}

void isx_percent_add(struct isx_buf *buf, struct isx_span text, const char *plain)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_plain(text.ptr[i], plain))
			isx_buf_char(buf, text.ptr[i]);
		else
			isx_buf_printf(buf, "%%%02X", (unsigned char)text.ptr[i]);
	}
}

size_t isx_percent_decode(struct isx_span text, bool plus_is_space, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '%' && text.len - i > 2) {
			int high = isx_hex_value(text.ptr[i + 1]);
			int low = isx_hex_value(text.ptr[i + 2]);
			if (high >= 0 && low >= 0) {
				c = (char)(high << 4 | low);
				i += 2;
			}
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		out[len++] = c;
	}
	return len;
}
