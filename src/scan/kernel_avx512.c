/*
 * kernel_avx512.c - AVX-512 with VPOPCNTDQ: four rows at a time, a popcount per 64 bits in one
 *                   instruction.
 *
 * Loads are masked to the compared bytes, which serves every length and never reads beyond a row.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scan/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vpopcntdq")))

/* Differing bits of one row, as four counts. */
AVX512 static inline __m256i row_counts(const uint8_t *body, __m256i query, __mmask32 compared)
{
	__m256i bits = _mm256_maskz_loadu_epi8(compared, body);
	return _mm256_popcnt_epi64(_mm256_xor_si256(bits, query));
}

/* The four distances of four rows, as 64-bit numbers in their order. */
AVX512 static inline __m256i four_distances(const uint8_t *body, size_t row_bytes, __m256i query,
					    __mmask32 compared)
{
	__m256i a = row_counts(body, query, compared);
	__m256i b = row_counts(body + row_bytes, query, compared);
	__m256i c = row_counts(body + 2 * row_bytes, query, compared);
	__m256i d = row_counts(body + 3 * row_bytes, query, compared);
	__m256i ab = _mm256_add_epi64(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
	__m256i cd = _mm256_add_epi64(_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
	return _mm256_add_epi64(_mm256_permute2x128_si256(ab, cd, 0x20),
				_mm256_permute2x128_si256(ab, cd, 0x31));
}

AVX512 static inline size_t keep_hits(__m256i distances, __mmask8 near, size_t row,
				      struct isx_hit *hits, size_t found)
{
	uint64_t values[4];
	_mm256_storeu_si256((__m256i *)(void *)values, distances);
	for (; near; near = (__mmask8)(near & (near - 1))) {
		size_t lane = (size_t)__builtin_ctz(near);
		hits[found++] = (struct isx_hit){ (uint32_t)(row + lane), (uint32_t)values[lane] };
	}
	return found;
}

AVX512 size_t isx_scan_avx512(const struct isx_scan *scan, struct isx_hit *hits)
{
	const size_t stride = scan->row_bytes;
	const __mmask32 compared = 0xFFFFFFFFu >> (32 - scan->bytes);
	const __m256i query = _mm256_maskz_loadu_epi8(compared, scan->query);
	const __m256i limit = _mm256_set1_epi64x(scan->distance_max);
	const uint8_t *body = scan->rows + ISX_ROW_KEY_BYTES;
	size_t row = 0, found = 0;
	for (; row + 8 <= scan->count; row += 8, body += 8 * stride) {
		__m256i low = four_distances(body, stride, query, compared);
		__m256i high = four_distances(body + 4 * stride, stride, query, compared);
		__mmask8 low_near = _mm256_cmple_epu64_mask(low, limit);
		__mmask8 high_near = _mm256_cmple_epu64_mask(high, limit);
		if (__builtin_expect(low_near | high_near, 0)) {
			found = keep_hits(low, low_near, row, hits, found);
			found = keep_hits(high, high_near, row + 4, hits, found);
		}
	}
	return isx_scan_tail(scan, row, hits, found);
}
#endif
