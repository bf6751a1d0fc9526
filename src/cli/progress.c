/*
 * progress.c - redraws one line on the terminal: a bar, a count and a rate.
 *
 * Costs a look at the clock for each call and ten lines a second. Lines of other threads do not
 * mix with the bar: both hold the lock of stderr (flockfile()) while they print.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { BAR_CELLS = 30, REDRAW_NS = 100000000 };

/* The bar is drawn on standard error, so standard output may be piped. */
void progress_start(struct progress *progress, uint64_t bytes_total)
{
	*progress = (struct progress){ .shown = isatty(STDERR_FILENO) == 1,
				       .start_ns = isx_clock_ns(),
				       .bytes_total = bytes_total };
}

/* The other end of draw_bar(), which has locked stderr. Only for a call of it that returned
 * true. */
static void end_draw(void)
{
	fflush(stderr);
	funlockfile(stderr);
}

/* Start redrawing the line, with its bar if the total is known. False if the last time was less
 * than REDRAW_NS (0.1 s) ago. */
static bool draw_bar(struct progress *progress, uint64_t bytes_done)
{
	uint64_t now = isx_clock_ns();
	if (!progress->shown || now - progress->last_ns < REDRAW_NS)
		return false;
	progress->last_ns = now;
	flockfile(stderr); /* released by end_draw() */
	fprintf(stderr, "\r\033[K");
	if (progress->bytes_total) {
		if (bytes_done > progress->bytes_total)
			bytes_done = progress->bytes_total;
		double part = (double)bytes_done / (double)progress->bytes_total;
		int cells = (int)(part * BAR_CELLS);
		fprintf(stderr, "[%.*s%*s] %3.0f %%  ", cells, "##############################",
			BAR_CELLS - cells, "", part * 100);
	}
	return true;
}

/* "2 h 05 min", "3 min 20 s" or "12 s". */
static void print_time(uint64_t seconds)
{
	unsigned long long s = seconds;
	if (s >= 3600)
		fprintf(stderr, "%llu h %02llu min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		fprintf(stderr, "%llu min %02llu s", s / 60, s % 60);
	else
		fprintf(stderr, "%llu s", s);
}

/* The time left, at the speed so far; not in the first seconds, when it would jump. */
static void print_left(const struct progress *progress, uint64_t bytes_done)
{
	enum { STEADY_NS = 2000000000 };
	uint64_t ns = progress->last_ns - progress->start_ns;
	if (!bytes_done || bytes_done >= progress->bytes_total || ns < STEADY_NS)
		return;
	double left = (double)(progress->bytes_total - bytes_done) / (double)bytes_done;
	fprintf(stderr, ", ");
	print_time((uint64_t)((double)ns / 1e9 * left) + 1);
	fprintf(stderr, " left");
}

void progress_update(struct progress *progress, uint64_t bytes_done, uint64_t assets_done)
{
	if (!draw_bar(progress, bytes_done))
		return;
	double seconds = (double)(progress->last_ns - progress->start_ns) / 1e9;
	fprintf(stderr, "%llu assets, %.0f/s", (unsigned long long)assets_done,
		(double)assets_done / seconds);
	print_left(progress, bytes_done);
	end_draw();
}

void progress_copied(struct progress *progress, uint64_t bytes_done, uint64_t bytes_total)
{
	progress->bytes_total = bytes_total;
	if (!draw_bar(progress, bytes_done))
		return;
	fprintf(stderr, "%llu of %llu MiB", (unsigned long long)(bytes_done >> 20),
		(unsigned long long)(bytes_total >> 20));
	end_draw();
}

void progress_compared(struct progress *progress, uint64_t pairs_done, uint64_t pairs_total,
		       uint64_t found)
{
	progress->bytes_total = pairs_total;
	if (!draw_bar(progress, pairs_done))
		return;
	double seconds = (double)(progress->last_ns - progress->start_ns) / 1e9;
	double rate = (double)pairs_done / seconds;
	fprintf(stderr, "%llu found, %.1f million pairs/s", (unsigned long long)found, rate / 1e6);
	if (rate >= 1 && pairs_total > pairs_done) {
		fprintf(stderr, ", ");
		print_time((uint64_t)((double)(pairs_total - pairs_done) / rate));
		fprintf(stderr, " left");
	}
	end_draw();
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fprintf(stderr, "\r\033[K");
}

/* Needs no struct progress: the thread of an interrupt may not touch that of the main thread. */
void progress_clear(void)
{
	if (isatty(STDERR_FILENO) == 1)
		fprintf(stderr, "\r\033[K");
}

void progress_line_begin(void)
{
	flockfile(stderr);
	progress_clear();
}

void progress_line_end(void)
{
	funlockfile(stderr);
}
