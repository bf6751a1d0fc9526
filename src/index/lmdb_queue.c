/*
 * lmdb_queue.c - group commit.
 *
 * A failing transaction takes its whole group down, so a group that failed is tried again one
 * change at a time: the change that does not fit must not hurt its neighbours.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/lmdb_queue.h"

#include "base/mem.h"

struct isx_lmdb_queue {
	struct isx_lmdb_file *file;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a group is done: somebody may go home, or write next */
	struct isx_lmdb_change *first;
	struct isx_lmdb_change **last;
	bool writing;
};

enum isx_status isx_lmdb_queue_new(struct isx_lmdb_file *file, struct isx_lmdb_queue **queue,
				   struct isx_err *err)
{
	struct isx_lmdb_queue *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->file = file;
	made->last = &made->first;
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->changed, NULL);
	*queue = made;
	return ISX_OK;
}

void isx_lmdb_queue_free(struct isx_lmdb_queue *queue)
{
	if (!queue)
		return;
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->lock);
	isx_mem_free(queue);
}

/* Apply a group in one transaction. A change that is refused keeps its own status; the return value
 * is that of the transaction. */
static enum isx_status write_group(struct isx_lmdb_file *file, struct isx_lmdb_change *group,
				   struct isx_err *err)
{
	struct isx_lmdb_view view;
	enum isx_status st = isx_lmdb_write(file, &view, err);
	if (st)
		return st;
	for (struct isx_lmdb_change *change = group; change && !st; change = change->next) {
		change->status = change->check(change, &view, &change->err);
		if (!change->status)
			st = change->apply(change, &view, err);
	}
	if (!st)
		return isx_lmdb_commit(&view, err);
	isx_lmdb_end(&view);
	return st;
}

static void write_alone(struct isx_lmdb_file *file, struct isx_lmdb_change *change)
{
	struct isx_lmdb_change *next = change->next;
	struct isx_err err = { 0 };
	change->next = NULL;
	enum isx_status st = write_group(file, change, &err);
	change->next = next;
	if (st) {
		change->status = st;
		change->err = err;
	}
}

static void write_all(struct isx_lmdb_file *file, struct isx_lmdb_change *group)
{
	struct isx_err err = { 0 };
	enum isx_status st = write_group(file, group, &err);
	if (!st)
		return;
	if (!group->next) {
		group->status = st;
		group->err = err;
		return;
	}
	for (struct isx_lmdb_change *change = group; change; change = change->next)
		write_alone(file, change);
}

enum isx_status isx_lmdb_queue_run(struct isx_lmdb_queue *queue, struct isx_lmdb_change *change,
				   struct isx_err *err)
{
	change->next = NULL;
	change->done = false;
	pthread_mutex_lock(&queue->lock);
	*queue->last = change;
	queue->last = &change->next;
	while (!change->done) {
		if (queue->writing) {
			pthread_cond_wait(&queue->changed, &queue->lock);
			continue;
		}
		struct isx_lmdb_change *group = queue->first; /* ours is in it */
		queue->first = NULL;
		queue->last = &queue->first;
		queue->writing = true;
		pthread_mutex_unlock(&queue->lock);
		write_all(queue->file, group);
		pthread_mutex_lock(&queue->lock);
		for (struct isx_lmdb_change *next; group; group = next) {
			next = group->next; /* a change that is done belongs to its thread again */
			group->done = true;
		}
		queue->writing = false;
		pthread_cond_broadcast(&queue->changed);
	}
	pthread_mutex_unlock(&queue->lock);
	return change->status ? isx_fail(err, change->status, "%s", change->err.msg) : ISX_OK;
}
