/*
 * lmdb_facets.h - count the values that the matches of a search have in declared fields.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_FACETS_H
#define ISX_LMDB_FACETS_H

#include "engine/score.h"
#include "storage/lmdb_file.h"

/* Count the values in each field of query->facets. It costs as much as there are rows of these fields,
 * not as much as there are matches.
 *   ranking  whose ids are all matches (isx_page_ranking()); sorted here. NULL: there are none
 *   facets   filled: query->facet_count of them, in `arena`; not written without `facets` in the query
 * ISX_INVALID: a field is not declared. */
ISX_MUST_CHECK enum isx_status isx_lmdb_facets(struct isx_lmdb_view *view,
					       const struct isx_query *query,
					       struct isx_ranking *ranking, struct isx_arena *arena,
					       const struct isx_facet **facets,
					       struct isx_err *err);

#endif
