/*
 * cmd_fields.c - the command `index fields`: the fields of metadata that an index declares.
 *
 * The library checks and gathers them; here are options, progress and the list. Must not know how they are
 * stored.
 *
 * Declaring fields is a change of the whole list, in one transaction that reads all assets: so the
 * command gathers the whole list, and --add only spares the user to repeat it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/target.h"
#include "json/wire.h"

#include <stdio.h>

/* isx_fields_set() calls this while it reads the assets. */
static void draw_read(uint64_t done, uint64_t total, void *arg)
{
	struct progress *progress = arg;
	progress->bytes_total = total;
	progress_update(progress, done, done);
}

/* Print the list: a field on each line, or the object of the REST API. */
static enum isx_status show_fields(const struct target *target, bool as_json, struct isx_err *err)
{
	struct isx_buf json = { 0 };
	char **fields = NULL;
	size_t count = 0;
	enum isx_status st = isx_fields_get(target->store, target->name, &fields, &count, err);
	if (st)
		return st;
	if (as_json)
		isx_fields_to_json(&json, (const char *const *)fields, count);
	st = isx_buf_status(&json, err);
	if (!st && as_json)
		say_json((struct isx_span){ json.ptr, json.len });
	for (size_t i = 0; !as_json && i < count; i++)
		say_line(stdout, "%s", fields[i]);
	if (!as_json && !count)
		say_line(stdout, "Index '%s' declares no fields", target->name);
	isx_buf_release(&json);
	isx_texts_free(fields, count);
	return st;
}

/* Is this the name of a field that is declared? A name without '/' in front is short for one with it. */
static bool is_declared(const char *name, char *const *declared, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(declared[i] + (name[0] != '/'), name) == 0)
			return true;
	return false;
}

/* With --add, the words are behind the fields that are declared already; those among them stay where
 * they are.
 *   fields  filled: room for ISX_FIELDS_MAX and the words
 * Those in front keep their order: a list that has not changed costs nothing, and the same words
 * in another order would make the table again. */
static void join_fields(const struct cli_args *args, char *const *declared, size_t declared_count,
			const char **fields, size_t *count)
{
	*count = 0;
	for (size_t i = 0; i < declared_count; i++)
		fields[(*count)++] = declared[i];
	for (size_t i = 1; i < args->word_count; i++)
		if (!is_declared(args->words[i], declared, declared_count))
			fields[(*count)++] = args->words[i];
}

static enum isx_status set_fields(const struct cli_args *args, struct target *target,
				  struct isx_err *err)
{
	struct progress progress;
	char **declared = NULL;
	size_t declared_count = 0, count;
	enum isx_status st = ISX_OK;
	if (cli_option_value(args, "--add"))
		st = isx_fields_get(target->store, target->name, &declared, &declared_count, err);
	if (st)
		return st;
	const char **fields = isx_mem_array(declared_count + args->word_count, sizeof *fields);
	if (fields) {
		join_fields(args, declared, declared_count, fields, &count);
		progress_start(&progress, 0);
		st = isx_fields_set(target->store, target->name, fields, count, draw_read,
				    &progress, err);
		progress_end(&progress);
	} else {
		st = isx_fail_memory(err);
	}
	isx_mem_free(fields);
	isx_texts_free(declared, declared_count);
	return st;
}

/* Without fields and --none nothing is written, and the store is opened for reading only. */
static int run_fields(const struct cli_args *args)
{
	struct target target;
	struct isx_err err = { 0 };
	bool none = cli_option_value(args, "--none") != NULL, sets = args->word_count > 1;
	enum isx_status st = ISX_OK;
	int code = CLI_ERROR;
	if (none && sets) {
		say_line(stderr, "Error: --none: expected no FIELD beside it");
		return CLI_USAGE;
	}
	if (target_open_existing(args, args->words[0], !none && !sets, &target)) {
		if (none || sets)
			st = set_fields(args, &target, &err);
		if (!st)
			st = show_fields(&target, cli_option_value(args, "--json"), &err);
		code = st ? target_fail(st, &err) : CLI_OK;
	}
	target_close(&target);
	return code;
}

static const struct cli_option options[] = {
	{ "--add", 0, NULL, "Keep the fields that are declared already" },
	{ "--none", 0, NULL, "Declare no fields any more" },
	{ "--json", 'j', NULL, "Print JSON" },
	{ "--uri", 0, "URI", "Use an index of this store: usearch:///DIR or http://HOST:PORT" },
};

const struct cli_command command_index_fields = {
	.name = "fields",
	.words = "NAME [FIELD...]",
	.words_least = 1,
	.words_most = CLI_WORDS_MAX,
	.summary = "Show or declare the fields of metadata that queries filter by",
	.text = "FIELD is a member of the metadata (license) or a JSON pointer (/creator/name). "
		"The fields\n"
		"replace those that are declared, unless --add is given. Their values are gathered "
		"once, from\n"
		"all assets, and then kept up to date with each change. `search --where` and "
		"--filter find by\n"
		"them, and --facet counts them.\n\n"
		"Examples:\n"
		"  iscc-search index fields default\n"
		"  iscc-search index fields default license /creator/name\n"
		"  iscc-search index fields main year --add --uri usearch:///srv/iscc\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_fields,
};
