/*
 * cmd_index.c - the commands `index add`, `list`, `use`, `remove` and `rebuild`. Backup, compact
 *               and check are in cmd_maintenance.c, fields in cmd_fields.c.
 *
 * These commands change config.json, which 0.3.3 reads and writes, too. Stores are opened only by
 * `add --remote`, to create the index there, by `list --json`, to count assets, and by
 * `remove --delete-data`.
 *
 * config.json is read, changed in memory and replaced as a whole by each command; config.c says
 * what is kept of a file that a user has edited. Where messages are those of 0.3.3, a comment says
 * so: scripts look for them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/say.h"
#include "cli/target.h"
#include "cli/term.h"
#include "json/json_pretty.h"
#include "json/json_text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Settings and configuration, for commands that open no store. */
struct known {
	struct settings settings;
	struct config config;
};

/* Prints the error. Call known_close() in both cases. */
static bool known_open(struct known *known)
{
	struct isx_err err = { 0 };
	*known = (struct known){ 0 };
	enum isx_status st = settings_read(&known->settings, &err);
	if (!st)
		st = config_load(settings_data_folder(), true, &known->config, &err);
	if (st)
		target_fail(st, &err);
	return st == ISX_OK;
}

/* Entries borrow from both, so nothing of them is used afterwards. */
static void known_close(struct known *known)
{
	config_release(&known->config);
	settings_release(&known->settings);
}

/* Replaces config.json; prints the error. */
static int save(struct known *known)
{
	struct isx_err err = { 0 };
	enum isx_status st = config_save(&known->config, &err);
	return st ? target_fail(st, &err) : CLI_OK;
}

/* The first and the last line are those of 0.3.3. */
static int fail_unknown(const struct config *config, const char *name)
{
	const char *meant = config_nearest(config, name);
	say_line(stderr, "Error: Index '%s' not found in configuration", name);
	if (meant)
		say_line(stderr, "Did you mean '%s'?", meant);
	say_line(stderr, "Use 'iscc-search index list' to see available indexes");
	return CLI_ERROR;
}

/* --- add -------------------------------------------------------------------------------------- */

/* Ask the server for the index, and create it there if it is missing. Messages are those of 0.3.3.
 * The server is asked for the index first, as creating one that exists would be an error. */
static int ensure_on_server(const struct known *known, const struct config_index *index)
{
	struct isx_options options;
	struct isx_store *store;
	struct isx_index_info info;
	struct isx_err err = { 0 };
	settings_to_options(&known->settings, &options);
	options.api_key = index->api_key;
	enum isx_status st = isx_open(index->url, &options, &store, &err);
	if (st)
		return target_fail(st, &err);
	st = isx_index_stat(store, index->name, &info, &err);
	if (!st)
		isx_index_info_release(&info);
	/* Any other failure, for example a wrong key, must not create anything. */
	if (st == ISX_NOT_FOUND) {
		say_line(stdout, "Index '%s' not found on server, creating...", index->name);
		st = isx_index_create(store, index->name, &err);
		if (!st)
			say_line(stdout, "Created index '%s' on remote server", index->name);
	}
	isx_close(store);
	if (!st)
		return CLI_OK;
	settings_name_variables(&err);
	say_line(stderr, "Error: Registered; the server %s: %s",
		 st == ISX_UNAVAILABLE ? "cannot be reached" : "refuses", err.msg);
	return CLI_ERROR;
}

/* The configuration is saved before the server is asked, as in 0.3.3: the entry stays if the server
 * cannot be reached. Messages are those of 0.3.3. */
static int put_and_save(struct known *known, const struct config_index *index)
{
	struct isx_err err = { 0 };
	enum isx_status st = config_put(&known->config, index, &err);
	if (st)
		return target_fail(st, &err);
	say_line(stdout, "Registered %s index '%s'", index->is_remote ? "remote" : "local",
		 index->name);
	if (index->is_remote)
		say_line(stdout, "URL: %s", index->url);
	else
		say_line(stdout, "Path: %s", index->path);
	if (index->is_remote && index->api_key)
		say_line(stdout, "API key: configured");
	int code = save(known);
	if (code == CLI_OK && index->is_remote)
		code = ensure_on_server(known, index);
	if (code == CLI_OK && strcmp(known->config.active, index->name) == 0)
		say_line(stdout, "'%s' is now the active index", index->name);
	return code;
}

