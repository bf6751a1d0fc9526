/*
 * config.c - reads, changes and writes config.json.
 *
 * The file belongs to the user, who may edit it: unknown members and entries are kept as they are,
 * and a file with a fault is never overwritten. The file is replaced by rename(), so that no
 * process reads a part of it. Two commands that change it at the same time do not lock each other:
 * the last one wins.
 * Built for some hundred indexes: names are searched from the first one on. Must not know stores.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/config.h"

#include "base/buf.h"
#include "base/log.h"
#include "cli/content.h"
#include "cli/files.h"
#include "cli/suggestion.h"
#include "json/json.h"
#include "json/json_pretty.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The text of a JSON string, in the arena; NULL if the value is no string, or contains NUL. */
static const char *text_of(struct config *config, struct isx_span source)
{
	struct isx_span text;
	bool is_text = isx_json_string(source, &config->arena, &text) && text.ptr &&
		       !memchr(text.ptr, '\0', text.len);
	return is_text ? text.ptr : NULL;
}

/* The text of a member, as text_of(). */
static const char *text_member(struct config *config, struct isx_span object, const char *name)
{
	return text_of(config, isx_json_member(object, name));
}

/* null is as good as no member: a file that was edited by hand, or by another program, may have
 * either. */
static bool is_absent(struct isx_span value)
{
	return value.len == 0 || isx_span_is(value, "null");
}

/* An error with the line of the fault and what to do. */
static enum isx_status fail_at(const struct config *config, const char *place, const char *fault,
			       struct isx_err *err)
{
	size_t line, column;
	content_place(config->file, (size_t)(place - config->file.ptr), &line, &column);
	return isx_fail(err, ISX_SCHEMA,
			"%s: line %zu, column %zu: %s. Mend the file, or move it away: then a new "
			"one is made",
			config->path, line, column, fault);
}

/* The array is copied for each entry: there are few, and the arena frees all copies together. */
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

/* Also entries that cannot be used: their names are taken. */
static struct config_index *find_any(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->count; i++)
		if (strcmp(config->indexes[i].name, name) == 0)
			return &config->indexes[i];
	return NULL;
}

/* The fault that makes an entry unusable, or NULL. */
static const char *find_fault(const struct config_index *index, const char *type)
{
	if (index->source.ptr[0] != '{')
		return "expected an object";
	if (!is_absent(isx_json_member(index->source, "type")) &&
	    (!type || (!index->is_remote && strcmp(type, "local") != 0)))
		return "type: expected local or remote";
	if (index->is_remote && !index->url)
		return "url: expected a text";
	if (!index->is_remote && !index->path)
		return "path: expected a text";
	if (index->is_remote && !index->api_key &&
	    !is_absent(isx_json_member(index->source, "api_key")))
		return "api_key: expected a text, or null";
	return NULL;
}

/* A member of `object` that stands there twice would be lost when the file is written. */
static enum isx_status check_once(const struct config *config, struct isx_span object,
				  const char *name, struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value;
	size_t count = 0;
	while (isx_json_next_member(&walk, &key, &value))
		if (isx_json_key_is(key, name) && ++count > 1)
			return fail_at(config, key.ptr, "this member stands there twice", err);
	return ISX_OK;
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
	/* config.json is JSON text, but names are C strings. */
	if (!index.name)
		return fail_at(config, key.ptr, "expected the name of an index, without NUL", err);
	if (find_any(config, index.name))
		return fail_at(config, key.ptr, "an index of this name stands there twice", err);
	static const char *const ours[] = { "type", "path", "url", "api_key" };
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
		enum isx_status st = check_once(config, value, ours[i], err);
		if (st)
			return st;
	}
	const char *fault = find_fault(&index, type);
	if (fault)
		isx_log(ISX_LOG_WARNING, "config.json: index '%s' cannot be used: %s", index.name,
			fault);
	/* The entry is kept, so that a later version or an edit can use it. */
	index.is_strange = fault != NULL;
	return add_index(config, &index, err);
}

/* Entries have spans of config->file (source). Fails at the first fault of the
 * file as a whole; a fault of one entry is only a warning, so that one entry does not lock the
 * user out of all others. */
static enum isx_status read_config(struct config *config, struct isx_err *err)
{
	struct isx_span indexes = isx_json_member(config->file, "indexes");
	struct isx_span active = isx_json_member(config->file, "active_index");
	struct isx_span key, value;
	enum isx_status st = check_once(config, config->file, "indexes", err);
	if (!st)
		st = check_once(config, config->file, "active_index", err);
	if (st)
		return st;
	if (!is_absent(indexes) && indexes.ptr[0] != '{')
		return fail_at(config, indexes.ptr, "'indexes': expected an object", err);
	config->active = text_of(config, active);
	if (!is_absent(active) && !config->active)
		return fail_at(config, active.ptr,
			       "'active_index': expected the name of an index, or null", err);
	struct isx_json_walk walk = isx_json_walk_start(indexes);
	while (!st && isx_json_next_member(&walk, &key, &value))
		st = read_index(config, key, value, err);
	return st;
}

/* Hidden folders are no indexes: a name of an index begins with a letter. */
static int no_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Add the folders below the data folder that contain an index but have no entry. 0.3.3 lists them,
 * too. */
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

/* The default configuration of 0.3.3. */
static enum isx_status make_default(struct config *config, bool writes, struct isx_err *err)
{
	struct config_index index = { .name = "default", .path = config->folder };
	enum isx_status st = config_put(config, &index, err);
	return st || !writes ? st : config_save(config, err);
}

