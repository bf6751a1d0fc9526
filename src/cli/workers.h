/*
 * workers.h - runs several worker processes: starts, restarts and stops them together.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_WORKERS_H
#define ISX_WORKERS_H

/* The work of one worker until SIGTERM; returns its exit code. Runs in its own process. `number`
 * (from 0) identifies its slot, which it inherits from a worker that died. */
typedef int worker_fn(void *arg, unsigned number);

/* Run `count` workers until SIGTERM or SIGINT, which the caller has blocked (cmd_serve.c). A worker
 * that dies is restarted, after a delay that grows while it keeps dying. A stop closes `listen_fd`
 * (borrowed) for new connections, and gives the workers `stop_ms` and a few seconds more to finish.
 * Returns the exit code: 0 if all workers ended with 0. */
int workers_run(unsigned count, unsigned stop_ms, int listen_fd, worker_fn *work, void *arg);

#endif
