/*
 * payload.c - the body of a request while it arrives: admission and accounting.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/payload.h"

#include "base/limits.h"

void isx_http_payload_purses_init(struct http_payload_purses *purses, size_t body_bytes_max)
{
	size_t all;
	if (__builtin_mul_overflow(body_bytes_max, (size_t)ISX_PAYLOADS_MAX, &all))
		all = SIZE_MAX;
	purses->body_bytes_max = body_bytes_max;
	purses->known.bytes_max = all;
	purses->strangers.bytes_max = ISX_UNAUTHENTICATED_BYTES_MAX;
}

void isx_http_payload_open(struct http_payload *payload, struct http_payload_purses *purses,
			   bool is_allowed)
{
	payload->bytes_max = purses->body_bytes_max;
	if (is_allowed) {
		isx_hold_init(&payload->hold, &purses->known, ISX_SMALL_BYTES_MAX);
	} else {
		isx_hold_init(&payload->hold, &purses->strangers, 0);
		if (payload->bytes_max > ISX_UNAUTHENTICATED_BODY_MAX)
			payload->bytes_max = ISX_UNAUTHENTICATED_BODY_MAX;
	}
}

static enum isx_status fail_too_large(const struct http_payload *payload, struct isx_err *err)
{
	return isx_fail(err, ISX_TOO_LARGE,
			"the body is larger than the %zu bytes this server takes",
			payload->bytes_max);
}

static enum isx_status take(struct http_payload *payload, size_t bytes, struct isx_err *err)
{
	if (isx_hold_more(&payload->hold, bytes))
		return ISX_OK;
	return isx_fail(err, ISX_UNAVAILABLE,
			"too many large requests at once: try again later, or send less at once");
}

void isx_http_payload_add(struct http_payload *payload, const char *bytes, size_t len,
			  struct http_req *req)
{
	if (req->cut.status)
		return;
	enum isx_status st = len > payload->bytes_max - payload->bytes.len
				     ? fail_too_large(payload, &req->cut)
				     : take(payload, len, &req->cut);
	if (!st) {
		isx_buf_add(&payload->bytes, bytes, len);
		st = isx_buf_status(&payload->bytes, &req->cut);
	}
	if (st)
		isx_http_payload_drop(payload);
}

void isx_http_payload_refuse(struct http_payload *payload, struct http_req *req)
{
	(void)fail_too_large(payload, &req->cut);
	isx_http_payload_drop(payload);
}

void isx_http_payload_drop(struct http_payload *payload)
{
	isx_buf_release(&payload->bytes);
	isx_hold_release(&payload->hold);
}
