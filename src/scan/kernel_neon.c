/*
 * kernel_neon.c - NEON: eight rows at a time, a popcount per byte in one instruction.
 *
 * A body is loaded as two halves of 16, 8 or 4 bytes, one at its start and one at its end; the
 * bytes in which they overlap are masked in the second. So nothing behind the compared bytes is
 * read, at any length of 4 or more. Tested under an emulator only (tests/arm): its speed is not
 * measured.
 * For several queries, sixteen rows are transposed, as in kernel_avx512.c.
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

/* `half` is a constant of each caller and the functions are inlined, so a kernel of one length has
 * none of these branches. */
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

/* A loaded body of L = scan->bytes bytes: from i = half on, its byte i is byte (L - 2 * half + i) of the
 * body. The first half has that byte, too, as long as i is less than (3 * half - L): such bytes are
 * masked, so that each byte counts once. */
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
	/* Clamped to the bits of the longest body, which is no change for the result: a lane has
	 * 16 bits. */
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
	/* Too few rows to move the last block back, or too few bytes for the smallest half. */
	if (scan->count < ISX_SCAN_BLOCK || scan->bytes < 4)
		return isx_scan_scalar(scan, hits);
	if (scan->bytes < 8)
		return scan_blocks(scan, hits, 4);
	if (scan->bytes < 16)
		return scan_blocks(scan, hits, 8);
	return scan_blocks(scan, hits, 16);
}

size_t isx_scan_pages_neon(const struct isx_scan_pages *scan, struct isx_hit *hits, size_t *found)
{
	return isx_scan_each_page(scan, isx_scan_neon, hits, found);
}

/* --- several queries -------------------------------------------------------------------------- */

enum { COLUMNS_MAX = 8, QUARTERS = ISX_SCAN_TILE / 4 };

/* Sixteen rows, word by word: the four lanes of column c are the c-th 32-bit words of four rows. */
struct columns {
	uint8x16_t of[QUARTERS][COLUMNS_MAX];
};

/* Queries of equal length. */
struct group {
	struct isx_scan_query *queries;
	size_t count;
	size_t bytes;
	uint32_t compared[COLUMNS_MAX];
	uint32_t words[ISX_SCAN_TOGETHER][COLUMNS_MAX]; /* zeros behind `bytes` */
};

ALWAYS_INLINE uint8x16_t repeat_word(uint32_t word)
{
	return vreinterpretq_u8_u32(vdupq_n_u32(word));
}

/* Transpose 16 bytes of four rows, from `body` on: four columns. */
ALWAYS_INLINE void transpose_four(const uint8_t *body, size_t row_bytes, const uint32_t *compared,
				  uint8x16_t *columns)
{
	const uint32x4_t a = vreinterpretq_u32_u8(vld1q_u8(body));
	const uint32x4_t b = vreinterpretq_u32_u8(vld1q_u8(body + row_bytes));
	const uint32x4_t c = vreinterpretq_u32_u8(vld1q_u8(body + 2 * row_bytes));
	const uint32x4_t d = vreinterpretq_u32_u8(vld1q_u8(body + 3 * row_bytes));
	const uint64x2_t even_ab = vreinterpretq_u64_u32(vtrn1q_u32(a, b));
	const uint64x2_t odd_ab = vreinterpretq_u64_u32(vtrn2q_u32(a, b));
	const uint64x2_t even_cd = vreinterpretq_u64_u32(vtrn1q_u32(c, d));
	const uint64x2_t odd_cd = vreinterpretq_u64_u32(vtrn2q_u32(c, d));
	columns[0] = vreinterpretq_u8_u64(vtrn1q_u64(even_ab, even_cd));
	columns[1] = vreinterpretq_u8_u64(vtrn1q_u64(odd_ab, odd_cd));
	columns[2] = vreinterpretq_u8_u64(vtrn2q_u64(even_ab, even_cd));
	columns[3] = vreinterpretq_u8_u64(vtrn2q_u64(odd_ab, odd_cd));
	for (size_t i = 0; i < 4; i++)
		columns[i] = vandq_u8(columns[i], repeat_word(compared[i]));
}

/* Load and transpose a tile once for all queries of a group. Reads 32 bytes of each row, whatever
 * its length is: isx_scan_tile_find() has found a place where that is allowed. */
