/*
 * cmd_datasets.c - the command `datasets`: lists the data sets of an author.
 *
 * Built for lists of some hundred data sets: the whole answer is in memory. Options, columns and
 * the members of the JSON are those of 0.3.3. How the host is asked, and its token, is
 * dataset_client.c.
 *
 * The host is untrusted: texts are printed by say*(), and an answer that has not the expected form
 * fails the command instead of a part of it being shown.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/percent.h"
#include "cli/commands.h"
#include "cli/dataset_client.h"
#include "cli/say.h"
#include "cli/term.h"
#include "json/json.h"
#include "json/json_pretty.h"

#include <ctype.h>
#include <stdio.h>

/* A data set, as the list names it. Texts are in the arena of the list. */
struct dataset {
	struct isx_span id, size_category;
	struct isx_span downloads, likes, tags; /* JSON, or empty */
	char modified[40];                      /* ISO 8601, or empty */
};

struct dataset_list {
	struct isx_buf json;
	struct isx_arena arena;
	struct dataset *rows;
	size_t count;
};

/* "2025-03-04T05:06:07.089Z" as Python writes it: 2025-03-04T05:06:07.089000+00:00, without a fraction of
 * zero. */
static bool convert_time(struct isx_span text, char modified[40])
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	char micros[7] = "000000";
	size_t len = sizeof form - 1;
	for (size_t i = 0; i < len; i++)
		if (i >= text.len || (form[i] == 'd' ? !isdigit((unsigned char)text.ptr[i])
						     : text.ptr[i] != form[i]))
			return false;
	struct isx_span rest = isx_span_skip(text, len);
	if (isx_span_has_prefix(rest, ".")) {
		rest = isx_span_skip(rest, 1);
		for (size_t i = 0; rest.len && isdigit((unsigned char)*rest.ptr); i++) {
			if (i < 6)
				micros[i] = *rest.ptr;
			rest = isx_span_skip(rest, 1);
		}
	}
	bool has_micros = strcmp(micros, "000000") != 0;
	snprintf(modified, 40, "%.*s%s%s+00:00", (int)len, text.ptr, has_micros ? "." : "",
		 has_micros ? micros : "");
	return isx_span_is(rest, "Z");
}

/* The value of the tag size_categories:..., or "-". The host has no member for it: the size is one
 * of the tags, by convention. */
static enum isx_status find_size(struct dataset_list *list, struct dataset *row,
				 struct isx_err *err)
{
	static const char prefix[] = "size_categories:";
	struct isx_json_walk walk = isx_json_walk_start(row->tags);
	struct isx_span tag, text;
	row->size_category = isx_span_of("-");
	while (isx_json_next_element(&walk, &tag)) {
		if (!isx_json_string(tag, &list->arena, &text))
			return isx_fail_memory(err);
		if (isx_span_has_prefix(text, prefix)) {
			row->size_category = isx_span_skip(text, sizeof prefix - 1);
			break;
		}
	}
	return ISX_OK;
}

/* Append the data set of one element of the answer. Counts and tags stay spans of that answer
 * and are printed as the host wrote them. An element without an ID, or with a time that is none,
 * fails the command. The array has room for one row per element. */
static enum isx_status read_row(struct dataset_list *list, struct isx_span element,
				struct isx_err *err)
{
	static const char *const names[] = { "id", "downloads", "likes", "lastModified", "tags" };
	struct isx_span values[5], time;
	struct dataset *row = &list->rows[list->count];
	isx_json_find(element, names, 5, values);
	if (!isx_json_string(values[0], &list->arena, &row->id) ||
	    !isx_json_string(values[3], &list->arena, &time))
		return isx_fail_memory(err);
	if (!row->id.len)
		return isx_fail(err, ISX_SCHEMA, "the host's answer: a data set has no id");
	if (time.len && !convert_time(time, row->modified))
		return isx_fail(err, ISX_SCHEMA, "the host's answer: '%.*s' is no time",
				time.len > 40 ? 40 : (int)time.len, time.ptr);
	row->downloads = values[1];
	row->likes = values[2];
	row->tags = values[4];
	list->count++;
	return find_size(list, row, err);
}

/* Ask the host. No request is sent for 0 data sets. */
static enum isx_status read_list(const char *author, size_t limit, struct dataset_list *list,
				 struct isx_err *err)
{
	struct dataset_client client;
	struct isx_buf path = { 0 };
	struct isx_span element;
	isx_buf_text(&path, "/api/datasets?");
	if (author[0]) {
		isx_buf_text(&path, "author=");
		isx_percent_add(&path, isx_span_of(author), "");
		isx_buf_char(&path, '&');
	}
	isx_buf_printf(&path, "limit=%zu", limit);
	enum isx_status st = isx_buf_status(&path, err);
	if (!st) {
		st = dataset_client_open(&client, err);
		if (!st)
			st = dataset_client_list(&client, path.ptr, limit, &list->json, err);
		dataset_client_close(&client);
	}
	isx_buf_release(&path);
	if (st)
		return st;
	struct isx_span json = { list->json.ptr, list->json.len };
	struct isx_json_walk walk = isx_json_walk_start(json);
	/* The last page may bring more elements than `limit`: there is room for all, but only
	 * `limit` are read. One more, as an empty list would ask for no bytes. */
	list->rows = isx_arena_alloc(&list->arena, isx_json_length(json) + 1, sizeof *list->rows);
	st = list->rows ? ISX_OK : isx_fail_memory(err);
	while (!st && list->count < limit && isx_json_next_element(&walk, &element))
		st = read_row(list, element, err);
	return st;
}

/* --- printing --------------------------------------------------------------------------------- */

