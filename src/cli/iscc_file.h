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
 *   simprint_bits   cut simprints to so many bits, 0: leave them
 *   asset           filled; everything lives in `arena`
 * Used are iscc_id, iscc_code (or iscc), units, name and features; all else is ignored. The passages of
 * a feature are texts in `simprints`, with the lists `offsets` and `sizes`, or objects with simprint,
 * offset and size. One without an offset begins where the one before ends. Of
 * subtype video and audio all numbers of a feature are seconds if one has a point, as are those of a
 * video without offsets (scenes): milliseconds are stored. Others are stored as they are. What a feature lacks is said in the log.
 * ISX_SCHEMA says which field is wrong, or what the file is if it is no JSON in UTF-8. */
ISX_MUST_CHECK enum isx_status iscc_file_read(struct isx_span text, const char *path,
					      unsigned simprint_bits, struct isx_arena *arena,
					      struct isx_asset *asset, struct isx_err *err);

#endif
