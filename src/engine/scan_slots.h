/*
 * scan_slots.h - how many threads of this process scan at once: a slot for each processor.
 *
 * A scan keeps a processor busy until it ends, so more scans than processors only take the caches
 * from each other. A thread holds a slot while it scans. The threads that wait get slots in the
 * order in which they came.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SCAN_SLOTS_H
#define ISX_SCAN_SLOTS_H

#include "iscc_search.h"

/* The number of slots for searches of a store with these options: options->threads, or the number
 * of processors that this process may use. At least 1, at most 1024. */
unsigned isx_scan_slots_max(const struct isx_options *options);

/* Take a slot when fewer than `slots_max` are taken in this process. After `wait_ms` the slot is
 * taken whatever the number, so that no search waits longer for others.
 *   is_wanted  called now and then while the thread waits, without a lock held. False: give up
 * Returns false, and no slot is taken, if is_wanted() returned false. Otherwise the caller gives
 * the slot back with isx_scan_slots_release(). */
ISX_MUST_CHECK bool isx_scan_slot_take(unsigned slots_max, unsigned wait_ms,
				       bool (*is_wanted)(void *arg), void *arg);

/* Take up to `wanted` further slots that are free and that no other thread waits for. Never waits.
 * Returns how many were taken. */
ISX_MUST_CHECK unsigned isx_scan_slots_try(unsigned slots_max, unsigned wanted);

/* Give `count` slots back. */
void isx_scan_slots_release(unsigned count);

#endif
