/*
 * delta.c - reads whole numbers that are stored as differences.
 *
 * A header has the size of a block, the number of its miniblocks, the number of values, and the first value.
 * A block begins with its least difference and the widths of its miniblocks; a miniblock has its differences
 * without the least one, in `width` bits each, and is as long as if it were full. Sums wrap around, as those of
 * the writer did.
 * Nothing is allocated, and the cost is linear in the bytes: a value may cost none, so the number of values is bounded by
 * the caller, who knows that of the page.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "parquet/delta.h"

enum { WIDTH_MAX = 64 };

bool isx_delta_start(struct isx_delta *delta, struct isx_span bytes)
{
	*delta = (struct isx_delta){
		.bytes = { .at = (const uint8_t *)bytes.ptr,
			   .end = (const uint8_t *)bytes.ptr + bytes.len },
	};
	uint64_t block_values = isx_thrift_varint(&delta->bytes);
	delta->block_minis = isx_thrift_varint(&delta->bytes);
	delta->left = isx_thrift_varint(&delta->bytes);
	delta->value = (uint64_t)isx_thrift_int(&delta->bytes, ISX_THRIFT_I64);
	if (delta->bytes.failed || block_values > INT32_MAX || delta->left > INT32_MAX ||
	    delta->block_minis == 0 || block_values % delta->block_minis != 0)
		return false;
	delta->mini_values = block_values / delta->block_minis;
	/* So that a miniblock ends at a whole byte, whatever its width is. */
	return delta->mini_values > 0 && delta->mini_values % 8 == 0;
}

/* Cut bytes off. */
static bool cut(struct isx_thrift *bytes, uint64_t count, struct isx_span *piece)
{
	if (bytes->failed || count > (uint64_t)(bytes->end - bytes->at))
		return false;
	*piece = (struct isx_span){ (const char *)bytes->at, (size_t)count };
	bytes->at += count;
	return true;
}

/* Step to the next miniblock, and to the next block before. */
static bool begin_mini(struct isx_delta *delta)
{
	struct isx_span packed;
	if (delta->widths.len == 0) {
		delta->least = (uint64_t)isx_thrift_int(&delta->bytes, ISX_THRIFT_I64);
		if (!cut(&delta->bytes, delta->block_minis, &delta->widths))
			return false;
	}
	delta->width = (unsigned char)delta->widths.ptr[0];
	delta->widths = isx_span_skip(delta->widths, 1);
	if (delta->width > WIDTH_MAX ||
	    !cut(&delta->bytes, delta->mini_values / 8 * delta->width, &packed))
		return false;
	delta->at = (const uint8_t *)packed.ptr;
	delta->bit = 0;
	delta->mini_left = delta->mini_values;
	return true;
}

/* Read a difference. Its bits begin at the lowest one of a byte; begin_mini() has made sure that they are there. */
static uint64_t read_difference(struct isx_delta *delta)
{
	uint64_t value = 0;
	for (unsigned got = 0; got < delta->width;) {
		unsigned left = delta->width - got, here = 8 - delta->bit;
		unsigned take = left < here ? left : here;
		uint64_t bits = *delta->at >> delta->bit & ((1u << take) - 1);
		value |= bits << got;
		got += take;
		delta->bit = (delta->bit + take) % 8;
		delta->at += delta->bit == 0;
	}
	return value;
}

bool isx_delta_next(struct isx_delta *delta, uint64_t *value)
{
	if (delta->left == 0)
		return false;
	if (delta->is_begun) {
		if (delta->mini_left == 0 && !begin_mini(delta))
			return false;
		delta->mini_left--;
		delta->value += delta->least + read_difference(delta);
	}
	delta->is_begun = true;
	delta->left--;
	*value = delta->value;
	return true;
}

/* The differences are stepped over, miniblock by miniblock. */
bool isx_delta_rest(const struct isx_delta *delta, struct isx_span *rest)
{
	struct isx_delta walk = *delta;
	uint64_t differences = walk.left ? walk.left - 1 : 0;
	while (differences) {
		if (!begin_mini(&walk))
			return false;
		differences -= differences < walk.mini_values ? differences : walk.mini_values;
	}
	return cut(&walk.bytes, (uint64_t)(walk.bytes.end - walk.bytes.at), rest);
}
