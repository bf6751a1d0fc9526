/*
 * schema.c - the list of problems, in the shape of pydantic's errors.
 *
 * A problem is written as JSON at once, as places and values live no longer than the reader. Its
 * size is bounded whatever the client sent, by the limits below.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/schema.h"

#include "base/limits.h"
#include "json/json_text.h"

#include <stdio.h>

enum {
	PLACES_MAX = 48,       /* a filter in 16 others has two nodes for each, behind
				  body, queries, position, filter */
	NAME_BYTES_MAX = 256,  /* of a name in "loc", which may be as long as the body */
	INPUT_BYTES_MAX = 512, /* of "input" */
	LOOK_BYTES_MAX = 8 *
			 INPUT_BYTES_MAX /* of a value that are read: blanks do not count above */
};

/* Reverse a place: from the outside in. Returns the number of nodes. */
static size_t unroll(const struct isx_place *place, const struct isx_place *chain[PLACES_MAX])
{
	size_t count = 0;
	for (const struct isx_place *p = place; p && count < PLACES_MAX; p = p->outer)
		count++;
	size_t i = count;
	for (const struct isx_place *p = place; p && i > 0; p = p->outer)
		chain[--i] = p;
	return count;
}

/* May end inside a character: isx_json_quote() replaces the rest of it. */
static struct isx_span cut(struct isx_span text, size_t bytes_max)
{
	return text.len > bytes_max ? (struct isx_span){ text.ptr, bytes_max } : text;
}

/* Add "input": the value itself if it is short, otherwise its beginning as a string. pydantic
 * repeats all of it. */
static void add_input(struct isx_buf *items, struct isx_span input)
{
	struct isx_buf compact = { 0 };
	if (input.len == 0)
		return;
	isx_buf_text(items, ",\"input\":");
	isx_json_minify(&compact,
			cut(input, LOOK_BYTES_MAX)); /* of a cut value, bounded all the same */
	struct isx_span value = { compact.ptr, compact.len };
	if (input.len <= LOOK_BYTES_MAX && value.len <= INPUT_BYTES_MAX)
		isx_buf_add(items, value.ptr, value.len);
	else
		isx_json_quote(items, cut(value, INPUT_BYTES_MAX));
	items->failed |= compact.failed;
	isx_buf_release(&compact);
}

/* Keep the first problem as a message "PLACE: MSG" for logs and the command line, cut to fit. */
static void remember_first(struct isx_problems *problems, const struct isx_place **chain,
			   size_t count, const char *msg)
{
	size_t len = 0;
	char *first = problems->first;
	for (size_t i = 0; i < count && len < sizeof problems->first; i++) {
		const char *dot = i ? "." : "";
		int more = chain[i]->name ? snprintf(first + len, sizeof problems->first - len,
						     "%s%s", dot, chain[i]->name)
					  : snprintf(first + len, sizeof problems->first - len,
						     "%s%zu", dot, chain[i]->position);
		len += more > 0 ? (size_t)more : 0;
	}
	if (len < sizeof problems->first)
		snprintf(first + len, sizeof problems->first - len, ": %s", msg);
}

void isx_problem_add(struct isx_problems *problems, const char *type, const struct isx_place *place,
		     const char *msg, struct isx_span input)
{
	const struct isx_place *chain[PLACES_MAX];
	size_t count = unroll(place, chain);
	struct isx_buf *items = &problems->items;
	if (problems->count >= ISX_PROBLEMS_MAX) { /* still counted, for the last element */
		problems->count++;
		return;
	}
	isx_buf_printf(items, "%s{\"type\":\"%s\",\"loc\":[", problems->count ? "," : "", type);
	for (size_t i = 0; i < count; i++) {
		if (i)
			isx_buf_char(items, ',');
		if (chain[i]->name)
			isx_json_quote(items, cut(isx_span_of(chain[i]->name), NAME_BYTES_MAX));
		else
			isx_buf_printf(items, "%zu", chain[i]->position);
	}
	isx_buf_text(items, "],\"msg\":");
	isx_json_quote(items, isx_span_of(msg));
	add_input(items, input);
	isx_buf_char(items, '}');
	if (problems->count++ == 0)
		remember_first(problems, chain, count, msg);
}

void isx_problems_to_json(struct isx_buf *buf, const struct isx_problems *problems)
{
	isx_buf_char(buf, '[');
	isx_buf_add(buf, problems->items.ptr, problems->items.len);
	if (problems->count > ISX_PROBLEMS_MAX)
		isx_buf_printf(buf,
			       ",{\"type\":\"too_many_problems\",\"loc\":[\"body\"],"
			       "\"msg\":\"and %zu more problems, which are not listed\"}",
			       problems->count - ISX_PROBLEMS_MAX);
	isx_buf_char(buf, ']');
	buf->failed |= problems->items.failed;
}

enum isx_status isx_problems_status(const struct isx_problems *problems, struct isx_err *err)
{
	if (problems->count == 0)
		return ISX_OK;
	return isx_fail(err, ISX_SCHEMA, "%s", problems->first);
}

void isx_problems_release(struct isx_problems *problems)
{
	isx_buf_release(&problems->items);
	*problems = (struct isx_problems){ 0 };
}
