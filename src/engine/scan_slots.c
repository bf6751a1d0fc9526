/*
 * scan_slots.c - how many threads of this process scan at once.
 *
 * Each caller says how many slots there are for it, since stores of one process may have different
 * options; the slots that are taken are counted for all of them.
 *
 * Locks: `slots.lock` guards all state of this file and is held for a moment; no other lock is
 * taken under it. Each waiting thread sleeps on a condition of its own, so that a slot wakes the
 * thread that gets it and no other.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/scan_slots.h"

#include "base/clock.h"
#include "base/limits.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* CPU_SETSIZE: the processors of which sched_getaffinity() can tell. */
enum { SLOTS_MAX = 1024 };

/* One waiting thread; it is on the stack of that thread. */
struct waiter {
	struct waiter *next;
	unsigned slots_max;
	bool has_slot;
	pthread_cond_t granted;
};

static struct {
	pthread_mutex_t lock;
	unsigned taken;
	struct waiter *first; /* the thread that waits longest */
} slots = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The threads that have slots in the parent do not exist in the child of a fork(). The lock is held
 * over the fork, so that the child does not get it from the middle of a change. */
static void before_fork(void)
{
	pthread_mutex_lock(&slots.lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&slots.lock);
}

static void after_fork_in_child(void)
{
	slots.taken = 0;
	slots.first = NULL;
	pthread_mutex_unlock(&slots.lock);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* The number of processors that this process may use, as it was at the first search: asking costs a
 * system call. */
static unsigned count_processors(void)
{
	static atomic_uint known;
	unsigned count = atomic_load_explicit(&known, memory_order_relaxed);
	cpu_set_t usable;
	if (count > 0)
		return count;
	if (sched_getaffinity(0, sizeof usable, &usable) == 0)
		count = (unsigned)CPU_COUNT(&usable);
	else /* more processors than the set has room for */
		count = SLOTS_MAX;
	atomic_store_explicit(&known, count, memory_order_relaxed);
	return count;
}

unsigned isx_scan_slots_max(const struct isx_options *options)
{
	unsigned count = options->threads ? options->threads : count_processors();
	return count > SLOTS_MAX ? SLOTS_MAX : count;
}

/* Give free slots to the threads that wait, in their order. Called with the lock. */
static void grant_slots(void)
{
	while (slots.first && slots.taken < slots.first->slots_max) {
		struct waiter *waiter = slots.first;
		slots.first = waiter->next;
		slots.taken++;
		waiter->has_slot = true;
		pthread_cond_signal(&waiter->granted);
	}
}

/* Take a waiting thread off the list. The thread behind it may need fewer free slots. Called with
 * the lock. */
static void leave_list(struct waiter *waiter)
{
	struct waiter **at = &slots.first;
	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
	grant_slots();
}

/* Wait for a slot in the order of the list. Called with the lock, which is released meanwhile. */
static bool wait_for_slot(struct waiter *waiter, unsigned wait_ms, bool (*is_wanted)(void *arg),
			  void *arg)
{
	uint64_t now_ns = isx_clock_ns();
	const uint64_t end_ns = now_ns + (uint64_t)wait_ms * 1000000u;
	bool wanted = true;
	while (!waiter->has_slot && wanted && now_ns < end_ns) {
		uint64_t look_ns = now_ns + (uint64_t)ISX_PASS_LOOK_MS * 1000000u;
		bool in_time = isx_clock_wait(&waiter->granted, &slots.lock,
					      look_ns < end_ns ? look_ns : end_ns);
		now_ns = isx_clock_ns();
		if (in_time || waiter->has_slot)
			continue;
		pthread_mutex_unlock(&slots.lock);
		wanted = is_wanted(arg);
		pthread_mutex_lock(&slots.lock);
	}
	if (waiter->has_slot && wanted)
		return true;
	if (waiter->has_slot) { /* granted while is_wanted() said no */
		slots.taken--;
		grant_slots();
		return false;
	}
	leave_list(waiter);
	slots.taken += wanted; /* the time has passed: more than slots_max may be taken now */
	return wanted;
}

bool isx_scan_slot_take(unsigned slots_max, unsigned wait_ms, bool (*is_wanted)(void *arg),
			void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct waiter waiter = { .slots_max = slots_max };
	struct waiter **last = &slots.first;
	bool has_slot = true;
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&slots.lock);
	if (!slots.first && slots.taken < slots_max) {
		slots.taken++;
	} else {
		isx_clock_cond_init(&waiter.granted);
		while (*last)
			last = &(*last)->next;
		*last = &waiter;
		has_slot = wait_for_slot(&waiter, wait_ms, is_wanted, arg);
		pthread_cond_destroy(&waiter.granted);
	}
	pthread_mutex_unlock(&slots.lock);
	return has_slot;
}

/* Never waits, and takes nothing while a thread of the list waits: that thread comes first. */
unsigned isx_scan_slots_try(unsigned slots_max, unsigned wanted)
{
	unsigned count = 0;
	pthread_mutex_lock(&slots.lock);
	if (!slots.first && slots.taken < slots_max)
		count = slots_max - slots.taken < wanted ? slots_max - slots.taken : wanted;
	slots.taken += count;
	pthread_mutex_unlock(&slots.lock);
	return count;
}

void isx_scan_slots_release(unsigned count)
{
	pthread_mutex_lock(&slots.lock);
	slots.taken -= count;
	grant_slots();
	pthread_mutex_unlock(&slots.lock);
}