/* The name is not checked here, as in 0.3.3: a bad one fails when the index is used. */
static int run_index_add(const struct cli_args *args)
{
	const char *url = cli_option_value(args, "--remote"),
		   *path = cli_option_value(args, "--path");
	bool local = cli_option_value(args, "--local") != NULL;
	struct known known;
	char absolute[PATH_MAX], plain_url[1024];
	int code = CLI_ERROR;
	/* Exactly one of the two. */
	if (local == (url != NULL)) {
		fprintf(stderr, local ? "Error: Cannot specify both --local and --remote\n"
				      : "Error: Must specify either --local or --remote\n");
		return CLI_ERROR;
	}
	if (known_open(&known)) {
		struct config_index index = { .name = args->words[0], .is_remote = !local };
		if (local) {
			files_absolute(path ? path : settings_data_folder(), absolute);
			index.path = absolute;
		} else {
			/* Paths are appended with a slash, so the URL is stored without one. */
			size_t len = strlen(url);
			while (len && url[len - 1] == '/')
				len--;
			snprintf(plain_url, sizeof plain_url, "%.*s", (int)len, url);
			index.url = plain_url;
			index.api_key = cli_option_value(args, "--api-key");
			/* ISCC_SEARCH_API_KEY, which is stored with the entry. */
			if (!index.api_key)
				index.api_key = known.settings.api_key;
		}
		code = put_and_save(&known, &index);
	}
	known_close(&known);
	return code;
}

static const struct cli_option add_options[] = {
	{ "--local", 0, NULL, "An index on this machine" },
	{ "--path", 0, "DIR", "Folder of the index files (default: the data folder)" },
	{ "--remote", 0, "URL", "An index on another server" },
	{ "--api-key", 0, "KEY", "API key of that server (default: ISCC_SEARCH_API_KEY)" },
};

static const struct cli_command index_add = {
	.name = "add",
	.words = "NAME",
	.words_least = 1,
	.words_most = 1,
	.summary = "Register an index; the first one becomes active",
	.text = "Examples:\n"
		"  iscc-search index add mylocal --local --path /data/iscc\n"
		"  iscc-search index add production --remote https://api.example.com --api-key K\n",
	.options = add_options,
	.option_count = sizeof add_options / sizeof add_options[0],
	.run = run_index_add,
};

/* --- list, use, remove ------------------------------------------------------------------------ */

/* The number of assets of an index: an index that has not been used yet has none. */
static enum isx_status count_assets(const struct known *known, const struct config_index *index,
				    uint64_t *assets, struct isx_err *err)
{
	char uri[PATH_MAX + 16];
	struct isx_options options;
	struct isx_store *store;
	struct isx_index_info info;
	*assets = 0;
	/* An index that was never used has no folder. Its store is not opened: that would
	 * fail, and the answer is known. */
	snprintf(uri, sizeof uri, "%s/%s", index->path ? index->path : "", index->name);
	if (!index->is_remote && access(uri, F_OK) != 0)
		return ISX_OK;
	settings_to_options(&known->settings, &options);
	options.read_only = true;
	options.api_key = index->api_key;
	snprintf(uri, sizeof uri, "usearch://%s", index->path ? index->path : "");
	enum isx_status st = isx_open(index->is_remote ? index->url : uri, &options, &store, err);
	if (st)
		return st;
	st = isx_index_stat(store, index->name, &info, err);
	if (!st) {
		*assets = info.assets;
		isx_index_info_release(&info);
	}
	isx_close(store);
	return st;
}

/* No index is active when the last one was removed. */
static bool is_active(const struct known *known, const struct config_index *index)
{
	return known->config.active && strcmp(known->config.active, index->name) == 0;
}

/* {"name","type","path" or "url","active","assets"}; where they cannot be counted, `assets` is
 * null and there is an `error`. Written by hand and not by the functions of json/wire.h: entries
 * of the configuration are no resource of the API. */
static void list_as_json(const struct known *known)
{
	struct isx_buf json = { 0 }, pretty = { 0 };
	isx_buf_char(&json, '[');
	for (size_t i = 0; i < known->config.count; i++) {
		const struct config_index *index = &known->config.indexes[i];
		struct isx_err err = { 0 };
		uint64_t assets;
		if (index->is_strange)
			continue;
		isx_buf_text(&json, json.len > 1 ? ",{\"name\":" : "{\"name\":");
		isx_json_quote(&json, isx_span_of(index->name));
		isx_buf_printf(&json,
			       ",\"type\":\"%s\",\"%s\":", index->is_remote ? "remote" : "local",
			       index->is_remote ? "url" : "path");
		isx_json_quote(&json, isx_span_of(index->is_remote ? index->url : index->path));
		isx_buf_printf(&json, ",\"active\":%s,\"assets\":",
			       is_active(known, index) ? "true" : "false");
		if (count_assets(known, index, &assets, &err)) {
			isx_buf_text(&json, "null,\"error\":");
			isx_json_quote(&json, isx_span_of(err.msg));
		} else {
			isx_buf_printf(&json, "%llu", (unsigned long long)assets);
		}
		isx_buf_char(&json, '}');
	}
	isx_buf_char(&json, ']');
	isx_json_pretty(&pretty, (struct isx_span){ json.ptr, json.len }, false);
	say_json((struct isx_span){ pretty.ptr, pretty.len });
	isx_buf_release(&json);
	isx_buf_release(&pretty);
}

