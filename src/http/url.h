/*
 * url.h - the parts of a request target: decoded path segments and query parameters.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_URL_H
#define ISX_URL_H

#include "base/mem.h"
#include "base/span.h"

#define ISX_URL_SEGMENTS_MAX 8 /* the longest route has 4; a longer path matches no route */

/* A path, decoded segment by segment. "/" is one empty segment, "/a/" is "a" and an empty one. */
struct isx_url_path {
	struct isx_span segments[ISX_URL_SEGMENTS_MAX]; /* each followed by '/' or NUL */
	size_t count;
};

/* Split a request target ("/a/b?c=d", or with scheme and host in front) at its question mark.
 *   path, query  filled: parts of `target` */
void isx_url_split(struct isx_span target, struct isx_span *path, struct isx_span *query);

/* Decode a path into `arena`. *found is false if no route can match: too many segments, no slash
 * at the beginning, or a segment with an encoded slash or NUL ("%2F"). */
ISX_MUST_CHECK enum isx_status isx_url_path_decode(struct isx_span path, struct isx_arena *arena,
						   struct isx_url_path *decoded, bool *found,
						   struct isx_err *err);

/* The value of query parameter `name`, decoded into `arena`: the last one if there are several. Its
 * ptr is NULL if there is none. */
ISX_MUST_CHECK enum isx_status isx_url_param(struct isx_span query, const char *name,
					     struct isx_arena *arena, struct isx_span *value,
					     struct isx_err *err);

/* The values of a query parameter that may be given several times, with commas between them. */
ISX_MUST_CHECK enum isx_status isx_url_list(struct isx_span query, const char *name,
					    struct isx_arena *arena, struct isx_span *list,
					    struct isx_err *err);

#endif
