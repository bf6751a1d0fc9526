/*
 * spool.c - a body that is read line by line, in memory or in a file.
 *
 * The file has no name, so the system frees it also when the process is killed. Its pages are mostly in
 * the system's cache when they are read again. A packed body is unpacked while it is read, so that
 * its text never is on the disk. Must not know: requests and purses.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/spool.h"

#include "base/limits.h"
#include "engine/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Kept in memory: most bodies fit, and no file is made for them. A larger one costs one write for
 * every so many bytes, and one read for every READ_BYTES. */
enum { MEMORY_BYTES = 256 * 1024, READ_BYTES = 64 * 1024 };

/* What is kept behind a mark: twice the text that is read for one piece of a batch, for the blanks between. */
enum { KEPT_BYTES = 2 * ISX_BATCH_BYTES };

/* What libzstd takes for a body: the windows of the coding zstd have 8 MiB at most (RFC 9659). */
enum { WINDOW_LOG = 23, ZSTD_BYTES = (1 << WINDOW_LOG) + 256 * 1024 };

/* What a body may unpack to: gzip is never more than 1,032 times smaller than its text; zstd may be
 * many thousand times, and a small body would keep a worker busy for hours. */
enum { UNPACKED_PER_BYTE = 1100, UNPACKED_FREE_BYTES = 64 << 20 };

void isx_spool_begin(struct isx_spool *spool, const char *directory, struct isx_quota *quota)
{
	*spool = (struct isx_spool){ .directory = directory, .fd = -1, .bytes.quota = quota };
}

enum isx_status isx_spool_add(struct isx_spool *spool, const char *bytes, size_t len,
			      struct isx_err *err)
{
	isx_buf_add(&spool->bytes, bytes, len);
	return isx_buf_status(&spool->bytes, err);
}

bool isx_spool_is_due(const struct isx_spool *spool)
{
	return spool->bytes.len >= MEMORY_BYTES;
}

/* To be called before anything else sets errno. A quota of the disk and a limit of the file's size
 * are ISX_FULL, too: the operator has to make room, and the client may try again. */
static enum isx_status fail_file(const struct isx_spool *spool, const char *doing,
				 struct isx_err *err)
{
	bool is_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
	return isx_fail(err, is_full ? ISX_FULL : ISX_IO, "cannot %s a temporary file in %s: %s",
			doing, spool->directory, strerror(errno));
}

