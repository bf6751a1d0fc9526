/*
 * encoding.c - chooses content codings: of request bodies and of answers.
 *
 * Answers are JSON and other text, which gzip makes 3 to 10 times smaller. The embedded files of
 * web/ are compressed for each request: the largest takes 0.3 ms.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/encoding.h"

#include "base/limits.h"
#include "http/gzip.h"

#include <string.h>
#include <strings.h>

/* The next member of a list with commas, without blanks around it; false at its end. */
static bool next_member(struct isx_span *list, struct isx_span *member)
{
	if (list->len == 0)
		return false;
	const char *comma = memchr(list->ptr, ',', list->len);
	*member = (struct isx_span){ list->ptr, comma ? (size_t)(comma - list->ptr) : list->len };
	*list = isx_span_skip(*list, comma ? member->len + 1 : list->len);
	*member = isx_span_trim(*member);
	return true;
}

/* Names of codings are case-insensitive (RFC 9110, 8.4.1). */
static bool is_name(struct isx_span text, const char *name)
{
	return text.len == strlen(name) && strncasecmp(text.ptr, name, text.len) == 0;
}

/* "x-gzip" is the same coding (RFC 9110, 8.4.1.3). */
static bool is_gzip(struct isx_span text)
{
	return is_name(text, "gzip") || is_name(text, "x-gzip");
}

/* Empty members of the list are allowed (RFC 9110, 5.6.1), and "identity" names no coding. */
enum http_coding isx_coding_read(const char *content_encoding)
{
	struct isx_span list = isx_span_of(content_encoding), member;
	enum http_coding found = HTTP_CODING_NONE;
	while (next_member(&list, &member)) {
		if (member.len == 0 || is_name(member, "identity"))
			continue;
		if (found != HTTP_CODING_NONE)
			return HTTP_CODING_OTHER;
		found = is_gzip(member)           ? HTTP_CODING_GZIP
			: is_name(member, "zstd") ? HTTP_CODING_ZSTD
						  : HTTP_CODING_OTHER;
	}
	return found;
}

/* Read the weight of "coding;q=0.5" in thousandths, and the coding. At most three digits may follow
 * the point (RFC 9110, 12.4.2); an invalid weight counts as 0, which refuses the coding. */
static unsigned read_weight(struct isx_span member, struct isx_span *coding)
{
	const char *semicolon = member.len ? memchr(member.ptr, ';', member.len) : NULL;
	*coding = member;
	if (!semicolon)
		return 1000;
	coding->len = (size_t)(semicolon - member.ptr);
	*coding = isx_span_trim(*coding);
	struct isx_span q =
		isx_span_trim(isx_span_skip(member, (size_t)(semicolon + 1 - member.ptr)));
	if (q.len < 3 || strncasecmp(q.ptr, "q=", 2) != 0)
		return 0;
	q = isx_span_skip(q, 2);
	unsigned weight = 0, place = 1000;
	for (size_t i = 0; i < q.len; i++) {
		if (i == 1 && q.ptr[i] == '.')
			continue;
		if (q.ptr[i] < '0' || q.ptr[i] > '9' || i == 1 || i > 4)
			return 0;
		weight += (unsigned)(q.ptr[i] - '0') * place;
		place /= 10;
	}
	return weight > 1000 ? 0 : weight;
}

/* What a header says of gzip, zstd and of no coding: weights in thousandths; -1: nothing. */
struct weights {
	int gzip, zstd, identity;
};

/* "*" stands for every coding that the header does not name; but that zstd is meant by it is not
 * assumed. */
static struct weights read_weights(const char *accept_encoding)
{
	struct isx_span list = isx_span_of(accept_encoding), member, coding;
	struct weights found = { -1, -1, -1 };
	int any = -1;
	while (next_member(&list, &member)) {
		int weight = (int)read_weight(member, &coding);
		if (is_gzip(coding))
			found.gzip = weight;
		else if (is_name(coding, "zstd"))
			found.zstd = weight;
		else if (is_name(coding, "identity"))
			found.identity = weight;
		else if (is_name(coding, "*"))
			any = weight;
	}
	if (found.gzip < 0)
		found.gzip = any;
	return found;
}

/* Without any weight for gzip the answer is sent as it is, although RFC 9110 would allow every
 * coding. */
bool isx_coding_wants_gzip(const char *accept_encoding)
{
	struct weights found = read_weights(accept_encoding);
	return found.gzip > 0 && found.gzip >= found.identity;
}

/* For exports; all other answers are sent in gzip or as they are. Of equal weights zstd wins. */
enum isx_packing isx_coding_choose(const char *accept_encoding)
{
	struct weights found = read_weights(accept_encoding);
	if (found.zstd > 0 && found.zstd >= found.gzip && found.zstd >= found.identity)
		return ISX_PACKING_ZSTD;
	return isx_coding_wants_gzip(accept_encoding) ? ISX_PACKING_GZIP : ISX_PACKING_NONE;
}

/* None of these names is registered, so all that are in use are taken. */
static bool is_lines(struct isx_span type)
{
	static const char *const names[] = { "application/x-ndjson", "application/ndjson",
					     "application/x-jsonlines", "application/jsonlines",
					     "application/jsonl" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (is_name(type, names[i]))
			return true;
	return false;
}

bool isx_is_lines_type(const char *content_type)
{
	struct isx_span rest;
	return is_lines(isx_span_trim(isx_span_cut(isx_span_of(content_type), ';', &rest)));
}

/* The first type of an Accept header that is JSON or lines, or an empty span. */
static struct isx_span first_format(const char *accept)
{
	struct isx_span list = isx_span_of(accept), member, type;
	while (next_member(&list, &member))
		if (read_weight(member, &type) &&
		    (is_lines(type) || is_name(type, "application/json")))
			return type;
	return (struct isx_span){ 0 };
}

bool isx_accepts_lines(const char *accept)
{
	return is_lines(first_format(accept));
}

bool isx_accepts_json(const char *accept)
{
	return is_name(first_format(accept), "application/json");
}

/* The bytes of the answer: an embedded file, or what the handler wrote. All answers are text, so
 * all are worth compressing. */
static struct isx_span text_of(const struct http_res *res)
{
	if (res->file.ptr)
		return res->file;
	return (struct isx_span){ res->payload.ptr, res->payload.len };
}

void isx_coding_apply(const struct http_req *req, struct http_res *res)
{
	struct isx_span text = text_of(res);
	struct isx_buf encoded = { .quota = res->payload.quota };
	if (text.len < ISX_GZIP_BYTES_MIN)
		return;
	res->varies_by_coding = true;
	if (!isx_coding_wants_gzip(req->accept_encoding))
		return;
	/* Without memory, or if gzip gains nothing, the answer is sent as it is. */
	if (isx_gzip_encode(text, &encoded, NULL) || encoded.len >= text.len) {
		isx_buf_release(&encoded);
		return;
	}
	isx_buf_release(&res->payload);
	res->payload = encoded;
	res->file = (struct isx_span){ 0 };
	isx_http_header(res, "Content-Encoding", "gzip");
}
