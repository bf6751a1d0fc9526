/*
 * load_run.h - one run of a command that loads assets: its index, its loader, and what it says when a
 *              signal ends it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LOAD_RUN_H
#define ISX_LOAD_RUN_H

#include "cli/loader.h"
#include "cli/target.h"

#include <stdatomic.h>

/* `{ 0 }` but for `to_go_on`. */
struct load_run {
	struct target target; /* opened by the caller, closed by load_run_release() */
	struct loader *loader;
	_Atomic(struct loader *)
		running;            /* `loader` once it can be halted, for the signal thread */
	atomic_bool is_interrupted; /* a signal has come: no loader may start */
	struct loader_totals totals;
	struct loader_messages messages;
	const char *to_go_on;        /* last line of what is said after a signal */
	struct rehearsal *rehearsal; /* borrowed; NULL: assets are written */
};

/* An interrupt_fn (cli/interrupt.h) for a struct load_run: tells how many assets are stored, if
 * possible after the batch that is being written. */
void load_run_interrupted(void *run);

/* Say from which file or line the asset is that was stored last, and how to go on. */
void load_run_say_how_far(const struct load_run *run, const struct loader *loader,
			  const struct loader_totals *totals);

/* Make the loader, as loader_new() does. */
ISX_MUST_CHECK enum isx_status load_run_start(struct load_run *run, size_t batch_assets,
					      const char *paths, bool verbose, struct isx_err *err);

/* Write the rest, and fill totals and messages. Returns `read`, the status of reading, or else that
 * of writing. */
ISX_MUST_CHECK enum isx_status load_run_finish(struct load_run *run, enum isx_status read,
					       struct isx_err *err);

/* Print `title`, the first `shown` of the lines, and how many more there are of `total`, on standard
 * error. */
void load_run_print(const char *title, const struct isx_buf *lines, size_t shown, size_t total);

void load_run_release(struct load_run *run);

#endif
