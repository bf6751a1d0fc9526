/*
 * test_packing.c - streams of any size in pieces of any size come back; damaged ones are refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/packing.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const enum isx_packing packings[] = { ISX_PACKING_GZIP, ISX_PACKING_ZSTD };

/* Compress a text in pieces of random size. */
static void pack(enum isx_packing packing, struct isx_span text, uint64_t *seed,
		 struct isx_buf *out)
{
	struct isx_packer *packer;
	struct isx_err err;
	assert_int_equal(isx_packer_new(packing, &packer, &err), ISX_OK);
	while (text.len) {
		size_t len = test_random(seed) % 30000 % (text.len + 1);
		assert_int_equal(isx_packer_add(packer, (struct isx_span){ text.ptr, len }, false,
						out, &err),
				 ISX_OK);
		text = isx_span_skip(text, len);
	}
	assert_int_equal(isx_packer_add(packer, text, true, out, &err), ISX_OK);
	isx_packer_free(packer);
}

/* Decompress in pieces of random size; returns the status of the first failure. */
static enum isx_status unpack(enum isx_packing packing, struct isx_span packed, uint64_t *seed,
			      struct isx_buf *out, struct isx_err *err)
{
	struct isx_unpacker *unpacker;
	assert_int_equal(isx_unpacker_new(packing, &unpacker, err), ISX_OK);
	enum isx_status st = ISX_OK;
	while (!st && packed.len) {
		size_t len = 1 + test_random(seed) % 5000 % packed.len;
		struct isx_span piece = { packed.ptr, len };
		size_t before;
		do {
			before = out->len;
			st = isx_unpacker_add(unpacker, &piece, 1 + test_random(seed) % 100000, out,
					      err);
		} while (!st && out->len > before);
		assert_true(st || piece.len == 0);
		packed = isx_span_skip(packed, len);
	}
	if (!st)
		st = isx_unpacker_end(unpacker, err);
	isx_unpacker_free(unpacker);
	return st;
}

static void fill(struct isx_buf *text, size_t bytes, uint64_t *seed)
{
	isx_buf_clear(text);
	while (text->len < bytes)
		isx_buf_printf(text, "{\"n\":%llu}\n",
			       (unsigned long long)(test_random(seed) >> 40));
}

static void test_packing__streams_come_back_whole(void **state)
{
	static const size_t sizes[] = { 0, 1, 1000, 65536, 3000000 };
	uint64_t seed = test_seed();
	struct isx_buf text = { 0 }, packed = { 0 }, back = { 0 };
	struct isx_err err;
	(void)state;
	for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
		enum isx_packing packing = packings[i % 2];
		fill(&text, sizes[i / 2], &seed);
		isx_buf_clear(&packed);
		isx_buf_clear(&back);
		pack(packing, (struct isx_span){ text.ptr, text.len }, &seed, &packed);
		assert_int_equal(isx_packing_of((struct isx_span){ packed.ptr, packed.len }),
				 packing);
		pack(packing, (struct isx_span){ text.ptr, text.len / 2 }, &seed, &packed);
		struct isx_span half = { text.ptr, text.len / 2 };
		(void)isx_buf_reserve(&text, half.len); /* two members are one stream */
		isx_buf_add(&text, text.ptr, half.len);
		assert_int_equal(unpack(packing, (struct isx_span){ packed.ptr, packed.len }, &seed,
					&back, &err),
				 ISX_OK);
		assert_int_equal(back.len, text.len);
		assert_memory_equal(back.ptr, text.ptr, text.len);
	}
	isx_buf_release(&text);
	isx_buf_release(&packed);
	isx_buf_release(&back);
}

/* A stream that is cut off anywhere, or has a wrong byte, is never taken for a whole one. */
static void test_packing__damage_is_found(void **state)
{
	uint64_t seed = test_seed();
	struct isx_buf text = { 0 }, packed = { 0 }, back = { 0 };
	struct isx_err err;
	(void)state;
	fill(&text, 20000, &seed);
	for (size_t i = 0; i < 400; i++) {
		enum isx_packing packing = packings[i % 2];
		isx_buf_clear(&packed);
		isx_buf_clear(&back);
		pack(packing, (struct isx_span){ text.ptr, text.len }, &seed, &packed);
		size_t at = 1 + test_random(&seed) % (packed.len - 1);
		bool is_cut = i & 2;
		if (is_cut)
			packed.len = at;
		else
			packed.ptr[at] = (char)(packed.ptr[at] ^ (1 << test_random(&seed) % 8));
		enum isx_status st = unpack(packing, (struct isx_span){ packed.ptr, packed.len },
					    &seed, &back, &err);
		if (is_cut)
			assert_int_equal(st, ISX_INVALID);
		else /* bits that count for nothing may flip: then everything is there */
			assert_true(st || (back.len == text.len &&
					   memcmp(back.ptr, text.ptr, text.len) == 0));
	}
	isx_buf_release(&text);
	isx_buf_release(&packed);
	isx_buf_release(&back);
}

static void test_packing__names_tell_how_to_pack(void **state)
{
	(void)state;
	assert_int_equal(isx_packing_by_name("a.jsonl"), ISX_PACKING_NONE);
	assert_int_equal(isx_packing_by_name("a.jsonl.gz"), ISX_PACKING_GZIP);
	assert_int_equal(isx_packing_by_name("a.jsonl.zst"), ISX_PACKING_ZSTD);
	assert_int_equal(isx_packing_by_name(".gz"), ISX_PACKING_NONE);
	assert_int_equal(isx_packing_suffix("a.zst"), 4);
	assert_int_equal(isx_packing_suffix("-"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packing__streams_come_back_whole),
		cmocka_unit_test(test_packing__damage_is_found),
		cmocka_unit_test(test_packing__names_tell_how_to_pack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
