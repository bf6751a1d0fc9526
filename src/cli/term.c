/*
 * term.c - asks the terminal how wide it is, and fits texts to it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/term.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_UNKNOWN = 80, WIDTH_MIN = 20, WIDTH_MAX = 1000 };

/* COLUMNS wins over the terminal, as in 0.3.3 and other programs. */
size_t term_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t width = 0;
	if (isatty(STDOUT_FILENO) != 1)
		return 0;
	if (!columns || !isx_span_uint(isx_span_of(columns), WIDTH_MAX, &width) || !width)
		width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col
										    : WIDTH_UNKNOWN;
	return width < WIDTH_MIN ? WIDTH_MIN : (size_t)width;
}

size_t term_text_width(void)
{
	size_t width = term_width();
	return width && width < TERM_TEXT_WIDTH ? width : TERM_TEXT_WIDTH;
}

const char *term_style(FILE *out, enum term_style style)
{
	static const char *const sequences[] = { "\033[0m",  "\033[1m",  "\033[2m",
						 "\033[32m", "\033[33m", "\033[31m" };
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
	bool is_plain = isatty(fileno(out)) != 1 || (none && none[0]) || !term ||
			strcmp(term, "dumb") == 0;
	return is_plain ? "" : sequences[style];
}

/* Help is ASCII, so bytes are columns. */
void term_wrap(struct isx_span text, size_t at, size_t indent, size_t width)
{
	bool is_first = true;
	while (text.len) {
		struct isx_span rest, word = isx_span_cut(text, ' ', &rest);
		if (!is_first && at + 1 + word.len > width) {
			printf("\n%*s", (int)indent, "");
			at = indent;
			is_first = true;
		}
		at += (size_t)printf("%s%.*s", is_first ? "" : " ", (int)word.len, word.ptr);
		is_first = false;
		text = rest;
	}
	printf("\n");
}

/* Print one paragraph: its line ends become blanks. */
static void print_paragraph(struct isx_span text, size_t width)
{
	struct isx_buf joined = { 0 };
	isx_buf_add(&joined, text.ptr, text.len);
	for (size_t i = 0; i < joined.len; i++)
		if (joined.ptr[i] == '\n')
			joined.ptr[i] = ' ';
	if (!joined.failed)
		term_wrap((struct isx_span){ joined.ptr, joined.len }, 0, 0, width);
	isx_buf_release(&joined);
}

void term_print_paragraphs(const char *text)
{
	size_t width = term_text_width();
	while (*text) {
		const char *end = strchr(text, '\n');
		bool joins = *text != ' ' && *text != '\n';
		while (joins && end && end[1] && end[1] != ' ' && end[1] != '\n')
			end = strchr(end + 1, '\n');
		size_t len = end ? (size_t)(end - text) : strlen(text);
		if (joins)
			print_paragraph((struct isx_span){ text, len }, width);
		else
			printf("%.*s\n", (int)len, text);
		text += len + (end != NULL);
	}
}
