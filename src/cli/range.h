/*
 * range.h - the options that select a part of an index: by ISCC-ID, time and hub number.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CLI_RANGE_H
#define ISX_CLI_RANGE_H

#include "base/mem.h"
#include "cli/args.h"

/* The options, for the tables of commands. */
#define RANGE_OPTIONS                                                                              \
	{ "--after", 'a', "ISCC_ID", "Only assets behind this one" },                              \
		{ "--from", 0, "TIME", "Only ISCC-IDs of this time or later" },                    \
		{ "--to", 0, "TIME", "Only ISCC-IDs of before this time" },                        \
	{                                                                                          \
		"--hub", 0, "N", "Only ISCC-IDs with this hub number"                              \
	}

/* For the text of --help. */
#define RANGE_HELP                                                                                 \
	"TIME is a day (2025-01-31), a time (2025-01-31T12:00:00Z; UTC if it names no offset), "   \
	"or\n"                                                                                     \
	"microseconds since 1970.\n"

/* Read the options.
 *   range  filled; its text lives in `arena`
 * Returns false after a message on standard error. */
bool range_read(const struct cli_args *args, struct isx_arena *arena, struct isx_range *range);

#endif
