/*
 * cmd_search.c - ask what is like a code, some units, an asset, or a file; show the ranking.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/question.h"
#include "cli/say.h"
#include "cli/show.h"
#include "cli/target.h"

#include <stdio.h>
#include <unistd.h>

enum { DEFAULT_LIMIT = 3 };

/* Ask. When only the file's simprints are refused (of a length that the index does not have), its codes
 * are searched all the same. */
static enum isx_status ask(struct target *target, struct question *question,
			   struct isx_result **result, struct isx_err *err)
{
	struct isx_query *query = &question->query;
	enum isx_status st = isx_search(target->store, target->name, query, result, err);
	if (st != ISX_INVALID || !query->simprints || (!query->iscc_code && !query->unit_count))
		return st;
	say_line(stderr, "Warning: passages are not searched: %s", err->msg);
	query->simprints = NULL;
	query->simprint_type_count = 0;
	return isx_search(target->store, target->name, query, result, err);
}

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
	else
		show_table(question, result);
	isx_result_free(result);
	return CLI_OK;
}

static int run_search(const struct cli_args *args)
{
	struct target target;
	struct question question;
	struct isx_err err = { 0 };
	unsigned long limit;
	int code = CLI_ERROR;
	if (!cli_option_number(args, "--limit", 1, 1000000, DEFAULT_LIMIT, &limit))
		return CLI_USAGE;
	enum isx_status st = question_read(args, &question, &err);
	question.query.limit = limit;
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

static const struct cli_option options[] = {
	{ "--limit", 'l', "N", "At most so many matches (3)" },
	{ "--json", 'j', NULL, "Print JSON, as it is in a pipe anyway" },
	{ "--table", 't', NULL, "Print the table of a terminal, also in a pipe" },
	{ "--chunks", 'c', NULL, "With an ISCC-ID: also which assets share passages with it" },
	TARGET_OPTIONS,
};

const struct cli_command command_search = {
	.name = "search",
	.words = "ISCC...|FILE",
	.words_least = 1,
	.words_most = ISX_UNITS_MAX,
	.summary = "Find the assets most like an ISCC or a file",
	.text = "ISCC is an ISCC-CODE, one or more ISCC-UNITs, or an ISCC-ID of the index (\"more "
		"like this\");\n"
		"also in small letters, without 'ISCC:', in multibase form, as urn:iscc:... or "
		"as\n"
		"https://HOST/ISCC:... FILE is an .iscc.json, or a .jsonl whose first\n"
		"asset is the query. Its simprints find passages: where they are, how large, and "
		"(where\n"
		"NAME.iscc.utf8 is beside NAME.iscc.json) how they read.\n\n"
		"Scores run from 0 to 1; below the score of a match stand those of its units.\n\n"
		"Examples:\n"
		"  iscc-search search "
		"ISCC:KACT4EBWK27737D2AYCJRAL5Z36G76RFRMO4554RU26HZ4ORJGIVHDI\n"
		"  iscc-search search ISCC:MAIGHXLN555Y2DFF --limit 10\n"
		"  iscc-search search photo.iscc.json --json\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_search,
};
