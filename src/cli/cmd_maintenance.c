/*
 * cmd_maintenance.c - the commands `index backup`, `index compact` and `index check`.
 *
 * The work is done by the library; here are options, progress and reports. Must not know how an
 * index is stored.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/target.h"
#include "json/json_text.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* isx_index_backup() and isx_index_compact() call this while they copy. */
static void draw_copy(uint64_t bytes_done, uint64_t bytes_total, void *arg)
{
	progress_copied(arg, bytes_done, bytes_total);
}

static double mebibytes(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* --- backup ----------------------------------------------------------------------------------- */

/* A backup writes nothing to the store, so it is opened read-only. */
static int run_backup(const struct cli_args *args)
{
	struct target target;
	struct progress progress;
	struct isx_err err = { 0 };
	char path[PATH_MAX];
	int code = CLI_ERROR;
	if (target_open_existing(args, args->words[0], true, &target)) {
		/* The message shows where the backup is, wherever the command ran. */
		files_absolute(args->words[1], path);
		progress_start(&progress, 0);
		enum isx_status st = isx_index_backup(target.store, target.name, path,
						      cli_option_value(args, "--force") != NULL,
						      draw_copy, &progress, &err);
		progress_end(&progress);
		if (st == ISX_EXISTS)
			say_line(stderr, "Error: %s: --force replaces it", err.msg);
		else if (st)
			target_fail(st, &err);
		else
			say_line(stdout, "Backed up index '%s' to %s", target.name, path);
		code = st ? CLI_ERROR : CLI_OK;
	}
	target_close(&target);
	return code;
}

static const struct cli_option backup_options[] = {
	{ "--force", 'f', NULL, "Replace FILE if it exists" },
	TARGET_URI_OPTION,
};

const struct cli_command command_index_backup = {
	.name = "backup",
	.words = "NAME FILE",
	.words_least = 2,
	.words_most = 2,
	.summary = "Copy an index while other processes use it",
	.text = "FILE is a snapshot of one moment. It appears when it is complete, on disk and "
		"checked; a\n"
		"damaged index is not copied. To restore a backup while servers run (the index "
		"is then that of\nthe backup):\n"
		"  usearch:///DIR  mkdir -p DIR/NAME && cp FILE DIR/NAME/next && mv DIR/NAME/next "
		"DIR/NAME/index.lmdb\n"
		"  lmdb:///DIR     cp FILE DIR/next && mv DIR/next DIR/NAME.lmdb\n"
		"Never copy onto the file of an index: other processes read it while it is "
		"overwritten.\n\n"
		"Examples:\n"
		"  iscc-search index backup default /backup/default.lmdb\n"
		"  iscc-search index backup main b.lmdb --force --uri usearch:///srv/iscc\n",
	.options = backup_options,
	.option_count = sizeof backup_options / sizeof backup_options[0],
	.run = run_backup,
};

/* --- compact ---------------------------------------------------------------------------------- */

/* Opened for writing, but an index that does not exist is not created. */
static int run_compact(const struct cli_args *args)
{
	struct target target;
	struct progress progress;
	struct isx_compaction done;
	struct isx_err err = { 0 };
	int code = CLI_ERROR;
	if (target_open_existing(args, args->words[0], false, &target)) {
		progress_start(&progress, 0);
		enum isx_status st = isx_index_compact(target.store, target.name, &done, draw_copy,
						       &progress, &err);
		progress_end(&progress);
		if (!st)
			say_line(stdout, "Compacted index '%s': %.1f MiB before, %.1f MiB now",
				 target.name, mebibytes(done.bytes_before),
				 mebibytes(done.bytes_after));
		code = st ? target_fail(st, &err) : CLI_OK;
	}
	target_close(&target);
	return code;
}

static const struct cli_option compact_options[] = { TARGET_URI_OPTION };

const struct cli_command command_index_compact = {
	.name = "compact",
	.words = "NAME",
	.words_least = 1,
	.words_most = 1,
	.summary = "Return the free space of an index to the disk",
	.text = "Copies the pages in use to a new file, which replaces the old one. Other "
		"processes may\n"
		"read meanwhile; writers wait. The disk needs room for the copy. A damaged index "
		"is left\n"
		"unchanged. 0.3.3 must not have the index open.\n\n"
		"Examples:\n"
		"  iscc-search index compact default\n"
		"  iscc-search index compact main --uri lmdb:///srv/iscc\n",
	.options = compact_options,
	.option_count = sizeof compact_options / sizeof compact_options[0],
	.run = run_compact,
};

/* --- check ------------------------------------------------------------------------------------ */

enum { SHOWN_MAX = 100 }; /* findings that are printed; all are counted */

/* Collects findings: lines on standard output at once, or the elements of a JSON array. */
struct findings {
	bool as_json;
	size_t count;
	struct isx_buf json;
};

/* isx_index_check() calls this for each finding. Beyond SHOWN_MAX they are only counted. A damaged
 * index may have millions of them, of which a person reads the first; the number tells the rest. */
static void show_finding(const char *text, void *arg)
{
	struct findings *findings = arg;
	if (findings->count++ >= SHOWN_MAX)
		return;
	if (!findings->as_json) {
		say_line(stdout, "%s", text);
		return;
	}
	if (findings->json.len)
		isx_buf_text(&findings->json, ", ");
	isx_json_quote(&findings->json, isx_span_of(text));
}

/* Print the object of --json. `failure` is the error that ended the check early, or NULL. Fails
 * without memory only. */
static enum isx_status show_json_report(const char *name, const struct isx_check *report,
					const struct findings *findings,
					const struct isx_err *failure, struct isx_err *err)
{
	struct isx_buf out = { 0 };
	isx_buf_text(&out, "{\"index\": ");
	isx_json_quote(&out, isx_span_of(name));
	isx_buf_printf(&out,
		       ", \"pages\": %" PRIu64 ", \"assets\": %" PRIu64 ", \"rows\": %" PRIu64
		       ", \"unsearchable\": %" PRIu64 ", \"derived\": %s, \"findings\": %" PRIu64
		       ", \"messages\": [",
		       report->pages, report->assets, report->rows, report->unsearchable,
		       report->is_derived ? "true" : "false", report->findings);
	/* The findings are quoted and separated already (show_finding()). */
	isx_buf_add(&out, findings->json.ptr, findings->json.len);
	isx_buf_char(&out, ']');
	if (failure) {
		isx_buf_text(&out, ", \"error\": ");
		isx_json_quote(&out, isx_span_of(failure->msg));
	}
	isx_buf_char(&out, '}');
	enum isx_status st = findings->json.failed ? isx_fail_memory(err)
						   : isx_buf_status(&out, err);
	if (!st)
		say_json((struct isx_span){ out.ptr, out.len });
	isx_buf_release(&out);
	return st;
}

/* The report in words. Rows that 0.3.3 wrote last are not compared: the next use rebuilds them. */
static void show_report(const char *name, const struct isx_check *report,
			const struct findings *findings)
{
	/* printf() formats of uint64_t differ between systems. */
	unsigned long long pages = report->pages, assets = report->assets, rows = report->rows,
			   odd = report->unsearchable, found = report->findings;
	if (findings->count > SHOWN_MAX)
		printf("... and %zu more\n", findings->count - SHOWN_MAX);
	if (!found && !report->is_derived)
		printf("0.3.3 wrote last: rows are made again at the next use, and were not "
		       "compared\n");
	if (odd)
		printf("%llu assets have units that cannot be decoded; they are not searchable\n",
		       odd);
	say_line(stdout, "Checked index '%s': %llu pages, %llu assets, %llu rows: %llu findings",
		 name, pages, assets, rows, found);
}

/* Exit code 1 for findings as well as for failures: scripts need not tell them apart. */
static int check(const struct target *target, struct findings *findings)
{
	struct isx_check report = { 0 };
	struct isx_err err = { 0 }, why = { 0 };
	enum isx_status st = isx_index_check(target->store, target->name, &report, show_finding,
					     findings, &why);
	int code = st ? target_fail(st, &why) : report.findings ? CLI_ERROR : CLI_OK;
	if (findings->as_json) {
		/* With --json the message becomes a finding, too: scripts need not read standard
		 * error. */
		if (st == ISX_CORRUPT) {
			show_finding(why.msg, findings);
			report.findings++;
		}
		st = show_json_report(target->name, &report, findings, st ? &why : NULL, &err);
		code = st ? target_fail(st, &err) : code;
	} else if (!st) {
		show_report(target->name, &report, findings);
	}
	return code;
}

/* Opened read-only: a check must not change what it checks. */
static int run_check(const struct cli_args *args)
{
	struct target target;
	struct findings findings = { .as_json = cli_option_value(args, "--json") != NULL };
	int code = CLI_ERROR;
	if (target_open_existing(args, args->words[0], true, &target))
		code = check(&target, &findings);
	isx_buf_release(&findings.json);
	target_close(&target);
	return code;
}

static const struct cli_option check_options[] = {
	{ "--json", 'j', NULL, "Print one JSON object" },
	TARGET_URI_OPTION,
};

const struct cli_command command_index_check = {
	.name = "check",
	.words = "NAME",
	.words_least = 1,
	.words_most = 1,
	.summary = "Check the integrity of an index",
	.text = "Verifies the pages of the file, the order and lengths of rows, that every asset "
		"can be\n"
		"read and has its rows, and that every row belongs to an asset. Writes nothing; "
		"other\n"
		"processes may read and write meanwhile. Prints at most 100 findings; the exit "
		"status is 1\n"
		"if there are any.\n\n"
		"Examples:\n"
		"  iscc-search index check default\n"
		"  iscc-search index check main --json --uri usearch:///srv/iscc\n",
	.options = check_options,
	.option_count = sizeof check_options / sizeof check_options[0],
	.run = run_check,
};
