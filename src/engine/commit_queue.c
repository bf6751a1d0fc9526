/*
 * commit_queue.c - group commit.
 *
 * The writer makes the first thread of the next group the next writer, and only then wakes the
 * threads of its own group: the disk is busy again before they run. Each thread sleeps on a
 * semaphore of its own and wakes without the lock. With one condition for all, 64 threads that are
 * woken queue up for the lock, and the next writer behind them.
 *
 * A failing transaction takes its whole group down, so a group that failed is tried again one
 * change at a time: the change that fails must not fail its neighbours.
 *
 * Locks: `lock` guards the list and `writing`, and is never held while a group is written. It
 * relies on `write` for everything else, and knows neither LMDB nor PostgreSQL.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/commit_queue.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>

struct isx_commit_queue {
	isx_commit_fn *write;
	void *arg;
	pthread_mutex_t lock; /* guards all members below */
	struct isx_commit *first;
	struct isx_commit **last;
	bool writing; /* a thread writes, or has been told to: a new change waits */
};

enum isx_status isx_commit_queue_new(isx_commit_fn *write, void *arg,
				     struct isx_commit_queue **queue, struct isx_err *err)
{
	struct isx_commit_queue *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->write = write;
	made->arg = arg;
	made->last = &made->first;
	pthread_mutex_init(&made->lock, NULL);
	*queue = made;
	return ISX_OK;
}

void isx_commit_queue_free(struct isx_commit_queue *queue)
{
	if (!queue)
		return;
	pthread_mutex_destroy(&queue->lock);
	isx_mem_free(queue);
}

/* Write one change of a failed group in a transaction of its own; its list position is kept. */
static void write_alone(struct isx_commit_queue *queue, struct isx_commit *change)
{
	struct isx_commit *next = change->next;
	struct isx_err err = { 0 };
	change->next = NULL;
	enum isx_status st = queue->write(queue->arg, change, &err);
	change->next = next;
	if (st) {
		change->status = st;
		change->err = err;
	}
}

/* Write a group; on return each change has its own status. Called without the lock. */
static void write_all(struct isx_commit_queue *queue, struct isx_commit *group)
{
	struct isx_err err = { 0 };
	enum isx_status st = queue->write(queue->arg, group, &err);
	if (!st)
		return;
	if (!group->next) {
		group->status = st;
		group->err = err;
		return;
	}
	for (struct isx_commit *change = group; change; change = change->next)
		write_alone(queue, change);
}

/* Write all waiting changes in one transaction. `own`, the caller's change, is the first of
 * them: a thread is only told to write when its change heads the list. Takes and gives back the
 * lock. */
static void write_waiting(struct isx_commit_queue *queue, const struct isx_commit *own)
{
	pthread_mutex_lock(&queue->lock);
	struct isx_commit *group = queue->first;
	queue->first = NULL;
	queue->last = &queue->first;
	pthread_mutex_unlock(&queue->lock);
	assert(group == own);
	write_all(queue, group);
	pthread_mutex_lock(&queue->lock);
	/* What has queued up during the write becomes the next group. `writing` stays set if
	 * there is one: a thread that comes now must not take its turn. */
	struct isx_commit *next_writer = queue->first;
	queue->writing = next_writer != NULL;
	pthread_mutex_unlock(&queue->lock);
	if (next_writer) {
		next_writer->writes = true;
		sem_post(&next_writer->wakeup);
	}
	for (struct isx_commit *next; group; group = next) {
		next = group->next; /* once woken, a thread may free its change */
		if (group != own)
			sem_post(&group->wakeup);
	}
}

enum isx_status isx_commit_queue_run(struct isx_commit_queue *queue, struct isx_commit *change,
				     struct isx_err *err)
{
	change->next = NULL;
	sem_init(&change->wakeup, 0, 0);
	pthread_mutex_lock(&queue->lock);
	*queue->last = change;
	queue->last = &change->next;
	change->writes = !queue->writing;
	bool waits = queue->writing;
	queue->writing = true;
	pthread_mutex_unlock(&queue->lock);
	/* The post that ends the wait also orders memory: `writes`, `status` and `err` were set
	 * before. */
	while (waits && sem_wait(&change->wakeup) != 0)
		; /* EINTR: a signal handler ran */
	if (change->writes)
		write_waiting(queue, change);
	sem_destroy(&change->wakeup);
	if (change->status)
		isx_err_pass(err, &change->err);
	return change->status;
}
