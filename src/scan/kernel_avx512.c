/*
 * kernel_avx512.c - AVX-512 with VPOPCNTDQ: a popcount per 64 bits in one instruction.
 *
 * Rows of 2 to 6 whole 64-bit words repeat their pattern in registers every 8 rows: 8 rows of 5
 * words are 5 registers. So scan_words() loads registers, not rows, and brings the counts of one
 * row together afterwards. Compared with one load per row that is 1.2 times as fast for rows of 40
 * bytes in the cache and 2 times for rows of 16; with more data than the cache holds both wait for
 * memory (bench_scan).
 *
 * A page of LMDB has about 100 rows, and to prepare a query takes a quarter of the time of comparing them:
 * isx_scan_pages_avx512() prepares it once for all its pages.
 *
 * scan_any() loads row by row, masked to the compared bytes, which serves every length. It also
 * compares the last rows for scan_words() where only a part of a body is compared: scan_words()
 * reads whole rows, and behind the compared bytes of the last row nothing may be read (kernel.h).
 *
 * isx_scan_many_avx512() transposes sixteen rows once: a register has the same 32 bits of each, and
 * a query needs three instructions for 16 of these words. Rows are given up as soon as they are too
 * far away, together, after about three quarters of their bits at the usual threshold. From two
 * queries on that is faster, up to 2.8 times (bench/README.md).
 *
 * Where pages are known beforehand, the beginning of the next one is prefetched (kernels.h). Prefetching
 * from where the next page may lie was measured over an LMDB file of 10 million rows and left out: 1.1 to 1.5 times
 * slower (bench/README.md).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "scan/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vpopcntdq")))

#define ALWAYS_INLINE __attribute__((always_inline)) static inline

enum {
	WORDS_MAX = 6, /* of a row */
	XOR_AND = 0x28 /* the ternary logic (a ^ b) & c */
};

AVX512 static inline __mmask32 mask_compared(const struct isx_scan *scan)
{
	return 0xFFFFFFFFu >> (32 - scan->bytes);
}

AVX512 static inline size_t keep_near(__m512i distances, unsigned near, size_t row,
				      struct isx_hit *hits, size_t found)
{
	uint32_t values[ISX_SCAN_BLOCK];
	_mm256_storeu_si256((__m256i *)(void *)values, _mm512_cvtepi64_epi32(distances));
	return isx_scan_keep(values, near, row, hits, found);
}

/* Which of eight distances are within the limit, one bit each. The empty asm keeps the mask in a
 * general register: gcc 12 with -O1 -fsanitize=thread widens it out of a mask register by
 * storing 8 bits and loading 32. */
AVX512 static inline unsigned lanes_near(__m512i distances, __m512i limit)
{
	__mmask8 near = _mm512_cmple_epu64_mask(distances, limit);
	__asm__("" : "+r"(near));
	return near;
}

/* --- rows of any length ---------------------------------------------------------------------- */

/* Differing bits of one row, as four counts. */
AVX512 static inline __m256i count_row(const uint8_t *body, __m256i query, __mmask32 compared)
{
	__m256i bits = _mm256_maskz_loadu_epi8(compared, body);
	return _mm256_popcnt_epi64(_mm256_xor_si256(bits, query));
}

