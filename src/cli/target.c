/*
 * target.c - opens the store of the index that options or the configuration name.
 *
 * Every command that reads or writes assets goes through open_target(): which index is meant, and
 * what may be created, is decided here alone. Messages name the variables of the environment
 * (settings_name_variables()), as users of the command line set those.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/target.h"

#include "cli/say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOCAL_URI_BYTES = sizeof((struct target *)0)->local };

int target_fail(enum isx_status status, const struct isx_err *err)
{
	struct isx_err named = *err;
	settings_name_variables(&named);
	say_line(stderr, "Error: %s", named.msg);
	return status ? CLI_ERROR : CLI_OK;
}

/* The entry of `name`, or the active one. */
static enum isx_status choose_index(struct config *config, const char *name,
				    const struct config_index **index, struct isx_err *err)
{
	const char *wanted = name ? name : config->active;
	if (!wanted)
		return isx_fail(err, ISX_NOT_FOUND,
				"no active index: 'iscc-search index add' makes one");
	*index = config_find(config, wanted);
	if (*index)
		return ISX_OK;
	const char *meant = config_nearest(config, wanted);
	return isx_fail(err, ISX_NOT_FOUND,
			"Index '%s' not found in configuration ('iscc-search index list' shows "
			"them)%s%s%s",
			wanted, meant ? ". Did you mean '" : "", meant ? meant : "",
			meant ? "'?" : "");
}

/* How a command uses the index: MAKE_AND_USE creates it if it is local, MAKE_ANYWHERE also on another
 * server, REGISTER also puts a name that the configuration lacks into it, USE requires the index, ONLY_READ
 * never writes, and LOOK finds no store where MAKE_AND_USE would create the index. */
enum use { MAKE_AND_USE, MAKE_ANYWHERE, REGISTER, USE, ONLY_READ, LOOK };

/* Are these files of this machine? */
static bool is_local(const char *uri)
{
	return strncmp(uri, "usearch:", 8) == 0 || strncmp(uri, "lmdb:", 5) == 0;
}

/* Has LOOK failed because a local index does not exist yet, or its directory? A store that cannot
 * be opened for another reason, such as missing rights, is a failure for LOOK, too: a rehearsal
 * must not say that all would go well. */
static bool is_missing(struct target *target, const char *uri, enum isx_status st)
{
	struct isx_index_info info;
	if (!is_local(uri))
		return false;
	if (st)
		return access(strstr(uri, "//") ? strstr(uri, "//") + 2 : uri, F_OK) != 0 &&
		       errno == ENOENT;
	st = isx_index_stat(target->store, target->name, &info, NULL);
	if (!st)
		isx_index_info_release(&info);
	return st == ISX_NOT_FOUND;
}

/* USE opens the store twice: isx_open() for writing creates the directory of a missing store, so
 * it is first opened for reading, which fails for a missing one. An index that exists already is
 * no error for a command that may create it: another process may have created it a moment ago. */
static enum isx_status open_store(struct target *target, const char *uri, const char *api_key,
				  enum use use, struct isx_err *err)
{
	struct isx_options options;
	struct isx_err why;
	bool make_index = use < USE;
	target->uri = uri;
	settings_to_options(&target->settings, &options);
	/* A server has settings of its own; a prefix search has no threshold. */
	target->keeps_simprints = strncmp(uri, "lmdb:", 5) != 0;
	target->has_thresholds = strncmp(uri, "http", 4) != 0 && strncmp(uri, "lmdb:", 5) != 0;
	options.api_key = api_key;
	options.read_only = !make_index;
	enum isx_status st = isx_open(uri, &options, &target->store, err);
	if (!st && use == USE) { /* the store exists, so opening it for writing creates nothing */
		isx_close(target->store);
		target->store = NULL;
		options.read_only = false;
		st = isx_open(uri, &options, &target->store, err);
	}
	if (use == LOOK && is_missing(target, uri, st)) {
		isx_close(target->store);
		target->store = NULL;
		st = ISX_OK;
	}
	if (!st && make_index) {
		st = isx_index_create(target->store, target->name, &why);
		if (st == ISX_EXISTS)
			st = ISX_OK;
		else if (st)
			st = isx_fail(err, st, "%s", why.msg);
	}
	return st;
}

/* The URI of the store of an index in the configuration. */
static void uri_of(const struct config_index *index, char uri[LOCAL_URI_BYTES])
{
	if (index->is_remote)
		snprintf(uri, LOCAL_URI_BYTES, "%s", index->url);
	else
		snprintf(uri, LOCAL_URI_BYTES, "usearch://%s%s", index->path[0] == '/' ? "" : "/",
			 index->path);
}

/* Put a local index in the data folder into the configuration, unless it has one of that name. */
static enum isx_status register_index(struct config *config, const char *name, struct isx_err *err)
{
	const struct config_index index = { .name = name, .path = settings_data_folder() };
	if (config_find(config, name))
		return ISX_OK;
	enum isx_status st = config_put(config, &index, err);
	if (!st)
		st = config_save(config, err);
	if (!st)
		say_line(stderr, "Registered local index %s", name);
	return st;
}

