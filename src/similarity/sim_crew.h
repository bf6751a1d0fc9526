/*
 * sim_crew.h - several threads that scan one snapshot, and the ranges of ISCC-IDs that they share.
 *
 * A search has a thread of its own. When processors are idle it takes a slot for each of them
 * (engine/scan_slots.h) and starts a thread, which reads the same snapshot in a transaction of its
 * own.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_CREW_H
#define ISX_SIM_CREW_H

#include "storage/lmdb_file.h"

enum { ISX_CREW_MAX = 64 };

/* The members of a crew: number 0 is the thread that begins it, with the view it has. */
struct isx_crew {
	struct isx_lmdb_view *views[ISX_CREW_MAX]; /* one for each member */
	unsigned count;
	unsigned slots; /* taken by isx_crew_begin() */
};

/* Bring together up to `wanted` members (at least 1, of which one is the caller): as many as there
 * are free slots and transactions of the same snapshot. Never waits, cannot fail: without further
 * members the caller works alone. End it with isx_crew_end() before `view` ends.
 *   slots_max  isx_scan_slots_max(); the caller holds one slot already
 *   view       borrowed until isx_crew_end() */
void isx_crew_begin(struct isx_crew *crew, struct isx_lmdb_view *view, unsigned slots_max,
		    unsigned wanted);

/* The work of one member, in a thread of its own for each of 1 to crew->count - 1. */
typedef enum isx_status isx_crew_fn(void *arg, unsigned member, struct isx_err *err);

/* Run work(arg, 0) in the calling thread, and the same for up to members - 1 further members in
 * threads that end before the call returns. A thread that cannot be started is no error: its
 * member does not run. Returns the first failure. */
ISX_MUST_CHECK enum isx_status isx_crew_run(struct isx_crew *crew, unsigned members,
					    isx_crew_fn *work, void *arg, struct isx_err *err);

/* End the further views and give their slots back. */
void isx_crew_end(struct isx_crew *crew);

/* A range of ISCC-IDs that the members of a crew scan together. It begins as one piece in the hands
 * of one member; a member that has nothing to do gets half of what another one has left. Bodies of
 * ISCC-IDs are times, and one hour may hold most assets of an index, so that pieces of equal width
 * would not be pieces of equal work. Assets are never split: each is scanned by one member. */
struct isx_ranges {
	pthread_mutex_t lock; /* guards all members but `hungry` where it is read without */
	pthread_cond_t changed;
	uint64_t id_min, id_max; /* the piece that is given away, if has_piece */
	bool has_piece;
	bool is_over;       /* nothing is left, or a member has failed */
	unsigned busy;      /* members that have a piece */
	atomic_uint hungry; /* members that wait for one */
};

/* Begin to share the range from id_min to id_max, both included. */
void isx_ranges_init(struct isx_ranges *ranges, uint64_t id_min, uint64_t id_max);

/* End a range that no thread uses any more. */
void isx_ranges_release(struct isx_ranges *ranges);

/* Give back the piece that the member had (`had_piece`), and wait for the next one. False: all is
 * scanned, or a member has failed. */
ISX_MUST_CHECK bool isx_ranges_take(struct isx_ranges *ranges, bool had_piece, uint64_t *id_min,
				    uint64_t *id_max);

/* Called often by a member that scans the piece up to *id_max, and has scanned it up to `id`. Gives
 * half of the rest away if a member waits for work: *id_max is lowered then, and not below `id`.
 *   compared  comparisons of this member so far
 *   given     of this member, 0 at the start of a piece: `compared` when it gave away last */
void isx_ranges_share(struct isx_ranges *ranges, uint64_t id, uint64_t compared, uint64_t *given,
		      uint64_t *id_max);

/* End the work of all members: this one has failed. */
void isx_ranges_fail(struct isx_ranges *ranges);

#endif
