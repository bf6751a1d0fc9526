/*
 * suggestion.c - finds the closest of some names, by the Damerau-Levenshtein distance (of adjacent
 *                letters that changed places, as "optimal string alignment").
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/suggestion.h"

/* Longer names are not compared: the three rows of the table are on the stack. */
enum { NAME_MAX_BYTES = 64 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The number of changes that make `a` from `b`, both of at most NAME_MAX_BYTES. */
static size_t distance(struct isx_span a, struct isx_span b)
{
	size_t rows[3][NAME_MAX_BYTES + 1];
	for (size_t k = 0; k <= b.len; k++)
		rows[0][k] = k;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t k = 1; k <= b.len; k++) {
			size_t change = a.ptr[i - 1] != b.ptr[k - 1];
			row[k] = least(least(above[k], row[k - 1]) + 1, above[k - 1] + change);
			if (i > 1 && k > 1 && a.ptr[i - 1] == b.ptr[k - 2] &&
			    a.ptr[i - 2] == b.ptr[k - 1])
				row[k] = least(row[k], before[k - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

/* One change in three letters, so that short names are not suggested for each other. */
struct suggestion suggestion_for(const char *word)
{
	struct isx_span span = isx_span_of(word);
	return (struct suggestion){ .word = span, .distance = (span.len + 2) / 3 + 1 };
}

void suggestion_offer(struct suggestion *suggestion, const char *name)
{
	struct isx_span word = suggestion->word, other = isx_span_of(name);
	if (word.len == 0 || word.len > NAME_MAX_BYTES || other.len > NAME_MAX_BYTES)
		return;
	bool is_beginning = word.len > 2 && isx_span_has_prefix(other, name) &&
			    other.len > word.len && memcmp(word.ptr, name, word.len) == 0;
	size_t found = is_beginning ? 1 : distance(word, other);
	if (found < suggestion->distance) {
		suggestion->distance = found;
		suggestion->name = name;
	}
}
