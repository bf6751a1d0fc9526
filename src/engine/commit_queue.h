/*
 * commit_queue.h - group commit: changes that wait for the disk together share one transaction.
 *
 * The first thread that finds nobody writing becomes the writer: it takes everything that has
 * queued up, has it written in one transaction, and wakes the others. While it waits for the disk
 * the next group gathers. What a transaction is, the engine says.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_COMMIT_QUEUE_H
#define ISX_COMMIT_QUEUE_H

#include "base/status.h"

#include <semaphore.h>

/* One change, prepared by the thread that waits for it: the first member of the engine's own. */
struct isx_commit {
	struct isx_commit *next; /* of its group */
	enum isx_status status;  /* why it was refused, or could not be written */
	struct isx_err err;
	sem_t woken; /* the queue's own: its change is done, or its thread `writes` the next group */
	bool writes;
};

/* Write a group in one transaction. A change that does not fit gets its own status and leaves no
 * trace; the return value is that of the transaction: on failure nothing of the group is written.
 * May be called again with a part of the group. */
typedef enum isx_status isx_commit_fn(void *arg, struct isx_commit *group, struct isx_err *err);

struct isx_commit_queue;

/* A queue whose groups are written by `write`. New, free with isx_commit_queue_free() (NULL is
 * allowed).
 *   arg  borrowed, handed to `write` */
ISX_MUST_CHECK enum isx_status isx_commit_queue_new(isx_commit_fn *write, void *arg,
						    struct isx_commit_queue **queue,
						    struct isx_err *err);
void isx_commit_queue_free(struct isx_commit_queue *queue);

/* Make a change; returns when it is durable and visible, or refused, or failed: then nothing of it
 * is there. */
ISX_MUST_CHECK enum isx_status isx_commit_queue_run(struct isx_commit_queue *queue,
						    struct isx_commit *change, struct isx_err *err);

#endif
