/*
 * tier.h - the kind of a match, from which unit types of it agree and how well.
 *
 * Thresholds and weights are those by which ISCC hubs rank what a search returns them;
 * docs/scores.md (Tiers) has the rules, and where they differ from those of the hubs.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_TIER_H
#define ISX_TIER_H

#include <stddef.h>

/* The least first: a higher tier ranks before a lower one. */
enum isx_tier {
	ISX_TIER_INCOHERENT, /* the INSTANCE is the same, but DATA or CONTENT is not */
	ISX_TIER_WEAK,
	ISX_TIER_TITLE_ONLY,   /* of all types only META is similar */
	ISX_TIER_CORROBORATED, /* one type is similar, and another one agrees */
	ISX_TIER_SIMILAR,      /* the meaning (SEMANTIC) is the same */
	ISX_TIER_NEAR_DUPLICATE,
	ISX_TIER_EXACT,
};

/* What decides the tier of an asset: the best score of each main type of units, -1 for one that the
 * query or the asset lacks. */
enum isx_tier_type {
	ISX_TIER_META,
	ISX_TIER_SEMANTIC,
	ISX_TIER_CONTENT,
	ISX_TIER_DATA,
	ISX_TIER_INSTANCE,
	ISX_TIER_TYPES
};

/* The main type of a unit type ("CONTENT_TEXT_V0"); ISX_TIER_TYPES: one that no tier knows. */
enum isx_tier_type isx_tier_type(const char *type);

/* The tier of an asset by its true scores, also those below the threshold of the query. */
enum isx_tier isx_tier_of(const double scores[ISX_TIER_TYPES]);

/* The place of an asset in its tier: the mean of its scores, weighted by type, 0 to 1. */
double isx_tier_score(enum isx_tier tier, const double scores[ISX_TIER_TYPES]);

/* The name of a tier: "near_duplicate". Static. */
const char *isx_tier_name(enum isx_tier tier);

#endif
