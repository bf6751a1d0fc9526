/*
 * remote_engine.c - the engine of http://: the indexes of another server with the same API.
 *
 * Every operation is one request, and an add one request for every lot of its assets. A lot that
 * reached no server is sent again after a moment; an asset that is added twice is an update, so
 * nothing is lost by that. But unlike other engines, an add that fails may have stored its first
 * lots.
 *
 * The server writes each lot to its disk before it answers: this program takes 10,000 assets in a
 * tenth of a second, 0.3.3 takes most of a minute. So the first lot is that of 0.3.3, and lots grow
 * while they are answered quickly. A lot that is refused for its size, perhaps by a proxy, is sent
 * again in halves.
 *
 * What an answer says is read by json/answer_json.c, which trusts no server.
 *
 * `lock` guards the client and is held during a request, so requests of one store are made one
 * after another. Must not know libcurl (http_client.c) nor LMDB.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/limits.h"
#include "base/percent.h"
#include "base/uri.h"
#include "engine/asset_batch.h"
#include "engine/engine.h"
#include "engine/meter.h"
#include "iscc/iscc_id.h"
#include "remote/http_client.h"
#include "json/json.h"
#include "json/json_text.h"
#include "json/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* As in iscc-search 0.3.3: 60 s for one request, three tries, 100 assets in the first lot of an add. */
enum { TIMEOUT_MS = 60000, LONG_TIMEOUT_MS = 3600000, TRIES = 3, LOT_ASSETS = 100 };
/* The largest lot: 10,000 assets of some hundred bytes are 4 MiB, and all of them are refused with a bad
 * one. A lot ends behind the asset with which it reaches so many bytes. */
enum { LOT_ASSETS_MAX = 10000, LOT_BYTES = 4 << 20 };
/* A lot that is answered sooner is doubled; one that takes longer, on its way to TIMEOUT_MS, is halved. */
enum { LOT_QUICK_MS = 1000, LOT_SLOW_MS = 10000 };
/* The statuses by which the API says that a call was done. */
enum { STATUS_OK = 200, STATUS_CREATED = 201, STATUS_NO_CONTENT = 204 };

struct remote {
	struct isx_engine engine; /* first member: remote_of() */
	char *url;                /* without a slash at the end */
	char *api_key;            /* NULL: none */
	pthread_mutex_t lock;     /* guards `client`; held during a request */
	struct isx_http_client *client;
	atomic_size_t lot;       /* assets of the next lot, at first LOT_ASSETS */
	atomic_size_t lot_max;   /* LOT_ASSETS_MAX, or fewer if more were refused for their size */
	atomic_bool lacks_batch; /* the server is 0.3.3, which has no batch search */
};

/* All functions of the table get the engine of the store that isx_remote_open() has made. */
static struct remote *remote_of(struct isx_engine *engine)
{
	return (struct remote *)engine;
}

/* --- requests --------------------------------------------------------------------------------- */

/* One request: METHOD url/root[/name[/resource[/id]]][suffix]. */
struct call {
	const char *method;
	const char *root; /* instead of "indexes"; NULL: that */
	const char *name, *resource, *id, *suffix;
	struct isx_span json;
	long success;                  /* the only HTTP status that counts as success */
	size_t answer_bytes_max;       /* 0: ISX_SHORT_ANSWER_BYTES_MAX */
	bool is_once;                  /* to do it twice is something else than to do it once */
	bool comes_in_pieces;          /* only a pause in the answer may not be too long */
	bool takes_long;               /* the server works for up to an hour before it answers */
	const struct isx_query *query; /* whose cancel_check() can end the call; NULL: none */
	/* Takes the body of an answer that may take any time, which has a connection of its own. */
	bool (*take_body)(void *take_arg, long code, struct isx_span bytes);
	void *take_arg;
	struct isx_buf answer; /* checked JSON, released by the caller; empty if `success` is 204 */
};

/* Check the status of an answer, and that it is JSON. After that the JSON functions need no
 * checks. */
static enum isx_status check_answer(const struct remote *remote, const struct call *call, long code,
				    struct isx_err *err)
{
	char shown[ISX_URI_SHOWN_BYTES];
	size_t offset;
	struct isx_span answer = { call->answer.ptr, call->answer.len };
	if (code >= 400)
		return isx_fail_http_status(code, answer, err);
	/* 304 has no other URL to go to; it is reported as an unexpected status below. */
	if (code >= 300 && code != 304)
		return isx_fail(
			err, ISX_IO,
			"%s: the server redirects (status %ld): use the URL it redirects to",
			isx_uri_show(remote->url, shown), code);
	if (code != call->success)
		return isx_fail(err, ISX_IO,
				"%s: the server answered with status %ld, expected %ld",
				isx_uri_show(remote->url, shown), code, call->success);
	/* 204 has no body; any other body was promised as JSON by the API. */
	if (!call->take_body && call->success != STATUS_NO_CONTENT &&
	    isx_json_check(answer, &offset, NULL))
		return isx_fail(err, ISX_IO, "%s: the answer is not JSON",
				isx_uri_show(remote->url, shown));
	return ISX_OK;
}

/* Send a request by the connection of the store, or by one of its own if its answer takes long. */
static enum isx_status send_request(struct remote *remote, const struct isx_http_request *request,
				    long *code, uint32_t *retry_after_s, struct isx_buf *answer,
				    struct isx_err *err)
{
	/* Without the lock: a stream of pairs may take hours, and would keep all other calls of
	 * the store waiting. */
	struct isx_http_client *client = NULL;
	enum isx_status st;
	if (request->take_body) {
		st = isx_http_client_new(&client, err);
		if (!st)
			st = isx_http_client_send(client, request, code, retry_after_s, answer,
						  err);
		isx_http_client_free(client);
		return st;
	}
	pthread_mutex_lock(&remote->lock);
	st = isx_http_client_send(remote->client, request, code, retry_after_s, answer, err);
	pthread_mutex_unlock(&remote->lock);
	return st;
}

/* Compose the URL of a call, terminated. */
static void compose_url(const struct remote *remote, const struct call *call, struct isx_buf *url)
{
	/* Segments that are NULL are left out: the shortest URL is url/indexes, for the list. */
	const char *const segments[] = { call->root ? call->root : "indexes", call->name,
					 call->resource, call->id };
	isx_buf_text(url, remote->url);
	for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++)
		if (segments[i]) {
			isx_buf_char(url, '/');
			isx_percent_add(url, isx_span_of(segments[i]), ":"); /* of ISCC-IDs */
		}
	isx_buf_text(url, call->suffix ? call->suffix : "");
	isx_buf_char(url, '\0');
}

