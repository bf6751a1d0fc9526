/*
 * kernel_neon.c - NEON: eight rows at a time, a popcount per byte in one instruction.
 *
 * A body is loaded as two halves of 16, 8 or 4 bytes, one at its start and one at its end; the
 * bytes in which they overlap are masked in the second. So nothing behind the compared bytes is
 * read, at any length of 4 or more. Tested under an emulator only (tests/arm): its speed is not
 * measured.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scan/kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/* A body of more than 16 bytes fills both; a shorter one lies in `first` alone, both of its
 * halves, and `second` is 0. */
struct body {
	uint8x16_t first;
	uint8x16_t second;
};

/* The query, loaded like a body, and which bytes count. */
struct pattern {
	struct body query;
	struct body mask;
	size_t second; /* offset of the second half in the body */
};

ALWAYS_INLINE struct body load_body(const uint8_t *body, size_t second, size_t half)
{
	if (half == 16)
		return (struct body){ vld1q_u8(body), vld1q_u8(body + second) };
	uint64_t low = 0, high = 0;
	memcpy(&low, body, half);
	memcpy(&high, body + second, half);
	if (half == 4)
		low |= high << 32, high = 0;
	return (struct body){ vcombine_u8(vcreate_u8(low), vcreate_u8(high)), vdupq_n_u8(0) };
}

/* Differing bits of one row, as 16 counts of at most 16. */
ALWAYS_INLINE uint8x16_t count_row(const uint8_t *at, const struct pattern *pattern, size_t half)
{
	const struct body body = load_body(at, pattern->second, half);
	uint8x16_t bits = veorq_u8(body.first, pattern->query.first);
	if (half < 16)
		return vcntq_u8(vandq_u8(bits, pattern->mask.first));
	uint8x16_t counts = vcntq_u8(bits); /* no byte of the first half is masked */
	bits = vandq_u8(veorq_u8(body.second, pattern->query.second), pattern->mask.second);
	return vaddq_u8(counts, vcntq_u8(bits));
}

/* Count four rows: two sums of 16 bits for each, in the order of the rows. Counts of a byte do
 * not overflow: of one row at most 16 each, and two are added at a time. */
ALWAYS_INLINE uint16x8_t count_four(const uint8_t *body, size_t row_bytes,
				    const struct pattern *pattern, size_t half)
{
	uint8x16_t a = count_row(body, pattern, half);
	uint8x16_t b = count_row(body + row_bytes, pattern, half);
	uint8x16_t c = count_row(body + 2 * row_bytes, pattern, half);
	uint8x16_t d = count_row(body + 3 * row_bytes, pattern, half);
	return vpaddlq_u8(vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d)));
}

ALWAYS_INLINE struct pattern make_pattern(const struct isx_scan *scan, size_t half)
{
	static const uint8_t positions[16] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	};
	const uint8x16_t at = vld1q_u8(positions);
	const uint8x16_t twice_end = vdupq_n_u8((uint8_t)(3 * half - scan->bytes));
	const uint8x16_t is_first = vcltq_u8(at, vdupq_n_u8((uint8_t)half));
	struct pattern pattern = { .second = scan->bytes - half };
	pattern.query = load_body(scan->query, pattern.second, half);
	pattern.mask.first = vorrq_u8(is_first, vcgeq_u8(at, twice_end));
	pattern.mask.second = vcgeq_u8(vaddq_u8(at, vdupq_n_u8(16)), twice_end);
	return pattern;
}

/* Needs ISX_SCAN_BLOCK rows at least, as the last block is moved back to be a whole one. */
ALWAYS_INLINE size_t scan_blocks(const struct isx_scan *scan, struct isx_hit *hits, size_t half)
{
	static const uint16_t bit_of_row[ISX_SCAN_BLOCK] = { 1, 2, 4, 8, 16, 32, 64, 128 };
	const struct pattern pattern = make_pattern(scan, half);
	const uint32_t bits = 8 * ISX_SCAN_BYTES_MAX;
	const uint16x8_t lane_bits = vld1q_u16(bit_of_row);
	const uint16x8_t limit =
		vdupq_n_u16((uint16_t)(scan->distance_max < bits ? scan->distance_max : bits));
	const uint8_t *bodies = scan->rows + ISX_ROW_KEY_BYTES;
	size_t found = 0;
	for (size_t row = 0; row < scan->count; row += ISX_SCAN_BLOCK) {
		unsigned is_new = 0xFF;
		if (row + ISX_SCAN_BLOCK > scan->count) {
			/* the last block is moved back over rows that were compared already */
			is_new <<= row + ISX_SCAN_BLOCK - scan->count;
			row = scan->count - ISX_SCAN_BLOCK;
		}
		const uint8_t *body = bodies + row * scan->row_bytes;
		uint16x8_t a = count_four(body, scan->row_bytes, &pattern, half);
		uint16x8_t b = count_four(body + 4 * scan->row_bytes, scan->row_bytes, &pattern,
					  half);
		uint16x8_t distances = vpaddq_u16(a, b);
		uint16x8_t near = vandq_u16(vcleq_u16(distances, limit), lane_bits);
		unsigned lanes = vaddvq_u16(near) & is_new;
		if (__builtin_expect(lanes == 0, 1))
			continue;
		uint32_t values[ISX_SCAN_BLOCK];
		vst1q_u32(values, vmovl_u16(vget_low_u16(distances)));
		vst1q_u32(values + 4, vmovl_u16(vget_high_u16(distances)));
		found = isx_scan_keep(values, lanes, row, hits, found);
	}
	return found;
}

size_t isx_scan_neon(const struct isx_scan *scan, struct isx_hit *hits)
{
	if (scan->count < ISX_SCAN_BLOCK || scan->bytes < 4)
		return isx_scan_scalar(scan, hits);
	if (scan->bytes < 8)
		return scan_blocks(scan, hits, 4);
	if (scan->bytes < 16)
		return scan_blocks(scan, hits, 8);
	return scan_blocks(scan, hits, 16);
}

void isx_scan_many_neon(const struct isx_scan_many *scan)
{
	for (size_t i = 0; i < scan->query_count; i++)
		isx_scan_one(scan, &scan->queries[i], isx_scan_neon);
}
#endif
