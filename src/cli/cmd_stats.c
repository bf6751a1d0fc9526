/*
 * cmd_stats.c - the commands `stats` and `index stats`, which are one: what an index holds, in numbers.
 *
 * All numbers are those of isx_stats(); here they are printed. Must not know engines. The JSON is
 * that of the REST API (json/wire.h). The table is for people only: its form may change.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "base/span.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/target.h"
#include "cli/term.h"
#include "json/json_pretty.h"
#include "json/wire.h"

#include <stdio.h>
#include <time.h>

/* Bars begin at a column, and leave room for them on a terminal of 80 columns. */
enum { BAR_COLUMN = 37, BAR_CELLS = 40 };

static void print_as_json(const char *name, const struct isx_index_stats *stats)
{
	struct isx_buf json = { 0 }, pretty = { 0 };
	isx_stats_to_json(&json, name, stats);
	isx_json_pretty(&pretty, (struct isx_span){ json.ptr, json.len }, false);
	say_json((struct isx_span){ pretty.ptr, pretty.len });
	isx_buf_release(&json);
	isx_buf_release(&pretty);
}

static void print_time(uint64_t time_us, char text[32])
{
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm parts;
	gmtime_r(&seconds, &parts);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static void print_title(const char *title)
{
	printf("%s%s%s\n", term_style(stdout, TERM_BOLD), title, term_style(stdout, TERM_PLAIN));
}

/* A bar for a share of the largest number; its line ends here. Blanks behind the bar are cut off,
 * as they would be copied with the text. */
static void print_bar(uint64_t count, uint64_t most)
{
	struct isx_buf bar = { 0 };
	size_t width = term_text_width(), cells = width > BAR_COLUMN ? width - BAR_COLUMN : 0;
	term_add_bar(&bar, (double)count / (double)most, cells < BAR_CELLS ? cells : BAR_CELLS);
	while (bar.len && bar.ptr[bar.len - 1] == ' ')
		bar.len--;
	printf("  %.*s\n", (int)bar.len, bar.len ? bar.ptr : "");
	isx_buf_release(&bar);
}

/* One line for each type and length; no heading without any. Assets without the type are told on
 * its first line. */
static void print_types(const char *title, const struct isx_index_stats *stats,
			const struct isx_stats_type *types, size_t type_count)
{
	char count[32], without[32];
	if (type_count)
		print_title(title);
	for (size_t i = 0; i < type_count; i++) {
		for (size_t k = 0; k < types[i].length_count; k++) {
			say(stdout, "  %-24s  %3u bits  %14s", types[i].type,
			    types[i].lengths[k].bits, term_count(types[i].lengths[k].count, count));
			if (k == 0 && types[i].assets < stats->assets)
				printf("; %s assets without",
				       term_count(stats->assets - types[i].assets, without));
			printf("\n");
		}
	}
}

/* "Hubs: 3 (1,200), 0 (17)": those with the most assets first. The next largest number is searched
 * for each of the five, and the list is not sorted: it is borrowed from the statistics, and 5
 * walks over at most 4,096 hubs take no time. */
static void print_hubs(const struct isx_index_stats *stats)
{
	enum { SHOWN_HUBS = 5 };
	uint64_t before = UINT64_MAX; /* the number of assets of the hub that was shown last */
	size_t last = 0, shown = 0;   /* and its place: hubs of the same number follow it */
	char count[32];
	printf("Hubs: ");
	for (; shown < stats->hub_count && shown < SHOWN_HUBS; shown++) {
		size_t best = stats->hub_count;
		for (size_t i = 0; i < stats->hub_count; i++) {
			uint64_t assets = stats->hubs[i].assets;
			bool is_left = assets < before || (assets == before && i > last);
			if (is_left &&
			    (best == stats->hub_count || assets > stats->hubs[best].assets))
				best = i;
		}
		before = stats->hubs[best].assets;
		last = best;
		printf("%s%u (%s)", shown ? ", " : "", stats->hubs[best].hub,
		       term_count(before, count));
	}
	if (stats->hub_count > shown)
		printf(" and %s more", term_count(stats->hub_count - shown, count));
	printf("\n");
}

/* A bar for each period with assets; of many periods the last ones. */
static void print_periods(const struct isx_index_stats *stats)
{
	enum { SHOWN_PERIODS = 24 };
	size_t first = stats->period_count > SHOWN_PERIODS ? stats->period_count - SHOWN_PERIODS
							   : 0;
	uint64_t most = 1;
	char count[32];
	for (size_t i = first; i < stats->period_count; i++)
		if (stats->periods[i].assets > most)
			most = stats->periods[i].assets;
	print_title("Assets by time");
	if (first)
		printf("  (the last %d of %zu periods)\n", SHOWN_PERIODS, stats->period_count);
	for (size_t i = first; i < stats->period_count; i++) {
		say(stdout, "  %-13s  %14s", stats->periods[i].name,
		    term_count(stats->periods[i].assets, count));
		print_bar(stats->periods[i].assets, most);
	}
}

/* A histogram in one line: cells from distance 0 to that of all bits, as high as they have pairs.
 * Unrelated units differ in about half of their bits. A cell with a single pair has the lowest bar
 * and not a blank: a few near pairs are what a reader looks for. The two chances behind it say how
 * far real units are from random codes. */
static void print_histogram(const char *type, const struct isx_stats_distances *one)
{
	enum { CELLS = 24, HEIGHTS = 8 };
	uint64_t pairs[CELLS] = { 0 }, most = 1;
	for (uint32_t d = 0; d <= one->bits; d++)
		pairs[(uint64_t)d * CELLS / (one->bits + 1)] += one->counts[d];
	for (size_t i = 0; i < CELLS; i++)
		most = pairs[i] > most ? pairs[i] : most;
	say(stdout, "  %-16s  %3u bits  ", type, one->bits);
	for (size_t i = 0; i < CELLS; i++)
		if (pairs[i]) /* U+2581 to U+2588 */
			printf("\xE2\x96%c", (int)(0x81 + (double)(HEIGHTS - 1) * (double)pairs[i] /
								  (double)most));
		else
			printf(" ");
	printf("  %8.1e  %8.1e\n", one->match_chance, one->match_chance_random);
}

/* The heading is printed with the first line, as it is not known before whether any type was
 * sampled. */
static void print_distances(const struct isx_index_stats *stats)
{
	bool is_first = true;
	for (size_t i = 0; i < stats->unit_type_count; i++) {
		for (size_t k = 0; k < stats->units[i].distances_count; k++) {
			if (is_first)
				print_title(
					"Distances of sampled pairs    none to all bits differ  "
					"    Chance    Random");
			print_histogram(stats->units[i].type, &stats->units[i].distances[k]);
			is_first = false;
		}
	}
}

/* Two numbers in one call need two buffers: term_count() returns the one that it fills. */
static void print_identical(const struct isx_index_stats *stats)
{
	char count[32], other[32];
	printf("Identical files (INSTANCE): %s group%s, %s asset%s beyond the first of each\n",
	       term_count(stats->identical_groups, count), stats->identical_groups == 1 ? "" : "s",
	       term_count(stats->identical_duplicates, other),
	       stats->identical_duplicates == 1 ? "" : "s");
}

/* Where not all assets were read, the numbers of the sample are said to be such. */
static void print_sampled(const struct isx_index_stats *stats)
{
	char sampled[32], code[32], metadata[32];
	printf("Of %s%s asset%s %s with an ISCC-CODE, %s with metadata\n",
	       term_count(stats->sampled, sampled),
	       stats->sampled < stats->assets ? " sampled" : "", stats->sampled == 1 ? "" : "s",
	       term_count(stats->with_code, code), term_count(stats->with_metadata, metadata));
	for (size_t i = 0; i < stats->field_count; i++)
		say(stdout, "%s%s", i ? ", " : "Declared fields: ", stats->fields[i]);
	printf("%s", stats->field_count ? "\n" : "");
}

/* An empty index has no times, hubs or distances, so its table ends early. What most users want to
 * know stands first, and bars last, as they take most lines. */
static void print_as_table(const char *name, const struct isx_index_stats *stats)
{
	char first[32], last[32], count[32];
	print_time(stats->first_us, first);
	print_time(stats->last_us, last);
	say_line(stdout, "Index '%s': %s asset%s", name, term_count(stats->assets, count),
		 stats->assets == 1 ? "" : "s");
	print_types("Units", stats, stats->units, stats->unit_type_count);
	print_types("Simprints", stats, stats->simprints, stats->simprint_type_count);
	if (!stats->assets)
		return;
	printf("Realm %u, from %s to %s\n", stats->realm, first, last);
	print_hubs(stats);
	print_identical(stats);
	print_sampled(stats);
	print_periods(stats);
	print_distances(stats);
}

static int print_stats(const struct cli_args *args, const struct target *target)
{
	struct isx_index_stats *stats;
	struct isx_err err = { 0 };
	bool as_table = cli_option_value(args, "--table") || term_width();
	enum isx_status st = isx_stats(target->store, target->name, &stats, &err);
	if (st)
		return target_fail(st, &err);
	if (cli_option_value(args, "--json") || !as_table)
		print_as_json(target->name, stats);
	else
		print_as_table(target->name, stats);
	isx_stats_free(stats);
	return CLI_OK;
}

/* Opened for writing, so that an index which 0.3.3 has written last is brought up to date, as a search
 * does it; but not created. */
static int run_stats_of(const struct cli_args *args, const char *name)
{
	struct target target;
	bool is_open = target_open_existing(args, name, false, &target);
	int code = is_open ? print_stats(args, &target) : CLI_ERROR;
	target_close(&target);
	return code;
}

/* `stats` uses the index as `search` does, so it creates a local one that is missing; `index
 * stats` never creates one. */
static int run_stats(const struct cli_args *args)
{
	return run_stats_of(args, cli_option_value(args, "--index"));
}

/* The name is a word, as in the other commands below `index`. */
static int run_index_stats(const struct cli_args *args)
{
	return run_stats_of(args, args->word_count ? args->words[0] : NULL);
}

#define OUTPUT_OPTIONS                                                                             \
	{ "--json", 'j', NULL, "Print JSON (the default when output is piped)" },                  \
	{                                                                                          \
		"--table", 't', NULL, "Print a table (the default on a terminal)"                  \
	}

#define WHAT_IS_COUNTED                                                                            \
	"Counts the units and simprints of each type and length, the assets without each type, "   \
	"their times and hubs, and those that are identical files (the same INSTANCE), all of "    \
	"one moment. Counts of codes and metadata are those of 10,000 assets, evenly spaced, "     \
	"where there are more.\n\n"                                                                \
	"Distances are those of sampled pairs of unrelated units, drawn from 0 to all bits. "      \
	"Chance is the probability that such a unit matches, as it was measured; Random is that "  \
	"of random codes. Times the number of assets it is how many match by chance.\n\n"

static const struct cli_option options[] = { OUTPUT_OPTIONS, TARGET_OPTIONS };

const struct cli_command command_stats = {
	.name = "stats",
	.summary = "Show what an index holds: types, lengths, times, hubs",
	.text = WHAT_IS_COUNTED
	"Examples:\n"
	"  iscc-search stats\n"
	"  iscc-search stats --json --uri usearch:///srv/iscc --index main\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_stats,
};

/* Unlike the other commands below `index` this one works on servers, too. */
static const struct cli_option index_options[] = {
	OUTPUT_OPTIONS,
	{ "--uri", 0, "URI", "Use an index of this store: usearch:///DIR or http://HOST:PORT" },
};

const struct cli_command command_index_stats = {
	.name = "stats",
	.words = "[NAME]",
	.words_most = 1,
	.summary = "Show what an index holds: types, lengths, times, hubs",
	.text = WHAT_IS_COUNTED
	"The same as 'iscc-search stats', which takes the name as an option.\n\n"
	"Examples:\n"
	"  iscc-search index stats\n"
	"  iscc-search index stats main --json --uri usearch:///srv/iscc\n",
	.options = index_options,
	.option_count = sizeof index_options / sizeof index_options[0],
	.run = run_index_stats,
};
