/*
 * test_gzip.c - gzip in memory: encoding and decoding, malformed input, ceilings, and no memory.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/encoding.h"
#include "http/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "{\"iscc_id\":\"ISCC:MAIGHXLN555Y2DFF\",\"units\":[]}";

static struct isx_span span_of(const struct isx_buf *buf)
{
	return (struct isx_span){ buf->ptr, buf->len };
}

/* `size` bytes of the text, again and again, as one member. */
static struct isx_buf encode(size_t size)
{
	struct isx_buf plain = { 0 }, encoded = { 0 };
	for (size_t i = 0; i < size; i++)
		isx_buf_char(&plain, text[i % (sizeof text - 1)]);
	assert_int_equal(isx_gzip_encode(span_of(&plain), &encoded, NULL), ISX_OK);
	isx_buf_release(&plain);
	return encoded;
}

static enum isx_status decode(struct isx_span encoded, size_t out_max, size_t *len)
{
	struct isx_buf plain = { 0 };
	struct isx_err err = { 0 };
	enum isx_status st = isx_gzip_decode(encoded, out_max, NULL, &plain, &err);
	assert_true(plain.len <= out_max);
	assert_int_equal(st == ISX_OK, err.msg[0] == '\0');
	for (size_t i = 0; !st && i < plain.len; i++)
		assert_int_equal(plain.ptr[i], text[i % (sizeof text - 1)]);
	*len = plain.len;
	isx_buf_release(&plain);
	return st;
}

static void test_gzip__what_is_encoded_is_decoded(void **state)
{
	const size_t sizes[] = { 0, 1, 46, 65535, 65536, 65537, 1000000 };
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct isx_buf encoded = encode(sizes[i]);
		size_t len;
		assert_int_equal(decode(span_of(&encoded), sizes[i], &len), ISX_OK);
		assert_int_equal(len, sizes[i]);
		isx_buf_release(&encoded);
	}
}

static void test_gzip__members_may_follow_each_other(void **state)
{
	struct isx_buf encoded = encode(46 * 2), other = encode(46 * 3);
	size_t len;
	(void)state;
	isx_buf_add(&encoded, other.ptr, other.len);
	assert_int_equal(decode(span_of(&encoded), 1000, &len), ISX_OK);
	assert_int_equal(len, 46 * 5);
	isx_buf_release(&encoded);
	isx_buf_release(&other);
}

static void test_gzip__what_is_cut_or_changed_is_refused(void **state)
{
	struct isx_buf encoded = encode(500);
	struct isx_span all = span_of(&encoded);
	size_t len;
	(void)state;
	for (size_t cut = 0; cut < all.len; cut++)
		assert_int_equal(decode((struct isx_span){ all.ptr, cut }, 1000, &len),
				 ISX_INVALID);
	for (size_t i = all.len - 8; i < all.len; i++) { /* the sum and the length */
		encoded.ptr[i] ^= 1;
		assert_int_equal(decode(all, 1000, &len), ISX_INVALID);
		encoded.ptr[i] ^= 1;
	}
	isx_buf_char(&encoded, 'x');
	assert_int_equal(decode(span_of(&encoded), 1000, &len), ISX_INVALID);
	assert_int_equal(decode(isx_span_of(text), 1000, &len), ISX_INVALID);
	isx_buf_release(&encoded);
}

static void test_gzip__too_much_stops_at_the_ceiling(void **state)
{
	struct isx_buf encoded = encode(1000000);
	size_t len;
	(void)state;
	assert_true(encoded.len < 10000);
	assert_int_equal(decode(span_of(&encoded), 999999, &len), ISX_TOO_LARGE);
	assert_int_equal(decode(span_of(&encoded), 100, &len), ISX_TOO_LARGE);
	assert_int_equal(decode(span_of(&encoded), 0, &len), ISX_TOO_LARGE);
	isx_buf_release(&encoded);
}

static enum isx_status allow_less(void *keeper, size_t bytes, struct isx_err *err)
{
	size_t *left = keeper;
	if (bytes > *left)
		return isx_fail(err, ISX_UNAVAILABLE, "enough");
	*left -= bytes;
	return ISX_OK;
}

