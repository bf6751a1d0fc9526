/*
 * lines.h - reads files with one asset per line: .jsonl, .ndjson, standard input.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LINES_H
#define ISX_LINES_H

#include "base/buf.h"
#include "base/mem.h"
#include "cli/files.h"
#include "http/packing.h"

/* Does a file of this name have one asset per line? True for .jsonl and .ndjson, also with .gz or
 * .zst behind, and for "-" and the descriptors of files_is_descriptor(), whose names tell nothing. */
bool lines_are_in(const char *path);

/* A file that is read line by line. */
struct lines {
	int fd;
	struct isx_unpacker *unpacker; /* of a compressed file; NULL: of any other */
	struct isx_buf packed; /* compressed bytes; those from `packed_at` on are not used yet */
	size_t packed_at;
	bool is_known;       /* whether the file is compressed */
	struct isx_buf read; /* bytes read; those from `at` on are not returned yet */
	size_t at;
	size_t number;  /* of the line returned last, from 1 */
	uint64_t bytes; /* of the file, read so far */
	bool has_ended;
	bool has_begun; /* a line that is not blank was returned */
};

/* Open a file, or standard input for "-". Close it also on failure. What is compressed with gzip or
 * zstd is read decompressed, whatever its name is. */
ISX_MUST_CHECK enum isx_status lines_open(const char *path, enum files_kind kind,
					  struct lines *lines, struct isx_err *err);

/* Can the next line be read without waiting for more input? */
bool lines_are_waiting(const struct lines *lines);

/* The next line that is not blank, trimmed; empty at the end of the file.
 *   line  borrowed until the next call
 * Fails for the whole file if it is not JSON in UTF-8 (content_begin()), if it is one array or
 * object over several lines, or if a line is longer than ISX_FILE_BYTES_MAX. */
ISX_MUST_CHECK enum isx_status lines_next(struct lines *lines, struct isx_span *line,
					  struct isx_err *err);
void lines_close(struct lines *lines);

/* Read the asset of a line into `arena`. ISX_SCHEMA describes the fault. */
ISX_MUST_CHECK enum isx_status lines_read_asset(struct isx_span line, struct isx_arena *arena,
						struct isx_asset *asset, struct isx_err *err);

#endif
