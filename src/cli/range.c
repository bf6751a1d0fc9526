/*
 * range.c - reads the options that select a part of an index.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/range.h"

#include "base/timestamp.h"
#include "cli/iscc_word.h"
#include "cli/say.h"

/* False after a message. Without the option *us stays as it is. */
static bool read_time(const struct cli_args *args, const char *option, uint64_t *us, bool *is_given)
{
	const char *text = cli_option_value(args, option);
	*is_given = text != NULL;
	if (!text || isx_timestamp_parse(isx_span_of(text), us))
		return true;
	say_line(stderr, "Error: %s %s: expected %s", option, text, ISX_TIMESTAMP_RULE);
	return false;
}

bool range_read(const struct cli_args *args, struct isx_arena *arena, struct isx_range *range)
{
	const char *after = cli_option_value(args, "--after");
	struct isx_header header;
	struct isx_err err;
	unsigned long hub;
	bool is_given;
	*range = (struct isx_range){ .has_hub = cli_option_value(args, "--hub") != NULL };
	if (after && iscc_word_read(after, "not an ISCC-ID", arena, &range->after, &header, &err)) {
		say_line(stderr, "Error: --after: %s", err.msg);
		return false;
	}
	if (!read_time(args, "--from", &range->from_us, &is_given) ||
	    !read_time(args, "--to", &range->to_us, &is_given) ||
	    !cli_option_number(args, "--hub", 0, ISX_HUB_MAX, 0, &hub))
		return false;
	if (is_given && range->to_us == 0)
		range->from_us = UINT64_MAX; /* 0 is "no end": nothing is before 1970 */
	range->hub = (uint32_t)hub;
	return true;
}
