/*
 * pass_queue.c - searches that wait for a processor at the same time share one pass.
 *
 * A pass is closed to further parties before its transaction begins, so all parties see every write
 * that was acknowledged before they came. A party that is no longer wanted leaves a pass that is
 * not closed; the party that leads goes on for the others, if there are any.
 *
 * Locks: queue->lock is held for a moment; never while is_wanted() is asked or a pass runs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/pass_queue.h"

#include "base/clock.h"
#include "base/limits.h"
#include "engine/scan_slots.h"

/* A pass: on the stack of the thread that leads it. */
struct isx_pass {
	struct isx_pass_queue *queue;
	struct isx_party *leader;
	struct isx_party *first; /* of the parties, in the order in which they came */
	size_t units;
	bool is_closed;
	bool has_slot; /* only the thread that leads uses it */
};

void isx_pass_queue_init(struct isx_pass_queue *queue)
{
	pthread_mutex_init(&queue->lock, NULL);
	queue->gathering = NULL;
}

void isx_pass_queue_release(struct isx_pass_queue *queue)
{
	pthread_mutex_destroy(&queue->lock);
}

/* Put a party at the end of a pass. Called with the lock. */
static void join_pass(struct isx_pass *pass, struct isx_party *party)
{
	struct isx_party **last = &pass->first;
	while (*last)
		last = &(*last)->next;
	*last = party;
	party->next = NULL;
	party->pass = pass;
	pass->units += party->units;
}

/* Take a party out of a pass that is not closed. Called with the lock. */
static void leave_pass(struct isx_pass *pass, struct isx_party *party)
{
	struct isx_party **at = &pass->first;
	while (*at != party)
		at = &(*at)->next;
	*at = party->next;
	party->pass = NULL;
	pass->units -= party->units;
}

/* Let no further party join. Called with the lock. */
static void close_pass(struct isx_pass *pass)
{
	pass->is_closed = true;
	if (pass->queue->gathering == pass)
		pass->queue->gathering = NULL;
}

/* Asked while the leader waits for a slot. The leader's own party may leave, and the thread leads
 * on; without any party the pass ends. */
static bool is_pass_wanted(void *arg)
{
	struct isx_pass *pass = arg;
	bool is_wanted = !pass->leader->pass || pass->leader->is_wanted(pass->leader);
	pthread_mutex_lock(&pass->queue->lock);
	if (!is_wanted)
		leave_pass(pass, pass->leader);
	bool has_parties = pass->first != NULL;
	if (!has_parties)
		close_pass(pass);
	pthread_mutex_unlock(&pass->queue->lock);
	return has_parties;
}

/* Lead a pass. Returns whether the leader's own party was served. */
static bool lead_pass(struct isx_pass *pass, isx_pass_fn *run)
{
	unsigned wait_ms = pass->leader->is_alone ? ISX_ALONE_WAIT_MS : ISX_PASS_WAIT_MS;
	if (!isx_scan_slot_take(pass->leader->slots_max, wait_ms, is_pass_wanted, pass))
		return false;
	pthread_mutex_lock(&pass->queue->lock);
	close_pass(pass);
	struct isx_party *first = pass->first;
	pthread_mutex_unlock(&pass->queue->lock);
	pass->has_slot = true;
	if (first)
		run(pass->queue, first);
	isx_scan_slots_release(pass->has_slot);
	return pass->leader->is_served;
}

/* Wait in a pass that another thread leads. Called with the lock, which is released meanwhile. The
 * pass exists as long as the party in it is not served. */
static bool wait_in_pass(struct isx_pass_queue *queue, struct isx_party *party)
{
	while (!party->is_served && party->pass) {
		uint64_t look_ns = isx_clock_ns() + (uint64_t)ISX_PASS_LOOK_MS * 1000000u;
		if (isx_clock_wait(&party->served, &queue->lock, look_ns) || party->is_served ||
		    party->pass->is_closed)
			continue;
		pthread_mutex_unlock(&queue->lock);
		bool is_wanted = party->is_wanted(party);
		pthread_mutex_lock(&queue->lock);
		if (!is_wanted && !party->is_served && !party->pass->is_closed)
			leave_pass(party->pass, party);
	}
	return party->is_served;
}

/* A pass is on the stack of the thread that leads it, and the other parties point to it: `run` has
 * to serve each of them before it returns. */
bool isx_pass_queue_run(struct isx_pass_queue *queue, struct isx_party *party, isx_pass_fn *run)
{
	struct isx_pass own = { .queue = queue, .leader = party };
	isx_clock_cond_init(&party->served);
	party->is_served = false;
	pthread_mutex_lock(&queue->lock);
	struct isx_pass *pass = party->is_alone ? NULL : queue->gathering;
	if (pass && pass->units + party->units > ISX_PASS_UNITS_MAX)
		pass = NULL; /* what comes from now on joins the pass of this party */
	bool leads = !pass;
	join_pass(leads ? &own : pass, party);
	if (leads && !party->is_alone)
		/* cppcheck-suppress autoVariables ; the pass closes before it is run */
		queue->gathering = &own;
	bool is_served = !leads && wait_in_pass(queue, party);
	pthread_mutex_unlock(&queue->lock);
	if (leads)
		is_served = lead_pass(&own, run);
	pthread_cond_destroy(&party->served);
	return is_served;
}

void isx_pass_served(struct isx_pass_queue *queue, struct isx_party *party)
{
	pthread_mutex_lock(&queue->lock);
	party->is_served = true;
	pthread_cond_signal(&party->served);
	pthread_mutex_unlock(&queue->lock);
}

void isx_pass_release_slot(struct isx_party *party)
{
	party->pass->has_slot = false;
	isx_scan_slots_release(1);
}
