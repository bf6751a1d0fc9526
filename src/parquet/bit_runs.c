/*
 * bit_runs.c - reads runs of equal values and of packed ones.
 *
 * A run begins with a varint. Its lowest bit tells the kind; the rest is the number of repetitions, whose
 * value follows in whole bytes, or the number of groups of eight packed values.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "parquet/bit_runs.h"

bool isx_bit_runs_start(struct isx_bit_runs *runs, struct isx_span bytes, unsigned width)
{
	*runs = (struct isx_bit_runs){ .at = (const uint8_t *)bytes.ptr,
				       .end = (const uint8_t *)bytes.ptr + bytes.len,
				       .width = width };
	return width <= 32;
}

/* A number of at most 32 bits. */
static bool read_head(struct isx_bit_runs *runs, uint32_t *head)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 35 && runs->at != runs->end; shift += 7) {
		uint8_t byte = *runs->at++;
		value |= (uint64_t)(byte & 0x7F) << shift;
		if (byte < 0x80) {
			*head = (uint32_t)value;
			return value <= UINT32_MAX;
		}
	}
	return false;
}

/* Runs may be empty: each of them takes a byte at least, so the loop of the caller ends. */
static bool begin_run(struct isx_bit_runs *runs)
{
	uint32_t head;
	size_t bytes = (runs->width + 7) / 8;
	if (!read_head(runs, &head))
		return false;
	runs->is_packed = head & 1;
	runs->bit = 0;
	runs->left = runs->is_packed ? (uint64_t)(head >> 1) * 8 : head >> 1;
	if (runs->is_packed)
		return true;
	if ((size_t)(runs->end - runs->at) < bytes)
		return false;
	runs->repeat = 0;
	for (size_t i = 0; i < bytes; i++)
		runs->repeat |= (uint32_t)*runs->at++ << (8 * i);
	return runs->width == 32 || runs->repeat >> runs->width == 0;
}

/* Values begin at the lowest bit. The last group of a page may lack the bytes of values that it does not
 * have, so only the bytes of this value must be there. */
static bool read_packed(struct isx_bit_runs *runs, uint32_t *value)
{
	unsigned bits = runs->bit + runs->width;
	uint64_t word = 0;
	if ((size_t)(runs->end - runs->at) < (bits + 7) / 8)
		return false;
	for (unsigned i = 0; i < (bits + 7) / 8; i++)
		word |= (uint64_t)runs->at[i] << (8 * i);
	*value = (uint32_t)(word >> runs->bit & (((uint64_t)1 << runs->width) - 1));
	runs->at += bits / 8;
	runs->bit = bits % 8;
	return true;
}

bool isx_bit_runs_next(struct isx_bit_runs *runs, uint32_t *value)
{
	while (runs->left == 0)
		if (!begin_run(runs))
			return false;
	runs->left--;
	*value = runs->repeat;
	return !runs->is_packed || read_packed(runs, value);
}
