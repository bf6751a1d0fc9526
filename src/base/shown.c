/*
 * shown.c - escape what a terminal would execute.
 *
 * Output is always valid UTF-8, whatever comes in: logs in JSON repeat it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/shown.h"

#include "base/utf8.h"

#include <stdio.h>

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
	unsigned char first = (unsigned char)text.ptr[0];
	size_t bytes = isx_utf8_length(text);
	const char *name = first ? strchr(named, first) : NULL;
	if (bytes == 1 && name && first < ' ')
		snprintf(shown, ISX_SHOWN_BYTES, "\\%c", name[1]);
	else if (bytes == 0 || first < ' ' || first == 0x7F)
		snprintf(shown, ISX_SHOWN_BYTES, "\\x%02X", first);
	else if (is_command(isx_utf8_character(text, bytes)))
		snprintf(shown, ISX_SHOWN_BYTES, "\\u%04X",
			 (unsigned)isx_utf8_character(text, bytes));
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
