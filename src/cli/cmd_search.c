/*
 * cmd_search.c - the command `search`: searches by ISCC-CODE, ISCC-UNITs, ISCC-ID, file, or many lines.
 *
 * A query is read by question.c, many by search_lines.c, and a result is printed by show.c. Must
 * not know how queries are written or compared.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/conditions.h"
#include "cli/generator.h"
#include "cli/lines.h"
#include "cli/question.h"
#include "cli/say.h"
#include "cli/search_lines.h"
#include "cli/show.h"
#include "cli/target.h"
#include "json/wire.h"

#include <stdio.h>
#include <unistd.h>

/* As in 0.3.3; the default of the REST API is 100. */
enum { DEFAULT_LIMIT = 3 };

/* Search. If the index refuses only the simprints of the file, because of their length, search its
 * codes without them. */
static enum isx_status ask(struct target *target, struct question *question,
			   struct isx_result **result, struct isx_err *err)
{
	struct isx_query *query = &question->query;
	enum isx_status st = isx_search(target->store, target->name, query, result, err);
	/* Any other failure, or a query without codes, cannot be helped by leaving the simprints
	 * out. */
	if (st != ISX_INVALID || !question_drop_simprints(question))
		return st;
	say_line(stderr, "Warning: passages are not searched: %s", err->msg);
	return isx_search(target->store, target->name, query, result, err);
}

/* JSON if standard output is no terminal, unless an option decides. */
static int search(const struct cli_args *args, struct target *target, struct question *question)
{
	struct isx_result *result;
	struct isx_err err = { 0 };
	enum isx_status st = ask(target, question, &result, &err);
	if (st)
		return target_fail(st, &err);
	bool is_table = cli_option_value(args, "--table") || isatty(STDOUT_FILENO);
	if (cli_option_value(args, "--json") || !is_table)
		show_json(result);
	else if (result->match_count || result->chunk_match_count)
		show_table(question, result);
	else
		show_no_match(target, &question->query);
	bool is_none = !result->match_count && !result->chunk_match_count;
	isx_result_free(result);
	return is_none && cli_option_value(args, "--fail-if-none") ? CLI_NONE : CLI_OK;
}

/* The query is read before the index is opened: a typing error must not create an index. */
static int run_single(const struct cli_args *args, const struct isx_query *defaults)
{
	struct target target;
	struct question question;
	struct isx_err err = { 0 };
	int code = CLI_ERROR;
	enum isx_status st = question_read(args, &question, &err);
	isx_query_inherit(&question.query, defaults);
	if (st) {
		code = target_fail(st, &err);
	} else {
		if (target_open(args, &target))
			code = search(args, &target, &question);
		target_close(&target);
	}
	question_release(&question);
	return code;
}

/* The file is opened before the index: a misspelled path must not create an index. A line that
 * failed decides the exit status before --fail-if-none does. */
static int run_lines(const struct cli_args *args, const struct isx_query *defaults)
{
	struct target target;
	struct search_lines search = { .path = args->words[0],
				       .defaults = defaults,
				       .as_table = cli_option_value(args, "--table") };
	int code = CLI_ERROR;
	if (!search_lines_open(&search))
		return CLI_ERROR;
	if (target_open(args, &target))
		code = search_lines_run(&search, &target);
	if (code == CLI_OK && !search.has_found && cli_option_value(args, "--fail-if-none"))
		code = CLI_NONE;
	target_close(&target);
	search_lines_close(&search);
	return code;
}

/* Conditions are read once and inherited by each query that does not set them itself. A path of
 * lines is recognized by its name (lines_are_in()), and only if it is the only argument. */
static int run_search(const struct cli_args *args)
{
	struct isx_arena arena = { 0 };
	struct isx_query defaults = { .own_chunks = cli_option_value(args, "--chunks") };
	unsigned long limit;
	int code = CLI_USAGE;
	if (cli_option_number(args, "--limit", 1, 1000000, DEFAULT_LIMIT, &limit) &&
	    conditions_read(args, &arena, &defaults)) {
		defaults.limit = limit;
		code = args->word_count == 1 && lines_are_in(args->words[0])
			       ? run_lines(args, &defaults)
			       : run_single(args, &defaults);
	}
	isx_arena_release(&arena);
	return code;
}

static const struct cli_option options[] = {
	{ "--limit", 'l', "N", "Maximum number of matches (default: 3)" },
	{ "--json", 'j', NULL, "Print JSON (the default when output is piped)" },
	{ "--table", 't', NULL, "Print a table (the default on a terminal)" },
	{ "--chunks", 'c', NULL, "With an ISCC-ID: also find assets that share passages with it" },
	{ "--fail-if-none", 0, NULL, "Exit with status 5 if nothing matches" },
	CONDITION_OPTIONS,
	GENERATOR_OPTION,
	TARGET_OPTIONS,
};

const struct cli_command command_search = {
	.name = "search",
	.words = "ISCC...|FILE|-",
	.words_least = 1,
	.words_most = ISX_UNITS_MAX,
	.summary = "Find the assets most similar to an ISCC or a file",
	.text = "ISCC is an ISCC-CODE, one or more ISCC-UNITs, or an ISCC-ID of the index (\"more "
		"like this\").\n"
		"Lower case, a missing 'ISCC:', multibase, urn:iscc:... and https://HOST/ISCC:... "
		"are accepted.\n"
		"FILE is an .iscc.json. Its simprints find similar passages, shown with offset and "
		"size, and\n"
		"with the text of the query if NAME.iscc.utf8 is beside NAME.iscc.json.\n"
		"Of a .jsonl or .ndjson, and of standard input (-), each line is a query: an "
		"asset, "
		"a query of\n"
		"the API, or ISCCs. The answers are lines of JSON in the same order; a line that "
		"fails has\n"
		"{\"status\":...,\"detail\":...} there, and the exit status is 1.\n\n"
		"A score is the share of bits that are equal: 1 is the same content, unrelated "
		"content has\n"
		"about 0.5, and a match has at least 0.75 in one type of unit (threshold). "
		"Below a match are\n"
		"the scores of its units: META = title, SEMANTIC = meaning, CONTENT = text or "
		"image, DATA =\n"
		"bytes, INSTANCE = identical file.\n\n"
		"  ISCC-UNIT  the fingerprint of one aspect of a work, 64 to 256 bits\n"
		"  ISCC-CODE  several units of a work, each shortened to 64 bits\n"
		"  ISCC-ID    the key of an asset: a time and a hub number\n"
		"  simprint   the fingerprint of a passage\n"
		"  realm      the network whose hubs issue ISCC-IDs, 0 or 1; an index holds one\n\n"
		"Examples:\n"
		"  iscc-search search "
		"ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY\n"
		"  iscc-search search ISCC:MAIGHXLN555Y2DFF --limit 10\n"
		"  iscc-search search photo.iscc.json --json\n"
		"  iscc-search search --min-score 0.9 --type CONTENT_TEXT_V0 --with code < "
		"queries.jsonl -\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_search,
};
