/*
 * delta.h - reads Parquet's DELTA_BINARY_PACKED: whole numbers as differences, in blocks of packed bits.
 * Format: https://github.com/apache/parquet-format/blob/master/Encodings.md
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_DELTA_H
#define ISX_DELTA_H

#include "parquet/thrift.h"

/* The bytes are borrowed. */
struct isx_delta {
	struct isx_thrift bytes; /* from the next miniblock or block on */
	uint64_t left;           /* values left */
	uint64_t value;          /* the last one; before the first one, the first one */
	bool is_begun;           /* the first value, which the header has, was read */
	uint64_t mini_values;    /* values of a miniblock */
	uint64_t block_minis;    /* miniblocks of a block */
	/* The present block. */
	uint64_t least;         /* is added to every difference */
	struct isx_span widths; /* bits of a difference, for each miniblock that is left */
	/* The present miniblock. */
	const uint8_t *at; /* the next difference, from the bit `bit` on */
	unsigned bit, width;
	uint64_t mini_left; /* differences left */
};

/* Start to read. False if `bytes` do not begin with the header of such numbers. */
bool isx_delta_start(struct isx_delta *delta, struct isx_span bytes);

/* The next number: its lowest 32 bits for a column of 32 bits. False behind the last one, and if the bytes
 * are damaged. */
bool isx_delta_next(struct isx_delta *delta, uint64_t *value);

/* The bytes behind all numbers, of which none is read. False if they are damaged. */
bool isx_delta_rest(const struct isx_delta *delta, struct isx_span *rest);

#endif
