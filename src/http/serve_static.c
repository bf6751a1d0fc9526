/*
 * serve_static.c - serves the embedded pages, scripts and API description.
 *
 * Pages need nothing from other hosts, so their Content-Security-Policy forbids the browser to load
 * or run anything from elsewhere.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "http/web_files.h"

#include <stdio.h>
#include <string.h>

static const char page_policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* The answer borrows the bytes of the program; nothing is copied. */
static enum isx_status send_file(struct http_res *res, const char *folder, const char *name,
				 struct isx_err *err)
{
	const struct isx_web_file *file = isx_web_file_find(folder, name);
	if (!file)
		return isx_fail(err, ISX_NOT_FOUND, "Not Found");
	res->content_type = file->content_type;
	res->file = (struct isx_span){ file->start, (size_t)(file->end - file->start) };
	isx_http_header(res, "Cache-Control",
			"no-cache"); /* browsers revalidate: files change with the version */
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

/* A document is asked for without ".html", its pictures by their names. */
enum isx_status isx_serve_guide(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	char name[64];
	bool is_page = !strchr(req->file, '.');
	int len = snprintf(name, sizeof name, "%s%s", req->file, is_page ? ".html" : "");
	if (len < 0 || (size_t)len >= sizeof name)
		return isx_fail(err, ISX_NOT_FOUND, "Not Found");
	isx_http_header(res, "Content-Security-Policy", page_policy);
	return send_file(res, "docs/", name, err);
}

enum isx_status isx_serve_llms(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	(void)req;
	return send_file(res, "", "llms.txt", err);
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
