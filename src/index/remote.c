/*
 * remote.c - the engine of http://: the indexes of another server with the same API.
 *
 * Every operation is a request. Adds go in chunks, and those that met no server are sent again
 * after a moment; an add that was sent twice is an update, so nothing is lost by that.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "base/log.h"
#include "base/uri.h"
#include "index/index.h"
#include "net/http_client.h"
#include "json/json.h"
#include "json/json_text.h"
#include "json/wire.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { TIMEOUT_MS = 60000, CHUNK_ASSETS = 100, TRIES = 3, ANSWER_BYTES_MAX = 1 << 30 };

struct remote {
	struct isx_engine engine; /* first */
	char *url;                /* without a slash at the end */
	char *api_key;            /* NULL: none */
	pthread_mutex_t lock;     /* one request at a time */
	struct isx_http_client *client;
};

static struct remote *remote_of(struct isx_engine *engine)
{
	return (struct remote *)engine;
}

/* --- requests --------------------------------------------------------------------------------- */

/* What the server says in "detail", or its status, as an error of ours. */
static enum isx_status fail_status(long code, struct isx_span answer, struct isx_err *err)
{
	static const struct {
		long code;
		enum isx_status status;
	} map[] = { { 400, ISX_INVALID },    { 401, ISX_UNAUTHORIZED }, { 404, ISX_NOT_FOUND },
		    { 409, ISX_EXISTS },     { 413, ISX_TOO_LARGE },    { 422, ISX_INVALID },
		    { 503, ISX_UNAVAILABLE } };
	enum isx_status st = ISX_IO;
	struct isx_json *body, *detail;
	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
		if (map[i].code == code)
			st = map[i].status;
	if (isx_json_parse(answer, &body, NULL))
		return isx_fail(err, st, "the server answered with status %ld", code);
	if (isx_json_get(body, "detail", &detail) && isx_json_string(detail).len)
		isx_fail(err, st, "%s", isx_json_string(detail).ptr);
	else if (isx_json_get(body, "detail", &detail))
		isx_fail(err, st, "status %ld: %s", code, isx_json_source(detail).ptr);
	else
		isx_fail(err, st, "the server answered with status %ld", code);
	isx_json_free(body);
	return st;
}

/* Append a path segment, percent-encoded. */
static void add_segment(struct isx_buf *url, const char *text)
{
	isx_buf_char(url, '/');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			     (c >= '0' && c <= '9') || strchr("-._~:", c);
		isx_buf_printf(url, plain ? "%c" : "%%%02X", c);
	}
}

/* Send METHOD url/indexes[/name[/what[/id]]][suffix]; the answer is checked JSON, or empty. */
struct call {
	const char *method;
	const char *name, *what, *id, *suffix;
	struct isx_span json;
	struct isx_buf answer;
};

static enum isx_status send_call(struct remote *remote, struct call *call, struct isx_err *err)
{
	struct isx_buf url = { 0 };
	char shown[ISX_URI_SHOWN_BYTES];
	size_t offset;
	long code = 0;
	const char *const segments[] = { "indexes", call->name, call->what, call->id };
	isx_buf_text(&url, remote->url);
	for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++)
		if (segments[i])
			add_segment(&url, segments[i]);
	isx_buf_text(&url, call->suffix ? call->suffix : "");
	isx_buf_char(&url, '\0');
	const struct isx_http_request request = { .method = call->method,
						  .url = url.ptr,
						  .api_key = remote->api_key,
						  .json = call->json,
						  .answer_bytes_max = ANSWER_BYTES_MAX,
						  .timeout_ms = TIMEOUT_MS };
	enum isx_status st = isx_buf_status(&url, err);
	isx_buf_clear(&call->answer);
	if (!st) {
		pthread_mutex_lock(&remote->lock);
		st = isx_http_client_send(remote->client, &request, &code, &call->answer, err);
		pthread_mutex_unlock(&remote->lock);
	}
	isx_buf_release(&url);
	struct isx_span answer = { call->answer.ptr, call->answer.len };
	if (!st && code >= 400)
		st = fail_status(code, answer, err);
	else if (!st && answer.len && isx_json_check(answer, &offset, NULL))
		st = isx_fail(err, ISX_IO, "%s: the answer is not JSON",
			      isx_uri_show(remote->url, shown));
	return st;
}

/* --- reading answers -------------------------------------------------------------------------- */

static enum isx_status fail_answer(struct isx_err *err)
{
	return isx_fail(err, ISX_IO, "the server's answer is not what it should be");
}