/* A URI wins over the configuration, which is then not even read. A remote index is created for a
 * copy and a data set only: for other commands `index add` has done that. Configuration and
 * settings stay open in the target, as names and URLs are borrowed from them. */
static enum isx_status open_target(const char *uri, const char *name, enum use use,
				   struct target *target, struct isx_err *err)
{
	const struct config_index *index = NULL;
	enum isx_status st = settings_read(&target->settings, err);
	if (st)
		return st;
	if (uri) {
		target->name = name ? name : "default";
		if (use == MAKE_AND_USE && strncmp(uri, "http", 4) == 0)
			use = USE;
		return open_store(target, uri, target->settings.api_key, use, err);
	}
	st = config_load(settings_data_folder(), use != LOOK, &target->config, err);
	if (!st && use == REGISTER)
		st = register_index(&target->config, name, err);
	if (!st)
		st = choose_index(&target->config, name, &index, err);
	if (st)
		return st;
	target->name = index->name;
	uri_of(index, target->local);
	return index->is_remote ? open_store(target, index->url, index->api_key,
					     use == MAKE_AND_USE ? USE : use, err)
				: open_store(target, target->local, NULL, use, err);
}

/* Print what has failed. */
static bool open_and_say(const char *uri, const char *name, enum use use, struct target *target)
{
	struct isx_err err = { 0 };
	*target = (struct target){ 0 };
	enum isx_status st = open_target(uri, name, use, target, &err);
	if (st)
		target_fail(st, &err);
	return st == ISX_OK;
}

/* The index of --index, or the active one; a local one is created on first use, as in 0.3.3. */
bool target_open(const struct cli_args *args, struct target *target)
{
	return open_and_say(cli_option_value(args, "--uri"), cli_option_value(args, "--index"),
			    MAKE_AND_USE, target);
}

bool target_open_to_look(const struct cli_args *args, struct target *target)
{
	return open_and_say(cli_option_value(args, "--uri"), cli_option_value(args, "--index"),
			    LOOK, target);
}

bool target_open_existing(const struct cli_args *args, const char *name, bool read_only,
			  struct target *target)
{
	return open_and_say(cli_option_value(args, "--uri"), name, read_only ? ONLY_READ : USE,
			    target);
}

bool target_open_at(const char *uri, const char *name, bool writes, struct target *target)
{
	return open_and_say(uri, name, writes ? MAKE_ANYWHERE : ONLY_READ, target);
}

bool target_open_registered(const struct cli_args *args, const char *name, struct target *target)
{
	return open_and_say(cli_option_value(args, "--uri"), name, REGISTER, target);
}

bool target_open_other(const struct target *target, const char *name, struct isx_store **other)
{
	char uri[LOCAL_URI_BYTES], own[LOCAL_URI_BYTES];
	struct config config = target->config;
	struct target opened = { .settings = target->settings, .name = name };
	const struct config_index *index, *self = config_find(&config, target->name);
	struct isx_err err = { 0 };
	*other = NULL;
	if (!config.count) /* --uri */
		return true;
	enum isx_status st = choose_index(&config, name, &index, &err);
	if (!st) {
		uri_of(index, uri);
		if (self)
			uri_of(self, own);
		if (self && strcmp(uri, own) == 0)
			return true;
		st = open_store(&opened, index->is_remote ? index->url : uri, index->api_key, USE,
				&err);
	}
	*other = opened.store;
	return !st || (target_fail(st, &err), false);
}

/* Open the files of the store for writing instead, which brings an index up to date when it is read
 * first. On failure the store is as it was. */
static enum isx_status reopen(struct target *target, struct isx_err *err)
{
	struct isx_options options;
	struct isx_store *store = NULL;
	settings_to_options(&target->settings, &options);
	enum isx_status st = isx_open(target->uri, &options, &store, err);
	if (!st) {
		isx_close(target->store);
		target->store = store;
	}
	return st;
}

enum isx_status target_cursor_open(struct target *target, const struct isx_range *range,
				   struct isx_cursor **cursor, struct isx_err *err)
{
	struct isx_err why;
	enum isx_status st = isx_cursor_open_range(target->store, target->name, range, cursor, err);
	if (st != ISX_READ_ONLY || !is_local(target->uri))
		return st;
	st = reopen(target, &why);
	if (!st)
		st = isx_cursor_open_range(target->store, target->name, range, cursor, &why);
	return st ? isx_fail(err, ISX_READ_ONLY,
			     "the index was last written by another program or another version, "
			     "and cannot be brought up to date: %s",
			     why.msg)
		  : ISX_OK;
}

void target_close(struct target *target)
{
	isx_close(target->store);
	config_release(&target->config);
	settings_release(&target->settings);
}

void target_say_left_out(const struct target *target, uint64_t simprints)
{
	if (simprints && !target->keeps_simprints)
		say_line(stderr, "%llu simprint%s left out: lmdb:// keeps none",
			 (unsigned long long)simprints, simprints == 1 ? " is" : "s are");
}

/* 0.3.3 has no such member: it is printed only where something was left out. */
void target_print_left_out(const struct target *target, uint64_t simprints)
{
	if (simprints && !target->keeps_simprints)
		printf(",\n  \"simprints_left_out\": %llu", (unsigned long long)simprints);
	printf("\n}\n");
}
