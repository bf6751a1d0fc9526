/*
 * cmd_copy.c - the command `index copy`: all assets of an index into another one, of any engine or
 *              server.
 *
 * The main thread reads one snapshot of the first index; the loader writes batches to the second.
 * Assets come in the order of their ISCC-IDs, so that the last one that is stored says where to go
 * on.
 * Must not know which engines there are: both sides are stores of the library, also a server.
 * What differs is what a store leaves out (target.h).
 *
 * Memory: two batches of assets, one that is filled and one that is written. Both indexes may be
 * of one store, or of one server: nothing is locked between two batches, and assets that are added
 * to the first index meanwhile are not in its snapshot.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/loader.h"
#include "cli/progress.h"
#include "cli/range.h"
#include "cli/say.h"
#include "cli/target.h"
#include "service/service.h"

#include <stdatomic.h>
#include <stdio.h>

enum { BATCH = 10000, PATIENCE_MS = 10000 };

struct copy {
	struct target from, to;
	struct loader *loader;
	_Atomic(struct loader *) running; /* the same, for the thread of signals */
	struct progress progress;
	struct loader_totals totals;
	struct loader_messages messages;
	struct isx_range range;
};

/* On standard error, as standard output has the report for programs. `last` is empty as long as
 * no batch is written: then there is nothing to go on from. */
static void say_how_far(const struct loader_totals *totals)
{
	say_line(stderr, "%zu assets are copied (whole batches)",
		 totals->created + totals->updated);
	if (totals->last[0])
		say_line(stderr, "To go on, run the same command with --after %s", totals->last);
}

/* Runs in the thread of signals; the process exits afterwards. */
static void stop(void *arg)
{
	struct copy *copy = arg;
	struct loader_totals totals = { 0 };
	size_t pending = 0;
	struct loader *loader = atomic_load(&copy->running);
	if (loader)
		loader_halt(loader, PATIENCE_MS, &totals, &pending);
	progress_clear();
	say_how_far(&totals);
	if (loader && !pending)
		isx_close(copy->to.store);
}

/* The reading side. An asset that cannot be read is an error among others. An asset is copied into
 * the arena of its batch, as the cursor keeps it only until the next call. */
static enum isx_status read_assets(struct copy *copy, struct isx_cursor *cursor,
				   struct isx_err *err)
{
	const struct seen_place place = { .path = 1 };
	enum isx_status st = ISX_OK;
	for (uint64_t i = 1; !st; i++) {
		const struct isx_asset *asset = NULL;
		struct isx_asset copied;
		size_t bytes = 0;
		st = isx_cursor_next(cursor, &asset, err);
		if (st == ISX_CORRUPT) {
			loader_error_at(copy->loader, place, err->msg);
			st = ISX_OK;
			continue;
		}
		if (st || !asset)
			break;
		st = isx_asset_copy(asset, loader_arena(copy->loader), &copied, &bytes, err);
		if (!st)
			st = loader_give(copy->loader, &copied, place, err);
		if (i % 256 == 0)
			progress_update(&copy->progress, i, loader_written(copy->loader));
	}
	return st;
}

/* Let an index that is new declare the fields of the first one; one that has assets or fields keeps its own. A
 * store without fields, such as an older server, has none to give or to take. */
static enum isx_status copy_fields(struct copy *copy, struct isx_err *err)
{
	const struct target *from = &copy->from, *to = &copy->to;
	struct isx_index_info info = { 0 };
	char **fields = NULL, **own = NULL;
	size_t count = 0, own_count = 0;
	enum isx_status st = isx_fields_get(from->store, from->name, &fields, &count, err);
	if (st || !count) {
		isx_texts_free(fields, count);
		return st == ISX_UNSUPPORTED ? ISX_OK : st;
	}
	st = isx_index_stat(to->store, to->name, &info, err);
	if (!st && !info.assets)
		st = isx_fields_get(to->store, to->name, &own, &own_count, err);
	if (!st && !info.assets && !own_count)
		st = isx_fields_set(to->store, to->name, (const char *const *)fields, count, NULL,
				    NULL, err);
	if (st == ISX_UNSUPPORTED) {
		say_line(stderr, "Warning: the fields that '%s' declares are not copied: %s",
			 from->name, err->msg);
		st = ISX_OK;
	}
	isx_texts_free(own, own_count);
	isx_texts_free(fields, count);
	isx_index_info_release(&info);
	return st;
}