static uint64_t count_member(struct isx_json *object, const char *name)
{
	struct isx_json *member;
	int64_t value = isx_json_get(object, name, &member) ? isx_json_int(member) : 0;
	return value > 0 ? (uint64_t)value : 0;
}

static enum isx_status read_info(struct isx_json *object, struct isx_index_info *info,
				 struct isx_err *err)
{
	enum { MIB = 1 << 20 };
	struct isx_json *member, *sizes;
	const char *part;
	*info = (struct isx_index_info){ 0 };
	if (!isx_json_get(object, "name", &member) || !isx_json_string(member).len)
		return fail_answer(err);
	snprintf(info->name, sizeof info->name, "%s", isx_json_string(member).ptr);
	info->assets = count_member(object, "assets");
	info->bytes = count_member(object, "size") * MIB;
	if (!isx_json_get(object, "sizes", &sizes))
		return ISX_OK;
	for (void *cursor = NULL; isx_json_each(sizes, &cursor, &part, &member);) {
		struct isx_index_part *grown = isx_mem_resize(info->parts, info->part_count + 1,
							      sizeof *grown);
		if (!grown)
			return isx_fail_memory(err);
		info->parts = grown;
		snprintf(grown[info->part_count].name, sizeof grown->name, "%s", part);
		grown[info->part_count++].bytes = (uint64_t)isx_json_int(member) * MIB;
	}
	return ISX_OK;
}

static const char *arena_string(struct isx_arena *arena, struct isx_json *value)
{
	struct isx_span text = isx_json_string(value);
	return text.ptr ? isx_arena_text(arena, text.ptr, text.len) : NULL;
}

