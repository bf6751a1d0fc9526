/*
 * paging.h - the next page of a search: a place in the ranking, as a text that clients hand back.
 *
 * A place is a score and an ISCC-ID for each of the two lists of matches, and the number of the state
 * of the index in which they were ranked. The ranking is a total order, so that pages neither repeat
 * nor lose a match while nothing is written.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PAGING_H
#define ISX_PAGING_H

#include "engine/score.h"
#include "iscc_search.h"

/* The two lists of a result. */
enum isx_page_list { ISX_PAGE_MATCHES, ISX_PAGE_CHUNK_MATCHES, ISX_PAGE_LISTS };

/* Check the `after` of a query. ISX_INVALID: it is not what an answer has given as `next`. */
ISX_MUST_CHECK enum isx_status isx_page_check(const char *after, struct isx_err *err);

/* The ranking of one list for a query that was checked: with its limit, behind its place. */
struct isx_ranking isx_page_ranking(const struct isx_query *query, enum isx_page_list list,
				    const struct isx_quota *quota);

/* Fill `next` and `is_changed` of a result whose lists are complete, if the query asks for pages.
 *   state  a number that changes whenever the index does
 *   arena  `next` lives there */
ISX_MUST_CHECK enum isx_status isx_page_end(const struct isx_query *query, uint64_t state,
					    struct isx_arena *arena, struct isx_result *result,
					    struct isx_err *err);

#endif
