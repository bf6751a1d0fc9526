/*
 * iscc_file.h - the single-file form of an asset: NAME.iscc.json, as iscc-sdk writes it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ISCC_FILE_H
#define ISX_ISCC_FILE_H

#include "base/mem.h"
#include "base/span.h"

/* Read an asset from the text of such a file.
 *   path            of the file: metadata.source is its URI with the last suffix replaced by .utf8
 *   simprint_bits   truncate simprints to so many bits; 0: keep their length
 *   asset           filled; everything lives in `arena`
 * Used are iscc_id, iscc_code (or iscc), units, name and features; all other members are ignored.
 * The passages of a feature are texts in `simprints`, with the lists `offsets` and `sizes`, or
 * objects with simprint, offset and size. Without an offset a passage begins at the end of the one
 * before. In features of subtype video and audio all numbers are seconds if one has a decimal
 * point, or if a video has no offsets (scenes): they are stored as milliseconds. Other numbers are
 * stored unchanged. Skipped passages are reported in the log. ISX_SCHEMA names the invalid member,
 * or the kind of file if it is not JSON in UTF-8. */
ISX_MUST_CHECK enum isx_status iscc_file_read(struct isx_span text, const char *path,
					      unsigned simprint_bits, struct isx_arena *arena,
					      struct isx_asset *asset, struct isx_err *err);

/* The same for the JSON that a generator has printed for `path` (cli/generator.h): metadata.source is the URI of that
 * file itself. */
ISX_MUST_CHECK enum isx_status iscc_file_read_generated(struct isx_span text, const char *path,
							unsigned simprint_bits,
							struct isx_arena *arena,
							struct isx_asset *asset,
							struct isx_err *err);

#endif
