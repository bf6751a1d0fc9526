/*
 * tier.c - the kind of a match. Pure functions on scores; docs/scores.md (Tiers) has the same rules
 *          in words.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/tier.h"

#include <stdbool.h>
#include <string.h>

/* The thresholds of ISCC hubs: a score that tells much alone, one that tells something, and the least
 * that is more than chance where another type agrees. */
static const double HIGH = 0.85, SOFT = 0.70, FAINT = 0.60;

/* How much each type counts in the order of one tier, as in ISCC hubs. SEMANTIC survives what
 * adaptations change; DATA is lost by any other file format. */
static const struct {
	const char *name; /* with which the unit types begin */
	double weight;
	double reliability; /* of a match by this type alone */
} types[ISX_TIER_TYPES] = {
	[ISX_TIER_META] = { "META_", 0.5, 0.9 },
	[ISX_TIER_SEMANTIC] = { "SEMANTIC_", 2.0, 1.0 },
	[ISX_TIER_CONTENT] = { "CONTENT_", 0.8, 0.8 },
	[ISX_TIER_DATA] = { "DATA_", 0.3, 0.95 },
	[ISX_TIER_INSTANCE] = { "INSTANCE_", 0.5, 1.0 },
};

enum isx_tier_type isx_tier_type(const char *type)
{
	size_t i = 0;
	while (i < ISX_TIER_TYPES && strncmp(type, types[i].name, strlen(types[i].name)) != 0)
		i++;
	return (enum isx_tier_type)i;
}

/* Is the type there, with a score below the bound? */
static bool is_below(double score, double bound)
{
	return score >= 0 && score < bound;
}

/* The rules in their order: the first one that holds decides. */
enum isx_tier isx_tier_of(const double scores[ISX_TIER_TYPES])
{
	const double content = scores[ISX_TIER_CONTENT], data = scores[ISX_TIER_DATA];
	size_t soft = 0, faint = 0;
	for (size_t i = 0; i < ISX_TIER_TYPES; i++) {
		soft += scores[i] >= SOFT;
		faint += scores[i] >= FAINT;
	}
	if (scores[ISX_TIER_INSTANCE] >= HIGH)
		return is_below(data, SOFT) || is_below(content, SOFT) ? ISX_TIER_INCOHERENT
								       : ISX_TIER_EXACT;
	if (data >= HIGH && !is_below(content, HIGH))
		return ISX_TIER_NEAR_DUPLICATE;
	/* CONTENT alone is not enough: documents of one template have it in common. */
	if (content >= HIGH && soft >= 2)
		return ISX_TIER_NEAR_DUPLICATE;
	if (scores[ISX_TIER_SEMANTIC] >= HIGH)
		return ISX_TIER_SIMILAR;
	if (soft >= 1 && faint >= 2)
		return ISX_TIER_CORROBORATED;
	return scores[ISX_TIER_META] >= HIGH ? ISX_TIER_TITLE_ONLY : ISX_TIER_WEAK;
}

/* A type that is missing counts neither for nor against an asset. In ISX_TIER_WEAK one type stands
 * alone, so its reliability decides, too. */
double isx_tier_score(enum isx_tier tier, const double scores[ISX_TIER_TYPES])
{
	double sum = 0, weight = 0;
	size_t best = 0;
	for (size_t i = 0; i < ISX_TIER_TYPES; i++) {
		if (scores[i] < 0)
			continue;
		sum += types[i].weight * scores[i];
		weight += types[i].weight;
		if (scores[i] > scores[best])
			best = i;
	}
	double mean = weight > 0 ? sum / weight : 0;
	return tier == ISX_TIER_WEAK ? mean * types[best].reliability : mean;
}

const char *isx_tier_name(enum isx_tier tier)
{
	static const char *const names[] = {
		[ISX_TIER_INCOHERENT] = "incoherent", [ISX_TIER_WEAK] = "weak",
		[ISX_TIER_TITLE_ONLY] = "title_only", [ISX_TIER_CORROBORATED] = "corroborated",
		[ISX_TIER_SIMILAR] = "similar",       [ISX_TIER_NEAR_DUPLICATE] = "near_duplicate",
		[ISX_TIER_EXACT] = "exact",
	};
	return names[tier];
}
