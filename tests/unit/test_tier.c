/*
 * test_tier.c - the kinds of matches, by the rules of docs/scores.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/tier.h"
#include "support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { NONE = -1 };

/* Scores of META, SEMANTIC, CONTENT, DATA and INSTANCE, and their tier. */
static const struct {
	double scores[ISX_TIER_TYPES];
	const char *tier;
} cases[] = {
	{ { NONE, NONE, NONE, NONE, 1 }, "exact" },
	{ { 0.5, 0.5, 0.7, 0.7, 1 }, "exact" },
	{ { 1, 1, 1, 0.69, 1 }, "incoherent" },
	{ { 1, 1, 0.69, 1, 1 }, "incoherent" },
	{ { NONE, NONE, NONE, 0.85, NONE }, "near_duplicate" },
	{ { NONE, NONE, 0.85, 0.85, NONE }, "near_duplicate" },
	{ { NONE, NONE, 0.84, 0.85, NONE }, "corroborated" },
	{ { 0.7, NONE, 0.85, NONE, NONE }, "near_duplicate" },
	{ { 0.69, NONE, 0.85, 0.69, NONE }, "corroborated" },
	{ { NONE, NONE, 1, NONE, NONE }, "weak" },
	{ { NONE, 0.85, NONE, NONE, NONE }, "similar" },
	{ { 1, 0.85, 0.84, 0.5, NONE }, "similar" },
	{ { NONE, 0.85, 0.85, NONE, NONE }, "near_duplicate" },
	{ { 0.7, NONE, 0.6, NONE, NONE }, "corroborated" },
	{ { 1, NONE, 0.59, 0.59, NONE }, "title_only" },
	{ { 0.85, NONE, NONE, NONE, NONE }, "title_only" },
	{ { 0.84, NONE, NONE, NONE, NONE }, "weak" },
	{ { 0.69, 0.69, 0.69, 0.69, NONE }, "weak" },
	{ { NONE, NONE, NONE, NONE, 0.84 }, "weak" }, /* lmdb:// has parts of an INSTANCE */
	{ { NONE, NONE, NONE, NONE, NONE }, "weak" },
};

static void test_tier__is_decided_by_the_types_that_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *found = isx_tier_name(isx_tier_of(cases[i].scores));
		if (strcmp(found, cases[i].tier) != 0)
			fail_msg("case %zu: found %s", i, found);
	}
}

static void test_tier__a_better_kind_is_a_higher_tier(void **state)
{
	(void)state;
	static const char *const names[] = { "incoherent",   "weak",    "title_only",
					     "corroborated", "similar", "near_duplicate",
					     "exact" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_string_equal(isx_tier_name((enum isx_tier)i), names[i]);
}

static void test_tier__weighs_the_types_that_are_there(void **state)
{
	(void)state;
	const double two[ISX_TIER_TYPES] = { 1, 0.9, NONE, NONE, NONE };
	assert_true(isx_tier_score(ISX_TIER_SIMILAR, two) == (0.5 * 1 + 2.0 * 0.9) / 2.5);
	const double all[ISX_TIER_TYPES] = { 0.5, 0.6, 0.7, 0.8, 1 };
	const double mean = (0.5 * 0.5 + 2.0 * 0.6 + 0.8 * 0.7 + 0.3 * 0.8 + 0.5) / 4.1;
	assert_true(fabs(isx_tier_score(ISX_TIER_EXACT, all) - mean) < 1e-15);
	const double none[ISX_TIER_TYPES] = { NONE, NONE, NONE, NONE, NONE };
	assert_true(isx_tier_score(ISX_TIER_WEAK, none) == 0);
}

/* A weak match stands on one type: CONTENT alone tells less than DATA alone. */
static void test_tier__a_weak_match_is_as_reliable_as_its_best_type(void **state)
{
	(void)state;
	static const double reliability[ISX_TIER_TYPES] = { 0.9, 1.0, 0.8, 0.95, 1.0 };
	for (size_t i = 0; i < ISX_TIER_TYPES; i++) {
		double scores[ISX_TIER_TYPES] = { NONE, NONE, NONE, NONE, NONE };
		scores[i] = 0.8;
		double weak = isx_tier_score(ISX_TIER_WEAK, scores);
		assert_true(fabs(weak - 0.8 * reliability[i]) < 1e-15);
		assert_true(fabs(isx_tier_score(ISX_TIER_CORROBORATED, scores) - 0.8) < 1e-15);
	}
}

static void test_tier__knows_the_main_types(void **state)
{
	(void)state;
	assert_int_equal(isx_tier_type("META_NONE_V0"), ISX_TIER_META);
	assert_int_equal(isx_tier_type("SEMANTIC_TEXT_V0"), ISX_TIER_SEMANTIC);
	assert_int_equal(isx_tier_type("SEMANTIC_MIXED_V1"), ISX_TIER_SEMANTIC);
	assert_int_equal(isx_tier_type("CONTENT_IMAGE_V0"), ISX_TIER_CONTENT);
	assert_int_equal(isx_tier_type("DATA_NONE_V0"), ISX_TIER_DATA);
	assert_int_equal(isx_tier_type("INSTANCE_NONE_V0"), ISX_TIER_INSTANCE);
	assert_int_equal(isx_tier_type("FLAKE_NONE_V0"), ISX_TIER_TYPES);
	assert_int_equal(isx_tier_type("METADATA"), ISX_TIER_TYPES);
	assert_int_equal(isx_tier_type(""), ISX_TIER_TYPES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tier__is_decided_by_the_types_that_agree),
		cmocka_unit_test(test_tier__a_better_kind_is_a_higher_tier),
		cmocka_unit_test(test_tier__weighs_the_types_that_are_there),
		cmocka_unit_test(test_tier__a_weak_match_is_as_reliable_as_its_best_type),
		cmocka_unit_test(test_tier__knows_the_main_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
