/*
 * cmd_hub.c - the command `hub`: loads a data set of ISCCs, file by file.
 *
 * A file that cannot be downloaded or read, and a row that cannot be stored, is counted and reported; the rest
 * goes on. The index is registered before anything is asked for, as in 0.3.3.
 * Built for data sets of some thousand files: the list of all files is in memory, the rows of one
 * file are streamed. Files are loaded in the order of their paths, so that --limit and --resume
 * see the same rows in each run. Must not know HTTP, the cache (dataset_client.h) and columns
 * (dataset_rows.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/dataset_client.h"
#include "cli/dataset_rows.h"
#include "cli/files.h"
#include "cli/interrupt.h"
#include "cli/load_run.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "json/json.h"
#include "json/json_pretty.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { NAME_MAX_CHARS = 32, SHOWN_ERRORS = 5, CLI_NO_FILES = 2, REPO_CHARS_MAX = 96 };

/* A file of the data set, with its place in the list of paths that the loader knows. */
struct hub_file {
	struct dataset_file file;
	struct seen_place place;
};

struct hub {
	const struct cli_args *args;
	const char *repo, *split;
	char name[NAME_MAX_CHARS + 1]; /* of the index, made of `repo` */
	unsigned long rows_max, batch_assets;
	struct load_run run;
	struct dataset_client client;
	struct isx_buf listing; /* JSON of all files */
	struct isx_arena arena;
	struct hub_file *files; /* those that are loaded, sorted by path */
	size_t file_count;
	struct files_list paths; /* of `files` */
	struct isx_span columns; /* of --columns */
	struct isx_buf columns_text;
	struct progress progress;
	uint64_t rows_read, rows_skipped;
};

/* --- names ------------------------------------------------------------------------------------ */

/* The last part of the repository in lower case, letters and digits only, without "iscc" in front:
 * iscc/iscc-flickr30k is flickr30k. False if no name of an index is left. */
static bool derive_name(const char *repo, char name[NAME_MAX_CHARS + 1])
{
	const char *last = strrchr(repo, '/');
	char *plain = isx_mem_text(repo, strlen(repo));
	size_t len = 0, skip;
	for (const char *p = last ? last + 1 : repo; plain && *p; p++)
		if ((unsigned char)*p < 0x80 && isalnum((unsigned char)*p))
			plain[len++] = (char)tolower((unsigned char)*p);
	skip = plain && len > 4 && strncmp(plain, "iscc", 4) == 0 ? 4 : 0;
	snprintf(name, NAME_MAX_CHARS + 1, "%.*s", (int)(len - skip), plain ? plain + skip : "");
	isx_mem_free(plain);
	return name[0] >= 'a' && name[0] <= 'z';
}

/* OWNER/NAME or NAME: letters, digits, and - _ . but not two of - or . in a row, as the hub has them. */
static bool is_repo(const char *repo)
{
	const char *slash = strchr(repo, '/');
	if (strlen(repo) > REPO_CHARS_MAX || !repo[0] || repo[0] == '/' || strstr(repo, "..") ||
	    strstr(repo, "--") || (slash && (!slash[1] || strchr(slash + 1, '/'))))
		return false;
	for (const char *p = repo; *p; p++)
		if (*p != '/' && !strchr("-_.", *p) &&
		    ((unsigned char)*p >= 0x80 || !isalnum((unsigned char)*p)))
			return false;
	return repo[0] != '.';
}

/* --- files ------------------------------------------------------------------------------------ */

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct hub_file *)a)->file.path,
		      ((const struct hub_file *)b)->file.path);
}

/* A text member of an element of the list, in the arena; NULL if it is missing. False: no memory. */
static bool read_member(struct hub *hub, struct isx_span object, const char *name,
			const char **text)
{
	struct isx_span found;
	if (!isx_json_string(isx_json_member(object, name), &hub->arena, &found))
		return false;
	*text = found.ptr && !memchr(found.ptr, '\0', found.len) ? found.ptr : NULL;
	return true;
}

