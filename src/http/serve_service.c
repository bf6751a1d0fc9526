/*
 * serve_service.c - routes for operators and monitoring: liveness, readiness, version.
 *
 * /healthz, /status and / use memory only (/status sometimes reads the files in which the processes
 * of a host record their loads), so they answer in the event loop while every worker is busy.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "http/readiness.h"
#include "json/json_text.h"

#include <string.h>

/* Says only that the event loop runs. Whether the store can be read is the question of readiness: a
 * supervisor that restarts the process would not repair the store. */
enum isx_status isx_serve_health(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	(void)req, (void)err;
	isx_buf_text(&res->payload, "{\"status\":\"ok\"}");
	return ISX_OK;
}

/* A 503 is a normal answer of this route, not a failure: nothing is logged here. */
enum isx_status isx_serve_ready(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	(void)err;
	res->status = isx_readiness_tell(req->readiness, req->has_key, &res->payload);
	return ISX_OK;
}

/* The members that / and /status have in common. */
static void add_mode(struct isx_buf *buf)
{
	isx_buf_text(buf, "\"mode\":\"normal\",\"network\":null");
}

static void add_version(struct isx_buf *buf)
{
	isx_buf_text(buf, "\"version\":");
	isx_json_quote(buf, isx_span_of(isx_version()));
	isx_buf_char(buf, ',');
}

enum isx_status isx_serve_status(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	(void)err;
	isx_buf_char(&res->payload, '{');
	add_version(&res->payload);
	add_mode(&res->payload);
	if (isx_store_options(req->store)->relaxed) /* a member that 0.3.3 does not have */
		isx_buf_text(&res->payload, ",\"durability\":\"relaxed\"");
	isx_readiness_add_loads(req->store, req->has_key, &res->payload);
	isx_buf_char(&res->payload, '}');
	return ISX_OK;
}

enum isx_status isx_serve_root(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	res->varies_by_accept = true;
	/* As in 0.3.3, the text decides and its q value is ignored. */
	if (req->accept && strstr(req->accept, "text/html"))
		return isx_serve_start_page(req, res, err);
	isx_buf_text(&res->payload,
		     "{\"title\":\"ISCC-Search API\",\"description\":\"A Scalable Nearest Neighbor "
		     "Search Multi-Index for the International Standard Content Code (ISCC)\",");
	add_version(&res->payload);
	isx_buf_text(&res->payload, "\"docs\":\"/docs\",");
	add_mode(&res->payload);
	isx_buf_char(&res->payload, '}');
	return ISX_OK;
}

enum isx_status isx_serve_playground(struct http_req *req, struct http_res *res,
				     struct isx_err *err)
{
	(void)req, (void)err;
	isx_http_header(res, "Location", "/");
	res->status = 301;
	res->content_type = "";
	return ISX_OK;
}
