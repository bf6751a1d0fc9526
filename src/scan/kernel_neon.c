/*
 * kernel_neon.c - NEON: a row of 256 or 128 bits in one or two registers, a popcount per byte.
 *
 * Other lengths go to the scalar kernel, whose popcount is NEON's as well on this architecture.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scan/kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

static inline uint32_t distance256(const uint8_t *body, uint8x16_t low, uint8x16_t high)
{
	uint8x16_t a = vcntq_u8(veorq_u8(vld1q_u8(body), low));
	uint8x16_t b = vcntq_u8(veorq_u8(vld1q_u8(body + 16), high));
	return vaddlvq_u8(vaddq_u8(a, b)); /* at most 16 a byte: no overflow */
}

static inline uint32_t distance128(const uint8_t *body, uint8x16_t query)
{
	return vaddvq_u8(vcntq_u8(veorq_u8(vld1q_u8(body), query)));
}

size_t isx_scan_neon(const struct isx_scan *scan, struct isx_hit *hits)
{
	if (scan->bytes != 32 && scan->bytes != 16)
		return isx_scan_scalar(scan, hits);
	const bool is_256 = scan->bytes == 32;
	const uint8x16_t low = vld1q_u8(scan->query);
	const uint8x16_t high = vld1q_u8(scan->query + (is_256 ? 16 : 0));
	const uint8_t *body = scan->rows + ISX_ROW_KEY_BYTES;
	size_t found = 0;
	for (size_t row = 0; row < scan->count; row++, body += scan->row_bytes) {
		uint32_t distance = is_256 ? distance256(body, low, high) : distance128(body, low);
		if (__builtin_expect(distance <= scan->distance_max, 0))
			hits[found++] = (struct isx_hit){ (uint32_t)row, distance };
	}
	return found;
}
#endif
