/*
 * http_client.h - requests to other servers, over libcurl.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_CLIENT_H
#define ISX_HTTP_CLIENT_H

#include "base/buf.h"

/* A client that keeps its connection open between requests. One thread at a time may use it. */
struct isx_http_client;

/* A request; everything is borrowed until isx_http_client_send() returns. */
struct isx_http_request {
	const char *method;      /* "GET" */
	const char *url;         /* http:// or https:// */
	const char *api_key;     /* sent as X-API-Key; NULL: none */
	struct isx_span json;    /* the body, if not empty */
	size_t answer_bytes_max; /* a longer body is refused while it arrives */
	bool is_once;            /* never sent twice: see set_request() */
	long timeout_ms; /* for all of the request, from connecting to the last byte; 0: no limit */
	/* Called when the request begins, and at least once a second until it ends; an error ends
	 * it. NULL: the request cannot be cancelled. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	void *cancel_arg;
	/* For downloads; zeros and NULL: none of it. */
	const char *bearer; /* sent as Authorization: Bearer, to the host of `url` alone */
	bool follows;       /* redirects are followed, up to ISX_REDIRECTS_MAX */
	uint64_t from_byte; /* asks for the bytes from this one on (Range) */
	long stall_s;       /* ends the request when no byte has arrived for so long */
	const char *accept; /* NULL: application/json */
	/* Takes a line of the head of an answer, also of one that redirects. */
	void (*take_head)(void *take_arg, struct isx_span line);
	/* Takes the next bytes of the body of an answer whose status is `code`, 200 or 206, in place of
	 * `answer`. False ends the request. */
	bool (*take_body)(void *take_arg, long code, struct isx_span bytes);
	void *take_arg;
};

/* Make a client.
 *   client  new, free with isx_http_client_free() (NULL is allowed) */
ISX_MUST_CHECK enum isx_status isx_http_client_new(struct isx_http_client **client,
						   struct isx_err *err);
void isx_http_client_free(struct isx_http_client *client);

/* Send a request and wait for its answer. Any HTTP status is a success here.
 *   code    filled: the HTTP status
 *   retry_after_s  filled: what Retry-After says, in seconds; 0: there is none
 *   answer  filled: the body is appended
 * ISX_UNAVAILABLE: no answer came ("GET URL: could not connect"), or it is not HTTP; ISX_IO: it is over
 * answer_bytes_max, or its header over ISX_ANSWER_HEAD_BYTES_MAX, or take_body() has ended the request; or
 * the error of cancel_check(). */
ISX_MUST_CHECK enum isx_status isx_http_client_send(struct isx_http_client *client,
						    const struct isx_http_request *request,
						    long *code, uint32_t *retry_after_s,
						    struct isx_buf *answer, struct isx_err *err);

/* An answer that is read line by line while it arrives, over a connection of its own. A server waits
 * while nothing is read. One thread at a time may use it. */
struct isx_http_stream;

/* Send a request and wait until its answer begins.
 *   request  copied, but for its texts, which are borrowed until the stream is closed; a timeout is
 *            the longest time without a byte
 *   code     filled: the HTTP status
 *   stream   new, close with isx_http_stream_close() (NULL is allowed) */
ISX_MUST_CHECK enum isx_status isx_http_stream_open(const struct isx_http_request *request,
						    struct isx_http_stream **stream, long *code,
						    struct isx_err *err);

/* The next line, without its end.
 *   line  filled: borrowed until the next call
 *   more  filled: false at the end of the answer
 * ISX_IO: a line is longer than answer_bytes_max; ISX_UNAVAILABLE: the answer ends in the middle. */
ISX_MUST_CHECK enum isx_status isx_http_stream_line(struct isx_http_stream *stream,
						    struct isx_span *line, bool *more,
						    struct isx_err *err);
void isx_http_stream_close(struct isx_http_stream *stream);

#endif
