/*
 * cmd_export.c - the command `export`: all assets of an index as lines of JSON, with simprints.
 *
 * One snapshot is read, while other processes go on writing. What is written can be added again by
 * `import`, to an index of any engine. After a signal the file ends behind a whole line.
 * Memory is that of one piece of output and of one asset. Each asset is read once: the cost is
 * that of reading the index and of compressing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/say.h"
#include "cli/target.h"
#include "json/wire.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct export
{
	const char *path;
	struct target target;
	struct output output;
	struct progress progress;
	uint64_t count;
	uint64_t damaged; /* assets that cannot be read */
	char last[24];    /* the ISCC-ID of the last one */
	bool has_failed;  /* not all that was counted is written */
	atomic_bool is_interrupted;
	atomic_bool is_over;
};

/* Runs in the thread of signals: lets the main thread end the file, and tell how far it came. */
static void stop(void *arg)
{
	struct export *export = arg;
	const struct timespec moment = { .tv_nsec = 20000000 };
	atomic_store(&export->is_interrupted, true);
	for (int i = 0; i < 500 && !atomic_load(&export->is_over); i++) /* 10 s */
		nanosleep(&moment, NULL);
}

/* One asset that cannot be read does not keep the others in. */
static enum isx_status skip_damaged(struct export *export, enum isx_status st, struct isx_err *err)
{
	if (st != ISX_CORRUPT)
		return st;
	progress_clear();
	say_line(stderr, "\xE2\x9C\x97 %s", err->msg);
	export->damaged++;
	return ISX_OK;
}

/* Write until the end, a failure or a signal, looked for between two assets. An asset that is
 * damaged is left out and counted. The end of the packed stream is written in each case, so that
 * a file that is cut short can be unpacked. */
static enum isx_status write_assets(struct export *export, struct isx_cursor *cursor,
				    struct isx_err *err)
{
	const struct isx_asset *asset;
	enum isx_status st = ISX_OK;
	while (!st && !atomic_load_explicit(&export->is_interrupted, memory_order_relaxed)) {
		asset = NULL;
		st = isx_cursor_next(cursor, &asset, err);
		if (st == ISX_CORRUPT && !(st = skip_damaged(export, st, err)))
			continue;
		if (st || !asset)
			break;
		isx_asset_to_request(&export->output.text, asset);
		isx_buf_char(&export->output.text, '\n');
		st = output_write(&export->output, err);
		export->has_failed = st != ISX_OK;
		snprintf(export->last, sizeof export->last, "%s", asset->iscc_id);
		if (++export->count % 256 == 0)
			progress_update(&export->progress, export->count, export->count);
	}
	/* What was written before a failure is whole, too. */
	struct isx_err why;
	enum isx_status end = output_end(&export->output, &why);
	export->has_failed |= end != ISX_OK;
	return st ? st : end ? isx_err_pass(err, &why) : ISX_OK;
}

/* On standard error if the assets are on standard output. After a failure of the output it is not known
 * where it ends: some of the assets that were counted are not in it. */
static void report(const struct export *export, bool is_whole)
{
	bool is_stdout = strcmp(export->path, "-") == 0;
	progress_clear();
	if (export->has_failed)
		say_line(stderr, "%s is not complete: export it again",
			 is_stdout ? "Standard output" : export->path);
	else if (!is_whole && export->count)
		say_line(stderr, "%llu assets are in %s, whole lines; to go on: --after %s",
			 (unsigned long long)export->count,
			 is_stdout ? "standard output" : export->path, export->last);
	else if (is_stdout)
		say_line(stderr, "Exported %llu assets", (unsigned long long)export->count);
	else
		printf("{\n  \"exported\": %llu,\n  \"errors\": %llu\n}\n",
		       (unsigned long long)export->count, (unsigned long long)export->damaged);
}

/* The number of assets, for the bar; 0 for a part of the index. */
static uint64_t count_assets(const struct export *export, const struct isx_range *range)
{
	struct isx_index_info info;
	uint64_t count = 0;
	if (range->after || range->from_us || range->to_us || range->has_hub ||
	    isx_index_stat(export->target.store, export->target.name, &info, NULL))
		return 0;
	count = info.assets;
	isx_index_info_release(&info);
	return count;
}

/* The snapshot is opened before the file: an index that cannot be read leaves no empty file, and
 * does not replace one with --force. */
static int export_assets(const struct cli_args *args, struct export *export,
			 const struct isx_range *range)
{
	struct isx_cursor *cursor = NULL;
	struct isx_err err = { 0 };
	enum isx_status st = target_cursor_open(&export->target, range, &cursor, &err);
	if (!st)
		st = output_open(export->path, cli_option_value(args, "--force") != NULL,
				 &export->output, &err);
	if (!st) {
		progress_start(&export->progress, count_assets(export, range));
		st = write_assets(export, cursor, &err);
		progress_end(&export->progress);
		report(export, !st && !atomic_load(&export->is_interrupted));
	}
	isx_cursor_close(cursor);
	output_close(&export->output);
	if (st == ISX_EXISTS)
		say_line(stderr, "Error: %s: --force replaces it", err.msg);
	else if (st)
		target_fail(st, &err);
	return st || export->damaged ? CLI_ERROR : CLI_OK;
}

/* `is_over` is set before the thread of signals is ended: stop() waits for it for 10 seconds at
 * most, and the process exits behind stop(). */
static int run_export(const struct cli_args *args)
{
	struct export export = { .path = args->word_count ? args->words[0] : "-" };
	struct isx_arena arena = { 0 };
	struct interrupt interrupt;
	struct isx_range range;
	int code = CLI_USAGE;
	if (range_read(args, &arena, &range)) {
		code = CLI_ERROR;
		interrupt_watch(&interrupt, stop, &export);
		if (target_open_existing(args, cli_option_value(args, "--index"), true,
					 &export.target))
			code = export_assets(args, &export, &range);
		atomic_store(&export.is_over, true);
		interrupt_end(&interrupt);
		target_close(&export.target);
	}
	isx_arena_release(&arena);
	return code;
}

static const struct cli_option options[] = {
	RANGE_OPTIONS,
	{ "--force", 'f', NULL, "Replace FILE if it exists" },
	TARGET_OPTIONS,
};

const struct cli_command command_export = {
	.name = "export",
	.words = "[FILE]",
	.words_most = 1,
	.summary = "Write all assets of an index to a file, with their simprints",
	.text = "FILE gets one asset a line, as JSON, in the order of their ISCC-IDs, as of one "
		"moment;\n"
		"'import' reads it. A FILE that ends in .gz or .zst is compressed. Without FILE, "
		"or "
		"with -,\n"
		"the lines go to standard output. An interrupted export ends behind a whole line "
		"and "
		"says\n"
		"where to go on: --after ISCC_ID. " RANGE_HELP "\n"
		"Examples:\n"
		"  iscc-search export assets.jsonl.zst\n"
		"  iscc-search export --index mylocal | wc -l\n"
		"  iscc-search export news.jsonl --from 2025-01-01\n\n"
		"Exit status: 0 all assets are written, 1 error, 130 interrupted, 143 ended by "
		"SIGTERM.\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_export,
};
