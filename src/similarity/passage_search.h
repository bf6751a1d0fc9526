/*
 * passage_search.h - find the assets that share passages with the simprints of a query.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PASSAGE_SEARCH_H
#define ISX_PASSAGE_SEARCH_H

#include "similarity/sim_pass.h"

/* Make the stored simprints of an asset the simprints of `query`, type by type in the order of
 * their places in the asset. The texts live in `arena`. */
ISX_MUST_CHECK enum isx_status isx_passages_of_asset(struct isx_lmdb_view *view, uint64_t id,
						     struct isx_arena *arena,
						     struct isx_query *query, struct isx_err *err);

/* Rank the assets that share passages with the simprints of the members' plans, for all members
 * whose status is ISX_OK. Reads the simprints of the index once for all of them.
 *   members    member->passages is made for those that have simprints, or member->status and
 *              member->err are set. ISX_INVALID: a simprint that cannot be decoded, or of a length
 *              that the index does not have. End each with isx_passages_end()
 *   crew       of an earlier ranking in the same view, which is ended, and filled again: the
 *              threads that took part; the caller ends it, also on failure
 *   slots_max  isx_scan_slots_max(); the caller holds one slot (engine/scan_slots.h) */
ISX_MUST_CHECK enum isx_status isx_passage_rank(struct isx_member *members, size_t count,
						struct isx_crew *crew, struct isx_lmdb_view *view,
						unsigned slots_max, struct isx_err *err);

/* Describe the winners of a member that has passages, in the order of its ranking.
 *   view     of the snapshot that was ranked
 *   matches  filled: *count of them, in the member's arena, without what they carry
 *   total    filled: assets that matched, on all pages */
ISX_MUST_CHECK enum isx_status isx_passage_matches(const struct isx_member *member,
						   struct isx_lmdb_view *view, uint32_t realm,
						   struct isx_chunk_match **matches, size_t *count,
						   uint64_t *total, struct isx_err *err);

/* The winners, in the order of isx_passage_matches(); borrowed. */
struct isx_ranking *isx_passage_ranking(const struct isx_member *member);

/* Free what a member has of isx_passage_rank(), if anything. */
void isx_passages_end(struct isx_member *member);

#endif
