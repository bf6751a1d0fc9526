/*
 * request.c - composes headers and error answers.
 *
 * The members of error answers are those of 0.3.3 (FastAPI): `detail` is a text, or with 422 a list
 * of problems.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/request.h"

#include "base/limits.h"
#include "json/http_status.h"
#include "json/json_text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void isx_http_header(struct http_res *res, const char *name, const char *value)
{
	assert(res->header_count < HTTP_HEADERS_MAX);
	res->headers[res->header_count++] = (struct http_header){ name, value };
}

/* Takes the text of `value`. Without memory the header is left out, and the payload decides about
 * the answer. */
void isx_http_own_header(struct http_res *res, const char *name, struct isx_buf *value)
{
	assert(!res->own_value);
	res->own_value = isx_buf_take(value);
	if (res->own_value)
		isx_http_header(res, name, res->own_value);
}

enum isx_status isx_http_need_payload(const struct http_req *req, struct http_res *res,
				      struct isx_err *err)
{
	const struct isx_place body = { .name = "body" };
	if (req->payload.text.len > 0)
		return ISX_OK;
	isx_problem_add(&res->problems, "missing", &body, "Field required", (struct isx_span){ 0 });
	return isx_problems_status(&res->problems, err);
}

static void close_stream(struct http_res *res)
{
	if (res->stream)
		res->stream->close(res->stream);
	res->stream = NULL;
}

/* One byte less than there is room for: isx_buf_trim() leaves one for a NUL. */
void isx_http_move_piece(struct isx_buf *composed, struct isx_buf *piece)
{
	size_t len = composed->len;
	if (len >= ISX_SMALL_BYTES_MAX)
		len = ISX_SMALL_BYTES_MAX - 1;
	if (!len)
		return;
	isx_buf_add(piece, composed->ptr, len);
	composed->len -= len;
	memmove(composed->ptr, composed->ptr + len, composed->len);
}

/* Drop what a handler has written before it failed. Its headers stay. */
static void start_over(struct http_res *res, unsigned http_status)
{
	isx_buf_clear(&res->payload);
	res->payload.quota =
		NULL; /* the answer that names a refusal must not fail for the same reason */
	res->file = (struct isx_span){ 0 };
	close_stream(res);
	res->content_type = NULL;
	res->status = http_status;
}

void isx_http_detail(struct http_res *res, unsigned http_status, const char *detail)
{
	start_over(res, http_status);
	isx_buf_text(&res->payload, "{\"detail\":");
	isx_json_quote(&res->payload, isx_span_of(detail));
	isx_buf_char(&res->payload, '}');
}

void isx_http_fail(struct http_res *res, enum isx_status status, const struct isx_err *err)
{
	unsigned http_status = isx_http_from_status(status);
	if (status == ISX_SCHEMA && res->problems.count > 0) {
		start_over(res, http_status);
		isx_buf_text(&res->payload, "{\"detail\":");
		isx_problems_to_json(&res->payload, &res->problems);
		isx_buf_char(&res->payload, '}');
		return;
	}
	isx_http_detail(res, http_status, err->msg);
	if (status == ISX_UNAUTHORIZED && res->payload.len) {
		res->payload.len--; /* `detail` stays the one word that clients of 0.3.3 know */
		isx_buf_text(&res->payload,
			     ",\"expected\":\"the API key, in the header X-API-Key\"}");
	}
	/* Only these pass by themselves; a client that repeats any other failed request fails
	 * again. */
	if (status == ISX_UNAVAILABLE || status == ISX_NO_MEMORY) {
		snprintf(res->retry_after, sizeof res->retry_after, "%u",
			 err->retry_after_s ? err->retry_after_s : 1);
		isx_http_header(res, "Retry-After", res->retry_after);
	}
}

void isx_http_release(struct http_req *req, struct http_res *res)
{
	close_stream(res);
	isx_problems_release(&res->problems);
	isx_mem_free(res->own_value);
	isx_buf_release(&res->payload);
	isx_arena_release(&req->arena);
}
