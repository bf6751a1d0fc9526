/*
 * lines.h - files with one asset a line: .jsonl, .ndjson, standard input.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LINES_H
#define ISX_LINES_H

#include "base/buf.h"
#include "base/mem.h"
#include "cli/files.h"

/* Has a file of this name one asset a line? Those that end in .jsonl or .ndjson have, and "-" and
 * descriptors of this process (files_is_descriptor()), whose names say nothing. */
bool lines_are_in(const char *path);

/* Reads a file line by line, with the memory of the longest. */
struct lines {
	int fd;
	struct isx_buf read; /* what has been read and not handed out, from `at` on */
	size_t at;
	size_t number;  /* of the line that was handed out last, from 1 */
	uint64_t bytes; /* read so far */
	bool has_ended;
	bool has_begun; /* a line that is not blank has been seen */
};

/* Open a file, or standard input for "-". Close it also on failure. */
ISX_MUST_CHECK enum isx_status lines_open(const char *path, enum files_kind kind,
					  struct lines *lines, struct isx_err *err);

/* The next line that is not blank, without what is blank around it; empty at the end.
 *   line  borrowed until the next call
 * Fails, and then for the whole file, where that is no lines of JSON: see content_begin(); it is an
 * array or an object over several lines; a line is longer than ISX_FILE_BYTES_MAX. */
ISX_MUST_CHECK enum isx_status lines_next(struct lines *lines, struct isx_span *line,
					  struct isx_err *err);
void lines_close(struct lines *lines);

/* Read the asset of a line, into `arena`. ISX_SCHEMA says what is wrong. */
ISX_MUST_CHECK enum isx_status lines_read_asset(struct isx_span line, struct isx_arena *arena,
						struct isx_asset *asset, struct isx_err *err);

#endif
