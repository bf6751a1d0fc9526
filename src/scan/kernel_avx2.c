/*
 * kernel_avx2.c - AVX2: eight rows at a time, popcount by a table of nibbles in a register.
 *
 * A body of 32, 16 or 8 bytes is one load. Any other length is loaded as two parts of 16, 8 or 4
 * bytes, the first at the start of the body and the second at its end; the bytes in which they
 * overlap are masked in the second. So nothing behind the compared bytes is read, at any length of
 * 4 or more. Two bodies of up to 16 bytes share a register.
 *
 * vpmaskmov, which loads any number of words, is not used: with it, on Zen 4, a scan of more data
 * than the cache holds took 4.6 times as long (bench_scan), and a scan in the cache hardly longer.
 * The hardware seems not to prefetch for it; the cause is a guess, the time is measured.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scan/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define AVX2          __attribute__((target("avx2")))
#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/* How a body is loaded. Always a constant of the caller, so that the compiler makes a separate
 * loop of each, without branches. */
enum shape { TWO_PARTS_OF_4, ONE_OF_8, TWO_PARTS_OF_8, ONE_OF_16, TWO_PARTS_OF_16, ONE_OF_32 };

/* The query, loaded like a body, and which of its bytes count. */
struct pattern {
	__m256i query;
	__m256i mask;  /* of two parts: 0 for bytes of the second that are in the first, too */
	size_t second; /* offset of the second part in the body */
};

ALWAYS_INLINE size_t part_bytes(enum shape shape)
{
	return (const size_t[]){ 4, 8, 8, 16, 16, 32 }[shape];
}

ALWAYS_INLINE bool has_two_parts(enum shape shape)
{
	return shape == TWO_PARTS_OF_4 || shape == TWO_PARTS_OF_8 || shape == TWO_PARTS_OF_16;
}

/* Do two bodies share a register? */
ALWAYS_INLINE bool is_short(enum shape shape)
{
	return shape <= ONE_OF_16;
}

AVX2 ALWAYS_INLINE __m128i load_16(const uint8_t *bytes)
{
	return _mm_loadu_si128((const __m128i_u *)(const void *)bytes);
}

AVX2 ALWAYS_INLINE __m128i load_short(const uint8_t *body, size_t second, enum shape shape)
{
	uint64_t low = 0, high = 0;
	if (shape == ONE_OF_16)
		return load_16(body);
	if (shape == ONE_OF_8)
		return _mm_loadl_epi64((const __m128i_u *)(const void *)body);
	memcpy(&low, body, part_bytes(shape));
	memcpy(&high, body + second, part_bytes(shape));
	if (shape == TWO_PARTS_OF_4)
		return _mm_cvtsi64_si128((long long)(low | high << 32));
	return _mm_set_epi64x((long long)high, (long long)low);
}

AVX2 ALWAYS_INLINE __m256i load_long(const uint8_t *body, size_t second, enum shape shape)
{
	if (shape == ONE_OF_32)
		return _mm256_loadu_si256((const __m256i_u *)(const void *)body);
	return _mm256_set_m128i(load_16(body + second), load_16(body));
}

/* Count differing bits: the result has a 64-bit sum for each 8 bytes. */
AVX2 ALWAYS_INLINE __m256i count(__m256i bodies, const struct pattern *pattern, enum shape shape)
{
	const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1,
					       1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
	const __m256i nibble = _mm256_set1_epi8(0x0F);
	__m256i bits = _mm256_xor_si256(bodies, pattern->query);
	if (has_two_parts(shape))
		bits = _mm256_and_si256(bits, pattern->mask);
	/* pshufb looks up 16 entries per half, so the table is there twice; each count is at
	 * most 8 */
	__m256i low = _mm256_and_si256(bits, nibble);
	__m256i high = _mm256_and_si256(_mm256_srli_epi16(bits, 4), nibble);
	__m256i counts = _mm256_add_epi8(_mm256_shuffle_epi8(table, low),
					 _mm256_shuffle_epi8(table, high));
	return _mm256_sad_epu8(counts, _mm256_setzero_si256());
}

/* Add the two counts in each half of `a` to `d`: four sums of the lower halves, in that order,
 * then four of the upper halves. */