ALWAYS_INLINE void load_tile(const struct isx_scan_tile *tile, const struct group *group,
			     struct columns *columns)
{
	for (size_t i = 0; i < QUARTERS; i++) {
		const uint8_t *body = tile->bodies + 4 * i * tile->row_bytes;
		transpose_four(body, tile->row_bytes, group->compared, columns->of[i]);
		transpose_four(body + 16, tile->row_bytes, group->compared + 4, columns->of[i] + 4);
	}
}

/* Add the differing bits of sixteen rows in the columns from `begin` to `end` to sums per byte,
 * which are at most 64. */
ALWAYS_INLINE void add_columns(uint8x16_t *sums, const struct columns *columns,
			       const uint32_t *words, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) {
		const uint8x16_t word = repeat_word(words[i]);
		for (size_t at = 0; at < QUARTERS; at++)
			sums[at] = vaddq_u8(sums[at], vcntq_u8(veorq_u8(columns->of[at][i], word)));
	}
}

/* Which of sixteen rows are at most distance_max bits away, one bit each.
 *   distances  filled: in the order of the rows */
ALWAYS_INLINE unsigned sixteen_near(const uint8x16_t *sums, uint32_t distance_max,
				    uint32_t *distances)
{
	static const uint32_t bit_of_row[4] = { 1, 2, 4, 8 };
	const uint32x4_t lane_bits = vld1q_u32(bit_of_row), limit = vdupq_n_u32(distance_max);
	unsigned near = 0;
	for (size_t i = 0; i < QUARTERS; i++) {
		const uint32x4_t four = vpaddlq_u16(vpaddlq_u8(sums[i]));
		vst1q_u32(distances + 4 * i, four);
		near |= vaddvq_u32(vandq_u32(vcleq_u32(four, limit), lane_bits)) << 4 * i;
	}
	return near;
}

/* Compare a tile with all queries of a group. Most rows are given up after `first` columns. */
ALWAYS_INLINE void compare_tile(const struct columns *columns, const struct group *group,
				size_t row, unsigned is_row, size_t first)
{
	for (size_t i = 0; i < group->count; i++) {
		struct isx_scan_query *query = &group->queries[i];
		uint32_t distances[ISX_SCAN_TILE];
		uint8x16_t sums[QUARTERS] = { vdupq_n_u8(0), vdupq_n_u8(0), vdupq_n_u8(0),
					      vdupq_n_u8(0) };
		add_columns(sums, columns, group->words[i], 0, first);
		unsigned near = sixteen_near(sums, query->distance_max, distances) & is_row;
		if (__builtin_expect(near == 0, 1))
			continue;
		/* Distances only grow with further columns, so no row that was given up can be
		 * near. Columns behind the compared bytes are 0 in rows and queries. */
		add_columns(sums, columns, group->words[i], first, COLUMNS_MAX);
		near &= sixteen_near(sums, query->distance_max, distances);
		query->found = isx_scan_keep(distances, near, row, query->hits, query->found);
	}
}

/* Queries that are compared together have one length (isx_scan_run()): one mask of columns serves
 * them all. */
static void make_group(struct group *group, struct isx_scan_query *queries, size_t count)
{
	memset(group->compared, 0, sizeof group->compared);
	memset(group->compared, 0xFF, queries->bytes);
	memset(group->words, 0, sizeof group->words);
	group->queries = queries;
	group->count = count;
	group->bytes = queries->bytes;
	for (size_t i = 0; i < count; i++) {
		isx_scan_copy((uint8_t *)group->words[i], queries[i].query, queries->bytes);
		queries[i].found = 0;
	}
}

/* One query alone is compared by its own kernel, which does without the transposition. */
void isx_scan_many_neon(const struct isx_scan_many *scan)
{
	struct group group;
	struct isx_scan_tile tile;
	struct columns columns;
	uint32_t distance_max;
	size_t count;
	for (size_t at = 0; at < scan->query_count; at += count) {
		count = isx_scan_run(scan, at, &distance_max);
		if (count == 1) {
			isx_scan_one(scan, &scan->queries[at], isx_scan_neon);
			continue;
		}
		make_group(&group, &scan->queries[at], count);
		const size_t first = isx_scan_first_bytes(group.bytes, distance_max) / 4;
		for (size_t row = 0; row < scan->count; row += ISX_SCAN_TILE) {
			isx_scan_tile_find(&tile, scan, row, group.bytes);
			load_tile(&tile, &group, &columns);
			compare_tile(&columns, &group, row, tile.is_row, first);
		}
	}
}
#endif
