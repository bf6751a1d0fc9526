/*
 * config.h - config.json: which indexes the command line knows, and which one is active.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CONFIG_H
#define ISX_CONFIG_H

#include "base/mem.h"
#include "base/span.h"

struct config_index {
	const char *name;
	bool is_remote;
	bool is_found;       /* a folder below the data folder that no entry names: never saved */
	bool is_strange;     /* an entry we cannot use: saved as it stands, otherwise not there */
	const char *path;    /* of a local one: its files are in path/NAME */
	const char *url;     /* of a remote one, without a slash at the end */
	const char *api_key; /* or NULL */
	struct isx_span
		source; /* the entry as it stands in the file: members we do not know are kept */
};

/* All texts live in `arena`, until config_release(). */
struct config {
	struct isx_arena arena;
	const char *folder; /* of the file, and where found indexes are */
	const char *path;   /* of the file */
	struct isx_span file;
	const char *active; /* NULL: none */
	struct config_index *indexes;
	size_t count;
};

/* Read config.json of `folder`; where there is none a default one is written: index "default", local,
 * in `folder`. One that cannot be read, as there may be URLs and keys in it, is left as it is: the
 * message names the file, the line, what was expected and how to go on. */
ISX_MUST_CHECK enum isx_status config_load(const char *folder, struct config *config,
					   struct isx_err *err);

/* Write it, in one step. */
ISX_MUST_CHECK enum isx_status config_save(struct config *config, struct isx_err *err);
void config_release(struct config *config);

/* The entry called `name` that can be used, or NULL. */
struct config_index *config_find(struct config *config, const char *name);

/* Add an entry or replace that of its name; the first one becomes active. Texts have to live as
 * long as the configuration. */
ISX_MUST_CHECK enum isx_status config_put(struct config *config, const struct config_index *index,
					  struct isx_err *err);

/* Take an entry out; if it was active, the first that is left becomes so. */
void config_remove(struct config *config, const char *name);

#endif
