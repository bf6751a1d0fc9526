/*
 * term.c - asks the terminal how wide it is, and fits texts to it.
 *
 * Must not know what the texts mean. The program does not call setlocale(), so numbers have the
 * same form everywhere; only characters beyond ASCII follow the variables of the locale. For the
 * same reason wcwidth() cannot be used: next_character() has a short list of ranges.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/term.h"

#include "base/shown.h"

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

/* Lines of more than 100 columns are hard to read, however wide the terminal is. */
size_t term_text_width(void)
{
	size_t width = term_width();
	return width && width < TERM_TEXT_WIDTH ? width : TERM_TEXT_WIDTH;
}

/* The sequences stand in the order of enum term_style. The string is static and is not freed. */
const char *term_style(FILE *out, enum term_style style)
{
	static const char *const sequences[] = { "\033[0m",  "\033[1m",  "\033[2m",
						 "\033[32m", "\033[33m", "\033[31m" };
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
	bool is_plain = isatty(fileno(out)) != 1 || (none && none[0]) || !term ||
			strcmp(term, "dumb") == 0;
	return is_plain ? "" : sequences[style];
}

/* Does the terminal show characters beyond ASCII? By the variables of the locale, in their order. */
static bool has_unicode(void)
{
	const char *all = getenv("LC_ALL"), *type = getenv("LC_CTYPE"), *lang = getenv("LANG");
	const char *locale = all && all[0] ? all : type && type[0] ? type : lang ? lang : "";
	return strcasestr(locale, "utf-8") || strcasestr(locale, "utf8");
}

/* The bytes of the character at the beginning of `text`, UTF-8 that isx_shown_add() has made, and its columns:
 * 2 for those of East Asia and for emoji, 0 for combining ones. */
static size_t next_character(struct isx_span text, size_t *columns)
{
	unsigned char lead = (unsigned char)text.ptr[0];
	size_t len = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
	uint32_t code = lead & (len == 1 ? 0x7Fu : 0xFFu >> (len + 1));
	if (len > text.len)
		len = text.len;
	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)text.ptr[i] & 0x3F);
	bool is_wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
		       (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
		       (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
		       (code >= 0xFFE0 && code <= 0xFFE6) || (code >= 0x1F300 && code <= 0x1FAFF) ||
		       (code >= 0x20000 && code <= 0x3FFFD);
	bool is_mark = (code >= 0x300 && code <= 0x36F) || (code >= 0x200B && code <= 0x200D) ||
		       (code >= 0xFE00 && code <= 0xFE0F);
	*columns = is_wide ? 2 : is_mark ? 0 : 1;
	return len;
}

/* The number of bytes at the beginning that fit into `width` columns, with the marks behind them. */
static size_t fit(struct isx_span text, size_t width)
{
	size_t bytes = 0, used = 0, columns;
	while (bytes < text.len) {
		size_t len = next_character(isx_span_skip(text, bytes), &columns);
		if (used + columns > width)
			break;
		used += columns;
		bytes += len;
	}
	return bytes;
}

/* The cost is linear in the bytes; callers pass a name or a path. */
static size_t columns_of(struct isx_span text)
{
	size_t total = 0, columns;
	while (text.len) {
		text = isx_span_skip(text, next_character(text, &columns));
		total += columns;
	}
	return total;
}

/* The end is cut at the first character from which all fits. */
static struct isx_span tail_of(struct isx_span text, size_t width)
{
	size_t columns, total = columns_of(text);
	while (total > width) {
		text = isx_span_skip(text, next_character(text, &columns));
		total -= columns;
	}
	while (text.len && next_character(text, &columns) &&
	       columns == 0) /* marks without their letter */
		text = isx_span_skip(text, next_character(text, &columns));
	return text;
}

/* Escaping comes first (isx_shown_add()), as escape sequences take more columns than what they
 * stand for. Too few columns for the dots give nothing. */
void term_add_shortened(struct isx_buf *out, struct isx_span text, size_t width)
{
	struct isx_buf shown = { 0 };
	const char *dots = has_unicode() ? "\xE2\x80\xA6" : "...";
	size_t dots_width = has_unicode() ? 1 : 3;
	isx_shown_add(&shown, text);
	struct isx_span all = { shown.ptr, shown.len };
	if (shown.failed) {
		out->failed = true;
	} else if (columns_of(all) <= width) {
		isx_buf_add(out, all.ptr, all.len);
	} else if (width > dots_width) {
		size_t head = (width - dots_width) / 2;
		struct isx_span tail = tail_of(all, width - dots_width - head);
		isx_buf_add(out, all.ptr, fit(all, head));
		isx_buf_text(out, dots);
		isx_buf_add(out, tail.ptr, tail.len);
	}
	isx_buf_release(&shown);
}

const char *term_count(uint64_t count, char text[32])
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count), at = 0;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

/* With Unicode a bar has steps of an eighth of a cell: scores of 0.90 and 0.91 differ on 30
 * cells. */
void term_add_bar(struct isx_buf *out, double score, size_t cells)
{
	static const char *const eighths[] = { "",
					       "\xE2\x96\x8F",
					       "\xE2\x96\x8E",
					       "\xE2\x96\x8D",
					       "\xE2\x96\x8C",
					       "\xE2\x96\x8B",
					       "\xE2\x96\x8A",
					       "\xE2\x96\x89" };
	bool is_fine = has_unicode();
	size_t parts = (size_t)(score * (double)cells * 8 + 0.5);
	size_t full = parts / 8, rest = is_fine ? parts % 8 : 0;
	for (size_t i = 0; i < full; i++)
		isx_buf_text(out, is_fine ? "\xE2\x96\x88" : "#");
	isx_buf_text(out, eighths[rest]);
	for (size_t i = full + (rest > 0); i < cells; i++)
		isx_buf_char(out, ' ');
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
