/*
 * payload.c - collects the body of a request, and accounts for its memory.
 *
 * The worker that uses a body decodes it, not the event-loop thread that receives it: a piece of
 * gzip may decode to a thousand times its size, and the event loop has other connections to serve.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/payload.h"

#include "base/limits.h"
#include "http/gzip.h"

/* The purse of authenticated bodies holds ISX_PAYLOADS_MAX of the largest ones. */
void isx_http_payload_purses_init(struct http_payload_purses *purses, size_t body_bytes_max)
{
	size_t all;
	if (__builtin_mul_overflow(body_bytes_max, (size_t)ISX_PAYLOADS_MAX, &all))
		all = SIZE_MAX;
	purses->body_bytes_max = body_bytes_max;
	purses->authenticated.bytes_max = all;
	purses->unauthenticated.bytes_max = ISX_UNAUTHENTICATED_BYTES_MAX;
}

/* One message for a body that is too large as it was sent, and for one that is so when decoded. */
static enum isx_status fail_too_large(const struct http_payload *payload, struct isx_err *err)
{
	return isx_fail(err, ISX_TOO_LARGE,
			"the body is larger than the %zu bytes this server takes",
			payload->bytes_max);
}

/* struct isx_quota of the body, also while it is decoded. */
static enum isx_status take(void *keeper, size_t bytes, struct isx_err *err)
{
	if (isx_hold_more(keeper, bytes))
		return ISX_OK;
	return isx_fail(err, ISX_UNAVAILABLE,
			"too many large requests at once: try again later, or send less at once");
}

/* The spool takes any number of bytes, as they arrive; only its memory counts in the hold. */
static void begin_lines(struct http_payload *payload, const char *directory, struct http_req *req)
{
	payload->is_lines = true;
	payload->quota = (struct isx_quota){ .may_take = take, .keeper = &payload->hold };
	isx_spool_begin(&payload->spool, directory, &payload->quota);
	payload->spool.packing = payload->coding == HTTP_CODING_GZIP   ? ISX_PACKING_GZIP
				 : payload->coding == HTTP_CODING_ZSTD ? ISX_PACKING_ZSTD
								       : ISX_PACKING_NONE;
	payload->spool.cancel_check = req->cancel_check;
	payload->spool.cancel_arg = req->cancel_arg;
	req->lines = &payload->spool;
}

/* Without the key no byte of a body is free: a client that opens many connections would else get so
 * much memory for each. Its body is read at all so that malformed JSON gets 422 before the 401, as
 * in 0.3.3. */
void isx_http_payload_open(struct http_payload *payload, struct http_payload_purses *purses,
			   const char *content_encoding, const char *lines_directory,
			   struct http_req *req)
{
	payload->bytes_max = purses->body_bytes_max;
	payload->coding = isx_coding_read(content_encoding);
	if (req->is_allowed) {
		isx_hold_init(&payload->hold, &purses->authenticated, ISX_SMALL_BYTES_MAX);
	} else {
		isx_hold_init(&payload->hold, &purses->unauthenticated, 0);
		if (payload->bytes_max > ISX_UNAUTHENTICATED_BODY_MAX)
			payload->bytes_max = ISX_UNAUTHENTICATED_BODY_MAX;
	}
	if (lines_directory)
		begin_lines(payload, lines_directory, req);
	/* The fault is answered only after the check of the key (router.c). */
	if (payload->coding == HTTP_CODING_OTHER ||
	    (payload->coding == HTTP_CODING_ZSTD && !lines_directory)) {
		req->cut_status = 415;
		(void)isx_fail(&req->cut, ISX_INVALID,
			       "Content-Encoding '%.64s': expected gzip, %sor none",
			       content_encoding, lines_directory ? "zstd " : "");
	}
}

/* After the first refusal the rest of the body is read and dropped: the connection stays usable. */
void isx_http_payload_add(struct http_payload *payload, const char *bytes, size_t len,
			  struct http_req *req)
{
	if (req->cut.status)
		return;
	if (payload->is_lines) {
		if (isx_spool_add(&payload->spool, bytes, len, &req->cut))
			isx_http_payload_drop(payload);
		return;
	}
	enum isx_status st = len > payload->bytes_max - payload->bytes.len
				     ? fail_too_large(payload, &req->cut)
				     : take(&payload->hold, len, &req->cut);
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

/* Decode in the thread of the caller, a worker. Encoded and decoded body are both counted until the
 * encoded one is freed. */
void isx_http_payload_finish(struct http_payload *payload, struct http_req *req)
{
	const struct isx_quota quota = { .may_take = take, .keeper = &payload->hold };
	struct isx_buf decoded = { 0 };
	if (payload->coding != HTTP_CODING_GZIP || payload->bytes.len == 0)
		return;
	struct isx_span text = { payload->bytes.ptr, payload->bytes.len };
	enum isx_status st = isx_gzip_decode(text, payload->bytes_max, &quota, &decoded, &req->cut);
	if (st == ISX_TOO_LARGE)
		(void)fail_too_large(payload, &req->cut);
	isx_buf_release(&payload->bytes);
	payload->bytes = decoded;
	if (st)
		isx_http_payload_drop(payload);
	else
		(void)isx_hold_only(&payload->hold, decoded.len, payload->hold.free_bytes);
}

/* Also called twice, and on a payload that was never opened. */
void isx_http_payload_drop(struct http_payload *payload)
{
	isx_buf_release(&payload->bytes);
	isx_spool_close(&payload->spool);
	isx_hold_release(&payload->hold);
}
