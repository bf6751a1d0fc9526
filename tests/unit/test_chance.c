/*
 * test_chance.c - p-values of distances, read from samples or not, and the significance of a match.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/chance.h"
#include "support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect_near(double got, double wanted, double tolerance)
{
	if (!(fabs(got - wanted) <= tolerance))
		fail_msg("%.17g instead of %.17g", got, wanted);
}

/* --- random codes ----------------------------------------------------------------------------- */

/* Made with Python: fractions.Fraction for the sum, mpmath with 40 digits for the logarithm. */
static void test_chance__the_tail_of_random_codes_is_exact(void **state)
{
	static const struct {
		uint32_t bits, distance;
		double log_p;
	} cases[] = {
		{ 1, 0, -0.69314718055994531 },     { 8, 3, -1.0125779513263065 },
		{ 32, 8, -5.6549399273587964 },     { 64, 0, -44.3614195558365 },
		{ 64, 1, -40.187032285940863 },     { 64, 12, -15.292471542804311 },
		{ 64, 16, -10.160565817978427 },    { 64, 32, -0.59843103738957065 },
		{ 72, 20, -9.1724858309056668 },    { 96, 24, -14.539196080528907 },
		{ 128, 0, -88.722839111673 },       { 128, 19, -37.092496729516728 },
		{ 128, 32, -18.863710355930628 },   { 128, 60, -1.3162670918740813 },
		{ 192, 48, -27.432896482610655 },   { 256, 0, -177.445678223346 },
		{ 256, 1, -171.89660213845078 },    { 256, 12, -131.10253421280051 },
		{ 256, 64, -35.945865138827434 },   { 256, 100, -8.1789646879776078 },
		{ 256, 128, -0.64452930748306634 }, { 256, 255, 0.0 },
	};
	struct isx_chance_tail tail;
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		isx_chance_tail_fill(&tail, cases[i].bits, NULL);
		/* of the value itself: its logarithm may be as small as -1e-77 */
		expect_near(tail.log_p[cases[i].distance], cases[i].log_p,
			    1e-13 * fmax(1, fabs(cases[i].log_p)));
	}
}

/* P(distance <= d) + P(distance <= bits - d - 1) = 1, for every length that a body may have. */
static void test_chance__the_tails_of_both_sides_add_up_to_one(void **state)
{
	struct isx_chance_tail tail;
	(void)state;
	for (uint32_t bits = 1; bits <= ISX_CHANCE_BITS_MAX; bits++) {
		isx_chance_tail_fill(&tail, bits, NULL);
		assert_int_equal(tail.bits, bits);
		assert_true(tail.log_p[bits] == 0);
		for (uint32_t d = 0; d < bits; d++) {
			expect_near(exp(tail.log_p[d]) + exp(tail.log_p[bits - d - 1]), 1, 1e-13);
			assert_true(tail.log_p[d] <= tail.log_p[d + 1]);
		}
	}
}

/* --- samples ---------------------------------------------------------------------------------- */

static void put_pairs(struct isx_chance_sample *sample, uint32_t distance, uint64_t count)
{
	sample->counts[distance] += count;
	sample->pairs += count;
}

/* A sample that is as random codes would have it, to the nearest pair. */
static struct isx_chance_sample random_sample(uint32_t bits, double pairs)
{
	struct isx_chance_sample sample = { .bits = bits };
	struct isx_chance_tail tail;
	isx_chance_tail_fill(&tail, bits, NULL);
	for (uint32_t d = 0; d <= bits; d++) {
		double p = exp(tail.log_p[d]) - (d ? exp(tail.log_p[d - 1]) : 0);
		put_pairs(&sample, d, (uint64_t)nearbyint(p * pairs));
	}
	return sample;
}

static void expect_rising(const struct isx_chance_tail *tail)
{
	for (uint32_t d = 0; d < tail->bits; d++)
		assert_true(tail->log_p[d] <= tail->log_p[d + 1] && isfinite(tail->log_p[d]));
	assert_true(tail->log_p[tail->bits] == 0);
}

static void test_chance__a_sample_of_random_codes_changes_little(void **state)
{
	static const uint32_t lengths[] = { 64, 128, 256 };
	static const double sizes[] = { 0, 1, 15, 2016, 1e5, 8.4e6 };
	struct isx_chance_tail tail, random;
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		isx_chance_tail_fill(&random, lengths[i], NULL);
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			struct isx_chance_sample sample = random_sample(lengths[i], sizes[k]);
			isx_chance_tail_fill(&tail, lengths[i], &sample);
			expect_rising(&tail);
			for (uint32_t d = 0; d <= lengths[i]; d++)
				expect_near(tail.log_p[d], random.log_p[d], 0.1);
		}
	}
}

