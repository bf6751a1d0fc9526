/*
 * paging.h - the next page of a search: a place in the ranking, as a text that clients hand back.
 *
 * A place is a rank and an ISCC-ID for each of the two lists of matches, what they are ranked by, and
 * the number of the state of the index in which they were ranked. The ranking is a total order, so that pages neither repeat
 * nor lose a match while nothing is written.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PAGING_H
#define ISX_PAGING_H

#include "engine/score.h"
#include "iscc_search.h"

/* The two lists of a result. */
enum isx_page_list { ISX_PAGE_MATCHES, ISX_PAGE_CHUNK_MATCHES, ISX_PAGE_LISTS };

/* Check the `after` of a query.
 *   rank  by which the query ranks its matches; ISX_RANK_STORE: not known here
 * ISX_INVALID: it is not what an answer has given as `next`, or its matches were ranked by something
 * else. */
ISX_MUST_CHECK enum isx_status isx_page_check(const char *after, uint32_t rank,
					      struct isx_err *err);

/* The ranking of one list for a query that was checked: with its limit, behind its place. */
struct isx_ranking isx_page_ranking(const struct isx_query *query, enum isx_page_list list,
				    const struct isx_quota *quota);

/* Fill `next` and `is_changed` of a result whose lists are complete, if the query asks for pages.
 *   rank     ISX_RANK_SCORE or a later one, by which the matches are ranked
 *   ranking  of the matches, sorted
 *   state    a number that changes whenever the index does
 *   arena    `next` lives there */
ISX_MUST_CHECK enum isx_status isx_page_end(const struct isx_query *query, uint32_t rank,
					    const struct isx_ranking *ranking, uint64_t state,
					    struct isx_arena *arena, struct isx_result *result,
					    struct isx_err *err);

#endif
