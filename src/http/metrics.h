/*
 * metrics.h - counters for Prometheus, of all worker processes of a server.
 *
 * The counts are in shared memory with one slot per process, so any process can add them up, and
 * the counts of a process outlive it. The successor of a worker that died continues in its slot:
 * counters never fall.
 *
 * Must not know: the routes (routes.h); their labels are handed in.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_METRICS_H
#define ISX_METRICS_H

#include "base/buf.h"

/* Worker pools with a queue: those of enum http_pool (routes.h), in their order, without
 * HTTP_POOL_NONE. */
#define HTTP_POOLS 4

struct http_metrics;
struct http_counts;

/* Returns the labels of route `number` in static texts; leaves both unchanged if there is none. */
typedef void http_route_describe(size_t number, const char **method, const char **path);

/* Room for the counts of `processes`, to be shared by fork().
 *   describe  gives the labels of a route when the counts are printed
 *   metrics   new, free with isx_metrics_free() */
ISX_MUST_CHECK enum isx_status isx_metrics_new(unsigned processes, http_route_describe *describe,
					       struct http_metrics **metrics, struct isx_err *err);

/* Unmap the memory in this process. NULL is allowed. */
void isx_metrics_free(struct http_metrics *metrics);

/* The slot of a process (from 0) that has just started. Resets the gauges, because the requests of
 * its predecessor are gone. */
struct http_counts *isx_metrics_begin(struct http_metrics *metrics, unsigned process);

/* The counters of the store of a process. */
struct isx_counters *isx_metrics_store(struct http_metrics *metrics, unsigned process);

/* A request has begun, waits in the queue of a pool (0 to HTTP_POOLS - 1), has left that queue, has
 * ended. `route` is below HTTP_ROUTES_MAX; `status` 0 means that no answer was sent. */
void isx_metrics_request(struct http_counts *counts);
void isx_metrics_wait(struct http_counts *counts, unsigned pool);
void isx_metrics_run(struct http_counts *counts, unsigned pool);
void isx_metrics_end(struct http_counts *counts, size_t route, unsigned status,
		     uint64_t duration_ns);

/* Append all counters, summed over the processes, in the text format 0.0.4 of Prometheus. */
void isx_metrics_print(const struct http_metrics *metrics, struct isx_buf *buf);

/* Append the HELP and TYPE lines that precede the values of a metric. */
void isx_metrics_head(struct isx_buf *buf, const char *name, const char *type, const char *help);

#endif