/* One accident in a sample of random codes: a pair, or two, that are equal. */
static void test_chance__two_pairs_are_no_evidence(void **state)
{
	struct isx_chance_sample sample = random_sample(64, 1e5);
	struct isx_chance_tail tail;
	(void)state;
	put_pairs(&sample, 0, 2);
	isx_chance_tail_fill(&tail, 64, &sample);
	expect_near(tail.log_p[0], -64 * log(2), 1e-9);
	put_pairs(&sample, 0, 1);
	isx_chance_tail_fill(&tail, 64, &sample);
	expect_near(tail.log_p[0], log(3 / (double)sample.pairs), 1);
}

static void test_chance__distances_that_are_common_are_measured(void **state)
{
	struct isx_chance_sample sample = random_sample(256, 1e6);
	struct isx_chance_tail tail;
	(void)state;
	put_pairs(&sample, 60, 500);
	put_pairs(&sample, 40, 50);
	put_pairs(&sample, 0, 16);
	isx_chance_tail_fill(&tail, 256, &sample);
	expect_rising(&tail);
	double pairs = (double)sample.pairs;
	expect_near(tail.log_p[0], log(16 / pairs), 1e-12);
	expect_near(tail.log_p[39], log(16 / pairs), 1e-12);
	expect_near(tail.log_p[40], log(66 / pairs), 1e-12);
	expect_near(tail.log_p[60], log(566 / pairs), 1e-12);
	expect_near(tail.log_p[64], log(566 / pairs), 1e-12);
}

/* Ten times fewer pairs with every 8 bits less: p goes on falling so where the sample has none. */
static void test_chance__rarer_distances_continue_the_tail(void **state)
{
	struct isx_chance_sample sample = random_sample(256, 1e7);
	struct isx_chance_tail tail;
	double within = 0;
	(void)state;
	for (uint32_t d = 0; d <= 80; d++) {
		double wanted = 1e6 * pow(10, -(80.0 - d) / 8);
		uint64_t more = (uint64_t)fmax(0, nearbyint(wanted - within));
		put_pairs(&sample, d, more);
		within += (double)more;
	}
	isx_chance_tail_fill(&tail, 256, &sample);
	expect_rising(&tail);
	for (uint32_t d = 0; d <= 80; d++)
		expect_near(tail.log_p[d] / log(10),
			    log10(1e6 / (double)sample.pairs) - (80.0 - d) / 8, 1.1);
	expect_near(tail.log_p[64] / log(10), log10(1e4 / (double)sample.pairs), 0.05);
}

static void test_chance__samples_that_say_everything_or_nothing(void **state)
{
	struct isx_chance_sample equal = { .bits = 128 }, opposite = { .bits = 128 };
	struct isx_chance_sample empty = { .bits = 128 };
	struct isx_chance_tail tail, random;
	(void)state;
	isx_chance_tail_fill(&random, 128, NULL);
	put_pairs(&equal, 0, 5000); /* all assets have one title */
	isx_chance_tail_fill(&tail, 128, &equal);
	for (uint32_t d = 0; d <= 128; d++)
		assert_true(tail.log_p[d] == 0);
	put_pairs(&opposite, 128, 5000);
	isx_chance_tail_fill(&tail, 128, &opposite);
	for (uint32_t d = 0; d <= 128; d++)
		assert_true(tail.log_p[d] == random.log_p[d]);
	isx_chance_tail_fill(&tail, 128, &empty);
	for (uint32_t d = 0; d <= 128; d++)
		assert_true(tail.log_p[d] == random.log_p[d]);
}

/* 96 bits are compared by the sample of 64: 24 bits of 96 are as much as 16 of 64. */
static void test_chance__a_shorter_sample_stands_for_the_same_share_of_bits(void **state)
{
	struct isx_chance_sample sample = random_sample(64, 1e6);
	struct isx_chance_tail tail, random;
	(void)state;
	put_pairs(&sample, 16, 10000);
	isx_chance_tail_fill(&tail, 96, &sample);
	isx_chance_tail_fill(&random, 96, NULL);
	expect_rising(&tail);
	expect_near(tail.log_p[24], log(10000 / 1e6), 0.1);
	/* 23 of 96 are 15.3 of 64, so 16; 22 are 14.7, so 15, which few pairs of the sample reach */
	expect_near(tail.log_p[23], log(10000 / 1e6), 0.1);
	assert_true(tail.log_p[22] == random.log_p[22]);
}

/* --- the significance of a match -------------------------------------------------------------- */

static void test_chance__one_type_is_rows_times_units_times_p(void **state)
{
	struct isx_chance_tail tail;
	(void)state;
	isx_chance_tail_fill(&tail, 64, NULL);
	struct isx_chance_part part = isx_chance_part(&tail, 12, 16, 1000000, 3);
	double wanted = log(1e6) + log(3) + tail.log_p[12];
	expect_near(isx_chance_log_expect_part(&part), wanted, 1e-12);
	expect_near(isx_chance_log_expect(&part, 1, 1), wanted, 1e-12);
	/* any of four types could have matched */
	expect_near(isx_chance_log_expect(&part, 1, 4), wanted + log(4), 1e-12);
	/* a probability is at most 1, however many units are asked */
	part = isx_chance_part(&tail, 32, 64, 1000, 50);
	expect_near(isx_chance_log_expect(&part, 1, 1), log(1000), 1e-12);
}

