/*
 * serve_search.c - search by POST (any query) and by GET (an ISCC-CODE in the URL).
 *
 * Problems of the URL and of the body are one list, in this order, as in 0.3.3; the index is looked
 * up only if the list is empty.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "base/limits.h"
#include "http/url.h"
#include "service/service.h"
#include "json/json_text.h"

#include <strings.h>

/* Larger limits are lowered to this, so that products with sizes cannot overflow. */
#define SEARCH_LIMIT_MAX INT32_MAX

/* Add a problem of a parameter of the URL; `value` with NULL: it is missing. */
static void add_param_problem(struct http_res *res, const char *type, const char *name,
			      const char *msg, struct isx_span value)
{
	const struct isx_place query = { .name = "query" };
	const struct isx_place at = { .outer = &query, .name = name };
	struct isx_buf input = { 0 };
	if (value.ptr)
		isx_json_quote(&input, value);
	isx_problem_add(&res->problems, type, &at, msg, (struct isx_span){ input.ptr, input.len });
	isx_buf_release(&input);
}

/* Read `limit`. An invalid one is added to the problems, and *limit is unchanged; 0 is the default
 * limit of the engine. */
static enum isx_status read_limit(struct http_req *req, struct http_res *res, size_t *limit,
				  struct isx_err *err)
{
	struct isx_span value;
	int64_t number;
	enum isx_status st = isx_url_param(req->query, "limit", &req->arena, &value, err);
	if (st || !value.ptr)
		return st;
	if (!isx_url_int(value, &number))
		add_param_problem(res, "int_parsing", "limit",
				  "Expected a whole number, for example 10", value);
	else if (number < 1)
		add_param_problem(res, "greater_than_equal", "limit", "Expected 1 or more", value);
	else
		*limit = (size_t)(number < SEARCH_LIMIT_MAX ? number : SEARCH_LIMIT_MAX);
	return ISX_OK;
}

bool isx_search_is_bulk(struct http_req *req)
{
	struct isx_span value;
	int64_t number;
	return !isx_url_param(req->query, "limit", &req->arena, &value, NULL) && value.ptr &&
	       isx_url_int(value, &number) && number > ISX_BULK_MATCHES;
}

/* Read `chunks`, which asks an iscc_id search for passages too; a wrong one becomes a problem. */
static enum isx_status read_chunks(struct http_req *req, struct http_res *res, bool *chunks,
				   struct isx_err *err)
{
	/* The words of pydantic for booleans, in any case. */
	static const char *const words[] = { "false", "0", "no",  "off", "f", "n",
					     "true",  "1", "yes", "on",  "t", "y" };
	enum { WORDS = sizeof words / sizeof words[0] };
	struct isx_span value;
	enum isx_status st = isx_url_param(req->query, "chunks", &req->arena, &value, err);
	if (st || !value.ptr)
		return st;
	for (size_t i = 0; i < WORDS; i++) {
		if (value.len == strlen(words[i]) &&
		    strncasecmp(value.ptr, words[i], value.len) == 0) {
			*chunks = i >= WORDS / 2;
			return ISX_OK;
		}
	}
	add_param_problem(res, "bool_parsing", "chunks", "Expected true or false", value);
	return ISX_OK;
}

/* Search under the quota of the answer and the cancel check of the exchange. */
static enum isx_status search(struct http_req *req, struct http_res *res, struct isx_query *query,
			      struct isx_err *err)
{
	struct isx_result *result = NULL;
	query->cancel_check = req->cancel_check;
	/* The exchange sees whether the client is gone, and lends the thread while the search
	 * waits. */
	query->waits = req->waits;
	query->cancel_arg = req->cancel_arg;
	enum isx_status st = isx_search_within(req->store, req->index_name, query, req->quota,
					       &result, err);
	if (st)
		return st;
	isx_result_to_json(&res->payload, result);
	isx_result_free(result);
	return ISX_OK;
}

/* The problems of `chunks` and `limit` are collected first, and the body adds its own. */
enum isx_status isx_serve_search_post(struct http_req *req, struct http_res *res,
				      struct isx_err *err)
{
	struct isx_query query = { 0 };
	size_t limit = 0;
	bool chunks = false;
	enum isx_status st = read_chunks(req, res, &chunks, err);
	if (!st)
		st = read_limit(req, res, &limit, err);
	if (!st)
		st = isx_http_need_payload(req, res, err);
	if (!st)
		st = isx_query_from_json(&req->payload, &req->arena, &query, &res->problems, err);
	if (!st)
		st = isx_problems_status(&res->problems, err);
	query.limit = limit;
	query.own_chunks = chunks;
	return st ? st : search(req, res, &query, err);
}

enum isx_status isx_serve_search_get(struct http_req *req, struct http_res *res,
				     struct isx_err *err)
{
	struct isx_query query = { .named = ISX_QUERY_HAS_ISCC_CODE };
	struct isx_span code = { 0 };
	enum isx_status st = isx_url_param(req->query, "iscc_code", &req->arena, &code, err);
	if (!st && !code.ptr)
		add_param_problem(res, "missing", "iscc_code", "Field required", code);
	if (!st)
		st = read_limit(req, res, &query.limit, err);
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
