/*
 * thread.c - start threads that handle no signals.
 *
 * A new thread inherits the signal mask of the thread that creates it. To block the signals inside
 * the new thread would be too late: one could arrive before.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/thread.h"

/* Of each thread. The largest frame of the library has 20 KB and the deepest recursion, a walk through
 * nested JSON, 512 small ones. The system's default of 8 MiB is address space that 100 threads of a
 * server would not use, and that a process under `ulimit -v` may not have. Sanitizers make frames
 * several times as large. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STACK_BYTES = 8 << 20 };
#else
enum { STACK_BYTES = 1 << 20 };
#endif

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
	pthread_attr_t attributes;
	int rc = pthread_attr_init(&attributes);
	if (rc)
		return rc;
	isx_thread_block_signals(&before);
	/* Cannot fail: the size is above PTHREAD_STACK_MIN and a multiple of a page. */
	(void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
	rc = pthread_create(thread, &attributes, fn, arg);
	isx_thread_restore_signals(&before);
	pthread_attr_destroy(&attributes);
	if (!rc)
		pthread_setname_np(*thread, name);
	return rc;
}