AVX2 ALWAYS_INLINE __m256i add_pairs(__m256i a, __m256i b, __m256i c, __m256i d)
{
	return _mm256_hadd_epi32(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
}

AVX2 ALWAYS_INLINE __m256i count_long(const uint8_t *body, const struct pattern *pattern,
				      enum shape shape)
{
	return count(load_long(body, pattern->second, shape), pattern, shape);
}

/* Count a row and the fourth after it, one in each half of a register: add_pairs() then gives
 * eight rows in their order. */
AVX2 ALWAYS_INLINE __m256i count_two(const uint8_t *body, size_t row_bytes,
				     const struct pattern *pattern, enum shape shape)
{
	__m128i low = load_short(body, pattern->second, shape);
	__m128i high = load_short(body + 4 * row_bytes, pattern->second, shape);
	return count(_mm256_set_m128i(high, low), pattern, shape);
}

AVX2 ALWAYS_INLINE __m256i count_four(const uint8_t *body, size_t row_bytes,
				      const struct pattern *pattern, enum shape shape)
{
	return add_pairs(count_long(body, pattern, shape),
			 count_long(body + row_bytes, pattern, shape),
			 count_long(body + 2 * row_bytes, pattern, shape),
			 count_long(body + 3 * row_bytes, pattern, shape));
}

/* The distances of eight rows as 32-bit numbers, in the order of the rows. */
AVX2 ALWAYS_INLINE __m256i eight_distances(const uint8_t *body, size_t row_bytes,
					   const struct pattern *pattern, enum shape shape)
{
	if (is_short(shape))
		return add_pairs(count_two(body, row_bytes, pattern, shape),
				 count_two(body + row_bytes, row_bytes, pattern, shape),
				 count_two(body + 2 * row_bytes, row_bytes, pattern, shape),
				 count_two(body + 3 * row_bytes, row_bytes, pattern, shape));
	/* each half of a register has a part of every row: exchange halves and add */
	__m256i a = count_four(body, row_bytes, pattern, shape);
	__m256i b = count_four(body + 4 * row_bytes, row_bytes, pattern, shape);
	return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
				_mm256_permute2x128_si256(a, b, 0x31));
}

AVX2 ALWAYS_INLINE struct pattern make_pattern(const struct isx_scan *scan, enum shape shape)
{
	const __m256i one_row = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
						 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
						 28, 29, 30, 31);
	const __m256i two_rows = _mm256_permute2x128_si256(one_row, one_row, 0);
	const __m256i at = is_short(shape) ? two_rows : one_row;
	/* The second part begins `bytes` - `part` bytes into the body, so its first 2 * part -
	 * bytes bytes are in the first part, too; `twice_end` counts from the start of the first
	 * part. */
	const size_t part = part_bytes(shape), twice_end = 3 * part - scan->bytes;
	const __m256i is_first = _mm256_cmpgt_epi8(_mm256_set1_epi8((char)part), at);
	const __m256i is_new = _mm256_cmpgt_epi8(at, _mm256_set1_epi8((char)(twice_end - 1)));
	struct pattern pattern = { .second = scan->bytes - part };
	pattern.mask = _mm256_or_si256(is_first, is_new);
	if (is_short(shape))
		pattern.query =
			_mm256_broadcastsi128_si256(load_short(scan->query, pattern.second, shape));
	else
		pattern.query = load_long(scan->query, pattern.second, shape);
	return pattern;
}

/* Needs ISX_SCAN_BLOCK rows at least, as the last block is moved back to be a whole one. */
AVX2 ALWAYS_INLINE size_t scan_blocks(const struct isx_scan *scan, struct isx_hit *hits,
				      enum shape shape)
{
	const struct pattern pattern = make_pattern(scan, shape);
	const uint32_t bits = 8 * ISX_SCAN_BYTES_MAX;
	/* there is no signed "at most": compare with one more, after a clamp that keeps it in
	 * range */
	const __m256i beyond =
		_mm256_set1_epi32((int)(scan->distance_max < bits ? scan->distance_max : bits) + 1);
	const uint8_t *bodies = scan->rows + ISX_ROW_KEY_BYTES;
	size_t found = 0;
	for (size_t row = 0; row < scan->count; row += ISX_SCAN_BLOCK) {
		unsigned is_new = 0xFF;
		if (row + ISX_SCAN_BLOCK > scan->count) {
			/* the last block is moved back over rows that were compared already */
			is_new <<= row + ISX_SCAN_BLOCK - scan->count;
			row = scan->count - ISX_SCAN_BLOCK;
		}
		__m256i distances = eight_distances(bodies + row * scan->row_bytes, scan->row_bytes,
						    &pattern, shape);
		__m256i near = _mm256_cmpgt_epi32(beyond, distances);
		unsigned lanes = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(near)) & is_new;
		if (__builtin_expect(lanes == 0, 1))
			continue;
		uint32_t values[ISX_SCAN_BLOCK];
		_mm256_storeu_si256((__m256i_u *)(void *)values, distances);
		found = isx_scan_keep(values, lanes, row, hits, found);
	}
	return found;
}

AVX2 size_t isx_scan_avx2(const struct isx_scan *scan, struct isx_hit *hits)
{
	if (scan->count < ISX_SCAN_BLOCK || scan->bytes < 4)
		return isx_scan_scalar(scan, hits);
	if (scan->bytes < 8)
		return scan_blocks(scan, hits, TWO_PARTS_OF_4);
	if (scan->bytes == 8)
		return scan_blocks(scan, hits, ONE_OF_8);
	if (scan->bytes < 16)
		return scan_blocks(scan, hits, TWO_PARTS_OF_8);
	if (scan->bytes == 16)
		return scan_blocks(scan, hits, ONE_OF_16);
	if (scan->bytes < 32)
		return scan_blocks(scan, hits, TWO_PARTS_OF_16);
	return scan_blocks(scan, hits, ONE_OF_32);
}

void isx_scan_many_avx2(const struct isx_scan_many *scan)
{
	for (size_t i = 0; i < scan->query_count; i++)
		isx_scan_one(scan, &scan->queries[i], isx_scan_avx2);
}
#endif
