/*
 * cors.h - which web pages may read our answers.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CORS_H
#define ISX_CORS_H

#include "http/request.h"

/* The origins that may, as set: "*" or a list with commas. */
struct isx_cors {
	const char *origins; /* borrowed */
	bool is_any;
};

/* `origins` is borrowed for as long as `cors` is used; NULL stands for "*". */
void isx_cors_init(struct isx_cors *cors, const char *origins);

/* Is this the question of a browser before the request proper? */
bool isx_cors_is_preflight(const struct http_req *req);

/* Answer it. */
void isx_cors_preflight(const struct isx_cors *cors, const struct http_req *req,
			struct http_res *res);

/* Add to any other answer what tells the browser whether the page may read it. */
void isx_cors_decorate(const struct isx_cors *cors, const struct http_req *req,
		       struct http_res *res);

#endif
