/*
 * mem.h - memory: checked allocation, an arena for what lives and dies together, and a hook that
 *         makes the Nth allocation fail so that tests see what happens then.
 *
 * Only mem.c calls malloc. Running out of memory is a status (ISX_NO_MEMORY), never an abort.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_MEM_H
#define ISX_MEM_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* New memory of count * size bytes, zeroed; NULL when it does not exist or the product overflows.
 * Free with isx_mem_free(). */
void *isx_mem_array(size_t count, size_t size);

/* `old` (may be NULL) grown or shrunk to count * size bytes, new bytes not zeroed; NULL on failure,
 * then `old` is still valid. */
void *isx_mem_resize(void *old, size_t count, size_t size);

/* A new copy of `len` bytes and a NUL after them, or NULL. */
char *isx_mem_text(const char *text, size_t len);

/* NULL is allowed. */
void isx_mem_free(void *memory);

/* Report that memory ran out. */
enum isx_status isx_fail_memory(struct isx_err *err);

/* Let the `nth` allocation from now on (1 is the next) and all after it fail; 0 ends that. Tests
 * only; counts in the calling thread. */
void isx_mem_fail_after(size_t nth);

/* A ceiling that somebody else keeps: memory that grows asks before it takes `bytes` more. There is no
 * word for giving back; the keeper knows when everything that was taken has been released. */
struct isx_quota {
	enum isx_status (*may_take)(void *keeper, size_t bytes, struct isx_err *err);
	void *keeper;
	struct isx_err refusal; /* what the keeper said to an arena or a buffer; ISX_OK: nothing */
};

/* Ask for `bytes` more. A NULL quota allows everything. Any thread may ask, if the keeper allows it. */
ISX_MUST_CHECK enum isx_status isx_quota_take(const struct isx_quota *quota, size_t bytes,
					      struct isx_err *err);

/* Ask on behalf of a structure that can only say that it has no memory; the reason is kept in
 * `refusal`. One thread at a time. */
bool isx_quota_allows(struct isx_quota *quota, size_t bytes);

/* Why was there no memory: the keeper's reason if it refused, otherwise ISX_NO_MEMORY. */
enum isx_status isx_quota_fail(const struct isx_quota *quota, struct isx_err *err);

/* Memory that is released all at once. `{ 0 }` is an empty arena. */
struct isx_arena {
	struct isx_arena_block *blocks;
	char *next; /* free bytes of the newest block */
	size_t left;
	size_t block_bytes;      /* of the next block; 0: of the first one */
	struct isx_quota *quota; /* asked before a new block; NULL: nobody. Borrowed */
};

/* `size` bytes, zeroed and aligned for any type, or NULL. Lives until isx_arena_release(). */
void *isx_arena_alloc(struct isx_arena *arena, size_t count, size_t size);

/* `len` bytes (at least 1), zeroed, on any address: texts lie behind each other without gaps. */
char *isx_arena_bytes(struct isx_arena *arena, size_t len);

/* A copy of `len` bytes and a NUL after them, or NULL. */
char *isx_arena_text(struct isx_arena *arena, const char *text, size_t len);

/* Release what was allocated since `then` was copied from the arena. */
void isx_arena_rewind(struct isx_arena *arena, const struct isx_arena *then);

/* Release everything; the arena is empty and usable again. */
void isx_arena_release(struct isx_arena *arena);

#endif