/* A table with the columns of 0.3.3. On a terminal what does not fit is shortened: names to a third of the
 * width, and the location to what is left. Entries that cannot be used are not listed; loading the
 * configuration has warned of them. */
static void list_as_table(const struct known *known)
{
	enum { OTHER_COLUMNS = 20 }; /* type, active, and blanks between */
	size_t widest = 4, width = term_width();
	for (size_t i = 0; i < known->config.count; i++)
		if (strlen(known->config.indexes[i].name) > widest)
			widest = strlen(known->config.indexes[i].name);
	if (width && widest > width / 3)
		widest = width / 3;
	printf("%sConfigured Indexes%s\n%-*s  %-6s  %-6s  %s\n", term_style(stdout, TERM_BOLD),
	       term_style(stdout, TERM_PLAIN), (int)widest, "Name", "Type", "Active",
	       "Location/URL");
	for (size_t i = 0; i < known->config.count; i++) {
		const struct config_index *index = &known->config.indexes[i];
		struct isx_buf name = { 0 }, place = { 0 };
		struct isx_span where = isx_span_of(index->is_remote ? index->url : index->path);
		size_t left = width > widest + OTHER_COLUMNS ? width - widest - OTHER_COLUMNS : 0;
		if (index->is_strange)
			continue;
		term_add_shortened(&name, isx_span_of(index->name), width ? widest : SIZE_MAX);
		term_add_shortened(&place, where, width ? left : SIZE_MAX);
		/* A check mark, as in 0.3.3. */
		printf("%-*.*s  %-6s  %s       %.*s\n", (int)widest, (int)name.len,
		       name.len ? name.ptr : "", index->is_remote ? "remote" : "local",
		       is_active(known, index) ? "\xE2\x9C\x93" : " ", (int)place.len,
		       place.len ? place.ptr : "");
		isx_buf_release(&name);
		isx_buf_release(&place);
	}
}

/* Only --json opens the stores, one after the other, to count assets: a server that does not
 * answer delays it until its timeout, and the table never waits. */
static int run_index_list(const struct cli_args *args)
{
	struct known known;
	bool is_open = known_open(&known);
	if (is_open && cli_option_value(args, "--json"))
		list_as_json(&known);
	else if (is_open)
		list_as_table(&known);
	known_close(&known);
	return is_open ? CLI_OK : CLI_ERROR;
}

static const struct cli_option list_options[] = {
	{ "--json", 'j', NULL, "Print JSON, with the number of assets in each index" },
};

static const struct cli_command index_list = { .name = "list",
					       .summary = "List the indexes",
					       .options = list_options,
					       .option_count = 1,
					       .run = run_index_list };

/* `active` borrows the name of the entry, which lives as long as the configuration. */
static int run_index_use(const struct cli_args *args)
{
	struct known known;
	int code = CLI_ERROR;
	if (known_open(&known)) {
		const struct config_index *index = config_find(&known.config, args->words[0]);
		if (!index) {
			code = fail_unknown(&known.config, args->words[0]);
		} else {
			known.config.active = index->name;
			code = save(&known);
			if (code == CLI_OK)
				say_line(stdout, "Active index set to '%s'", index->name);
		}
	}
	known_close(&known);
	return code;
}

static const struct cli_command index_use = { .name = "use",
					      .words = "NAME",
					      .words_least = 1,
					      .words_most = 1,
					      .summary = "Make an index the active one",
					      .run = run_index_use };

/* Delete the files of a local index through the engine, which knows what belongs to the index. The
 * entry has left the configuration before: if deleting fails, the files are still there, and
 * registering them again brings the index back. The other order could leave an entry without
 * files. */
static int delete_data(const struct known *known, const struct config_index *index)
{
	char uri[PATH_MAX + 16];
	struct isx_options options;
	struct isx_store *store;
	struct isx_err err = { 0 };
	if (index->is_remote) {
		printf("Note: --delete-data does not delete the data of a remote index\n");
		return CLI_OK;
	}
	snprintf(uri, sizeof uri, "%s/%s", index->path, index->name);
	if (access(uri, F_OK) != 0) { /* opening the store would create its folder */
		say_line(stdout, "Warning: Index directory %s not found", uri);
		return CLI_OK;
	}
	settings_to_options(&known->settings, &options);
	snprintf(uri, sizeof uri, "usearch://%s", index->path);
	enum isx_status st = isx_open(uri, &options, &store, &err);
	if (st)
		return target_fail(st, &err);
	st = isx_index_delete(store, index->name, &err);
	isx_close(store);
	if (st == ISX_NOT_FOUND)
		say_line(stdout, "Warning: Index directory %s/%s not found", index->path,
			 index->name);
	else if (st)
		return target_fail(st, &err);
	else
		say_line(stdout, "Deleted index directory %s/%s", index->path, index->name);
	return CLI_OK;
}

