/*
 * params.c - reads parameters of the URL, with the problems that pydantic reports for them.
 *
 * Each parameter is searched for in the text of the URL by its own name: there are few, and the
 * text is bounded (ISX_PARAMS_MAX). Failures are those of memory only. After a problem a value may
 * be left as it was: the handler refuses the request before it uses any.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/params.h"

#include "base/timestamp.h"
#include "engine/paging.h"
#include "http/url.h"
#include "json/json_text.h"

#include <strings.h>

/* Larger limits are lowered to this, so that products with sizes cannot overflow. */
#define LIMIT_MAX INT32_MAX

/* Values of a URL are texts, so "input" is a JSON string, also where a number was expected, as in
 * pydantic. */
void isx_param_problem(struct http_res *res, const char *type, const char *name, const char *msg,
		       struct isx_span value)
{
	const struct isx_place query = { .name = "query" };
	const struct isx_place at = { .outer = &query, .name = name };
	struct isx_buf input = { 0 };
	if (value.ptr)
		isx_json_quote(&input, value);
	isx_problem_add(&res->problems, type, &at, msg, (struct isx_span){ input.ptr, input.len });
	isx_buf_release(&input);
}

/* Not isx_span_uint(): pydantic, and so 0.3.3, also takes "10.0", "+10" and "1_0". */
enum isx_status isx_param_limit(struct http_req *req, struct http_res *res, size_t *limit,
				struct isx_err *err)
{
	struct isx_span value;
	double number;
	enum isx_status st = isx_url_param(req->query, "limit", &req->arena, &value, err);
	if (st || !value.ptr)
		return st;
	if (!isx_span_whole(value, &number))
		isx_param_problem(res, "int_parsing", "limit",
				  "Expected a whole number, for example 10", value);
	else if (number < 1)
		isx_param_problem(res, "greater_than_equal", "limit", "Expected 1 or more", value);
	else
		*limit = (size_t)(number < LIMIT_MAX ? number : LIMIT_MAX);
	return ISX_OK;
}

enum isx_status isx_param_bool(struct http_req *req, struct http_res *res, const char *name,
			       bool *flag, struct isx_err *err)
{
	/* The words of pydantic for booleans, in any case. */
	static const char *const words[] = { "false", "0", "no",  "off", "f", "n",
					     "true",  "1", "yes", "on",  "t", "y" };
	enum { WORDS = sizeof words / sizeof words[0] };
	struct isx_span value;
	enum isx_status st = isx_url_param(req->query, name, &req->arena, &value, err);
	if (st || !value.ptr)
		return st;
	for (size_t i = 0; i < WORDS; i++) {
		if (value.len == strlen(words[i]) &&
		    strncasecmp(value.ptr, words[i], value.len) == 0) {
			*flag = i >= WORDS / 2;
			return ISX_OK;
		}
	}
	isx_param_problem(res, "bool_parsing", name, "Expected true or false", value);
	return ISX_OK;
}

/* Read `from` or `to`; *us is unchanged if the parameter is missing, and means nothing if it is wrong.
 *   is_given  filled: 0 is a time, too, so *us alone does not tell */
static enum isx_status read_time(struct http_req *req, struct http_res *res, const char *name,
				 uint64_t *us, bool *is_given, struct isx_err *err)
{
	struct isx_span value;
	enum isx_status st = isx_url_param(req->query, name, &req->arena, &value, err);
	*is_given = !st && value.ptr;
	if (*is_given && !isx_timestamp_parse(value, us))
		isx_param_problem(res, "datetime_parsing", name, "Expected " ISX_TIMESTAMP_RULE,
				  value);
	return st;
}

/* Read the ISCC-ID behind which a page or an export begins. Only its characters are checked here:
 * the engine decodes it after it has found the index, so that a missing index is reported first. */
static enum isx_status read_after(struct http_req *req, struct http_res *res, const char **after,
				  struct isx_err *err)
{
	struct isx_span value;
	enum isx_status st = isx_url_param(req->query, "after", &req->arena, &value, err);
	if (st || !value.ptr)
		return st;
	if (!isx_is_iscc_pattern(value, 16, 16))
		isx_param_problem(res, "string_pattern_mismatch", "after",
				  "Expected an ISCC-ID: 'ISCC:' and 16 of A-Z and 2-7", value);
	*after = isx_arena_text(&req->arena, value.ptr, value.len);
	return *after ? ISX_OK : isx_fail_memory(err);
}

