/*
 * metrics.c - counts in shared memory, and their text.
 *
 * Each count is one atomic number, so a reader may see one of two related counts before the other.
 * The count of a histogram is computed as the sum of its buckets, so these always agree.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/metrics.h"

#include "base/mem.h"
#include "http/request.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Upper ends of the buckets, in microseconds; the last bucket has none. */
static const unsigned bounds_us[] = { 500,    1000,   2500,   5000,    10000,   25000,   50000,
				      100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000 };

/* The statuses with a counter of their own; 0 stands for all others. */
static const unsigned statuses[] = { 200, 201, 204, 301, 307, 400, 401, 404, 405, 408, 409, 413,
				     414, 415, 422, 431, 499, 500, 501, 503, 505, 507, 0 };

/* Labels of the queues, in the order of enum http_pool. */
static const char *const pool_names[HTTP_POOLS] = { "quick", "scan", "write", "bulk" };

enum {
	BUCKETS = sizeof bounds_us / sizeof *bounds_us + 1,
	STATUSES = sizeof statuses / sizeof *statuses,
	CLIENT_CLOSED = 499 /* the client disconnected before the answer; named as in nginx */
};

/* The slot of one process. Written by its own threads only, with relaxed order: no other memory
 * depends on these numbers. */
struct http_counts {
	struct isx_counters store;
	atomic_ullong starts;
	atomic_llong under_way;
	atomic_llong waiting[HTTP_POOLS];
	struct route_counts {
		atomic_ullong statuses[STATUSES];
		atomic_ullong buckets[BUCKETS];
		atomic_ullong duration_ns;
	} routes[HTTP_ROUTES_MAX];
};

struct http_metrics {
	http_route_describe *describe;
	struct http_counts *slots; /* shared memory, one slot per process */
	unsigned count;
};