/* The entry is copied first, because config_remove() overwrites it. */
static int run_index_remove(const struct cli_args *args)
{
	struct known known;
	int code = CLI_ERROR;
	if (known_open(&known)) {
		const struct config_index *found = config_find(&known.config, args->words[0]);
		if (!found) {
			code = fail_unknown(&known.config, args->words[0]);
		} else {
			struct config_index index = *found;
			config_remove(&known.config, index.name);
			code = save(&known);
			if (code == CLI_OK)
				say_line(stdout, "Removed index '%s' from configuration",
					 index.name);
			if (code == CLI_OK && cli_option_value(args, "--delete-data"))
				code = delete_data(&known, &index);
		}
	}
	known_close(&known);
	return code;
}

static const struct cli_option remove_options[] = {
	{ "--delete-data", 0, NULL, "Also delete the files of a local index" },
};

static const struct cli_command index_remove = {
	.name = "remove",
	.words = "NAME",
	.words_least = 1,
	.words_most = 1,
	.summary = "Remove an index from the configuration",
	.options = remove_options,
	.option_count = sizeof remove_options / sizeof remove_options[0],
	.run = run_index_remove,
};

/* --- rebuild ---------------------------------------------------------------------------------- */

/* There is nothing to rebuild, but arguments that 0.3.3 refuses are refused. A script that names
 * an index which does not exist fails here as it does with 0.3.3, and not later. */
static int check_rebuild(const struct cli_args *args)
{
	const char *name = cli_option_value(args, "--index");
	const struct config_index *index = NULL;
	struct known known;
	int code = CLI_ERROR;
	if (known_open(&known)) {
		name = name ? name : known.config.active;
		index = name ? config_find(&known.config, name) : NULL;
		if (!name)
			fprintf(stderr, "Error: no active index\n");
		else if (!index)
			code = fail_unknown(&known.config, name);
		else if (index->is_remote)
			say_line(stderr, "Error: '%s' is a remote index: rebuild it where it is",
				 name);
		else
			code = CLI_OK;
	}
	known_close(&known);
	return code;
}

/* As in 0.3.3, either --all or types. */
static int run_index_rebuild(const struct cli_args *args)
{
	int code;
	bool all = cli_option_value(args, "--all") != NULL;
	bool some = cli_option_value(args, "--unit-type") ||
		    cli_option_value(args, "--simprint-type");
	/* Neither or both: an error, as in 0.3.3. */
	if (all == some) {
		fprintf(stderr, all ? "Error: --all cannot be combined with --unit-type or "
				      "--simprint-type\n"
				    : "Error: specify at least one of --unit-type, "
				      "--simprint-type, or --all\n");
		return CLI_ERROR;
	}
	code = check_rebuild(args);
	if (code == CLI_OK)
		printf("Nothing to rebuild: what is searched changes in one transaction with the "
		       "assets\n");
	return code;
}

static const struct cli_option rebuild_options[] = {
	{ "--all", 0, NULL, "Every type" },
	{ "--unit-type", 0, "TYPE", "A unit type, for example CONTENT_TEXT_V0" },
	{ "--simprint-type", 0, "TYPE", "A simprint type" },
	{ "--index", 'i', "NAME", "Use this index instead of the active one" },
};

static const struct cli_command index_rebuild = {
	.name = "rebuild",
	.summary = "No effect; kept for compatibility with 0.3.3",
	.options = rebuild_options,
	.option_count = sizeof rebuild_options / sizeof rebuild_options[0],
	.run = run_index_rebuild,
};

static const struct cli_command *const index_commands[] = { &index_add,
							    &index_list,
							    &index_use,
							    &index_remove,
							    &index_rebuild,
							    &command_index_backup,
							    &command_index_compact,
							    &command_index_check,
							    &command_index_copy,
							    &command_index_fields,
							    &command_index_stats,
							    NULL };

const struct cli_command command_index = {
	.name = "index",
	.summary = "Manage the indexes that add, get and search use",
	.text = "The indexes are configured in config.json in the data folder "
		"($XDG_DATA_HOME/iscc-search\n"
		"or ~/.local/share/iscc-search). Indexes found in the data folder are listed "
		"too.\n",
	.commands = index_commands,
};
