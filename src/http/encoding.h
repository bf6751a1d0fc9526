/*
 * encoding.h - content codings: which one a body has, and which one an answer gets.
 *
 * gzip is the only one, beside none.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_ENCODING_H
#define ISX_HTTP_ENCODING_H

#include "http/request.h"

enum http_coding { HTTP_CODING_NONE, HTTP_CODING_GZIP, HTTP_CODING_OTHER };

/* The coding that a Content-Encoding header names; NULL: there is none. Names are those of RFC 9110;
 * two codings in a row are HTTP_CODING_OTHER. */
enum http_coding isx_coding_read(const char *content_encoding);

/* Does an Accept-Encoding header (RFC 9110, 12.5.3; NULL: there is none) ask for gzip, at least as
 * much as for no coding? */
bool isx_coding_wants_gzip(const char *accept_encoding);

/* Encode a finished answer if the client asked for it and it is large enough to gain by it. Without
 * the memory for that it stays as it is. */
void isx_coding_apply(const struct http_req *req, struct http_res *res);

#endif
