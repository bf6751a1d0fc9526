/*
 * encoding.h - chooses content codings and formats: of request bodies and of answers.
 *
 * Bodies of lines and exports may be in zstd, too, all others in gzip alone; the formats are JSON, and NDJSON, one JSON value in each line.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_ENCODING_H
#define ISX_HTTP_ENCODING_H

#include "http/packing.h"
#include "http/request.h"

enum http_coding { HTTP_CODING_NONE, HTTP_CODING_GZIP, HTTP_CODING_ZSTD, HTTP_CODING_OTHER };

/* The coding of a Content-Encoding header (NULL: the request has none). Two codings in a row are
 * HTTP_CODING_OTHER. */
enum http_coding isx_coding_read(const char *content_encoding);

/* Does an Accept-Encoding header (RFC 9110, 12.5.3; NULL: there is none) ask for gzip, at least as
 * much as for no coding? */
bool isx_coding_wants_gzip(const char *accept_encoding);

/* The coding of a stream for such a header: zstd or gzip, whichever it asks for more; zstd of equals. */
enum isx_packing isx_coding_choose(const char *accept_encoding);

/* Is a content type one of lines with a JSON value each: application/x-ndjson or application/jsonl, and
 * their spellings? */
bool isx_is_lines_type(const char *content_type);

/* Does an Accept header name a type of lines before JSON, or JSON before a type of lines? The order
 * counts, not the weights. Both are false if it names neither. */
bool isx_accepts_lines(const char *accept);
bool isx_accepts_json(const char *accept);

/* Compress a finished answer if the client accepts gzip and the answer has ISX_GZIP_BYTES_MIN bytes
 * or more. Without memory it stays as it is. */
void isx_coding_apply(const struct http_req *req, struct http_res *res);

#endif