/* Check the text of the file and read it. config->file keeps a copy, for unknown members. */
static enum isx_status take_file(struct config *config, struct isx_span file, struct isx_err *err)
{
	struct isx_err why = { 0 };
	size_t offset;
	enum isx_status st = content_begin(&file, &why);
	if (st)
		return isx_fail(err, st, "%s: %s", config->path, why.msg);
	/* Entries keep spans of this copy (source). */
	config->file.ptr = isx_arena_text(&config->arena, file.ptr, file.len);
	config->file.len = file.len;
	if (!config->file.ptr)
		return isx_fail_memory(err);
	struct isx_span trimmed = isx_span_trim(config->file);
	if (trimmed.len == 0)
		return isx_fail(err, ISX_SCHEMA,
				"%s: line 1: expected a JSON object, the file is empty. Move it "
				"away: then a new one is made",
				config->path);
	if (isx_json_check(config->file, &offset, &why))
		return fail_at(config, config->file.ptr + offset, why.msg, err);
	if (trimmed.ptr[0] != '{')
		return fail_at(config, trimmed.ptr, "expected a JSON object", err);
	return read_config(config, err);
}

/* There is no such file: create a default one. A dangling link is refused: its target may be
 * elsewhere. */
static enum isx_status begin_new(struct config *config, bool writes, struct isx_err *err)
{
	struct stat info;
	if (lstat(config->path, &info) == 0)
		return isx_fail(err, ISX_NOT_FOUND,
				"%s: a link to a file that is not there. Make the file, or remove "
				"the link: then a new one is made",
				config->path);
	return make_default(config, writes, err);
}

/* Only a missing file is created. Every other failure is an error: a default file would destroy
 * URLs and keys. */
static enum isx_status read_or_begin(struct config *config, bool writes, struct isx_err *err)
{
	struct isx_buf text = { 0 };
	struct isx_err why = { 0 };
	enum isx_status st = files_read(config->path, FILES_REGULAR, &text, &why);
	if (!st)
		st = take_file(config, (struct isx_span){ text.ptr, text.len }, err);
	else if (st == ISX_NOT_FOUND)
		st = begin_new(config, writes, err);
	else
		st = isx_fail(err, st,
			      "%s: %s. Make it readable, or move it away: then a new one is made",
			      config->path, why.msg);
	isx_buf_release(&text);
	return st;
}

enum isx_status config_load(const char *folder, bool writes, struct config *config,
			    struct isx_err *err)
{
	char path[PATH_MAX];
	*config = (struct config){ 0 };
	if (snprintf(path, sizeof path, "%s/config.json", folder) >= (int)sizeof path)
		return isx_fail(err, ISX_INVALID, "%s: the path is too long", folder);
	config->folder = isx_arena_text(&config->arena, folder, strlen(folder));
	config->path = isx_arena_text(&config->arena, path, strlen(path));
	if (!config->folder || !config->path)
		return isx_fail_memory(err);
	enum isx_status st = read_or_begin(config, writes, err);
	return st ? st : add_found(config, err);
}

void config_release(struct config *config)
{
	isx_arena_release(&config->arena);
	*config = (struct config){ 0 };
}

/* Unusable entries are not found, so commands report them as unknown. */
struct config_index *config_find(struct config *config, const char *name)
{
	struct config_index *found = find_any(config, name);
	return found && !found->is_strange ? found : NULL;
}

const char *config_nearest(const struct config *config, const char *name)
{
	struct suggestion suggestion = suggestion_for(name);
	for (size_t i = 0; i < config->count; i++)
		if (!config->indexes[i].is_strange)
			suggestion_offer(&suggestion, config->indexes[i].name);
	return suggestion.name;
}

/* A replaced entry loses the unknown members of the old one: it describes another index. */
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
	/* The first entry becomes active, as in 0.3.3: the loop runs backwards, and its last hit
	 * stays. */
	if (was_active) {
		config->active = NULL;
		for (size_t i = config->count; i-- > 0;)
			if (!config->indexes[i].is_found && !config->indexes[i].is_strange)
				config->active = config->indexes[i].name;
	}
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Never the first member: a comma comes before it. */
static void add_text_member(struct isx_buf *buf, const char *name, const char *text)
{
	isx_buf_text(buf, ",");
	isx_json_quote(buf, isx_span_of(name));
	isx_buf_char(buf, ':');
	isx_json_quote(buf, isx_span_of(text));
}

/* `names` ends with NULL. */
static bool is_one_of(struct isx_span key, const char *const *names)
{
	for (; *names; names++)
		if (isx_json_key_is(key, *names))
			return true;
	return false;
}

/* Append the members of `object` that are not in `names`, as they stand in the file. */
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

/* Members that this program reads are written anew, in the order of 0.3.3; an unusable entry is
 * copied. */
static void add_entry(struct isx_buf *buf, const struct config_index *index)
{
	static const char *const local[] = { "type", "path", NULL };
	static const char *const remote[] = { "type", "url", "api_key", NULL };
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
		add_others(buf, index->source, index->is_remote ? remote : local);
	isx_buf_char(buf, '}');
}

/* Members in the order of 0.3.3, then unknown ones. Indexes that were only found in the data folder
 * are not saved. */
enum isx_status config_save(struct config *config, struct isx_err *err)
{
	static const char *const ours[] = { "active_index", "indexes", NULL };
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
	if (!st)
		st = files_replace(config->path, (struct isx_span){ pretty.ptr, pretty.len }, err);
	isx_buf_release(&compact);
	isx_buf_release(&pretty);
	return st;
}
