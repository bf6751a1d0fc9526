/*
 * cmd_search.c - the command `search`: searches by ISCC-CODE, ISCC-UNITs, ISCC-ID or file.
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
	if (st != ISX_INVALID || !query->simprints || (!query->iscc_code && !query->unit_count))
		return st;
	say_line(stderr, "Warning: passages are not searched: %s", err->msg);
	query->simprints = NULL;
	query->simprint_type_count = 0;
	return isx_search(target->store, target->name, query, result, err);
}

/* Tell how many assets were compared, and with which threshold. A query of simprints alone uses the
 * threshold of passages. With units and simprints the lower threshold is named, which holds for
 * every kind. */
static void tell_no_match(const struct target *target, const struct isx_query *query)
{
	const struct settings *settings = &target->settings;
	bool has_units = query->iscc_id || query->iscc_code || query->unit_count;
	bool has_passages = query->simprint_type_count > 0 || query->own_chunks;
	double threshold = has_units ? settings->match_threshold_units
				     : settings->match_threshold_simprints;
	struct isx_index_info info;
	if (has_passages && settings->match_threshold_simprints < threshold)
		threshold = settings->match_threshold_simprints;
	/* The search has succeeded, so a failure here is only a number that is missing. */
	if (isx_index_stat(target->store, target->name, &info, NULL)) {
		say_line(stdout, "No match in index '%s'.", target->name);
		return;
	}
	show_no_match(target->name, target->has_thresholds ? threshold : -1, info.assets);
	isx_index_info_release(&info);
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
		tell_no_match(target, &question->query);
	isx_result_free(result);
	return CLI_OK;
}

/* The query is read before the index is opened: a typing error must not create an index. */
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
	{ "--limit", 'l', "N", "Maximum number of matches (default: 3)" },
	{ "--json", 'j', NULL, "Print JSON (the default when output is piped)" },
	{ "--table", 't', NULL, "Print a table (the default on a terminal)" },
	{ "--chunks", 'c', NULL, "With an ISCC-ID: also find assets that share passages with it" },
	TARGET_OPTIONS,
};

const struct cli_command command_search = {
	.name = "search",
	.words = "ISCC...|FILE",
	.words_least = 1,
	.words_most = ISX_UNITS_MAX,
	.summary = "Find the assets most similar to an ISCC or a file",
	.text = "ISCC is an ISCC-CODE, one or more ISCC-UNITs, or an ISCC-ID of the index (\"more "
		"like this\").\n"
		"Lower case, a missing 'ISCC:', multibase, urn:iscc:... and https://HOST/ISCC:... "
		"are accepted.\n"
		"FILE is an .iscc.json, or a .jsonl whose first asset is the query. Its simprints "
		"find similar\n"
		"passages, shown with offset and size, and with the text of the query if "
		"NAME.iscc.utf8 is\n"
		"beside NAME.iscc.json.\n\n"
		"Scores range from 0 to 1. The line below a match has the scores of its units.\n\n"
		"Examples:\n"
		"  iscc-search search "
		"ISCC:KACT4EBWK27737D2AYCJRAL5Z36G76RFRMO4554RU26HZ4ORJGIVHDI\n"
		"  iscc-search search ISCC:MAIGHXLN555Y2DFF --limit 10\n"
		"  iscc-search search photo.iscc.json --json\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_search,
};
