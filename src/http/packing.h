/*
 * packing.h - compresses and decompresses streams, piece by piece: gzip and zstd.
 *
 * Must not know: files, HTTP.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PACKING_H
#define ISX_PACKING_H

#include "base/buf.h"

enum isx_packing { ISX_PACKING_NONE, ISX_PACKING_GZIP, ISX_PACKING_ZSTD };

/* The first bytes of a stream tell how it is packed; so many are needed for it. */
enum { ISX_PACKING_MAGIC_BYTES = 4 };
enum isx_packing isx_packing_of(struct isx_span beginning);

/* How a file of this name is to be packed: by its last suffix, .gz or .zst. */
enum isx_packing isx_packing_by_name(const char *path);

/* The length of that suffix, or 0. */
size_t isx_packing_suffix(const char *path);

/* Compresses a stream. */
struct isx_packer;
ISX_MUST_CHECK enum isx_status isx_packer_new(enum isx_packing packing, struct isx_packer **packer,
					      struct isx_err *err);

/* Append what `text` makes of the stream; some of it may come with later calls.
 *   is_end  the stream ends with this text: append all that is left. No call follows */
ISX_MUST_CHECK enum isx_status isx_packer_add(struct isx_packer *packer, struct isx_span text,
					      bool is_end, struct isx_buf *out,
					      struct isx_err *err);
void isx_packer_free(struct isx_packer *packer);

/* Decompresses a stream: several gzip members or zstd frames, one behind the other, are one
 * stream. */
struct isx_unpacker;
ISX_MUST_CHECK enum isx_status isx_unpacker_new(enum isx_packing packing,
						struct isx_unpacker **unpacker,
						struct isx_err *err);

/* Refuse frames of zstd with a window of more than 2 to the power of `window_log` bytes: memory that is
 * allocated for each. */
void isx_unpacker_limit(struct isx_unpacker *unpacker, int window_log);

/* Append decompressed bytes, at most `room` of them (at least 1). If nothing was appended, more of
 * the stream is needed.
 *   text  what was used of it is skipped
 * ISX_INVALID: the stream is damaged. */
ISX_MUST_CHECK enum isx_status isx_unpacker_add(struct isx_unpacker *unpacker,
						struct isx_span *text, size_t room,
						struct isx_buf *out, struct isx_err *err);

/* Is the stream complete? ISX_INVALID: it ends in the middle. */
ISX_MUST_CHECK enum isx_status isx_unpacker_end(const struct isx_unpacker *unpacker,
						struct isx_err *err);
void isx_unpacker_free(struct isx_unpacker *unpacker);

#endif
