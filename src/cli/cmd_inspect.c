/*
 * cmd_inspect.c - the commands `inspect` and `compare`: what an ISCC says, and how alike two are. Neither
 *                 opens an index.
 *
 * No server is asked and config.json is not read; `compare` reads the settings, for its
 * threshold. The rules of ISCCs are those of the library (iscc.h, engine/score.h): nothing is
 * computed here a second time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/iscc_file.h"
#include "cli/iscc_word.h"
#include "cli/say.h"
#include "cli/settings.h"
#include "cli/target.h"
#include "cli/term.h"
#include "engine/score.h"
#include "iscc.h"
#include "json/json_pretty.h"
#include "json/json_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_OPTIONS                                                                             \
	{ "--json", 'j', NULL, "Print JSON (the default when output is piped)" },                  \
	{                                                                                          \
		"--table", 't', NULL, "Print a table (the default on a terminal)"                  \
	}

/* As `search` decides: an option, or else what standard output is. */
static bool prints_json(const struct cli_args *args)
{
	return cli_option_value(args, "--json") ||
	       (!cli_option_value(args, "--table") && term_width() == 0);
}

/* Takes `compact` and releases it. */
static void print_json(struct isx_buf *compact)
{
	struct isx_buf pretty = { 0 };
	isx_json_pretty(&pretty, (struct isx_span){ compact->ptr, compact->len }, false);
	say_json((struct isx_span){ pretty.ptr, pretty.len });
	isx_buf_release(&pretty);
	isx_buf_release(compact);
}

/* --- inspect ---------------------------------------------------------------------------------- */

/* The time of an ISCC-ID, "2025-01-31T12:00:00.000001Z". */
static void print_time(uint64_t time_us, char text[40])
{
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm parts;
	char day[32];
	gmtime_r(&seconds, &parts);
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text, 40, "%s.%06uZ", day, (unsigned)(time_us % 1000000));
}

/* The body in full, in lower case, so that it can be compared with other programs. `hex` is
 * filled. */
static void print_hex(const struct isx_iscc *iscc, char hex[2 * ISX_ISCC_BODY_BYTES + 1])
{
	for (size_t i = 0; i < iscc->bits / 8; i++)
		snprintf(hex + 2 * i, 3, "%02x", iscc->body[i]);
}

/* `"iscc":...,"type":...,"version":...,"bits":...,"body":...` */
static void add_members(struct isx_buf *json, const struct isx_iscc *iscc)
{
	char text[ISX_ISCC_TEXT_BYTES], hex[2 * ISX_ISCC_BODY_BYTES + 1] = "";
	if (isx_iscc_print(iscc, text, NULL))
		text[0] = '\0'; /* it has been read, so it can be written */
	print_hex(iscc, hex);
	/* Base32, names of types and hexadecimal digits need no quoting in JSON. */
	isx_buf_printf(json,
		       "\"iscc\":\"%s\",\"type\":\"%s\",\"version\":%u,\"bits\":%u,\"body\":\"%s\"",
		       text, iscc->type, iscc->version, iscc->bits, hex);
}

/* A unit on one line: type, length and canonical text. */
static void print_row(const struct isx_iscc *iscc, const char *indent)
{
	char text[ISX_ISCC_TEXT_BYTES];
	if (!isx_iscc_print(iscc, text, NULL))
		printf("%s%-16s  %3u bits  %s\n", indent, iscc->type, iscc->bits, text);
}

/* For an ISCC-ID only: realm, time and hub number are its parts. */
static enum isx_status inspect_id(const struct isx_iscc *iscc, bool as_json, struct isx_err *err)
{
	struct isx_iscc_id_parts parts;
	struct isx_buf json = { 0 };
	char text[40];
	enum isx_status st = isx_iscc_id_decompose(iscc, &parts, err);
	if (st)
		return st;
	print_time(parts.time_us, text);
	if (as_json) {
		isx_buf_char(&json, '{');
		add_members(&json, iscc);
		isx_buf_printf(&json, ",\"realm\":%u,\"time\":\"%s\",\"time_us\":%llu,\"hub\":%u}",
			       parts.realm, text, (unsigned long long)parts.time_us, parts.hub);
		print_json(&json);
		return ISX_OK;
	}
	print_row(iscc, "");
	printf("  realm  %u\n  time   %s\n  hub    %u\n", parts.realm, text, parts.hub);
	return ISX_OK;
}

