/*
 * mem.c - the only caller of malloc.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BLOCK_BYTES = 16 * 1024 };

struct isx_arena_block {
	struct isx_arena_block *older;
	alignas(max_align_t) char bytes[];
};

static _Thread_local size_t fail_after; /* 0: never; 1: from now on; n: after n - 1 more */

static bool allocation_fails(void)
{
	if (fail_after > 1)
		fail_after--;
	else if (fail_after == 1)
		return true;
	return false;
}

void isx_mem_fail_after(size_t nth)
{
	fail_after = nth;
}

void *isx_mem_array(size_t count, size_t size)
{
	if (allocation_fails())
		return NULL;
	return calloc(count ? count : 1, size ? size : 1);
}

void *isx_mem_resize(void *old, size_t count, size_t size)
{
	size_t bytes;
	if (allocation_fails() || __builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return realloc(old, bytes ? bytes : 1);
}

char *isx_mem_text(const char *text, size_t len)
{
	char *copy = len + 1 ? isx_mem_resize(NULL, len + 1, 1) : NULL;
	if (copy) {
		if (len)
			memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

void isx_mem_free(void *memory)
{
	free(memory);
}

enum isx_status isx_fail_memory(struct isx_err *err)
{
	return isx_fail(err, ISX_NO_MEMORY, "out of memory");
}

/* Make room for `bytes` in a new block; a large request gets a block of its own size. */
static bool arena_grow(struct isx_arena *arena, size_t bytes)
{
	size_t block_bytes = bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES;
	size_t total;
	if (__builtin_add_overflow(block_bytes, sizeof(struct isx_arena_block), &total))
		return false;
	struct isx_arena_block *block = isx_mem_array(1, total);
	if (!block)
		return false;
	block->older = arena->blocks;
	arena->blocks = block;
	arena->next = block->bytes;
	arena->left = block_bytes;
	return true;
}

void *isx_arena_alloc(struct isx_arena *arena, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes) ||
	    __builtin_add_overflow(bytes, alignof(max_align_t) - 1, &bytes))
		return NULL;
	bytes -= bytes % alignof(max_align_t);
	if (bytes == 0) /* nothing wanted is not nothing got */
		bytes = alignof(max_align_t);
	if (bytes > arena->left && !arena_grow(arena, bytes))
		return NULL;
	void *memory = arena->next;
	arena->next += bytes;
	arena->left -= bytes;
	return memory;
}

char *isx_arena_text(struct isx_arena *arena, const char *text, size_t len)
{
	char *copy = len + 1 ? isx_arena_alloc(arena, len + 1, 1) : NULL;
	if (copy && len)
		memcpy(copy, text, len);
	return copy; /* arena memory is zeroed: the NUL is there */
}

void isx_arena_release(struct isx_arena *arena)
{
	while (arena->blocks) {
		struct isx_arena_block *block = arena->blocks;
		arena->blocks = block->older;
		free(block);
	}
	*arena = (struct isx_arena){ 0 };
}