static bool has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text), end = strlen(suffix);
	return len >= end && strcmp(text + len - end, suffix) == 0;
}

/* Keep the element of the list if it is a Parquet file of the split. */
static enum isx_status keep_file(struct hub *hub, struct isx_span element, struct isx_err *err)
{
	struct dataset_file *file = &hub->files[hub->file_count].file;
	const char *type = NULL;
	int64_t size = isx_json_int(isx_json_member(element, "size"));
	if (!read_member(hub, element, "type", &type) ||
	    !read_member(hub, element, "path", &file->path) ||
	    !read_member(hub, isx_json_member(element, "lfs"), "oid", &file->sha256))
		return isx_fail_memory(err);
	if (!type || strcmp(type, "file") != 0 || !file->path ||
	    !has_suffix(file->path, ".parquet") || !strcasestr(file->path, hub->split))
		return ISX_OK;
	file->size = size > 0 ? (uint64_t)size : 0;
	hub->file_count++;
	return ISX_OK;
}

/* Each path becomes a place in the list that the loader reads. */
static enum isx_status place_files(struct hub *hub, struct isx_err *err)
{
	qsort(hub->files, hub->file_count, sizeof *hub->files, compare_files);
	for (size_t i = 0; i < hub->file_count; i++) {
		hub->files[i].place.path = (uint32_t)hub->paths.paths.len + 1;
		files_list_add(&hub->paths, hub->files[i].file.path);
	}
	return isx_buf_status(&hub->paths.paths, err);
}

/* Ask for all files of the branch main, and keep those to load. ISX_INVALID for a name that is
 * none, before anything is sent: it becomes a part of a URL and of a path in the cache. */
static enum isx_status list_files(struct hub *hub, struct isx_err *err)
{
	char path[REPO_CHARS_MAX + 80];
	struct isx_span element;
	if (!is_repo(hub->repo))
		return isx_fail(err, ISX_INVALID,
				"expected OWNER/NAME of letters, digits, '-', '_' and '.'");
	snprintf(path, sizeof path, "/api/datasets/%s/tree/main?recursive=true&expand=false",
		 hub->repo);
	enum isx_status st = dataset_client_open(&hub->client, err);
	if (!st)
		st = dataset_client_list(&hub->client, path, SIZE_MAX, &hub->listing, err);
	if (st)
		return st;
	struct isx_span list = { hub->listing.ptr, hub->listing.len };
	struct isx_json_walk walk = isx_json_walk_start(list);
	hub->files = isx_arena_alloc(&hub->arena, isx_json_length(list) + 1, sizeof *hub->files);
	st = hub->files ? ISX_OK : isx_fail_memory(err);
	while (!st && isx_json_next_element(&walk, &element))
		st = keep_file(hub, element, err);
	return st ? st : place_files(hub, err);
}

/* --- loading ---------------------------------------------------------------------------------- */

/* The bar counts rows: columns of a Parquet file are read side by side, so there is no position
 * in its bytes. */
static void show_rows(void *arg, uint64_t rows_done, uint64_t rows_total)
{
	struct hub *hub = arg;
	hub->progress.bytes_total = rows_total;
	progress_update(&hub->progress, rows_done, loader_written(hub->run.loader));
}