/* Send a call and check its answer. Called without the lock, which is held while the request
 * runs. */
static enum isx_status send_call(struct remote *remote, struct call *call, struct isx_err *err)
{
	struct isx_buf url = { 0 };
	long code = 0;
	uint32_t retry_after_s = 0;
	compose_url(remote, call, &url);
	const struct isx_http_request request = {
		.method = call->method,
		.url = url.ptr,
		.api_key = remote->api_key,
		.json = call->json,
		.is_once = call->is_once,
		.answer_bytes_max = call->answer_bytes_max ? call->answer_bytes_max
							   : ISX_SHORT_ANSWER_BYTES_MAX,
		.timeout_ms = call->take_body || call->comes_in_pieces ? 0
			      : call->takes_long                       ? LONG_TIMEOUT_MS
								       : TIMEOUT_MS,
		.stall_s = call->comes_in_pieces ? TIMEOUT_MS / 1000 : 0,
		.take_body = call->take_body,
		.take_arg = call->take_arg,
		.cancel_check = call->query ? call->query->cancel_check : NULL,
		.cancel_arg = call->query ? call->query->cancel_arg : NULL,
	};
	/* Without memory for the URL the buffer has failed, and url.ptr is not used. */
	enum isx_status st = isx_buf_status(&url, err);
	/* A call that is sent again must not append to the first answer. */
	isx_buf_clear(&call->answer);
	if (!st)
		st = send_request(remote, &request, &code, &retry_after_s, &call->answer, err);
	isx_buf_release(&url);
	if (st)
		return st;
	/* Only a refusal for the moment (503) carries the server's Retry-After on to the
	 * caller. */
	st = check_answer(remote, call, code, err);
	if (st == ISX_UNAVAILABLE && err)
		err->retry_after_s = retry_after_s;
	return st;
}

/* Name the server in the message of an answer that is not what it should be; returns `status`. */
static enum isx_status name_server(const struct remote *remote, enum isx_status status,
				   struct isx_err *err)
{
	char shown[ISX_URI_SHOWN_BYTES];
	return status == ISX_IO ? isx_err_at(err, status, "%s", isx_uri_show(remote->url, shown))
				: status;
}

/* Does the server not know the path at all? 0.3.3 and earlier versions of this program answer so. */
static bool is_unknown_path(enum isx_status status, const struct isx_err *err)
{
	return status == ISX_NOT_FOUND && strcmp(err->msg, "Not Found") == 0;
}

/* --- the table of functions ------------------------------------------------------------------- */

/* Send a call.
 *   answer  filled: the JSON of the answer, borrowed from `call` */
static enum isx_status call_json(struct isx_engine *engine, struct call *call,
				 struct isx_span *answer, struct isx_err *err)
{
	enum isx_status st = send_call(remote_of(engine), call, err);
	/* White space around the value is no part of it: isx_json_kind() looks at the first
	 * byte. */
	*answer = isx_span_trim((struct isx_span){ call->answer.ptr, call->answer.len });
	return st;
}

/* One request for all indexes; their names are the server's and are not checked against anything
 * that was asked for. */
static enum isx_status remote_list(struct isx_engine *engine, struct isx_index_info **infos,
				   size_t *count, struct isx_err *err)
{
	struct call call = { .method = "GET", .success = STATUS_OK };
	struct isx_index_info *read = NULL;
	size_t length = 0;
	struct isx_span list;
	enum isx_status st = call_json(engine, &call, &list, err);
	/* The strings of `read` are copies: the answer can be released. */
	if (!st)
		st = name_server(remote_of(engine),
				 isx_index_list_from_answer(list, &read, &length, err), err);
	isx_buf_release(&call.answer);
	if (st) {
		isx_index_list_free(read, length);
		return st;
	}
	*infos = read;
	*count = length;
	return ISX_OK;
}

/* The server decides whether the name is free: 409 is ISX_EXISTS. Sent once, and without the tries of
 * send_lot(): a second request could fail with that because the first one, whose answer was lost, has
 * made the index. */
static enum isx_status remote_create(struct isx_engine *engine, const char *name,
				     struct isx_err *err)
{
	struct isx_buf body = { 0 };
	/* The name was checked by isx_index_create(); it is quoted all the same. */
	isx_buf_text(&body, "{\"name\":");
	isx_json_quote(&body, isx_span_of(name));
	isx_buf_char(&body, '}');
	struct call call = { .method = "POST",
			     .json = { body.ptr, body.len },
			     .success = STATUS_CREATED,
			     .is_once = true };
	struct isx_span object = { 0 };
	enum isx_status st = isx_buf_status(&body, err);
	if (!st)
		st = call_json(engine, &call, &object, err);
	if (!st)
		st = name_server(remote_of(engine),
				 isx_answer_check_name(isx_json_member(object, "name"), name, err),
				 err);
	isx_buf_release(&call.answer);
	isx_buf_release(&body);
	return st;
}

/* An answer of success has no body here: nothing is read, and 404 is ISX_NOT_FOUND with the
 * server's message. Sent once: a second request would not find what the first one has deleted. */
static enum isx_status remote_drop(struct isx_engine *engine, const char *name, struct isx_err *err)
{
	struct call call = {
		.method = "DELETE", .name = name, .success = STATUS_NO_CONTENT, .is_once = true
	};
	enum isx_status st = send_call(remote_of(engine), &call, err);
	isx_buf_release(&call.answer);
	return st;
}

/* The name is compared, so that the description of another index is not taken for this one's.
 * After any failure *info is released. */
static enum isx_status remote_stat(struct isx_engine *engine, const char *name,
				   struct isx_index_info *info, struct isx_err *err)
{
	struct call call = { .method = "GET", .name = name, .success = STATUS_OK };
	struct isx_span object;
	enum isx_status st = call_json(engine, &call, &object, err);
	if (!st) {
		st = isx_index_from_answer(object, info, err);
		if (!st)
			st = isx_answer_check_name(isx_json_member(object, "name"), name, err);
		st = name_server(remote_of(engine), st, err);
		if (st)
			isx_index_info_release(info);
	}
	isx_buf_release(&call.answer);
	return st;
}

/* The server reads its index for it, which may take longer than other requests. A server of an
 * earlier version has no such path. */
