/*
 * cmd_list.c - the commands `list`, which prints the assets of an index, and `remove`.
 *
 * Memory is that of one asset for `list`, and of all ISCC-IDs for `remove`. Neither creates an
 * index: a misspelled name is an error.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/id_list.h"
#include "cli/range.h"
#include "cli/say.h"
#include "cli/target.h"
#include "json/wire.h"

#include <stdio.h>

/* --- list ------------------------------------------------------------------------------------- */

enum { LIST_LIMIT = 1000 };

/* Print one asset: its ISCC-ID, or all of it as a line of JSON. */
static void print_asset(const struct isx_asset *asset, bool only_id, bool with_simprints)
{
	struct isx_buf line = { 0 };
	if (only_id) {
		say_line(stdout, "%s", asset->iscc_id);
		return;
	}
	if (with_simprints)
		isx_asset_to_request(&line, asset);
	else
		isx_asset_to_json(&line, asset);
	say_json((struct isx_span){ line.ptr, line.len });
	isx_buf_release(&line);
}

/* Print up to `limit` assets, and where to go on if there are more. */
static enum isx_status print_assets(const struct cli_args *args, struct isx_cursor *cursor,
				    size_t limit, struct isx_err *err)
{
	const struct isx_asset *asset = NULL;
	bool only_id = cli_option_value(args, "--ids") != NULL;
	bool with_simprints = cli_option_value(args, "--simprints") != NULL;
	char last[24] = "";
	/* The cursor is one asset ahead: only so is it known at the limit that there are more.
	 * The ISCC-ID of the last one is copied, as an asset is borrowed until the next call. */
	enum isx_status st = isx_cursor_next(cursor, &asset, err);
	for (size_t i = 0; !st && asset && i < limit; i++) {
		print_asset(asset, only_id, with_simprints);
		snprintf(last, sizeof last, "%s", asset->iscc_id);
		st = isx_cursor_next(cursor, &asset, err);
	}
	if (!st && asset)
		say_line(stderr, "There are more: --after %s", last);
	return st;
}

/* The options are read before the index is opened, so a wrong one is a usage error (2) also
 * without an index. Opened for reading only: nothing is written, but to an index that another
 * program has written last (target_cursor_open()). */
static int run_list(const struct cli_args *args)
{
	struct target target = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_range range;
	struct isx_cursor *cursor = NULL;
	struct isx_err err = { 0 };
	unsigned long limit;
	int code = CLI_USAGE;
	if (range_read(args, &arena, &range) &&
	    cli_option_number(args, "--limit", 1, UINT32_MAX, LIST_LIMIT, &limit)) {
		code = CLI_ERROR;
		range.no_simprints = !cli_option_value(args, "--simprints");
		if (target_open_existing(args, cli_option_value(args, "--index"), true, &target)) {
			enum isx_status st = target_cursor_open(&target, &range, &cursor, &err);
			if (!st)
				st = print_assets(args, cursor, limit, &err);
			isx_cursor_close(cursor);
			code = st ? target_fail(st, &err) : CLI_OK;
		}
		target_close(&target);
	}
	isx_arena_release(&arena);
	return code;
}

static const struct cli_option list_options[] = {
	RANGE_OPTIONS,
	{ "--limit", 'l', "N", "At most so many assets (default: 1000)" },
	{ "--ids", 0, NULL, "Print ISCC-IDs only" },
	{ "--simprints", 0, NULL, "With the simprints of each asset" },
	TARGET_OPTIONS,
};

const struct cli_command command_list = {
	.name = "list",
	.summary = "List the assets of an index in the order of their ISCC-IDs",
	.text = "Prints one asset a line, as JSON. " RANGE_HELP "\n"
		"Examples:\n"
		"  iscc-search list\n"
		"  iscc-search list --from 2025-01-01 --to 2025-02-01 --ids\n"
		"  iscc-search list --after ISCC:MAIGHXLN555Y2DFF --limit 100\n",
	.options = list_options,
	.option_count = sizeof list_options / sizeof list_options[0],
	.run = run_list,
};

/* --- remove ----------------------------------------------------------------------------------- */

/* Tell what became of each; the assets that were not there are an error for scripts. */
static int report_removed(const struct id_list *ids, const bool *removed)
{
	size_t count = 0;
	for (size_t i = 0; i < ids->count; i++) {
		count += removed[i];
		if (!removed[i])
			say_line(stderr, "Asset not found: %s", ids->texts[i]);
	}
	printf("{\n  \"removed\": %zu,\n  \"not_found\": %zu\n}\n", count, ids->count - count);
	return count == ids->count ? CLI_OK : CLI_ERROR;
}

/* All words are read before the index is opened, and isx_remove_many() checks all ISCC-IDs
 * before it removes one: a wrong word removes nothing. The assets go in one transaction (on a
 * server 10,000 in each). */
static int run_remove(const struct cli_args *args)
{
	struct target target = { 0 };
	struct id_list ids;
	struct isx_err err = { 0 };
	int code = CLI_ERROR;
	enum isx_status st = id_list_read(args, &ids, &err);
	bool *removed = st ? NULL : isx_arena_alloc(&ids.arena, ids.count, sizeof *removed);
	if (!st && !removed)
		st = isx_fail_memory(&err);
	if (st) {
		code = target_fail(st, &err);
	} else {
		if (target_open_existing(args, cli_option_value(args, "--index"), false, &target)) {
			st = isx_remove_many(target.store, target.name, ids.texts, ids.count,
					     removed, &err);
			code = st ? target_fail(st, &err) : report_removed(&ids, removed);
		}
		target_close(&target);
	}
	id_list_release(&ids);
	return code;
}

static const struct cli_option remove_options[] = { TARGET_OPTIONS };

const struct cli_command command_remove = {
	.name = "remove",
	.words = "ISCC_ID...",
	.words_least = 1,
	.words_most = CLI_WORDS_MAX,
	.summary = "Remove assets by their ISCC-IDs",
	.text = "All of them in one step. With - ISCC-IDs are read from standard input, one a "
		"line;\n"
		"without any line nothing is removed.\n\n"
		"Examples:\n"
		"  iscc-search remove ISCC:MAIGHXLN555Y2DFF\n"
		"  iscc-search list --to 2020-01-01 --ids --limit 1000000 | iscc-search remove "
		"-\n\n"
		"Exit status: 0 all were removed, 1 error, or an asset was not there.\n",
	.options = remove_options,
	.option_count = sizeof remove_options / sizeof remove_options[0],
	.run = run_remove,
};
