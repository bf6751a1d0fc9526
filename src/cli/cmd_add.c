/*
 * cmd_add.c - add assets from files: .iscc.json (one asset each), .jsonl (one asset a line),
 *             .parquet (one asset a row), or - for lines on standard input.
 *
 * Lines are streamed, with the memory of two batches. An invalid file or line is reported with its
 * name and number, and so is a pattern that matches nothing; everything else is added. When a
 * signal ends the command, it tells how many assets are stored.
 *
 * Threads: the main thread reads and parses; the loader has a thread that writes; a third one waits
 * for signals (interrupt.h) and calls load_run_interrupted().
 *
 * What is stored is stored in whole batches, in the order of the input: so one place, a file and a
 * line, says what a run that was interrupted has stored, and --resume goes on behind it
 * (resume.h). Files are read one after the other and not in parallel, which would give up that
 * order; reading and writing overlap instead.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/dataset_rows.h"
#include "cli/files.h"
#include "cli/generator.h"
#include "cli/interrupt.h"
#include "cli/iscc_file.h"
#include "cli/lines.h"
#include "cli/load_run.h"
#include "cli/own_id.h"
#include "cli/progress.h"
#include "cli/resume.h"
#include "cli/say.h"
#include "cli/shell.h"
#include "cli/term.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_BATCH = 100, LINES_BATCH = 20000, SHOWN_WARNINGS = 5 };
/* The state of one run. Paths in `files` are addressed by their offset (struct seen_place). */
struct add {
	const struct cli_args *args;
	struct files_list files;
	struct files_list missing; /* patterns without a match */
	struct load_run run;
	struct isx_buf to_go_on;    /* of `run` */
	struct rehearsal rehearsal; /* of --dry-run */
	struct resume resume;
	struct loader_point before; /* what an interrupted run has stored, with --resume */
	struct loader_point now;    /* how far this one has read */
	bool verbose;
	bool all_lines;  /* import: every file has one asset a line, whatever its name is */
	bool stops;      /* --on-error stop */
	bool is_stopped; /* a file or line was refused: read no further */
	struct generation generation;
	struct own_ids own_ids;
	struct progress progress;
	uint64_t bytes_done;
	uint64_t file_bytes;     /* of the Parquet file that is being read */
	struct isx_span columns; /* of --columns */
	struct isx_buf columns_text;
	unsigned simprint_bits;
};

/* Report a file or line that could not be read. Only a lack of memory ends the command. */
static enum isx_status skip(struct add *add, struct seen_place place, enum isx_status st,
			    const struct isx_err *why, struct isx_err *err)
{
	if (st == ISX_NO_MEMORY)
		return isx_fail_memory(err);
	loader_error_at(add->run.loader, place, why->msg);
	add->is_stopped = add->stops;
	return ISX_OK;
}

static const char *path_of(const struct add *add, struct seen_place place)
{
	return add->files.paths.ptr + place.path - 1;
}

/* The JSON of a file: that of an .iscc.json, or what the generator prints.
 *   is_done  filled: there is nothing to add, the ISCC of the file is in an .iscc.json beside it
 * The arena is that of the batch which the loader fills: the asset lives until the batch is
 * stored, and nothing is freed one by one. */
static enum isx_status read_asset(struct add *add, const char *path, struct isx_buf *text,
				  struct isx_asset *asset, bool *is_done, struct isx_err *err)
{
	bool generates = add->generation.command && generator_is_for(path);
	*is_done = false;
	enum isx_status st = generates ? generation_take(&add->generation, path, text, is_done, err)
				       : files_read(path, FILES_REGULAR, text, err);
	if (st || *is_done)
		return st;
	return (generates ? iscc_file_read_generated : iscc_file_read)(
		(struct isx_span){ text->ptr, text->len }, path, add->simprint_bits,
		loader_arena(add->run.loader), asset, err);
}