enum isx_status isx_metrics_new(unsigned processes, http_route_describe *describe,
				struct http_metrics **metrics, struct isx_err *err)
{
	struct http_metrics *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->describe = describe;
	made->count = processes;
	/* Shared and anonymous: forked workers inherit the same pages, which are zero at first. */
	made->slots = mmap(NULL, processes * sizeof *made->slots, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (made->slots == MAP_FAILED) {
		isx_mem_free(made);
		return isx_fail(err, ISX_NO_MEMORY, "cannot share memory: %s", strerror(errno));
	}
	*metrics = made;
	return ISX_OK;
}

void isx_metrics_free(struct http_metrics *metrics)
{
	if (!metrics)
		return;
	munmap(metrics->slots, metrics->count * sizeof *metrics->slots);
	isx_mem_free(metrics);
}

/* Only gauges are reset: counters and histograms continue, whatever process had the slot before. */
struct http_counts *isx_metrics_begin(struct http_metrics *metrics, unsigned process)
{
	assert(process < metrics->count);
	struct http_counts *counts = &metrics->slots[process];
	atomic_fetch_add(&counts->starts, 1);
	atomic_store(&counts->under_way, 0);
	for (size_t i = 0; i < HTTP_POOLS; i++)
		atomic_store(&counts->waiting[i], 0);
	return counts;
}

/* The store of a process adds to these itself, through the options of isx_open(). */
struct isx_counters *isx_metrics_store(struct http_metrics *metrics, unsigned process)
{
	assert(process < metrics->count);
	return &metrics->slots[process].store;
}

/* --- counting --------------------------------------------------------------------------------- */

/* Called for each request, from any thread of the process: one atomic addition for each count, and
 * no lock. */
void isx_metrics_request(struct http_counts *counts)
{
	atomic_fetch_add_explicit(&counts->under_way, 1, memory_order_relaxed);
}

void isx_metrics_wait(struct http_counts *counts, unsigned pool)
{
	atomic_fetch_add_explicit(&counts->waiting[pool], 1, memory_order_relaxed);
}

void isx_metrics_run(struct http_counts *counts, unsigned pool)
{
	atomic_fetch_sub_explicit(&counts->waiting[pool], 1, memory_order_relaxed);
}

void isx_metrics_end(struct http_counts *counts, size_t route, unsigned status,
		     uint64_t duration_ns)
{
	struct route_counts *of_route = &counts->routes[route];
	size_t s = 0, b = 0;
	/* The access log has 0 for an answer that was not sent; metrics have 499. */
	unsigned shown = status ? status : CLIENT_CLOSED;
	while (statuses[s] && statuses[s] != shown)
		s++;
	/* The last bucket takes everything beyond the bounds. */
	while (b < BUCKETS - 1 && duration_ns > (uint64_t)bounds_us[b] * 1000)
		b++;
	atomic_fetch_add_explicit(&of_route->statuses[s], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&of_route->buckets[b], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&of_route->duration_ns, duration_ns, memory_order_relaxed);
	atomic_fetch_sub_explicit(&counts->under_way, 1, memory_order_relaxed);
}

/* --- the text --------------------------------------------------------------------------------- */

/* The sum over all processes of the count at `offset` in their slots. Gauges are signed and summed
 * as unsigned numbers: modulo 2^64 the sum is the same. */
static unsigned long long sum(const struct http_metrics *metrics, size_t offset)
{
	unsigned long long total = 0;
	for (unsigned i = 0; i < metrics->count; i++) {
		const char *slot = (const char *)&metrics->slots[i];
		total += __atomic_load_n((const uint64_t *)(const void *)(slot + offset),
					 __ATOMIC_RELAXED);
	}
	return total;
}

_Static_assert(sizeof(atomic_ullong) == sizeof(uint64_t) &&
		       sizeof(atomic_llong) == sizeof(uint64_t),
	       "sum() reads every count as one of 64 bits");

#define OFFSET(member) offsetof(struct http_counts, member)

/* The offset of a count of a route within a slot; `offset` is that within struct route_counts. */
static size_t route_offset(size_t route, size_t offset)
{
	return OFFSET(routes) + route * sizeof(struct route_counts) + offset;
}

void isx_metrics_head(struct isx_buf *buf, const char *name, const char *type, const char *help)
{
	isx_buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Print a metric that has one value and no label. */
static void print_one(struct isx_buf *buf, const char *name, const char *type, const char *help,
		      unsigned long long value)
{
	isx_metrics_head(buf, name, type, help);
	isx_buf_printf(buf, "%s %llu\n", name, value);
}

/* The labels of a route: its method and template. Requests without a route have method and route
 * "other". */
static void name_route(const struct http_metrics *metrics, size_t route, char text[96])
{
	const char *method = "other", *template = "other";
	metrics->describe(route, &method, &template);
	snprintf(text, 96, "method=\"%s\",route=\"%s\"", method, template);
}

/* Only combinations of route and status that have occurred are printed: 32 routes by 23 statuses
 * would be 736 lines, nearly all 0. */
static void print_requests(const struct http_metrics *metrics, struct isx_buf *buf)
{
	static const char name[] = "iscc_search_http_requests_total";
	char labels[96], status[12];
	isx_metrics_head(buf, name, "counter", "Requests that have ended.");
	for (size_t r = 0; r < HTTP_ROUTES_MAX; r++) {
		name_route(metrics, r, labels);
		for (size_t s = 0; s < STATUSES; s++) {
			size_t offset = offsetof(struct route_counts, statuses) +
					s * sizeof(atomic_ullong);
			unsigned long long count = sum(metrics, route_offset(r, offset));
			snprintf(status, sizeof status, statuses[s] ? "%u" : "other", statuses[s]);
			if (count)
				isx_buf_printf(buf, "%s{%s,status=\"%s\"} %llu\n", name, labels,
					       status, count);
		}
	}
}

/* Buckets are cumulative in the text, but not in memory. Nothing is printed for a route without
 * requests. */
static void print_histogram(const struct http_metrics *metrics, struct isx_buf *buf, size_t route)
{
	static const char name[] = "iscc_search_http_request_duration_seconds";
	char labels[96];
	unsigned long long buckets[BUCKETS], count = 0, below = 0;
	for (size_t b = 0; b < BUCKETS; b++) {
		size_t offset = offsetof(struct route_counts, buckets) + b * sizeof(atomic_ullong);
		buckets[b] = sum(metrics, route_offset(route, offset));
		count += buckets[b];
	}
	if (!count)
		return;
	name_route(metrics, route, labels);
	for (size_t b = 0; b < BUCKETS - 1; b++) {
		below += buckets[b];
		isx_buf_printf(buf, "%s_bucket{%s,le=\"%g\"} %llu\n", name, labels,
			       bounds_us[b] / 1e6, below);
	}
	isx_buf_printf(buf, "%s_bucket{%s,le=\"+Inf\"} %llu\n", name, labels, count);
	size_t offset = offsetof(struct route_counts, duration_ns);
	isx_buf_printf(buf, "%s_sum{%s} %.9f\n", name, labels,
		       (double)sum(metrics, route_offset(route, offset)) / 1e9);
	isx_buf_printf(buf, "%s_count{%s} %llu\n", name, labels, count);
}

/* The text is composed in place, from one load of each count; nothing is locked. */
void isx_metrics_print(const struct http_metrics *metrics, struct isx_buf *buf)
{
	print_requests(metrics, buf);
	isx_metrics_head(buf, "iscc_search_http_request_duration_seconds", "histogram",
			 "Time from the request line to the last byte of the answer.");
	for (size_t r = 0; r < HTTP_ROUTES_MAX; r++)
		print_histogram(metrics, buf, r);
	print_one(buf, "iscc_search_http_requests_in_progress", "gauge",
		  "Requests that have begun and not ended.", sum(metrics, OFFSET(under_way)));
	isx_metrics_head(buf, "iscc_search_queue_depth", "gauge",
			 "Requests that wait for a thread, by the threads they wait for.");
	for (size_t i = 0; i < HTTP_POOLS; i++)
		isx_buf_printf(buf, "iscc_search_queue_depth{threads=\"%s\"} %llu\n", pool_names[i],
			       sum(metrics, OFFSET(waiting) + i * sizeof(atomic_llong)));
	print_one(buf, "iscc_search_rows_scanned_total", "counter",
		  "Comparisons of a stored row with a unit or simprint of a query.",
		  sum(metrics, OFFSET(store.rows_scanned)));
	print_one(buf, "iscc_search_commits_total", "counter",
		  "Transactions that these processes wrote.", sum(metrics, OFFSET(store.commits)));
	print_one(buf, "iscc_search_processes", "gauge", "Processes that are to serve.",
		  metrics->count);
	print_one(buf, "iscc_search_process_starts_total", "counter",
		  "Starts of these processes; each beyond their number took the place of one that "
		  "ended.",
		  sum(metrics, OFFSET(starts)));
	isx_metrics_head(buf, "iscc_search_build_info", "gauge", "The version that runs.");
	isx_buf_printf(buf, "iscc_search_build_info{version=\"%s\"} 1\n", isx_version());
}
