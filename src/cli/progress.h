/*
 * progress.h - the progress bar of long commands, on standard error if that is a terminal.
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
	uint64_t bytes_total; /* 0: unknown */
};

/* Start with `bytes_total` bytes of input. */
void progress_start(struct progress *progress, uint64_t bytes_total);

/* Redraw the line, at most ten times a second. */
void progress_update(struct progress *progress, uint64_t bytes_done, uint64_t assets_done);

/* The same for a copy, in MiB. */
void progress_copied(struct progress *progress, uint64_t bytes_done, uint64_t bytes_total);

/* The same for a comparison: pairs a second, the time left, and what was found. */
void progress_compared(struct progress *progress, uint64_t pairs_done, uint64_t pairs_total,
		       uint64_t found);

/* Erase the line. */
void progress_end(struct progress *progress);

/* Erase the line without the struct, for messages of other threads: a message has to begin on a
 * line of its own. */
void progress_clear(void);

/* A line of another thread beside the bar: between the two calls standard error belongs to the caller, and
 * the bar is erased. It is drawn again when it moves on. */
void progress_line_begin(void);
void progress_line_end(void);

#endif
