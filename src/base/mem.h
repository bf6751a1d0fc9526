/*
 * mem.h - memory: checked allocation, an arena for objects that are released together, and a hook
 *         that makes the Nth allocation fail, for tests.
 *
 * Only mem.c calls malloc(). Running out of memory is a status (ISX_NO_MEMORY), never an abort.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_MEM_H
#define ISX_MEM_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* New memory of count * size bytes, zeroed; NULL when memory ran out or the product overflows.
 * Free with isx_mem_free(). A size of 0 gives memory, too: NULL always means failure. */
void *isx_mem_array(size_t count, size_t size);

/* `old` (may be NULL) grown or shrunk to count * size bytes, new bytes not zeroed; NULL on failure,
 * then `old` is still valid and the caller's. */
void *isx_mem_resize(void *old, size_t count, size_t size);

/* A new copy of `len` bytes and a NUL after them, or NULL. */
char *isx_mem_text(const char *text, size_t len);

/* NULL is allowed. */
void isx_mem_free(void *memory);

/* Report that memory ran out. */
enum isx_status isx_fail_memory(struct isx_err *err);

/* For tests: let the `nth` allocation from now on (1 is the next) and all after it fail, in the
 * calling thread; 0 ends that. */
void isx_mem_fail_after(size_t nth);

/* A ceiling on memory that a caller keeps: an arena or a buffer asks it before it grows by
 * `bytes`. Nothing is given back one by one; the keeper, for example an HTTP exchange, releases
 * its whole share when everything that was taken has been freed. */
struct isx_quota {
	enum isx_status (*may_take)(void *keeper, size_t bytes, struct isx_err *err);
	void *keeper;
	struct isx_err refusal; /* why an arena or a buffer could not grow; ISX_OK: never refused */
};

/* Ask for `bytes` more. A NULL quota allows everything. From several threads only if the keeper's
 * may_take() allows that. */
ISX_MUST_CHECK enum isx_status isx_quota_take(const struct isx_quota *quota, size_t bytes,
					      struct isx_err *err);

/* The same for a structure whose functions return NULL and no error: a refusal is kept in
 * quota->refusal, for isx_quota_fail(). One thread at a time. */
bool isx_quota_allows(struct isx_quota *quota, size_t bytes);

/* Fail with the keeper's refusal if there was one, otherwise with ISX_NO_MEMORY. */
enum isx_status isx_quota_fail(const struct isx_quota *quota, struct isx_err *err);

/* Memory that is released all at once. `{ 0 }` is an empty arena. */
struct isx_arena {
	struct isx_arena_block *blocks;
	char *next; /* free bytes of the newest block */
	size_t left;
	size_t block_bytes;      /* of the next block; 0: of the first one */
	struct isx_quota *quota; /* asked before a new block; NULL: no ceiling. Borrowed */
};

/* count * size bytes, zeroed and aligned for any type, or NULL. They live until
 * isx_arena_release(). */
void *isx_arena_alloc(struct isx_arena *arena, size_t count, size_t size);

/* `len` bytes (at least 1), zeroed, without alignment: texts lie behind each other without gaps. */
char *isx_arena_bytes(struct isx_arena *arena, size_t len);

/* A copy of `len` bytes and a NUL after them, or NULL. */
char *isx_arena_text(struct isx_arena *arena, const char *text, size_t len);

/* Release what was allocated since `then`, a copy of the arena, was made. */
void isx_arena_rewind(struct isx_arena *arena, const struct isx_arena *then);

/* Release everything; the arena is empty and usable again. */
void isx_arena_release(struct isx_arena *arena);

#endif
