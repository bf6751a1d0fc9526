/*
 * kernel.h - compare one body, or several, with many: the contract that all kernels share.
 *
 * A row is an 8-byte key and a body of row_bytes - 8 bytes, packed, at any alignment, exactly as it
 * lies in a page of LMDB: nothing is copied before a scan. The distance of a row is the number of
 * bits in which the first `bytes` bytes of its body differ from the query.
 *
 * Built for calls with the rows of one LMDB page, about 100, and with millions of rows; for few
 * hits. Lengths of whole 32-bit words are fast in every kernel, all others are exact. Kernels keep
 * no state.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_KERNEL_H
#define ISX_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ISX_ROW_KEY_BYTES = 8, ISX_SCAN_BYTES_MAX = 32 };

struct isx_hit {
	uint32_t row;      /* 0-based */
	uint32_t distance; /* bits */
};

/* A query and the rows to compare. A kernel reads nothing before the first row, and nothing
 * behind the compared bytes of the last row: a page may end there. */
struct isx_scan {
	const uint8_t *rows; /* borrowed: `count` rows */
	size_t count;        /* at most UINT32_MAX */
	size_t row_bytes; /* 8 + bytes of a stored body; n times as many: each nth row is compared */
	const uint8_t *query; /* borrowed: at least `bytes` long */
	size_t bytes;         /* compared: 1 to 32, at most row_bytes - 8 */
	uint32_t distance_max;
};

/* Find every row at most distance_max bits away; exact, the same on every CPU.
 *   hits  filled: room for scan->count entries; rows ascending
 * Returns the number of hits. Cannot fail, does not allocate, safe from any thread. */
typedef size_t isx_scan_fn(const struct isx_scan *scan, struct isx_hit *hits);

/* Rows that lie one behind the other, as in a page of LMDB. */
struct isx_scan_page {
	const uint8_t *rows; /* borrowed: `count` rows */
	size_t count;        /* at most UINT32_MAX */
};

/* A query and several pages of rows; the other members are those of struct isx_scan, for each page. */
struct isx_scan_pages {
	const struct isx_scan_page *pages;
	size_t page_count;
	size_t row_bytes;
	const uint8_t *query;
	size_t bytes;
	uint32_t distance_max;
};

/* Scan page after page as isx_scan_fn does, up to the first one with a hit, or the last one. Faster than a call
 * for each page, as what depends on the query is prepared once.
 *   hits   filled with the hits of the last page that was scanned: room for an entry per row
 *   found  filled: the number of hits
 * Returns the number of pages that were scanned. */
typedef size_t isx_scan_pages_fn(const struct isx_scan_pages *scan, struct isx_hit *hits,
				 size_t *found);

/* One of several queries that are compared with the same rows. */
struct isx_scan_query {
	const uint8_t *query; /* borrowed: at least `bytes` long */
	size_t bytes;         /* compared: 1 to 32, at most row_bytes - 8 */
	uint32_t distance_max;
	struct isx_hit *hits; /* filled: room for an entry per row; rows ascending */
	size_t found;         /* filled: number of hits */
};

/* The rows of a page and the queries to compare them with. The largest `bytes` of the queries says
 * how much of the last row may be read; see struct isx_scan. */
struct isx_scan_many {
	const uint8_t *rows; /* borrowed: `count` rows */
	size_t count;        /* at most UINT32_MAX */
	size_t row_bytes;    /* 8 + bytes of a stored body */
	size_t query_count;  /* any number */
	struct isx_scan_query *queries;
};

/* Compare every row with every query: each query gets the hits that isx_scan_fn finds for it. Each
 * row is read from memory once for up to 64 queries. Queries that follow each other and have equal
 * `bytes` are compared together, so the caller sorts them by `bytes` where lengths differ. A lower
 * distance_max is faster: a row is given up as soon as it is too far away. Cannot fail, does not
 * allocate, safe from any thread. */
typedef void isx_scan_many_fn(const struct isx_scan_many *scan);

struct isx_kernel {
	const char *name; /* printed by bench, forced by ISCC_SEARCH_KERNEL */
	bool (*runs_here)(void);
	isx_scan_fn *scan;
	isx_scan_pages_fn *scan_pages;
	isx_scan_many_fn *scan_many;
};

/* The kernels of this build, fastest first; the last is "scalar", the reference of all others. */
extern const struct isx_kernel isx_kernels[];
extern const size_t isx_kernel_count;

/* The kernel to use: the first one that this processor can run, or the one of
 * isx_kernel_force(). From any thread. */
const struct isx_kernel *isx_kernel_best(void);

/* Use the kernel called `name` from now on; NULL: choose by the processor again. False, and no
 * change, if there is no such kernel or this processor cannot run it. Call before threads start. */
bool isx_kernel_force(const char *name);

/* The distance of two bodies over their first `bytes` bytes, computed as the scalar kernel does. */
uint32_t isx_distance(const uint8_t *a, const uint8_t *b, size_t bytes);

#endif
