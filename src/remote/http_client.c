/*
 * http_client.c - requests over libcurl, which no other file sees.
 *
 * A client is one easy handle of libcurl, which keeps connections, and resolved names, between
 * requests. The caller makes sure that one thread at a time uses it. libcurl
 * initialises itself with the first handle.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "remote/http_client.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/uri.h"
#include "engine/meter.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct isx_http_client {
	CURL *curl;
};

/* What the callbacks of one request share. */
struct answer {
	const struct isx_http_request *request;
	CURL *curl;
	struct isx_buf *buf;
	size_t left; /* bytes that may still come */
	bool too_large;
	size_t head_bytes;
	enum isx_status cancelled; /* what cancel_check() has returned */
	struct isx_err *err;       /* of the call: filled by cancel_check() */
};

enum isx_status isx_http_client_new(struct isx_http_client **client, struct isx_err *err)
{
	struct isx_http_client *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->curl = curl_easy_init();
	if (!made->curl) {
		isx_mem_free(made);
		return isx_fail_memory(err);
	}
	*client = made;
	return ISX_OK;
}

void isx_http_client_free(struct isx_http_client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	isx_mem_free(client);
}

/* A write callback of libcurl: to return less than `len` ends the transfer with
 * CURLE_WRITE_ERROR; fail_curl() finds the reason in `answer`. */
static size_t take_bytes(char *bytes, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	size_t len = size * count; /* libcurl says that size is 1 */
	/* The status is known: libcurl hands out the head of an answer before its body. The body
	 * of any other status goes to `answer`, also in a download, because it holds the server's
	 * message. */
	long code = 0;
	curl_easy_getinfo(answer->curl, CURLINFO_RESPONSE_CODE, &code);
	if (answer->request->take_body && (code == 200 || code == 206))
		return answer->request->take_body(answer->request->take_arg, code,
						  (struct isx_span){ bytes, len })
			       ? len
			       : 0;
	if (len > answer->left) {
		answer->too_large = true;
		return 0;
	}
	answer->left -= len;
	isx_buf_add(answer->buf, bytes, len);
	return answer->buf->failed ? 0 : len;
}

/* Take a line of the answer's head: libcurl reads it, here it is counted and handed on. */
static size_t take_head(char *line, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	/* The sum of all heads of the request, those of redirects included, so that many small
	 * ones are bounded, too. */
	answer->head_bytes += size * count;
	if (answer->request->take_head)
		answer->request->take_head(answer->request->take_arg,
					   (struct isx_span){ line, size * count });
	return answer->head_bytes > ISX_ANSWER_HEAD_BYTES_MAX ? 0 : size * count;
}

/* libcurl's progress callback: anything but 0 ends the transfer with CURLE_ABORTED_BY_CALLBACK. */
static int check_cancel(void *arg, curl_off_t to_get, curl_off_t got, curl_off_t to_send,
			curl_off_t sent)
{
	struct answer *answer = arg;
	(void)to_get, (void)got, (void)to_send, (void)sent;
	answer->cancelled = isx_cancel_ask(answer->request->cancel_check,
					   answer->request->cancel_arg, answer->err);
	return answer->cancelled != ISX_OK;
}

/* The headers of a request as libcurl's list; NULL when memory ran out. */
static struct curl_slist *make_headers(const struct isx_http_request *request)
{
	/* curl_slist_append() returns NULL without memory and leaves the list as it was: `headers`
	 * remains the list to free. */
	struct isx_buf accept = { 0 };
	isx_buf_printf(&accept, "Accept: %s",
		       request->accept ? request->accept : "application/json");
	struct curl_slist *headers = accept.failed ? NULL : curl_slist_append(NULL, accept.ptr);
	struct curl_slist *longer = headers;
	isx_buf_release(&accept);
	if (longer && request->json.len)
		longer = curl_slist_append(headers, "Content-Type: application/json");
	if (longer && request->api_key) {
		struct isx_buf line = { 0 };
		isx_buf_printf(&line, "X-API-Key: %s", request->api_key);
		longer = line.failed ? NULL : curl_slist_append(headers, line.ptr);
		isx_buf_release(&line);
	}
	if (!longer)
		curl_slist_free_all(headers);
	return longer;
}

