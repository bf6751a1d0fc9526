/*
 * serve_index.c - the indexes of a store: list, create, describe, delete; and the fields that one declares.
 *
 * The answers of list and describe have the sizes of the parts of an index (`sizes`).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "service/service.h"

#include <stdio.h>

/* Sizes are read for each request: the list costs a look into every index. */
enum isx_status isx_serve_index_list(struct http_req *req, struct http_res *res,
				     struct isx_err *err)
{
	struct isx_index_info *infos = NULL;
	size_t count = 0;
	enum isx_status st = isx_index_list(req->store, &infos, &count, err);
	if (st)
		return st;
	isx_buf_char(&res->payload, '[');
	for (size_t i = 0; i < count; i++) {
		isx_buf_text(&res->payload, i ? "," : "");
		isx_index_to_json(&res->payload, &infos[i], true);
	}
	isx_buf_char(&res->payload, ']');
	isx_index_list_free(infos, count);
	return ISX_OK;
}

/* A wrong name is a problem of the body (422) before the store sees it; a name that is taken is
 * 409. */
enum isx_status isx_serve_index_create(struct http_req *req, struct http_res *res,
				       struct isx_err *err)
{
	const char *name = NULL;
	enum isx_status st = isx_http_need_payload(req, res, err);
	if (!st)
		st = isx_index_from_json(&req->payload, &req->arena, &name, &res->problems, err);
	if (!st)
		st = isx_index_create(req->store, name, err);
	if (st)
		return st;
	struct isx_index_info info = { 0 };
	/* The new index is described without asking the store again: it is empty. */
	snprintf(info.name, sizeof info.name, "%s", name);
	isx_index_to_json(&res->payload, &info, false); /* 0.3.3 gives "sizes" only when asked */
	res->status = 201;
	return ISX_OK;
}

enum isx_status isx_serve_index_stat(struct http_req *req, struct http_res *res,
				     struct isx_err *err)
{
	struct isx_index_info info = { 0 };
	enum isx_status st = isx_index_stat(req->store, req->index_name, &info, err);
	if (st)
		return st;
	isx_index_to_json(&res->payload, &info, true);
	isx_index_info_release(&info);
	return ISX_OK;
}

/* Counting ends when the client has gone. */
enum isx_status isx_serve_index_stats(struct http_req *req, struct http_res *res,
				      struct isx_err *err)
{
	const struct isx_meter meter = { .cancel_check = req->cancel_check,
					 .cancel_arg = req->cancel_arg };
	struct isx_index_stats *stats;
	enum isx_status st = isx_stats_within(req->store, req->index_name, &meter, req->quota,
					      &stats, err);
	if (st)
		return st;
	isx_stats_to_json(&res->payload, req->index_name, stats);
	isx_stats_free(stats);
	return ISX_OK;
}

enum isx_status isx_serve_index_delete(struct http_req *req, struct http_res *res,
				       struct isx_err *err)
{
	enum isx_status st = isx_index_delete(req->store, req->index_name, err);
	if (!st)
		res->status = 204;
	return st;
}

enum isx_status isx_serve_fields_get(struct http_req *req, struct http_res *res,
				     struct isx_err *err)
{
	char **fields = NULL;
	size_t count = 0;
	enum isx_status st = isx_fields_get(req->store, req->index_name, &fields, &count, err);
	if (st)
		return st;
	isx_fields_to_json(&res->payload, (const char *const *)fields, count);
	isx_texts_free(fields, count);
	return ISX_OK;
}

/* The answer comes when the values of all assets are gathered; a client that has gone before does not
 * end the work. It has the fields as the index spells them. */
enum isx_status isx_serve_fields_set(struct http_req *req, struct http_res *res,
				     struct isx_err *err)
{
	const char *const *fields;
	size_t count;
	enum isx_status st = isx_http_need_payload(req, res, err);
	if (!st)
		st = isx_fields_from_json(&req->payload, &req->arena, &fields, &count,
					  &res->problems, err);
	if (!st)
		st = isx_fields_set(req->store, req->index_name, fields, count, NULL, NULL, err);
	return st ? st : isx_serve_fields_get(req, res, err);
}
