/*
 * codec.h - decompresses the pages of a Parquet file: snappy, zlib and zstd.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CODEC_H
#define ISX_CODEC_H

#include "base/span.h"
#include "base/status.h"

/* The codecs of Parquet that are read, by the numbers of the format. */
enum isx_codec { ISX_CODEC_NONE = 0, ISX_CODEC_SNAPPY = 1, ISX_CODEC_GZIP = 2, ISX_CODEC_ZSTD = 6 };

/* ISX_INVALID names the codec `number` if it is not one of enum isx_codec. */
ISX_MUST_CHECK enum isx_status isx_codec_check(int64_t number, struct isx_err *err);

/* Decompress `packed` to exactly `len` bytes. Nothing is written behind them, whatever `packed` is.
 *   bytes  filled: room for `len` bytes
 * ISX_INVALID if `packed` is damaged or gives more or fewer bytes. */
ISX_MUST_CHECK enum isx_status isx_codec_unpack(enum isx_codec codec, struct isx_span packed,
						uint8_t *bytes, size_t len, struct isx_err *err);

#endif