/* The distances of four rows, as 64-bit numbers in their order. */
AVX512 static inline __m256i four_distances(const uint8_t *const *bodies, __m256i query,
					    __mmask32 compared)
{
	__m256i a = count_row(bodies[0], query, compared);
	__m256i b = count_row(bodies[1], query, compared);
	__m256i c = count_row(bodies[2], query, compared);
	__m256i d = count_row(bodies[3], query, compared);
	__m256i ab = _mm256_add_epi64(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
	__m256i cd = _mm256_add_epi64(_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
	return _mm256_add_epi64(_mm256_permute2x128_si256(ab, cd, 0x20),
				_mm256_permute2x128_si256(ab, cd, 0x31));
}

/* Scan from `row` on and append to `found` hits. In the last block, lanes without a row repeat
 * its first row and are masked out. */
AVX512 static size_t scan_any(const struct isx_scan *scan, size_t row, struct isx_hit *hits,
			      size_t found)
{
	const __mmask32 compared = mask_compared(scan);
	const __m256i query = _mm256_maskz_loadu_epi8(compared, scan->query);
	const __m512i limit = _mm512_set1_epi64(scan->distance_max);
	for (; row < scan->count; row += ISX_SCAN_BLOCK) {
		const uint8_t *bodies[ISX_SCAN_BLOCK];
		const size_t left = scan->count - row;
		for (size_t i = 0; i < ISX_SCAN_BLOCK; i++)
			bodies[i] = scan->rows + (row + (i < left ? i : 0)) * scan->row_bytes +
				    ISX_ROW_KEY_BYTES;
		__m512i distances = _mm512_inserti64x4(
			_mm512_castsi256_si512(four_distances(bodies, query, compared)),
			four_distances(bodies + 4, query, compared), 1);
		unsigned near = lanes_near(distances, limit);
		if (left < ISX_SCAN_BLOCK)
			near &= (1u << left) - 1;
		if (__builtin_expect(near, 0))
			found = keep_near(distances, near, row, hits, found);
	}
	return found;
}

/* --- rows of whole words --------------------------------------------------------------------- */

/* The position in its row of word number `n` of a block. */
ALWAYS_INLINE long long word_of_row(size_t words, size_t n)
{
	return (long long)(n % words);
}

/* Register number `at` of a block in which all rows are `row`: the query, or its mask, laid out
 * as rows are. */
AVX512 ALWAYS_INLINE __m512i repeat_row(__m512i row, size_t words, size_t at)
{
	const size_t n = 8 * at;
	const __m512i source = _mm512_setr_epi64(
		word_of_row(words, n), word_of_row(words, n + 1), word_of_row(words, n + 2),
		word_of_row(words, n + 3), word_of_row(words, n + 4), word_of_row(words, n + 5),
		word_of_row(words, n + 6), word_of_row(words, n + 7));
	return _mm512_permutexvar_epi64(source, row);
}

/* Where the counts of the words of a row are among the bytes of count_block()'s sum. Word i of
 * the row is word n = row * words + i of the block, so its count is byte n / 8 of lane n % 8.
 * Computed for all eight i at once, one byte each; those from `words` on belong to the next row
 * and are masked out later. */
ALWAYS_INLINE long long places_of_row(size_t words, size_t row)
{
	const uint64_t n = row * words * 0x0101010101010101u + 0x0706050403020100u;
	return (long long)((n & 0x0707070707070707u) << 3 | (n >> 3 & 0x1F1F1F1F1F1F1F1Fu));
}

AVX512 ALWAYS_INLINE __m512i places_of_rows(size_t words)
{
	return _mm512_setr_epi64(places_of_row(words, 0), places_of_row(words, 1),
				 places_of_row(words, 2), places_of_row(words, 3),
				 places_of_row(words, 4), places_of_row(words, 5),
				 places_of_row(words, 6), places_of_row(words, 7));
}

/* Count the differing bits of each word of a block, 64 at most: those of register i are byte i
 * of their lane, so that six registers become one. */
AVX512 ALWAYS_INLINE __m512i count_block(const uint8_t *block, const __m512i *query,
					 const __m512i *compared, size_t words)
{
	__m512i sum = _mm512_setzero_si512();
#pragma GCC unroll 6
	for (size_t i = 0; i < WORDS_MAX; i++) {
		if (i >= words) /* in here, as clang 14 unrolls only by the whole count */
			break;
		__m512i bits = _mm512_loadu_si512(block + 64 * i);
		bits = _mm512_ternarylogic_epi64(bits, query[i], compared[i], XOR_AND);
		__m512i counts = _mm512_popcnt_epi64(bits);
		sum = _mm512_or_si512(sum, _mm512_slli_epi64(counts, 8 * (unsigned)i));
	}
	return sum;
}

/* The distances of a block, as 64-bit numbers in the order of its rows. */
AVX512 ALWAYS_INLINE __m512i block_distances(const uint8_t *block, const __m512i *query,
					     const __m512i *compared, __m512i places, size_t words)
{
	const __mmask64 of_row = 0x0101010101010101u * ((1u << words) - 1);
	__m512i sum = count_block(block, query, compared, words);
	sum = _mm512_maskz_permutexvar_epi8(of_row, places, sum);
	return _mm512_sad_epu8(sum, _mm512_setzero_si512());
}

/* A query as the blocks of scan_page() want it. */
struct words_query {
	__m512i query[WORDS_MAX], compared[WORDS_MAX]; /* of each register of a block */
	__m512i places, limit;
};

AVX512 ALWAYS_INLINE struct words_query make_query(const uint8_t *bytes, __mmask32 compared,
						   uint32_t distance_max, size_t words)
{
	struct words_query query;
	const __m256i body = _mm256_maskz_loadu_epi8(compared, bytes);
	/* 0x1E: the query goes to words 1 to 4 of a row, behind the key */
	const __m512i query_row = _mm512_maskz_expand_epi64(0x1E, _mm512_castsi256_si512(body));
	const __m512i compared_row = _mm512_movm_epi8((__mmask64)compared << 8); /* not the key */
#pragma GCC unroll 6
	for (size_t i = 0; i < WORDS_MAX; i++) {
		if (i >= words) /* in here, as clang 14 unrolls only by the whole count */
			break;
		query.query[i] = repeat_row(query_row, words, i);
		query.compared[i] = repeat_row(compared_row, words, i);
	}
	query.places = places_of_rows(words);
	query.limit = _mm512_set1_epi64(distance_max);
	return query;
}

/* Where whole bodies are compared, the last rows are a block that overlaps the one before: rows that were
 * compared already are masked out. Otherwise nothing behind the compared bytes of the last row may be
 * read, and scan_any() compares the last 1 to 8 rows. A page of LMDB has about 100 rows: with scan_any() for
 * all last rows, an eighth of a search of 10,000 assets was spent in it. */
AVX512 ALWAYS_INLINE size_t scan_page(const struct isx_scan *scan, const struct words_query *query,
				      struct isx_hit *hits, size_t words)
{
	const bool is_whole = ISX_ROW_KEY_BYTES + scan->bytes == 8 * words &&
			      scan->count >= ISX_SCAN_BLOCK;
	const uint8_t *block = scan->rows;
	size_t row = 0, found = 0;
	for (; row + ISX_SCAN_BLOCK < scan->count; row += ISX_SCAN_BLOCK, block += 64 * words) {
		__m512i distances = block_distances(block, query->query, query->compared,
						    query->places, words);
		unsigned near = lanes_near(distances, query->limit);
		if (__builtin_expect(near, 0))
			found = keep_near(distances, near, row, hits, found);
	}
	if (!is_whole)
		return scan_any(scan, row, hits, found);
	const size_t last = scan->count - ISX_SCAN_BLOCK;
	__m512i distances = block_distances(scan->rows + last * 8 * words, query->query,
					    query->compared, query->places, words);
	unsigned near = lanes_near(distances, query->limit) & (0xFFu << (row - last)) & 0xFF;
	return near ? keep_near(distances, near, last, hits, found) : found;
}

/* `words` is a constant of the caller: masks and permutations are computed once, before the loops. */
AVX512 ALWAYS_INLINE size_t scan_words(const struct isx_scan_pages *scan, struct isx_hit *hits,
				       size_t *found, size_t words)
{
	const struct words_query query = make_query(scan->query, 0xFFFFFFFFu >> (32 - scan->bytes),
						    scan->distance_max, words);
	size_t page = 0;
	for (*found = 0; page < scan->page_count && !*found; page++) {
		const struct isx_scan one = isx_scan_of_page(scan, page);
		isx_scan_prefetch(scan, page);
		*found = scan_page(&one, &query, hits, words);
	}
	return page;
}

AVX512 static size_t scan_any_page(const struct isx_scan *scan, struct isx_hit *hits)
{
	return scan_any(scan, 0, hits, 0);
}

AVX512 size_t isx_scan_pages_avx512(const struct isx_scan_pages *scan, struct isx_hit *hits,
				    size_t *found)
{
	switch (scan->row_bytes) { /* constants, so that the loops over words are unrolled */
	case 16:
		return scan_words(scan, hits, found, 2);
	case 24:
		return scan_words(scan, hits, found, 3);
	case 32:
		return scan_words(scan, hits, found, 4);
	case 40:
		return scan_words(scan, hits, found, 5);
	case 48: /* a simprint of 256 bits: its key is 16 bytes */
		return scan_words(scan, hits, found, 6);
	default:
		return isx_scan_each_page(scan, scan_any_page, hits, found);
	}
}

size_t isx_scan_avx512(const struct isx_scan *scan, struct isx_hit *hits)
{
	const struct isx_scan_page page = { scan->rows, scan->count };
	const struct isx_scan_pages pages = { .pages = &page,
					      .page_count = 1,
					      .row_bytes = scan->row_bytes,
					      .query = scan->query,
					      .bytes = scan->bytes,
					      .distance_max = scan->distance_max };
	size_t found;
	isx_scan_pages_avx512(&pages, hits, &found);
	return found;
}

/* --- several queries -------------------------------------------------------------------------- */

enum { COLUMNS_MAX = 8 };

/* Queries of equal length. */
struct group {
	struct isx_scan_query *queries;
	size_t count;
	size_t bytes;
	uint32_t words[ISX_SCAN_TOGETHER][COLUMNS_MAX]; /* zeros behind `bytes` */
};

AVX512 ALWAYS_INLINE __m256i load_row(const struct isx_scan_tile *tile, size_t row, bool is_whole,
				      __mmask32 compared)
{
	const uint8_t *body = tile->bodies + row * tile->row_bytes;
	if (is_whole)
		return _mm256_loadu_si256((const __m256i_u *)(const void *)body);
	return _mm256_maskz_loadu_epi8(compared, body);
}

AVX512 ALWAYS_INLINE __m128i load_half(const struct isx_scan_tile *tile, size_t row,
				       __mmask32 compared)
{
	return _mm_maskz_loadu_epi8((__mmask16)compared, tile->bodies + row * tile->row_bytes);
}

/* Transpose four registers: within each 128 bits, four rows of four words become four columns. */
AVX512 ALWAYS_INLINE void transpose_four(const __m512i *rows, __m512i *columns)
{
	__m512i a = _mm512_unpacklo_epi32(rows[0], rows[1]);
	__m512i b = _mm512_unpackhi_epi32(rows[0], rows[1]);
	__m512i c = _mm512_unpacklo_epi32(rows[2], rows[3]);
	__m512i d = _mm512_unpackhi_epi32(rows[2], rows[3]);
	columns[0] = _mm512_unpacklo_epi64(a, c);
	columns[1] = _mm512_unpackhi_epi64(a, c);
	columns[2] = _mm512_unpacklo_epi64(b, d);
	columns[3] = _mm512_unpackhi_epi64(b, d);
}

/* Bodies of more than 16 bytes. */
AVX512 ALWAYS_INLINE void load_long(const struct isx_scan_tile *tile, bool is_whole,
				    __mmask32 compared, __m512i *columns)
{
	__m512i rows[8], low[4], high[4];
#pragma GCC unroll 8
	for (size_t i = 0; i < 8; i++) {
		const size_t row = i < 4 ? i : i + 4;
		rows[i] = _mm512_inserti64x4(
			_mm512_castsi256_si512(load_row(tile, row, is_whole, compared)),
			load_row(tile, row + 4, is_whole, compared), 1);
	}
	transpose_four(rows, low);
	transpose_four(rows + 4, high);
#pragma GCC unroll 4
	for (size_t i = 0; i < 4; i++) {
		columns[i] = _mm512_shuffle_i64x2(low[i], high[i], 0x88);
		columns[i + 4] = _mm512_shuffle_i64x2(low[i], high[i], 0xDD);
	}
}

/* Bodies of at most 16 bytes. */
AVX512 ALWAYS_INLINE void load_short(const struct isx_scan_tile *tile, __mmask32 compared,
				     __m512i *columns)
{
	__m512i rows[4];
#pragma GCC unroll 4
	for (size_t i = 0; i < 4; i++) {
		rows[i] = _mm512_castsi128_si512(load_half(tile, i, compared));
		rows[i] = _mm512_inserti32x4(rows[i], load_half(tile, i + 4, compared), 1);
		rows[i] = _mm512_inserti32x4(rows[i], load_half(tile, i + 8, compared), 2);
		rows[i] = _mm512_inserti32x4(rows[i], load_half(tile, i + 12, compared), 3);
		columns[i + 4] = _mm512_setzero_si512();
	}
	transpose_four(rows, columns);
}

/* The differing bits of sixteen rows in the columns from `begin` to `end`, added to `sum`. */
AVX512 ALWAYS_INLINE __m512i add_columns(__m512i sum, const __m512i *columns, const uint32_t *words,
					 size_t begin, size_t end)
{
#pragma GCC unroll 8
	for (size_t i = 0; i < COLUMNS_MAX; i++) {
		if (i < begin || i >= end)
			continue;
		__m512i bits = _mm512_xor_si512(columns[i], _mm512_set1_epi32((int)words[i]));
		sum = _mm512_add_epi32(sum, _mm512_popcnt_epi32(bits));
	}
	return sum;
}

AVX512 ALWAYS_INLINE unsigned sixteen_near(__m512i distances, uint32_t limit)
{
	__mmask16 near = _mm512_cmple_epu32_mask(distances, _mm512_set1_epi32((int)limit));
	__asm__("" : "+r"(near)); /* see lanes_near() */
	return near;
}

/* Compare a tile with all queries of a group. Lane r of column c is the c-th 32-bit word of row r.
 * Most rows are given up after `first` columns, a constant of the caller. */
AVX512 ALWAYS_INLINE void compare_tile(const __m512i *columns, const struct group *group,
				       size_t row, unsigned is_row, size_t first)
{
	const __m512i zero = _mm512_setzero_si512();
	for (size_t i = 0; i < group->count; i++) {
		struct isx_scan_query *query = &group->queries[i];
		const uint32_t *words = group->words[i];
		__m512i distances = add_columns(zero, columns, words, 0, first);
		unsigned near = sixteen_near(distances, query->distance_max) & is_row;
		if (__builtin_expect(near == 0, 1))
			continue;
		uint32_t values[ISX_SCAN_TILE];
		distances = add_columns(distances, columns, words, first, COLUMNS_MAX);
		near &= sixteen_near(distances, query->distance_max);
		_mm512_storeu_si512(values, distances);
		query->found = isx_scan_keep(values, near, row, query->hits, query->found);
	}
}

/* `first` is a constant of the caller, so that the loop over columns is unrolled. */
AVX512 ALWAYS_INLINE void scan_group(const struct isx_scan_many *scan, const struct group *group,
				     size_t first)
{
	const __mmask32 compared = 0xFFFFFFFFu >> (32 - group->bytes);
	struct isx_scan_tile tile;
	__m512i columns[COLUMNS_MAX];
	for (size_t row = 0; row < scan->count; row += ISX_SCAN_TILE) {
		isx_scan_tile_find(&tile, scan, row, group->bytes);
		if (group->bytes == ISX_SCAN_BYTES_MAX)
			load_long(&tile, true, compared, columns);
		else if (group->bytes > 16)
			load_long(&tile, false, compared, columns);
		else
			load_short(&tile, compared, columns);
		compare_tile(columns, group, row, tile.is_row, first);
	}
}

AVX512 static void make_group(struct group *group, struct isx_scan_query *queries, size_t count)
{
	const __mmask32 compared = 0xFFFFFFFFu >> (32 - queries->bytes);
	group->queries = queries;
	group->count = count;
	group->bytes = queries->bytes;
	for (size_t i = 0; i < count; i++) {
		queries[i].found = 0;
		_mm256_storeu_si256((__m256i *)(void *)group->words[i],
				    _mm256_maskz_loadu_epi8(compared, queries[i].query));
	}
}

AVX512 static void compare_group(const struct isx_scan_many *scan, const struct group *group,
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

/* One query alone is compared by its own kernel, which does without the transposition. */
AVX512 void isx_scan_many_avx512(const struct isx_scan_many *scan)
{
	struct group group;
	uint32_t distance_max;
	size_t count;
	for (size_t at = 0; at < scan->query_count; at += count) {
		count = isx_scan_run(scan, at, &distance_max);
		if (count == 1) {
			isx_scan_one(scan, &scan->queries[at], isx_scan_avx512);
			continue;
		}
		make_group(&group, &scan->queries[at], count);
		compare_group(scan, &group, distance_max);
	}
}
#endif