/* Did the server begin to answer? */
static bool has_answered(CURL *curl)
{
	curl_off_t first_byte_us = 0;
	curl_easy_getinfo(curl, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
	return first_byte_us > 0;
}

/* Is the head of the answer over the ceiling? A single line of more than 100 KiB libcurl does not hand
 * out: it ends with CURLE_OUT_OF_MEMORY, since 8.6.0 with 100, CURLE_TOO_LARGE. */
static bool is_head_too_large(CURL *curl, CURLcode code, const struct answer *answer)
{
	enum { TOO_LARGE = 100 };
	return answer->head_bytes > ISX_ANSWER_HEAD_BYTES_MAX || (int)code == TOO_LARGE ||
	       (code == CURLE_OUT_OF_MEMORY && has_answered(curl));
}

/* The failures of a server are none of what was sent to it: an asset that is added is not refused by them. */
static enum isx_status fail_curl(struct isx_err *err, const struct isx_http_request *request,
				 CURL *curl, CURLcode code, const struct answer *answer)
{
	/* libcurl's code says only that a callback has ended the transfer: the reason that a
	 * callback has left in `answer` comes first. */
	char shown[ISX_URI_SHOWN_BYTES];
	if (answer->cancelled)
		return answer->cancelled; /* `err` is filled */
	if (answer->too_large)
		return isx_fail(err, ISX_IO, "%s %s: the answer is larger than %zu bytes",
				request->method, isx_uri_show(request->url, shown),
				request->answer_bytes_max);
	if (answer->buf->failed)
		return isx_fail_memory(err);
	if (is_head_too_large(curl, code, answer))
		return isx_fail(err, ISX_IO,
				"%s %s: the header of the answer is larger than %d bytes",
				request->method, isx_uri_show(request->url, shown),
				ISX_ANSWER_HEAD_BYTES_MAX);
	if (code == CURLE_OUT_OF_MEMORY)
		return isx_fail_memory(err);
	if (code == CURLE_WEIRD_SERVER_REPLY ||
	    (code == CURLE_UNSUPPORTED_PROTOCOL && has_answered(curl)))
		return isx_fail(err, ISX_UNAVAILABLE, "%s %s: the server's answer is not HTTP/1%s",
				request->method, isx_uri_show(request->url, shown),
				request->follows ? ""
						 : ": is this the port of an iscc-search server?");
	if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT)
		return isx_fail(err, ISX_INVALID, "%s: expected http://HOST:PORT or https://HOST",
				isx_uri_show(request->url, shown));
	return isx_fail(err, ISX_UNAVAILABLE, "%s %s: %s", request->method,
			isx_uri_show(request->url, shown), curl_easy_strerror(code));
}

/* What only downloads ask for. libcurl sends a bearer token to no other host than the first one, also when
 * it follows a redirect; a redirect from https to http would show to others what is asked for. */
static void set_download(CURL *curl, const struct isx_http_request *request)
{
	bool is_secret = strncasecmp(request->url, "https:", 6) == 0;
	char range[32];
	if (request->bearer) {
		curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, request->bearer);
	}
	if (request->follows) {
		curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
		curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)ISX_REDIRECTS_MAX);
		curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
				 is_secret ? "https" : "http,https");
	}
	if (request->from_byte) {
		snprintf(range, sizeof range, "%llu-", (unsigned long long)request->from_byte);
		curl_easy_setopt(curl, CURLOPT_RANGE, range);
	}
	/* The limit is 1 byte per second over stall_s. For a connection libcurl would wait 300 s
	 * by default. */
	if (request->stall_s) {
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, request->stall_s);
		curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, request->stall_s);
	}
}

