/*
 * dataset_client.c - lists of a host of data sets, page by page.
 *
 * Files are dataset_cache.c; how a request is sent is dataset_http.c. A page names the next one in
 * a header: Link: <https://...>; rel="next".
 * Built for lists of some ten thousand elements: the whole list is in memory, some LIST_BYTES_MAX
 * at most. The token is a secret: it is never part of a message or a URL.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/dataset_client.h"

#include "cli/dataset_http.h"
#include "cli/files.h"
#include "json/json.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGES_MAX = 10000, LIST_BYTES_MAX = 64 << 20 };

/* --- the environment -------------------------------------------------------------------------- */

/* The value of the first variable that is set and not empty, or NULL. */
static const char *find_variable(const char *name, const char *other)
{
	const char *value = getenv(name);
	if ((!value || !value[0]) && other)
		value = getenv(other);
	return value && value[0] ? value : NULL;
}

/* FOLDER/NAME in the memory of the client. */
static const char *join(struct dataset_client *client, const char *folder, const char *name)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof path, "%s/%s", folder, name);
	return len < (int)sizeof path ? isx_arena_text(&client->texts, path, (size_t)len) : NULL;
}

/* ~/.cache, as the XDG Base Directory Specification has it. */
static const char *cache_folder(struct dataset_client *client)
{
	const char *cache = find_variable("XDG_CACHE_HOME", NULL),
		   *home = find_variable("HOME", NULL);
	if (cache)
		return cache;
	const struct passwd *user = home ? NULL : getpwuid(getuid());
	return join(client, home ? home : user ? user->pw_dir : "", ".cache");
}

/* The token without blanks and line ends around it; NULL if nothing is left. A line end within it would
 * start another header. */
static enum isx_status keep_token(struct dataset_client *client, struct isx_span text,
				  struct isx_err *err)
{
	text = isx_span_trim(text);
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return isx_fail(
				err, ISX_INVALID,
				"the token (HF_TOKEN, or the file 'token' in HF_HOME): expected "
				"printable characters without blanks");
	if (text.len == 0)
		return ISX_OK;
	client->token = isx_arena_text(&client->texts, text.ptr, text.len);
	return client->token ? ISX_OK : isx_fail_memory(err);
}

/* HF_TOKEN, or else the file that `hf auth login` writes. */
static enum isx_status read_token(struct dataset_client *client, const char *home,
				  struct isx_err *err)
{
	struct isx_buf text = { 0 };
	const char *token = find_variable("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN");
	const char *path = find_variable("HF_TOKEN_PATH", NULL);
	if (token)
		return keep_token(client, isx_span_of(token), err);
	path = path ? path : join(client, home, "token");
	enum isx_status st = path ? files_read(path, FILES_REGULAR, &text, err)
				  : isx_fail_memory(err);
	if (st == ISX_NOT_FOUND)
		st = ISX_OK;
	else if (st)
		st = isx_err_at(err, st, "%s", path ? path : "token");
	if (!st)
		st = keep_token(client, (struct isx_span){ text.ptr, text.len }, err);
	isx_buf_release(&text);
	return st;
}

/* HF_ENDPOINT without a slash at its end, as paths begin with one. http:// is allowed: a mirror
 * may be on this machine. */
static enum isx_status read_endpoint(struct dataset_client *client, struct isx_err *err)
{
	const char *url = find_variable("HF_ENDPOINT", NULL);
	struct isx_span plain = isx_span_trim(isx_span_of(url ? url : "https://huggingface.co"));
	while (plain.len && plain.ptr[plain.len - 1] == '/')
		plain.len--;
	if (!isx_span_has_prefix(plain, "http://") && !isx_span_has_prefix(plain, "https://"))
		return isx_fail(err, ISX_INVALID,
				"HF_ENDPOINT: expected http://HOST or https://HOST");
	client->endpoint = isx_arena_text(&client->texts, plain.ptr, plain.len);
	return client->endpoint ? ISX_OK : isx_fail_memory(err);
}

enum isx_status dataset_client_open(struct dataset_client *client, struct isx_err *err)
{
	*client = (struct dataset_client){ 0 };
	const char *home = find_variable("HF_HOME", NULL), *cache = cache_folder(client);
	if (!home && cache)
		home = join(client, cache, "huggingface");
	client->cache = find_variable("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE");
	if (!client->cache && home)
		client->cache = join(client, home, "hub");
	if (!home || !client->cache)
		return isx_fail(err, ISX_INVALID, "HF_HOME: the path is too long");
	enum isx_status st = read_endpoint(client, err);
	if (!st)
		st = read_token(client, home, err);
	return st ? st : dataset_http_open(client, err);
}