/* A file is read whole: it is one asset, of at most ISX_FILE_BYTES_MAX. */
static enum isx_status add_file(struct add *add, struct seen_place place, struct isx_err *err)
{
	struct isx_buf text = { 0 };
	struct isx_asset asset = { 0 };
	struct isx_err why = { 0 };
	bool is_done;
	enum isx_status st = read_asset(add, path_of(add, place), &text, &asset, &is_done, &why);
	add->bytes_done += text.len;
	if (!st && !is_done && !asset.iscc_id)
		st = own_ids_find(&add->own_ids, &add->run.target, add->run.loader, &asset, place,
				  &why);
	if (st)
		st = skip(add, place, st, &why, err);
	else if (!is_done)
		st = loader_give(add->run.loader, &asset, place, err);
	isx_buf_release(&text);
	return st;
}

/* Parse one line and hand it over. Fails only if the store or the memory does: a wrong line is
 * counted. */
static enum isx_status add_line(struct add *add, struct seen_place place, struct isx_span line,
				struct isx_err *err)
{
	struct isx_asset asset = { 0 };
	struct isx_err why = { 0 };
	enum isx_status st = lines_read_asset(line, loader_arena(add->run.loader), &asset, &why);
	add->now.line_hash = resume_line_hash(line);
	return st ? skip(add, place, st, &why, err)
		  : loader_give(add->run.loader, &asset, place, err);
}

/* Is `path` itself an argument, and not found in a folder or by a glob? Then it may be a FIFO: the
 * user who names it knows that reading waits for a writer. */
static bool is_word(const struct add *add, const char *path)
{
	for (size_t i = 0; i < add->args->word_count; i++)
		if (strcmp(add->args->words[i], path) == 0)
			return true;
	return false;
}

/* Read up to the line with which an interrupted run has stopped. ISX_INVALID: this input has
 * another line there, or ends before, so it is not known what of it is stored. The lines are read,
 * but not parsed: a compressed file has no other way to a line. The hash of that one line finds
 * out most mistakes, such as a list that was sorted anew. */
static enum isx_status skip_lines(struct add *add, struct seen_place place, struct lines *lines,
				  struct isx_err *err)
{
	struct isx_span line = { 0 };
	struct isx_buf name = { 0 };
	const struct loader_point *before = &add->before;
	enum isx_status st = ISX_OK;
	while (!st && lines->number < before->line) {
		st = lines_next(lines, &line, err);
		if (line.len == 0)
			break;
		if (lines->number % 256 == 0)
			progress_update(&add->progress, add->bytes_done + lines->bytes, 0);
	}
	if (st || (line.len && lines->number == before->line &&
		   (!before->line_hash || resume_line_hash(line) == before->line_hash)))
		return st;
	loader_add_place(add->run.loader, &name, (struct seen_place){ place.path, before->line });
	st = isx_fail(err, ISX_INVALID,
		      "%.*s: expected the line with which the interrupted run has stopped. Give "
		      "the same input again, or leave out --resume",
		      (int)name.len, name.len ? name.ptr : "");
	isx_buf_release(&name);
	return st;
}

/* Each line is parsed and handed to the loader as it arrives. A fault of the file, for example
 * UTF-16, ends this file only. */
static enum isx_status add_lines(struct add *add, struct seen_place place, struct isx_err *err)
{
	struct lines lines;
	struct isx_span line = { 0 };
	struct isx_err why = { 0 };
	const char *path = path_of(add, place);
	enum files_kind kind = is_word(add, path) ? FILES_ALSO_FIFO : FILES_REGULAR;
	enum isx_status st = ISX_OK, read = lines_open(path, kind, &lines, &why);
	uint64_t before = add->bytes_done;
	if (!read && add->now.file == add->before.file)
		st = skip_lines(add, place, &lines, err);
	while (!st && !read && !add->is_stopped) {
		read = lines_next(&lines, &line, &why);
		if (read || line.len == 0)
			break;
		struct seen_place here = { place.path, (uint32_t)lines.number };
		st = add_line(add, here, line, err);
		add->bytes_done = before + lines.bytes;
		if (lines.number % 256 == 0) {
			progress_update(&add->progress, add->bytes_done,
					loader_written(add->run.loader));
			add->is_stopped |= loader_has_stopped(add->run.loader);
		}
	}
	/* Behind a line that was read, the fault is in the next one: a compressed file that is cut off. */
	if (lines.has_begun)
		place.line = (uint32_t)lines.number + 1;
	lines_close(&lines);
	return st || !read ? st : skip(add, place, read, &why, err);
}