/* O_TMPFILE is not known to every file system. */
static enum isx_status open_file(struct isx_spool *spool, struct isx_err *err)
{
	char path[4096];
	spool->fd = open(spool->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (spool->fd >= 0)
		return ISX_OK;
	int len = snprintf(path, sizeof path, "%s/iscc-search-XXXXXX", spool->directory);
	spool->fd = len < (int)sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
	if (spool->fd < 0)
		return fail_file(spool, "make", err);
	(void)unlink(path);
	return ISX_OK;
}

/* After a failure the bytes are lost: the request has failed then, and its body is dropped. A write
 * that takes a part is continued; on a full disk the next one fails with the reason. */
enum isx_status isx_spool_flush(struct isx_spool *spool, struct isx_err *err)
{
	size_t done = 0;
	enum isx_status st = spool->fd < 0 ? open_file(spool, err) : ISX_OK;
	while (!st && done < spool->bytes.len) {
		ssize_t count = write(spool->fd, spool->bytes.ptr + done, spool->bytes.len - done);
		if (count < 0 && errno != EINTR)
			st = fail_file(spool, "write to", err);
		done += count > 0 ? (size_t)count : 0;
	}
	isx_buf_clear(&spool->bytes);
	return st;
}

/* What has arrived of a packed body that fits into memory is what is unpacked. */
static enum isx_status begin_unpacking(struct isx_spool *spool, struct isx_err *err)
{
	struct isx_quota *quota = spool->bytes.quota;
	enum isx_status st = isx_unpacker_new(spool->packing, &spool->unpacker, err);
	if (!st && spool->packing == ISX_PACKING_ZSTD) {
		isx_unpacker_limit(spool->unpacker, WINDOW_LOG);
		st = isx_quota_take(quota, ZSTD_BYTES, err);
	}
	spool->packed = spool->bytes;
	spool->bytes = (struct isx_buf){ .quota = quota };
	spool->to_unpack = (struct isx_span){ spool->packed.ptr, spool->packed.len };
	spool->packed_bytes = spool->packed.len;
	return st;
}

/* The rest goes to the file, too, if there is one: so that all is read in one order. */
static enum isx_status begin_reading(struct isx_spool *spool, struct isx_err *err)
{
	spool->is_reading = true;
	if (spool->fd < 0)
		return spool->packing ? begin_unpacking(spool, err) : ISX_OK;
	enum isx_status st = isx_spool_flush(spool, err);
	if (!st && lseek(spool->fd, 0, SEEK_SET) < 0)
		st = fail_file(spool, "read", err);
	return !st && spool->packing ? begin_unpacking(spool, err) : st;
}

/* Append the next bytes of the file.
 *   more  filled: false at its end, and without a file */
static enum isx_status read_file(struct isx_spool *spool, struct isx_buf *bytes, bool *more,
				 struct isx_err *err)
{
	ssize_t count;
	*more = false;
	if (spool->fd < 0)
		return ISX_OK;
	char *room = isx_buf_reserve(bytes, READ_BYTES);
	if (!room)
		return isx_buf_status(bytes, err);
	do
		count = read(spool->fd, room, READ_BYTES);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return fail_file(spool, "read", err);
	isx_buf_commit(bytes, (size_t)count);
	*more = count > 0;
	return ISX_OK;
}

static enum isx_status check_ratio(const struct isx_spool *spool, struct isx_err *err)
{
	return spool->unpacked_bytes / UNPACKED_PER_BYTE <= spool->packed_bytes ||
			       spool->unpacked_bytes <= UNPACKED_FREE_BYTES
		       ? ISX_OK
		       : isx_fail(err, ISX_INVALID,
				  "the body unpacks to more than %d times its size: send it in "
				  "gzip, or as it is",
				  UNPACKED_PER_BYTE);
}

/* Append the next bytes of what the body unpacks to, at most READ_BYTES.
 *   more  filled: false at the end of the body */
static enum isx_status unpack_more(struct isx_spool *spool, bool *more, struct isx_err *err)
{
	const size_t before = spool->bytes.len;
	enum isx_status st;
	*more = true;
	for (;;) {
		st = isx_unpacker_add(spool->unpacker, &spool->to_unpack, READ_BYTES, &spool->bytes,
				      err);
		if (st || spool->bytes.len > before || !*more)
			break;
		isx_buf_clear(&spool->packed);
		st = read_file(spool, &spool->packed, more, err);
		if (st)
			break;
		spool->to_unpack = (struct isx_span){ spool->packed.ptr, spool->packed.len };
		spool->packed_bytes += spool->packed.len;
	}
	*more = spool->bytes.len > before;
	spool->unpacked_bytes += spool->bytes.len - before;
	if (!st && !*more && isx_unpacker_end(spool->unpacker, NULL))
		st = isx_fail(err, ISX_INVALID,
			      "the packed body ends too early: expected it to be sent whole");
	return st ? st : check_ratio(spool, err);
}

/* Drop the lines that were read, or those before the mark, and read more behind the rest: the buffer never
 * holds more than KEPT_BYTES, one line of ISX_LINE_BYTES_MAX and READ_BYTES.
 *   more  filled: false at the end of the body */
static enum isx_status read_more(struct isx_spool *spool, bool *more, struct isx_err *err)
{
	struct isx_buf *bytes = &spool->bytes;
	*more = false;
	if (spool->fd < 0 && !spool->packing)
		return ISX_OK;
	spool->is_marked &= spool->at - spool->mark <= KEPT_BYTES;
	const size_t dropped = spool->is_marked ? spool->mark : spool->at;
	if (dropped > 0)
		memmove(bytes->ptr, bytes->ptr + dropped, bytes->len - dropped);
	bytes->len -= dropped;
	spool->at -= dropped;
	spool->mark = 0;
	const size_t before = bytes->len;
	enum isx_status st = spool->without_line > ISX_LINE_BYTES_MAX
				     ? isx_cancel_ask(spool->cancel_check, spool->cancel_arg, err)
				     : ISX_OK;
	if (!st)
		st = spool->packing ? unpack_more(spool, more, err)
				    : read_file(spool, bytes, more, err);
	spool->without_line += bytes->len - before;
	return st;
}

/* Find the end of the line at `at`, reading on as far as necessary.
 * Only bytes that are new are searched, so that a long line costs no more than its length.
 *   len      filled: bytes of the line; more than ISX_LINE_BYTES_MAX: the line is too long, and its
 *            end may not have been found
 *   has_end  filled: false for a last line without a line end */
static enum isx_status find_end(struct isx_spool *spool, size_t *len, bool *has_end,
				struct isx_err *err)
{
	bool more = true;
	enum isx_status st = ISX_OK;
	*len = 0;
	*has_end = false;
	while (!st && more && *len <= ISX_LINE_BYTES_MAX) {
		size_t rest = spool->bytes.len - spool->at;
		const char *begin = rest ? spool->bytes.ptr + spool->at : NULL;
		const char *end = rest > *len ? memchr(begin + *len, '\n', rest - *len) : NULL;
		*has_end = end != NULL;
		*len = end ? (size_t)(end - begin) : rest;
		if (end)
			break;
		st = read_more(spool, &more, err);
	}
	return st;
}

/* Read past the end of a line that is too long, without keeping it. */
static enum isx_status skip_line(struct isx_spool *spool, struct isx_err *err)
{
	bool more = true;
	spool->is_marked = false;
	while (more) {
		size_t rest = spool->bytes.len - spool->at;
		const char *begin = rest ? spool->bytes.ptr + spool->at : NULL;
		const char *end = rest ? memchr(begin, '\n', rest) : NULL;
		spool->at += end ? (size_t)(end - begin) + 1 : rest;
		if (end)
			break;
		enum isx_status st = read_more(spool, &more, err);
		if (st)
			return st;
	}
	return isx_fail(err, ISX_TOO_LARGE, "the line is longer than %d bytes", ISX_LINE_BYTES_MAX);
}

/* `has_end` is also what ends the loop over blank lines: without one the body has ended. */
enum isx_status isx_spool_line(struct isx_spool *spool, struct isx_span *line, struct isx_err *err)
{
	size_t len = 0;
	bool has_end = true;
	enum isx_status st = spool->is_reading ? ISX_OK : begin_reading(spool, err);
	*line = (struct isx_span){ 0 };
	spool->without_line = 0;
	while (!st && line->len == 0 && has_end) {
		st = find_end(spool, &len, &has_end, err);
		if (!st && len > ISX_LINE_BYTES_MAX)
			return skip_line(spool, err);
		if (st || len + has_end == 0)
			break;
		*line = (struct isx_span){ spool->bytes.ptr + spool->at, len };
		if (!spool->has_read && isx_span_has_prefix(*line, "\xEF\xBB\xBF"))
			*line = isx_span_skip(*line, 3);
		*line = isx_span_trim(*line);
		spool->has_read = true;
		spool->at += len + has_end;
	}
	return st;
}

void isx_spool_mark(struct isx_spool *spool)
{
	spool->is_marked = true;
	spool->mark = spool->at;
	spool->mark_has_read = spool->has_read;
}

bool isx_spool_rewind(struct isx_spool *spool)
{
	if (!spool->is_marked)
		return false;
	spool->at = spool->mark;
	spool->has_read = spool->mark_has_read;
	return true;
}

/* A spool of { 0 } has the descriptor 0, which is the standard input of the process: `directory`
 * tells that it was begun. */
void isx_spool_close(struct isx_spool *spool)
{
	if (spool->directory && spool->fd >= 0)
		close(spool->fd);
	isx_unpacker_free(spool->unpacker);
	isx_buf_release(&spool->packed);
	isx_buf_release(&spool->bytes);
	*spool = (struct isx_spool){ 0 };
}