/* A member behind another one. What the host has left out is null and not missing: rows have the
 * same members, as in 0.3.3. */
static void add_member(struct isx_buf *buf, const char *name, struct isx_span json)
{
	isx_buf_printf(buf, ",\"%s\":", name);
	isx_buf_add(buf, json.len ? json.ptr : "null", json.len ? json.len : 4);
}

/* One array, also without any data set, as programs read it. `tags` is always an array: they
 * need not look for null there. */
static void print_json(const struct dataset_list *list)
{
	struct isx_buf compact = { 0 }, pretty = { 0 };
	isx_buf_char(&compact, '[');
	for (size_t i = 0; i < list->count; i++) {
		const struct dataset *row = &list->rows[i];
		bool has_tags = isx_json_kind(row->tags) == ISX_JSON_ARRAY;
		isx_buf_text(&compact, i ? ",{\"repo_id\":" : "{\"repo_id\":");
		isx_json_quote(&compact, row->id);
		add_member(&compact, "downloads", row->downloads);
		add_member(&compact, "likes", row->likes);
		isx_buf_printf(&compact, ",\"last_modified\":%s%s%s",
			       row->modified[0] ? "\"" : "null", row->modified,
			       row->modified[0] ? "\"" : "");
		isx_buf_text(&compact, ",\"size_category\":");
		isx_json_quote(&compact, row->size_category);
		add_member(&compact, "tags", has_tags ? row->tags : isx_span_of("[]"));
		isx_buf_char(&compact, '}');
	}
	isx_buf_char(&compact, ']');
	isx_json_pretty(&pretty, (struct isx_span){ compact.ptr, compact.len }, false);
	say_json((struct isx_span){ pretty.ptr, pretty.len });
	isx_buf_release(&compact);
	isx_buf_release(&pretty);
}

/* The columns that names of data sets take: on a terminal so few that lines fit. */
static size_t name_columns(const struct dataset_list *list)
{
	enum { OTHER_COLUMNS = 32 }; /* downloads, likes, date, and blanks between */
	size_t widest = strlen("Repo ID"), size = strlen("Size"), width = term_width();
	for (size_t i = 0; i < list->count; i++) {
		if (list->rows[i].id.len > widest)
			widest = list->rows[i].id.len;
		if (list->rows[i].size_category.len > size)
			size = list->rows[i].size_category.len;
	}
	size_t left = width > OTHER_COLUMNS + size ? width - OTHER_COLUMNS - size : 0;
	if (width && widest > left)
		widest = left > strlen("Repo ID") ? left : strlen("Repo ID");
	return widest;
}

/* The columns of 0.3.3. */
static void print_table(const struct dataset_list *list, const char *author)
{
	size_t widest = name_columns(list);
	say_line(stdout, "Datasets in '%s' (%zu)", author, list->count);
	printf("%s%-*s  Downloads  Likes  Updated     Size%s\n", term_style(stdout, TERM_BOLD),
	       (int)widest, "Repo ID", term_style(stdout, TERM_PLAIN));
	for (size_t i = 0; i < list->count; i++) {
		const struct dataset *row = &list->rows[i];
		struct isx_buf name = { 0 };
		term_add_shortened(&name, row->id, term_width() ? widest : SIZE_MAX);
		say_line(stdout, "%-*.*s  %9lld  %5lld  %-10.10s  %.*s", (int)widest, (int)name.len,
			 name.len ? name.ptr : "", (long long)isx_json_int(row->downloads),
			 (long long)isx_json_int(row->likes),
			 row->modified[0] ? row->modified : "-", (int)row->size_category.len,
			 row->size_category.ptr);
		isx_buf_release(&name);
	}
	say_line(stdout, "%s", "");
	say_line(stdout, "Hint: iscc-search hub %.*s", (int)list->rows[0].id.len,
		 list->rows[0].id.ptr);
}

/* A limit of 0 lists nothing and sends no request. Rows point into the arena and into the answer,
 * so both are released after printing. */
static int run_datasets(const struct cli_args *args)
{
	const char *author = cli_option_value(args, "--author");
	struct dataset_list list = { 0 };
	struct isx_err err = { 0 };
	unsigned long limit;
	int code = CLI_OK;
	author = author ? author : "iscc";
	if (!cli_option_number(args, "--limit", 0, 100000, 20, &limit))
		return CLI_USAGE;
	if (limit && read_list(author, limit, &list, &err)) {
		say_line(stderr, "Failed to list datasets for '%s': %s", author, err.msg);
		code = CLI_ERROR;
	} else if (cli_option_value(args, "--json")) {
		print_json(&list);
	} else if (list.count == 0) {
		say_line(stdout, "No datasets found for author '%s'", author);
	} else {
		print_table(&list, author);
	}
	isx_arena_release(&list.arena);
	isx_buf_release(&list.json);
	return code;
}

static const struct cli_option options[] = {
	{ "--author", 'a', "NAME",
	  "User or organisation whose data sets are listed (default: iscc)" },
	{ "--limit", 'n', "N", "Number of data sets (default: 20)" },
	{ "--json", 0, NULL, "Print JSON instead of a table" },
};

const struct cli_command command_datasets = {
	.name = "datasets",
	.summary = "List data sets of ISCCs that are published on the Hugging Face Hub",
	.text = "'iscc-search hub REPO_ID' loads a data set. HF_ENDPOINT is another host, HF_TOKEN "
		"a token "
		"for\n"
		"private data sets.\n\n"
		"Examples:\n"
		"  iscc-search datasets\n"
		"  iscc-search datasets --author myorg --limit 50\n"
		"  iscc-search datasets --json\n\n"
		"Exit status: 0 listed, 1 the list could not be had.\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_datasets,
};
