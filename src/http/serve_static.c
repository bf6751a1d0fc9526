/*
 * serve_static.c - pages, scripts and the API description, all from within the program.
 *
 * Pages need nothing from other hosts and are told so: a policy keeps the browser from loading or
 * running anything that is not ours.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "http/web_files.h"

static const char page_policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static enum isx_status send_file(struct http_res *res, const char *folder, const char *name,
				 struct isx_err *err)
{
	const struct isx_web_file *file = isx_web_file_find(folder, name);
	if (!file)
		return isx_fail(err, ISX_NOT_FOUND, "Not Found");
	res->content_type = file->content_type;
	res->file = (struct isx_span){ file->start, (size_t)(file->end - file->start) };
	isx_http_header(res, "Cache-Control", "no-cache"); /* another version may run tomorrow */
	return ISX_OK;
}

static enum isx_status send_page(struct http_res *res, const char *name, struct isx_err *err)
{
	isx_http_header(res, "Content-Security-Policy", page_policy);
	return send_file(res, "", name, err);
}

enum isx_status isx_serve_start_page(struct http_req *req, struct http_res *res,
				     struct isx_err *err)
{
	(void)req;
	return send_page(res, "index.html", err);
}

enum isx_status isx_serve_docs(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	(void)req;
	return send_page(res, "docs.html", err);
}

enum isx_status isx_serve_openapi_file(struct http_req *req, struct http_res *res,
				       struct isx_err *err)
{
	return send_file(res, "openapi/", req->file, err);
}

enum isx_status isx_serve_static_file(struct http_req *req, struct http_res *res,
				      struct isx_err *err)
{
	return send_file(res, "static/", req->file, err);
}
