/*
 * encoding.h - chooses content codings: of request bodies and of answers.
 *
 * The only coding is gzip.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_ENCODING_H
#define ISX_HTTP_ENCODING_H

#include "http/request.h"

enum http_coding { HTTP_CODING_NONE, HTTP_CODING_GZIP, HTTP_CODING_OTHER };

/* The coding of a Content-Encoding header (NULL: the request has none). Two codings in a row are
 * HTTP_CODING_OTHER. */
enum http_coding isx_coding_read(const char *content_encoding);

/* Does an Accept-Encoding header (RFC 9110, 12.5.3; NULL: there is none) ask for gzip, at least as
 * much as for no coding? */
bool isx_coding_wants_gzip(const char *accept_encoding);

/* Compress a finished answer if the client accepts gzip and the answer has ISX_GZIP_BYTES_MIN bytes
 * or more. Without memory it stays as it is. */
void isx_coding_apply(const struct http_req *req, struct http_res *res);

#endif