static enum isx_status remote_stats(struct isx_engine *engine, const char *name,
				    const struct isx_meter *meter, struct isx_arena *arena,
				    struct isx_index_stats *stats, struct isx_err *err)
{
	const struct isx_query cancels = { .cancel_check = meter->cancel_check,
					   .cancel_arg = meter->cancel_arg };
	struct call call = { .method = "GET",
			     .name = name,
			     .resource = "stats",
			     .success = STATUS_OK,
			     .comes_in_pieces = true,
			     .query = &cancels };
	struct isx_span answer;
	struct isx_err why = { 0 };
	enum isx_status st = call_json(engine, &call, &answer, err ? err : &why);
	if (is_unknown_path(st, err ? err : &why))
		st = isx_fail(err, ISX_UNSUPPORTED,
			      "the server has no statistics: expected version 0.4.0 or later of "
			      "iscc-search");
	if (!st)
		st = isx_answer_check_name(isx_json_member(answer, "index"), name, err);
	if (!st)
		st = isx_stats_from_answer(answer, arena, stats, err);
	isx_buf_release(&call.answer);
	return name_server(remote_of(engine), st, err);
}

/* A signal may end the pause early, which only makes the next try come sooner. */
static void pause_s(unsigned seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds };
	nanosleep(&time, NULL);
}

/* Write the assets of a lot as the body of its request: at most `*count` of them, and LOT_BYTES with all but
 * the last.
 *   count  filled: those that are in the body */
static enum isx_status compose_lot(const struct isx_asset *assets, size_t *count,
				   struct isx_buf *body, struct isx_err *err)
{
	size_t i = 0;
	for (; i < *count && body->len < LOT_BYTES; i++) {
		if (assets[i].is_new)
			return isx_fail(err, ISX_UNSUPPORTED,
					"is_new: the API of another server has no such request");
		isx_buf_char(body, i ? ',' : '[');
		isx_asset_to_request(body, &assets[i]);
	}
	isx_buf_char(body, ']');
	*count = i;
	return isx_buf_status(body, err);
}

/* Learn from a lot of `count` assets that was answered after `took_ms`. */
static void adapt_lot(struct remote *remote, size_t count, uint64_t took_ms)
{
	size_t lot = atomic_load(&remote->lot), max = atomic_load(&remote->lot_max);
	if (took_ms > LOT_SLOW_MS)
		lot = lot / 2 > LOT_ASSETS ? lot / 2 : LOT_ASSETS;
	else if (took_ms < LOT_QUICK_MS && count >= lot)
		lot *= 2;
	atomic_store(&remote->lot, lot < max ? lot : max);
}

/* Send a lot. If no server answered (ISX_UNAVAILABLE, also for 503) it is sent again after 1 s and after
 * 2 s more; its body is written once. */
static enum isx_status send_lot(struct isx_engine *engine, struct call *call, size_t count,
				struct isx_span *list, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	/* The outcomes of the last try count: an asset that an earlier try stored is "updated"
	 * then. */
	for (unsigned i = 1; i <= TRIES; i++) {
		const uint64_t start_ns = isx_clock_ns();
		st = call_json(engine, call, list, err);
		if (!st)
			adapt_lot(remote_of(engine), count, (isx_clock_ns() - start_ns) / 1000000);
		/* Where the server gives the ISCC-IDs, a second try could store each asset
		 * twice. */
		if (st != ISX_UNAVAILABLE || i == TRIES || call->is_once)
			break;
		pause_s(i);
	}
	return st;
}

/* Add one lot.
 *   count  assets that are left; filled: those of the lot
 * ISX_TOO_LARGE with more than LOT_ASSETS: nothing was stored, and the next lot is half as large. */
static enum isx_status add_lot(struct isx_engine *engine, const char *name,
			       const struct isx_asset *assets, size_t *count,
			       enum isx_outcome *outcomes, char (*iscc_ids)[24],
			       struct isx_err *err)
{
	struct remote *remote = remote_of(engine);
	struct isx_buf body = { 0 };
	struct isx_span list = { 0 };
	size_t lot = atomic_load(&remote->lot);
	*count = *count < lot ? *count : lot;
	enum isx_status st = compose_lot(assets, count, &body, err);
	struct call call = { .method = "POST",
			     .name = name,
			     .resource = "assets",
			     .json = { body.ptr, body.len },
			     .success = STATUS_CREATED,
			     .is_once = iscc_ids != NULL };
	if (!st)
		st = send_lot(engine, &call, *count, &list, err);
	if (!st)
		st = name_server(
			remote,
			isx_outcomes_from_answer(list, assets, *count, outcomes, iscc_ids, err),
			err);
	if (st == ISX_TOO_LARGE && *count > LOT_ASSETS) {
		atomic_store(&remote->lot_max, *count / 2);
		atomic_store(&remote->lot, *count / 2);
	}
	isx_buf_release(&call.answer);
	isx_buf_release(&body);
	return st;
}

/* The server counts the assets of a lot ("asset 3: ...", or the place of a problem): say which one
 * of the call it is.
 *   at, lot  the lot's place among the `count` assets of the call, and its length */
static enum isx_status place_in_call(struct isx_err *err, size_t at, size_t lot, size_t count)
{
	static const char word[] = "asset ";
	char text[sizeof err->msg];
	char *end = text;
	size_t place = err->position; /* set by isx_fail_http_status() alone */
	if (place < lot)
		return isx_batch_err_at(err, ISX_INVALID, count, at + place);
	err->position = ISX_NO_POSITION;
	place = 0;
	memcpy(text, err->msg, sizeof text);
	if (lot > 1) {
		if (strncmp(text, word, sizeof word - 1) != 0)
			return ISX_INVALID; /* other servers do not say which */
		place = strtoul(text + sizeof word - 1, &end, 10);
		if (strncmp(end, ": ", 2) != 0 || place >= lot)
			return ISX_INVALID;
		end += 2;
	}
	isx_fail(err, ISX_INVALID, "%s", end);
	return isx_batch_err_at(err, ISX_INVALID, count, at + place);
}

/* Of assets without an iscc_id the server gives one; that it was sent twice is then two assets, so it
 * is sent once.
 *   iscc_ids  filled for those; NULL: all have one */
static enum isx_status add_lots(struct isx_engine *engine, const char *name,
				const struct isx_asset *assets, size_t count,
				enum isx_outcome *outcomes, char (*iscc_ids)[24],
				struct isx_err *err)
{
	/* Outcomes are written lot by lot: after a failure they mean nothing. */
	for (size_t at = 0, lot; at < count; at += lot) {
		lot = count - at;
		enum isx_status st = add_lot(engine, name, assets + at, &lot, outcomes + at,
					     iscc_ids ? iscc_ids + at : NULL, err);
		if (st == ISX_TOO_LARGE && lot > LOT_ASSETS)
			lot = 0; /* nothing was stored: the next lot is half as large */
		else if (st == ISX_INVALID && err)
			return place_in_call(err, at, lot, count);
		else if (st)
			return st;
	}
	return ISX_OK;
}

