/*
 * interrupt.c - a thread waits for signals, so that they are handled whatever other threads wait
 *               for.
 *
 * A signal handler could neither take locks nor print; the thread can.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/interrupt.h"

#include "base/thread.h"

#include <unistd.h>

/* Unblocks the signals before it calls stop(), so that a second signal ends the process by
 * default. */
static void *watch(void *arg)
{
	struct interrupt *interrupt = arg;
	int which = SIGRTMIN;
	while (which == SIGRTMIN) {
		if (atomic_load(&interrupt->is_ended) || sigwait(&interrupt->signals, &which) != 0)
			return NULL;
	}
	/* not SIGRTMIN, by which interrupt_end() may still wake this thread */
	sigset_t real = interrupt->signals;
	sigdelset(&real, SIGRTMIN);
	pthread_sigmask(SIG_UNBLOCK, &real, NULL);
	interrupt->stop(interrupt->arg);
	_exit(128 + which);
}

void interrupt_watch(struct interrupt *interrupt, interrupt_fn *stop, void *arg)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	*interrupt = (struct interrupt){ .stop = stop, .arg = arg };
	sigemptyset(&interrupt->signals);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		/* Ignored signals stay ignored, as nohup and shells without job control want it. */
		struct sigaction now;
		if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			sigaddset(&interrupt->signals, ends[i]);
	}
	sigaddset(&interrupt->signals, SIGRTMIN); /* interrupt_end() wakes the thread with it */
	pthread_sigmask(SIG_BLOCK, &interrupt->signals, &interrupt->before);
	interrupt->is_watching = isx_thread_start(&interrupt->thread, "interrupt", watch,
						  interrupt) == 0;
	if (!interrupt->is_watching)
		pthread_sigmask(SIG_SETMASK, &interrupt->before, NULL);
}

/* The signal SIGRTMIN is directed at the thread alone. If a real signal comes first, watch() ends
 * the process, and pthread_join() never returns. */
void interrupt_end(struct interrupt *interrupt)
{
	if (!interrupt->is_watching)
		return;
	atomic_store(&interrupt->is_ended, true);
	pthread_kill(interrupt->thread, SIGRTMIN);
	pthread_join(interrupt->thread, NULL);
	interrupt->is_watching = false;
	pthread_sigmask(SIG_SETMASK, &interrupt->before, NULL);
}
