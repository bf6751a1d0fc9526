/*
 * purse.c - counts the memory of requests against shared ceilings, with atomics instead of a lock.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/purse.h"

enum {
	LARGE_PART = 64, /* a hold of more than 1/64 of its purse is large */
	RESERVE_PART = 4 /* 1/4 of a purse is reserved for other holds */
};

void isx_hold_init(struct http_hold *hold, struct http_purse *purse, size_t free_bytes)
{
	hold->purse = purse;
	hold->free_bytes = free_bytes;
	atomic_init(&hold->bytes, 0);
	atomic_init(&hold->purse_bytes, 0);
}

/* The part of `bytes` that counts in the purse. */
static size_t beyond(size_t bytes, size_t free_bytes)
{
	return bytes > free_bytes ? bytes - free_bytes : 0;
}

/* Take from a purse for a hold that will then have `after` bytes. The count is raised first and
 * lowered again on refusal: it may exceed the ceiling for a moment, so another taker may be refused
 * needlessly, but the holds together never exceed it. */
static bool take(struct http_purse *purse, size_t bytes, size_t after)
{
	size_t limit = purse->bytes_max;
	if (bytes == 0)
		return true;
	if (after > limit / LARGE_PART)
		limit -= limit / RESERVE_PART;
	size_t before = atomic_fetch_add(&purse->bytes, bytes);
	if (before <= limit && bytes <= limit - before)
		return true;
	atomic_fetch_sub(&purse->bytes, bytes);
	return false;
}

/* Threads of one request may call this at once: each computes the part beyond the free bytes from
 * the range [before, before + bytes) that only it has. */
bool isx_hold_more(struct http_hold *hold, size_t bytes)
{
	size_t before = atomic_fetch_add(&hold->bytes, bytes);
	size_t more = beyond(before + bytes, hold->free_bytes) - beyond(before, hold->free_bytes);
	if (!take(hold->purse, more, before + bytes)) {
		atomic_fetch_sub(&hold->bytes, bytes);
		return false;
	}
	atomic_fetch_add(&hold->purse_bytes, more);
	return true;
}

bool isx_hold_only(struct http_hold *hold, size_t bytes, size_t free_bytes)
{
	size_t wanted = beyond(bytes, free_bytes);
	size_t held = atomic_load(&hold->purse_bytes);
	if (wanted > held && !take(hold->purse, wanted - held, bytes))
		return false;
	if (wanted < held)
		atomic_fetch_sub(&hold->purse->bytes, held - wanted);
	hold->free_bytes = free_bytes;
	atomic_store(&hold->bytes, bytes);
	atomic_store(&hold->purse_bytes, wanted);
	return true;
}

void isx_hold_release(struct http_hold *hold)
{
	if (hold->purse)
		(void)isx_hold_only(hold, 0, hold->free_bytes);
}
