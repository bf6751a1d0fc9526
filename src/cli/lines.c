/*
 * lines.c - reads files with one asset per line, with the memory of their longest line.
 *
 * Files of any size are streamed: bytes are read in chunks, and what is left of the last line moves
 * to the front of the buffer once per chunk. Must not know what a line means, but for how the first
 * one shows that the file is of another kind.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/lines.h"

#include "base/limits.h"
#include "cli/content.h"
#include "json/wire.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { CHUNK_BYTES = 64 * 1024 };

/* The suffix of a packing, .gz or .zst, may follow. */
static bool has_suffix(const char *path, const char *suffix)
{
	size_t len = strlen(path) - isx_packing_suffix(path), wanted = strlen(suffix);
	return len >= wanted && memcmp(path + len - wanted, suffix, wanted) == 0;
}

/* The names decide: the content is not read for it. */
bool lines_are_in(const char *path)
{
	return strcmp(path, "-") == 0 || files_is_descriptor(path) || has_suffix(path, ".jsonl") ||
	       has_suffix(path, ".ndjson");
}

/* "-" needs no open(); descriptors are opened under their names in /dev/fd. */
enum isx_status lines_open(const char *path, enum files_kind kind, struct lines *lines,
			   struct isx_err *err)
{
	*lines = (struct lines){ .fd = STDIN_FILENO };
	return strcmp(path, "-") == 0 ? ISX_OK : files_open(path, kind, &lines->fd, err);
}

/* Standard input stays open: descriptors 0 to 2 belong to the process. */
void lines_close(struct lines *lines)
{
	if (lines->fd > STDERR_FILENO)
		close(lines->fd);
	isx_unpacker_free(lines->unpacker);
	isx_buf_release(&lines->packed);
	isx_buf_release(&lines->read);
}

/* Read the next bytes of the file.
 *   got  filled: how many; 0 at the end */
static enum isx_status read_file(struct lines *lines, struct isx_buf *into, size_t *got,
				 struct isx_err *err)
{
	char *room = isx_buf_reserve(into, CHUNK_BYTES);
	ssize_t count;
	if (!room)
		return isx_fail_memory(err);
	do
		count = read(lines->fd, room, CHUNK_BYTES);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return isx_fail(err, ISX_IO, "%s", strerror(errno));
	isx_buf_commit(into, (size_t)count);
	lines->bytes += (uint64_t)count;
	*got = (size_t)count;
	return ISX_OK;
}

/* Look at the first bytes, and set up what unpacks the file. */
static enum isx_status find_packing(struct lines *lines, struct isx_err *err)
{
	size_t got = 1;
	enum isx_status st = ISX_OK;
	while (!st && got && lines->packed.len < ISX_PACKING_MAGIC_BYTES)
		st = read_file(lines, &lines->packed, &got, err);
	lines->is_known = true;
	enum isx_packing packing =
		isx_packing_of((struct isx_span){ lines->packed.ptr, lines->packed.len });
	if (!st && packing != ISX_PACKING_NONE)
		return isx_unpacker_new(packing, &lines->unpacker, err);
	isx_buf_add(&lines->read, lines->packed.ptr, lines->packed.len);
	isx_buf_clear(&lines->packed);
	return st ? st : isx_buf_status(&lines->read, err);
}

/* Unpack until there is something new, or the file ends. */
static enum isx_status unpack(struct lines *lines, struct isx_err *err)
{
	size_t before = lines->read.len, got = 1;
	for (;;) {
		struct isx_span left = { lines->packed.ptr + lines->packed_at,
					 lines->packed.len - lines->packed_at };
		enum isx_status st = isx_unpacker_add(lines->unpacker, &left, CHUNK_BYTES,
						      &lines->read, err);
		lines->packed_at = lines->packed.len - left.len;
		if (st || lines->read.len > before)
			return st;
		isx_buf_clear(&lines->packed);
		lines->packed_at = 0;
		st = read_file(lines, &lines->packed, &got, err);
		lines->has_ended = !st && got == 0;
		if (lines->has_ended)
			st = isx_unpacker_end(lines->unpacker, err);
		if (st || lines->has_ended)
			return st;
	}
}

