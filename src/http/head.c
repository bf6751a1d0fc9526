/*
 * head.c - validates the head of a request byte by byte, and its headers together.
 *
 * Only the first fault is kept. Each part has to begin where the one before it ended, with nothing
 * but the bytes of the syntax between them: so no byte that libmicrohttpd skipped goes unnoticed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/head.h"

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

/* token of RFC 9110, 5.6.2: a method, or the name of a header. */
static bool is_token(struct isx_span text)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
		if (!is_letter && !(c >= '0' && c <= '9') && (!c || !strchr(others, c)))
			return false;
	}
	return text.len > 0;
}

/* Are all bytes `least` or above and not DEL, or tabs if those are allowed? Bytes beyond ASCII
 * pass: the reader of the text checks them. */
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
	head->hosts += is_name(name, "Host");
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
