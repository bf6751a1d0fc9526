/*
 * cmd_search.c - ask what is like a code, some units, an asset, or a file; show the ranking.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/iscc_file.h"
#include "cli/target.h"
#include "iscc/base32.h"
#include "iscc/code.h"
#include "iscc/iscc_id.h"
#include "iscc/multibase.h"
#include "json/json.h"
#include "json/json_pretty.h"
#include "json/json_text.h"
#include "json/wire.h"

#include <stdio.h>
#include <unistd.h>

enum { DEFAULT_LIMIT = 3 };

/* --- the query -------------------------------------------------------------------------------- */

/* The canonical text of an ISCC in whatever form it was given. */
static enum isx_status normalize(const char *word, struct isx_arena *arena, const char **text,
				 struct isx_header *header, struct isx_err *err)
{
	uint8_t digest[512];
	size_t count, used;
	enum isx_status st = isx_multibase_decode(isx_span_of(word), digest, sizeof digest, &count,
						  err);
	if (!st)
		st = isx_header_read(digest, count, header, &used, err);
	if (st)
		return isx_err_at(err, st, "%.60s", word);
	char *made = isx_arena_alloc(arena, 1, ISX_BASE32_CHARS(count) + 6);
	if (!made)
		return isx_fail_memory(err);
	memcpy(made, "ISCC:", 5);
	isx_base32_encode(digest, count, made + 5);
	*text = made;
	return ISX_OK;
}

/* A query of ISCCs: one ISCC-ID, one ISCC-CODE, or units. */
static enum isx_status query_of_words(const struct cli_args *args, struct isx_arena *arena,
				      struct isx_query *query, struct isx_err *err)
{
	const char **units = isx_arena_alloc(arena, args->word_count, sizeof *units);
	if (!units)
		return isx_fail_memory(err);
	for (size_t i = 0; i < args->word_count; i++) {
		struct isx_header header = { 0 };
		const char *text = NULL;
		enum isx_status st = normalize(args->words[i], arena, &text, &header, err);
		if (st)
			return st;
		bool alone = args->word_count == 1;
		if (header.maintype == ISX_ID && alone)
			query->iscc_id = text;
		else if (header.maintype == ISX_CODE && alone)
			query->iscc_code = text;
		else if (header.maintype == ISX_ID || header.maintype == ISX_CODE)
			return isx_fail(err, ISX_INVALID,
					"%s: several arguments have to be ISCC-UNITs", text);
		else
			units[query->unit_count++] = text;
	}
	query->units = units;
	return ISX_OK;
}

/* The asset that a file describes: .iscc.json, or the first line of a .jsonl. */
static enum isx_status query_of_file(const char *path, struct isx_arena *arena,
				     struct isx_query *query, struct isx_err *err)
{
	struct isx_buf text = { 0 };
	struct isx_asset asset;
	struct isx_problems problems = { 0 };
	enum isx_status st = files_read(path, &text, err);
	struct isx_span content = { text.ptr, text.len };
	size_t len = strlen(path);
	if (!st && len > 6 && strcmp(path + len - 6, ".jsonl") == 0) {
		const char *end = content.len ? memchr(content.ptr, '\n', content.len) : NULL;
		if (end)
			content.len = (size_t)(end - content.ptr);
		st = isx_asset_from_json(content, arena, &asset, &problems, err);
	} else if (!st) {
		st = iscc_file_read(content, path, 0, arena, &asset, err);
	}
	isx_problems_release(&problems);
	isx_buf_release(&text);
	if (st)
		return isx_err_at(err, st, "%s", path);
	query->iscc_code = asset.iscc_code;
	query->units = asset.units;
	query->unit_count = asset.unit_count;
	if (!asset.iscc_code && !asset.unit_count)
		return isx_fail(err, ISX_INVALID, "%s: has no ISCC-CODE and no units", path);
	return ISX_OK;
}

