/*
 * serve_asset.c - the assets of an index: add, get, remove.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

enum isx_status isx_serve_asset_add(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	struct isx_asset *assets = NULL;
	enum isx_outcome *outcomes = NULL;
	size_t count = 0;
	enum isx_status st = isx_http_need_payload(req, res, err);
	if (!st)
		st = isx_assets_from_json(&req->payload, &req->arena, &assets, &count,
					  &res->problems, err);
	if (!st) {
		outcomes = isx_arena_alloc(&req->arena, count, sizeof *outcomes);
		st = outcomes || count == 0 ? ISX_OK : isx_fail_memory(err);
	}
	if (!st)
		st = isx_add(req->store, req->index_name, assets, count, outcomes, err);
	if (st)
		return st;
	isx_outcomes_to_json(&res->payload, assets, outcomes, count);
	res->status = 201;
	return ISX_OK;
}

enum isx_status isx_serve_asset_get(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	char *json = NULL;
	enum isx_status st = isx_get(req->store, req->index_name, req->iscc_id, &json, err);
	if (st)
		return st;
	isx_buf_text(&res->payload, json);
	isx_text_free(json);
	return ISX_OK;
}

enum isx_status isx_serve_asset_remove(struct http_req *req, struct http_res *res,
				       struct isx_err *err)
{
	enum isx_status st = isx_remove(req->store, req->index_name, req->iscc_id, err);
	if (!st)
		res->status = 204;
	return st;
}
