/*
 * params.c - reads parameters of the URL, with the problems that pydantic reports for them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/params.h"

#include "http/url.h"
#include "json/json_text.h"

#include <strings.h>

/* Larger limits are lowered to this, so that products with sizes cannot overflow. */
#define LIMIT_MAX INT32_MAX

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
