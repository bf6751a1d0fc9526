/*
 * chance.h - how many assets would match so well by chance.
 *
 * The p-value of a distance is the probability that a unit of an unrelated asset is at most so far
 * away. For random codes it is the tail of the binomial distribution of (compared bits, 1/2). Real
 * codes are not random, so it is the larger one of this tail and of the tail that was measured
 * between sampled assets of the index (struct isx_chance_sample), which says more about titles that
 * resemble each other than any formula.
 *
 * The p-values of the types that reached the threshold are combined by Fisher's product: for k
 * independent p-values of unrelated assets, the probability that all of them are within their
 * thresholds a_1 .. a_k and that their product is at most w is
 *
 *     w * sum of (ln(a_1 * ... * a_k / w))^j / j!  for j = 0 .. k - 1
 *
 * (R. A. Fisher, Statistical Methods for Research Workers, 4th ed., 1932, section 21.1; with
 * thresholds: D. V. Zaykin et al., Truncated product method for combining P-values, Genetic
 * Epidemiology 22, 2002). docs/scores.md has the formula with its assumptions and measurements.
 *
 * Logarithms are natural ones: the tail of 256 equal bits is 2^-256, and products of several such
 * are below the smallest double. All functions are pure, and safe from any thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CHANCE_H
#define ISX_CHANCE_H

#include "base/limits.h"

#include <stddef.h>
#include <stdint.h>

enum { ISX_CHANCE_BITS_MAX = ISX_BODY_BYTES_MAX * 8 };

/* Distances between sampled assets of an index: of one unit type, compared over `bits`. Pairs that
 * are related, as another unit type tells, are not counted. Of pairs that are
 * far apart a part may have been counted, each as several. */
struct isx_chance_sample {
	uint32_t bits;
	uint64_t pairs;                           /* the sum of all counts */
	uint64_t counts[ISX_CHANCE_BITS_MAX + 1]; /* pairs at each distance, 0 to `bits` */
};

enum { ISX_SAMPLE_LENGTHS = 3 }; /* 64, 128 and 256 bits */

/* What was measured of one unit type in an index. */
struct isx_distances {
	uint64_t rows; /* of the type, when they were sampled; 0: they were not */
	struct isx_chance_sample samples[ISX_SAMPLE_LENGTHS]; /* of 64, 128 and 256 bits */
};

/* The sample by which units are judged that were compared over `bits`: of these or the most bits
 * below; NULL if there is none, as for less than 64 bits. For isx_chance_tail_fill().
 *   distances  may be NULL */
const struct isx_chance_sample *isx_distances_sample(const struct isx_distances *distances,
						     uint32_t bits);

/* The p-value of each distance, of one unit type compared over `bits`. */
struct isx_chance_tail {
	uint32_t bits;
	double log_p[ISX_CHANCE_BITS_MAX + 1]; /* by distance: rises, and ends with ln 1 */
};

/* Compute the p-values of all distances over `bits` bits (1 to 256).
 *   sample  measured for this type over `bits`, or over the most bits below; NULL or without
 *           pairs: random codes. It is not kept. */
void isx_chance_tail_fill(struct isx_chance_tail *tail, uint32_t bits,
			  const struct isx_chance_sample *sample);

/* What one unit type adds to the significance of a match. */
struct isx_chance_part {
	double log_p;     /* of the distance, for the best one of the queried units of the type */
	double log_reach; /* of the largest distance that counts; at least log_p */
	uint64_t rows;    /* units of the type in the index */
};

/* The part of a type whose score reached the threshold.
 *   distance      at most distance_max, the largest one that reaches the threshold
 *   queried       units of this type in the query: the best of them counts, so each is a chance */
struct isx_chance_part isx_chance_part(const struct isx_chance_tail *tail, uint32_t distance,
				       uint32_t distance_max, uint64_t rows, size_t queried);

/* The part of a type that matches by `bits` equal bits or not at all: an INSTANCE, and the common
 * prefix of a unit in lmdb://. */
struct isx_chance_part isx_chance_part_equal(uint32_t bits, uint64_t rows, size_t queried);

/* How many assets would match so well in this type by chance: ln(rows * p). */
double isx_chance_log_expect_part(const struct isx_chance_part *part);

/* How many assets would match so well by chance:
 *
 *     rows * C(queried, count) * Fisher's product
 *
 * with the fewest rows of all parts, as an asset needs a unit of each; any other choice of `count`
 * types could have matched instead. With one queried type it is isx_chance_log_expect_part(). Does
 * not depend on the order of the parts, to the last bit.
 *   parts    the types that reached their thresholds: 1 to ISX_UNITS_MAX
 *   queried  types of the query, at least `count`
 * Returns the logarithm; -infinity if there are no rows. */
double isx_chance_log_expect(const struct isx_chance_part *parts, size_t count, size_t queried);

#endif
