/*
 * router.h - from a request to its answer: the route, the order of checks, the form of errors.
 *
 * Must not know: sockets, threads, libmicrohttpd.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ROUTER_H
#define ISX_ROUTER_H

#include "http/auth.h"
#include "http/routes.h"

/* Find the route of a request from its method, path and key; fills the fields of `req` that are the
 * router's. The payload is not needed yet. */
ISX_MUST_CHECK enum isx_status isx_router_find(const struct isx_auth *auth, struct http_req *req,
					       struct isx_err *err);

/* Has the payload of this request to be kept? After isx_router_find(), as are all below. */
bool isx_router_wants_payload(const struct http_req *req);

/* The pool that runs this request; HTTP_POOL_NONE also if the request does not reach its handler. */
enum http_pool isx_router_pool(struct http_req *req);

/* The template of the route ("/indexes/{name}"), or NULL where the request leads to none. */
const char *isx_router_template(const struct http_req *req);

/* The number of the route, or HTTP_ROUTES_MAX - 1 where the request leads to none. */
size_t isx_router_number(const struct http_req *req);

/* Answer the request. Never fails: what goes wrong is told in the answer. */
void isx_router_run(struct http_req *req, struct http_res *res);

#endif
