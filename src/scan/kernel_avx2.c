/*
 * kernel_avx2.c - AVX2: four rows at a time, popcount by a table of nibbles in a register.
 *
 * Loads are masked by 32-bit words; other lengths than multiples of 32 bits go to the scalar
 * kernel. SPDX-License-Identifier: Apache-2.0
 */
#include "scan/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* All ones in the first `words` 32-bit words. */
AVX2 static inline __m256i word_mask(size_t words)
{
	const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
	return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)words), index);
}

/* Differing bits of one row, as four counts. */
AVX2 static inline __m256i row_counts(const uint8_t *body, __m256i query, __m256i mask)
{
	const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1,
					       1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
	const __m256i nibble = _mm256_set1_epi8(0x0F);
	__m256i bits = _mm256_maskload_epi32((const int *)(const void *)body, mask);
	bits = _mm256_xor_si256(bits, query);
	__m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(bits, nibble));
	__m256i high = _mm256_shuffle_epi8(table,
					   _mm256_and_si256(_mm256_srli_epi16(bits, 4), nibble));
	return _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256());
}

/* The four distances of four rows, as 64-bit numbers in their order. */
AVX2 static inline __m256i four_distances(const uint8_t *body, size_t row_bytes, __m256i query,
					  __m256i mask)
{
	__m256i a = row_counts(body, query, mask);
	__m256i b = row_counts(body + row_bytes, query, mask);
	__m256i c = row_counts(body + 2 * row_bytes, query, mask);
	__m256i d = row_counts(body + 3 * row_bytes, query, mask);
	__m256i ab = _mm256_add_epi64(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
	__m256i cd = _mm256_add_epi64(_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
	return _mm256_add_epi64(_mm256_permute2x128_si256(ab, cd, 0x20),
				_mm256_permute2x128_si256(ab, cd, 0x31));
}

AVX2 size_t isx_scan_avx2(const struct isx_scan *scan, struct isx_hit *hits)
{
	if (scan->bytes % 4)
		return isx_scan_scalar(scan, hits);
	const size_t stride = scan->row_bytes;
	const __m256i mask = word_mask(scan->bytes / 4);
	const __m256i query = _mm256_maskload_epi32((const int *)(const void *)scan->query, mask);
	const __m256i beyond = _mm256_set1_epi64x((long long)scan->distance_max + 1);
	const uint8_t *body = scan->rows + ISX_ROW_KEY_BYTES;
	size_t row = 0, found = 0;
	for (; row + 4 <= scan->count; row += 4, body += 4 * stride) {
		__m256i distances = four_distances(body, stride, query, mask);
		__m256i near = _mm256_cmpgt_epi64(beyond, distances);
		unsigned lanes = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(near));
		if (__builtin_expect(lanes == 0, 1))
			continue;
		uint64_t values[4];
		_mm256_storeu_si256((__m256i *)(void *)values, distances);
		for (; lanes; lanes &= lanes - 1) {
			size_t lane = (size_t)__builtin_ctz(lanes);
			hits[found++] = (struct isx_hit){ (uint32_t)(row + lane),
							  (uint32_t)values[lane] };
		}
	}
	return isx_scan_tail(scan, row, hits, found);
}
#endif
