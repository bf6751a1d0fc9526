/*
 * explain.h - how a score came about: the units of a query and of an asset, compared type by type.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_EXPLAIN_H
#define ISX_EXPLAIN_H

#include "engine/query_plan.h"
#include "engine/scorer.h"

/* Compare the queried units with those of an asset, as a similarity search does: of several units
 * of one type the pair with the best score counts.
 *   standard  the lowest score that counts where the query sets none
 *   units     of the asset, those that have rows
 *   types     filled: plan->type_count explanations in `arena`, in the order of plan->types */
ISX_MUST_CHECK enum isx_status isx_explain_units(const struct isx_query_plan *plan, double standard,
						 const struct isx_indexed_unit *units, size_t count,
						 struct isx_arena *arena,
						 struct isx_type_explanation **types,
						 struct isx_err *err);

/* Complete the evidence of an asset for an explanation: of each type that does not match, how the
 * units differ, if the asset has units of it.
 *   asset  as it is stored, with its code and units */
ISX_MUST_CHECK enum isx_status isx_explain_unmatched(const struct isx_query_plan *plan,
						     const struct isx_asset *asset,
						     struct isx_arena *arena,
						     struct isx_evidence *evidence,
						     struct isx_err *err);

/* Fill the weights of the passages of one type in one match, and their shares of its score.
 *   assets  in the index */
void isx_explain_passages(struct isx_chunk *chunks, size_t count, uint64_t assets);

/* The asset score that the types which count give, to the last bit that of a search; 0: none
 * counts. */
double isx_explained_score(const struct isx_type_explanation *types, size_t count,
			   uint32_t exponent);

#endif
