/*
 * thread.h - start threads that handle no signals.
 *
 * The kernel delivers a process-wide signal to any thread that does not block it. Threads of the
 * library block all signals from their first instruction on, so that a handler of the host program
 * runs only in the program's own threads, and no system call of the library is interrupted.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_THREAD_H
#define ISX_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Start a thread that runs fn(arg) with all signals blocked. The caller joins it.
 *   name  at most 15 characters, for debuggers
 * Returns 0 or a value of errno, as pthread_create() does. */
int isx_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg);

/* For calls of a library that starts threads itself: threads that the calling thread starts between
 * these two calls block all signals.
 *   before  filled: the signal mask of the calling thread, for isx_thread_restore_signals() */
void isx_thread_block_signals(sigset_t *before);
void isx_thread_restore_signals(const sigset_t *before);

#endif
