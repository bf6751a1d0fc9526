/*
 * facets.h - the counted values of a field, as an answer lists them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_FACETS_H
#define ISX_FACETS_H

#include "base/mem.h"
#include "base/span.h"

/* One value, and how many matches have it. */
struct isx_counted {
	struct isx_span key; /* of the value (json/field_value.h), or a key that sorts as it does */
	uint64_t count;
	uint64_t id; /* the ISCC-ID body of one of the matches */
};

/* Fill a facet with the most frequent values; all others are added up.
 *   counted  sorted here
 *   print    writes the value of one entry as JSON into `arena`; *text: NULL without memory
 *   facet    filled but for its field, in `arena` */
typedef enum isx_status isx_counted_fn(const struct isx_counted *counted, void *arg,
				       struct isx_arena *arena, const char **text,
				       struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_facet_fill(struct isx_counted *counted, size_t count,
					      isx_counted_fn *print, void *arg,
					      struct isx_arena *arena, struct isx_facet *facet,
					      struct isx_err *err);

/* An isx_counted_fn for entries with the whole keys of their values; `arg` is not used. */
enum isx_status isx_counted_print(const struct isx_counted *counted, void *arg,
				  struct isx_arena *arena, const char **text, struct isx_err *err);

#endif
