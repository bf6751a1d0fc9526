/*
 * workers.c - a parent that forks, watches and restarts.
 *
 * The parent opens nothing but the listening socket: LMDB environments and threads do not survive a
 * fork. It waits for signals only, so it can hardly die; should it all the same, its workers are told
 * (PR_SET_PDEATHSIG) and end as on SIGTERM.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/workers.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/notify.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	FIRST_PAUSE_MS = 100,
	LONGEST_PAUSE_MS = 5000,
	STEADY_MS = 5000,    /* who lives as long has started well */
	STOP_SPARE_MS = 5000 /* beyond what workers were given to end */
};

struct worker {
	pid_t pid;         /* 0: not running */
	uint64_t start_ns; /* when it was started, or is to be */
	unsigned pause_ms; /* before it is started again */
};

struct crew {
	struct worker *workers;
	unsigned count;
	unsigned stop_ms;
	int listen_fd;
	worker_fn *work;
	void *arg;
	int exit_code;
};

static void start(struct crew *crew, struct worker *worker)
{
	pid_t parent = getpid();
	worker->start_ns = isx_clock_ns();
	worker->pid = fork();
	if (worker->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent) /* it died before that */
			_exit(1);
		_exit(crew->work(crew->arg, (unsigned)(worker - crew->workers)));
	}
	if (worker->pid < 0) {
		isx_log(ISX_LOG_ERROR, "no worker could be started: %s", strerror(errno));
		worker->pid = 0;
		worker->start_ns += (uint64_t)LONGEST_PAUSE_MS * 1000000;
	} else {
		isx_log(ISX_LOG_INFO, "worker %ld started", (long)worker->pid);
	}
}

/* A worker has ended: plan when it starts again. */
static void plan_restart(struct worker *worker, int status)
{
	uint64_t now = isx_clock_ns();
	bool steady = now - worker->start_ns > (uint64_t)STEADY_MS * 1000000;
	worker->pause_ms = steady || !worker->pause_ms ? FIRST_PAUSE_MS : worker->pause_ms * 2;
	if (worker->pause_ms > LONGEST_PAUSE_MS)
		worker->pause_ms = LONGEST_PAUSE_MS;
	if (WIFSIGNALED(status))
		isx_log(ISX_LOG_ERROR, "worker %ld was ended by signal %d: another starts in %u ms",
			(long)worker->pid, WTERMSIG(status), worker->pause_ms);
	else
		isx_log(ISX_LOG_ERROR, "worker %ld ended with status %d: another starts in %u ms",
			(long)worker->pid, WEXITSTATUS(status), worker->pause_ms);
	worker->pid = 0;
	worker->start_ns = now + (uint64_t)worker->pause_ms * 1000000;
}

/* Take note of all that have ended; returns how many run. */
static unsigned reap(struct crew *crew, bool stopping)
{
	unsigned running = 0;
	for (unsigned i = 0; i < crew->count; i++) {
		struct worker *worker = &crew->workers[i];
		int status;
		if (worker->pid && waitpid(worker->pid, &status, WNOHANG) == worker->pid) {
			if (stopping) {
				if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
					crew->exit_code = 1;
				worker->pid = 0;
			} else {
				plan_restart(worker, status);
			}
		}
		running += worker->pid != 0;
	}
	return running;
}

static void signal_all(const struct crew *crew, int which)
{
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->workers[i].pid)
			kill(crew->workers[i].pid, which);
}

/* Start those whose time has come; returns the milliseconds until the next one's, at most 1000. */
static long start_due(struct crew *crew)
{
	uint64_t now = isx_clock_ns();
	long wait_ms = 1000;
	for (unsigned i = 0; i < crew->count; i++) {
		struct worker *worker = &crew->workers[i];
		if (worker->pid)
			continue;
		if (worker->start_ns <= now) {
			start(crew, worker);
		} else {
			long left_ms = (long)((worker->start_ns - now) / 1000000) + 1;
			wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
		}
	}
	return wait_ms;
}

/* Wait for one of the signals; returns it, or 0 after `wait_ms`. */
static int next_signal(const sigset_t *signals, long wait_ms)
{
	struct timespec wait = { .tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000 };
	int which = sigtimedwait(signals, NULL, &wait);
	return which < 0 ? 0 : which;
}

static void stop(struct crew *crew, const sigset_t *signals)
{
	uint64_t wait_ms = (uint64_t)crew->stop_ms + STOP_SPARE_MS;
	uint64_t deadline = isx_clock_ns() + wait_ms * 1000000;
	notify_supervisor("STOPPING=1");
	signal_all(crew, SIGTERM);
	shutdown(crew->listen_fd, SHUT_RDWR); /* as long as we have it, the system would accept */
	while (reap(crew, true) > 0) {
		if (isx_clock_ns() > deadline) {
			signal_all(crew, SIGKILL);
			deadline = UINT64_MAX;
		}
		next_signal(signals, 100);
	}
}

int workers_run(unsigned count, unsigned stop_ms, int listen_fd, worker_fn *work, void *arg)
{
	struct crew crew = {
		.count = count, .stop_ms = stop_ms, .listen_fd = listen_fd, .work = work, .arg = arg
	};
	sigset_t signals;
	crew.workers = isx_mem_array(count, sizeof *crew.workers);
	if (!crew.workers) {
		isx_log(ISX_LOG_ERROR, "out of memory");
		return 1;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGCHLD,
	       SIG_DFL); /* ignored, as some parents leave it, it would reap in our place */
	start_due(&crew);
	notify_supervisor("READY=1"); /* they listen already, whoever accepts first */
	for (bool stopping = false; !stopping;) {
		int which = next_signal(&signals, start_due(&crew));
		stopping = which == SIGTERM || which == SIGINT;
		if (which == SIGHUP) {
			isx_log_reopen();
			signal_all(&crew, SIGHUP);
		}
		if (!stopping)
			reap(&crew, false);
	}
	stop(&crew, &signals);
	isx_mem_free(crew.workers);
	return crew.exit_code;
}