/* A unit decomposes to itself, which is not printed a second time. */
static enum isx_status inspect_units(const struct isx_iscc *iscc, bool as_json, struct isx_err *err)
{
	struct isx_iscc units[ISX_ISCC_UNITS];
	struct isx_buf json = { 0 };
	size_t count = 0;
	enum isx_status st = isx_iscc_decompose(iscc, units, &count, err);
	bool is_code = iscc->maintype == ISX_CODE;
	if (st)
		return st;
	if (as_json) {
		isx_buf_char(&json, '{');
		add_members(&json, iscc);
		isx_buf_text(&json, is_code ? ",\"units\":[" : "}");
		for (size_t i = 0; is_code && i < count; i++) {
			isx_buf_text(&json, i ? ",{" : "{");
			add_members(&json, &units[i]);
			isx_buf_text(&json, i + 1 < count ? "}" : "}]}");
		}
		print_json(&json);
		return ISX_OK;
	}
	print_row(iscc, "");
	for (size_t i = 0; is_code && i < count; i++)
		print_row(&units[i], "  ");
	return ISX_OK;
}

/* Read an ISCC in any form that search takes. */
static enum isx_status read_word(const char *word, const char *otherwise, struct isx_iscc *iscc,
				 struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_header header;
	const char *text;
	enum isx_status st = iscc_word_read(word, otherwise, &arena, &text, &header, err);
	if (!st && (st = isx_iscc_parse(text, iscc, err)))
		st = isx_err_at(err, st, "%.100s", word);
	isx_arena_release(&arena);
	return st;
}

static int run_inspect(const struct cli_args *args)
{
	struct isx_err err = { 0 };
	struct isx_iscc iscc;
	bool as_json = prints_json(args);
	enum isx_status st = read_word(args->words[0], "not an ISCC", &iscc, &err);
	if (!st)
		st = iscc.maintype == ISX_ID ? inspect_id(&iscc, as_json, &err)
					     : inspect_units(&iscc, as_json, &err);
	return st ? target_fail(st, &err) : CLI_OK;
}

static const struct cli_option inspect_options[] = { OUTPUT_OPTIONS };

const struct cli_command command_inspect = {
	.name = "inspect",
	.words = "ISCC",
	.words_least = 1,
	.words_most = 1,
	.summary = "Show what an ISCC says: type, units, time, hub",
	.text = "ISCC may have any form that 'search' accepts. Of an ISCC-CODE all units are "
		"shown, of an ISCC-ID its realm, time and hub number.\n\n"
		"Examples:\n"
		"  iscc-search inspect "
		"ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY\n"
		"  iscc-search inspect ISCC:MAIGHXLN555Y2DFF --json\n",
	.options = inspect_options,
	.option_count = sizeof inspect_options / sizeof inspect_options[0],
	.run = run_inspect,
};

/* --- compare ---------------------------------------------------------------------------------- */

/* The units of one side. */
struct side {
	struct isx_iscc units[ISX_UNITS_MAX];
	size_t count;
};

/* Add the units of a code, or a unit. Those beyond ISX_UNITS_MAX are left out: an asset cannot
 * have more. */
static enum isx_status add_iscc(struct side *side, const struct isx_iscc *iscc, struct isx_err *err)
{
	struct isx_iscc units[ISX_ISCC_UNITS];
	size_t count = 0;
	enum isx_status st = isx_iscc_decompose(iscc, units, &count, err);
	for (size_t i = 0; !st && i < count && side->count < ISX_UNITS_MAX; i++)
		side->units[side->count++] = units[i];
	return st;
}

/* The units of a file, which are longer, or else those of its code. */
static enum isx_status read_file(const char *path, struct side *side, struct isx_err *err)
{
	struct isx_buf text = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_asset asset = { 0 };
	struct isx_iscc iscc;
	enum isx_status st = files_read(path, FILES_REGULAR, &text, err);
	if (!st)
		st = iscc_file_read((struct isx_span){ text.ptr, text.len }, path, 0, &arena,
				    &asset, err);
	if (!st && !asset.unit_count && !asset.iscc_code)
		st = isx_fail(err, ISX_INVALID, "has no ISCC-CODE and no units");
	for (size_t i = 0; !st && i < asset.unit_count; i++)
		if (!(st = isx_iscc_parse(asset.units[i], &iscc, err)))
			st = add_iscc(side, &iscc, err);
	if (!st && !asset.unit_count && !(st = isx_iscc_parse(asset.iscc_code, &iscc, err)))
		st = add_iscc(side, &iscc, err);
	isx_arena_release(&arena);
	isx_buf_release(&text);
	return st ? isx_err_at(err, st, "%s", path) : ISX_OK;
}

/* A word that exists as a file is a file, even if it looks like an ISCC, as in `search`. Errors
 * name the word. */
static enum isx_status read_side(const char *word, struct side *side, struct isx_err *err)
{
	struct isx_iscc iscc;
	if (access(word, F_OK) == 0)
		return read_file(word, side, err);
	enum isx_status st = read_word(word, "no such file, and not an ISCC", &iscc, err);
	if (!st && iscc.maintype == ISX_ID)
		st = isx_fail(err, ISX_INVALID,
			      "%.100s: an ISCC-ID says nothing of the content: expected an "
			      "ISCC-CODE, an ISCC-UNIT or a file (.iscc.json)",
			      word);
	return st ? st : add_iscc(side, &iscc, err);
}

