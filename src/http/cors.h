/*
 * cors.h - cross-origin resource sharing: which web pages may read the answers of this server.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CORS_H
#define ISX_CORS_H

#include "http/request.h"

/* The allowed origins: "*", or a list with commas. */
struct isx_cors {
	const char *origins; /* borrowed */
	bool is_any;
};

/* `origins` is borrowed for as long as `cors` is used; NULL stands for "*". */
void isx_cors_init(struct isx_cors *cors, const char *origins);

/* Is this a preflight request, which a browser sends before the actual request? */
bool isx_cors_is_preflight(const struct http_req *req);

/* Answer a preflight request. */
void isx_cors_preflight(const struct isx_cors *cors, const struct http_req *req,
			struct http_res *res);

/* Add the CORS headers and Vary to any other answer. */
void isx_cors_decorate(const struct isx_cors *cors, const struct http_req *req,
		       struct http_res *res);

#endif
