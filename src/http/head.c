/*
 * head.c - validates the head of a request byte by byte, and its headers together.
 *
 * Only the first fault is kept. Each part has to begin where the one before it ended, with nothing
 * but the bytes of the syntax between them: so no byte that libmicrohttpd skipped goes unnoticed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/head.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

static const char bad_line[] = "expected METHOD URL HTTP/1.1, each behind one space";
static const char bad_field[] = "expected each header on one line, without NUL";

/* Keep the first fault: later ones are often its consequences. */
static void refuse(struct isx_head *head, unsigned status, const char *detail)
{
	if (head->status)
		return;
	head->status = status;
	head->detail = detail;
}

/* A letter or a digit of ASCII, or one of `others`. */
static bool is_among(char c, const char *others)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr(others, c));
}

/* A method, or the name of a header. */
static bool is_token(struct isx_span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_among(text.ptr[i], "!#$%&'*+-.^_`|~"))
			return false;
	return text.len > 0;
}

/* The name of a host as RFC 3986 has it (reg-name, of which an IPv4 address is one), or none. */
static bool is_host_name(struct isx_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_among(text.ptr[i], "-._~!$&'()*+,;="))
			continue;
		if (text.ptr[i] != '%' || text.len - i < 3 || !isxdigit(text.ptr[i + 1] & 0xff) ||
		    !isxdigit(text.ptr[i + 2] & 0xff))
			return false;
		i += 2;
	}
	return true;
}

/* An IPv6 address. Clients that are given one with a zone ("fe80::1%eth0") send it too. */
static bool is_ipv6(struct isx_span text)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr unused;
	const char *zone = text.len ? memchr(text.ptr, '%', text.len) : NULL;
	struct isx_span behind = zone ? isx_span_skip(text, (size_t)(zone - text.ptr) + 1) : text;
	text.len -= zone ? behind.len + 1 : 0;
	if (text.len >= sizeof address || memchr(text.ptr, '\0', text.len) ||
	    (zone && !is_token(behind)))
		return false;
	snprintf(address, sizeof address, "%.*s", (int)text.len, text.ptr);
	return inet_pton(AF_INET6, address, &unused) == 1;
}

/* HOST, HOST:PORT, or nothing, as RFC 9112 (3.2) wants the value of Host. */
static bool is_authority(struct isx_span text)
{
	bool is_bracketed = isx_span_has_prefix(text, "[");
	size_t len = 0, port;
	while (len < text.len && text.ptr[len] != (is_bracketed ? ']' : ':'))
		len++;
	struct isx_span host = { text.ptr + is_bracketed, len - is_bracketed };
	if (is_bracketed ? len == text.len || !is_ipv6(host) : !is_host_name(host))
		return false;
	struct isx_span rest = isx_span_skip(text, len + is_bracketed);
	for (port = 1; port < rest.len && rest.ptr[port] >= '0' && rest.ptr[port] <= '9'; port++)
		;
	return rest.len == 0 || (rest.ptr[0] == ':' && port == rest.len);
}

/* Are all bytes `least` or above, and none DEL, or tabs where they are allowed? Bytes beyond ASCII are
 * left to whoever reads the text. */
static bool is_printable(struct isx_span text, unsigned char least, bool allows_tab)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if ((c < least && !(allows_tab && c == '\t')) || c == 127)
			return false;
	}
	return true;
}

/* Skip at most `most` NULs; returns how many. libmicrohttpd has overwritten each separator with a
 * NUL. */
static size_t skip_nuls(struct isx_head *head, size_t most)
{
	size_t count = 0;
	while (count < most && head->next[count] == '\0')
		count++;
	head->next += count;
	return count;
}

void isx_head_begin(struct isx_head *head, const char *target)
{
	struct isx_span text = isx_span_of(target);
	*head = (struct isx_head){ .target = target, .next = target + text.len };
	if (text.len == 0 || !is_printable(text, '!', false))
		refuse(head, 400, "expected no space and no control character in the URL");
	else if (!skip_nuls(head, 1) || strncmp(head->next, "HTTP/1.", 7) != 0)
		refuse(head, 400, bad_line);
	if (head->status)
		return;
	head->is_1_0 = head->next[7] == '0';
	head->next += 8;
}

