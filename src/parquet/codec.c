/*
 * codec.c - decompresses pages with snappy, zlib and zstd.
 *
 * The header of a page says how long its content is. So no decoder gets more room than that, and a small
 * page that would grow without end is refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "parquet/codec.h"

#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

enum isx_status isx_codec_check(int64_t number, struct isx_err *err)
{
	static const char *const others[] = {
		[3] = "LZO", [4] = "Brotli", [5] = "LZ4", [7] = "LZ4_RAW"
	};
	if (number == ISX_CODEC_NONE || number == ISX_CODEC_SNAPPY || number == ISX_CODEC_GZIP ||
	    number == ISX_CODEC_ZSTD)
		return ISX_OK;
	const char *name = number > 0 && number < 8 ? others[number] : NULL;
	return isx_fail(err, ISX_INVALID,
			"compressed with %s (codec %lld): expected none, snappy, gzip or zstd: "
			"write the file again with one of these",
			name ? name : "an unknown codec", (long long)number);
}

/* Snappy says in front how long its content is; a length other than that of the page is refused
 * before anything is written. */
static bool unpack_snappy(struct isx_span packed, uint8_t *bytes, size_t len)
{
	size_t found = 0;
	if (snappy_uncompressed_length(packed.ptr, packed.len, &found) != SNAPPY_OK || found != len)
		return false;
	return snappy_uncompress(packed.ptr, packed.len, (char *)bytes, &found) == SNAPPY_OK &&
	       found == len;
}

/* gzip or zlib, as its beginning tells (15 + 32); gzip may have several members. */
static bool unpack_gzip(struct isx_span packed, uint8_t *bytes, size_t len)
{
	z_stream stream = { .next_in = (Bytef *)(uintptr_t)packed.ptr,
			    .avail_in = (uInt)packed.len,
			    .next_out = bytes,
			    .avail_out = (uInt)len };
	/* zlib counts in unsigned int, and a chunk may be longer than that. */
	if (packed.len > INT32_MAX || len > INT32_MAX || inflateInit2(&stream, 15 + 32) != Z_OK)
		return false;
	int did = inflate(&stream, Z_FINISH);
	while (did == Z_STREAM_END && stream.avail_in && inflateReset(&stream) == Z_OK)
		did = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	return did == Z_STREAM_END && stream.avail_out == 0;
}

/* Errors of zstd are numbers close to SIZE_MAX, which no page has as its length. */
static bool unpack_zstd(struct isx_span packed, uint8_t *bytes, size_t len)
{
	return ZSTD_decompress(bytes, len, packed.ptr, packed.len) == len;
}

/* Pages of nothing may have no bytes at all, which no codec takes. */
enum isx_status isx_codec_unpack(enum isx_codec codec, struct isx_span packed, uint8_t *bytes,
				 size_t len, struct isx_err *err)
{
	bool is_whole = len == 0 && codec != ISX_CODEC_NONE;
	if (codec == ISX_CODEC_NONE && packed.len == len) {
		if (len)
			memcpy(bytes, packed.ptr, len);
		is_whole = true;
	} else if (len && codec == ISX_CODEC_SNAPPY) {
		is_whole = unpack_snappy(packed, bytes, len);
	} else if (len && codec == ISX_CODEC_GZIP) {
		is_whole = unpack_gzip(packed, bytes, len);
	} else if (len && codec == ISX_CODEC_ZSTD) {
		is_whole = unpack_zstd(packed, bytes, len);
	}
	if (is_whole)
		return ISX_OK;
	return isx_fail(err, ISX_INVALID,
			"%zu compressed bytes do not give the %zu bytes that the page announces",
			packed.len, len);
}
