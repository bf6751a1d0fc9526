/*
 * commit_queue.h - group commit: changes that wait for the disk together share one transaction.
 *
 * A thread that comes while no other writes becomes the writer: it takes all queued changes, has
 * them written in one transaction, and wakes their threads. While it waits for the disk the next
 * group gathers. The engine defines what a transaction is (isx_commit_fn). SPDX-License-Identifier:
 * Apache-2.0
 */
#ifndef ISX_COMMIT_QUEUE_H
#define ISX_COMMIT_QUEUE_H

#include "base/status.h"

#include <semaphore.h>

/* One change. The engine's struct has it as its first member, and the thread that waits for the
 * change owns it. */
struct isx_commit {
	struct isx_commit *next; /* in its group */
	enum isx_status status;  /* ISX_OK, or why the change was refused or not written */
	struct isx_err err;
	sem_t wakeup; /* private to the queue: the change is done, or its thread has to write */
	bool writes;  /* private to the queue: this thread writes the next group */
};

/* Write a group in one transaction, on the thread of its first change. A change that is refused
 * gets its own status and leaves no trace. The return value is that of the transaction: on failure
 * nothing of the group is written, and it is called again with each change alone. */
typedef enum isx_status isx_commit_fn(void *arg, struct isx_commit *group, struct isx_err *err);

struct isx_commit_queue;

/* A queue whose groups are written by `write`.
 *   arg    borrowed until the queue is freed, handed to `write`
 *   queue  new, free with isx_commit_queue_free() (NULL is allowed) */
ISX_MUST_CHECK enum isx_status isx_commit_queue_new(isx_commit_fn *write, void *arg,
						    struct isx_commit_queue **queue,
						    struct isx_err *err);
void isx_commit_queue_free(struct isx_commit_queue *queue);

/* Make a change. Returns when it is durable and visible, or has been refused or has failed; then it
 * left nothing behind. The caller must hold no lock that `write` takes. */
ISX_MUST_CHECK enum isx_status isx_commit_queue_run(struct isx_commit_queue *queue,
						    struct isx_commit *change, struct isx_err *err);

#endif