static bool is_name(struct isx_span name, const char *wanted)
{
	return name.len == strlen(wanted) && strncasecmp(name.ptr, wanted, name.len) == 0;
}

/* Does this header begin right behind the end of the line before it (CR LF, or LF alone)? If so,
 * move to the end of its value. */
static bool is_next(struct isx_head *head, struct isx_span name, struct isx_span value)
{
	if (skip_nuls(head, 2) == 0 || name.ptr != head->next)
		return false;
	head->next += name.len;
	if (skip_nuls(head, 1) == 0)
		return false;
	while (head->next < value.ptr && (*head->next == ' ' || *head->next == '\t'))
		head->next++;
	if (value.ptr != head->next)
		return false;
	head->next += value.len;
	return true;
}

/* Returns whether libmicrohttpd may see this Content-Length. It would answer an invalid one, or one
 * beyond 64 bits, with a page of its own. */
static bool take_length(struct isx_head *head, struct isx_span value)
{
	uint64_t length;
	bool is_number = value.len > 0;
	for (size_t i = 0; i < value.len; i++)
		is_number = is_number && value.ptr[i] >= '0' && value.ptr[i] <= '9';
	head->lengths++;
	if (!is_number)
		refuse(head, 400, "expected a Content-Length in digits");
	else if (!isx_span_uint(value, UINT64_MAX, &length))
		refuse(head, 413, "the body is larger than the number of bytes any server takes");
	else
		return true;
	return false;
}

/* As take_length(), for Transfer-Encoding. Only "chunked" is understood: any other coding is 501
 * (RFC 9112, 6.1). */
static bool take_coding(struct isx_head *head, struct isx_span value)
{
	head->codings++;
	if (value.len == 0)
		refuse(head, 400, "expected Transfer-Encoding: chunked");
	else if (!is_name(value, "chunked"))
		refuse(head, 501, "expected Transfer-Encoding: chunked; no other is known here");
	else
		return true;
	return false;
}

bool isx_head_field(struct isx_head *head, struct isx_span name, struct isx_span *value)
{
	if (!is_token(name))
		refuse(head, 400, "expected a header's name, and its colon right behind it");
	else if (!is_printable(*value, ' ', true))
		refuse(head, 400, "expected no control character in a header's value");
	else if (!head->status && !is_next(head, name, *value))
		refuse(head, 400, bad_field);
	if (is_name(name, "Host")) {
		head->hosts++;
		if (!is_authority(isx_span_trim(*value)))
			refuse(head, 400, "expected HOST or HOST:PORT in the Host header");
	}
	/* All other headers are for libmicrohttpd; these two decide where the request ends. */
	bool is_length = is_name(name, "Content-Length");
	if (!is_length && !is_name(name, "Transfer-Encoding"))
		return true;
	*value = isx_span_trim(*value);
	return is_length ? take_length(head, *value) : take_coding(head, *value);
}

void isx_head_end(struct isx_head *head, struct isx_span bytes)
{
	struct isx_span method = { bytes.ptr, strnlen(bytes.ptr, bytes.len) };
	if (!is_token(method) || method.ptr + method.len + 1 != head->target)
		refuse(head, 400, bad_line);
	if (head->status)
		return;
	size_t left = (size_t)(bytes.ptr + bytes.len - head->next);
	if (left < 2 || left > 4 ||
	    skip_nuls(head, left) != left) /* the end of the last line and the empty line */
		refuse(head, 400, bad_field);
	/* Two statements of where the body ends are how requests are smuggled (RFC 9112, 6.3). */
	if (head->codings + head->lengths > 1)
		refuse(head, 400, "expected one Content-Length, or Transfer-Encoding");
	if (head->codings && head->is_1_0)
		refuse(head, 400, "expected no Transfer-Encoding in HTTP/1.0");
	/* RFC 9112, 3.2: HTTP/1.1 requires exactly one Host. */
	if (head->hosts != 1 && !(head->is_1_0 && head->hosts == 0))
		refuse(head, 400, "expected a Host header, once");
}

/* An empty query has none; otherwise each "&" separates two, empty ones included. */
size_t isx_head_params(struct isx_span query)
{
	size_t count = query.len > 0;
	for (size_t i = 0; i < query.len; i++)
		count += query.ptr[i] == '&';
	return count;
}
