/*
 * dotenv.h - parses .env files as python-dotenv 1.2 does, which 0.3.3 uses.
 *
 * A line is NAME=VALUE, optionally after `export `, or a comment. Values are in single quotes
 * (escapes \' and \\), in double quotes (also \n and others), both possibly over several lines, or
 * bare up to a comment, which is white space and #. Then ${NAME} and ${NAME:-default} are replaced,
 * whatever the quotes.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_DOTENV_H
#define ISX_DOTENV_H

#include "base/mem.h"
#include "base/span.h"

struct isx_dotenv_entry {
	const char *name;
	const char *value; /* NULL: a name without = */
};

/* An invalid statement: an open quote, or words without "=". */
struct isx_dotenv_bad {
	struct isx_span text; /* as in the file, with \n as line ends */
	size_t line;          /* the first is 1 */
};

struct isx_dotenv {
	struct isx_dotenv_entry *entries; /* in the order of the first use of a name; the last
					     value of each */
	size_t entry_count;
	struct isx_dotenv_bad *bad;
	size_t bad_count;
};

/* Returns the value of a name that the file has not set yet, or NULL; for example getenv(). */
typedef const char *isx_dotenv_lookup_fn(const char *name);

/* Read the text of a file.
 *   lookup  for ${NAME}; names of the file take precedence
 *   file    filled; everything lives in `arena`
 * Fails if the text contains NUL (ISX_INVALID), if a value exceeds ISX_DOTENV_VALUE_MAX
 * (ISX_TOO_LARGE), or without memory. Invalid statements are skipped and listed in `bad`. */
ISX_MUST_CHECK enum isx_status isx_dotenv_parse(struct isx_span text, isx_dotenv_lookup_fn *lookup,
						struct isx_arena *arena, struct isx_dotenv *file,
						struct isx_err *err);

#endif