static void test_gzip__a_quota_is_asked_as_bytes_are_produced(void **state)
{
	size_t left = 300000;
	struct isx_quota quota = { .may_take = allow_less, .keeper = &left };
	struct isx_buf encoded = encode(1000000), plain = { 0 };
	struct isx_err err;
	(void)state;
	assert_int_equal(isx_gzip_decode(span_of(&encoded), 1000000, &quota, &plain, &err),
			 ISX_UNAVAILABLE);
	assert_string_equal(err.msg, "enough");
	assert_int_equal(plain.len + left, 300000);
	isx_buf_release(&plain);
	plain = (struct isx_buf){ .quota = &quota };
	assert_int_equal(isx_gzip_decode(span_of(&encoded), 1000000, NULL, &plain, &err),
			 ISX_UNAVAILABLE);
	isx_buf_release(&plain);
	isx_buf_release(&encoded);
}

static void test_gzip__no_memory_is_a_status(void **state)
{
	struct isx_buf encoded = encode(200000);
	(void)state;
	for (size_t nth = 1;; nth++) {
		struct isx_buf plain = { 0 }, again = { 0 };
		isx_mem_fail_after(nth);
		enum isx_status st = isx_gzip_decode(span_of(&encoded), 200000, NULL, &plain, NULL);
		if (!st)
			st = isx_gzip_encode(span_of(&plain), &again, NULL);
		isx_mem_fail_after(0);
		isx_buf_release(&plain);
		isx_buf_release(&again);
		if (!st)
			break;
		assert_int_equal(st, ISX_NO_MEMORY);
	}
	isx_buf_release(&encoded);
}

static void test_gzip__content_encodings_are_read(void **state)
{
	const struct {
		const char *header;
		enum http_coding coding;
	} cases[] = {
		{ NULL, HTTP_CODING_NONE },          { "", HTTP_CODING_NONE },
		{ "identity", HTTP_CODING_NONE },    { "gzip", HTTP_CODING_GZIP },
		{ " X-GZip ", HTTP_CODING_GZIP },    { "identity, gzip,", HTTP_CODING_GZIP },
		{ "gzip, gzip", HTTP_CODING_OTHER }, { "deflate", HTTP_CODING_OTHER },
		{ "gzip;q=1", HTTP_CODING_OTHER },   { "br", HTTP_CODING_OTHER },
		{ "ZSTD", HTTP_CODING_ZSTD },        { "zstd, gzip", HTTP_CODING_OTHER },
		{ "gzipx", HTTP_CODING_OTHER },      { "gzip br", HTTP_CODING_OTHER },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(isx_coding_read(cases[i].header), cases[i].coding);
}

static void test_gzip__accepted_encodings_are_read(void **state)
{
	const struct {
		const char *header;
		bool wants;
	} cases[] = {
		{ NULL, false },
		{ "", false },
		{ "gzip", true },
		{ "GZIP", true },
		{ "x-gzip", true },
		{ "deflate, gzip, br", true },
		{ "gzip, deflate", true },
		{ "deflate, br", false },
		{ "identity", false },
		{ "*", true },
		{ "*;q=0", false },
		{ "*;q=0, gzip", true },
		{ "*, gzip;q=0", false },
		{ "gzip;q=0", false },
		{ "gzip;q=0.0", false },
		{ "gzip;q=0.000", false },
		{ "gzip;q=0.001", true },
		{ "gzip; q=0.5", true },
		{ "gzip ;Q=1.000", true },
		{ "gzip;q=0.5, identity;q=0.7", false },
		{ "gzip;q=0.7, identity;q=0.7", true },
		{ "identity;q=0.5, *;q=0.1", false },
		{ "gzip;q=", false },
		{ "gzip;q=x", false },
		{ "gzip;q=2", false },
		{ "gzip;q=1.5", false },
		{ "gzip;q=0.0001", false },
		{ "gzip;q", false },
		{ "gzip;level=1", false },
		{ ",,gzip,,", true },
		{ "gzipped", false },
		{ "gzip deflate", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (isx_coding_wants_gzip(cases[i].header) != cases[i].wants)
			fail_msg("Accept-Encoding: %s", cases[i].header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip__what_is_encoded_is_decoded),
		cmocka_unit_test(test_gzip__members_may_follow_each_other),
		cmocka_unit_test(test_gzip__what_is_cut_or_changed_is_refused),
		cmocka_unit_test(test_gzip__too_much_stops_at_the_ceiling),
		cmocka_unit_test(test_gzip__a_quota_is_asked_as_bytes_are_produced),
		cmocka_unit_test(test_gzip__no_memory_is_a_status),
		cmocka_unit_test(test_gzip__content_encodings_are_read),
		cmocka_unit_test(test_gzip__accepted_encodings_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
