/*
 * dataset_http.c - sends a GET to a host of data sets, and waits as long as the host asks for.
 *
 * A host that limits the rate of requests answers 429 and says in RateLimit or Retry-After when to come
 * again. Overloaded hosts and connections that fail get a second try after 1, 2, 4, ... seconds.
 * A command waits here in its main thread; there is one request at a time. Must not know what is
 * asked for. Without libcurl every request is ISX_UNSUPPORTED.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/dataset_http.h"

#include "cli/say.h"
#include "json/json.h"

#include <stdio.h>
#include <strings.h>
#include <unistd.h>

struct isx_span dataset_http_header(struct isx_span line, const char *name)
{
	size_t len = strlen(name);
	if (line.len <= len || line.ptr[len] != ':' || strncasecmp(line.ptr, name, len) != 0)
		return (struct isx_span){ 0 };
	return isx_span_trim(isx_span_skip(line, len + 1));
}

#ifdef ISX_WITHOUT_REMOTE

enum isx_status dataset_http_open(struct dataset_client *client, struct isx_err *err)
{
	(void)client;
	return isx_fail(err, ISX_UNSUPPORTED,
			"this program was built without libcurl (WITH_REMOTE=0)");
}

void dataset_http_close(struct dataset_client *client)
{
	(void)client;
}

enum isx_status dataset_http_get(struct dataset_client *client, struct dataset_get *get, long *code,
				 struct isx_buf *answer, struct isx_err *err)
{
	(void)get, (void)code, (void)answer;
	return dataset_http_open(client, err);
}

#else

enum {
	TRIES = 6,            /* as huggingface_hub: one and five more */
	TRIES_TO_CONNECT = 3, /* a host that is down: 3 seconds until this is said */
	WAIT_S_MAX = 3600,
	PAGE_BYTES_MAX = 64 << 20, /* of a list: 1,000 files take some 300 KiB */
	STALL_S = 60
};

enum isx_status dataset_http_open(struct dataset_client *client, struct isx_err *err)
{
	return isx_http_client_new(&client->http, err);
}

void dataset_http_close(struct dataset_client *client)
{
	isx_http_client_free(client->http);
}

/* A request, and what the head of its answer says about waiting. */
struct exchange {
	struct dataset_get *get;
	uint64_t limited_s; /* of RateLimit; 0: there is none */
};

/* RateLimit: "api";r=0;t=55 - the window ends in 55 seconds. */
static void take_head(void *arg, struct isx_span line)
{
	struct exchange *exchange = arg;
	struct isx_span limit = dataset_http_header(line, "ratelimit");
	while (limit.len && !isx_span_has_prefix(limit, "t="))
		limit = isx_span_skip(limit, 1);
	limit = isx_span_skip(limit, 2);
	for (size_t len = 0; len < limit.len && len < 9; len++)
		if (!isx_span_uint((struct isx_span){ limit.ptr, len + 1 }, UINT32_MAX,
				   &exchange->limited_s))
			break;
	if (exchange->get->take_head)
		exchange->get->take_head(exchange->get->arg, line);
}

/* http_client.h passes the exchange; the caller's function gets its own argument. */
static bool take_body(void *arg, long code, struct isx_span bytes)
{
	struct exchange *exchange = arg;
	return exchange->get->take_body(exchange->get->arg, code, bytes);
}

/* The token goes to the endpoint only: pages that follow may be on another host. */
static bool is_endpoint(const struct dataset_client *client, const char *url)
{
	size_t len = strlen(client->endpoint);
	return strncmp(url, client->endpoint, len) == 0 && url[len] == '/';
}

/* One request, without trying again. Retry-After arrives in *wait_s; RateLimit wins over it
 * after 429, as it says when the window ends. */