static enum isx_status read_texts(struct isx_json *list, struct isx_arena *arena,
				  const char *const **texts, size_t *count, struct isx_err *err)
{
	size_t length = isx_json_length(list);
	const char **made = isx_arena_alloc(arena, length, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	for (size_t i = 0; i < length; i++) {
		made[i] = arena_string(arena, isx_json_at(list, i));
		if (!made[i])
			return fail_answer(err);
	}
	*texts = made;
	*count = length;
	return ISX_OK;
}

/* The query as the server understood it; simprints are those that were asked. */
static enum isx_status read_query(struct isx_json *object, const struct isx_query *asked,
				  struct isx_arena *arena, struct isx_query *query,
				  struct isx_err *err)
{
	struct isx_json *member;
	*query = (struct isx_query){ .simprints = asked->simprints,
				     .simprint_type_count = asked->simprint_type_count,
				     .limit = asked->limit };
	if (isx_json_get(object, "iscc_id", &member))
		query->named |= ISX_QUERY_HAS_ISCC_ID;
	if (isx_json_get(object, "iscc_code", &member)) {
		query->named |= ISX_QUERY_HAS_ISCC_CODE;
		query->iscc_code = arena_string(arena, member);
	}
	if (isx_json_get(object, "simprints", &member))
		query->named |= ISX_QUERY_HAS_SIMPRINTS;
	if (!isx_json_get(object, "units", &member))
		return ISX_OK;
	query->named |= ISX_QUERY_HAS_UNITS;
	return read_texts(member, arena, &query->units, &query->unit_count, err);
}

static enum isx_status read_types(struct isx_json *types, struct isx_arena *arena,
				  struct isx_match *match, struct isx_err *err)
{
	const char *type;
	struct isx_json *score;
	size_t count = 0;
	for (void *cursor = NULL; isx_json_each(types, &cursor, &type, &score);)
		count++;
	struct isx_type_score *made = isx_arena_alloc(arena, count, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	for (void *cursor = NULL; isx_json_each(types, &cursor, &type, &score);) {
		const char *kept = isx_arena_text(arena, type, strlen(type));
		if (!kept)
			return isx_fail_memory(err);
		made[match->type_count++] = (struct isx_type_score){ kept, isx_json_number(score) };
	}
	match->types = made;
	return ISX_OK;
}

/* What both kinds of match have: whose it is, and metadata, which is taken from the text so that its
 * numbers keep their digits. */
static enum isx_status read_owner(struct isx_span text, struct isx_json *object,
				  struct isx_arena *arena, char iscc_id[24], const char **metadata,
				  struct isx_err *err)
{
	struct isx_json *id;
	struct isx_span found = isx_json_member(text, "metadata");
	if (!isx_json_get(object, "iscc_id", &id) || isx_json_string(id).len >= 24)
		return fail_answer(err);
	if (isx_json_string(id).len)
		memcpy(iscc_id, isx_json_string(id).ptr, isx_json_string(id).len);
	if (found.len == 0 || isx_span_is(found, "null"))
		return ISX_OK;
	*metadata = isx_arena_text(arena, found.ptr, found.len);
	return *metadata ? ISX_OK : isx_fail_memory(err);
}

/* Read one element of a list from its text into `element` (filled, zeroed before). */
typedef enum isx_status read_element_fn(struct isx_span text, struct isx_arena *arena,
					void *element, struct isx_err *err);

/* Read a list of elements of `size` bytes each.
 *   elements  filled: in `arena` */
static enum isx_status read_list(struct isx_span list, size_t size, read_element_fn *read,
				 struct isx_arena *arena, void **elements, size_t *count,
				 struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(list);
	struct isx_span text;
	size_t length = 0;
	enum isx_status st = ISX_OK;
	while (isx_json_next_element(&walk, &text))
		length++;
	char *made = isx_arena_alloc(arena, length, size);
	if (!made)
		return isx_fail_memory(err);
	walk = isx_json_walk_start(list);
	for (size_t i = 0; !st && i < length && isx_json_next_element(&walk, &text); i++)
		st = read(text, arena, made + i * size, err);
	*elements = made;
	*count = length;
	return st;
}

static enum isx_status read_match(struct isx_span text, struct isx_arena *arena, void *element,
				  struct isx_err *err)
{
	struct isx_match *match = element;
	struct isx_json *object, *score, *types;
	enum isx_status st = isx_json_parse_checked(text, &object, err);
	if (st)
		return st;
	st = read_owner(text, object, arena, match->iscc_id, &match->metadata, err);
	if (!st &&
	    (!isx_json_get(object, "score", &score) || !isx_json_get(object, "types", &types)))
		st = fail_answer(err);
	if (!st) {
		match->score = isx_json_number(score);
		st = read_types(types, arena, match, err);
	}
	isx_json_free(object);
	return st;
}

/* --- passages --------------------------------------------------------------------------------- */

static double number_member(struct isx_json *object, const char *name)
{
	struct isx_json *member;
	return isx_json_get(object, name, &member) ? isx_json_number(member) : 0;
}

static enum isx_status read_chunk(struct isx_json *object, struct isx_arena *arena,
				  struct isx_chunk *chunk, struct isx_err *err)
{
	struct isx_json *query, *match;
	if (!isx_json_get(object, "query", &query) || !isx_json_get(object, "match", &match) ||
	    !isx_json_string(query).ptr || !isx_json_string(match).ptr)
		return fail_answer(err);
	chunk->query = arena_string(arena, query);
	chunk->match = arena_string(arena, match);
	chunk->score = number_member(object, "score");
	chunk->freq = count_member(object, "freq");
	chunk->offset = (uint32_t)count_member(object, "offset");
	chunk->size = (uint32_t)count_member(object, "size");
	return chunk->query && chunk->match ? ISX_OK : isx_fail_memory(err);
}

static enum isx_status read_chunk_type(const char *name, struct isx_json *object,
				       struct isx_arena *arena, struct isx_chunk_type *type,
				       struct isx_err *err)
{
	struct isx_json *list;
	if (!isx_json_get(object, "chunks", &list))
		return fail_answer(err);
	size_t count = isx_json_length(list);
	struct isx_chunk *chunks = isx_arena_alloc(arena, count, sizeof *chunks);
	type->type = isx_arena_text(arena, name, strlen(name));
	if (!chunks || !type->type)
		return isx_fail_memory(err);
	type->score = number_member(object, "score");
	type->queried = count_member(object, "queried");
	type->chunks = chunks;
	for (; type->matches < count; type->matches++) {
		enum isx_status st = read_chunk(isx_json_at(list, type->matches), arena,
						&chunks[type->matches], err);
		if (st)
			return st;
	}
	return ISX_OK;
}

static enum isx_status read_chunk_types(struct isx_json *types, struct isx_arena *arena,
					struct isx_chunk_match *match, struct isx_err *err)
{
	const char *name;
	struct isx_json *object;
	size_t count = 0;
	enum isx_status st = ISX_OK;
	for (void *cursor = NULL; isx_json_each(types, &cursor, &name, &object);)
		count++;
	struct isx_chunk_type *made = isx_arena_alloc(arena, count, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	for (void *cursor = NULL; !st && isx_json_each(types, &cursor, &name, &object);)
		st = read_chunk_type(name, object, arena, &made[match->type_count++], err);
	match->types = made;
	return st;
}

static enum isx_status read_chunk_match(struct isx_span text, struct isx_arena *arena,
					void *element, struct isx_err *err)
{
	struct isx_chunk_match *match = element;
	struct isx_json *object, *types;
	enum isx_status st = isx_json_parse_checked(text, &object, err);
	if (st)
		return st;
	st = read_owner(text, object, arena, match->iscc_id, &match->metadata, err);
	if (!st && !isx_json_get(object, "types", &types))
		st = fail_answer(err);
	if (!st) {
		match->score = number_member(object, "score");
		st = read_chunk_types(types, arena, match, err);
	}
	isx_json_free(object);
	return st;
}

/* Both lists of an answer. */
static enum isx_status read_result(struct isx_span text, struct isx_arena *arena,
				   struct isx_result *result, struct isx_err *err)
{
	void *matches = NULL, *chunk_matches = NULL;
	enum isx_status st = read_list(isx_json_member(text, "global_matches"),
				       sizeof *result->matches, read_match, arena, &matches,
				       &result->match_count, err);
	if (!st)
		st = read_list(isx_json_member(text, "chunk_matches"),
			       sizeof *result->chunk_matches, read_chunk_match, arena,
			       &chunk_matches, &result->chunk_match_count, err);
	result->matches = matches;
	result->chunk_matches = chunk_matches;
	return st;
}

/* --- the table of functions ------------------------------------------------------------------- */

/* Send a call and parse its answer as a tree: new, NULL for an empty one. */
static enum isx_status call_json(struct isx_engine *engine, struct call *call,
				 struct isx_json **answer, struct isx_err *err)
{
	enum isx_status st = send_call(remote_of(engine), call, err);
	*answer = NULL;
	if (!st && call->answer.len)
		st = isx_json_parse_checked((struct isx_span){ call->answer.ptr, call->answer.len },
					    answer, err);
	return st;
}

static enum isx_status remote_list(struct isx_engine *engine, struct isx_index_info **infos,
				   size_t *count, struct isx_err *err)
{
	struct call call = { .method = "GET" };
	struct isx_json *list;
	enum isx_status st = call_json(engine, &call, &list, err);
	isx_buf_release(&call.answer);
	if (st)
		return st;
	size_t length = isx_json_length(list), made = 0;
	struct isx_index_info *all = isx_mem_array(length, sizeof *all);
	if (!all)
		st = isx_fail_memory(err);
	for (; !st && made < length; made++)
		st = read_info(isx_json_at(list, made), &all[made], err);
	isx_json_free(list);
	if (st) {
		isx_index_list_free(all, made);
		return st;
	}
	*infos = all;
	*count = length;
	return ISX_OK;
}

static enum isx_status remote_create(struct isx_engine *engine, const char *name,
				     struct isx_err *err)
{
	struct isx_buf body = { 0 };
	isx_buf_text(&body, "{\"name\":");
	isx_json_quote(&body, isx_span_of(name));
	isx_buf_char(&body, '}');
	struct call call = { .method = "POST", .json = { body.ptr, body.len } };
	enum isx_status st = isx_buf_status(&body, err);
	if (!st)
		st = send_call(remote_of(engine), &call, err);
	isx_buf_release(&call.answer);
	isx_buf_release(&body);
	return st;
}

static enum isx_status remote_drop(struct isx_engine *engine, const char *name, struct isx_err *err)
{
	struct call call = { .method = "DELETE", .name = name };
	enum isx_status st = send_call(remote_of(engine), &call, err);
	isx_buf_release(&call.answer);
	return st;
}

static enum isx_status remote_stat(struct isx_engine *engine, const char *name,
				   struct isx_index_info *info, struct isx_err *err)
{
	struct call call = { .method = "GET", .name = name };
	struct isx_json *object = NULL;
	enum isx_status st = call_json(engine, &call, &object, err);
	if (!st) {
		st = read_info(object, info, err);
		if (st)
			isx_index_info_release(info);
	}
	isx_json_free(object);
	isx_buf_release(&call.answer);
	return st;
}

static void pause_s(unsigned seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds };
	nanosleep(&time, NULL);
}

/* Add one chunk, again after 1 and 2 s when no server answered. */
static enum isx_status add_chunk(struct isx_engine *engine, const char *name,
				 const struct isx_asset *assets, size_t count,
				 enum isx_outcome *outcomes, struct isx_err *err)
{
	struct isx_buf body = { 0 };
	struct isx_json *list = NULL, *status;
	isx_buf_char(&body, '[');
	for (size_t i = 0; i < count; i++) {
		isx_buf_text(&body, i ? "," : "");
		isx_asset_to_request(&body, &assets[i]);
	}
	isx_buf_char(&body, ']');
	struct call call = {
		.method = "POST", .name = name, .what = "assets", .json = { body.ptr, body.len }
	};
	enum isx_status st = isx_buf_status(&body, err);
	for (unsigned i = 1; !st && i <= TRIES; i++) {
		st = call_json(engine, &call, &list, err);
		if (st != ISX_UNAVAILABLE || i == TRIES)
			break;
		pause_s(i);
		st = ISX_OK;
	}
	if (!st && isx_json_length(list) != count)
		st = fail_answer(err);
	for (size_t i = 0; !st && i < count; i++) {
		bool updated = isx_json_get(isx_json_at(list, i), "status", &status) &&
			       isx_span_is(isx_json_string(status), "updated");
		outcomes[i] = updated ? ISX_UPDATED : ISX_CREATED;
	}
	isx_json_free(list);
	isx_buf_release(&call.answer);
	isx_buf_release(&body);
	return st;
}

static enum isx_status remote_add(struct isx_engine *engine, const char *name,
				  const struct isx_asset *assets, size_t count,
				  enum isx_outcome *outcomes, struct isx_err *err)
{
	for (size_t at = 0; at < count; at += CHUNK_ASSETS) {
		size_t chunk = count - at < CHUNK_ASSETS ? count - at : CHUNK_ASSETS;
		enum isx_status st = add_chunk(engine, name, assets + at, chunk, outcomes + at,
					       err);
		if (st)
			return st;
	}
	return ISX_OK;
}

static enum isx_status remote_get(struct isx_engine *engine, const char *name, const char *iscc_id,
				  struct isx_buf *json, struct isx_err *err)
{
	struct call call = { .method = "GET", .name = name, .what = "assets", .id = iscc_id };
	enum isx_status st = send_call(remote_of(engine), &call, err);
	if (!st) {
		isx_json_minify(json, (struct isx_span){ call.answer.ptr, call.answer.len });
		st = isx_buf_status(json, err);
	}
	isx_buf_release(&call.answer);
	return st;
}

static enum isx_status remote_remove(struct isx_engine *engine, const char *name,
				     const char *iscc_id, struct isx_err *err)
{
	struct call call = { .method = "DELETE", .name = name, .what = "assets", .id = iscc_id };
	enum isx_status st = send_call(remote_of(engine), &call, err);
	isx_buf_release(&call.answer);
	return st;
}

static enum isx_status remote_search(struct isx_engine *engine, const char *name,
				     const struct isx_query *query, struct isx_arena *arena,
				     struct isx_result *result, struct isx_err *err)
{
	char suffix[64];
	struct isx_buf body = { 0 };
	struct isx_json *object = NULL, *echoed;
	isx_query_to_json(&body, query);
	snprintf(suffix, sizeof suffix, "?limit=%zu%s", query->limit,
		 query->own_chunks ? "&chunks=true" : "");
	struct call call = { .method = "POST",
			     .name = name,
			     .what = "search",
			     .suffix = suffix,
			     .json = { body.ptr, body.len } };
	enum isx_status st = isx_buf_status(&body, err);
	if (!st)
		st = call_json(engine, &call, &object, err);
	struct isx_span text = { call.answer.ptr, call.answer.len };
	if (!st && !isx_json_get(object, "query", &echoed))
		st = fail_answer(err);
	if (!st)
		st = read_query(echoed, query, arena, &result->query, err);
	if (!st)
		st = read_result(text, arena, result, err);
	isx_json_free(object);
	isx_buf_release(&call.answer);
	isx_buf_release(&body);
	return st;
}

static void remote_close(struct isx_engine *engine)
{
	struct remote *remote = remote_of(engine);
	isx_http_client_free(remote->client);
	pthread_mutex_destroy(&remote->lock);
	isx_mem_free(remote->url);
	isx_mem_free(remote->api_key);
	isx_mem_free(remote);
}

static const struct isx_engine_ops remote_ops = {
	.close = remote_close,
	.list = remote_list,
	.create = remote_create,
	.drop = remote_drop,
	.stat = remote_stat,
	.add = remote_add,
	.get = remote_get,
	.remove = remote_remove,
	.search = remote_search,
};

enum isx_status isx_remote_open(const char *url, const struct isx_options *options,
				struct isx_engine **engine, struct isx_err *err)
{
	struct remote *remote = isx_mem_array(1, sizeof *remote);
	size_t len = strlen(url);
	if (!remote)
		return isx_fail_memory(err);
	while (len && url[len - 1] == '/')
		len--;
	remote->engine.ops = &remote_ops;
	remote->engine.options = *options;
	pthread_mutex_init(&remote->lock, NULL);
	remote->url = isx_mem_text(url, len);
	if (options->api_key)
		remote->api_key = isx_mem_text(options->api_key, strlen(options->api_key));
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
