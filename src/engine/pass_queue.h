/*
 * pass_queue.h - searches that wait for a processor at the same time share one pass over the rows.
 *
 * The first search that comes leads: it waits for a slot (scan_slots.h), and searches that come
 * meanwhile join its *pass*. Then it closes the pass and runs all of it in its own thread. The
 * idea is that of commit_queue.h. A search that comes alone while a slot is free starts at once.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PASS_QUEUE_H
#define ISX_PASS_QUEUE_H

#include "base/status.h"

#include <pthread.h>
#include <stddef.h>

struct isx_pass;

/* The searches of one caller, which join a pass together. The caller's struct has it as its first
 * member, and the calling thread owns it. */
struct isx_party {
	size_t units;       /* queried by it; a pass of several has at most ISX_PASS_UNITS_MAX */
	bool is_alone;      /* shares its pass with no other */
	unsigned slots_max; /* isx_scan_slots_max() */
	/* Is anybody still interested in the answers? Called now and then, by the calling thread,
	 * until the pass is closed. */
	bool (*is_wanted)(struct isx_party *party);
	struct isx_party *next; /* in its pass */
	/* Private to the queue: */
	struct isx_pass *pass;
	bool is_served;
	pthread_cond_t served;
};

/* A queue, for example of one index file. */
struct isx_pass_queue {
	pthread_mutex_t lock;       /* guards `gathering`, the passes and the parties in them */
	struct isx_pass *gathering; /* the pass that searches may join, or NULL */
};

/* Begin a queue in which nothing waits. */
void isx_pass_queue_init(struct isx_pass_queue *queue);

/* End a queue that no thread uses any more. */
void isx_pass_queue_release(struct isx_pass_queue *queue);

/* Run a pass, in the thread of the party that leads it, which holds one slot: every party of the
 * list gets its answers and is told so by isx_pass_served(). What it reads, it begins to read now:
 * all parties came before. */
typedef void isx_pass_fn(struct isx_pass_queue *queue, struct isx_party *parties);

/* Have the searches of a party answered. Returns when they are. False: is_wanted() has returned
 * false and nothing was run. All parties of a queue have the same `run`. */
ISX_MUST_CHECK bool isx_pass_queue_run(struct isx_pass_queue *queue, struct isx_party *party,
				       isx_pass_fn *run);

/* The answers of a party are complete: its thread may return, so the party must not be used any
 * more. */
void isx_pass_served(struct isx_pass_queue *queue, struct isx_party *party);

/* Give back the slot of the pass of this party, which another search may need more than the rest of
 * the pass. Called by the thread that leads the pass, at most once, before the party is served. */
void isx_pass_release_slot(struct isx_party *party);

#endif
