/*
 * term.h - what standard output is: a terminal with a width and colours, or a pipe or file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_TERM_H
#define ISX_TERM_H

#include "base/buf.h"
#include "base/span.h"

#include <stdio.h>

enum { TERM_TEXT_WIDTH = 100 }; /* of texts that no terminal shows */

/* The columns of the terminal that standard output is, at least 20; 0: it is none. */
size_t term_width(void);

/* The same, or TERM_TEXT_WIDTH if standard output is no terminal, or a wider one. */
size_t term_text_width(void);

enum term_style { TERM_PLAIN, TERM_BOLD, TERM_DIM, TERM_GOOD, TERM_FAIR, TERM_BAD };

/* The escape sequence that begins a style, or with TERM_PLAIN ends it. Empty if `out` is no terminal, if
 * NO_COLOR is set and not empty (https://no-color.org), or if TERM is "dumb". */
const char *term_style(FILE *out, enum term_style style);

/* Append `text` as say_text() prints it, shortened in the middle to `width` columns: both ends of a path
 * tell more than its middle. */
void term_add_shortened(struct isx_buf *out, struct isx_span text, size_t width);

/* A number with commas between groups of three digits, whatever the locale is.
 *   text  filled, and returned */
const char *term_count(uint64_t count, char text[32]);

/* Append a bar of at most `cells` columns for a score from 0 to 1, filled up with blanks. */
void term_add_bar(struct isx_buf *out, double score, size_t cells);

/* Print words of `text` in lines of at most `width` columns. The first line begins at column `at`, the
 * others at `indent`. A longer word has a line of its own. Ends the line. */
void term_wrap(struct isx_span text, size_t at, size_t indent, size_t width);

/* Print a text made of paragraphs: lines that begin with no blank are joined and fitted to
 * term_text_width(); others stay as they are. */
void term_print_paragraphs(const char *text);

#endif
