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
 *
 * For several queries, sixteen rows are transposed, as in kernel_avx512.c, and cut into halves of
 * bytes, which are what the table of bits is indexed with.
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

size_t isx_scan_pages_avx2(const struct isx_scan_pages *scan, struct isx_hit *hits, size_t *found)
{
	return isx_scan_each_page(scan, isx_scan_avx2, hits, found);
}

/* --- several queries -------------------------------------------------------------------------- */

enum {
	TOGETHER_MIN = 6, /* fewer queries are compared one by one: that is faster */
	COLUMNS_MAX = 8,
	HALVES = ISX_SCAN_TILE / 8
};

/* Sixteen rows, word by word: lane r of column c is the c-th 32-bit word of row r, or of row r + 8, cut
 * into the low and the high half of each byte, which the table of bits is indexed with. */
struct columns {
	__m256i low[HALVES][COLUMNS_MAX];
	__m256i high[HALVES][COLUMNS_MAX];
};

/* Queries of equal length, cut into halves of bytes like rows. */
struct group {
	struct isx_scan_query *queries;
	size_t count;
	size_t bytes;
	__m256i compared;
	uint32_t low[ISX_SCAN_TOGETHER][COLUMNS_MAX];
	uint32_t high[ISX_SCAN_TOGETHER][COLUMNS_MAX];
	int beyond[ISX_SCAN_TOGETHER]; /* the least distance that is no hit */
};

/* AVX2 has no shift of single bytes: the mask removes what the shift brings over from the byte
 * beside. */
AVX2 ALWAYS_INLINE void split(__m256i bytes, __m256i *low, __m256i *high)
{
	const __m256i nibble = _mm256_set1_epi8(0x0F);
	*low = _mm256_and_si256(bytes, nibble);
	*high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble);
}

/* Transpose four registers: within each 128 bits, four rows of four words become four columns. */
AVX2 ALWAYS_INLINE void transpose_four(const __m256i *rows, __m256i *columns)
{
	__m256i a = _mm256_unpacklo_epi32(rows[0], rows[1]);
	__m256i b = _mm256_unpackhi_epi32(rows[0], rows[1]);
	__m256i c = _mm256_unpacklo_epi32(rows[2], rows[3]);
	__m256i d = _mm256_unpackhi_epi32(rows[2], rows[3]);
	columns[0] = _mm256_unpacklo_epi64(a, c);
	columns[1] = _mm256_unpackhi_epi64(a, c);
	columns[2] = _mm256_unpacklo_epi64(b, d);
	columns[3] = _mm256_unpackhi_epi64(b, d);
}

/* Transpose half of a tile, from row `row` on. */
AVX2 ALWAYS_INLINE void load_half(const struct isx_scan_tile *tile, size_t row, __m256i compared,
				  __m256i *low, __m256i *high)
{
	__m256i rows[8], first[4], last[4];
#pragma GCC unroll 8
	for (size_t i = 0; i < 8; i++) {
		const uint8_t *body = tile->bodies + (row + i) * tile->row_bytes;
		rows[i] = _mm256_and_si256(load_long(body, 0, ONE_OF_32), compared);
	}
	transpose_four(rows, first);
	transpose_four(rows + 4, last);
#pragma GCC unroll 4
	for (size_t i = 0; i < 4; i++) {
		split(_mm256_permute2x128_si256(first[i], last[i], 0x20), &low[i], &high[i]);
		split(_mm256_permute2x128_si256(first[i], last[i], 0x31), &low[i + 4],
		      &high[i + 4]);
	}
}

/* The differing bits of eight words, per byte. */
AVX2 ALWAYS_INLINE __m256i count_words(__m256i low, __m256i high, __m256i query_low,
				       __m256i query_high)
{
	const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1,
					       1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
	return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_xor_si256(low, query_low)),
			       _mm256_shuffle_epi8(table, _mm256_xor_si256(high, query_high)));
}

/* Add the differing bits of sixteen rows in the columns from `begin` to `end` to sums per byte, which are
 * at most 64. */
AVX2 ALWAYS_INLINE void add_columns(__m256i *sums, const struct columns *columns,
				    const uint32_t *low, const uint32_t *high, size_t begin,
				    size_t end)
{
#pragma GCC unroll 8
	for (size_t i = 0; i < COLUMNS_MAX; i++) {
		if (i < begin || i >= end)
			continue;
		const __m256i a = _mm256_set1_epi32((int)low[i]),
			      b = _mm256_set1_epi32((int)high[i]);
		for (size_t half = 0; half < HALVES; half++) {
			sums[half] = _mm256_add_epi8(
				sums[half],
				count_words(columns->low[half][i], columns->high[half][i], a, b));
			/* gcc 12 adds in another order, and then has too few registers */
			__asm__("" : "+x"(sums[half]));
		}
	}
}

/* Sum up the four bytes of each row. */
AVX2 ALWAYS_INLINE __m256i sum_rows(__m256i sum)
{
	/* A byte is at most 64, so the 16-bit sums of maddubs do not saturate. */
	return _mm256_madd_epi16(_mm256_maddubs_epi16(sum, _mm256_set1_epi8(1)),
				 _mm256_set1_epi16(1));
}