/* Compare the units of each type that both sides have; of several of one type the best pair counts.
 * Returns how many types there are. */
static size_t compare_sides(const struct side *a, const struct side *b,
			    struct isx_iscc_comparison found[ISX_UNITS_MAX])
{
	/* A unit of `a` adds at most one type, so `found` has room. The cost is that of all
	 * pairs, at most ISX_UNITS_MAX squared. */
	size_t total = 0;
	for (size_t i = 0; i < a->count; i++) {
		for (size_t k = 0; k < b->count; k++) {
			struct isx_iscc_comparison one[ISX_ISCC_UNITS];
			size_t count = 0, at = 0;
			if (isx_iscc_compare(&a->units[i], &b->units[k], one, &count, NULL) ||
			    count == 0)
				continue;
			while (at < total && strcmp(found[at].type, one[0].type) != 0)
				at++;
			if (at == total)
				found[total++] = one[0];
			else if (one[0].score > found[at].score)
				found[at] = one[0];
		}
	}
	return total;
}

/* The score that a search for one finds the other with; 0: it does not. */
static double score_of(const struct isx_iscc_comparison *found, size_t count,
		       const struct settings *settings)
{
	double scores[ISX_UNITS_MAX];
	size_t reached = 0;
	for (size_t i = 0; i < count; i++)
		if (found[i].score >= settings->match_threshold_units)
			scores[reached++] = found[i].score;
	return reached ? isx_asset_score(scores, reached, (uint32_t)settings->confidence_exponent)
		       : 0;
}

/* Types that do not reach the threshold are shown, too: they tell why there is no match. */
static void print_comparison(const struct isx_iscc_comparison *found, size_t count, double score,
			     double threshold)
{
	printf("%sType              Bits  Differ   Score%s\n", term_style(stdout, TERM_BOLD),
	       term_style(stdout, TERM_PLAIN));
	for (size_t i = 0; i < count; i++)
		printf("%-16s  %4u  %6u  %.4f\n", found[i].type, found[i].bits, found[i].distance,
		       found[i].score);
	if (score > 0)
		printf("Score %.4f: a search for one finds the other\n", score);
	else
		printf("No match: no type of unit reaches %g\n", threshold);
}

/* 17 digits give the same double again when a program reads them. */
static void print_comparison_json(const struct isx_iscc_comparison *found, size_t count,
				  double score)
{
	struct isx_buf json = { 0 };
	isx_buf_printf(&json, "{\"score\":%.17g,\"types\":[", score);
	for (size_t i = 0; i < count; i++)
		isx_buf_printf(&json,
			       "%s{\"type\":\"%s\",\"bits\":%u,\"distance\":%u,\"score\":%.17g}",
			       i ? "," : "", found[i].type, found[i].bits, found[i].distance,
			       found[i].score);
	isx_buf_text(&json, "]}");
	print_json(&json);
}

/* Exit status 0 also for what does not match: a comparison has succeeded. Without a common type
 * there is nothing to compare, which is an error. */
static int run_compare(const struct cli_args *args)
{
	struct side a = { 0 }, b = { 0 };
	struct isx_iscc_comparison found[ISX_UNITS_MAX];
	struct settings settings;
	struct isx_err err = { 0 };
	enum isx_status st = settings_read(&settings, &err);
	if (!st)
		st = read_side(args->words[0], &a, &err);
	if (!st)
		st = read_side(args->words[1], &b, &err);
	size_t count = st ? 0 : compare_sides(&a, &b, found);
	if (!st && count == 0)
		st = isx_fail(
			&err, ISX_INVALID,
			"they have no type of ISCC-UNIT in common ('iscc-search inspect' shows "
			"which they have)");
	double score = score_of(found, count, &settings);
	if (!st && prints_json(args))
		print_comparison_json(found, count, score);
	else if (!st)
		print_comparison(found, count, score, settings.match_threshold_units);
	settings_release(&settings);
	return st ? target_fail(st, &err) : CLI_OK;
}

static const struct cli_option compare_options[] = { OUTPUT_OPTIONS };

const struct cli_command command_compare = {
	.name = "compare",
	.words = "A B",
	.words_least = 2,
	.words_most = 2,
	.summary = "Compare two ISCCs or files: bits, distance, score",
	.text = "A and B are ISCC-CODEs, ISCC-UNITs or files (.iscc.json). Units of the same type "
		"are compared over the bits that both have. The score is that with which a search "
		"for A finds B.\n\n"
		"Examples:\n"
		"  iscc-search compare photo.iscc.json "
		"ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY\n"
		"  iscc-search compare photo.iscc.json examples/files/assume-py-iqrs.iscc.json\n",
	.options = compare_options,
	.option_count = sizeof compare_options / sizeof compare_options[0],
	.run = run_compare,
};
