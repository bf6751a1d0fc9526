/*
 * config.h - config.json: the indexes of the command line, and the active one.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CONFIG_H
#define ISX_CONFIG_H

#include "base/mem.h"
#include "base/span.h"

struct config_index {
	const char *name;
	bool is_remote;
	bool is_found;          /* a folder below the data folder without an entry: never saved */
	bool is_strange;        /* an unusable entry: kept in the file, otherwise ignored */
	const char *path;       /* of a local one: its files are in path/NAME */
	const char *url;        /* of a remote one, without a slash at the end */
	const char *api_key;    /* or NULL */
	struct isx_span source; /* the entry in the file, for its unknown members */
};

/* All texts live in `arena`, until config_release(). */
struct config {
	struct isx_arena arena;
	const char *folder; /* of the file, searched for indexes */
	const char *path;   /* of the file */
	struct isx_span file;
	const char *active; /* NULL: none */
	struct config_index *indexes;
	size_t count;
};

/* Read config.json of `folder`. A missing file has the local index "default" in `folder`, and is
 * created with it if `writes` is set. A file that cannot be read is never replaced, because it may contain URLs and keys: the
 * error names the file, the line, what was expected and what to do. */
ISX_MUST_CHECK enum isx_status config_load(const char *folder, bool writes, struct config *config,
					   struct isx_err *err);

/* Replace the file atomically. */
ISX_MUST_CHECK enum isx_status config_save(struct config *config, struct isx_err *err);
void config_release(struct config *config);

/* The usable entry called `name`, or NULL. */
struct config_index *config_find(struct config *config, const char *name);

/* The name of a usable entry that was probably meant by `name` (cli/suggestion.h), or NULL. */
const char *config_nearest(const struct config *config, const char *name);

/* Add an entry, or replace the one of that name; the first one becomes active. Texts are borrowed
 * until config_release(). */
ISX_MUST_CHECK enum isx_status config_put(struct config *config, const struct config_index *index,
					  struct isx_err *err);

/* Remove an entry; if it was active, the first remaining one becomes active. */
void config_remove(struct config *config, const char *name);

#endif