/* By the name, in any case: the file is opened later, and its content is checked then. */
static bool is_parquet(const char *path)
{
	const char *suffix = strrchr(path, '.');
	return suffix && strcasecmp(suffix, ".parquet") == 0;
}

/* Bytes and not rows are what the bar counts, as it covers files of all kinds; the rows of a
 * Parquet file are taken to be of equal size. */
static void show_rows(void *arg, uint64_t rows_done, uint64_t rows_total)
{
	struct add *add = arg;
	double part = rows_total ? (double)rows_done / (double)rows_total : 0;
	progress_update(&add->progress,
			add->bytes_done + (uint64_t)(part * (double)add->file_bytes),
			loader_written(add->run.loader));
}

/* Each row is an asset. Its ISCC-ID is made of the path of the file, as the file is known by it. */
static enum isx_status add_parquet(struct add *add, struct seen_place place, struct isx_err *err)
{
	char absolute[PATH_MAX];
	struct stat info;
	const char *path = path_of(add, place);
	files_absolute(path, absolute);
	struct dataset_rows rows = { .file = absolute,
				     .local = path,
				     .loader = add->run.loader,
				     .place = place,
				     .rows_max = UINT64_MAX,
				     .rows_before = add->now.file == add->before.file
							    ? add->before.line
							    : 0,
				     .columns = add->columns,
				     .progress = show_rows,
				     .progress_arg = add };
	add->file_bytes = stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
	enum isx_status st = dataset_rows_load(&rows, err);
	add->bytes_done += add->file_bytes;
	return st;
}

/* Are all assets of the file that is read now stored by an interrupted run? Line 0 of a place
 * means the whole file: files of one asset, which have no lines. */
static bool is_stored(const struct add *add)
{
	return add->now.file < add->before.file ||
	       (add->now.file == add->before.file && !add->before.line);
}

/* By the name of the file alone: opening each file to look at its beginning would read a folder of
 * a hundred thousand files twice. */
static enum isx_status add_one(struct add *add, struct seen_place place, struct isx_err *err)
{
	const char *path = path_of(add, place);
	if (add->all_lines || lines_are_in(path))
		return add_lines(add, place, err);
	return is_parquet(path) ? add_parquet(add, place, err) : add_file(add, place, err);
}

/* Offsets of paths in the list, plus 1, are their places: 0 is no place. */
static enum isx_status add_all(struct add *add, struct isx_err *err)
{
	const char *pattern = add->missing.paths.ptr;
	size_t at = 0;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; i < add->missing.count; i++, pattern += strlen(pattern) + 1)
		loader_error(add->run.loader, pattern, "no files found");
	for (size_t i = 0; !st && !add->is_stopped && i < add->files.count; i++) {
		struct seen_place place = { (uint32_t)at + 1, 0 };
		const char *path = path_of(add, place);
		at += strlen(path) + 1;
		add->now.file = i + 1;
		add->now.line_hash = 0;
		if (add->resume.path[0])
			add->now.files_hash = resume_add_file(add->now.files_hash, path);
		if (is_stored(add)) { /* no generator is started for it, either */
			add->generation.ahead = add->files.paths.ptr + at;
			add->generation.ahead_count = add->files.count - i - 1;
			continue;
		}
		st = add_one(add, place, err);
		progress_update(&add->progress, add->bytes_done, loader_written(add->run.loader));
	}
	return st;
}

/* --- reporting -------------------------------------------------------------------------------- */

/* The places of duplicates; with --verbose all that the loader has kept. */
static void print_duplicates(const struct add *add)
{
	char title[160];
	size_t count = add->run.totals.duplicates;
	if (count == 0)
		return;
	snprintf(title, sizeof title,
		 "Duplicates: %zu asset%s the ISCC-ID of another one of this run; the last one "
		 "counts:",
		 count, count == 1 ? " has" : "s have");
	load_run_print(title, &add->run.messages.duplicates,
		       add->verbose ? SIZE_MAX : SHOWN_WARNINGS, count);
}

