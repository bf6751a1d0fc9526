/*
 * dotenv.h - the text of a .env file as names and values, as python-dotenv 1.2 reads it, which
 *            0.3.3 leaves it to.
 *
 * A line is NAME=VALUE, after an `export ` if need be, or a comment. Values stand in single quotes
 * (\' and \\ are understood), in double quotes (\n and its like, too), both over several lines if
 * need be, or bare up to a comment: white space and #. Then ${NAME} and ${NAME:-default} are
 * replaced, whatever the quotes.
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

/* A statement that cannot be read: a quote that is not closed, words without =. */
struct isx_dotenv_bad {
	struct isx_span text; /* as it stands in the file, with \n at the ends of its lines */
	size_t line;          /* the first is 1 */
};

struct isx_dotenv {
	struct isx_dotenv_entry *entries; /* in the order of the first use of a name; the last
					     value of each */
	size_t entry_count;
	struct isx_dotenv_bad *bad;
	size_t bad_count;
};

/* The value of a name that the file does not have before, or NULL: getenv(), for one. */
typedef const char *isx_dotenv_lookup_fn(const char *name);

/* Read the text of a file.
 *   lookup  for ${NAME}; names of the file win
 *   file    filled; everything lives in `arena`
 * Fails when it is no text (ISX_INVALID), when a value grows beyond ISX_DOTENV_VALUE_MAX
 * (ISX_TOO_LARGE), or for lack of memory; what cannot be read is left out and listed as bad. */
ISX_MUST_CHECK enum isx_status isx_dotenv_parse(struct isx_span text, isx_dotenv_lookup_fn *lookup,
						struct isx_arena *arena, struct isx_dotenv *file,
						struct isx_err *err);

#endif
