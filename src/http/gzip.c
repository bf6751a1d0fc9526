/*
 * gzip.c - compresses and decompresses gzip in memory, with zlib.
 *
 * Output is produced in pieces, and the quota is asked before each piece is kept: a small text that
 * decompresses to a huge one (a "zip bomb") stops at its ceiling.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/gzip.h"

#include <zlib.h>

enum {
	PIECE_BYTES = 64 * 1024,
	FEED_BYTES = 1 << 30,        /* largest input of one call: zlib counts in 32 bits */
	WINDOW_BITS = MAX_WBITS + 16 /* 16: the gzip format instead of the zlib format */
};

/* zlib allocates through base/mem.c, so that its memory is counted and can fail in tests. */
static void *allocate(void *arg, unsigned count, unsigned size)
{
	(void)arg;
	return isx_mem_array(count, size);
}

static void release(void *arg, void *memory)
{
	(void)arg;
	isx_mem_free(memory);
}

/* Give zlib the next bytes of the text once it has consumed the last ones. */
static void feed(z_stream *stream, struct isx_span *text)
{
	if (stream->avail_in || !text->len)
		return;
	size_t len = text->len < FEED_BYTES ? text->len : FEED_BYTES;
	stream->next_in = (unsigned char *)(uintptr_t)text->ptr;
	stream->avail_in = (unsigned)len;
	*text = isx_span_skip(*text, len);
}

/* Run inflate() or deflate() once, with room for `room_max` bytes behind the end of `out`. `*made`
 * bytes are produced, but not committed. */
static int run(int (*step)(z_stream *, int), z_stream *stream, int flush, size_t room_max,
	       struct isx_buf *out, size_t *made)
{
	size_t room = room_max < PIECE_BYTES ? room_max : PIECE_BYTES;
	char *end = isx_buf_reserve(out, room);
	*made = 0;
	if (!end)
		return Z_MEM_ERROR;
	stream->next_out = (unsigned char *)end;
	stream->avail_out = (unsigned)room;
	int rc = step(stream, flush);
	*made = room - stream->avail_out;
	return rc;
}

/* --- decoding --------------------------------------------------------------------------------- */

/* A status of zlib as an error of the request: Z_BUF_ERROR means that the input ended too early. */
static enum isx_status fail_gzip(const z_stream *stream, int rc, const struct isx_buf *out,
				 struct isx_err *err)
{
	if (rc == Z_MEM_ERROR)
		return isx_quota_fail(out->quota, err);
	if (rc == Z_OK || rc == Z_BUF_ERROR)
		return isx_fail(err, ISX_INVALID,
				"the gzip text ends too early: expected it to be sent whole");
	return isx_fail(err, ISX_INVALID, "expected gzip as Content-Encoding says: %s",
			stream->msg ? stream->msg : "the text is damaged");
}

/* Decode until the end of the text. RFC 1952 allows several members, one behind the other: after
 * each the stream is reset. Without progress although all input is there, the text is truncated. */
static enum isx_status decode(z_stream *stream, struct isx_span text, size_t out_max,
			      const struct isx_quota *quota, struct isx_buf *out,
			      struct isx_err *err)
{
	size_t made, left = out_max;
	for (;;) {
		feed(stream, &text);
		/* One byte more than allowed, so that a text that is too large is noticed. */
		int rc = run(inflate, stream, Z_NO_FLUSH, left < SIZE_MAX ? left + 1 : left, out,
			     &made);
		bool is_done = stream->avail_in == 0 && text.len == 0;
		if ((rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) ||
		    (rc != Z_STREAM_END && made == 0 && is_done))
			return fail_gzip(stream, rc, out, err);
		if (made > left)
			return isx_fail(err, ISX_TOO_LARGE, "the text is larger than %zu bytes",
					out_max);
		enum isx_status st = made ? isx_quota_take(quota, made, err) : ISX_OK;
		if (st)
			return st;
		isx_buf_commit(out, made);
		left -= made;
		if (rc == Z_STREAM_END && is_done)
			return ISX_OK;
		if (rc == Z_STREAM_END && inflateReset(stream) != Z_OK)
			return fail_gzip(stream, Z_STREAM_ERROR, out, err);
	}
}

enum isx_status isx_gzip_decode(struct isx_span text, size_t out_max, const struct isx_quota *quota,
				struct isx_buf *out, struct isx_err *err)
{
	z_stream stream = { .zalloc = allocate, .zfree = release };
	if (inflateInit2(&stream, WINDOW_BITS) != Z_OK)
		return isx_fail_memory(err);
	enum isx_status st = decode(&stream, text, out_max, quota, out, err);
	inflateEnd(&stream);
	return st;
}

/* --- encoding --------------------------------------------------------------------------------- */

enum isx_status isx_gzip_encode(struct isx_span text, struct isx_buf *out, struct isx_err *err)
{
	z_stream stream = { .zalloc = allocate, .zfree = release };
	size_t made;
	int rc = Z_OK;
	/* Measured with 1 MiB of matches: level 1 makes it 13 times smaller at 153 MB/s, level 6
	 * 15 times at 44 MB/s. */
	if (deflateInit2(&stream, 1, Z_DEFLATED, WINDOW_BITS, MAX_MEM_LEVEL - 1,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return isx_fail_memory(err);
	while (rc == Z_OK || rc == Z_BUF_ERROR) {
		feed(&stream, &text);
		rc = run(deflate, &stream, text.len ? Z_NO_FLUSH : Z_FINISH, SIZE_MAX, out, &made);
		if (rc != Z_MEM_ERROR)
			isx_buf_commit(out, made);
	}
	deflateEnd(&stream);
	return rc == Z_STREAM_END ? ISX_OK : isx_quota_fail(out->quota, err);
}
