/*
 * target.h - the index that a command works on: by --index, by --uri, or the active one.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_TARGET_H
#define ISX_TARGET_H

#include "cli/args.h"
#include "cli/config.h"
#include "cli/settings.h"

#include <limits.h>

struct target {
	struct settings settings;
	struct config config;
	struct isx_store *store;
	const char *name;          /* of the index in the store */
	const char *uri;           /* of the store */
	char local[PATH_MAX + 16]; /* `uri` of an index of the configuration that is local */
	bool keeps_simprints;
	bool has_thresholds; /* the thresholds of `settings` decide what this store finds */
};

/* The options --index and --uri, for the tables of commands. */
#define TARGET_OPTIONS                                                                             \
	{ "--index", 'i', "NAME", "Use this index instead of the active one" },                    \
	{                                                                                          \
		"--uri", 0, "URI",                                                                 \
			"Use an index of this store: usearch:///DIR or http://HOST:PORT"           \
	}

/* The option --uri alone, for commands that take the name as a word. */
#define TARGET_URI_OPTION                                                                          \
	{                                                                                          \
		"--uri", 0, "URI", "Use an index of this store: usearch:///DIR or lmdb:///DIR"     \
	}

/* Read settings and configuration, open the store, and create a missing local index. On failure a
 * message is printed. Call target_close() in both cases. */
bool target_open(const struct cli_args *args, struct target *target);
void target_close(struct target *target);

/* The same for the index `name`, which is not created. With `read_only` nothing is written, but by
 * target_cursor_open(). */
bool target_open_existing(const struct cli_args *args, const char *name, bool read_only,
			  struct target *target);

/* The same for the index `name`: one that the configuration lacks becomes a local index of it, and one that
 * the store of --uri lacks is created. */
bool target_open_registered(const struct cli_args *args, const char *name, struct target *target);

/* The same as target_open(), but nothing is created or written. If target_open() would create the
 * index, target->store is NULL. */
bool target_open_to_look(const struct cli_args *args, struct target *target);

/* Open the store of the index `name`, to compare the target with: with --uri an index of the same
 * store, otherwise one of the configuration. On failure a message is printed.
 *   other  new, closed with isx_close(); NULL: `name` is in the store of the target */
bool target_open_other(const struct target *target, const char *name, struct isx_store **other);

/* Open the index `name` of the store `uri`, or with NULL of the configuration. With `writes` it is
 * created if it does not exist, also on another server; otherwise nothing is written, but by
 * target_cursor_open(). */
bool target_open_at(const char *uri, const char *name, bool writes, struct target *target);

/* Open a cursor over a part of the index, as isx_cursor_open_range(). An index that was opened for
 * reading only and that another program, for example 0.3.3, has written last is brought up to date
 * first, as a search does it; where its files cannot be written, ISX_READ_ONLY says so. */
ISX_MUST_CHECK enum isx_status target_cursor_open(struct target *target,
						  const struct isx_range *range,
						  struct isx_cursor **cursor, struct isx_err *err);

/* Print an error to standard error; returns the exit code of `status`. */
int target_fail(enum isx_status status, const struct isx_err *err);

/* Say how many simprints the store has left out of the `simprints` that assets had which were stored: lmdb:// keeps
 * none. The first prints the last line of a command, on standard error; the second ends a report in JSON, with a member
 * `simprints_left_out` and "}". Nothing is said if nothing was left out, or if that is not known, as of an index on a
 * server. */
void target_say_left_out(const struct target *target, uint64_t simprints);
void target_print_left_out(const struct target *target, uint64_t simprints);

#endif
