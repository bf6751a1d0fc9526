/*
 * fuzz_http.c - what a client sends: the functions that take a URL apart, and a whole server.
 *
 * The input is sent on one connection. The server runs in this process, on files that vanish with
 * it. Every answer must be well-formed and no failure of the server itself, and no request may be
 * left when the connection has ended.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "http/access_log.h"
#include "http/head.h"
#include "http/routes.h"
#include "http/server.h"
#include "http/url.h"
#include "json/json_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ANSWER_MS = 2,  /* for an answer, before we end our sending: what is read at once is lost */
	HANG_MS = 20000 /* a run that takes longer hangs */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* End the process if a property does not hold: fuzzers and replay_main.c look for crashes. */
static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* --- the functions ---------------------------------------------------------------------------- */

static bool is_within(struct isx_span part, struct isx_span whole)
{
	return part.len == 0 ||
	       (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_path(struct isx_span path, struct isx_arena *arena)
{
	struct isx_url_path decoded;
	bool found;
	expect(isx_url_path_decode(path, arena, &decoded, &found, NULL) == ISX_OK);
	if (!found)
		return;
	expect(decoded.count > 0 && decoded.count <= ISX_URL_SEGMENTS_MAX);
	for (size_t i = 0; i < decoded.count; i++) {
		struct isx_span segment = decoded.segments[i];
		expect(!memchr(segment.ptr, '/', segment.len));
		expect(!memchr(segment.ptr, '\0', segment.len));
		expect(segment.ptr[segment.len] == (i + 1 < decoded.count ? '/' : '\0'));
	}
}

static void check_url(struct isx_span target)
{
	static const char *const names[] = { "", "limit", "threshold", "a" };
	struct isx_arena arena = { 0 };
	struct isx_span path, query, value;
	double number;
	isx_url_split(target, &path, &query);
	expect(is_within(path, target) && is_within(query, target));
	expect(!memchr(path.ptr, '?', path.len) || path.len == 0);
	expect(isx_head_params(query) <= query.len + 1);
	check_path(path, &arena);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		expect(isx_url_param(query, names[i], &arena, &value, NULL) == ISX_OK);
		expect(value.len <= query.len);
		if (isx_span_whole(value, &number))
			expect(value.len > 0);
	}
	if (isx_span_whole(target, &number))
		expect(target.len > 0);
	isx_arena_release(&arena);
}

static void check_functions(struct isx_span text)
{
	char id[HTTP_REQUEST_ID_MAX + 2];
	const char *line_end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
	const char *space = text.len ? memchr(text.ptr, ' ', text.len) : NULL;
	check_url(text);
	if (space && line_end && space < line_end)
		check_url((struct isx_span){ space + 1, (size_t)(line_end - space - 1) });
	size_t len = text.len < sizeof id - 1 ? text.len : sizeof id - 1;
	memcpy(id, text.ptr, len);
	id[len] = '\0';
	if (isx_request_id_is_valid(id))
		expect(strlen(id) <= HTTP_REQUEST_ID_MAX && !strpbrk(id, " \r\n\"<"));
}

/* --- the server ------------------------------------------------------------------------------- */

static struct http_metrics *metrics;

static uint16_t start_server(void)
{
	struct isx_server_settings how;
	struct isx_server *server;
	struct isx_store *store;
	isx_server_settings_init(&how);
	how.host = "127.0.0.1";
	how.port = 0;
	expect(isx_metrics_new(1, isx_route_describe, &metrics, NULL) == ISX_OK);
	expect(isx_open("memory://", NULL, &store, NULL) == ISX_OK);
	how.store = store;
	how.metrics = metrics;
	expect(isx_server_start(&how, &server, NULL) == ISX_OK);
	return isx_server_port(server);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0);
	return fd;
}