/* Which of sixteen rows are nearer than `beyond`, one bit each.
 *   distances  filled: in the order of the rows */
AVX2 ALWAYS_INLINE unsigned sixteen_near(const __m256i *sums, __m256i beyond, __m256i *distances)
{
	unsigned near = 0;
	for (unsigned half = 0; half < HALVES; half++) {
		distances[half] = sum_rows(sums[half]);
		const __m256i is_near = _mm256_cmpgt_epi32(beyond, distances[half]);
		near |= (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(is_near)) << 8 * half;
	}
	return near;
}

/* Compare a tile with all queries of a group. Most rows are given up after `first` columns, a
 * constant of the caller. */
AVX2 ALWAYS_INLINE void compare_tile(const struct columns *columns, const struct group *group,
				     size_t row, unsigned is_row, size_t first)
{
	for (size_t i = 0; i < group->count; i++) {
		struct isx_scan_query *query = &group->queries[i];
		const __m256i beyond = _mm256_set1_epi32(group->beyond[i]);
		__m256i sums[HALVES] = { 0 }, distances[HALVES];
		add_columns(sums, columns, group->low[i], group->high[i], 0, first);
		unsigned near = sixteen_near(sums, beyond, distances) & is_row;
		if (__builtin_expect(near == 0, 1))
			continue;
		uint32_t values[ISX_SCAN_TILE];
		add_columns(sums, columns, group->low[i], group->high[i], first, COLUMNS_MAX);
		near &= sixteen_near(sums, beyond, distances);
		memcpy(values, distances, sizeof values);
		query->found = isx_scan_keep(values, near, row, query->hits, query->found);
	}
}

/* `first` is a constant of the caller, so that the loop over columns is unrolled. */
AVX2 ALWAYS_INLINE void scan_group(const struct isx_scan_many *scan, const struct group *group,
				   size_t first)
{
	struct isx_scan_tile tile;
	struct columns columns;
	for (size_t row = 0; row < scan->count; row += ISX_SCAN_TILE) {
		isx_scan_tile_find(&tile, scan, row, group->bytes);
		for (size_t half = 0; half < HALVES; half++)
			load_half(&tile, 8 * half, group->compared, columns.low[half],
				  columns.high[half]);
		compare_tile(&columns, group, row, tile.is_row, first);
	}
}

/* Bytes behind queries->bytes are 0 in the queries, and masked to 0 in the rows: they add
 * nothing. */
AVX2 static void make_group(struct group *group, struct isx_scan_query *queries, size_t count)
{
	const uint32_t bits = 8 * ISX_SCAN_BYTES_MAX;
	uint8_t body[ISX_SCAN_BYTES_MAX] = { 0 }, mask[ISX_SCAN_BYTES_MAX] = { 0 };
	memset(mask, 0xFF, queries->bytes);
	group->queries = queries;
	group->count = count;
	group->bytes = queries->bytes;
	group->compared = load_long(mask, 0, ONE_OF_32);
	for (size_t i = 0; i < count; i++) {
		__m256i low, high;
		isx_scan_copy(body, queries[i].query, queries->bytes);
		split(load_long(body, 0, ONE_OF_32), &low, &high);
		_mm256_storeu_si256((__m256i_u *)(void *)group->low[i], low);
		_mm256_storeu_si256((__m256i_u *)(void *)group->high[i], high);
		queries[i].found = 0;
		/* see scan_blocks() */
		group->beyond[i] =
			(int)(queries[i].distance_max < bits ? queries[i].distance_max : bits) + 1;
	}
}

/* A copy of the loop for each number of first columns, which scan_group() needs as a constant. 7 columns
 * are compared as 8. */
AVX2 static void compare_group(const struct isx_scan_many *scan, const struct group *group,
			       uint32_t distance_max)
{
	switch (isx_scan_first_bytes(group->bytes, distance_max) / 4) {
	case 1:
		scan_group(scan, group, 1);
		break;
	case 2:
		scan_group(scan, group, 2);
		break;
	case 3:
		scan_group(scan, group, 3);
		break;
	case 4:
		scan_group(scan, group, 4);
		break;
	case 5:
		scan_group(scan, group, 5);
		break;
	case 6:
		scan_group(scan, group, 6);
		break;
	default:
		scan_group(scan, group, COLUMNS_MAX);
	}
}

AVX2 void isx_scan_many_avx2(const struct isx_scan_many *scan)
{
	struct group group;
	uint32_t distance_max;
	size_t count;
	for (size_t at = 0; at < scan->query_count; at += count) {
		count = isx_scan_run(scan, at, &distance_max);
		if (count < TOGETHER_MIN) {
			for (size_t i = 0; i < count; i++)
				isx_scan_one(scan, &scan->queries[at + i], isx_scan_avx2);
			continue;
		}
		make_group(&group, &scan->queries[at], count);
		compare_group(scan, &group, distance_max);
	}
}
#endif