/* On a terminal: "Added 2,400 assets to index 'default': 2,398 new, 2 updated." With --dry-run:
 * "Would add ...". */
static void print_sentence(const struct add *add)
{
	const struct loader_totals *totals = &add->run.totals;
	char all[32], created[32], updated[32], errors[32];
	size_t count = totals->created + totals->updated;
	say(stdout, "%s %s asset%s to index '%s': %s new, %s updated",
	    add->run.rehearsal ? "Would add" : "Added", term_count(count, all),
	    count == 1 ? "" : "s", add->run.target.name, term_count(totals->created, created),
	    term_count(totals->updated, updated));
	if (totals->errors)
		printf(", %s%s error%s%s", term_style(stdout, TERM_BAD),
		       term_count(totals->errors, errors), totals->errors == 1 ? "" : "s",
		       term_style(stdout, TERM_PLAIN));
	printf(".\n");
}

/* In a pipe: JSON with the members of 0.3.3, and "dry_run" if it is one. */
static void print_report(const struct add *add)
{
	const struct loader_totals *totals = &add->run.totals;
	printf("{\n  \"files_scanned\": %zu,\n  \"assets_added\": %zu,\n  \"created\": %zu,\n"
	       "  \"updated\": %zu,\n  \"errors\": %zu%s",
	       add->files.count, totals->created + totals->updated, totals->created,
	       totals->updated, totals->errors, add->run.rehearsal ? ",\n  \"dry_run\": true" : "");
	target_print_left_out(&add->run.target, totals->simprints);
}

/* The report goes to standard output, lists go to standard error. A run that has stored nothing
 * has an exit status of its own, so that a script notices a folder without assets. */
static int report(const struct add *add)
{
	const struct loader_totals *totals = &add->run.totals;
	/* An interrupted run may have stored all there is. */
	if (totals->created + totals->updated == 0 && (!add->before.file || totals->errors)) {
		fprintf(stderr, "No valid assets found\n");
		if (totals->errors)
			load_run_print("Errors:", &add->run.messages.errors, SIZE_MAX,
				       totals->errors);
		return CLI_NOTHING_ADDED;
	}
	if (term_width())
		print_sentence(add);
	else
		print_report(add);
	if (totals->errors)
		load_run_print("Warnings:", &add->run.messages.errors, SHOWN_WARNINGS,
			       totals->errors);
	print_duplicates(add);
	bool has_stopped = add->stops && totals->errors;
	if (has_stopped)
		fprintf(stderr, "Stopped at the first error%s\n",
			add->run.rehearsal ? "" : ": what stands before it is stored");
	target_say_left_out(&add->run.target, totals->simprints);
	return has_stopped ? CLI_ERROR : CLI_OK;
}

/* --- the command ------------------------------------------------------------------------------ */

/* The bytes of the files behind the first `skipped`, for the progress bar; 0 if unknown, for
 * example with standard input. Sets `*any_lines` if any file has one asset per line or row, which
 * decides the default size of batches. A total that leaves out a file would let the bar pass its
 * end, so it is all or nothing. */
static uint64_t measure(const struct files_list *files, uint64_t skipped, bool *any_lines)
{
	const char *path = files->paths.ptr;
	uint64_t total = 0;
	bool unknown = false;
	for (size_t i = 0; i < files->count; i++, path += strlen(path) + 1) {
		struct stat info;
		*any_lines |= lines_are_in(path) || is_parquet(path);
		if (i < skipped)
			continue;
		if (!files_is_descriptor(path) && stat(path, &info) == 0 && S_ISREG(info.st_mode))
			total += (uint64_t)info.st_size;
		else
			unknown = true;
	}
	return unknown ? 0 : total;
}

