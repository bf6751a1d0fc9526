/*
 * generator.h - makes the ISCC of a file by another program: ISCC_SEARCH_GENERATOR or --generator, for
 *               example "iscc-sdk create {}".
 *
 * The command is run by /bin/sh, with the quoted path in the place of {} (or behind it, without {}). It prints
 * the JSON of an asset, as an .iscc.json file has it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_GENERATOR_H
#define ISX_GENERATOR_H

#include "base/buf.h"

#include <sys/types.h>

/* One run of the command. `{ 0 }` is none. */
struct generator {
	pid_t pid; /* 0: not running */
	int out_fd, err_fd;
	uint64_t deadline_ns;
	unsigned long timeout_s;
};

/* Options and variables that the generator needs, for tables of options. */
#define GENERATOR_OPTION                                                                           \
	{                                                                                          \
		"--generator", 0, "COMMAND",                                                       \
			"Make ISCCs of files that have none ('iscc-sdk create {}')"                \
	}

/* Has this file no ISCC itself: is its name neither .json nor .jsonl, .ndjson or .parquet, nor packed? */
bool generator_is_for(const char *path);

/* Has the file an .iscc.json beside it, or is it the .utf8 that belongs to one? */
bool generator_is_done(const char *path);

/* Start the command for a file. ISX_IO if no process can be started. */
ISX_MUST_CHECK enum isx_status generator_start(const char *command, const char *path,
					       unsigned long timeout_s, struct generator *generator,
					       struct isx_err *err);

/* Wait for its end, and append what it has printed. Processes that it leaves in the background are ended.
 * ISX_INVALID: it has failed, printed nothing or more than ISX_FILE_BYTES_MAX, or took too long; the message has the
 * last line of its standard error. */
ISX_MUST_CHECK enum isx_status generator_finish(struct generator *generator, struct isx_buf *text,
						struct isx_err *err);

/* End a command that may be running. */
void generator_cancel(struct generator *generator);

enum { GENERATIONS_MAX = 16 };

/* The command for many files: some are started ahead, as many as there are processors. */
struct generation {
	const char *command; /* NULL: none */
	unsigned long timeout_s;
	size_t jobs_max;
	const char *ahead; /* the next path to look at, one behind the other */
	size_t ahead_count;
	struct {
		const char *path;
		struct generator generator;
		enum isx_status status; /* of its start */
		struct isx_err why;
	} jobs[GENERATIONS_MAX];
	size_t first, count;
};

/* Begin with the paths of a list, each terminated; borrowed.
 *   command  NULL: nothing is generated */
void generation_init(struct generation *generation, const char *command, unsigned long timeout_s,
		     const char *paths, size_t count);

/* Get the JSON of a file, which is the next one of the list that the generator is for.
 *   is_done  filled: the file has an .iscc.json beside it, nothing was generated */
ISX_MUST_CHECK enum isx_status generation_take(struct generation *generation, const char *path,
					       struct isx_buf *text, bool *is_done,
					       struct isx_err *err);

/* End commands that still run. */
void generation_release(struct generation *generation);

#endif