/* All assets have an ISCC-ID: a lot that is sent twice stores nothing twice, and may be tried
 * again. */
static enum isx_status remote_add(struct isx_engine *engine, const char *name,
				  const struct isx_asset *assets, size_t count,
				  enum isx_outcome *outcomes, struct isx_err *err)
{
	return add_lots(engine, name, assets, count, outcomes, NULL, err);
}

/* Appends the JSON of the server to `json`, without a change to values or their order, after a
 * look at the ISCC-ID in it. */
static enum isx_status remote_get(struct isx_engine *engine, const char *name, const char *iscc_id,
				  struct isx_buf *json, struct isx_err *err)
{
	struct call call = { .method = "GET",
			     .name = name,
			     .resource = "assets",
			     .id = iscc_id,
			     .success = STATUS_OK,
			     .answer_bytes_max = ISX_ANSWER_BYTES_MAX };
	struct isx_span asset;
	enum isx_status st = call_json(engine, &call, &asset, err);
	if (!st)
		st = name_server(
			remote_of(engine),
			isx_answer_check_id(isx_json_member(asset, "iscc_id"), iscc_id, err), err);
	if (!st) {
		/* White space between the values depends on the server and on proxies; the other
		 * engines have none. */
		isx_json_minify(json, asset);
		st = isx_buf_status(json, err);
	}
	isx_buf_release(&call.answer);
	return st;
}

/* Remove one asset by the request that servers of every version know. Sent once: a second request would
 * not find what the first one has removed. */
static enum isx_status remove_one(struct isx_engine *engine, const char *name, const char *iscc_id,
				  bool *removed, struct isx_err *err)
{
	struct call call = { .method = "DELETE",
			     .name = name,
			     .resource = "assets",
			     .id = iscc_id,
			     .success = STATUS_NO_CONTENT,
			     .is_once = true };
	enum isx_status st = send_call(remote_of(engine), &call, err);
	*removed = !st;
	isx_buf_release(&call.answer);
	return st;
}

/* What an element of an answer to a list of ISCC-IDs is for. */
typedef enum isx_status take_item_fn(struct isx_span element, struct isx_span status, void *into,
				     size_t at, struct isx_err *err);

/* POST a list of ISCC-IDs to assets/ACTION, ISX_LIST_MAX at a time, and take the elements of the
 * answers, which have to be in the same order.
 *   is_once  as in struct call
 *   into     handed to `take` with the position in the list */
static enum isx_status post_ids(struct isx_engine *engine, const char *action, bool is_once,
				const char *name, const char *const *iscc_ids, size_t count,
				take_item_fn *take, void *into, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	struct isx_err why = { 0 };
	for (size_t at = 0, some; !st && at < count; at += some) {
		struct isx_buf body = { 0 };
		struct isx_span list = { 0 }, element;
		/* A failure ends the loop: what the requests before it have removed stays
		 * removed. */
		some = count - at < ISX_LIST_MAX ? count - at : ISX_LIST_MAX;
		for (size_t i = 0; i < some; i++) {
			isx_buf_char(&body, i ? ',' : '[');
			isx_json_quote(&body, isx_span_of(iscc_ids[at + i]));
		}
		isx_buf_char(&body, ']');
		struct call call = { .method = "POST",
				     .name = name,
				     .resource = "assets",
				     .id = action,
				     .json = { body.ptr, body.len },
				     .success = STATUS_OK,
				     .is_once = is_once,
				     .answer_bytes_max = ISX_ANSWER_BYTES_MAX };
		st = isx_buf_status(&body, err);
		if (!st)
			st = call_json(engine, &call, &list, err ? err : &why);
		/* 0.3.3 takes ACTION for the ISCC-ID of an asset, a path to which it allows no
		 * POST. */
		if (st && strcmp(err ? err->msg : why.msg, "Method Not Allowed") == 0)
			st = isx_fail(err, ISX_UNSUPPORTED,
				      "the server has no request for lists of assets: expected "
				      "version 0.4.0 or later of iscc-search");
		if (!st && isx_json_length(list) != some)
			st = isx_fail_answer(err, "one element per ISCC-ID");
		struct isx_json_walk walk = isx_json_walk_start(list);
		for (size_t i = 0; !st && i < some && isx_json_next_element(&walk, &element); i++) {
			st = isx_answer_check_id(isx_json_member(element, "iscc_id"),
						 iscc_ids[at + i], err);
			if (!st)
				st = take(element, isx_json_member(element, "status"), into, at + i,
					  err);
		}
		st = name_server(remote_of(engine), st, err);
		isx_buf_release(&call.answer);
		isx_buf_release(&body);
	}
	return st;
}

/* A take_item_fn. An ISCC-ID that is not stored is no failure of the list; each one is told
 * apart. */
static enum isx_status take_removed(struct isx_span element, struct isx_span status, void *into,
				    size_t at, struct isx_err *err)
{
	bool *removed = into;
	(void)element;
	removed[at] = isx_span_is(status, "\"removed\"");
	return removed[at] || isx_span_is(status, "\"not_found\"")
		       ? ISX_OK
		       : isx_fail_answer(err, "\"removed\" or \"not_found\"");
}

/* A list of one is sent as the request that 0.3.3 has, too; longer lists need a server of this
 * program. */
static enum isx_status remote_remove(struct isx_engine *engine, const char *name,
				     const char *const *iscc_ids, size_t count, bool *removed,
				     struct isx_err *err)
{
	return count == 1 ? remove_one(engine, name, iscc_ids[0], removed, err)
			  : post_ids(engine, "remove", true, name, iscc_ids, count, take_removed,
				     removed, err);
}

/* A take_item_fn. Fills jsons[at] with memory of its own, for the caller to free; of an asset that
 * is not stored it remains NULL. */
static enum isx_status take_asset(struct isx_span element, struct isx_span status, void *into,
				  size_t at, struct isx_err *err)
{
	char **jsons = into;
	struct isx_span asset = isx_json_member(element, "asset");
	struct isx_buf json = { 0 };
	if (isx_span_is(status, "\"not_found\""))
		return ISX_OK;
	if (isx_json_kind(asset) != ISX_JSON_OBJECT)
		return isx_fail_answer(err, "an asset or \"not_found\"");
	isx_json_minify(&json, asset);
	jsons[at] = isx_buf_take(&json);
	return jsons[at] ? ISX_OK : isx_fail_memory(err);
}

/* One request for ISX_LIST_MAX assets. After a failure the caller frees what `jsons` has so
 * far. */