/* Download a file and load its rows. A download that fails is counted. */
static enum isx_status load_file(struct hub *hub, const struct hub_file *file, struct isx_err *err)
{
	char local[PATH_MAX];
	struct isx_err why = { 0 };
	struct isx_buf source = { 0 };
	progress_start(&hub->progress, file->file.size);
	enum isx_status st = dataset_client_get(&hub->client, hub->repo, &file->file, local, &why);
	progress_end(&hub->progress);
	if (st) {
		isx_buf_printf(&source, "download %s", file->file.path);
		loader_error(hub->run.loader, source.failed ? "download" : source.ptr, why.msg);
		isx_buf_release(&source);
		say_line(stderr, "Skipping %s: %s", file->file.path, why.msg);
		return st == ISX_NO_MEMORY ? isx_fail_memory(err) : ISX_OK;
	}
	bool resumes = cli_option_value(hub->args, "--resume") != NULL;
	struct dataset_rows rows = { .repo = hub->repo,
				     .file = file->file.path,
				     .local = local,
				     .loader = hub->run.loader,
				     .place = file->place,
				     .rows_max = hub->rows_max - hub->rows_read,
				     .columns = hub->columns,
				     .store = resumes ? hub->run.target.store : NULL,
				     .index = hub->run.target.name,
				     .step = hub->batch_assets,
				     .progress = show_rows,
				     .progress_arg = hub };
	progress_start(&hub->progress, 0);
	st = dataset_rows_load(&rows, err);
	progress_end(&hub->progress);
	hub->rows_read += rows.rows_read;
	hub->rows_skipped += rows.rows_skipped;
	return st;
}

/* Files that were listed count as files of the report, also those behind the limit of rows. The
 * next file is asked for when all rows of the one before are handed over; the loader writes
 * meanwhile. */
static enum isx_status load_files(struct hub *hub, struct isx_err *err)
{
	enum isx_status st = load_run_start(&hub->run, hub->batch_assets, hub->paths.paths.ptr,
					    false, err);
	if (st)
		return st;
	hub->client.progress = &hub->progress;
	for (size_t i = 0; !st && i < hub->file_count && hub->rows_read < hub->rows_max; i++)
		st = load_file(hub, &hub->files[i], err);
	return load_run_finish(&hub->run, st, err);
}

/* --- reporting -------------------------------------------------------------------------------- */

/* The members of 0.3.3. */
static void report(const struct hub *hub)
{
	const struct loader_totals *totals = &hub->run.totals;
	struct isx_buf compact = { 0 }, pretty = { 0 };
	isx_buf_text(&compact, "{\"dataset\":");
	isx_json_quote(&compact, isx_span_of(hub->repo));
	isx_buf_text(&compact, ",\"split\":");
	isx_json_quote(&compact, isx_span_of(hub->split));
	isx_buf_text(&compact, ",\"index\":");
	isx_json_quote(&compact, isx_span_of(hub->run.target.name));
	isx_buf_printf(&compact,
		       ",\"parquet_files\":%zu,\"rows_read\":%llu,\"assets_added\":%zu,"
		       "\"errors\":%zu}",
		       hub->file_count, (unsigned long long)hub->rows_read,
		       totals->created + totals->updated, totals->errors);
	isx_json_pretty(&pretty, (struct isx_span){ compact.ptr, compact.len }, false);
	say_json((struct isx_span){ pretty.ptr, pretty.len });
	isx_buf_release(&compact);
	isx_buf_release(&pretty);
	if (hub->rows_skipped)
		say_line(stderr, "Resumed: %llu rows were stored before",
			 (unsigned long long)hub->rows_skipped);
	if (totals->errors)
		load_run_print("Warnings:", &hub->run.messages.errors, SHOWN_ERRORS,
			       totals->errors);
}

/* --- the command ------------------------------------------------------------------------------ */

/* Without any file to load the exit status is CLI_NO_FILES (2), as in 0.3.3, and nothing is printed
 * on standard output. The report is printed also after a failure: earlier batches are stored. */
static int load(struct hub *hub)
{
	struct isx_err err = { 0 };
	enum isx_status st = list_files(hub, &err);
	if (st) {
		say_line(stderr, "Failed to list files for %s: %s", hub->repo, err.msg);
		return CLI_NO_FILES;
	}
	if (hub->file_count == 0) {
		say_line(stderr, "No parquet files found in %s for split '%s'", hub->repo,
			 hub->split);
		return CLI_NO_FILES;
	}
	say_line(stderr, "Found %zu parquet file(s) in %s (split=%s)", hub->file_count, hub->repo,
		 hub->split);
	st = load_files(hub, &err);
	report(hub);
	return st ? target_fail(st, &err) : CLI_OK;
}