/* With --resume, find how far an interrupted run came. */
static void find_before(struct add *add)
{
	struct isx_buf place = { 0 };
	const char *path = add->files.paths.ptr;
	resume_begin(&add->resume, &add->run.target, add->args);
	if (!cli_option_value(add->args, "--resume") ||
	    !resume_find(&add->resume, &add->run.target, &add->files, &add->before))
		return;
	for (uint64_t i = 1; i < add->before.file; i++)
		path += strlen(path) + 1;
	isx_buf_text(&place, strcmp(path, "-") ? path : "standard input");
	if (add->before.line)
		isx_buf_printf(&place, ":%u", add->before.line);
	say_line(stderr, "Going on behind %.*s, up to which all is stored", (int)place.len,
		 place.len ? place.ptr : "");
	isx_buf_release(&place);
}

/* Returns after the last batch is stored. Totals and messages are filled also on failure. Files
 * that are known to be stored do not count for the progress bar, but a file of which a part is
 * stored does: its lines are read again. */
static int load_batches(struct add *add, size_t batch_assets)
{
	struct isx_err err = { 0 };
	bool any_lines = false; /* was looked at before */
	uint64_t whole = add->before.file - (add->before.line > 0);
	uint64_t bytes = measure(&add->files, whole, &any_lines);
	enum isx_status st = load_run_start(&add->run, batch_assets, add->files.paths.ptr,
					    add->verbose, &err);
	if (!st) {
		loader_set_stops(add->run.loader, add->stops);
		if (!add->run.rehearsal)
			loader_set_stored(add->run.loader, &add->now, resume_stored, &add->resume);
		progress_start(&add->progress, bytes);
		st = load_run_finish(&add->run, add_all(add, &err), &err);
	}
	return st ? target_fail(st, &err) : CLI_OK;
}

/* The command that goes on, for the last line after an interruption or a failure. Made before the
 * run: the thread that is woken by a signal only prints it, and has nothing to allocate when
 * memory may be short. */
static void set_to_go_on(struct add *add)
{
	bool is_input = false;
	for (size_t i = 0; i < add->args->word_count; i++)
		is_input |= strcmp(add->args->words[i], "-") == 0;
	isx_buf_printf(&add->to_go_on, "To go on, run the same command again with --resume%s: ",
		       is_input ? " and the same standard input" : "");
	shell_add_command(&add->to_go_on, add->args, "--resume");
	isx_buf_text(&add->to_go_on, " --resume");
	isx_buf_char(&add->to_go_on, '\0');
	add->run.to_go_on = add->to_go_on.failed ? "To go on, run the same command with --resume"
						 : add->to_go_on.ptr;
}

/* Signals are watched before the store is opened: opening may wait, and must be interruptible. */
static int load(const struct cli_args *args, struct add *add)
{
	struct interrupt interrupt;
	bool any_lines = false;
	unsigned long batch;
	int code = CLI_ERROR;
	measure(&add->files, UINT64_MAX, &any_lines);
	if (!cli_option_number(args, "--batch-size", 1, 1000000,
			       any_lines || add->all_lines ? LINES_BATCH : FILES_BATCH, &batch))
		return CLI_USAGE;
	add->verbose = cli_option_value(args, "--verbose") != NULL;
	set_to_go_on(add);
	interrupt_watch(&interrupt, load_run_interrupted, &add->run);
	if (cli_option_value(args, "--dry-run")) {
		add->rehearsal.target = &add->run.target;
		add->run.rehearsal = &add->rehearsal;
	}
	bool is_open = (add->run.rehearsal ? target_open_to_look : target_open)(args,
										&add->run.target);
	if (is_open) {
		find_before(add);
		code = load_batches(add, batch);
	}
	interrupt_end(&interrupt);
	/* The bar is erased before the report is printed. */
	progress_end(&add->progress);
	if (is_open && code == CLI_OK)
		code = report(add);
	/* After a failure, earlier batches stay stored. */
	else if (!add->run.rehearsal && add->run.totals.created + add->run.totals.updated) {
		fprintf(stderr, "%zu assets were added before\n",
			add->run.totals.created + add->run.totals.updated);
		load_run_say_how_far(&add->run, add->run.loader, &add->run.totals);
	}
	resume_end(&add->resume, code == CLI_OK && !add->run.rehearsal);
	own_ids_release(&add->own_ids);
	rehearsal_release(&add->rehearsal);
	load_run_release(&add->run);
	isx_buf_release(&add->to_go_on);
	return code;
}

