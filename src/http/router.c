/*
 * router.c - matches a request against the routes, and checks it in a fixed order.
 *
 * The order is part of the contract with clients: route and method, well-formed JSON (422 even
 * without a key), the key (401), then the checks of the handler: parameters and shape of the body
 * (422), the index (404), the content (400).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/router.h"

#include "base/log.h"
#include "http/serve.h"
#include "http/url.h"
#include "json/http_status.h"

#include <string.h>

/* Take the next segment of a route's path; false at its end. The path begins with a slash. */
static bool next_segment(struct isx_span *path, struct isx_span *segment)
{
	if (path->len == 0)
		return false;
	*path = isx_span_skip(*path, 1);
	const char *slash = path->len ? memchr(path->ptr, '/', path->len) : NULL;
	*segment = (struct isx_span){ path->ptr, slash ? (size_t)(slash - path->ptr) : path->len };
	*path = isx_span_skip(*path, segment->len);
	return true;
}

/* A placeholder matches any segment that is not empty. */
static bool is_segment_match(struct isx_span wanted, struct isx_span segment)
{
	if (wanted.len > 0 && wanted.ptr[0] == '{')
		return segment.len > 0;
	return wanted.len == segment.len &&
	       (wanted.len == 0 || memcmp(wanted.ptr, segment.ptr, wanted.len) == 0);
}

/* Compare segment by segment; "*" matches the rest, which is at least one segment. */
static bool is_path_match(const struct http_route *route, const struct isx_url_path *path)
{
	struct isx_span rest = isx_span_of(route->path);
	struct isx_span wanted;
	size_t i = 0;
	for (; next_segment(&rest, &wanted); i++) {
		if (i == path->count)
			return false;
		if (isx_span_is(wanted, "*"))
			return true;
		if (!is_segment_match(wanted, path->segments[i]))
			return false;
	}
	return i == path->count;
}

/* HEAD is answered like GET; libmicrohttpd leaves the body out. */
static bool is_method_match(const struct http_route *route, const char *method)
{
	if (strcmp(method, "HEAD") == 0)
		return strcmp(route->method, "GET") == 0;
	return strcmp(route->method, method) == 0;
}

/* The first route at or after `from` with this path; isx_route_count if there is none. A linear
 * search: there are fewer than HTTP_ROUTES_MAX routes. */
static size_t find_path(const struct isx_url_path *path, size_t from)
{
	while (from < isx_route_count && !is_path_match(&isx_routes[from], path))
		from++;
	return from;
}

/* Does a route match the path without the slashes at its end, or with one more? */
static bool has_other_path(struct isx_url_path path)
{
	if (path.segments[path.count - 1].len > 0) {
		if (path.count == ISX_URL_SEGMENTS_MAX)
			return false;
		path.segments[path.count++] = (struct isx_span){ 0 };
	} else {
		while (path.count > 0 && path.segments[path.count - 1].len == 0)
			path.count--;
	}
	return find_path(&path, 0) < isx_route_count;
}

/* Copy the values of the placeholders into the arena, decoded. "*" takes all segments from there
 * on: they are still joined by slashes in the decoded text. */
static enum isx_status take_params(struct http_req *req, const struct isx_url_path *path,
				   struct isx_err *err)
{
	struct isx_span rest = isx_span_of(req->route->path);
	struct isx_span wanted;
	for (size_t i = 0; next_segment(&rest, &wanted); i++) {
		struct isx_span segment = path->segments[i];
		const char **param = isx_span_is(wanted, "{name}")      ? &req->index_name
				     : isx_span_is(wanted, "{iscc_id}") ? &req->iscc_id
				     : isx_span_is(wanted, "*")         ? &req->file
									: NULL;
		if (!param)
			continue;
		size_t len = param == &req->file ? strlen(segment.ptr) : segment.len;
		*param = isx_arena_text(&req->arena, segment.ptr, len);
		if (!*param)
			return isx_fail_memory(err);
	}
	return ISX_OK;
}

/* The methods that Allow can name, in its order. */
static const char *const known_methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" };
enum { KNOWN_METHODS = sizeof known_methods / sizeof *known_methods };

/* The known methods of a route, a bit each. */
static unsigned methods_of(const struct http_route *route)
{
	unsigned methods = 0;
	for (unsigned k = 0; k < KNOWN_METHODS; k++)
		methods |= (unsigned)is_method_match(route, known_methods[k]) << k;
	return methods;
}

/* A path without any route may have one with or without a slash at its end. A path may match
 * several templates ("get" is a segment of one, and an ISCC-ID for another), whose methods add up. */
enum isx_status isx_router_find(const struct isx_auth *auth, struct http_req *req,
				struct isx_err *err)
{
	struct isx_url_path path;
	bool found;
	enum isx_status st = isx_url_path_decode(req->path, &req->arena, &path, &found, err);
	req->is_allowed = true;
	req->target = HTTP_TO_NOTHING;
	if (st || !found)
		return st;
	size_t i = find_path(&path, 0);
	if (i < isx_route_count)
		req->target = HTTP_TO_OTHER_METHOD;
	else if (has_other_path(path))
		req->target = HTTP_TO_OTHER_PATH;
	for (; i < isx_route_count; i = find_path(&path, i + 1)) {
		req->methods |= methods_of(&isx_routes[i]);
		if (!is_method_match(&isx_routes[i], req->method))
			continue;
		req->route = &isx_routes[i];
		req->target = HTTP_TO_ROUTE;
		req->has_key = isx_auth_allows(auth, req->api_key);
		req->is_allowed = !(req->route->flags & HTTP_NEEDS_KEY) || req->has_key;
		return take_params(req, &path, err);
	}
	return ISX_OK;
}

