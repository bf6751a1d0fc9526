/*
 * conditions.c - reads the options of `search` by the rules of the members of a query in JSON.
 *
 * Relies on isx_conditions_from_texts() for all rules, so that an option and the member of the
 * REST API accept the same values. Must not know what a condition means.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/conditions.h"

#include "cli/say.h"
#include "json/json_text.h"
#include "json/wire.h"

/* Read the conditions that one option sets. */
static bool read_option(const char *name, struct isx_span shown,
			const struct isx_query_texts *texts, struct isx_arena *arena,
			struct isx_query *query)
{
	struct isx_problems problems = { 0 };
	struct isx_err err = { 0 };
	enum isx_status st = isx_conditions_from_texts(texts, NULL, arena, query, &problems, &err);
	/* "min_scores.DATA_NONE_V0: Input should be ...": the option stands for the member. In
	 * "filter.all.0: Expected ..." the place is needed: a filter in JSON has many. */
	const char *msg = st == ISX_SCHEMA ? strstr(err.msg, ": ") : NULL;
	msg = msg ? msg + 2 : err.msg;
	if (strcmp(name, "--filter") == 0 && strncmp(err.msg, "filter.", strlen("filter.")) == 0)
		msg = err.msg + strlen("filter.");
	if (st)
		say_line(stderr, "Error: %s %.*s: %s", name, (int)shown.len,
			 shown.len ? shown.ptr : "", msg);
	isx_problems_release(&problems);
	return !st;
}

/* Of several scores without a type the last one counts, as of any option that is given again. */
static bool read_scores(struct isx_span list, struct isx_arena *arena, struct isx_query *query)
{
	struct isx_query_texts texts = { 0 };
	struct isx_buf typed = { 0 };
	struct isx_span rest = list;
	while (rest.ptr) {
		struct isx_span score = isx_span_cut(rest, ',', &rest);
		if (!score.len || !memchr(score.ptr, ':', score.len)) {
			texts.min_score = score;
			continue;
		}
		isx_buf_text(&typed, typed.len ? "," : "");
		isx_buf_add(&typed, score.ptr, score.len);
	}
	if (typed.len)
		texts.min_scores = (struct isx_span){ typed.ptr, typed.len };
	bool good = !typed.failed && read_option("--min-score", list, &texts, arena, query);
	isx_buf_release(&typed);
	return good;
}

/* --- filters ---------------------------------------------------------------------------------- */

/* The tests of --where. Ranges begin with their first value and end before their last one, as in a
 * filter: so there is no "<=" and no ">". */
enum { EQUALS, UNEQUAL, FROM, TO, PRESENT };

/* Find the first comparison in a test. A name that has one of its characters needs --filter.
 *   name, value  filled: what stands before and behind it
 * False: "<=" or ">". */
static bool split_test(struct isx_span text, struct isx_span *name, struct isx_span *value,
		       int *comparison)
{
	size_t at = 0, taken = 1;
	while (at < text.len && !memchr("=!<>", text.ptr[at], 4))
		at++;
	char c = at < text.len ? text.ptr[at] : '\0';
	bool equal = at + 1 < text.len && text.ptr[at + 1] == '=';
	*comparison = c == '=' ? EQUALS : c == '!' ? UNEQUAL : c == '>' ? FROM : c ? TO : PRESENT;
	if ((c == '!' && !equal) || (c == '>' && !equal) || (c == '<' && equal))
		return false;
	if (c == '!' || c == '>')
		taken = 2;
	*name = (struct isx_span){ text.ptr, at };
	*value = isx_span_skip(text, at + taken);
	return true;
}

/* Append a value: JSON of a number, true, false, null or a text in quotes stays it; anything else is a
 * text. */
static void add_value(struct isx_buf *json, struct isx_span value)
{
	size_t offset;
	bool is_json = value.len && value.ptr[0] != '[' && value.ptr[0] != '{' &&
		       !isx_json_check(value, &offset, NULL);
	if (is_json)
		isx_buf_add(json, value.ptr, value.len);
	else
		isx_json_quote(json, value);
}

