/*
 * cors.c - cross-origin resource sharing (https://fetch.spec.whatwg.org/#http-cors-protocol).
 *
 * Access-Control-Allow-Credentials is never sent: the API key is a header of its own, which the
 * script of a page has to set. Origins are compared exactly, as browsers send them in one form
 * only.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/cors.h"

#include <string.h>

/* All methods, not those of the path: the answer to a preflight does not depend on its route. */
static const char cors_methods[] = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY";

/* Is `item` a member of a list with commas? Blanks around members are ignored. */
static bool is_listed(const char *list, const char *item)
{
	struct isx_span rest = isx_span_of(list);
	while (rest.len > 0) {
		const char *comma = memchr(rest.ptr, ',', rest.len);
		struct isx_span member = { rest.ptr,
					   comma ? (size_t)(comma - rest.ptr) : rest.len };
		rest = isx_span_skip(rest, member.len + 1);
		if (isx_span_is(isx_span_trim(member), item))
			return true;
	}
	return false;
}

void isx_cors_init(struct isx_cors *cors, const char *origins)
{
	cors->origins = origins ? origins : "*";
	cors->is_any = is_listed(cors->origins, "*");
}

/* "" is never an origin, but would match an empty member of the list. */
static bool is_origin_allowed(const struct isx_cors *cors, const char *origin)
{
	return cors->is_any || (*origin && is_listed(cors->origins, origin));
}

/* An empty Origin or Access-Control-Request-* header counts as missing. */
static bool is_sent(const char *header)
{
	return header && *header;
}

bool isx_cors_is_preflight(const struct http_req *req)
{
	return strcmp(req->method, "OPTIONS") == 0 && is_sent(req->origin) &&
	       is_sent(req->preflight_method);
}

void isx_cors_preflight(const struct isx_cors *cors, const struct http_req *req,
			struct http_res *res)
{
	bool is_method_known = is_listed(cors_methods, req->preflight_method);
	bool is_allowed = is_origin_allowed(cors, req->origin);
	res->status = is_allowed && is_method_known ? 200 : 400;
	res->content_type = "text/plain; charset=utf-8";
	isx_buf_text(&res->payload, !is_allowed        ? "this origin is not allowed"
				    : !is_method_known ? "there is no such method"
						       : "OK");
	if (is_allowed)
		isx_http_header(res, "Access-Control-Allow-Origin",
				cors->is_any ? "*" : req->origin);
	isx_http_header(res, "Access-Control-Allow-Methods", cors_methods);
	isx_http_header(res, "Access-Control-Max-Age", "600");
	if (is_sent(req->preflight_headers))
		isx_http_header(res, "Access-Control-Allow-Headers", req->preflight_headers);
	isx_http_header(res, "Vary",
			"Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
}

void isx_cors_decorate(const struct isx_cors *cors, const struct http_req *req,
		       struct http_res *res)
{
	if (is_sent(req->origin) && is_origin_allowed(cors, req->origin))
		isx_http_header(res, "Access-Control-Allow-Origin",
				cors->is_any ? "*" : req->origin);
	/* Vary tells caches on which request headers the answer depends; it stands on every answer,
	 * because a cache may have filled it from a request without these headers. */
	static const char *const vary[2][2] = {
		{ "Origin", "Accept-Encoding, Origin" },
		{ "Accept, Origin", "Accept, Accept-Encoding, Origin" },
	};
	isx_http_header(res, "Vary", vary[res->varies_by_accept][res->varies_by_coding]);
}
