/*
 * say.c - prints messages and JSON so that a terminal interprets no part of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/say.h"

#include <stdarg.h>

/* The message is formatted first and escaped as a whole: an escape sequence may be composed of
 * several arguments. */
static void print(FILE *out, const char *format, va_list args, bool ends_line)
{
	struct isx_buf plain = { 0 }, shown = { 0 };
	va_list again;
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	char *room = len < 0 ? NULL : isx_buf_reserve(&plain, (size_t)len + 1);
	if (room) {
		vsnprintf(room, (size_t)len + 1, format, again);
		isx_shown_add(&shown, (struct isx_span){ room, (size_t)len });
	}
	va_end(again);
	if (ends_line)
		isx_buf_char(&shown, '\n');
	if (room && !shown.failed)
		fwrite(shown.ptr, 1, shown.len, out);
	else
		fprintf(out, "(out of memory)\n");
	isx_buf_release(&plain);
	isx_buf_release(&shown);
}

void say(FILE *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	print(out, format, args, false);
	va_end(args);
}

void say_line(FILE *out, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	print(out, format, args, true);
	va_end(args);
}

/* Without memory of its own: texts may be long. */
void say_text(FILE *out, struct isx_span text)
{
	char shown[ISX_SHOWN_BYTES];
	while (text.len) {
		text = isx_span_skip(text, isx_shown_next(text, shown));
		fputs(shown, out);
	}
}

void say_json(struct isx_span json)
{
	char shown[ISX_SHOWN_BYTES];
	while (json.len) {
		size_t plain = 0;
		/* Checked JSON has no control characters below 0x20 within strings, so only DEL and
		 * bytes beyond ASCII can matter. */
		while (plain < json.len && (unsigned char)json.ptr[plain] < 0x7F)
			plain++;
		fwrite(json.ptr, 1, plain, stdout);
		json = isx_span_skip(json, plain);
		if (json.len == 0)
			break;
		bool is_delete = json.ptr[0] == 0x7F;
		json = isx_span_skip(json, isx_shown_next(json, shown));
		fputs(is_delete ? "\\u007F" : shown,
		      stdout); /* isx_shown_next() writes \uXXXX, a JSON escape */
	}
	putchar('\n');
}
