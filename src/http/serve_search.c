/*
 * serve_search.c - search by POST (any query) and by GET (an ISCC-CODE in the URL).
 *
 * Problems of the URL and of the body are one list, in this order, as in 0.3.3; the index is looked
 * up only if the list is empty.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "base/limits.h"
#include "http/params.h"
#include "http/url.h"
#include "service/service.h"
#include "json/json_text.h"

/* Called before the request has a worker, so only the URL is looked at. A wrong limit is no bulk:
 * the handler refuses it. */
bool isx_search_is_bulk(struct http_req *req)
{
	struct isx_span value;
	double number;
	return !isx_url_param(req->query, "limit", &req->arena, &value, NULL) && value.ptr &&
	       isx_span_whole(value, &number) && number > ISX_BULK_MATCHES;
}

/* Search under the quota of the answer. */
static enum isx_status search(struct http_req *req, struct http_res *res, struct isx_query *query,
			      struct isx_err *err)
{
	struct isx_result *result = NULL;
	enum isx_status st = isx_search_within(req->store, req->index_name, query, req->quota,
					       &result, err);
	if (st)
		return st;
	isx_result_to_json(&res->payload, result);
	isx_result_free(result);
	return ISX_OK;
}

/* An empty query is often one whose only member has another name, such as "iscc": 0.3.3 ignores what it
 * does not know, and so the message names it. */
static void name_unknown_member(const struct http_req *req, const struct isx_query *query,
				struct isx_err *err)
{
	struct isx_span name;
	char before[sizeof err->msg];
	if (query->iscc_id || query->iscc_code || query->unit_count || query->simprint_type_count)
		return;
	isx_query_unknown_member(req->payload.text, &name);
	memcpy(before, err->msg, sizeof before);
	if (name.len)
		isx_fail(err, ISX_INVALID, "%.200s; it has no member \"%.*s\"%s", before,
			 name.len < 64 ? (int)name.len : 64, name.ptr,
			 isx_json_key_is(name, "iscc") ? ", did you mean \"iscc_code\"?" : "");
}

/* The problems of `chunks` and `limit` are collected first, and the body adds its own. */
enum isx_status isx_serve_search_post(struct http_req *req, struct http_res *res,
				      struct isx_err *err)
{
	struct isx_query query = { 0 }, defaults = { 0 };
	enum isx_status st = isx_param_bool(req, res, "chunks", &defaults.own_chunks, err);
	if (!st)
		st = isx_param_search(req, res, &defaults, err);
	if (!st)
		st = isx_http_need_payload(req, res, err);
	if (!st)
		st = isx_query_from_json(&req->payload, &req->arena, &query, &res->problems, err);
	if (!st)
		st = isx_problems_status(&res->problems, err);
	isx_query_inherit(&query, &defaults);
	if (st)
		return st;
	st = search(req, res, &query, err);
	if (st == ISX_INVALID)
		name_unknown_member(req, &query, err);
	return st;
}

enum isx_status isx_serve_search_get(struct http_req *req, struct http_res *res,
				     struct isx_err *err)
{
	struct isx_query query = { .named = ISX_QUERY_HAS_ISCC_CODE };
	struct isx_span code = { 0 };
	enum isx_status st = isx_url_param(req->query, "iscc_code", &req->arena, &code, err);
	if (!st && !code.ptr)
		isx_param_problem(res, "missing", "iscc_code", "Field required", code);
	if (!st)
		st = isx_param_search(req, res, &query, err);
	if (!st)
		st = isx_problems_status(&res->problems, err);
	if (st)
		return st;
	/* 400 and not 422, as in 0.3.3. */
	if (!isx_is_iscc_pattern(code, 16, 0))
		return isx_fail(err, ISX_INVALID,
				"iscc_code: expected 'ISCC:' and 16 or more of A-Z and 2-7");
	query.iscc_code = isx_arena_text(&req->arena, code.ptr, code.len);
	return query.iscc_code ? search(req, res, &query, err) : isx_fail_memory(err);
}
