/*
 * serve_assets.c - many assets of an index: pages of them, and lists of ISCC-IDs to get or to remove.
 *
 * A list has ISX_LIST_MAX assets at most, and its answer is composed in memory, under the quota of
 * the request. Larger parts of an index are the task of serve_export.c. Must not know how assets
 * are stored.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "base/limits.h"
#include "http/params.h"
#include "service/service.h"
#include "json/json_text.h"

#include <stdio.h>

enum { PAGE_ASSETS = 1000 }; /* of a request without limit */

/* Append a page of a cursor: at most `limit` assets, and in "next" the last of them if there are
 * more. One asset more than `limit` is read to know that: a client never gets an empty last page. */
static enum isx_status add_page(struct isx_cursor *cursor, size_t limit, bool with_simprints,
				struct isx_buf *page, struct isx_err *err)
{
	const struct isx_asset *asset = NULL;
	char last[ISX_ISCC_ID_TEXT_BYTES] = "";
	enum isx_status st = isx_cursor_next(cursor, &asset, err);
	isx_buf_text(page, "{\"assets\":[");
	for (size_t i = 0; !st && asset && i < limit; i++) {
		isx_buf_text(page, i ? "," : "");
		if (with_simprints)
			isx_asset_to_request(page, asset);
		else
			isx_asset_to_json(page, asset);
		snprintf(last, sizeof last, "%s", asset->iscc_id);
		st = isx_buf_status(page, err);
		if (!st)
			st = isx_cursor_next(cursor, &asset, err);
	}
	isx_buf_text(page, "],\"next\":");
	if (asset)
		isx_json_quote(page, isx_span_of(last));
	else
		isx_buf_text(page, "null");
	isx_buf_char(page, '}');
	return st ? st : isx_buf_status(page, err);
}

/* Each page is a snapshot of its own: what is written between two pages may be on the next one. */
enum isx_status isx_serve_assets_list(struct http_req *req, struct http_res *res,
				      struct isx_err *err)
{
	struct isx_range range;
	struct isx_cursor *cursor = NULL;
	size_t limit = PAGE_ASSETS;
	bool with_simprints = false;
	enum isx_status st = isx_param_limit(req, res, &limit, err);
	if (!st)
		st = isx_param_range(req, res, &range, err);
	if (!st)
		st = isx_param_bool(req, res, "simprints", &with_simprints, err);
	if (!st)
		st = isx_problems_status(&res->problems, err);
	if (st)
		return st;
	range.no_simprints = !with_simprints;
	st = isx_cursor_open_range(req->store, req->index_name, &range, &cursor, err);
	if (!st)
		st = add_page(cursor, limit < ISX_LIST_MAX ? limit : ISX_LIST_MAX, with_simprints,
			      &res->payload, err);
	isx_cursor_close(cursor);
	return st;
}

/* Read a list of ISCC-IDs from the body: 1 to ISX_LIST_MAX of them, in the arena of the request. */
static enum isx_status read_ids(struct http_req *req, struct http_res *res, const char *const **ids,
				size_t *count, struct isx_err *err)
{
	enum isx_status st = isx_http_need_payload(req, res, err);
	return st ? st
		  : isx_ids_from_json(&req->payload, &req->arena, ids, count, &res->problems, err);
}

/* Begin the element of an ISCC-ID; the first one opens the list. The ISCC-ID is repeated as it was
 * sent, so that the client finds it again. */
static void begin_item(struct isx_buf *list, size_t i, const char *iscc_id, const char *status)
{
	isx_buf_text(list, i ? ",{\"iscc_id\":" : "[{\"iscc_id\":");
	isx_json_quote(list, isx_span_of(iscc_id));
	isx_buf_printf(list, ",\"status\":\"%s\"", status);
}

/* Each asset goes into the answer at once, so that its quota bounds all of them. */
static enum isx_status add_asset(struct http_req *req, struct isx_buf *list, size_t i,
				 const char *iscc_id, bool *has_index, struct isx_err *err)
{
	size_t before = list->len;
	bool found = false;
	begin_item(list, i, iscc_id, "found");
	isx_buf_text(list, ",\"asset\":");
	enum isx_status st = isx_find_into(req->store, req->index_name, iscc_id, list, has_index,
					   &found, err);
	if (!found) {
		list->len = before;
		begin_item(list, i, iscc_id, "not_found");
	}
	isx_buf_char(list, '}');
	return st ? st : isx_buf_status(list, err);
}

/* Each asset is read in a transaction of its own: the list is no snapshot. The first failure is the
 * answer to the whole request, and what was appended until then is dropped. Each may wait for a database,
 * so the client and the server are asked between two whether to go on. */
enum isx_status isx_serve_assets_get(struct http_req *req, struct http_res *res,
				     struct isx_err *err)
{
	const char *const *ids = NULL;
	size_t count = 0;
	bool has_index = false;
	enum isx_status st = read_ids(req, res, &ids, &count, err);
	for (size_t i = 0; !st && i < count; i++) {
		st = req->cancel_check(req->cancel_arg, err);
		if (!st)
			st = add_asset(req, &res->payload, i, ids[i], &has_index, err);
	}
	isx_buf_char(&res->payload, ']');
	return st;
}

/* Memory for the answer is reserved before anything is removed: what is removed must not get a 503
 * because the answer has no room. */
enum isx_status isx_serve_assets_remove(struct http_req *req, struct http_res *res,
					struct isx_err *err)
{
	const char *const *ids = NULL;
	size_t count = 0;
	enum isx_status st = read_ids(req, res, &ids, &count, err);
	bool *removed = st ? NULL : isx_arena_alloc(&req->arena, count, sizeof *removed);
	if (!st && !removed)
		st = isx_fail_memory(err);
	if (!st) {
		(void)isx_buf_reserve(&res->payload, count * ISX_OUTCOME_JSON_BYTES + 2);
		st = isx_buf_status(&res->payload, err);
	}
	if (!st)
		st = isx_remove_many(req->store, req->index_name, ids, count, removed, err);
	if (st)
		return st;
	for (size_t i = 0; i < count; i++) {
		begin_item(&res->payload, i, ids[i], removed[i] ? "removed" : "not_found");
		isx_buf_char(&res->payload, '}');
	}
	isx_buf_char(&res->payload, ']');
	return ISX_OK;
}
