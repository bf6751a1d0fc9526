/*
 * suggestion.h - finds the name that was probably meant by a mistyped one.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SUGGESTION_H
#define ISX_SUGGESTION_H

#include "base/span.h"

struct suggestion {
	struct isx_span word; /* as it was typed */
	const char *name;     /* the closest one so far, borrowed; NULL: none is close */
	size_t distance;
};

/* Begin to look for names that are close to `word`. */
struct suggestion suggestion_for(const char *word);

/* Compare with a name that exists. A name is close if the word becomes it by few changes: a letter that
 * is missing, added or another one, or two that have changed places; or if it begins with the word. Of
 * equally close names the first is kept. */
void suggestion_offer(struct suggestion *suggestion, const char *name);

#endif
