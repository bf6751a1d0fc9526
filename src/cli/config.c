/*
 * config.c - read, change and write config.json.
 *
 * The file belongs to its user: members that are not ours stay as they are. It is replaced by
 * rename, so that no other process ever reads half of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/config.h"

#include "base/buf.h"
#include "base/log.h"
#include "cli/files.h"
#include "json/json.h"
#include "json/json_pretty.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A JSON string's text in the arena; NULL when it is none. */
static const char *text_of(struct config *config, struct isx_span source)
{
	struct isx_span text;
	return isx_json_string(source, &config->arena, &text) ? text.ptr : NULL;
}

static const char *text_member(struct config *config, struct isx_span object, const char *name)
{
	return text_of(config, isx_json_member(object, name));
}

static enum isx_status add_index(struct config *config, const struct config_index *index,
				 struct isx_err *err)
{
	struct config_index *grown = isx_arena_alloc(&config->arena, config->count + 1,
						     sizeof *grown);
	if (!grown)
		return isx_fail_memory(err);
	if (config->count)
		memcpy(grown, config->indexes, config->count * sizeof *grown);
	grown[config->count++] = *index;
	config->indexes = grown;
	return ISX_OK;
}

static struct config_index *find_any(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->count; i++)
		if (strcmp(config->indexes[i].name, name) == 0)
			return &config->indexes[i];
	return NULL;
}

/* Read one member of "indexes". */
static enum isx_status read_index(struct config *config, struct isx_span key, struct isx_span value,
				  struct isx_err *err)
{
	struct config_index index = { .source = value };
	const char *type = text_member(config, value, "type");
	index.name = text_of(config, (struct isx_span){ key.ptr - 1, key.len + 2 }); /* quotes */
	index.path = text_member(config, value, "path");
	index.url = text_member(config, value, "url");
	index.api_key = text_member(config, value, "api_key");
	index.is_remote = type && strcmp(type, "remote") == 0;
	if (!index.name)
		return isx_fail_memory(err);
	if (index.is_remote ? !index.url : !index.path) {
		isx_log(ISX_LOG_WARNING, "config.json: index '%s' has no %s", index.name,
			index.is_remote ? "url" : "path");
		index.is_strange = true;
	}
	return add_index(config, &index, err);
}

static enum isx_status read_config(struct config *config, struct isx_err *err)
{
	struct isx_span indexes = isx_json_member(config->file, "indexes");
	if (indexes.len && indexes.ptr[0] != '{')
		indexes = (struct isx_span){ 0 }; /* an array has no names: no indexes */
	struct isx_json_walk walk = isx_json_walk_start(indexes);
	struct isx_span key, value;
	enum isx_status st = ISX_OK;
	config->active = text_member(config, config->file, "active_index");
	while (!st && isx_json_next_member(&walk, &key, &value))
		st = read_index(config, key, value, err);
	return st;
}

static int no_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Add the folders below the data folder that hold an index and that no entry names. */
static enum isx_status add_found(struct config *config, struct isx_err *err)
{
	struct dirent **entries;
	enum isx_status st = ISX_OK;
	int count = scandir(config->folder, &entries, no_dots, alphasort);
	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];
		int len = snprintf(path, sizeof path, "%s/%s/index.lmdb", config->folder,
				   entries[i]->d_name);
		if (!st && len < (int)sizeof path && access(path, F_OK) == 0 &&
		    !find_any(config, entries[i]->d_name)) {
			struct config_index index = { .is_found = true, .path = config->folder };
			index.name = isx_arena_text(&config->arena, entries[i]->d_name,
						    strlen(entries[i]->d_name));
			st = index.name ? add_index(config, &index, err) : isx_fail_memory(err);
		}
		isx_mem_free(entries[i]);
	}
	if (count >= 0)
		isx_mem_free(entries);
	return st;
}

static enum isx_status make_default(struct config *config, struct isx_err *err)
{
	struct config_index index = { .name = "default", .path = config->folder };
	enum isx_status st = config_put(config, &index, err);
	return st ? st : config_save(config, err);
}

enum isx_status config_load(const char *folder, struct config *config, struct isx_err *err)
{
	char path[PATH_MAX];
	struct isx_buf text = { 0 };
	size_t offset;
	*config = (struct config){ 0 };
	config->folder = isx_arena_text(&config->arena, folder, strlen(folder));
	snprintf(path, sizeof path, "%s/config.json", folder);
	if (!config->folder)
		return isx_fail_memory(err);
	enum isx_status st = files_read(path, &text, err);
	struct isx_span file = { text.ptr, text.len };
	bool usable = !st && !isx_json_check(file, &offset, NULL) &&
		      isx_span_trim(file).ptr[0] == '{';
	if (!st && !usable)
		isx_log(ISX_LOG_WARNING, "%s is not a JSON object: a new one is written", path);
	if (usable) {
		config->file.ptr = isx_arena_text(&config->arena, file.ptr, file.len);
		config->file.len = file.len;
		st = config->file.ptr ? read_config(config, err) : isx_fail_memory(err);
	} else {
		st = make_default(config, err);
	}
	isx_buf_release(&text);
	return st ? st : add_found(config, err);
}