/* `to` is the first time that is not in the range. A hub number is read strictly: 0.3.3 has no such
 * parameter, so no client needs the lax forms. */
enum isx_status isx_param_range(struct http_req *req, struct http_res *res, struct isx_range *range,
				struct isx_err *err)
{
	struct isx_span hub = { 0 };
	uint64_t number = 0;
	bool is_given = false;
	*range = (struct isx_range){ 0 };
	enum isx_status st = read_after(req, res, &range->after, err);
	if (!st)
		st = read_time(req, res, "from", &range->from_us, &is_given, err);
	if (!st)
		st = read_time(req, res, "to", &range->to_us, &is_given, err);
	if (!st && is_given && range->to_us == 0)
		range->from_us = UINT64_MAX; /* 0 is "no end": nothing is before 1970 */
	if (!st)
		st = isx_url_param(req->query, "hub", &req->arena, &hub, err);
	if (!st && hub.ptr && !isx_span_uint(hub, ISX_HUB_MAX, &number))
		isx_param_problem(res, "int_parsing", "hub", "Expected a hub number, 0 to 4095",
				  hub);
	range->has_hub = hub.ptr != NULL;
	range->hub = (uint32_t)number;
	return st;
}

/* Read the conditions of a search; wrong ones become problems. */
static enum isx_status read_conditions(struct http_req *req, struct http_res *res,
				       struct isx_query *query, struct isx_err *err)
{
	struct isx_query_texts texts;
	enum isx_status st = isx_url_param(req->query, "min_score", &req->arena, &texts.min_score,
					   err);
	if (!st)
		st = isx_url_list(req->query, "min_scores", &req->arena, &texts.min_scores, err);
	if (!st)
		st = isx_url_list(req->query, "types", &req->arena, &texts.types, err);
	if (!st)
		st = isx_url_param(req->query, "exponent", &req->arena, &texts.exponent, err);
	if (!st)
		st = isx_url_list(req->query, "with", &req->arena, &texts.with, err);
	if (!st)
		st = isx_url_param(req->query, "rank", &req->arena, &texts.rank, err);
	if (!st)
		st = isx_url_param(req->query, "max_expect", &req->arena, &texts.max_expect, err);
	if (!st)
		st = isx_url_param(req->query, "filter", &req->arena, &texts.filter, err);
	if (!st)
		st = isx_url_list(req->query, "facets", &req->arena, &texts.facets, err);
	if (!st)
		st = isx_url_param(req->query, "explain", &req->arena, &texts.explain, err);
	if (!st)
		st = isx_conditions_from_texts(&texts, "query", &req->arena, query, &res->problems,
					       err);
	return st == ISX_SCHEMA ? ISX_OK : st; /* with the problems of the body */
}

enum isx_status isx_param_search(struct http_req *req, struct http_res *res,
				 struct isx_query *query, struct isx_err *err)
{
	/* The exchange sees whether the client is gone, and lends the thread while the search
	 * waits. */
	query->cancel_check = req->cancel_check;
	query->on_wait = req->on_wait;
	query->cancel_arg = req->cancel_arg;
	struct isx_span after = { 0 };
	enum isx_status st = isx_param_limit(req, res, &query->limit, err);
	if (!st)
		st = isx_param_bool(req, res, "count", &query->counts, err);
	if (!st)
		st = isx_url_param(req->query, "after", &req->arena, &after, err);
	if (!st && after.ptr)
		query->after = isx_arena_text(&req->arena, after.ptr, after.len);
	if (!st && after.ptr && !query->after)
		st = isx_fail_memory(err);
	if (!st && isx_page_check(query->after, ISX_RANK_STORE, NULL))
		isx_param_problem(res, "value_error", "after",
				  "Expected the next of an answer, or an empty text", after);
	return st ? st : read_conditions(req, res, query, err);
}
