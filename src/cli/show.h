/*
 * show.h - prints the result of a search, for programs and for people.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SHOW_H
#define ISX_SHOW_H

#include "cli/question.h"
#include "cli/target.h"

/* Print a result as JSON, indented and without null members, as 0.3.3 does. */
void show_json(const struct isx_result *result);

/* Print a result as a table: the ranking with the scores of the units; then the passages with
 * offset and size, and the beginning of the query's own passage if its text is available. */
void show_table(const struct question *question, const struct isx_result *result);

/* Print a table of how units compare, type by type.
 *   indent  of each line, in columns
 *   lacks   the texts for a type that the first (the query) or the second work has no unit of */
void show_explanation(const struct isx_type_explanation *types, size_t count, int indent,
		      const char *const lacks[2]);

/* Print that a search found nothing, in how many assets, and below which threshold if it is known here. */
void show_no_match(const struct target *target, const struct isx_query *query);

#endif