/* Read all answers to `sent`, until the server closes the connection. */
static void talk(uint16_t port, struct isx_span sent, struct isx_buf *answer)
{
	char bytes[16384];
	int fd = connect_to(port);
	struct pollfd look = { .fd = fd, .events = POLLIN };
	ssize_t len = 1;
	if (sent.len > 0)
		(void)!send(fd, sent.ptr, sent.len, MSG_NOSIGNAL);
	(void)poll(&look, 1, ANSWER_MS);
	(void)shutdown(fd, SHUT_WR);
	while (len > 0) {
		expect(poll(&look, 1, HANG_MS) > 0);
		len = recv(fd, bytes, sizeof bytes, 0);
		if (len > 0)
			isx_buf_add(answer, bytes, (size_t)len);
	}
	close(fd);
}

/* The value of a header in a head that ends with an empty line; empty if there is none. */
static struct isx_span find_header(struct isx_span head, const char *name)
{
	size_t len = strlen(name);
	const char *at = head.ptr, *end = head.ptr + head.len;
	while ((at = memchr(at, '\n', (size_t)(end - at)))) {
		at++;
		if ((size_t)(end - at) > len && memcmp(at, name, len) == 0) {
			const char *stop = memchr(at, '\r', (size_t)(end - at));
			return (struct isx_span){ at + len, (size_t)(stop - at) - len };
		}
	}
	return (struct isx_span){ 0 };
}

static void check_status(unsigned status)
{
	static const unsigned documented[] = { 100, 200, 201, 204, 301, 307, 400, 401, 404, 405,
					       408, 409, 413, 414, 415, 422, 431, 501, 503, 505 };
	size_t i = 0;
	while (i < sizeof documented / sizeof *documented && documented[i] != status)
		i++;
	expect(i < sizeof documented / sizeof *documented);
}

/* Check the answer at the beginning of `text`; returns its length. */
static size_t check_answer(struct isx_span text)
{
	const char *end = memmem(text.ptr, text.len, "\r\n\r\n", 4);
	size_t offset;
	uint64_t length = 0;
	expect(isx_span_has_prefix(text, "HTTP/1.") && end);
	struct isx_span head = { text.ptr, (size_t)(end - text.ptr) + 4 };
	unsigned status = (unsigned)strtoul(text.ptr + 9, NULL, 10);
	check_status(status);
	if (status == 100)
		return head.len;
	expect(isx_span_is(find_header(head, "X-Content-Type-Options: "), "nosniff"));
	expect(find_header(head, "X-Request-ID: ").len > 0);
	if (status != 204)
		expect(isx_span_uint(find_header(head, "Content-Length: "), UINT32_MAX, &length));
	text = isx_span_skip(text, head.len);
	if (text.len == 0 || isx_span_has_prefix(text, "HTTP/1."))
		return head.len; /* the answer to a HEAD request */
	expect(length <= text.len);
	text.len = length;
	if (length && isx_span_is(find_header(head, "Content-Type: "), "application/json"))
		expect(isx_json_check(text, &offset, NULL) == ISX_OK);
	return head.len + length;
}

static bool is_idle(void)
{
	static const char wanted[] = "\niscc_search_http_requests_in_progress 0\n";
	struct isx_buf text = { 0 };
	isx_metrics_print(metrics, &text);
	bool found = memmem(text.ptr, text.len, wanted, sizeof wanted - 1) != NULL;
	isx_buf_release(&text);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint16_t port;
	struct isx_span text = { (const char *)data, size };
	struct isx_buf answer = { 0 };
	const struct timespec step = { .tv_nsec = 100000 };
	if (!port)
		port = start_server();
	if (size > 0)
		check_functions(text);
	talk(port, text, &answer);
	for (struct isx_span left = { answer.ptr, answer.len }; left.len > 0;)
		left = isx_span_skip(left, check_answer(left));
	uint64_t end_ns = isx_clock_ns() + (uint64_t)HANG_MS * 1000000u;
	while (!is_idle()) {
		expect(isx_clock_ns() < end_ns);
		nanosleep(&step, NULL);
	}
	isx_buf_release(&answer);
	return 0;
}
