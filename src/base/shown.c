/*
 * shown.c - escape what a terminal would execute.
 *
 * Output is always valid UTF-8, whatever comes in: logs in JSON repeat it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/shown.h"

#include <stdio.h>

/* Decode the UTF-8 character at the beginning of `text` (RFC 3629: shortest form, no surrogates).
 *   character  filled
 * Returns its length in bytes; 0 if `text` does not begin with one. */
static size_t read_character(struct isx_span text, uint32_t *character)
{
	/* the least character of each length: anything below could be written shorter */
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)text.ptr;
	size_t bytes = p[0] < 0x80   ? 1
		       : p[0] < 0xC2 ? 0
		       : p[0] < 0xE0 ? 2
		       : p[0] < 0xF0 ? 3
		       : p[0] < 0xF5 ? 4
				     : 0;
	if (bytes == 0 || bytes > text.len)
		return 0;
	uint32_t value = bytes == 1 ? p[0] : p[0] & (0x7Fu >> bytes);
	for (size_t i = 1; i < bytes; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		value = value << 6 | (p[i] & 0x3F);
	}
	if (value < least[bytes] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
		return 0;
	*character = value;
	return bytes;
}

/* C1 control characters, which some terminals execute as they do ESC sequences; line and paragraph
 * separators; and Bidi_Control of Unicode, which reorders the text around it ("Trojan Source"). */
static bool is_command(uint32_t c)
{
	return (c >= 0x80 && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
	       (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

size_t isx_shown_next(struct isx_span text, char *shown)
{
	static const char named[] = "\nn\rr\tt";
	uint32_t character = 0;
	unsigned char first = (unsigned char)text.ptr[0];
	size_t bytes = read_character(text, &character);
	const char *name = first ? strchr(named, first) : NULL;
	if (bytes == 1 && name && first < ' ')
		snprintf(shown, ISX_SHOWN_BYTES, "\\%c", name[1]);
	else if (bytes == 0 || first < ' ' || first == 0x7F)
		snprintf(shown, ISX_SHOWN_BYTES, "\\x%02X", first);
	else if (is_command(character))
		snprintf(shown, ISX_SHOWN_BYTES, "\\u%04X", (unsigned)character);
	else
		snprintf(shown, ISX_SHOWN_BYTES, "%.*s", (int)bytes, text.ptr);
	return bytes ? bytes : 1;
}

void isx_shown_add(struct isx_buf *buf, struct isx_span text)
{
	char shown[ISX_SHOWN_BYTES];
	while (text.len) {
		size_t plain = 0; /* nearly all text is printable ASCII: copied in one piece */
		while (plain < text.len && text.ptr[plain] >= ' ' && text.ptr[plain] < 0x7F)
			plain++;
		isx_buf_add(buf, text.ptr, plain);
		text = isx_span_skip(text, plain);
		if (text.len == 0)
			break;
		text = isx_span_skip(text, isx_shown_next(text, shown));
		isx_buf_text(buf, shown);
	}
}
