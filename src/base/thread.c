/*
 * thread.c - start threads that handle no signals.
 *
 * A new thread inherits the signal mask of the thread that creates it. To block the signals inside
 * the new thread would be too late: one could arrive before.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/thread.h"

void isx_thread_block_signals(sigset_t *before)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

void isx_thread_restore_signals(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

int isx_thread_start(pthread_t *thread, const char *name, void *(*fn)(void *arg), void *arg)
{
	sigset_t before;
	isx_thread_block_signals(&before);
	int rc = pthread_create(thread, NULL, fn, arg);
	isx_thread_restore_signals(&before);
	if (!rc)
		pthread_setname_np(*thread, name);
	return rc;
}