static enum isx_status send_once(struct dataset_client *client, struct exchange *exchange,
				 long *code, uint32_t *wait_s, struct isx_buf *answer,
				 struct isx_err *err)
{
	const struct dataset_get *get = exchange->get;
	const struct isx_http_request request = {
		.method = "GET",
		.url = get->url,
		.answer_bytes_max = PAGE_BYTES_MAX,
		.bearer = is_endpoint(client, get->url) ? client->token : NULL,
		.follows = true,
		.from_byte = get->from_byte,
		.stall_s = STALL_S,
		.take_head = take_head,
		.take_body = get->take_body ? take_body : NULL,
		.take_arg = exchange,
	};
	exchange->limited_s = 0;
	isx_buf_clear(answer);
	enum isx_status st = isx_http_client_send(client->http, &request, code, wait_s, answer,
						  err);
	if (!st && *code == 429 && exchange->limited_s)
		*wait_s = (uint32_t)exchange->limited_s;
	return st;
}

/* {"error": "Repository not found"}, or nothing. */
static struct isx_span find_reason(const struct isx_buf *answer, struct isx_arena *arena)
{
	struct isx_span text = { answer->ptr, answer->len }, reason = { 0 };
	size_t offset;
	if (!isx_json_check(text, &offset, NULL))
		(void)!isx_json_string(isx_json_member(isx_span_trim(text), "error"), arena,
				       &reason);
	return reason;
}

/* ISX_IO for every status: to the caller a refusal and an overload are the same once all tries
 * are used up. The reason of the host is cut at 100 bytes: it may be a whole page of HTML. */
static enum isx_status fail_code(const struct dataset_client *client, const char *url, long code,
				 const struct isx_buf *answer, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_span reason = find_reason(answer, &arena);
	bool is_refused = code == 401 || code == 403;
	if (reason.len > 100)
		reason.len = 100;
	enum isx_status st = isx_fail(
		err, ISX_IO, "GET %.200s: HTTP status %ld%s%.*s%s", url, code,
		reason.len ? ": " : "", (int)reason.len, reason.len ? reason.ptr : "",
		!is_refused     ? ""
		: client->token ? " (does the token of HF_TOKEN allow to read the data set?)"
				: " (a private data set needs a token in HF_TOKEN)");
	isx_arena_release(&arena);
	return st;
}

/* Wait before try number `number`. False: the host asks for more than is waited for. */
static bool wait_for_host(unsigned number, long code, uint32_t wait_s)
{
	if (wait_s > WAIT_S_MAX)
		return false;
	bool is_asked = wait_s > 0;
	if (!is_asked)
		wait_s = number > 3 ? 8 : 1u << (number - 1);
	progress_clear();
	if (code == 429)
		say_line(stderr, "The host limits the rate of requests: waiting %u s", wait_s);
	else if (code)
		say_line(stderr, "The host answers with status %ld: trying again in %u s", code,
			 wait_s);
	else
		say_line(stderr, "No answer: trying again in %u s", wait_s);
	sleep(wait_s); /* a signal ends the process in its own thread (cli/interrupt.h) */
	return true;
}

/* Is it worth while to ask again? */
static bool is_transient(enum isx_status st, long code)
{
	return st ? st == ISX_UNAVAILABLE
		  : code == 429 || code == 500 || (code >= 502 && code <= 504);
}

enum isx_status dataset_http_get(struct dataset_client *client, struct dataset_get *get, long *code,
				 struct isx_buf *answer, struct isx_err *err)
{
	struct exchange exchange = { .get = get };
	for (unsigned number = 1;; number++) {
		uint32_t wait_s = 0;
		uint64_t before = get->from_byte;
		*code = 0;
		enum isx_status st = send_once(client, &exchange, code, &wait_s, answer, err);
		if (get->from_byte > before)
			number = 1; /* something has arrived */
		if (!st && (*code == 200 || *code == 206 || *code == 416))
			return ISX_OK;
		bool is_last = number >= (st ? TRIES_TO_CONNECT : TRIES);
		if (get->has_stopped || is_last || !is_transient(st, *code) ||
		    !wait_for_host(number, st ? 0 : *code, st ? 0 : wait_s))
			return st ? st : fail_code(client, get->url, *code, answer, err);
	}
}

#endif
