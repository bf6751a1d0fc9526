/*
 * search_lines.h - searches with each line of a file or of standard input.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SEARCH_LINES_H
#define ISX_SEARCH_LINES_H

#include "cli/lines.h"
#include "cli/target.h"

struct search_lines {
	const char *path;                 /* of the file, or "-" */
	const struct isx_query *defaults; /* what a line does not say itself */
	bool as_table;                    /* tables instead of lines of JSON */
	struct lines lines;
	bool has_begun;  /* a line was read */
	bool has_failed; /* a line */
	bool has_found;  /* a match */
};

/* Open the file that `search` names. Returns false after a message on standard error. */
bool search_lines_open(struct search_lines *search);

/* Answer all lines, in their order. Returns the exit status. */
int search_lines_run(struct search_lines *search, struct target *target);
void search_lines_close(struct search_lines *search);

#endif
