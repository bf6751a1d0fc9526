/*
 * chance.c - p-values of distances, and the significance of a match.
 *
 * Knows neither assets nor queries. The formulas and their sources are in chance.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/chance.h"

#include <math.h>

/* How a sample is read; docs/scores.md has the measurements behind these numbers.
 *   PAIRS_KNOWN  so many pairs within a distance measure its probability: the standard error is a
 *                quarter. (A far pair may stand for up to 256, sim_calibrate.c; then one is enough.
 *                That concerns distances far above those of the usual thresholds.)
 *   PAIRS_MIN    so many pairs, where random codes would have UNEXPECTED, are more than accident: a
 *                sample of random codes has them once in 6,000 cases */
enum { PAIRS_KNOWN = 16, PAIRS_MIN = 3 };
static const double UNEXPECTED = 0.1;

/* --- the p-value of a distance ---------------------------------------------------------------- */

/* The binomial tail. Every term is a double: the least is 2^-256, the largest below 1. A sum of
 * positive terms loses nothing, so the relative error stays below 1e-13. */
static void fill_random(struct isx_chance_tail *tail)
{
	const uint32_t bits = tail->bits;
	double term = ldexp(1, -(int)bits), sum = 0;
	for (uint32_t d = 0; d <= bits; d++) {
		sum += term;
		tail->log_p[d] = d < bits ? fmin(log(sum), 0) : 0; /* rounding may pass 1 */
		term *= (double)(bits - d) / (double)(d + 1);
	}
}

/* What a sample says of distances that are too rare in it to be counted: p falls from log_p at the
 * distance `from` by `log_ratio` with each bit less. A log_p of -infinity: it says nothing. */
struct rare_tail {
	uint32_t from;
	double log_p;
	double log_ratio;
};

/* The distances beyond a high threshold are taken for exponential, the form to which the tails of
 * most distributions converge (J. Pickands, Statistical inference using extreme order statistics,
 * Annals of Statistics 3, 1975); on whole bits, by the estimate of maximum likelihood.
 *   known   the least distance that PAIRS_KNOWN pairs reach
 *   random  p-values of random codes over sample->bits */
static struct rare_tail fit_rare(const struct isx_chance_sample *sample, uint32_t known,
				 const struct isx_chance_tail *random)
{
	struct rare_tail rare = { 0, -INFINITY, 0 };
	uint64_t pairs = 0, excess = 0;
	for (uint32_t d = 0; d <= known; d++) {
		if ((double)sample->pairs * exp(random->log_p[d]) > UNEXPECTED)
			break; /* random codes come so near, too: nothing can be told from these */
		excess += pairs; /* each pair counted before is one bit farther from here */
		pairs += sample->counts[d];
		rare.from = d;
	}
	if (pairs < PAIRS_MIN)
		return rare;
	rare.log_p = log((double)pairs / (double)sample->pairs);
	rare.log_ratio = log((double)excess / (double)(pairs + excess));
	return rare;
}

/* Raise the p-values to those that were measured. The sample may be of fewer bits: then a distance
 * stands for the one with the same share of differing bits, or the next larger one. */
static void raise_to_sample(struct isx_chance_tail *tail, const struct isx_chance_sample *sample)
{
	struct isx_chance_tail random = { .bits = sample->bits };
	uint64_t within[ISX_CHANCE_BITS_MAX + 1], pairs = 0; /* pairs at most so far away */
	uint32_t known = 0;
	for (uint32_t d = 0; d <= sample->bits; d++) {
		within[d] = pairs += sample->counts[d];
		if (pairs < PAIRS_KNOWN && d < sample->bits)
			known = d + 1;
	}
	fill_random(&random);
	const struct rare_tail rare = fit_rare(sample, known, &random);
	for (uint32_t d = 0; d < tail->bits; d++) {
		uint32_t at = (d * sample->bits + tail->bits - 1) / tail->bits;
		double log_p = rare.log_p;
		if (at >= known)
			log_p = log((double)within[at] / (double)sample->pairs);
		else if (at < rare.from && isfinite(log_p))
			log_p += rare.log_ratio * (double)(rare.from - at);
		tail->log_p[d] = fmax(tail->log_p[d], log_p);
	}
}

const struct isx_chance_sample *isx_distances_sample(const struct isx_distances *distances,
						     uint32_t bits)
{
	const struct isx_chance_sample *best = NULL;
	for (size_t i = 0; distances && i < ISX_SAMPLE_LENGTHS; i++)
		if (distances->samples[i].pairs && distances->samples[i].bits <= bits)
			best = &distances->samples[i];
	return best;
}

void isx_chance_tail_fill(struct isx_chance_tail *tail, uint32_t bits,
			  const struct isx_chance_sample *sample)
{
	tail->bits = bits;
	fill_random(tail);
	if (sample && sample->pairs)
		raise_to_sample(tail, sample);
}

/* --- the significance of a match -------------------------------------------------------------- */

/* The p-value of the best of several units: at most their sum, and 1. */
static double log_p_of_best(double log_p, size_t units)
{
	return fmin(log_p + log((double)units), 0);
}

struct isx_chance_part isx_chance_part(const struct isx_chance_tail *tail, uint32_t distance,
				       uint32_t distance_max, uint64_t rows, size_t queried)
{
	return (struct isx_chance_part){ log_p_of_best(tail->log_p[distance], queried),
					 log_p_of_best(tail->log_p[distance_max], queried), rows };
}

struct isx_chance_part isx_chance_part_equal(uint32_t bits, uint64_t rows, size_t queried)
{
	double log_p = log_p_of_best(-(double)bits * M_LN2, queried);
	return (struct isx_chance_part){ log_p, log_p, rows };
}

double isx_chance_log_expect_part(const struct isx_chance_part *part)
{
	return log((double)part->rows) + part->log_p;
}

/* Sort ascending, by insertion: there are as many values as types in a query. */
static void sort_values(double *values, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		double value = values[i];
		size_t at = i;
		for (; at > 0 && values[at - 1] > value; at--)
			values[at] = values[at - 1];
		values[at] = value;
	}
}

/* The logarithm of Fisher's product: of `count` p-values with the product w, whose thresholds have
 * the product w * e^slack. */
static double log_fisher(double log_w, double slack, size_t count)
{
	double term = 1, sum = 1;
	for (size_t j = 1; j < count; j++) {
		term *= slack / (double)j;
		sum += term;
	}
	return log_w + log(sum);
}

/* How many choices of `count` from `from` there are. */
static double choices(size_t from, size_t count)
{
	double product = 1;
	for (size_t i = 0; i < count; i++)
		product = product * (double)(from - i) / (double)(i + 1);
	return product;
}

double isx_chance_log_expect(const struct isx_chance_part *parts, size_t count, size_t queried)
{
	double log_p[ISX_UNITS_MAX], slack[ISX_UNITS_MAX], log_w = 0, slack_sum = 0;
	uint64_t rows = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		log_p[i] = parts[i].log_p;
		slack[i] = parts[i].log_reach - parts[i].log_p;
		rows = parts[i].rows < rows ? parts[i].rows : rows;
	}
	/* Floating point addition depends on the order of its terms: equal parts under other types
	 * have to tie. */
	sort_values(log_p, count);
	sort_values(slack, count);
	for (size_t i = 0; i < count; i++) {
		log_w += log_p[i];
		slack_sum += slack[i];
	}
	return log((double)rows) + log(choices(queried, count)) +
	       log_fisher(log_w, slack_sum, count);
}