static enum isx_status remote_get_many(struct isx_engine *engine, const char *name,
				       const char *const *iscc_ids, size_t count, char **jsons,
				       struct isx_err *err)
{
	return post_ids(engine, "get", false, name, iscc_ids, count, take_asset, jsons, err);
}

/* `metadata` is JSON, and is sent as it is; NULL removes the metadata. Of the answer only the
 * status counts. */
static enum isx_status remote_set_metadata(struct isx_engine *engine, const char *name,
					   const char *iscc_id, const char *metadata,
					   struct isx_err *err)
{
	struct isx_buf body = { 0 };
	isx_buf_text(&body, "{\"metadata\":");
	isx_buf_text(&body, metadata ? metadata : "null");
	isx_buf_char(&body, '}');
	struct call call = { .method = "PATCH",
			     .name = name,
			     .resource = "assets",
			     .id = iscc_id,
			     .json = { body.ptr, body.len },
			     .success = STATUS_OK };
	enum isx_status st = isx_buf_status(&body, err);
	if (!st)
		st = send_call(remote_of(engine), &call, err);
	isx_buf_release(&call.answer);
	isx_buf_release(&body);
	return st;
}

/* The body is the query; the API takes `limit` and `chunks` as parameters. */
static void add_parameters(const struct isx_query *query, struct isx_buf *suffix)
{
	isx_buf_printf(suffix, "?limit=%zu%s%s%s", query->limit,
		       query->own_chunks ? "&chunks=true" : "", query->counts ? "&count=true" : "",
		       query->after ? "&after=" : "");
	isx_percent_add(suffix, isx_span_of(query->after), "");
	isx_buf_char(suffix, '\0');
}

/* One search. The matches are copied into `arena`, so the answer, of up to 256 MiB, is released
 * before the call returns. */
static enum isx_status remote_search(struct isx_engine *engine, const char *name,
				     const struct isx_query *query, struct isx_arena *arena,
				     struct isx_result *result, struct isx_err *err)
{
	struct isx_buf suffix = { 0 }, body = { 0 };
	struct isx_span answer = { 0 };
	isx_query_to_json(&body, query);
	add_parameters(query, &suffix);
	struct call call = { .method = "POST",
			     .name = name,
			     .resource = "search",
			     .suffix = suffix.ptr,
			     .json = { body.ptr, body.len },
			     .success = STATUS_OK,
			     .answer_bytes_max = ISX_ANSWER_BYTES_MAX,
			     .query = query };
	enum isx_status st = isx_buf_status(suffix.failed ? &suffix : &body, err);
	if (!st)
		st = call_json(engine, &call, &answer, err);
	if (!st)
		st = name_server(remote_of(engine),
				 isx_result_from_answer(answer, query, arena, result, err), err);
	isx_buf_release(&call.answer);
	isx_buf_release(&body);
	isx_buf_release(&suffix);
	return st;
}

/* A server of an earlier version has no such path. */
static enum isx_status remote_compare(struct isx_engine *engine, const struct isx_work *a,
				      const struct isx_work *b, const struct isx_query *conditions,
				      struct isx_arena *arena, struct isx_comparison *comparison,
				      struct isx_err *err)
{
	struct isx_buf body = { 0 };
	struct isx_span answer = { 0 };
	struct isx_err why = { 0 };
	isx_compare_to_json(&body, a, b, conditions);
	struct call call = { .method = "POST",
			     .root = "compare",
			     .json = { body.ptr, body.len },
			     .success = STATUS_OK };
	enum isx_status st = isx_buf_status(&body, err);
	if (!st)
		st = call_json(engine, &call, &answer, err ? err : &why);
	if (is_unknown_path(st, err ? err : &why))
		st = isx_fail(err, ISX_UNSUPPORTED,
			      "the server has no request that compares: expected version 0.4.0 or "
			      "later of iscc-search");
	if (!st)
		st = name_server(remote_of(engine),
				 isx_comparison_from_answer(answer, arena, comparison, err), err);
	isx_buf_release(&call.answer);
	isx_buf_release(&body);
	return st;
}

/* --- several queries in one request ------------------------------------------------------------- */

/* How many of the jobs fit into one request: `limit` and `chunks` are parameters of all its queries, the
 * answer is bounded, and one cancel check ends it. */
static size_t count_together(const struct isx_search_job *jobs, size_t count)
{
	const struct isx_query *first = jobs[0].query;
	size_t together = 1;
	if (first->after || first->counts)
		return 1;
	while (together < count && together < ISX_BATCH_QUERIES && !jobs[together].query->after &&
	       !jobs[together].query->counts &&
	       (together + 1) * first->limit <= ISX_BATCH_MATCHES &&
	       jobs[together].query->limit == first->limit &&
	       jobs[together].query->own_chunks == first->own_chunks &&
	       jobs[together].query->cancel_check == first->cancel_check &&
	       jobs[together].query->cancel_arg == first->cancel_arg)
		together++;
	return together;
}

/* Each element is a result, or the failure of its query. A query that was refused because the server was
 * busy with the others is asked again by itself. */
static enum isx_status read_batch(struct isx_engine *engine, const char *name,
				  struct isx_span answer, struct isx_search_job *jobs, size_t count,
				  struct isx_err *err)
{
	const struct remote *remote = remote_of(engine);
	struct isx_span list = isx_json_member(answer, "results"), element;
	struct isx_json_walk walk = isx_json_walk_start(list);
	if (isx_json_kind(list) != ISX_JSON_ARRAY || isx_json_length(list) != count)
		return name_server(remote, isx_fail_answer(err, "one result per query"), err);
	for (size_t i = 0; i < count && isx_json_next_element(&walk, &element); i++) {
		struct isx_search_job *job = &jobs[i];
		int64_t status = isx_json_int(isx_json_member(element, "status"));
		if (status >= 400 && status < 600)
			job->status = isx_fail_http_status((long)status, element, &job->err);
		else
			job->status = name_server(remote,
						  isx_result_from_answer(element, job->query,
									 job->arena, job->result,
									 &job->err),
						  &job->err);
		if (job->status == ISX_UNAVAILABLE)
			job->status = remote_search(engine, name, job->query, job->arena,
						    job->result, &job->err);
	}
	return ISX_OK;
}

