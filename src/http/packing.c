/*
 * packing.c - compresses and decompresses streams, with zlib and libzstd.
 *
 * Levels are fast rather than small: an export is to be as fast as the index is read. The libraries
 * allocate their own memory, outside of every quota: 256 KiB to write gzip and about 40 KiB to read
 * it; to read zstd, the window that a frame asks for, which libzstd limits to 128 MiB, and
 * isx_unpacker_limit() to less. Only the
 * output counts, in the buffer of the caller.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/packing.h"

#include <zlib.h>
#include <zstd.h>

enum {
	PIECE_BYTES = 64 * 1024,      /* of output, between two looks at the buffer */
	WINDOW_BITS = MAX_WBITS + 16, /* 16: the gzip format instead of the zlib format */
	GZIP_LEVEL = 1,
	ZSTD_LEVEL = 3
};

/* RFC 1952, 2.3.1, and RFC 8878, 3.1.1. JSON begins with none of these bytes. */
enum isx_packing isx_packing_of(struct isx_span beginning)
{
	if (isx_span_has_prefix(beginning, "\x1f\x8b"))
		return ISX_PACKING_GZIP;
	return isx_span_has_prefix(beginning, "\x28\xb5\x2f\xfd") ? ISX_PACKING_ZSTD
								  : ISX_PACKING_NONE;
}

/* A path that is only the suffix does not count: nothing would be left as the name of the file. */
static bool has_suffix(const char *path, const char *suffix)
{
	size_t len = strlen(path), wanted = strlen(suffix);
	return len > wanted && strcmp(path + len - wanted, suffix) == 0;
}

enum isx_packing isx_packing_by_name(const char *path)
{
	if (has_suffix(path, ".gz"))
		return ISX_PACKING_GZIP;
	return has_suffix(path, ".zst") ? ISX_PACKING_ZSTD : ISX_PACKING_NONE;
}

size_t isx_packing_suffix(const char *path)
{
	static const size_t lengths[] = { [ISX_PACKING_GZIP] = 3, [ISX_PACKING_ZSTD] = 4 };
	return lengths[isx_packing_by_name(path)];
}

/* --- compressing ------------------------------------------------------------------------------ */

struct isx_packer {
	enum isx_packing packing;
	z_stream gzip;
	ZSTD_CStream *zstd;
};

/* MAX_MEM_LEVEL - 1 is 8, the default of zlib, which its header does not name. A frame of zstd gets
 * a checksum, as those of the program zstd have, so that damage is found when it is read. */
enum isx_status isx_packer_new(enum isx_packing packing, struct isx_packer **packer,
			       struct isx_err *err)
{
	struct isx_packer *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	bool failed = false;
	if (packing == ISX_PACKING_GZIP)
		failed = deflateInit2(&made->gzip, GZIP_LEVEL, Z_DEFLATED, WINDOW_BITS,
				      MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) != Z_OK;
	if (packing == ISX_PACKING_ZSTD)
		failed = !(made->zstd = ZSTD_createCStream()) ||
			 ZSTD_isError(ZSTD_initCStream(made->zstd, ZSTD_LEVEL)) ||
			 ZSTD_isError(ZSTD_CCtx_setParameter(made->zstd, ZSTD_c_checksumFlag, 1));
	if (!failed)
		made->packing = packing; /* else there is nothing to end */
	if (failed) {
		ZSTD_freeCStream(made->zstd);
		isx_mem_free(made);
		return isx_fail_memory(err);
	}
	*packer = made;
	return ISX_OK;
}

