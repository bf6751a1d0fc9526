/*
 * thread.h - starting threads that leave the program's signals alone.
 *
 * A process-wide signal is delivered to any thread that does not block it. A thread that we start
 * blocks all of them, from its first instruction on, so that a handler of the program runs only in
 * the program's own threads, and a system call of ours is not interrupted.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_THREAD_H
#define ISX_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Start a thread that runs fn(arg) with all signals blocked, to be joined.
 *   name  at most 15 characters, for debuggers
 * Returns 0 or a code of errno, as pthread_create() does. */
int isx_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg);

/* For a library that starts threads by itself: threads that are started between these two calls, by the
 * calling thread, block all signals.
 *   before  filled: what the calling thread blocked, to be given back */
void isx_thread_block_signals(sigset_t *before);
void isx_thread_restore_signals(const sigset_t *before);

#endif
