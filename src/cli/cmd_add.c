/*
 * cmd_add.c - add assets from files: .iscc.json (one asset each), .jsonl (one asset a line), or -
 * for lines on standard input.
 *
 * Lines are read as they come, with the memory of two batches. A bad file or line is reported with
 * its name and number, as is a pattern that finds nothing, and the others go in.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/iscc_file.h"
#include "cli/loader.h"
#include "cli/progress.h"
#include "cli/target.h"
#include "json/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILES_BATCH = 100, LINES_BATCH = 20000, SHOWN_WARNINGS = 5 };

struct add {
	struct files_list missing; /* patterns that nothing was found for */
	struct loader *loader;
	struct progress progress;
	uint64_t bytes_done;
	unsigned simprint_bits;
};

static bool has_suffix(const char *path, const char *suffix)
{
	size_t len = strlen(path), wanted = strlen(suffix);
	return len >= wanted && strcmp(path + len - wanted, suffix) == 0;
}

static bool has_lines(const char *path)
{
	return strcmp(path, "-") == 0 || has_suffix(path, ".jsonl") || has_suffix(path, ".ndjson");
}

/* Report something that could not be read; running out of memory ends the command. */
static enum isx_status skip(struct add *add, const char *source, enum isx_status st,
			    const struct isx_err *why, struct isx_err *err)
{
	if (st == ISX_NO_MEMORY)
		return isx_fail_memory(err);
	loader_error(add->loader, source, why->msg);
	return ISX_OK;
}

static enum isx_status add_file(struct add *add, const char *path, struct isx_err *err)
{
	struct isx_buf text = { 0 };
	struct isx_asset asset;
	struct isx_err why = { 0 };
	enum isx_status st = files_read(path, FILES_REGULAR, &text, &why);
	add->bytes_done += text.len;
	if (!st)
		st = iscc_file_read((struct isx_span){ text.ptr, text.len }, path,
				    add->simprint_bits, loader_arena(add->loader), &asset, &why);
	if (st)
		st = skip(add, path, st, &why, err);
	else
		st = loader_give(add->loader, &asset, path, true, err);
	isx_buf_release(&text);
	return st;
}

static enum isx_status add_line(struct add *add, const char *path, size_t number,
				struct isx_span line, struct isx_err *err)
{
	char source[512];
	struct isx_asset asset;
	struct isx_problems problems = { 0 };
	struct isx_err why = { 0 };
	snprintf(source, sizeof source, "%s:%zu", strcmp(path, "-") ? path : "standard input",
		 number);
	enum isx_status st = isx_asset_from_json(line, loader_arena(add->loader), &asset, &problems,
						 &why);
	isx_problems_release(&problems);
	return st ? skip(add, source, st, &why, err)
		  : loader_give(add->loader, &asset, source, false, err);
}

static enum isx_status add_lines(struct add *add, const char *path, struct isx_err *err)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
	char *line = NULL;
	size_t cap = 0, number = 0;
	ssize_t len;
	enum isx_status st = ISX_OK;
	struct isx_err why = { 0 };
	if (!file) {
		st = isx_fail(&why, ISX_IO, "%s", strerror(errno));
		return skip(add, path, st, &why, err);
	}
	while (!st && (len = getline(&line, &cap, file)) >= 0) {
		struct isx_span text = isx_span_trim((struct isx_span){ line, (size_t)len });
		number++;
		add->bytes_done += (uint64_t)len;
		if (number == 1 && isx_span_has_prefix(text, "\xEF\xBB\xBF"))
			text = isx_span_skip(text, 3);
		if (text.len)
			st = add_line(add, path, number, text, err);
		if (number % 256 == 0)
			progress_update(&add->progress, add->bytes_done,
					loader_written(add->loader));
	}
	if (!st && ferror(file)) {
		st = isx_fail(&why, ISX_IO, "%s", strerror(errno));
		st = skip(add, path, st, &why, err);
	}
	isx_mem_free(line); /* getline() allocates with malloc() */
	if (file != stdin)
		fclose(file);
	return st;
}

static enum isx_status add_all(struct add *add, const struct files_list *files, struct isx_err *err)
{
	const char *path = files->paths.ptr, *pattern = add->missing.paths.ptr;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; i < add->missing.count; i++, pattern += strlen(pattern) + 1)
		loader_error(add->loader, pattern, "no files found");
	for (size_t i = 0; !st && i < files->count; i++, path += strlen(path) + 1) {
		st = has_lines(path) ? add_lines(add, path, err) : add_file(add, path, err);
		progress_update(&add->progress, add->bytes_done, loader_written(add->loader));
	}
	return st;
}

/* --- what came of it -------------------------------------------------------------------------- */

/* Print the first lines of a text that ends in a NUL. */
static void print_messages(const struct isx_buf *messages, size_t shown, size_t total)
{
	const char *p = messages->ptr;
	for (size_t i = 0; p && *p && i < shown; i++) {
		const char *end = strchr(p, '\n');
		fprintf(stderr, "  \xE2\x80\xA2 %.*s\n", (int)(end - p), p);
		p = end + 1;
	}
	if (total > shown)
		fprintf(stderr, "  ... and %zu more\n", total - shown);
}

