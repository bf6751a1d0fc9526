/*
 * workers.h - several processes that do the same: started, watched, restarted, stopped together.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_WORKERS_H
#define ISX_WORKERS_H

/* What one worker does until SIGTERM: returns its exit code. Runs in a process of its own; `number`
 * (0 and up) is that of its place, which it takes over from one that died. */
typedef int worker_fn(void *arg, unsigned number);

/* Run `count` workers until SIGTERM or SIGINT, which are handed on to them; one that dies is started
 * again, after a moment that grows while it keeps dying. Signals of the caller are as in cmd_serve.c:
 * SIGTERM and SIGINT are blocked. Then nothing more is accepted from `listen_fd` (borrowed), and
 * workers get `stop_ms` and a few seconds more to end. Returns the exit code: 0 when all ended as
 * they should. */
int workers_run(unsigned count, unsigned stop_ms, int listen_fd, worker_fn *work, void *arg);

#endif
