/*
 * schema.c - the list of problems, in the words and shape of pydantic's errors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/schema.h"

#include "json/json_text.h"

#include <stdio.h>

enum { PLACES_MAX = 8, INPUT_BYTES_MAX = 512 };

/* Collect the chain from the outside in; returns how many there are. */
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

static void add_input(struct isx_buf *items, struct isx_span input)
{
	if (input.len == 0)
		return;
	isx_buf_text(items, ",\"input\":");
	if (input.len <= INPUT_BYTES_MAX) {
		isx_json_minify(items, input);
	} else { /* its beginning as a text says enough */
		input.len = INPUT_BYTES_MAX;
		isx_json_quote(items, input);
	}
}

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
	isx_buf_printf(items, "%s{\"type\":\"%s\",\"loc\":[", problems->count ? "," : "", type);
	for (size_t i = 0; i < count; i++) {
		if (i)
			isx_buf_char(items, ',');
		if (chain[i]->name)
			isx_json_quote(items, isx_span_of(chain[i]->name));
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
