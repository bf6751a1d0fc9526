/*
 * progress.h - how far a long command has come, on standard error when that is a terminal.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PROGRESS_H
#define ISX_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool shown; /* standard error is a terminal */
	uint64_t start_ns;
	uint64_t last_ns;
	uint64_t bytes_total; /* 0: not known */
};

/* Begin; `bytes_total` of input are to come. */
void progress_start(struct progress *progress, uint64_t bytes_total);

/* Draw the line again, at most ten times a second. */
void progress_update(struct progress *progress, uint64_t bytes_done, uint64_t assets_done);

/* The same for a copy, in MiB. */
void progress_copied(struct progress *progress, uint64_t bytes_done, uint64_t bytes_total);

/* Take the line away. */
void progress_end(struct progress *progress);

/* The same for whoever does not have it, as the thread that says the last words of an interrupted
 * command: messages begin on a line of their own. */
void progress_clear(void);

#endif
