/*
 * sim_crew.c - several threads that scan one snapshot, and the ranges of ISCC-IDs that they share.
 *
 * If a writer has committed since the search began, the members get no view of its snapshot, and the
 * search goes on with fewer.
 *
 * Locks: ranges->lock is held for a moment, no other lock is taken under it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "similarity/sim_crew.h"

#include "base/mem.h"
#include "base/thread.h"
#include "engine/scan_slots.h"

/* Comparisons of a member between two pieces that it gives away: about 0.1 ms. A piece costs a few
 * lookups and the page on which it begins is compared twice. */
enum { SHARE_COMPARISONS = 1 << 16 };

/* One further member of a crew while its thread runs. */
struct crew_thread {
	isx_crew_fn *work;
	void *arg;
	unsigned member;
	enum isx_status status;
	struct isx_err err;
	pthread_t handle;
	bool runs;
};

/* A further view of the snapshot of `view`; NULL if there is no memory, no slot for another reader,
 * or a writer has committed. */
static struct isx_lmdb_view *view_again(const struct isx_lmdb_view *view)
{
	struct isx_lmdb_view *made = isx_mem_array(1, sizeof *made);
	if (made && isx_lmdb_read_again(view, made))
		return made;
	isx_mem_free(made);
	return NULL;
}

void isx_crew_begin(struct isx_crew *crew, struct isx_lmdb_view *view, unsigned slots_max,
		    unsigned wanted)
{
	*crew = (struct isx_crew){ .views = { view }, .count = 1 };
	if (wanted > ISX_CREW_MAX)
		wanted = ISX_CREW_MAX;
	if (wanted < 2)
		return;
	/* Slots first: they bound the threads of all searches together. Slots for which there is
	 * no view go back at once, for other searches. */
	crew->slots = isx_scan_slots_try(slots_max, wanted - 1);
	while (crew->count <= crew->slots) {
		struct isx_lmdb_view *further = view_again(view);
		if (!further)
			break;
		crew->views[crew->count++] = further;
	}
	isx_scan_slots_release(crew->slots - (crew->count - 1));
	crew->slots = crew->count - 1;
}

void isx_crew_end(struct isx_crew *crew)
{
	for (unsigned i = 1; i < crew->count; i++) {
		isx_lmdb_end(crew->views[i]);
		isx_mem_free(crew->views[i]);
	}
	isx_scan_slots_release(crew->slots);
	*crew = (struct isx_crew){ 0 };
}

/* The start of a further member's thread. The failure stays in `arg` until isx_crew_run() has
 * joined the thread. */
static void *run_member(void *arg)
{
	struct crew_thread *thread = arg;
	thread->status = thread->work(thread->arg, thread->member, &thread->err);
	return NULL;
}

enum isx_status isx_crew_run(struct isx_crew *crew, unsigned members, isx_crew_fn *work, void *arg,
			     struct isx_err *err)
{
	struct crew_thread threads[ISX_CREW_MAX];
	if (members > crew->count)
		members = crew->count;
	for (unsigned i = 1; i < members; i++) {
		threads[i] = (struct crew_thread){ .work = work, .arg = arg, .member = i };
		threads[i].runs = isx_thread_start(&threads[i].handle, "isx-scan", run_member,
						   &threads[i]) == 0;
	}
	/* The caller works as well: with no further thread this is the whole of the work. */
	enum isx_status st = work(arg, 0, err);
	/* Every thread is joined, also after a failure: all of them use this stack frame. */
	for (unsigned i = 1; i < members; i++) {
		if (!threads[i].runs)
			continue;
		pthread_join(threads[i].handle, NULL);
		if (threads[i].status && !st) {
			st = threads[i].status;
			isx_err_pass(err, &threads[i].err);
		}
	}
	return st;
}

/* --- ranges ----------------------------------------------------------------------------------- */

void isx_ranges_init(struct isx_ranges *ranges, uint64_t id_min, uint64_t id_max)
{
	*ranges = (struct isx_ranges){ .id_min = id_min, .id_max = id_max, .has_piece = true };
	pthread_mutex_init(&ranges->lock, NULL);
	pthread_cond_init(&ranges->changed, NULL);
}

void isx_ranges_release(struct isx_ranges *ranges)
{
	pthread_cond_destroy(&ranges->changed);
	pthread_mutex_destroy(&ranges->lock);
}

bool isx_ranges_take(struct isx_ranges *ranges, bool had_piece, uint64_t *id_min, uint64_t *id_max)
{
	pthread_mutex_lock(&ranges->lock);
	ranges->busy -= had_piece;
	atomic_fetch_add(&ranges->hungry, 1);
	/* Only a busy member can give a piece away. When no piece is left and no member is busy,
	 * none will come, and the member that notices it ends the wait of all others. */
	while (!ranges->has_piece && !ranges->is_over) {
		if (ranges->busy > 0)
			pthread_cond_wait(&ranges->changed, &ranges->lock);
		else
			ranges->is_over = true;
	}
	atomic_fetch_sub(&ranges->hungry, 1);
	bool found = !ranges->is_over;
	if (found) {
		*id_min = ranges->id_min;
		*id_max = ranges->id_max;
		ranges->has_piece = false;
		ranges->busy++;
	} else {
		pthread_cond_broadcast(&ranges->changed);
	}
	pthread_mutex_unlock(&ranges->lock);
	return found;
}

void isx_ranges_share(struct isx_ranges *ranges, uint64_t id, uint64_t compared, uint64_t *given,
		      uint64_t *id_max)
{
	/* Read without the lock, since the member comes here often. A stale value delays a gift to
	 * the next call, or takes the lock for nothing: the condition is checked again below. */
	if (atomic_load_explicit(&ranges->hungry, memory_order_relaxed) == 0 ||
	    compared - *given < SHARE_COMPARISONS || *id_max <= id)
		return;
	pthread_mutex_lock(&ranges->lock);
	if (!ranges->has_piece && !ranges->is_over && atomic_load(&ranges->hungry) > 0) {
		uint64_t middle = id + (*id_max - id) / 2; /* stays with this member */
		ranges->id_min = middle + 1;
		ranges->id_max = *id_max;
		ranges->has_piece = true;
		*id_max = middle;
		*given = compared;
		/* One piece is for one member: to wake the others would make them wait again. */
		pthread_cond_signal(&ranges->changed);
	}
	pthread_mutex_unlock(&ranges->lock);
}

/* Members that scan a piece finish it, unless their own checks end them, and get no further
 * one. */
void isx_ranges_fail(struct isx_ranges *ranges)
{
	pthread_mutex_lock(&ranges->lock);
	ranges->is_over = true;
	pthread_cond_broadcast(&ranges->changed);
	pthread_mutex_unlock(&ranges->lock);
}
