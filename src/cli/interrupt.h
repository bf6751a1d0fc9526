/*
 * interrupt.h - lets a long command report its progress when SIGINT, SIGTERM or SIGHUP ends it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_INTERRUPT_H
#define ISX_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Called in a separate thread after a signal. Then the process exits with 128 plus the number of
 * the signal. A second signal ends it at once. */
typedef void interrupt_fn(void *arg);

struct interrupt {
	interrupt_fn *stop;
	void *arg;
	sigset_t signals; /* waited for: those that the process does not ignore */
	sigset_t before;  /* the signal mask before */
	pthread_t thread;
	bool is_watching;
	atomic_bool is_ended;
};

/* Start waiting for signals. Call it before other threads start: they inherit the mask. */
void interrupt_watch(struct interrupt *interrupt, interrupt_fn *stop, void *arg);

/* Stop waiting; signals end the process by default again. Does not return if one has come. */
void interrupt_end(struct interrupt *interrupt);

#endif
