/*
 * interrupt.h - a command that takes long says how far it came when SIGINT, SIGTERM or SIGHUP ends it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_INTERRUPT_H
#define ISX_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Called in a thread of its own, when a signal has come; the process ends after it, with 128 and the
 * number of the signal. A second signal ends it at once. */
typedef void interrupt_fn(void *arg);

struct interrupt {
	interrupt_fn *stop;
	void *arg;
	sigset_t
		signals; /* that are waited for: not those which the caller of the program ignores */
	sigset_t before; /* what was blocked */
	pthread_t thread;
	bool is_watching;
	atomic_bool is_ended;
};

/* Begin to wait for signals. Called before other threads are started, so that none takes them away. */
void interrupt_watch(struct interrupt *interrupt, interrupt_fn *stop, void *arg);

/* Let signals end the process as they do by default. Does not return if one has come. */
void interrupt_end(struct interrupt *interrupt);

#endif