/* Read one chunk behind the unread bytes, which move to the beginning of the buffer. */
static enum isx_status read_more(struct lines *lines, struct isx_err *err)
{
	if (lines->at) {
		lines->read.len -= lines->at;
		memmove(lines->read.ptr, lines->read.ptr + lines->at, lines->read.len);
		lines->at = 0;
	}
	size_t before = lines->read.len;
	/* Bounds the memory: a file without any line end, for example a disk image, ends
	 * here. */
	if (lines->read.len > ISX_FILE_BYTES_MAX)
		return isx_fail(err, ISX_TOO_LARGE, "line %zu is longer than %d MiB",
				lines->number + 1, ISX_FILE_BYTES_MAX >> 20);
	size_t got = 0;
	enum isx_status st = lines->is_known ? ISX_OK : find_packing(lines, err);
	if (st || lines->read.len > before)
		return st;
	if (lines->unpacker)
		return unpack(lines, err);
	st = read_file(lines, &lines->read, &got, err);
	lines->has_ended = !st && got == 0;
	return st;
}

/* The next line, blank or not; at the end `*line` is empty and `has_ended` is set. */
static enum isx_status next_line(struct lines *lines, struct isx_span *line, struct isx_err *err)
{
	const char *end = NULL;
	size_t seen = 0; /* bytes searched so far: none is searched twice */
	for (;;) {
		struct isx_span left = { lines->read.ptr + lines->at, lines->read.len - lines->at };
		if (left.len > seen)
			end = memchr(left.ptr + seen, '\n', left.len - seen);
		if (end || lines->has_ended) {
			line->ptr = left.ptr;
			line->len = end ? (size_t)(end - left.ptr) : left.len;
			lines->at += line->len + (end != NULL);
			lines->number++;
			return ISX_OK;
		}
		seen = left.len;
		enum isx_status st = read_more(lines, err);
		if (st)
			return st;
	}
}

bool lines_are_waiting(const struct lines *lines)
{
	struct pollfd input = { .fd = lines->fd, .events = POLLIN };
	size_t left = lines->read.len - lines->at;
	return lines->has_ended || (left && memchr(lines->read.ptr + lines->at, '\n', left)) ||
	       poll(&input, 1, 0) != 0;
}

/* Look at how the file begins. Lines are cut behind this: text in UTF-16 that begins with an empty line
 * has only one byte in front of the first cut. */
static enum isx_status begin(struct lines *lines, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	while (!st && !lines->has_ended && lines->read.len < CONTENT_BYTES)
		st = read_more(lines, err);
	struct isx_span text = { lines->read.ptr, lines->read.len };
	if (!st)
		st = content_begin(&text, err);
	lines->at = lines->read.len - text.len;
	return st;
}

/* Is the first line that is not blank no text, or one of many that are one array or object together? */
static enum isx_status check_first(struct isx_span line, struct isx_err *err)
{
	enum isx_status st = content_check(line,
					   err); /* there may be any number of blank lines before */
	if (st)
		return st;
	if (line.ptr[0] == '[' && line.ptr[line.len - 1] != ']')
		return isx_fail(err, ISX_SCHEMA,
				"expected one asset a line, this is a JSON array over several "
				"lines: take it apart first (jq -c '.[]')");
	if (isx_span_is(line, "{"))
		return isx_fail(err, ISX_SCHEMA,
				"expected one asset a line, this is a JSON object over several "
				"lines: put it on one (jq -c .)");
	return ISX_OK;
}

/* Byte order marks and encodings are looked for in the first line only. */
enum isx_status lines_next(struct lines *lines, struct isx_span *line, struct isx_err *err)
{
	enum isx_status st = lines->number ? ISX_OK : begin(lines, err);
	*line = (struct isx_span){ 0 };
	while (!st && !(lines->has_ended && lines->at == lines->read.len)) {
		st = next_line(lines, line, err);
		*line = isx_span_trim(*line);
		if (!st && line->len)
			break;
	}
	if (!st && line->len && !lines->has_begun)
		st = check_first(*line, err);
	lines->has_begun |= !st && line->len > 0;
	return st;
}

/* The rules are those of an element of POST /indexes/{name}/assets. */
enum isx_status lines_read_asset(struct isx_span line, struct isx_arena *arena,
				 struct isx_asset *asset, struct isx_err *err)
{
	struct isx_problems problems = { 0 };
	if (line.ptr[0] == '[')
		return isx_fail(err, ISX_SCHEMA,
				"expected an asset, a JSON object; this is a JSON array");
	enum isx_status st = isx_asset_from_json(line, arena, asset, &problems, err);
	isx_problems_release(&problems);
	return st;
}