void config_release(struct config *config)
{
	isx_arena_release(&config->arena);
	*config = (struct config){ 0 };
}

struct config_index *config_find(struct config *config, const char *name)
{
	struct config_index *found = find_any(config, name);
	return found && !found->is_strange ? found : NULL;
}

enum isx_status config_put(struct config *config, const struct config_index *index,
			   struct isx_err *err)
{
	struct config_index *known = find_any(config, index->name);
	if (!config->active)
		config->active = index->name;
	if (!known)
		return add_index(config, index, err);
	*known = *index;
	return ISX_OK;
}

void config_remove(struct config *config, const char *name)
{
	struct config_index *known = config_find(config, name);
	if (!known)
		return;
	bool was_active = config->active && strcmp(config->active, name) == 0;
	size_t after = config->count - (size_t)(known - config->indexes) - 1;
	memmove(known, known + 1, after * sizeof *known);
	config->count--;
	if (was_active) {
		config->active = NULL;
		for (size_t i = config->count; i-- > 0;)
			if (!config->indexes[i].is_found && !config->indexes[i].is_strange)
				config->active = config->indexes[i].name;
	}
}

/* --- writing ---------------------------------------------------------------------------------- */

static void add_text_member(struct isx_buf *buf, const char *name, const char *text)
{
	isx_buf_text(buf, ",");
	isx_json_quote(buf, isx_span_of(name));
	isx_buf_char(buf, ':');
	isx_json_quote(buf, isx_span_of(text));
}

static bool is_one_of(struct isx_span key, const char *const *names)
{
	for (; *names; names++)
		if (isx_span_is(key, *names))
			return true;
	return false;
}

/* Append the members of `object` that are none of `names`. */
static void add_others(struct isx_buf *buf, struct isx_span object, const char *const *names)
{
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value;
	while (isx_json_next_member(&walk, &key, &value)) {
		if (is_one_of(key, names))
			continue;
		isx_buf_text(buf, ",\"");
		isx_buf_add(buf, key.ptr, key.len);
		isx_buf_text(buf, "\":");
		isx_buf_add(buf, value.ptr, value.len);
	}
}

static void add_entry(struct isx_buf *buf, const struct config_index *index)
{
	static const char *const ours[] = { "type", "path", "url", "api_key", NULL };
	isx_json_quote(buf, isx_span_of(index->name));
	if (index->is_strange) {
		isx_buf_char(buf, ':');
		isx_buf_add(buf, index->source.ptr, index->source.len);
		return;
	}
	isx_buf_text(buf, index->is_remote ? ":{\"type\":\"remote\"" : ":{\"type\":\"local\"");
	if (index->is_remote)
		add_text_member(buf, "url", index->url);
	else
		add_text_member(buf, "path", index->path);
	if (index->is_remote && index->api_key)
		add_text_member(buf, "api_key", index->api_key);
	if (index->source.len)
		add_others(buf, index->source, ours);
	isx_buf_char(buf, '}');
}

enum isx_status config_save(struct config *config, struct isx_err *err)
{
	static const char *const ours[] = { "active_index", "indexes", NULL };
	char path[PATH_MAX];
	struct isx_buf compact = { 0 }, pretty = { 0 };
	bool first = true;
	isx_buf_text(&compact, "{\"active_index\":");
	if (config->active)
		isx_json_quote(&compact, isx_span_of(config->active));
	else
		isx_buf_text(&compact, "null");
	isx_buf_text(&compact, ",\"indexes\":{");
	for (size_t i = 0; i < config->count; i++) {
		if (config->indexes[i].is_found)
			continue;
		isx_buf_text(&compact, first ? "" : ",");
		add_entry(&compact, &config->indexes[i]);
		first = false;
	}
	isx_buf_char(&compact, '}');
	if (config->file.len)
		add_others(&compact, config->file, ours);
	isx_buf_char(&compact, '}');
	enum isx_status st = isx_buf_status(&compact, err);
	if (!st) {
		isx_json_pretty(&pretty, (struct isx_span){ compact.ptr, compact.len }, false);
		isx_buf_char(&pretty, '\n');
		st = isx_buf_status(&pretty, err);
	}
	snprintf(path, sizeof path, "%s/config.json", config->folder);
	if (!st)
		st = files_replace(path, (struct isx_span){ pretty.ptr, pretty.len }, err);
	isx_buf_release(&compact);
	isx_buf_release(&pretty);
	return st;
}
