/*
 * load_run.c - starts and ends a loader, and tells how far it came when a signal ends the command.
 *
 * Two threads meet here: the main thread reads, and the thread of signals (interrupt.h) asks how
 * far the loader is. They share `running`, `is_interrupted` and the loader, which has a lock.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/load_run.h"

#include "cli/progress.h"
#include "cli/say.h"

#include <unistd.h>

enum {
	QUIET_MS = 500,
	PATIENCE_MS = 10000
}; /* an interrupt waits so long for the batch, first silently, then with a message */

void load_run_say_how_far(const struct load_run *run, const struct loader *loader,
			  const struct loader_totals *totals)
{
	struct isx_buf place = { 0 };
	if (loader && totals->place.path) {
		loader_add_place(loader, &place, totals->place);
		say_line(stderr, "The last one of them is that of %.*s", (int)place.len,
			 place.len ? place.ptr : "");
	}
	say_line(stderr, "%s", run->to_go_on);
	isx_buf_release(&place);
}

/* Runs in the signal thread; the process exits afterwards (interrupt.h). */
void load_run_interrupted(void *arg)
{
	struct load_run *run = arg;
	struct loader_totals totals = { 0 };
	size_t pending = 0;
	atomic_store(&run->is_interrupted, true);
	struct loader *loader = atomic_load(&run->running);
	if (loader)
		loader_halt(loader, QUIET_MS, &totals, &pending);
	progress_clear();
	if (run->rehearsal) {
		say_line(stderr, "Interrupted: %zu assets are checked, %zu errors",
			 totals.created + totals.updated, totals.errors);
		return;
	}
	if (pending) {
		say_line(stderr,
			 "Interrupted: the batch of %zu assets that is being written may "
			 "end first (interrupt again not to wait)",
			 pending);
		loader_halt(loader, PATIENCE_MS, &totals, &pending);
		progress_clear();
	}
	say_line(stderr, "Interrupted: %zu assets are in (whole batches), %zu errors",
		 totals.created + totals.updated, totals.errors);
	if (pending)
		say_line(stderr, "The %zu assets that were being written may be in, too", pending);
	load_run_say_how_far(run, loader, &totals);
	if (loader && !pending)
		loader_close_store(loader, QUIET_MS);
}

/* `running` is published before is_interrupted is read, and the signal thread does both in the
 * opposite order: one of them sees the other. */
enum isx_status load_run_start(struct load_run *run, size_t batch_assets, const char *paths,
			       bool verbose, struct isx_err *err)
{
	enum isx_status st = loader_new(run->target.store, run->target.name, batch_assets, paths,
					verbose, &run->loader, err);
	if (st)
		return st;
	loader_set_rehearsal(run->loader, run->rehearsal);
	atomic_store(&run->running, run->loader);
	while (atomic_load(&run->is_interrupted)) /* "0 assets are in" may be printed already */
		pause();
	return ISX_OK;
}

enum isx_status load_run_finish(struct load_run *run, enum isx_status read, struct isx_err *err)
{
	enum isx_status st = loader_finish(run->loader, &run->totals, &run->messages,
					   read ? NULL : err);
	return read ? read : st;
}

void load_run_print(const char *title, const struct isx_buf *lines, size_t shown, size_t total)
{
	struct isx_span left = { lines->ptr, lines->len };
	fprintf(stderr, "%s\n", title);
	for (size_t i = 0; left.len && i < shown; i++) {
		const char *end = memchr(left.ptr, '\n', left.len);
		struct isx_span line = { left.ptr, (size_t)(end - left.ptr) };
		say_line(stderr, "  \xE2\x80\xA2 %.*s", (int)line.len, line.ptr);
		left = isx_span_skip(left, line.len + 1);
		total--;
	}
	if (total)
		fprintf(stderr, "  ... and %zu more\n", total);
}

void load_run_release(struct load_run *run)
{
	loader_free(run->loader);
	loader_messages_release(&run->messages);
	target_close(&run->target);
}