/* Add the files of a pattern. With a generator every file of a folder is one. */
static enum isx_status expand(const char *word, bool generates, struct files_list *files,
			      struct isx_err *err)
{
	struct stat info;
	char deep[PATH_MAX];
	bool is_folder = stat(word, &info) == 0 && S_ISDIR(info.st_mode);
	if (generates && is_folder && snprintf(deep, sizeof deep, "%s/**/*", word) < PATH_MAX)
		return files_expand(deep, files, err);
	return files_expand(word, files, err);
}

/* Find the files of all patterns. Patterns without a match are reported later, as errors among
 * others; but if no pattern matches, that is a usage error. */
static int find_files(const struct cli_args *args, bool generates, struct files_list *files,
		      struct files_list *missing)
{
	struct isx_err err = { 0 };
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < args->word_count; i++) {
		size_t before = files->count;
		if (strcmp(args->words[i], "-") == 0)
			files_list_add(files, "-");
		else
			st = expand(args->words[i], generates, files, &err);
		if (files->count == before)
			files_list_add(missing, args->words[i]);
	}
	if (!st)
		st = isx_buf_status(&files->paths, &err);
	if (!st)
		st = isx_buf_status(&missing->paths, &err);
	/* Places are offsets of 32 bits (struct seen_place). */
	if (!st && files->paths.len >= UINT32_MAX)
		st = isx_fail(&err, ISX_TOO_LARGE,
			      "%zu files: their paths are longer than 4 GiB together. Add them in "
			      "several runs",
			      files->count);
	if (st)
		return target_fail(st, &err);
	if (files->count)
		return CLI_OK;
	for (size_t i = 0; i < args->word_count; i++)
		say_line(stderr, "No files found matching: %s", args->words[i]);
	return CLI_USAGE;
}

/* Columns, bits and files are checked before the store is opened: a typing error must not create
 * an index. */
static int run_add(const struct cli_args *args)
{
	struct add add = { .args = args };
	const char *bits = cli_option_value(args, "--simprint-bits");
	uint64_t number = 0;
	if (bits &&
	    (!isx_span_uint(isx_span_of(bits), 256, &number) || number == 0 || number % 64)) {
		say_line(stderr, "Invalid --simprint-bits: %s. Must be one of: 64, 128, 192, 256",
			 bits);
		return CLI_BAD_BITS;
	}
	add.simprint_bits = (unsigned)number;
	struct settings settings;
	struct isx_err err = { 0 };
	if (settings_read(&settings, &err) ||
	    dataset_rows_columns(args, &add.columns_text, &add.columns, &err))
		return target_fail(err.status, &err);
	const char *given = cli_option_value(args, "--generator");
	const char *command = given ? given : settings.generator;
	int code = find_files(args, command && command[0], &add.files, &add.missing);
	generation_init(&add.generation, command, settings.generator_timeout_s, add.files.paths.ptr,
			add.files.count);
	if (code == CLI_OK)
		code = load(args, &add);
	generation_release(&add.generation);
	isx_buf_release(&add.columns_text);
	files_list_release(&add.missing);
	files_list_release(&add.files);
	return code;
}

/* Standard input if no file is named. It is `add` with another reading of its files: batches,
 * --resume and reports are the same code. */
static int run_import(const struct cli_args *args)
{
	static const char *const standard_input[] = { "-" };
	struct cli_args own = *args;
	struct add add = { .args = &own, .all_lines = true };
	const char *on_error = cli_option_value(args, "--on-error");
	if (!args->word_count) {
		own.words = standard_input;
		own.word_count = 1;
	}
	if (on_error && strcmp(on_error, "skip") != 0 && strcmp(on_error, "stop") != 0) {
		say_line(stderr, "Error: --on-error %s: expected skip or stop", on_error);
		return CLI_USAGE;
	}
	add.stops = on_error && strcmp(on_error, "stop") == 0;
	int code = find_files(&own, false, &add.files, &add.missing);
	if (code == CLI_OK)
		code = load(&own, &add);
	files_list_release(&add.missing);
	files_list_release(&add.files);
	return code;
}