/* Search with jobs that fit into one request. A failure is of the request, and no job has a status. */
static enum isx_status search_together(struct isx_engine *engine, const char *name,
				       struct isx_search_job *jobs, size_t count,
				       struct isx_err *err)
{
	struct isx_buf suffix = { 0 }, body = { 0 };
	struct isx_span answer = { 0 };
	isx_buf_text(&body, "{\"queries\":[");
	for (size_t i = 0; i < count; i++) {
		isx_buf_text(&body, i ? "," : "");
		isx_query_to_json(&body, jobs[i].query);
	}
	isx_buf_text(&body, "]}");
	/* comes_in_pieces: a batch may take longer than one search is allowed to; a pause of 60 s
	 * in its answer ends it. */
	add_parameters(jobs[0].query, &suffix);
	struct call call = { .method = "POST",
			     .name = name,
			     .resource = "search",
			     .id = "batch",
			     .suffix = suffix.ptr,
			     .json = { body.ptr, body.len },
			     .success = STATUS_OK,
			     .answer_bytes_max = ISX_ANSWER_BYTES_MAX,
			     .comes_in_pieces = true,
			     .query = jobs[0].query };
	enum isx_status st = isx_buf_status(suffix.failed ? &suffix : &body, err);
	if (!st)
		st = call_json(engine, &call, &answer, err);
	if (!st)
		st = read_batch(engine, name, answer, jobs, count, err);
	isx_buf_release(&call.answer);
	isx_buf_release(&body);
	isx_buf_release(&suffix);
	return st;
}

/* Would another request fail for the same reason: no server, a wrong key, no such index? */
static bool is_of_all(enum isx_status status, const char *name, const struct isx_err *err)
{
	char missing[sizeof err->msg];
	snprintf(missing, sizeof missing, "Index '%s' not found", name);
	return status == ISX_UNAVAILABLE || status == ISX_UNAUTHORIZED || status == ISX_CANCELLED ||
	       status == ISX_NO_MEMORY || (status == ISX_NOT_FOUND && !strcmp(err->msg, missing));
}

/* A request that fails, for example because its answer would be too large, is made again query by query,
 * so that each has its own failure. 0.3.3 has only that way. */
static void remote_search_many(struct isx_engine *engine, const char *name,
			       struct isx_search_job *jobs, size_t count)
{
	struct remote *remote = remote_of(engine);
	for (size_t at = 0, together; at < count; at += together) {
		struct isx_err err = { 0 };
		enum isx_status st = ISX_NOT_FOUND;
		struct isx_search_job *first = &jobs[at];
		together = count_together(jobs + at, count - at);
		if (first->query->after || first->query->counts) { /* for single searches only */
			first->status = remote_search(engine, name, first->query, first->arena,
						      first->result, &first->err);
			continue;
		}
		if (!atomic_load(&remote->lacks_batch))
			st = search_together(engine, name, jobs + at, together, &err);
		if (!st)
			continue;
		bool is_all = is_of_all(st, name, &err);
		if (st == ISX_NOT_FOUND && !is_all) /* there is no such path */
			atomic_store(&remote->lacks_batch, true);
		for (size_t i = at; i < at + together; i++) {
			struct isx_search_job *job = &jobs[i];
			job->err = err;
			job->status = is_all ? st
					     : remote_search(engine, name, job->query, job->arena,
							     job->result, &job->err);
		}
	}
}

/* --- walks ------------------------------------------------------------------------------------ */

/* A walk reads an export, which the server makes of one snapshot. It has a connection of its own, and
 * needs no lock. */
struct remote_walk {
	struct isx_walk walk; /* first member */
	const struct remote *remote;
	struct isx_walk_range range;
	struct isx_buf url; /* borrowed by the stream */
	struct isx_http_stream *stream;
	bool is_over;
};

/* Reads one line: one asset. The server waits while the caller is busy, so memory is bounded by
 * the longest line and not by the answer. */
static enum isx_status walk_next(struct isx_walk *base, struct isx_arena *arena,
				 struct isx_asset *asset, bool *more, struct isx_err *err)
{
	struct remote_walk *walk = (struct remote_walk *)base;
	struct isx_span line;
	struct isx_iscc_id id = { 0 };
	*more = false;
	if (walk->is_over)
		return ISX_OK;
	enum isx_status st = isx_http_stream_line(walk->stream, &line, more, err);
	if (!st && *more && isx_asset_from_export(line, arena, asset, err))
		st = err && err->status == ISX_NO_MEMORY ? ISX_NO_MEMORY
							 : isx_fail_answer(err, "an asset a line");
	if (!st && *more &&
	    (!asset->iscc_id || isx_iscc_id_parse(isx_span_of(asset->iscc_id), &id, NULL)))
		st = isx_fail_answer(err, "assets with an ISCC-ID");
	/* The parameter `to` counts microseconds, which are coarser than ISCC-IDs (add_range()):
	 * assets of the last microsecond behind the range are dropped here, and end the walk. */
	*more &= !st && id.body <= walk->range.last;
	walk->is_over = !*more; /* behind an error, too: the next lines belong to nothing */
	return name_server(walk->remote, st, err);
}

/* Also ends a walk in the middle of the answer: the connection is closed, not read to its end. The
 * stream borrows the URL, and ends first. */
static void walk_close(struct isx_walk *base)
{
	struct remote_walk *walk = (struct remote_walk *)base;
	isx_http_stream_close(walk->stream);
	isx_buf_release(&walk->url);
	isx_mem_free(walk);
}

/* The range as parameters of the URL. Its beginning is behind an ISCC-ID, or at a time if it is that of
 * the whole index, whose realm is not known. */
static void add_range(struct isx_buf *url, const struct isx_walk_range *range)
{
	struct isx_iscc_id id = { .version = 1 };
	char text[ISX_ISCC_ID_TEXT_BYTES];
	bool is_one = range->first == range->last, is_empty = range->first > range->last;
	isx_buf_printf(url, "?%s", is_one || is_empty ? "limit=1" : "limit=9223372036854775807");
	if (range->from && isx_iscc_id_parse(isx_span_of(range->from), &id, NULL)) {
		isx_buf_text(url, "&after="); /* the server says what is wrong with it */
		isx_percent_add(url, isx_span_of(range->from), ":");
	} else if (range->from && range->first && !is_empty) {
		id.body = range->first - 1;
		isx_iscc_id_print(&id, text);
		isx_buf_printf(url, "&after=%s", text);
	} else if (range->first && !is_empty) {
		isx_buf_printf(url, "&from=%llu", (unsigned long long)(range->first >> 12));
	}
	if (range->last != UINT64_MAX && !is_one && !is_empty)
		isx_buf_printf(url, "&to=%llu", (unsigned long long)((range->last >> 12) + 1));
	if (range->hub >= 0)
		isx_buf_printf(url, "&hub=%d", range->hub);
}