static int report(const struct files_list *files, const struct loader_totals *totals,
		  struct isx_buf *messages)
{
	isx_buf_char(messages, '\0');
	if (totals->created + totals->updated == 0) {
		fprintf(stderr, "No valid assets found\n");
		if (totals->errors)
			fprintf(stderr, "Errors:\n");
		print_messages(messages, SIZE_MAX, totals->errors);
		return CLI_NOTHING_ADDED;
	}
	printf("{\n  \"files_scanned\": %zu,\n  \"assets_added\": %zu,\n  \"created\": %zu,\n"
	       "  \"updated\": %zu,\n  \"errors\": %zu\n}\n",
	       files->count, totals->created + totals->updated, totals->created, totals->updated,
	       totals->errors);
	if (totals->errors) {
		fprintf(stderr, "Warnings:\n");
		print_messages(messages, SHOWN_WARNINGS, totals->errors);
	}
	return CLI_OK;
}

/* --- the command ------------------------------------------------------------------------------ */

/* Bytes of all files, for the bar; 0 when standard input is among them. Sets whether any has lines.
 */
static uint64_t measure(const struct files_list *files, bool *any_lines)
{
	const char *path = files->paths.ptr;
	uint64_t total = 0;
	bool unknown = false;
	for (size_t i = 0; i < files->count; i++, path += strlen(path) + 1) {
		struct stat info;
		*any_lines |= has_lines(path);
		unknown |= strcmp(path, "-") == 0;
		if (stat(path, &info) == 0)
			total += (uint64_t)info.st_size;
	}
	return unknown ? 0 : total;
}

static int load(const struct cli_args *args, const struct files_list *files, struct add *add)
{
	struct target target;
	struct loader_totals totals = { 0 };
	struct isx_buf messages = { 0 };
	struct isx_err err = { 0 };
	bool any_lines = false;
	uint64_t bytes = measure(files, &any_lines);
	unsigned long batch;
	int code = CLI_ERROR;
	if (!cli_option_number(args, "--batch-size", 1, 1000000,
			       any_lines ? LINES_BATCH : FILES_BATCH, &batch))
		return CLI_USAGE;
	if (!target_open(args, &target)) {
		target_close(&target);
		return CLI_ERROR;
	}
	enum isx_status st = loader_new(target.store, target.name, batch,
					cli_option_value(args, "--verbose") != NULL, &add->loader,
					&err);
	if (!st) {
		progress_start(&add->progress, bytes);
		enum isx_status read = add_all(add, files, &err);
		st = loader_finish(add->loader, &totals, &messages, read ? NULL : &err);
		st = read ? read : st;
		progress_end(&add->progress);
	}
	code = st ? target_fail(st, &err) : report(files, &totals, &messages);
	if (st && totals.created + totals.updated)
		fprintf(stderr, "%zu assets were added before\n", totals.created + totals.updated);
	isx_buf_release(&messages);
	target_close(&target);
	return code;
}

/* Find the files of all patterns. Those of patterns without any are missed, unless there are none at
 * all: that is a mistake in the command line. */
static int find_files(const struct cli_args *args, struct files_list *files,
		      struct files_list *missing)
{
	struct isx_err err = { 0 };
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < args->word_count; i++) {
		size_t before = files->count;
		if (strcmp(args->words[i], "-") == 0)
			files_list_add(files, "-");
		else
			st = files_expand(args->words[i], files, &err);
		if (files->count == before)
			files_list_add(missing, args->words[i]);
	}
	if (!st)
		st = isx_buf_status(&files->paths, &err);
	if (!st)
		st = isx_buf_status(&missing->paths, &err);
	if (st)
		return target_fail(st, &err);
	if (files->count)
		return CLI_OK;
	for (size_t i = 0; i < args->word_count; i++)
		fprintf(stderr, "No files found matching: %s\n", args->words[i]);
	return CLI_USAGE;
}

static int run_add(const struct cli_args *args)
{
	struct add add = { 0 };
	struct files_list files = { 0 };
	const char *bits = cli_option_value(args, "--simprint-bits");
	uint64_t number = 0;
	if (bits &&
	    (!isx_span_uint(isx_span_of(bits), 256, &number) || number == 0 || number % 64)) {
		fprintf(stderr, "Invalid --simprint-bits: %s. Must be one of: 64, 128, 192, 256\n",
			bits);
		return CLI_BAD_BITS;
	}
	add.simprint_bits = (unsigned)number;
	int code = find_files(args, &files, &add.missing);
	if (code == CLI_OK)
		code = load(args, &files, &add);
	files_list_release(&add.missing);
	files_list_release(&files);
	return code;
}

static const struct cli_option options[] = {
	{ "--verbose", 'v', NULL, "One line per file" },
	{ "--simprint-bits", 's', "BITS", "Cut simprints to 64, 128, 192 or 256 bits" },
	{ "--batch-size", 'b', "N", "Assets per transaction (100 for files, 20000 for lines)" },
	TARGET_OPTIONS,
};

const struct cli_command command_add = {
	.name = "add",
	.words = "PATTERN...",
	.words_least = 1,
	.words_most = CLI_WORDS_MAX,
	.summary = "Add assets from files, or update those that are there",
	.text = "PATTERN is a file, a folder (all *.iscc.json below it, or else all *.json), a "
		"glob (** for\n"
		"any folders), or - for lines on standard input. A file that ends in .jsonl has "
		"one asset\n"
		"a line, as POST /indexes/{name}/assets takes them; any other file is one asset as "
		"iscc-sdk\n"
		"writes it. A bad file or line, or a PATTERN that nothing is found for, is "
		"reported, and the\n"
		"others go in.\n\n"
		"Examples:\n"
		"  iscc-search add assets.jsonl\n"
		"  iscc-search add 'collection/**/*.iscc.json' --index production\n"
		"  zcat assets.jsonl.gz | iscc-search add -\n\n"
		"Exit status: 0 added, 1 error, 2 nothing found, 3 bad --simprint-bits, 4 nothing "
		"could be added.\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_add,
};
