/*
 * workers.c - a supervisor process that forks workers and restarts those that die.
 *
 * The supervisor opens nothing but the listening socket: LMDB environments and threads do not
 * survive a fork(). It does nothing but wait for signals, so it hardly ever fails; if it dies, its
 * workers get a SIGTERM (PR_SET_PDEATHSIG).
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
	STEADY_MS = 5000,    /* a worker that has lived so long has started successfully */
	STOP_SPARE_MS = 5000 /* beyond the time that workers have to finish */
};

struct worker {
	pid_t pid;         /* 0: not running */
	uint64_t start_ns; /* time of its last start, or of its next one */
	unsigned pause_ms; /* delay before its next start */
};

/* What the supervisor knows. `workers` has `count` slots; a restarted worker keeps its number. */
struct supervisor {
	struct worker *workers;
	unsigned count;
	unsigned stop_ms;
	int listen_fd;
	worker_fn *work;
	void *arg;
	int exit_code;
};

/* Fork one worker. The child never returns from here: _exit() skips the atexit handlers of the
 * supervisor. If fork() fails, the next attempt is after LONGEST_PAUSE_MS. */
static void start(struct supervisor *supervisor, struct worker *worker)
{
	pid_t parent = getpid();
	worker->start_ns = isx_clock_ns();
	worker->pid = fork();
	if (worker->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent) /* the supervisor died before prctl() */
			_exit(1);
		_exit(supervisor->work(supervisor->arg, (unsigned)(worker - supervisor->workers)));
	}
	if (worker->pid < 0) {
		isx_log(ISX_LOG_ERROR, "no worker could be started: %s", strerror(errno));
		worker->pid = 0;
		worker->start_ns += isx_ms_to_ns(LONGEST_PAUSE_MS);
	} else {
		isx_log(ISX_LOG_INFO, "worker %ld started", (long)worker->pid);
	}
}

/* A worker has ended: schedule its next start. The delay doubles while it dies within STEADY_MS. */
static void plan_restart(struct worker *worker, int status)
{
	uint64_t now = isx_clock_ns();
	bool steady = now - worker->start_ns > isx_ms_to_ns(STEADY_MS);
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
	worker->start_ns = now + isx_ms_to_ns(worker->pause_ms);
}

/* Reap all workers that have ended. Returns how many still run. */
static unsigned reap(struct supervisor *supervisor, bool stopping)
{
	unsigned running = 0;
	for (unsigned i = 0; i < supervisor->count; i++) {
		struct worker *worker = &supervisor->workers[i];
		int status;
		if (worker->pid && waitpid(worker->pid, &status, WNOHANG) == worker->pid) {
			if (stopping) {
				if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
					supervisor->exit_code = 1;
				worker->pid = 0;
			} else {
				plan_restart(worker, status);
			}
		}
		running += worker->pid != 0;
	}
	return running;
}

/* Workers that are waiting for their restart have no process. */
static void signal_all(const struct supervisor *supervisor, int which)
{
	for (unsigned i = 0; i < supervisor->count; i++)
		if (supervisor->workers[i].pid)
			kill(supervisor->workers[i].pid, which);
}

/* Start the workers that are due. Returns the milliseconds until the next start, at most 1000. */
static long start_due(struct supervisor *supervisor)
{
	uint64_t now = isx_clock_ns();
	long wait_ms = 1000;
	for (unsigned i = 0; i < supervisor->count; i++) {
		struct worker *worker = &supervisor->workers[i];
		if (worker->pid)
			continue;
		if (worker->start_ns <= now) {
			start(supervisor, worker);
		} else {
			long left_ms = (long)isx_ns_to_ms(worker->start_ns - now) + 1;
			wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
		}
	}
	return wait_ms;
}

/* Wait for one of the signals, which are blocked. Returns it, or 0 after `wait_ms`. */
static int next_signal(const sigset_t *signals, long wait_ms)
{
	struct timespec wait = { .tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000 };
	int which = sigtimedwait(signals, NULL, &wait);
	return which < 0 ? 0 : which;
}

/* Send SIGTERM to all workers and wait for them; after their time, SIGKILL. */
static void stop(struct supervisor *supervisor, const sigset_t *signals)
{
	uint64_t wait_ms = (uint64_t)supervisor->stop_ms + STOP_SPARE_MS;
	uint64_t deadline = isx_clock_after_ms(wait_ms);
	notify_supervisor("STOPPING=1");
	signal_all(supervisor, SIGTERM);
	shutdown(supervisor->listen_fd,
		 SHUT_RDWR); /* while this process has it open, the system accepts connections */
	while (reap(supervisor, true) > 0) {
		if (isx_clock_ns() > deadline) {
			signal_all(supervisor, SIGKILL);
			deadline = UINT64_MAX;
		}
		next_signal(signals, 100);
	}
}

/* Blocks the signals that it waits for; workers inherit the mask, and wait for signals, too. */
int workers_run(unsigned count, unsigned stop_ms, int listen_fd, worker_fn *work, void *arg)
{
	struct supervisor supervisor = {
		.count = count, .stop_ms = stop_ms, .listen_fd = listen_fd, .work = work, .arg = arg
	};
	sigset_t signals;
	supervisor.workers = isx_mem_array(count, sizeof *supervisor.workers);
	if (!supervisor.workers) {
		isx_log(ISX_LOG_ERROR, "out of memory");
		return 1;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would make the system reap the workers */
	start_due(&supervisor);
	notify_supervisor(
		"READY=1"); /* the socket listens already; connections wait for the first worker */
	for (bool stopping = false; !stopping;) {
		int which = next_signal(&signals, start_due(&supervisor));
		stopping = which == SIGTERM || which == SIGINT;
		if (which == SIGHUP) {
			isx_log_reopen();
			signal_all(&supervisor, SIGHUP);
		}
		if (!stopping)
			reap(&supervisor, false);
	}
	stop(&supervisor, &signals);
	isx_mem_free(supervisor.workers);
	return supervisor.exit_code;
}
