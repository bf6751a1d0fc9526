/*
 * serve_asset.c - add assets, and get, change and remove one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "base/limits.h"
#include "service/service.h"

/* Reserve memory for the answer before anything is stored: stored assets must not get a 503 because
 * the answer has no room. While an answer is composed, ISX_WORK_BYTES_FREE of its hold are free,
 * but not while it is sent: a large answer takes so many more now, so that all its bytes count in
 * the purse. */
static enum isx_status reserve_answer(struct http_req *req, struct http_res *res, size_t count,
				      struct isx_err *err)
{
	size_t bytes = count * ISX_OUTCOME_JSON_BYTES + 2;
	if (bytes > ISX_SMALL_BYTES_MAX) {
		enum isx_status st = isx_quota_take(req->quota, ISX_WORK_BYTES_FREE, err);
		if (st)
			return st;
	}
	(void)isx_buf_reserve(&res->payload, bytes);
	return isx_buf_status(&res->payload, err);
}

/* An empty list goes to the store, too: the answer is 201 with an empty list, as in 0.3.3, or 404
 * without the index. */
enum isx_status isx_serve_asset_add(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	struct isx_asset *assets = NULL;
	enum isx_outcome *outcomes = NULL;
	char(*iscc_ids)[24] = NULL;
	size_t count = 0;
	enum isx_status st = isx_http_need_payload(req, res, err);
	if (!st)
		st = isx_assets_from_json(&req->payload, &req->arena, &assets, &count,
					  &res->problems, err);
	if (!st) {
		outcomes = isx_arena_alloc(&req->arena, count, sizeof *outcomes);
		iscc_ids = isx_arena_alloc(&req->arena, count, sizeof *iscc_ids);
		st = outcomes && iscc_ids ? ISX_OK : isx_fail_memory(err);
	}
	if (!st)
		st = reserve_answer(req, res, count, err);
	if (!st)
		st = isx_add_with_ids(req->store, req->index_name, assets, count, outcomes,
				      iscc_ids, err);
	if (st)
		return st;
	for (size_t i = 0; i < count; i++) /* of those that had none: new ones */
		assets[i].iscc_id = iscc_ids[i];
	/* The memory is reserved: this cannot fail any more. */
	isx_outcomes_to_json(&res->payload, assets, outcomes, count);
	res->status = 201;
	return ISX_OK;
}

enum isx_status isx_serve_asset_get(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	return isx_get_into(req->store, req->index_name, req->iscc_id, &res->payload, err);
}

/* The answer is that of an add. */
enum isx_status isx_serve_asset_patch(struct http_req *req, struct http_res *res,
				      struct isx_err *err)
{
	const char *metadata = NULL;
	enum isx_status st = isx_http_need_payload(req, res, err);
	if (!st)
		st = isx_metadata_from_json(&req->payload, &req->arena, &metadata, &res->problems,
					    err);
	if (!st)
		st = isx_metadata_set(req->store, req->index_name, req->iscc_id, metadata, err);
	if (!st)
		isx_outcome_to_json(&res->payload, req->iscc_id, ISX_UPDATED);
	return st;
}

enum isx_status isx_serve_asset_remove(struct http_req *req, struct http_res *res,
				       struct isx_err *err)
{
	enum isx_status st = isx_remove(req->store, req->index_name, req->iscc_id, err);
	if (!st)
		res->status = 204;
	return st;
}
