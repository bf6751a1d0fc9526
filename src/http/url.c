/*
 * url.c - decoding request targets.
 *
 * As in iscc-search 0.3.3, decoding never fails (base/percent.h). Decoded bytes need not be UTF-8: the
 * code that writes them into JSON checks that. In a query "+" stands for a space, in a path for itself.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/url.h"

#include "base/percent.h"

#include <strings.h>

/* The part of an absolute target behind "http://host". Servers have to accept that form (RFC 9112,
 * 3.2.2). */
static struct isx_span skip_authority(struct isx_span target)
{
	size_t scheme = 0;
	if (target.len >= 7 && strncasecmp(target.ptr, "http://", 7) == 0)
		scheme = 7;
	else if (target.len >= 8 && strncasecmp(target.ptr, "https://", 8) == 0)
		scheme = 8;
	if (!scheme)
		return target;
	struct isx_span rest = isx_span_skip(target, scheme);
	size_t host = 0;
	while (host < rest.len && rest.ptr[host] != '/' && rest.ptr[host] != '?')
		host++;
	return isx_span_skip(rest, host);
}

void isx_url_split(struct isx_span target, struct isx_span *path, struct isx_span *query)
{
	*path = isx_span_cut(skip_authority(target), '?', query);
}

enum isx_status isx_url_path_decode(struct isx_span path, struct isx_arena *arena,
				    struct isx_url_path *decoded, bool *found, struct isx_err *err)
{
	*found = false;
	if (path.len == 0 || path.ptr[0] != '/')
		return ISX_OK;
	char *out = isx_arena_alloc(arena, path.len + 1, 1);
	if (!out)
		return isx_fail_memory(err);
	decoded->count = 0;
	struct isx_span rest = isx_span_skip(path, 1);
	/* Segments are decoded one behind the other, with the slashes between them: router.c takes
	 * several of them as one text ("*"). */
	while (rest.ptr) {
		struct isx_span segment = isx_span_cut(rest, '/', &rest);
		size_t len = isx_percent_decode(segment, false, out);
		/* A decoded slash or NUL would make one segment look like two, or like its
		 * beginning. */
		if (decoded->count == ISX_URL_SEGMENTS_MAX || memchr(out, '/', len) ||
		    memchr(out, '\0', len))
			return ISX_OK;
		decoded->segments[decoded->count++] = (struct isx_span){ out, len };
		out[len] = rest.ptr ? '/' : '\0';
		out += len + 1;
	}
	*found = true;
	return ISX_OK;
}

/* The next value of query parameter `name`; its ptr is NULL if there is no more.
 *   query  moved behind it */
static enum isx_status next_param(struct isx_span *query, const char *name, struct isx_arena *arena,
				  struct isx_span *value, struct isx_err *err)
{
	*value = (struct isx_span){ 0 };
	while (query->ptr && !value->ptr) {
		struct isx_span raw;
		struct isx_span pair = isx_span_cut(*query, '&', query);
		struct isx_span key = isx_span_cut(pair, '=', &raw);
		char *text = isx_arena_alloc(arena, pair.len + 1, 1);
		if (!text)
			return isx_fail_memory(err);
		/* The key is decoded first, and the value over it: both fit, because decoding never
		 * makes a text longer. */
		size_t key_len = isx_percent_decode(key, true, text);
		if (pair.len == 0 || !isx_span_is((struct isx_span){ text, key_len }, name))
			continue;
		*value = (struct isx_span){ text, isx_percent_decode(raw, true, text) };
	}
	return ISX_OK;
}

enum isx_status isx_url_param(struct isx_span query, const char *name, struct isx_arena *arena,
			      struct isx_span *value, struct isx_err *err)
{
	struct isx_span next;
	enum isx_status st;
	*value = (struct isx_span){ 0 };
	while (!(st = next_param(&query, name, arena, &next, err)) && next.ptr)
		*value = next;
	return st;
}

enum isx_status isx_url_list(struct isx_span query, const char *name, struct isx_arena *arena,
			     struct isx_span *list, struct isx_err *err)
{
	struct isx_span next;
	enum isx_status st;
	/* All values together are shorter than the query, of which each takes its name, too. */
	char *text = isx_arena_alloc(arena, query.len + 1, 1);
	if (!text)
		return isx_fail_memory(err);
	*list = (struct isx_span){ 0 };
	while (!(st = next_param(&query, name, arena, &next, err)) && next.ptr) {
		if (list->ptr)
			text[list->len++] = ',';
		if (next.len)
			memcpy(text + list->len, next.ptr, next.len);
		*list = (struct isx_span){ text, list->len + next.len };
	}
	return st;
}
