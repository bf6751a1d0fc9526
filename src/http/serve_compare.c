/*
 * serve_compare.c - how alike two works are: POST /compare.
 *
 * Reads at most two assets and compares at most 64 units with 64, so it needs no thread that scans.
 * What may be large are the assets, by their metadata: they are read under the quota of the answer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "service/service.h"

enum isx_status isx_serve_compare(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	struct isx_work a = { 0 }, b = { 0 };
	struct isx_query conditions = { 0 };
	struct isx_comparison *comparison;
	enum isx_status st = isx_http_need_payload(req, res, err);
	if (!st)
		st = isx_compare_from_json(&req->payload, &req->arena, &a, &b, &conditions,
					   &res->problems, err);
	if (!st)
		st = isx_compare_within(req->store, &a, &b, &conditions, req->quota, &comparison,
					err);
	if (st)
		return st;
	isx_comparison_to_json(&res->payload, comparison);
	isx_comparison_free(comparison);
	return ISX_OK;
}
