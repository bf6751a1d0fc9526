/*
 * progress.c - one line that is drawn again and again: a bar, a count, a rate.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { BAR_CELLS = 30, REDRAW_NS = 100000000 };

void progress_start(struct progress *progress, uint64_t bytes_total)
{
	*progress = (struct progress){ .shown = isatty(STDERR_FILENO) == 1,
				       .start_ns = isx_clock_ns(),
				       .bytes_total = bytes_total };
}

void progress_update(struct progress *progress, uint64_t bytes_done, uint64_t assets_done)
{
	if (!progress->shown)
		return;
	uint64_t now = isx_clock_ns();
	if (now - progress->last_ns < REDRAW_NS)
		return;
	progress->last_ns = now;
	double seconds = (double)(now - progress->start_ns) / 1e9;
	fprintf(stderr, "\r\033[K");
	if (progress->bytes_total) {
		double part = (double)bytes_done / (double)progress->bytes_total;
		int cells = (int)(part * BAR_CELLS);
		fprintf(stderr, "[%.*s%*s] %3.0f %%  ", cells, "##############################",
			BAR_CELLS - cells, "", part * 100);
	}
	fprintf(stderr, "%llu assets, %.0f/s", (unsigned long long)assets_done,
		(double)assets_done / seconds);
	fflush(stderr);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fprintf(stderr, "\r\033[K");
}