/* Run the compressor until it has taken all and has no more to give. */
static enum isx_status deflate_all(z_stream *gzip, struct isx_span text, bool is_end,
				   struct isx_buf *out, struct isx_err *err)
{
	gzip->next_in = (unsigned char *)(uintptr_t)text.ptr;
	gzip->avail_in = (unsigned)text.len; /* of a piece: far below 4 GiB */
	do {
		char *room = isx_buf_reserve(out, PIECE_BYTES);
		if (!room)
			return isx_buf_status(out, err);
		gzip->next_out = (unsigned char *)room;
		gzip->avail_out = PIECE_BYTES;
		if (deflate(gzip, is_end ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
			return isx_fail(err, ISX_IO, "gzip: the text cannot be compressed");
		isx_buf_commit(out, PIECE_BYTES - gzip->avail_out);
	} while (gzip->avail_out == 0);
	return ISX_OK;
}

/* The same for zstd. What libzstd returns is a hint while the stream goes on, and the bytes that it
 * still holds at the end: so the loop ends by the input, or by that number. */
static enum isx_status zstd_all(ZSTD_CStream *zstd, struct isx_span text, bool is_end,
				struct isx_buf *out, struct isx_err *err)
{
	ZSTD_inBuffer in = { text.ptr, text.len, 0 };
	size_t left;
	do {
		char *room = isx_buf_reserve(out, PIECE_BYTES);
		if (!room)
			return isx_buf_status(out, err);
		ZSTD_outBuffer made = { room, PIECE_BYTES, 0 };
		left = ZSTD_compressStream2(zstd, &made, &in,
					    is_end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return isx_fail(err, ISX_IO, "zstd: %s", ZSTD_getErrorName(left));
		isx_buf_commit(out, made.pos);
	} while (is_end ? left > 0 : in.pos < in.size);
	return ISX_OK;
}

enum isx_status isx_packer_add(struct isx_packer *packer, struct isx_span text, bool is_end,
			       struct isx_buf *out, struct isx_err *err)
{
	if (packer->packing == ISX_PACKING_GZIP)
		return deflate_all(&packer->gzip, text, is_end, out, err);
	if (packer->packing == ISX_PACKING_ZSTD)
		return zstd_all(packer->zstd, text, is_end, out, err);
	isx_buf_add(out, text.ptr, text.len);
	return isx_buf_status(out, err);
}

/* Also in the middle of a stream, when the client is gone. */
void isx_packer_free(struct isx_packer *packer)
{
	if (!packer)
		return;
	if (packer->packing == ISX_PACKING_GZIP)
		deflateEnd(&packer->gzip);
	ZSTD_freeCStream(packer->zstd);
	isx_mem_free(packer);
}

/* --- decompressing ---------------------------------------------------------------------------- */

struct isx_unpacker {
	enum isx_packing packing;
	z_stream gzip;
	ZSTD_DStream *zstd;
	bool is_inside; /* a member or frame has begun and has not ended */
};

/* Not for ISX_PACKING_NONE: what is not packed needs no unpacker. */
enum isx_status isx_unpacker_new(enum isx_packing packing, struct isx_unpacker **unpacker,
				 struct isx_err *err)
{
	struct isx_unpacker *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	bool failed = false;
	if (packing == ISX_PACKING_GZIP)
		failed = inflateInit2(&made->gzip, WINDOW_BITS) != Z_OK;
	if (packing == ISX_PACKING_ZSTD)
		failed = !(made->zstd = ZSTD_createDStream());
	if (failed) {
		isx_mem_free(made);
		return isx_fail_memory(err);
	}
	made->packing = packing;
	*unpacker = made;
	return ISX_OK;
}

/* libzstd takes any value from 10 on. */
void isx_unpacker_limit(struct isx_unpacker *unpacker, int window_log)
{
	if (unpacker->zstd)
		(void)ZSTD_DCtx_setParameter(unpacker->zstd, ZSTD_d_windowLogMax, window_log);
}

/* One call of inflate(). Behind a member the next one begins, if there is more. avail_in has 32 bits:
 * of a longer text a part is taken. Z_BUF_ERROR only says that more of the stream is needed.
 *   text  what was used of it is skipped
 *   made  filled: bytes in `room` */
static enum isx_status inflate_some(struct isx_unpacker *unpacker, struct isx_span *text,
				    char *room, size_t bytes, size_t *made, struct isx_err *err)
{
	z_stream *gzip = &unpacker->gzip;
	unsigned len = (unsigned)(text->len < 1u << 30 ? text->len : 1u << 30);
	gzip->next_in = (unsigned char *)(uintptr_t)text->ptr;
	gzip->avail_in = len;
	gzip->next_out = (unsigned char *)room;
	gzip->avail_out = (unsigned)bytes;
	unpacker->is_inside |= len > 0;
	int rc = inflate(gzip, Z_NO_FLUSH);
	*text = isx_span_skip(*text, len - gzip->avail_in);
	*made = bytes - gzip->avail_out;
	if (rc == Z_STREAM_END) {
		unpacker->is_inside = false;
		rc = inflateReset(gzip);
	}
	if (rc == Z_MEM_ERROR)
		return isx_fail_memory(err);
	return rc == Z_OK || rc == Z_BUF_ERROR
		       ? ISX_OK
		       : isx_fail(err, ISX_INVALID, "gzip: %s",
				  gzip->msg ? gzip->msg : "the file is damaged");
}

/* The same for zstd. A call that takes and makes nothing leaves is_inside alone: behind a frame
 * libzstd then returns the size of a header that need not follow. */
static enum isx_status unzstd_some(struct isx_unpacker *unpacker, struct isx_span *text, char *room,
				   size_t bytes, size_t *made, struct isx_err *err)
{
	ZSTD_inBuffer in = { text->ptr, text->len, 0 };
	ZSTD_outBuffer out = { room, bytes, 0 };
	size_t rc = ZSTD_decompressStream(unpacker->zstd, &out, &in);
	*text = isx_span_skip(*text, in.pos);
	*made = out.pos;
	if (ZSTD_isError(rc))
		return isx_fail(err, ISX_INVALID, "zstd: %s", ZSTD_getErrorName(rc));
	if (in.pos || out.pos)
		unpacker->is_inside = rc != 0; /* 0: a frame is complete */
	return ISX_OK;
}

/* A call may produce nothing although there is more to read, for example behind a member. */
enum isx_status isx_unpacker_add(struct isx_unpacker *unpacker, struct isx_span *text, size_t room,
				 struct isx_buf *out, struct isx_err *err)
{
	size_t bytes = room < PIECE_BYTES ? room : PIECE_BYTES, made = 0, before;
	char *end = isx_buf_reserve(out, bytes);
	enum isx_status st = end ? ISX_OK : isx_buf_status(out, err);
	do {
		before = text->len;
		if (!st && unpacker->packing == ISX_PACKING_GZIP)
			st = inflate_some(unpacker, text, end, bytes, &made, err);
		else if (!st)
			st = unzstd_some(unpacker, text, end, bytes, &made, err);
	} while (!st && made == 0 && text->len < before);
	if (!st)
		isx_buf_commit(out, made);
	return st;
}

enum isx_status isx_unpacker_end(const struct isx_unpacker *unpacker, struct isx_err *err)
{
	return unpacker->is_inside
		       ? isx_fail(err, ISX_INVALID, "the file ends too early: it is not whole")
		       : ISX_OK;
}

void isx_unpacker_free(struct isx_unpacker *unpacker)
{
	if (!unpacker)
		return;
	if (unpacker->packing == ISX_PACKING_GZIP)
		inflateEnd(&unpacker->gzip);
	ZSTD_freeDStream(unpacker->zstd);
	isx_mem_free(unpacker);
}