/* Also after a failure in the middle: the struct is zero at first, and every part may be released
 * when it is zero. */
static void release(struct hub *hub)
{
	dataset_client_close(&hub->client);
	load_run_release(&hub->run);
	files_list_release(&hub->paths);
	isx_buf_release(&hub->listing);
	isx_buf_release(&hub->columns_text);
	isx_arena_release(&hub->arena);
}

static int run_hub(const struct cli_args *args)
{
	static struct hub hub; /* the signal thread may look at it while the process exits */
	struct interrupt interrupt;
	struct isx_err err = { 0 };
	const char *name = cli_option_value(args, "--index"),
		   *split = cli_option_value(args, "--split");
	int code = CLI_ERROR;
	hub.args = args;
	hub.repo = args->words[0];
	hub.split = split ? split : "train";
	hub.run.to_go_on = "To go on, run the same command again with --resume";
	if (!cli_option_number(args, "--limit", 0, LONG_MAX, LONG_MAX, &hub.rows_max) ||
	    !cli_option_number(args, "--batch-size", 1, 1000000, 500, &hub.batch_assets))
		return CLI_USAGE;
	if (dataset_rows_columns(args, &hub.columns_text, &hub.columns, &err))
		return target_fail(err.status, &err);
	if (!name && !derive_name(hub.repo, hub.name)) {
		say_line(stderr,
			 "Error: Cannot derive a valid index name from '%s': give one with --index",
			 hub.repo);
		return CLI_ERROR;
	}
	interrupt_watch(&interrupt, load_run_interrupted, &hub.run);
	if (target_open_registered(args, name ? name : hub.name, &hub.run.target))
		code = load(&hub);
	interrupt_end(&interrupt);
	release(&hub);
	return code;
}

static const struct cli_option options[] = {
	{ "--split", 0, "NAME", "Load the files whose path contains this text (default: train)" },
	{ "--limit", 'n', "N", "Stop after N rows" },
	{ "--batch-size", 'b', "N", "Assets per transaction (default: 500)" },
	{ "--index", 'i', "NAME", "Load into this index (default: a name made of the data set's)" },
	{ "--uri", 0, "URI", "Use an index of this store: usearch:///DIR or http://HOST:PORT" },
	DATASET_ROWS_OPTION,
	{ "--resume", 0, NULL, "Leave out what an interrupted run has stored" },
};

const struct cli_command command_hub = {
	.name = "hub",
	.words = "REPO_ID",
	.words_least = 1,
	.words_most = 1,
	.summary = "Load a data set of ISCCs that is published on the Hugging Face Hub",
	.text = "REPO_ID is OWNER/NAME, as 'iscc-search datasets' lists them. Its Parquet files "
		"have the\n"
		"columns iscc, iscc_meta, iscc_semantic, iscc_content, iscc_data and "
		"iscc_instance; "
		"columns of\n"
		"texts, numbers and bools become metadata. The ISCC-ID of a row is made of data "
		"set, file "
		"and\n"
		"row: loading it again updates it. An index that is not configured is "
		"registered.\n\n"
		"Files are kept in the cache of that hub ($HF_HUB_CACHE, $HF_HOME/hub or\n"
		"~/.cache/huggingface/hub). HF_ENDPOINT is another host, HF_TOKEN a token for "
		"private "
		"data sets.\n\n"
		"Examples:\n"
		"  iscc-search hub iscc/iscc-flickr30k\n"
		"  iscc-search hub iscc/iscc-book-covers --limit 10000\n"
		"  iscc-search hub iscc/iscc-flickr30k --index production\n\n"
		"Exit status: 0 loaded, 1 error, 2 no files found, 130 interrupted, 143 ended by "
		"SIGTERM.\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_hub,
};