#define RESUME_OPTION                                                                              \
	{                                                                                          \
		"--resume", 'r', NULL, "Leave out what an interrupted run of this command stored"  \
	}
#define DRY_RUN_OPTION                                                                             \
	{                                                                                          \
		"--dry-run", 'n', NULL,                                                            \
			"Read and check all of it, and count what would be added; write nothing"   \
	}

static const struct cli_option import_options[] = {
	{ "--on-error", 0, "WHAT",
	  "skip: report a wrong line and go on (default); stop: end there" },
	{ "--batch-size", 'b', "N", "Assets per transaction (default: 20000)" },
	RESUME_OPTION,
	DRY_RUN_OPTION,
	TARGET_OPTIONS,
};

const struct cli_command command_import = {
	.name = "import",
	.words = "[FILE...]",
	.words_most = CLI_WORDS_MAX,
	.summary = "Add the assets that export has written",
	.text = "FILE has one asset a line, whatever its name is, and may be compressed with gzip "
		"or "
		"zstd.\n"
		"Without FILE, or with -, lines are read from standard input. Assets that are in "
		"the "
		"index\n"
		"already are replaced. An interrupted import tells how many assets it has stored; "
		"with "
		"--resume\nthe same command goes on behind them.\n\n"
		"Examples:\n"
		"  iscc-search import assets.jsonl.zst --index copy\n"
		"  iscc-search export | iscc-search import --uri http://localhost:8000\n\n"
		"Exit status: 0 imported, 1 error, or --on-error stop has stopped, 2 no file "
		"found, 4 "
		"no asset\ncould be added, 130 interrupted, 143 ended by SIGTERM.\n",
	.options = import_options,
	.option_count = sizeof import_options / sizeof import_options[0],
	.run = run_import,
};

static const struct cli_option options[] = {
	{ "--verbose", 'v', NULL, "Print one line per file" },
	{ "--simprint-bits", 's', "BITS", "Truncate simprints to 64, 128, 192 or 256 bits" },
	{ "--batch-size", 'b', "N",
	  "Assets per transaction (default: 100 for files, 20000 for lines and rows)" },
	RESUME_OPTION,
	DRY_RUN_OPTION,
	DATASET_ROWS_OPTION,
	GENERATOR_OPTION,
	TARGET_OPTIONS,
};

const struct cli_command command_add = {
	.name = "add",
	.words = "PATTERN...",
	.words_least = 1,
	.words_most = CLI_WORDS_MAX,
	.summary = "Add assets from files, or update existing assets",
	.text = "PATTERN is a file, a folder (all *.iscc.json below it, or else all *.json), a "
		"glob (**\n"
		"matches any number of folders), or - for lines on standard input. A .jsonl file "
		"has one\n"
		"asset per line, as POST /indexes/{name}/assets takes them. A .parquet file has "
		"one "
		"asset per\n"
		"row, with the columns that 'iscc-search hub' reads; its ISCC-ID is in the column "
		"iscc_id, or\n"
		"made of the path of the file and the row. Any other file is one asset as\n"
		"iscc-sdk writes it (without an iscc_id it gets one of this machine, and the same "
		"file again is an update). An invalid file or line is reported, and so is a "
		"PATTERN that "
		"matches\n"
		"nothing; everything else is added. Assets of one run with the same ISCC-ID are "
		"reported;\n"
		"the last one is stored. An interrupted add tells how many assets it has stored; "
		"with\n"
		"--resume the same command goes on behind them, also after a crash.\n\n"
		"Examples:\n"
		"  iscc-search add examples/assets.jsonl\n"
		"  iscc-search add 'collection/**/*.iscc.json' --index production\n"
		"  zcat assets.jsonl.gz | iscc-search add -\n\n"
		"Exit status: 0 added, 1 error, 2 no file found, 3 invalid --simprint-bits, 4 no "
		"asset could\nbe added, 130 interrupted, 143 ended by SIGTERM.\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_add,
};