static enum isx_status make_query(const struct cli_args *args, struct isx_arena *arena,
				  struct isx_query *query, struct isx_err *err)
{
	bool is_file = args->word_count == 1 && access(args->words[0], R_OK) == 0;
	return is_file ? query_of_file(args->words[0], arena, query, err)
		       : query_of_words(args, arena, query, err);
}

/* --- the answer ------------------------------------------------------------------------------- */

static void print_json(const struct isx_result *result)
{
	struct isx_buf compact = { 0 }, pretty = { 0 };
	isx_result_to_json(&compact, result);
	isx_json_pretty(&pretty, (struct isx_span){ compact.ptr, compact.len }, true);
	isx_buf_char(&pretty, '\n');
	fwrite(pretty.ptr, 1, pretty.len, stdout);
	isx_buf_release(&compact);
	isx_buf_release(&pretty);
}

/* Print a text of the metadata with what a terminal could take for a command left out. */
static void print_plain(struct isx_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];
		unsigned char next = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;
		if (byte == 0xC2 && next >= 0x80 && next < 0xA0)
			i++; /* U+0080 to U+009F, commands of one character */
		else if (byte >= ' ' && byte != 0x7F)
			putchar(byte);
	}
}

static void print_name(const char *metadata)
{
	static const char *const names[] = { "name", "title", "source" };
	struct isx_json *object, *member;
	if (!metadata || isx_json_parse(isx_span_of(metadata), &object, NULL))
		return;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (isx_json_get(object, names[i], &member) && isx_json_string(member).len) {
			print_plain(isx_json_string(member));
			break;
		}
	}
	isx_json_free(object);
}

static void print_table(const struct isx_result *result)
{
	if (result->match_count == 0) {
		printf("Nothing in the index is like it.\n");
		return;
	}
	printf("%4s  %-6s  %-21s  %s\n", "Rank", "Score", "ISCC-ID", "Name");
	for (size_t i = 0; i < result->match_count; i++) {
		const struct isx_match *match = &result->matches[i];
		printf("%4zu  %.4f  %-21s  ", i + 1, match->score, match->iscc_id);
		print_name(match->metadata);
		printf("\n      ");
		for (size_t k = 0; k < match->type_count; k++)
			printf("%s%s %.4f", k ? ", " : "", match->types[k].type,
			       match->types[k].score);
		printf("\n");
	}
}

static int search(const struct cli_args *args, struct target *target, struct isx_query *query,
		  struct isx_err *err)
{
	struct isx_result *result;
	enum isx_status st = isx_search(target->store, target->name, query, &result, err);
	if (st)
		return target_fail(st, err);
	bool is_table = cli_option_value(args, "--table") || isatty(STDOUT_FILENO);
	if (cli_option_value(args, "--json") || !is_table)
		print_json(result);
	else
		print_table(result);
	isx_result_free(result);
	return CLI_OK;
}

static int run_search(const struct cli_args *args)
{
	struct target target;
	struct isx_arena arena = { 0 };
	struct isx_query query = { 0 };
	struct isx_err err = { 0 };
	unsigned long limit;
	int code = CLI_ERROR;
	if (!cli_option_number(args, "--limit", 1, 1000000, DEFAULT_LIMIT, &limit))
		return CLI_USAGE;
	enum isx_status st = make_query(args, &arena, &query, &err);
	query.limit = limit;
	if (st) {
		code = target_fail(st, &err);
	} else {
		if (target_open(args, &target))
			code = search(args, &target, &query, &err);
		target_close(&target);
	}
	isx_arena_release(&arena);
	return code;
}

static const struct cli_option options[] = {
	{ "--limit", 'l', "N", "At most so many matches (3)" },
	{ "--json", 'j', NULL, "Print JSON, as it is in a pipe anyway" },
	{ "--table", 't', NULL, "Print the table of a terminal, also in a pipe" },
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
		"also in multibase form or without 'ISCC:'. FILE is an .iscc.json, or a .jsonl "
		"whose first\n"
		"asset is the query.\n\n"
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
