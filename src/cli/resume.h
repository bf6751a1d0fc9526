/*
 * resume.h - remembers how far an add came, so that --resume goes on behind what is stored.
 *
 * A *mark* is a file of the data folder, one for each command: index, input and the options that
 * decide what is stored. The mark is written behind each whole batch, and behind each part of
 * one that is written in parts, and removed at the end of the input.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_RESUME_H
#define ISX_RESUME_H

#include "cli/files.h"
#include "cli/loader.h"
#include "cli/target.h"

#include <limits.h>

/* `{ 0 }` keeps no mark. */
struct resume {
	char path[PATH_MAX]; /* of the mark; "": none is kept */
	int64_t input;       /* a hash of index, input and options */
	int fd;              /* 0: not open */
	bool has_failed;     /* the mark cannot be written */
};

/* Begin for the command of `args` and an open target. */
void resume_begin(struct resume *resume, const struct target *target, const struct cli_args *args);

/* Find how far an interrupted run of the same command came: all files and lines up to `point`
 * are stored. False after a message: there is none, the files have changed since, or the index has
 * lost what was stored.
 *   files  of the command, in their order
 *   point  filled */
bool resume_find(const struct resume *resume, const struct target *target,
		 const struct files_list *files, struct loader_point *point);

/* The hash of all files up to `path`, from that up to the file before: paths, sizes and times. */
int64_t resume_add_file(int64_t files_hash, const char *path);

/* The hash of a line. */
int64_t resume_line_hash(struct isx_span line);

/* A loader_stored_fn for a struct resume: write the mark. */
void resume_stored(void *resume, const struct loader_point *point, const char *iscc_id);

/* End; with `is_complete` the mark is removed. */
void resume_end(struct resume *resume, bool is_complete);

#endif
