/*
 * router.h - finds the route of a request, runs its handler, and answers failures.
 *
 * Must not know: sockets, threads, libmicrohttpd.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ROUTER_H
#define ISX_ROUTER_H

#include "http/auth.h"
#include "http/routes.h"

/* Find the route of a request by method and path, and check the key. Fills the members of `req`
 * that are marked so. The payload is not needed yet. */
ISX_MUST_CHECK enum isx_status isx_router_find(const struct isx_auth *auth, struct http_req *req,
					       struct isx_err *err);

/* Does the handler need the payload? Call after isx_router_find(), like all functions below. */
bool isx_router_wants_payload(const struct http_req *req);

/* The pool that runs this request; HTTP_POOL_NONE also if the request does not reach its
 * handler. */
enum http_pool isx_router_pool(struct http_req *req);

/* The template of the route ("/indexes/{name}"), or NULL if no route matches. */
const char *isx_router_template(const struct http_req *req);

/* The number of the route, or HTTP_ROUTES_MAX - 1 if no route matches. */
size_t isx_router_number(const struct http_req *req);

/* Answer the request. Never fails: errors become answers. */
void isx_router_run(struct http_req *req, struct http_res *res);

#endif
