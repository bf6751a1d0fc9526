/*
 * content.c - recognizes byte order marks, compressed files and other encodings by their first
 *             bytes.
 *
 * Relies on its caller for the first CONTENT_BYTES bytes, and reads none beyond the text. Must not
 * know file names: users rename files, and standard input has no name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/content.h"

#include <ctype.h>

/* Known beginnings of files. Of two with a common prefix the longer comes first: that of UTF-32
 * contains that of UTF-16. */
#define CONTENT_MAKE ": " CONTENT_HOW_TO_GET_CODES
static const struct beginning {
	const char *bytes;
	size_t count;
	const char *is; /* what it is and what to do, for the message */
} beginnings[] = {
	{ "\x1F\x8B", 2, "compressed with gzip: unpack it first (gzip -d)" },
	{ "\x28\xB5\x2F\xFD", 4, "compressed with zstd: unpack it first (zstd -d)" },
	{ "\xFD"
	  "7zXZ\0",
	  6, "compressed with xz: unpack it first (xz -d)" },
	{ "BZh", 3, "compressed with bzip2: unpack it first (bzip2 -d)" },
	{ "\x04\x22\x4D\x18", 4, "compressed with lz4: unpack it first (lz4 -d)" },
	{ "\xFF\xD8\xFF", 3, "a JPEG image" CONTENT_MAKE },
	{ "\x89PNG", 4, "a PNG image" CONTENT_MAKE },
	{ "GIF8", 4, "a GIF image" CONTENT_MAKE },
	{ "%PDF", 4, "a PDF document" CONTENT_MAKE },
	{ "RIFF", 4, "a media file (RIFF)" CONTENT_MAKE },
	{ "ID3", 3, "an MP3 file" CONTENT_MAKE },
	{ "fLaC", 4, "a FLAC file" CONTENT_MAKE },
	{ "OggS", 4, "an Ogg file" CONTENT_MAKE },
	{ "\x1A\x45\xDF\xA3", 4, "a Matroska video" CONTENT_MAKE },
	{ "\x7F"
	  "ELF",
	  4, "a program" },
	{ "PK\x03\x04", 4, "a ZIP archive: unpack it first (unzip)" },
	{ "\xFF\xFE\0\0", 4, "text in UTF-32: convert it first (iconv -f UTF-32 -t UTF-8)" },
	{ "\0\0\xFE\xFF", 4, "text in UTF-32: convert it first (iconv -f UTF-32 -t UTF-8)" },
	{ "\xFF\xFE", 2, "text in UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)" },
	{ "\xFE\xFF", 2, "text in UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)" },
};

/* ISX_SCHEMA, as for JSON that is no asset: `add` reports the file and goes on with the next
 * one. */
static enum isx_status fail_beginning(struct isx_err *err, const char *is)
{
	return isx_fail(err, ISX_SCHEMA, "expected JSON in UTF-8, this is %s", is);
}

/* JSON begins with a character of ASCII, so UTF-16 and UTF-32 without a mark have NULs beside it. */
static const char *find_wide(struct isx_span text)
{
	uint32_t first = text.len >= 4 ? isx_load_be32(text.ptr) : 0;
	if (text.len >= 8 && memcmp(text.ptr + 4, "ftyp", 4) == 0)
		return "an MP4 video" CONTENT_MAKE;
	if (first && first < 0x80)
		return "text in UTF-32: convert it first (iconv -f UTF-32BE -t UTF-8)";
	if (first && (first & 0x00FFFFFF) == 0)
		return "text in UTF-32: convert it first (iconv -f UTF-32LE -t UTF-8)";
	for (size_t i = 0;
	     i < text.len && i < CONTENT_BYTES && !isspace((unsigned char)text.ptr[0]); i++)
		if ((unsigned char)text.ptr[i] < '\t' && text.ptr[i])
			return "a binary file" CONTENT_MAKE;
	if (text.len >= 2 && !text.ptr[0] && text.ptr[1])
		return "text in UTF-16: convert it first (iconv -f UTF-16BE -t UTF-8)";
	if (text.len >= 2 && text.ptr[0] && !text.ptr[1])
		return "text in UTF-16: convert it first (iconv -f UTF-16LE -t UTF-8)";
	return NULL;
}

enum isx_status content_check(struct isx_span text, struct isx_err *err)
{
	for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
		const struct beginning *known = &beginnings[i];
		if (text.len >= known->count && memcmp(text.ptr, known->bytes, known->count) == 0)
			return fail_beginning(err, known->is);
	}
	const char *wide = find_wide(text);
	return wide ? fail_beginning(err, wide) : ISX_OK;
}

enum isx_status content_begin(struct isx_span *text, struct isx_err *err)
{
	enum isx_status st = content_check(*text, err);
	if (isx_span_has_prefix(*text, "\xEF\xBB\xBF"))
		*text = isx_span_skip(*text, 3);
	return st ? st : content_check(isx_span_trim(*text), err);
}

void content_place(struct isx_span text, size_t offset, size_t *line, size_t *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < offset && i < text.len; i++) {
		bool ends = text.ptr[i] == '\n';
		*line += ends;
		*column = ends ? 1 : *column + 1;
	}
}