/* The first index is looked at and its snapshot opened before the loader has a thread, so a
 * failure up to there stores no asset in the second one. The number of assets of a part of an
 * index is not known: the bar is left out. The status of reading wins: loader_give() reports
 * there that the store has failed, too. */
static enum isx_status copy_assets(struct copy *copy, struct isx_err *err)
{
	struct isx_cursor *cursor = NULL;
	struct isx_index_info info = { 0 };
	const struct isx_range *range = &copy->range;
	enum isx_status st = isx_index_stat(copy->from.store, copy->from.name, &info, err);
	if (!st)
		st = target_cursor_open(&copy->from, range, &cursor, err);
	if (!st)
		st = copy_fields(copy, err);
	if (!st)
		st = loader_new(copy->to.store, copy->to.name, BATCH, copy->from.name, false,
				&copy->loader, err);
	if (!st) {
		bool is_all = !range->after && !range->from_us && !range->to_us && !range->has_hub;
		atomic_store(&copy->running, copy->loader);
		progress_start(&copy->progress, is_all ? info.assets : 0);
		enum isx_status read = read_assets(copy, cursor, err);
		st = loader_finish(copy->loader, &copy->totals, &copy->messages, read ? NULL : err);
		st = read ? read : st;
	}
	isx_index_info_release(&info);
	isx_cursor_close(cursor);
	return st;
}

/* The report of `add`, and all errors on standard error. */
static int report(const struct copy *copy)
{
	const struct loader_totals *totals = &copy->totals;
	printf("{\n  \"copied\": %zu,\n  \"created\": %zu,\n  \"updated\": %zu,\n"
	       "  \"errors\": %zu",
	       totals->created + totals->updated, totals->created, totals->updated, totals->errors);
	target_print_left_out(&copy->to, totals->simprints);
	if (totals->errors)
		say_text(stderr,
			 (struct isx_span){ copy->messages.errors.ptr, copy->messages.errors.len });
	target_say_left_out(&copy->to, totals->simprints);
	return totals->errors ? CLI_ERROR : CLI_OK;
}

/* Both stores are opened while signals are watched already: opening a server or a locked index
 * may wait. */
static int run(const struct cli_args *args, struct copy *copy)
{
	struct isx_err err = { 0 };
	const char *from = cli_option_value(args, "--from-uri");
	const char *to = cli_option_value(args, "--to-uri");
	if (!target_open_at(from, args->words[0], false, &copy->from) ||
	    !target_open_at(to, args->words[1], true, &copy->to))
		return CLI_ERROR;
	enum isx_status st = copy_assets(copy, &err);
	progress_end(&copy->progress);
	if (!st)
		return report(copy);
	target_fail(st, &err);
	say_how_far(&copy->totals);
	return CLI_ERROR;
}

/* The loader borrows its store, so it is freed first. */
static int run_copy(const struct cli_args *args)
{
	struct copy copy = { 0 };
	struct isx_arena arena = { 0 };
	struct interrupt interrupt;
	int code = CLI_USAGE;
	if (range_read(args, &arena, &copy.range)) {
		interrupt_watch(&interrupt, stop, &copy);
		code = run(args, &copy);
		interrupt_end(&interrupt);
		loader_free(copy.loader);
		loader_messages_release(&copy.messages);
		target_close(&copy.to);
		target_close(&copy.from);
	}
	isx_arena_release(&arena);
	return code;
}

static const struct cli_option options[] = {
	{ "--from-uri", 0, "URI",
	  "FROM is an index of this store: usearch:///DIR or http://HOST:PORT" },
	{ "--to-uri", 0, "URI", "TO is an index of this store" },
	RANGE_OPTIONS,
};

const struct cli_command command_index_copy = {
	.name = "copy",
	.words = "FROM TO",
	.words_least = 2,
	.words_most = 2,
	.summary = "Copy the assets of an index into another one, of any engine or server",
	.text = "FROM and TO are indexes of the configuration, or of the stores of --from-uri and "
		"--to-uri.\n"
		"TO is created if it does not exist; assets that it has already are replaced. If "
		"TO "
		"is empty, it\n"
		"declares the fields of FROM. FROM is read as of one moment. An interrupted copy "
		"says where to go on: --after "
		"ISCC_ID. " RANGE_HELP "\n"
		"Examples:\n"
		"  iscc-search index copy mylocal production\n"
		"  iscc-search index copy main main --from-uri usearch:///srv/iscc --to-uri "
		"http://host:8000\n\n"
		"Exit status: 0 all assets are copied, 1 error, 130 interrupted, 143 ended by "
		"SIGTERM.\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_copy,
};
