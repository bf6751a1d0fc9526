/*
 * cmd_inspect.c - the commands `inspect` and `compare`: what an ISCC says, and how alike two are.
 *
 * No index is opened, no server is asked and config.json is not read, unless `compare` is given an
 * ISCC-ID or an option that names an index. The rules of ISCCs are those of the library (iscc.h,
 * isx_compare()): nothing is computed here a second time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/iscc_file.h"
#include "cli/iscc_word.h"
#include "cli/say.h"
#include "cli/settings.h"
#include "cli/show.h"
#include "cli/target.h"
#include "cli/term.h"
#include "iscc.h"
#include "json/json_pretty.h"
#include "json/json_text.h"
#include "json/wire.h"

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

/* The time of an ISCC-ID, "2025-01-31T12:00:00.000001Z". With all six digits, as two ISCC-IDs of
 * one second may differ only there. */
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

/* A unit decomposes to itself, which is not printed a second time. The units of a code are shown
 * as ISCC-UNITs of their own, which other commands take: a user can search for one of them. */
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

/* One of the two works, and what its texts live in. */
struct side {
	struct isx_arena arena;
	struct isx_work work;
	bool is_id; /* an ISCC-ID, whose units are in an index */
};

/* The units of a file, which are longer, or else its code. A code has a part of each unit only.
 * What is read is copied into the arena, so the text of the file ends here. */
static enum isx_status read_file(const char *path, struct side *side, struct isx_err *err)
{
	struct isx_buf text = { 0 };
	struct isx_asset asset = { 0 };
	enum isx_status st = files_read(path, FILES_REGULAR, &text, err);
	if (!st)
		st = iscc_file_read((struct isx_span){ text.ptr, text.len }, path, 0, &side->arena,
				    &asset, err);
	if (!st && !asset.unit_count && !asset.iscc_code)
		st = isx_fail(err, ISX_INVALID, "has no ISCC-CODE and no units");
	side->work.units = asset.units;
	side->work.unit_count = asset.unit_count;
	if (!asset.unit_count)
		side->work.iscc = asset.iscc_code;
	isx_buf_release(&text);
	return st ? isx_err_at(err, st, "%s", path) : ISX_OK;
}

/* A word that exists as a file is a file, even if it looks like an ISCC, as in `search`. Errors
 * name the word. */
static enum isx_status read_side(const char *word, struct side *side, struct isx_err *err)
{
	struct isx_header header;
	if (access(word, F_OK) == 0)
		return read_file(word, side, err);
	enum isx_status st = iscc_word_read(word, "no such file, and not an ISCC", &side->arena,
					    &side->work.iscc, &header, err);
	side->is_id = !st && header.maintype == ISX_ID;
	return st;
}

/* How many types both works have. Counted before the score is looked at: a score of 0 has two
 * reasons. */
static size_t count_shared(const struct isx_comparison *comparison)
{
	size_t shared = 0;
	for (size_t i = 0; i < comparison->type_count; i++)
		shared += !comparison->types[i].absent;
	return shared;
}

/* The score is that of the search for A, which may differ from the one for B: each has the types
 * of its own query. */
static void print_comparison(const struct isx_comparison *comparison)
{
	static const char *const lacks[2] = { "only B has this type", "only A has this type" };
	show_explanation(comparison->types, comparison->type_count, 0, lacks);
	if (comparison->score > 0)
		printf("Score %.4f: a search for A finds B\n", comparison->score);
	else
		printf("No match: no type of unit reaches its threshold\n");
}

/* Compare with the thresholds of `settings`, which those of a store are, or without a store with
 * those of the index on another server. Without a common type there is nothing to compare, which
 * is an error. A score of 0 for works that cannot be compared would look like works that differ. */
static enum isx_status compare_sides(struct isx_store *store, const struct settings *settings,
				     const struct side *a, const struct side *b, bool as_json,
				     struct isx_err *err)
{
	struct isx_comparison *comparison;
	struct isx_buf json = { 0 };
	struct isx_query conditions = { 0 };
	if (!store)
		conditions = (struct isx_query){
			.has_min_score = true,
			.min_score = settings->match_threshold_units,
			.exponent = (uint32_t)settings->confidence_exponent,
		};
	enum isx_status st = isx_compare(store, &a->work, &b->work, &conditions, &comparison, err);
	if (st)
		return st;
	if (count_shared(comparison) == 0) {
		st = isx_fail(
			err, ISX_INVALID,
			"they have no type of ISCC-UNIT in common ('iscc-search inspect' shows "
			"which they have)");
	} else if (as_json) {
		isx_comparison_to_json(&json, comparison);
		print_json(&json);
	} else {
		print_comparison(comparison);
	}
	isx_comparison_free(comparison);
	return st;
}

/* Only an ISCC-ID, or an option that names an index, needs a store; nothing is written there. The
 * configuration may name a server that does not answer: two ISCCs can be compared without it. */
static int compare_in(const struct cli_args *args, struct side *a, struct side *b)
{
	struct target target = { 0 };
	struct isx_err err = { 0 };
	enum isx_status st = ISX_OK;
	const char *name = cli_option_value(args, "--index");
	bool is_open = true,
	     needs_store = a->is_id || b->is_id || name || cli_option_value(args, "--uri");
	if (needs_store)
		is_open = target_open_existing(args, name, true, &target);
	else
		st = settings_read(&target.settings, &err);
	a->work.index = a->is_id ? target.name : NULL;
	b->work.index = b->is_id ? target.name : NULL;
	if (!st && is_open)
		st = compare_sides(target.store, &target.settings, a, b, prints_json(args), &err);
	if (st)
		target_fail(st, &err);
	target_close(&target);
	return st || !is_open ? CLI_ERROR : CLI_OK;
}

/* Exit status 0 also for what does not match: a comparison has succeeded. */
static int run_compare(const struct cli_args *args)
{
	struct side a = { 0 }, b = { 0 };
	struct isx_err err = { 0 };
	enum isx_status st = read_side(args->words[0], &a, &err);
	if (!st)
		st = read_side(args->words[1], &b, &err);
	int code = st ? target_fail(st, &err) : compare_in(args, &a, &b);
	isx_arena_release(&a.arena);
	isx_arena_release(&b.arena);
	return code;
}

static const struct cli_option compare_options[] = { OUTPUT_OPTIONS, TARGET_OPTIONS };

const struct cli_command command_compare = {
	.name = "compare",
	.words = "A B",
	.words_least = 2,
	.words_most = 2,
	.summary = "Compare two ISCCs, assets or files: bits, distance, score, chance",
	.text = "A and B are ISCC-CODEs, ISCC-UNITs, ISCC-IDs of the index, or files (.iscc.json). "
		"Units of\n"
		"the same type are compared over the bits that both have. \"By chance\" is the "
		"probability that\n"
		"two unrelated units of so many bits differ in no more of them. The score is that "
		"with which a\n"
		"search for A finds B.\n\n"
		"Examples:\n"
		"  iscc-search compare photo.iscc.json "
		"ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY\n"
		"  iscc-search compare photo.iscc.json examples/files/assume-py-iqrs.iscc.json\n"
		"  iscc-search compare ISCC:MAIGHXLN555Y2DFF ISCC:MAIGGXO25TIIJR7F --index "
		"mylocal\n",
	.options = compare_options,
	.option_count = sizeof compare_options / sizeof compare_options[0],
	.run = run_compare,
};