/* Set all options of a request; `into` takes its answer. */
static void set_request(CURL *curl, const struct isx_http_request *request,
			struct curl_slist *headers, struct answer *into)
{
	curl_easy_setopt(curl, CURLOPT_URL, request->url);
	/* Only these: libcurl would also open file:// and others. Redirects are not followed (the
	 * default), so that the key goes to no other server. */
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	/* A body makes a POST of every request in libcurl; the method is set as a text for PATCH
	 * and DELETE. */
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* no SIGALRM: signals are the program's */
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, into);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, into);
	set_download(curl, request);
	/* When a connection that was kept open ends before the first byte of an answer, libcurl sends
	 * the request again over a new one, without a word: the server may have done it all the
	 * same. On a new connection libcurl tries once. */
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, request->is_once ? 1L : 0L);
	if (request->cancel_check) {
		curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_cancel);
		curl_easy_setopt(curl, CURLOPT_XFERINFODATA, into);
	}
	if (request->json.len) {
		/* libcurl does not copy the body: the caller keeps it until the transfer ends. */
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->json.ptr);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->json.len);
	}
}

enum isx_status isx_http_client_send(struct isx_http_client *client,
				     const struct isx_http_request *request, long *code,
				     uint32_t *retry_after_s, struct isx_buf *answer,
				     struct isx_err *err)
{
	curl_off_t retry_s = 0;
	struct answer into = { .request = request,
			       .curl = client->curl,
			       .buf = answer,
			       .left = request->answer_bytes_max,
			       .err = err };
	struct curl_slist *headers = make_headers(request);
	CURL *curl = client->curl;
	if (!headers)
		return isx_fail_memory(err);
	/* Options of the last request must not remain; the connection does. */
	curl_easy_reset(curl);
	set_request(curl, request, headers, &into);
	CURLcode done = curl_easy_perform(curl);
	enum isx_status st = done ? fail_curl(err, request, curl, done, &into) : ISX_OK;
	if (!st) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, code);
		/* libcurl has turned a Retry-After that is a date into seconds, which are negative
		 * for one in the past. */
		curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_s);
		*retry_after_s = retry_s < 0             ? 0
				 : retry_s >= UINT32_MAX ? UINT32_MAX
							 : (uint32_t)retry_s;
	}
	curl_slist_free_all(headers);
	return st;
}

/* --- streams ---------------------------------------------------------------------------------- */

struct isx_http_stream {
	struct isx_http_request request;
	CURLM *multi;
	CURL *curl;
	struct curl_slist *headers;
	struct isx_buf bytes; /* arrived, and from `at` on not handed out */
	size_t at;
	struct answer into;
	bool is_over; /* the transfer has ended, with `result` */
	CURLcode result;
};

/* Let libcurl work until bytes arrive, or the transfer ends. */
static enum isx_status receive(struct isx_http_stream *stream, struct isx_err *err)
{
	/* libcurl asks check_cancel() in curl_multi_perform() alone, so no wait may be longer than
	 * the second that the contract of cancel_check() allows. */
	enum { LOOK_MS = 1000 };
	size_t before = stream->bytes.len;
	const uint64_t quiet_since_ns = isx_clock_ns();
	stream->into.err = err;
	while (!stream->is_over && stream->bytes.len == before) {
		int running = 0, waiting = 0;
		CURLMcode rc = curl_multi_perform(stream->multi, &running);
		CURLMsg *message = curl_multi_info_read(stream->multi, &waiting);
		if (message && message->msg == CURLMSG_DONE) {
			stream->is_over = true;
			stream->result = message->data.result;
		}
		/* Neither a running transfer nor a result: libcurl could not begin it. */
		if (rc || (!running && !message)) {
			stream->is_over = true;
			stream->result = CURLE_OUT_OF_MEMORY;
		}
		if (stream->is_over || stream->bytes.len > before)
			break;
		/* Measured, as a socket that is ready ends a poll early. */
		if (isx_clock_ns() - quiet_since_ns >=
		    isx_ms_to_ns((uint64_t)stream->request.timeout_ms))
			stream->is_over = true, stream->result = CURLE_OPERATION_TIMEDOUT;
		else
			(void)curl_multi_poll(stream->multi, NULL, 0, LOOK_MS, NULL);
	}
	if (stream->is_over && stream->result)
		return fail_curl(err, &stream->request, stream->curl, stream->result,
				 &stream->into);
	return ISX_OK;
}

