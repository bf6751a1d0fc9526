/*
 * cmd_search.c - the command `search`: searches by ISCC-CODE, ISCC-UNITs, ISCC-ID, file, or many lines.
 *
 * A query is read by question.c, many by search_lines.c, and a result is printed by show.c. Must
 * not know how queries are written or compared.
 *
 * Warnings and hints go to standard error, so that a pipe gets only the answer. The exit status
 * tells an empty answer only with --fail-if-none: otherwise no match is an answer like another
 * one.
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
#include "cli/shell.h"
#include "cli/show.h"
#include "cli/target.h"
#include "cli/term.h"
#include "json/wire.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As in 0.3.3; the default of the REST API is 100. A person reads a few; a program asks for as
 * many as it needs. */
enum { DEFAULT_LIMIT = 3 };

/* Search. If the index refuses only the simprints of the file, because of their length, search its
 * codes without them. The passages of a file are an addition to the search for its codes: a user
 * who gives a file expects matches, also from an index whose simprints have another length. */
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

/* Search, and ask for the place of the next page also without --after, for a terminal, where the
 * command for that page is shown. A server of an earlier version has no pages. The empty text asks
 * for the first page. It is taken back afterwards, for the second try and for what is printed of
 * the query. */
static enum isx_status ask_for_page(struct target *target, struct question *question,
				    struct isx_result **result, struct isx_err *err)
{
	if (question->query.after)
		return ask(target, question, result, err);
	question->query.after = "";
	enum isx_status st = ask(target, question, result, err);
	question->query.after = NULL;
	return st == ISX_UNSUPPORTED ? ask(target, question, result, err) : st;
}

/* Print how many matches there are in all, on standard output; and on standard error, as `list` does,
 * the command for the next page, on one line, which can be copied. */
static void show_rest(const struct cli_args *args, const struct isx_result *result)
{
	char count[32];
	struct isx_buf command = { 0 };
	if (result->query.counts) {
		printf("\n%s match%s in all", term_count(result->match_total, count),
		       result->match_total == 1 ? "" : "es");
		if (result->chunk_match_total)
			printf(", %s with passages", term_count(result->chunk_match_total, count));
		printf("\n");
	}
	if (result->next) {
		fflush(stdout);
		shell_add_command(&command, args, "--after");
		say_line(stderr, "There may be more: %.*s --after %s", (int)command.len,
			 command.len ? command.ptr : "", result->next);
	}
	isx_buf_release(&command);
}

/* JSON if standard output is no terminal, unless an option decides. An answer that goes on is told
 * only where a person reads both outputs; a program finds the place of the next page in the JSON
 * if it asks with --after. */
static int search(const struct cli_args *args, struct target *target, struct question *question)
{
	struct isx_result *result;
	struct isx_err err = { 0 };
	bool is_terminal = isatty(STDOUT_FILENO);
	bool is_table = !cli_option_value(args, "--json") &&
			(cli_option_value(args, "--table") || is_terminal);
	bool is_watched = is_terminal && isatty(STDERR_FILENO);
	enum isx_status st = is_table && is_watched ? ask_for_page(target, question, &result, &err)
						    : ask(target, question, &result, &err);
	if (st == ISX_INVALID && question->path)
		isx_err_at(&err, st, "%s", question->path);
	if (st)
		return target_fail(st, &err);
	if (!is_table) {
		show_json(result);
	} else if (result->match_count || result->chunk_match_count) {
		show_table(question, result);
		show_rest(args, result);
	} else if (question->query.after && question->query.after[0]) {
		say_line(stdout, "No more matches.");
	} else {
		show_no_match(target, &question->query);
	}
	if (result->is_changed)
		say_line(stderr, "The index has changed since the page before: matches may be "
				 "repeated or missing");
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
	bool has_lines = args->word_count == 1 && lines_are_in(args->words[0]);
	defaults.after = cli_option_value(args, "--after");
	defaults.counts = cli_option_value(args, "--count");
	if (has_lines && defaults.after) {
		say_line(stderr,
			 "Error: --after: a page is that of one query, but %s has a query in each "
			 "line. Search for the one whose matches go on",
			 strcmp(args->words[0], "-") ? args->words[0] : "standard input");
	} else if (cli_option_number(args, "--limit", 1, 1000000, DEFAULT_LIMIT, &limit) &&
		   conditions_read(args, &arena, &defaults)) {
		defaults.limit = limit;
		code = has_lines ? run_lines(args, &defaults) : run_single(args, &defaults);
	}
	isx_arena_release(&arena);
	return code;
}

static const struct cli_option options[] = {
	{ "--limit", 'l', "N", "Maximum number of matches (default: 3)" },
	{ "--after", 'a', "PLACE",
	  "Matches behind this place: '' for the first page, then 'next' of the page before" },
	{ "--count", 0, NULL, "Also count all matches" },
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