/* Read an answer that is no export. */
static enum isx_status fail_walk(struct remote_walk *walk, struct call *call, long code,
				 struct isx_err *err)
{
	struct isx_span line;
	bool more = true;
	/* A failure is short JSON; the ceiling is for a server that sends something else without
	 * an end. */
	while (more && call->answer.len < ISX_SHORT_ANSWER_BYTES_MAX &&
	       !isx_http_stream_line(walk->stream, &line, &more, NULL))
		isx_buf_add(&call->answer, line.ptr, line.len);
	enum isx_status st = check_answer(walk->remote, call, code, err);
	isx_buf_release(&call->answer);
	/* 0.3.3 and earlier versions of this program answer so to a path that they do not know */
	if (err && is_unknown_path(st, err))
		return isx_fail(err, ISX_UNSUPPORTED,
				"the server has no request that lists assets: expected version "
				"0.4.0 or later of iscc-search");
	return st ? st : isx_fail_answer(err, "lines");
}

/* Begins the export and waits for the head of its answer: a missing index is a failure here, and
 * not of the first asset. An empty range sends a request, too, so that it finds the same
 * failures. */
static enum isx_status remote_walk(struct isx_engine *engine, const char *name,
				   const struct isx_walk_range *range, struct isx_walk **walk,
				   struct isx_err *err)
{
	struct remote_walk *made = isx_mem_array(1, sizeof *made);
	long code = 0;
	struct isx_err why;
	if (!made)
		return isx_fail_memory(err);
	*made = (struct remote_walk){ .walk = { .next = walk_next, .close = walk_close },
				      .remote = remote_of(engine),
				      .range = *range,
				      .is_over = range->first > range->last };
	struct isx_buf suffix = { 0 };
	add_range(&suffix, range);
	isx_buf_char(&suffix, '\0');
	struct call call = {
		.name = name, .resource = "export", .suffix = suffix.ptr, .success = STATUS_OK
	};
	if (!suffix.failed)
		compose_url(made->remote, &call, &made->url);
	enum isx_status st = isx_buf_status(suffix.failed ? &suffix : &made->url, err);
	isx_buf_release(&suffix);
	const struct isx_http_request request = { .method = "GET",
						  .url = made->url.ptr,
						  .api_key = made->remote->api_key,
						  .accept = "application/x-ndjson",
						  .answer_bytes_max = ISX_ANSWER_BYTES_MAX,
						  .timeout_ms = TIMEOUT_MS };
	if (!st)
		st = isx_http_stream_open(&request, &made->stream, &code, err);
	if (!st && code != STATUS_OK)
		st = fail_walk(made, &call, code, err ? err : &why);
	if (st)
		walk_close(&made->walk);
	else
		*walk = &made->walk;
	return st;
}

/* Safe on a store that was opened in part. */
static void remote_close(struct isx_engine *engine)
{
	struct remote *remote = remote_of(engine);
	isx_http_client_free(remote->client);
	pthread_mutex_destroy(&remote->lock);
	isx_mem_free(remote->url);
	isx_mem_free(remote->api_key);
	isx_mem_free(remote);
}

/* --- near-duplicates -------------------------------------------------------------------------- */

enum {
	PAIR_BYTES_MAX = 16384, /* of one line: 64 types take less than half of it */
	SILENCE_S = 60          /* the server sends at least an empty line every 10 s */
};

/* What is made of the lines of a stream of pairs. */
struct pair_stream {
	const struct isx_duplicates_query *query;
	struct isx_buf line; /* the beginning of a line that has not arrived yet */
	uint64_t heard_ns;   /* when the server has sent something */
	isx_pair_fn *found;
	void *arg;
	struct isx_err err; /* why the stream was ended here; ISX_OK: it was not */
};

/* Hand over the pair of a line. */
static enum isx_status take_line(struct pair_stream *stream, struct isx_span line)
{
	struct isx_arena arena = { 0 };
	struct isx_pair pair;
	/* An empty line is how the server shows, while it finds nothing, that it is still at
	 * work. */
	if (!isx_span_trim(line).len)
		return ISX_OK;
	enum isx_status st = isx_pair_from_json(line, &arena, &pair, &stream->err);
	if (st == ISX_SCHEMA)
		st = isx_fail_answer(&stream->err, "lines of pairs of near-duplicates");
	if (!st)
		st = stream->found(&pair, stream->arg, &stream->err);
	isx_arena_release(&arena);
	return st;
}

/* Take the next bytes of the stream, which end anywhere in a line. */
static bool take_lines(void *take_arg, long code, struct isx_span bytes)
{
	struct pair_stream *stream = take_arg;
	enum isx_status st = ISX_OK;
	(void)code;
	stream->heard_ns = isx_clock_ns();
	while (!st && bytes.len) {
		const char *end = memchr(bytes.ptr, '\n', bytes.len);
		size_t len = end ? (size_t)(end - bytes.ptr) : bytes.len;
		isx_buf_add(&stream->line, bytes.ptr, len);
		bytes = isx_span_skip(bytes, len + (end != NULL));
		/* Checked for each piece that arrives: a line without an end takes no more memory
		 * than one piece above the ceiling. */
		st = stream->line.len > PAIR_BYTES_MAX
			     ? isx_fail_answer(&stream->err, "lines of pairs of near-duplicates")
			     : isx_buf_status(&stream->line, &stream->err);
		if (st || !end)
			continue;
		st = take_line(stream, (struct isx_span){ stream->line.ptr, stream->line.len });
		isx_buf_clear(&stream->line);
	}
	/* The program that takes the pairs may have paused for longer than a server may be silent. */
	stream->heard_ns = isx_clock_ns();
	stream->err.status = st;
	return st == ISX_OK;
}

/* The cancel check of the request: of the program, and for a server that is silent. */
static enum isx_status check_pairs(void *cancel_arg, struct isx_err *err)
{
	const struct pair_stream *stream = cancel_arg;
	if (isx_clock_ns() - stream->heard_ns > SILENCE_S * 1000000000ull)
		return isx_fail(err, ISX_UNAVAILABLE, "the server has sent nothing for %d seconds",
				SILENCE_S);
	return isx_cancel_ask(stream->query->cancel_check, stream->query->cancel_arg, err);
}

/* Append &NAME=VALUE, the value percent-encoded but for the colon of ISCC-IDs and of types. A
 * failure of memory stays in the buffer. */
static void add_param(struct isx_buf *suffix, const char *name, const char *value)
{
	isx_buf_printf(suffix, "&%s=", name);
	isx_percent_add(suffix, isx_span_of(value), ":");
}

/* The server streams the pairs, in their order. A server that does not know the request has no such
 * path. */
