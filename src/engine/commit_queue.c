/*
 * commit_queue.c - group commit.
 *
 * Who writes hands that on to the first of those who came meanwhile, before it wakes its own group.
 * Each thread sleeps on a semaphore of its own and wakes without the lock: with a condition for all, 64
 * threads that are woken stand in line for the lock, and the next writer behind them.
 *
 * A failing transaction takes its whole group down, so a group that failed is tried again one
 * change at a time: the change that does not fit must not hurt its neighbours.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/commit_queue.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>

struct isx_commit_queue {
	isx_commit_fn *write;
	void *arg;
	pthread_mutex_t lock; /* guards what follows */
	struct isx_commit *first;
	struct isx_commit **last;
	bool writing; /* somebody writes, or was told to: whoever comes now waits */
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

/* Write everything that waits, for all; `own`, which is first among it, is the caller's. */
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
	struct isx_commit *heir = queue->first;
	queue->writing = heir != NULL;
	pthread_mutex_unlock(&queue->lock);
	if (heir) {
		heir->writes = true;
		sem_post(&heir->woken);
	}
	for (struct isx_commit *next; group; group = next) {
		next = group->next; /* a change that is done belongs to its thread again */
		if (group != own)
			sem_post(&group->woken);
	}
}

enum isx_status isx_commit_queue_run(struct isx_commit_queue *queue, struct isx_commit *change,
				     struct isx_err *err)
{
	change->next = NULL;
	sem_init(&change->woken, 0, 0);
	pthread_mutex_lock(&queue->lock);
	*queue->last = change;
	queue->last = &change->next;
	change->writes = !queue->writing;
	bool waits = queue->writing;
	queue->writing = true;
	pthread_mutex_unlock(&queue->lock);
	while (waits && sem_wait(&change->woken) != 0)
		; /* a signal was handled */
	if (change->writes)
		write_waiting(queue, change);
	sem_destroy(&change->woken);
	if (change->status)
		isx_err_pass(err, &change->err);
	return change->status;
}