/* Append the filter that a test means. False: it is no test. */
static bool add_test(struct isx_buf *json, struct isx_span text)
{
	static const char *const members[] = { "equals", "equals", "from", "to", "exists" };
	struct isx_span name, value;
	int comparison;
	if (!split_test(text, &name, &value, &comparison))
		return false;
	isx_buf_text(json, comparison == UNEQUAL ? "{\"not\":{\"field\":" : "{\"field\":");
	isx_json_quote(json, name);
	isx_buf_printf(json, ",\"%s\":", members[comparison]);
	if (comparison == PRESENT)
		isx_buf_text(json, "true");
	else
		add_value(json, value);
	isx_buf_text(json, comparison == UNEQUAL ? "}}" : "}");
	return true;
}

/* Append the filter of one option, and check it, so that a message can name the option. */
static bool read_filter(const char *name, struct isx_span text, struct isx_arena *arena,
			struct isx_buf *json)
{
	struct isx_query_texts texts = { 0 };
	struct isx_query ignored = { 0 };
	size_t start = json->len;
	if (strcmp(name, "--filter") == 0) {
		isx_buf_add(json, text.ptr, text.len);
	} else if (!add_test(json, text)) {
		say_line(stderr,
			 "Error: --where %.*s: expected FIELD, FIELD=VALUE, FIELD!=VALUE, "
			 "FIELD>=VALUE or FIELD<VALUE",
			 (int)text.len, text.ptr);
		return false;
	}
	texts.filter = (struct isx_span){ json->len > start ? json->ptr + start : "",
					  json->len - start };
	return !json->failed && read_option(name, text, &texts, arena, &ignored);
}

/* All of --where and --filter have to hold. */
static bool read_filters(const struct cli_args *args, struct isx_arena *arena,
			 struct isx_query *query)
{
	struct isx_buf json = { 0 };
	size_t count = 0;
	bool good = true;
	isx_buf_text(&json, "{\"all\":[");
	for (size_t i = 0; good && i < args->given_count; i++) {
		const char *name = args->given[i].option->name;
		if (strcmp(name, "--where") != 0 && strcmp(name, "--filter") != 0)
			continue;
		isx_buf_text(&json, count++ ? "," : "");
		good = read_filter(name, isx_span_of(args->given[i].value), arena, &json);
	}
	isx_buf_text(&json, "]}");
	const struct isx_query_texts texts = { .filter = { json.ptr, json.len } };
	if (good && count)
		good = read_option("--filter", texts.filter, &texts, arena, query);
	isx_buf_release(&json);
	return good;
}

bool conditions_read(const struct cli_args *args, struct isx_arena *arena, struct isx_query *query)
{
	struct isx_query_texts texts = { 0 };
	const struct {
		const char *name;
		struct isx_span *member;
		bool is_list; /* given again, it grows; else the last one counts */
	} options[] = {
		{ "--min-score", &texts.min_score, true },
		{ "--type", &texts.types, true },
		{ "--exponent", &texts.exponent, false },
		{ "--with", &texts.with, true },
		{ "--rank", &texts.rank, false },
		{ "--max-expect", &texts.max_expect, false },
		{ "--facet", &texts.facets, true },
	};
	bool good = true;
	/* One option at a time, so that a message can name it. */
	for (size_t i = 0; good && i < sizeof options / sizeof *options; i++) {
		struct isx_buf list = { 0 };
		bool is_given = cli_option_list(args, options[i].name, &list) > 0;
		texts = (struct isx_query_texts){ 0 };
		*options[i].member = is_given && !options[i].is_list
					     ? isx_span_of(cli_option_value(args, options[i].name))
					     : (struct isx_span){ list.len ? list.ptr : "",
								  list.len };
		if (is_given && i == 0)
			good = read_scores(*options[i].member, arena, query);
		else if (is_given)
			good = read_option(options[i].name, *options[i].member, &texts, arena,
					   query);
		isx_buf_release(&list);
	}
	query->explains = cli_option_value(args, "--explain");
	return good && read_filters(args, arena, query);
}