static enum isx_status remote_duplicates(struct isx_engine *engine, const char *name,
					 struct isx_engine *reference,
					 const struct isx_duplicates_query *query,
					 isx_pair_fn *found, void *arg, struct isx_err *err)
{
	struct remote *remote = remote_of(engine);
	struct isx_buf suffix = { 0 };
	struct pair_stream stream = {
		.query = query, .heard_ns = isx_clock_ns(), .found = found, .arg = arg
	};
	/* A call takes its cancel check from a query; nothing else of this query is read. */
	const struct isx_query cancels = { .cancel_check = check_pairs, .cancel_arg = &stream };
	if (reference && reference != engine)
		return isx_fail(
			err, ISX_UNSUPPORTED,
			"the reference '%s' is in another store than '%s': expected an index of "
			"the same server",
			query->against, name);
	isx_buf_text(&suffix, "?min_score=");
	isx_json_double(&suffix, query->min_score);
	for (size_t i = 0; i < query->type_count; i++)
		add_param(&suffix, "types", query->types[i]);
	if (query->against)
		add_param(&suffix, "against", query->against);
	if (query->from)
		add_param(&suffix, "from", query->from);
	isx_buf_char(&suffix, '\0');
	struct call call = { .method = "GET",
			     .name = name,
			     .resource = "duplicates",
			     .suffix = suffix.ptr,
			     .success = STATUS_OK,
			     .query = &cancels,
			     .take_body = take_lines,
			     .take_arg = &stream };
	enum isx_status st = isx_buf_status(&suffix, err);
	if (!st)
		st = send_call(remote, &call, err);
	/* The last line need not have an end, but has to be a whole pair. */
	if (!st && stream.line.len)
		stream.err.status =
			take_line(&stream, (struct isx_span){ stream.line.ptr, stream.line.len });
	/* The reason why take_lines() has ended the stream: `err` says only that the transfer has
	 * ended. */
	if (stream.err.status)
		st = name_server(remote, isx_err_pass(err, &stream.err), err);
	isx_buf_release(&suffix);
	isx_buf_release(&stream.line);
	isx_buf_release(&call.answer);
	return st;
}

/* Read the answer of a request for fields. A server that does not know the request has no such path.
 *   fields  filled as isx_fields_get() does; NULL: only the status counts */
static enum isx_status call_fields(struct isx_engine *engine, struct call *call, char ***fields,
				   size_t *count, struct isx_err *err)
{
	struct isx_err why = { 0 };
	struct isx_span answer;
	char **read = NULL;
	size_t read_count = 0;
	enum isx_status st = call_json(engine, call, &answer, err ? err : &why);
	if (is_unknown_path(st, err ? err : &why))
		st = isx_fail(err, ISX_UNSUPPORTED,
			      "the server has no fields: expected version 0.4.0 or later of "
			      "iscc-search");
	if (!st)
		st = name_server(remote_of(engine),
				 isx_fields_from_answer(answer, &read, &read_count, err), err);
	isx_buf_release(&call->answer);
	if (st || !fields) {
		isx_texts_free(read, read_count);
		return st;
	}
	*fields = read;
	*count = read_count;
	return ISX_OK;
}

static enum isx_status remote_fields_get(struct isx_engine *engine, const char *name,
					 char ***fields, size_t *count, struct isx_err *err)
{
	struct call call = {
		.method = "GET", .name = name, .resource = "fields", .success = STATUS_OK
	};
	return call_fields(engine, &call, fields, count, err);
}

/* The server answers when it has gathered the values of all assets, which may take longer than any
 * other request, so the call has an hour. Its progress is not told. */
static enum isx_status remote_fields_set(struct isx_engine *engine, const char *name,
					 const char *const *fields, size_t count,
					 isx_progress_fn *progress, void *arg, struct isx_err *err)
{
	struct isx_buf body = { 0 };
	(void)progress, (void)arg;
	isx_fields_to_json(&body, fields, count);
	struct call call = { .method = "PUT",
			     .name = name,
			     .resource = "fields",
			     .json = { body.ptr, body.len },
			     .success = STATUS_OK,
			     .takes_long = true };
	enum isx_status st = isx_buf_status(&body, err);
	if (!st)
		st = call_fields(engine, &call, NULL, NULL, err);
	isx_buf_release(&body);
	return st;
}

/* Without backup, compact and check, which need the files; and without ready: the store is ready when
 * the server can list its indexes. */
static const struct isx_engine_ops remote_ops = {
	.close = remote_close,
	.list = remote_list,
	.create = remote_create,
	.drop = remote_drop,
	.stat = remote_stat,
	.stats = remote_stats,
	.add = remote_add,
	.add_unnamed = add_lots,
	.get = remote_get,
	.get_many = remote_get_many,
	.remove = remote_remove,
	.set_metadata = remote_set_metadata,
	.compare = remote_compare,
	.fields_get = remote_fields_get,
	.fields_set = remote_fields_set,
	.filters = true,
	.search = remote_search,
	.duplicates = remote_duplicates,
	.search_many = remote_search_many,
	.walk = remote_walk,
};

enum isx_status isx_remote_open(const char *url, const struct isx_options *options,
				struct isx_engine **engine, struct isx_err *err)
{
	char shown[ISX_URI_SHOWN_BYTES];
	if (strpbrk(url, "?#")) /* paths are appended to the URL: it must end with its own path */
		return isx_fail(
			err, ISX_INVALID,
			"index URI '%s': expected http://HOST:PORT without '?' and '#'; in a "
			"password write %%3F and %%23",
			isx_uri_show(url, shown));
	struct remote *remote = isx_mem_array(1, sizeof *remote);
	size_t len = strlen(url);
	if (!remote)
		return isx_fail_memory(err);
	/* send_call() begins each segment with a slash. */
	while (len && url[len - 1] == '/')
		len--;
	remote->engine.ops = &remote_ops;
	remote->lot = LOT_ASSETS;
	remote->lot_max = LOT_ASSETS_MAX;
	remote->engine.options = *options;
	pthread_mutex_init(&remote->lock, NULL);
	/* Copies: the caller's URI and options may end before the store does. */
	remote->url = isx_mem_text(url, len);
	if (options->api_key)
		remote->api_key = isx_mem_text(options->api_key, strlen(options->api_key));
	/* Nothing is sent here: a server that is down is noticed by the first call. */
	enum isx_status st = isx_http_client_new(&remote->client, err);
	if (!st && (!remote->url || (options->api_key && !remote->api_key)))
		st = isx_fail_memory(err);
	if (st) {
		remote_close(&remote->engine);
		return st;
	}
	*engine = &remote->engine;
	return ISX_OK;
}