enum isx_status isx_http_stream_open(const struct isx_http_request *request,
				     struct isx_http_stream **stream, long *code,
				     struct isx_err *err)
{
	struct isx_http_stream *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->request = *request;
	made->curl = curl_easy_init();
	made->multi = curl_multi_init();
	made->headers = make_headers(request);
	if (!made->curl || !made->multi || !made->headers) {
		isx_http_stream_close(made);
		return isx_fail_memory(err);
	}
	/* A stream as a whole has no ceiling; isx_http_stream_line() bounds what is kept of it, a
	 * line. */
	made->into = (struct answer){
		.request = &made->request, .curl = made->curl, .buf = &made->bytes, .left = SIZE_MAX
	};
	set_request(made->curl, request, made->headers, &made->into);
	curl_easy_setopt(made->curl, CURLOPT_TIMEOUT_MS, 0L); /* receive() measures the silence */
	curl_easy_setopt(made->curl, CURLOPT_CONNECTTIMEOUT_MS, request->timeout_ms);
	enum isx_status st = curl_multi_add_handle(made->multi, made->curl) ? isx_fail_memory(err)
									    : receive(made, err);
	if (st) {
		isx_http_stream_close(made);
		return st;
	}
	curl_easy_getinfo(made->curl, CURLINFO_RESPONSE_CODE, code);
	*stream = made;
	return ISX_OK;
}

enum isx_status isx_http_stream_line(struct isx_http_stream *stream, struct isx_span *line,
				     bool *more, struct isx_err *err)
{
	struct isx_buf *bytes = &stream->bytes;
	const char *end = NULL;
	size_t seen = 0; /* searched so far: no byte is searched twice */
	for (;;) {
		struct isx_span left = { bytes->ptr + stream->at, bytes->len - stream->at };
		if (left.len > seen)
			end = memchr(left.ptr + seen, '\n', left.len - seen);
		*more = end || left.len;
		/* The last line need not have an end. */
		if (end || stream->is_over) {
			*line = (struct isx_span){ left.ptr,
						   end ? (size_t)(end - left.ptr) : left.len };
			stream->at += line->len + (end != NULL);
			return ISX_OK;
		}
		seen = left.len;
		if (left.len > stream->request.answer_bytes_max) {
			stream->into.too_large = true;
			return fail_curl(err, &stream->request, stream->curl, CURLE_WRITE_ERROR,
					 &stream->into);
		}
		if (stream->at) { /* what was handed out makes room */
			memmove(bytes->ptr, left.ptr, left.len);
			bytes->len = left.len;
			stream->at = 0;
		}
		enum isx_status st = receive(stream, err);
		if (st)
			return st;
	}
}

void isx_http_stream_close(struct isx_http_stream *stream)
{
	if (!stream)
		return;
	/* An easy handle leaves its multi handle before either is freed. After an open that failed
	 * any of them may be NULL, which libcurl allows. */
	if (stream->multi && stream->curl)
		curl_multi_remove_handle(stream->multi, stream->curl);
	curl_easy_cleanup(stream->curl);
	curl_multi_cleanup(stream->multi);
	curl_slist_free_all(stream->headers);
	isx_buf_release(&stream->bytes);
	isx_mem_free(stream);
}