/* Bodies of other routes are read and dropped. */
bool isx_router_wants_payload(const struct http_req *req)
{
	return req->target == HTTP_TO_ROUTE && (req->route->flags & HTTP_HAS_PAYLOAD);
}

/* Searches for very many matches have a pool of their own. Measured without it: 40 clients that
 * asked for all of 100,000 assets made every other search wait for 17 to 30 s (2 cores). */
enum http_pool isx_router_pool(struct http_req *req)
{
	/* A refusal needs no worker, and must not wait in a queue. */
	bool reaches_handler = req->target == HTTP_TO_ROUTE && req->is_allowed && !req->cut.status;
	enum http_pool pool = reaches_handler ? req->route->pool : HTTP_POOL_NONE;
	return pool == HTTP_POOL_SCAN && isx_search_is_bulk(req) ? HTTP_POOL_BULK : pool;
}

const char *isx_router_template(const struct http_req *req)
{
	return req->target == HTTP_TO_ROUTE && req->route ? req->route->path : NULL;
}

/* The number is the slot of the route in the metrics. */
size_t isx_router_number(const struct http_req *req)
{
	return isx_router_template(req) ? (size_t)(req->route - isx_routes) : HTTP_ROUTES_MAX - 1;
}

/* 405 with the methods of the path in Allow. */
static void answer_other_method(const struct http_req *req, struct http_res *res)
{
	struct isx_buf allow = { 0 };
	for (unsigned k = 0; k < KNOWN_METHODS; k++) {
		if (!(req->methods & 1u << k))
			continue;
		isx_buf_text(&allow, allow.len ? ", " : "");
		isx_buf_text(&allow, known_methods[k]);
	}
	isx_http_detail(res, 405, "Method Not Allowed");
	isx_http_own_header(res, "Allow", &allow);
}

/* 307 to the same path without the slashes at its end, or with one if that is the route. The
 * Location has no host: the server cannot know the host name that the client uses, and clients
 * control the Host header. */
static void answer_other_path(const struct http_req *req, struct http_res *res)
{
	struct isx_buf location = { 0 };
	struct isx_span path = req->path;
	bool has_slash = path.ptr[path.len - 1] == '/';
	while (path.len > 0 && path.ptr[path.len - 1] == '/')
		path.len--;
	isx_buf_add(&location, path.ptr, path.len);
	isx_buf_text(&location, has_slash ? "" : "/");
	if (req->query.len > 0) {
		isx_buf_char(&location, '?');
		isx_buf_add(&location, req->query.ptr, req->query.len);
	}
	res->status = 307;
	res->content_type = "";
	isx_http_own_header(res, "Location", &location);
}

/* The checks before the handler, in the order of the contract, and then the handler. Malformed JSON
 * (422) comes before the missing key (401), as in 0.3.3. */
static enum isx_status check_and_serve(struct http_req *req, struct http_res *res,
				       struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	if ((req->route->flags & HTTP_HAS_PAYLOAD) && req->payload.text.len > 0)
		st = isx_payload_check(&req->payload, &res->problems, err);
	if (!st && !req->is_allowed)
		st = isx_fail(err, ISX_UNAUTHORIZED, "Unauthorized");
	/* A refused body has only now its turn: without the key the answer is 401. */
	if (!st && req->cut_status) {
		isx_http_detail(res, req->cut_status, req->cut.msg);
		if (req->cut_status == 415)
			isx_http_header(res, "Accept-Encoding", req->lines ? "gzip, zstd" : "gzip");
		return ISX_OK;
	}
	if (!st && req->cut.status)
		st = isx_err_pass(err, &req->cut);
	if (!st)
		st = req->route->serve(req, res, err);
	if (!st)
		st = isx_buf_status(&res->payload, err);
	return st;
}

/* At level error, with the request id, so that an operator finds the request of a 5xx. */
static void log_failure(const struct http_req *req, enum isx_status status,
			const struct isx_err *err)
{
	const struct isx_log_field fields[] = {
		{ .name = "request_id", .text = req->request_id },
		{ .name = "status", .text = isx_status_name(status) },
		{ .name = "reason", .text = err->msg },
	};
	isx_log_fields(ISX_LOG_ERROR, "request failed", fields, sizeof fields / sizeof *fields);
}

/* The answer to a path that does not exist needs no key, as in 0.3.3. */
void isx_router_run(struct http_req *req, struct http_res *res)
{
	struct isx_err err = { 0 };
	enum isx_status st;
	switch (req->target) {
	case HTTP_TO_NOTHING:
		isx_http_detail(res, 404, "Not Found");
		break;
	case HTTP_TO_OTHER_METHOD:
		answer_other_method(req, res);
		break;
	case HTTP_TO_OTHER_PATH:
		answer_other_path(req, res);
		break;
	case HTTP_TO_ROUTE:
		st = check_and_serve(req, res, &err);
		if (st && req->name_options)
			req->name_options(&err);
		/* Not a fault of the client: the operator has to see it. */
		if (isx_http_from_status(st) >= 500)
			log_failure(req, st, &err);
		if (st)
			isx_http_fail(res, st, &err);
		break;
	}
}
