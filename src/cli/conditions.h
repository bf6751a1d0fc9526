/*
 * conditions.h - the options of `search` that say what counts and what a match carries.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CONDITIONS_H
#define ISX_CONDITIONS_H

#include "base/mem.h"
#include "cli/args.h"

#include <iscc_search.h>

/* The options, for the table of a command. */
#define CONDITION_OPTIONS                                                                          \
	{ "--min-score", 0, "SCORE",                                                               \
	  "Lowest score that counts, 0 to 1, or TYPE:SCORE (again for each type)" },               \
		{ "--type", 0, "TYPE", "Compare units of this type only (again for each type)" },  \
		{ "--exponent", 0, "N", "Exponent of the score of a match (default: 4)" },         \
		{ "--rank", 0, "BY",                                                               \
		  "Rank matches by score, significance or tiered (default: score)" },              \
		{ "--max-expect", 0, "N",                                                          \
		  "Leave out matches of which chance would make more than N" },                    \
		{ "--explain", 0, NULL,                                                            \
		  "Show how scores came about, what misses, and what chance would bring" },        \
		{ "--where", 0, "TEST",                                                            \
		  "Find only assets whose metadata passes: license=CC0, year>=2020 (again: "       \
		  "all)" },                                                                        \
		{ "--filter", 0, "JSON",                                                           \
		  "Find only assets for which this filter holds (as in the REST API)" },           \
		{ "--facet", 0, "FIELD",                                                           \
		  "Count the values of a field among all matches (again for each)" },              \
	{                                                                                          \
		"--with", 0, "LIST",                                                               \
			"What matches carry, of metadata,code,units (default: metadata)"           \
	}

/* Read the options into the conditions of `query`; lists live in `arena`. Returns false after a message
 * on standard error. */
bool conditions_read(const struct cli_args *args, struct isx_arena *arena, struct isx_query *query);

#endif
