/*
 * gzip.h - compresses and decompresses gzip (RFC 1952) in memory.
 *
 * Must not know: HTTP. The only file that sees zlib.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_GZIP_H
#define ISX_HTTP_GZIP_H

#include "base/buf.h"

/* Append the decoded `text`: one or more complete members, and nothing behind them.
 *   out_max  bytes that may be appended; more is ISX_TOO_LARGE
 *   quota    asked before each piece is kept; NULL: no quota
 * ISX_INVALID: it is not gzip, is damaged, or ends too early. */
ISX_MUST_CHECK enum isx_status isx_gzip_decode(struct isx_span text, size_t out_max,
					       const struct isx_quota *quota, struct isx_buf *out,
					       struct isx_err *err);

/* Append `text` as one member, fast rather than small. Fails without memory, or with the
 * status of the quota of `out`. */
ISX_MUST_CHECK enum isx_status isx_gzip_encode(struct isx_span text, struct isx_buf *out,
					       struct isx_err *err);

#endif
