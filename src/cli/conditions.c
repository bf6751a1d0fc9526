/*
 * conditions.c - reads the options of `search` by the rules of the members of a query in JSON.
 *
 * Relies on isx_conditions_from_texts() for all rules, so that an option and the member of the
 * REST API accept the same values. Must not know what a condition means.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/conditions.h"

#include "cli/say.h"
#include "json/wire.h"

/* Read the conditions that one option sets. */
static bool read_option(const char *name, struct isx_span shown,
			const struct isx_query_texts *texts, struct isx_arena *arena,
			struct isx_query *query)
{
	struct isx_problems problems = { 0 };
	struct isx_err err = { 0 };
	enum isx_status st = isx_conditions_from_texts(texts, NULL, arena, query, &problems, &err);
	/* "min_scores.DATA_NONE_V0: Input should be ...": the option stands for the member */
	const char *msg = st == ISX_SCHEMA ? strstr(err.msg, ": ") : NULL;
	if (st)
		say_line(stderr, "Error: %s %.*s: %s", name, (int)shown.len,
			 shown.len ? shown.ptr : "", msg ? msg + 2 : err.msg);
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
	return good;
}
