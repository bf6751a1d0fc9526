/*
 * params.h - the parameters of a URL that several handlers read.
 *
 * A wrong value is added to the problems of the answer and is no failure: a handler reads all
 * parameters, then the body, and returns isx_problems_status().
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_PARAMS_H
#define ISX_HTTP_PARAMS_H

#include "http/request.h"

/* Read the parameters of a search into the members of `query` of the same names, and the cancel check of
 * the exchange. */
ISX_MUST_CHECK enum isx_status isx_param_search(struct http_req *req, struct http_res *res,
						struct isx_query *query, struct isx_err *err);

/* Add a problem of a parameter of the URL; `value` with NULL: it is missing. */
void isx_param_problem(struct http_res *res, const char *type, const char *name, const char *msg,
		       struct isx_span value);

/* Read `limit`, a whole number from 1. *limit is unchanged if the parameter is missing or wrong. */
ISX_MUST_CHECK enum isx_status isx_param_limit(struct http_req *req, struct http_res *res,
					       size_t *limit, struct isx_err *err);

/* Read a parameter that is true or false; *flag is unchanged if it is missing or wrong. */
ISX_MUST_CHECK enum isx_status isx_param_bool(struct http_req *req, struct http_res *res,
					      const char *name, bool *flag, struct isx_err *err);

/* Read `after`, `from`, `to` and `hub`, which select a part of an index.
 *   range  filled; its text lives in the arena of the request */
ISX_MUST_CHECK enum isx_status isx_param_range(struct http_req *req, struct http_res *res,
					       struct isx_range *range, struct isx_err *err);

#endif