static void test_chance__an_equal_unit_has_the_probability_of_its_bits(void **state)
{
	struct isx_chance_part part = isx_chance_part_equal(256, 20000, 1);
	(void)state;
	expect_near(isx_chance_log_expect(&part, 1, 1), log(20000) - 256 * log(2), 1e-9);
	assert_true(part.log_reach == part.log_p);
	part = isx_chance_part_equal(64, 0, 1);
	assert_true(isinf(isx_chance_log_expect(&part, 1, 1)));
}

/* Made with Python and mpmath. */
static void test_chance__several_types_are_combined_by_fishers_product(void **state)
{
	const struct isx_chance_part parts[] = {
		{ log(1e-3), log(1e-2), 20000 },
		{ log(2e-5), log(1e-4), 19000 },
		{ log(1e-30), log(1e-9), 20000 },
	};
	(void)state;
	expect_near(isx_chance_log_expect(parts, 3, 4), -68.3087844328450023, 1e-10);
}

/* With thresholds of 1 the product is that of Fisher, 1932: its logarithm, times -2, has the
 * chi-squared distribution, here by simulation. */
static void test_chance__fishers_product_is_the_share_of_unrelated_assets(void **state)
{
	enum { ASSETS = 200000 };
	uint64_t seed = test_seed();
	size_t within = 0;
	const double reach[] = { 0.5, 0.2 };
	const struct isx_chance_part parts[] = { { log(0.1), log(reach[0]), ASSETS },
						 { log(0.05), log(reach[1]), ASSETS } };
	(void)state;
	for (size_t i = 0; i < ASSETS; i++) {
		double p = (double)test_random(&seed) / 0x1p64;
		double q = (double)test_random(&seed) / 0x1p64;
		within += p <= reach[0] && q <= reach[1] && p * q <= 0.1 * 0.05;
	}
	expect_near(exp(isx_chance_log_expect(parts, 2, 2)) / (double)within, 1, 0.1);
}

static void test_chance__the_order_of_types_changes_no_bit(void **state)
{
	uint64_t seed = test_seed();
	(void)state;
	for (size_t round = 0; round < 1000; round++) {
		struct isx_chance_part parts[5];
		for (size_t i = 0; i < 5; i++) {
			double log_p = -(double)(test_random(&seed) % 100000) / 997;
			parts[i] = (struct isx_chance_part){ log_p, log_p / 3,
							     test_random(&seed) % 1000 };
		}
		double wanted = isx_chance_log_expect(parts, 5, 8);
		for (size_t i = 4; i > 0; i--) {
			size_t other = test_random(&seed) % (i + 1);
			struct isx_chance_part held = parts[i];
			parts[i] = parts[other];
			parts[other] = held;
		}
		assert_true(isx_chance_log_expect(parts, 5, 8) == wanted);
	}
}

/* 64 types with the least probability there is: 2^-16384 is no double. */
static void test_chance__the_least_probabilities_stay_finite(void **state)
{
	struct isx_chance_part parts[ISX_UNITS_MAX];
	(void)state;
	for (size_t i = 0; i < ISX_UNITS_MAX; i++)
		parts[i] = isx_chance_part_equal(256, UINT64_MAX, 1);
	double log_expect = isx_chance_log_expect(parts, ISX_UNITS_MAX, ISX_UNITS_MAX);
	expect_near(log_expect, log(0x1p64) - 64 * 256 * log(2), 1e-8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chance__the_tail_of_random_codes_is_exact),
		cmocka_unit_test(test_chance__the_tails_of_both_sides_add_up_to_one),
		cmocka_unit_test(test_chance__a_sample_of_random_codes_changes_little),
		cmocka_unit_test(test_chance__two_pairs_are_no_evidence),
		cmocka_unit_test(test_chance__distances_that_are_common_are_measured),
		cmocka_unit_test(test_chance__rarer_distances_continue_the_tail),
		cmocka_unit_test(test_chance__samples_that_say_everything_or_nothing),
		cmocka_unit_test(test_chance__a_shorter_sample_stands_for_the_same_share_of_bits),
		cmocka_unit_test(test_chance__one_type_is_rows_times_units_times_p),
		cmocka_unit_test(test_chance__an_equal_unit_has_the_probability_of_its_bits),
		cmocka_unit_test(test_chance__several_types_are_combined_by_fishers_product),
		cmocka_unit_test(test_chance__fishers_product_is_the_share_of_unrelated_assets),
		cmocka_unit_test(test_chance__the_order_of_types_changes_no_bit),
		cmocka_unit_test(test_chance__the_least_probabilities_stay_finite),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
