/*
 * target.c - from options and configuration to an open store.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/target.h"

#include <limits.h>
#include <stdio.h>

int target_fail(enum isx_status status, const struct isx_err *err)
{
	fprintf(stderr, "Error: %s\n", err->msg);
	return isx_status_exit(status);
}

/* The entry that the options and the configuration point at. */
static enum isx_status choose_index(struct config *config, const char *name,
				    const struct config_index **index, struct isx_err *err)
{
	const char *wanted = name ? name : config->active;
	if (!wanted)
		return isx_fail(err, ISX_NOT_FOUND,
				"no active index: 'iscc-search index add' makes one");
	*index = config_find(config, wanted);
	if (!*index)
		return isx_fail(err, ISX_NOT_FOUND,
				"Index '%s' not found in configuration ('iscc-search index list' "
				"shows them)",
				wanted);
	return ISX_OK;
}

static enum isx_status open_store(struct target *target, const char *uri, const char *api_key,
				  bool make_index, struct isx_err *err)
{
	struct isx_options options;
	struct isx_err why;
	settings_to_options(&target->settings, &options);
	options.api_key = api_key;
	enum isx_status st = isx_open(uri, &options, &target->store, err);
	if (!st && make_index) {
		st = isx_index_create(target->store, target->name, &why);
		if (st == ISX_EXISTS)
			st = ISX_OK;
		else if (st)
			st = isx_fail(err, st, "%s", why.msg);
	}
	return st;
}

static enum isx_status open_target(const struct cli_args *args, struct target *target,
				   struct isx_err *err)
{
	const char *uri = cli_option_value(args, "--uri"),
		   *name = cli_option_value(args, "--index");
	const struct config_index *index = NULL;
	char local[PATH_MAX + 16];
	enum isx_status st = settings_read(&target->settings, err);
	if (st)
		return st;
	if (uri) {
		target->name = name ? name : "default";
		return open_store(target, uri, target->settings.api_key,
				  strncmp(uri, "http", 4) != 0, err);
	}
	st = config_load(settings_data_folder(), &target->config, err);
	if (!st)
		st = choose_index(&target->config, name, &index, err);
	if (st)
		return st;
	target->name = index->name;
	if (index->is_remote)
		return open_store(target, index->url, index->api_key, false, err);
	snprintf(local, sizeof local, "usearch://%s%s", index->path[0] == '/' ? "" : "/",
		 index->path);
	return open_store(target, local, NULL, true, err);
}

bool target_open(const struct cli_args *args, struct target *target)
{
	struct isx_err err = { 0 };
	*target = (struct target){ 0 };
	enum isx_status st = open_target(args, target, &err);
	if (st)
		target_fail(st, &err);
	return st == ISX_OK;
}

void target_close(struct target *target)
{
	isx_close(target->store);
	config_release(&target->config);
	settings_release(&target->settings);
}