void dataset_client_close(struct dataset_client *client)
{
	dataset_http_close(client);
	isx_arena_release(&client->texts);
}

/* --- lists ------------------------------------------------------------------------------------ */

/* The pages of one list. */
struct pages {
	const struct dataset_client *client;
	struct isx_buf next; /* URL of the page behind this one; empty: it is the last */
};

/* Does the part of a Link header behind its URL say rel="next"? */
static bool is_next(struct isx_span rest)
{
	for (; rest.len && *rest.ptr != ','; rest = isx_span_skip(rest, 1))
		if (isx_span_has_prefix(rest, "rel=\"next\"") ||
		    isx_span_has_prefix(rest, "rel=next"))
			return true;
	return false;
}

/* The origin of the endpoint, scheme://host:port, in front of a URL that is only a path. */
static void add_origin(struct isx_buf *url, const char *endpoint)
{
	const char *host = strstr(endpoint, "://") + 3;
	isx_buf_add(url, endpoint, (size_t)(host - endpoint) + strcspn(host, "/"));
}

/* A head callback, called for each line of the head. One Link header may name several pages: the
 * first one with rel="next" counts. It may be on another host; dataset_http.c does not send the
 * token there. */
static void take_link(void *arg, struct isx_span line)
{
	struct pages *pages = arg;
	struct isx_span link = dataset_http_header(line, "link");
	while (link.len) {
		const char *open = memchr(link.ptr, '<', link.len);
		link = open ? isx_span_skip(link, (size_t)(open - link.ptr) + 1)
			    : (struct isx_span){ 0 };
		const char *close = link.len ? memchr(link.ptr, '>', link.len) : NULL;
		if (!close)
			return;
		struct isx_span url = { link.ptr, (size_t)(close - link.ptr) };
		link = isx_span_skip(link, url.len + 1);
		if (!is_next(link))
			continue;
		isx_buf_clear(&pages->next);
		if (isx_span_has_prefix(url, "/"))
			add_origin(&pages->next, pages->client->endpoint);
		isx_buf_add(&pages->next, url.ptr, url.len);
		return;
	}
}

/* Append the elements of a page, each behind a comma or the bracket. */
static enum isx_status add_page(struct isx_span page, struct isx_buf *list, size_t *count,
				struct isx_err *err)
{
	size_t offset;
	struct isx_span element;
	enum isx_status st = isx_json_check(page, &offset, err);
	page = isx_span_trim(page);
	if (!st && isx_json_kind(page) != ISX_JSON_ARRAY)
		st = isx_fail(err, ISX_SCHEMA, "expected a JSON array");
	if (st)
		return isx_err_at(err, ISX_SCHEMA, "the host's answer");
	struct isx_json_walk walk = isx_json_walk_start(page);
	while (isx_json_next_element(&walk, &element)) {
		isx_buf_char(list, *count ? ',' : '[');
		isx_buf_add(list, element.ptr, element.len);
		++*count;
	}
	if (list->len > LIST_BYTES_MAX)
		return isx_fail(err, ISX_TOO_LARGE, "the list is longer than %d MiB",
				LIST_BYTES_MAX >> 20);
	return isx_buf_status(list, err);
}

/* PAGES_MAX ends a list whose pages name each other in a circle; the bytes are bounded by
 * add_page(). After a failure `list` is not to be read. */
enum isx_status dataset_client_list(struct dataset_client *client, const char *path,
				    size_t count_max, struct isx_buf *list, struct isx_err *err)
{
	struct pages pages = { .client = client };
	struct isx_buf url = { 0 }, answer = { 0 };
	size_t count = 0;
	long code;
	isx_buf_printf(&url, "%s%s", client->endpoint, path);
	enum isx_status st = isx_buf_status(&url, err);
	for (size_t page = 0; !st && url.len && count < count_max && page < PAGES_MAX; page++) {
		struct dataset_get get = { .url = url.ptr, .take_head = take_link, .arg = &pages };
		isx_buf_clear(&pages.next);
		st = dataset_http_get(client, &get, &code, &answer, err);
		if (!st)
			st = add_page((struct isx_span){ answer.ptr, answer.len }, list, &count,
				      err);
		isx_buf_clear(&url);
		isx_buf_printf(&url, "%.*s", (int)pages.next.len,
			       pages.next.len ? pages.next.ptr : "");
		if (!st)
			st = isx_buf_status(&url, err);
	}
	isx_buf_text(list, count ? "]" : "[]");
	isx_buf_release(&pages.next);
	isx_buf_release(&answer);
	isx_buf_release(&url);
	return st ? st : isx_buf_status(list, err);
}
