/*
 * bit_runs.h - reads Parquet's "RLE / bit-packing hybrid": definition levels, indexes into a dictionary,
 *              and bools.
 * Format: https://github.com/apache/parquet-format/blob/master/Encodings.md
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_BIT_RUNS_H
#define ISX_BIT_RUNS_H

#include "base/span.h"

/* The bytes are borrowed. */
struct isx_bit_runs {
	const uint8_t *at, *end;
	unsigned width; /* bits of a value, 0 to 32 */
	uint64_t left;  /* values left of this run */
	bool is_packed; /* values of this run differ: they stand one behind the other, from `at` on */
	unsigned bit;   /* of the byte at `at`, where the next packed value begins */
	uint32_t repeat; /* the value of a run that is not packed */
};

/* Start to read values of `width` bits. False if that are more than 32. */
bool isx_bit_runs_start(struct isx_bit_runs *runs, struct isx_span bytes, unsigned width);

/* The next value. False if the bytes end before it, or are no such runs. */
bool isx_bit_runs_next(struct isx_bit_runs *runs, uint32_t *value);

#endif
