/*
 * mem.c - the only caller of malloc().
 *
 * An arena is a list of blocks, newest first; memory is handed out from the newest one. All of it
 * is zero when it is handed out, which callers rely on (a struct of an arena needs no initialiser,
 * a text needs no NUL): blocks come from calloc(), and isx_arena_rewind() clears what was used.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The first block serves a small request without a second call of malloc(). Blocks of 16 KiB alone
 * stayed in the heap after a large batch; blocks of up to 1 MiB are mapped one by one by malloc(),
 * which returns them to the system when they are freed. */
enum { ARENA_BLOCK_BYTES_FIRST = 16 * 1024, ARENA_BLOCK_BYTES_MAX = 1024 * 1024 };

struct isx_arena_block {
	struct isx_arena_block *older;
	alignas(max_align_t) char bytes[];
};

static _Thread_local size_t fail_after; /* 0: never; 1: from now on; n: after n - 1 more */

/* Count one allocation for the tests' hook; once it has failed, all later ones fail, as they
 * would when memory is short. Costs the program a comparison of a thread's own variable. */
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
	/* len + 1 is 0 for SIZE_MAX alone: a length that came from a wrong subtraction */
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

/* Declared in iscc_search.h: lists of texts come from several rooms. */
void isx_texts_free(char **texts, size_t count)
{
	for (size_t i = 0; texts && i < count; i++)
		isx_mem_free(texts[i]);
	isx_mem_free(texts);
}

enum isx_status isx_fail_memory(struct isx_err *err)
{
	return isx_fail(err, ISX_NO_MEMORY, "out of memory");
}

enum isx_status isx_quota_take(const struct isx_quota *quota, size_t bytes, struct isx_err *err)
{
	return quota ? quota->may_take(quota->keeper, bytes, err) : ISX_OK;
}

bool isx_quota_allows(struct isx_quota *quota, size_t bytes)
{
	return !quota || !isx_quota_take(quota, bytes, &quota->refusal);
}

enum isx_status isx_quota_fail(const struct isx_quota *quota, struct isx_err *err)
{
	if (quota && quota->refusal.status)
		return isx_err_pass(err, &quota->refusal);
	return isx_fail_memory(err);
}

/* Add a block with room for `bytes`; a large request gets a block of its own size. What is left
 * of the block before is not used again. Block sizes double, so that the blocks of a large batch
 * are large enough for malloc() to give each of them back to the system. */
static bool arena_grow(struct isx_arena *arena, size_t bytes)
{
	size_t wanted = arena->block_bytes ? arena->block_bytes : ARENA_BLOCK_BYTES_FIRST;
	size_t block_bytes = bytes > wanted ? bytes : wanted;
	size_t total;
	if (__builtin_add_overflow(block_bytes, sizeof(struct isx_arena_block), &total))
		return false;
	if (!isx_quota_allows(arena->quota, total))
		return false;
	struct isx_arena_block *block = isx_mem_array(1, total);
	if (!block)
		return false;
	block->older = arena->blocks;
	arena->blocks = block;
	arena->next = block->bytes;
	arena->left = block_bytes;
	arena->block_bytes = wanted < ARENA_BLOCK_BYTES_MAX ? 2 * wanted : wanted;
	return true;
}

void *isx_arena_alloc(struct isx_arena *arena, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	if (bytes == 0) /* NULL means failure, also to a caller with an empty array */
		bytes = 1;
	/* texts of any length lie in the same block: bring `next` to an aligned address */
	size_t gap = (size_t)(-(uintptr_t)arena->next % alignof(max_align_t));
	if (gap > arena->left || bytes > arena->left - gap) {
		if (!arena_grow(arena, bytes))
			return NULL;
		gap = 0; /* blocks are aligned */
	}
	arena->next += gap;
	arena->left -= gap;
	return isx_arena_bytes(arena, bytes);
}

/* The fast path of every text of a request: two additions, and no call of malloc() as long as
 * the newest block has room. */
char *isx_arena_bytes(struct isx_arena *arena, size_t len)
{
	if (len > arena->left && !arena_grow(arena, len))
		return NULL;
	char *memory = arena->next;
	arena->next += len;
	arena->left -= len;
	return memory;
}

char *isx_arena_text(struct isx_arena *arena, const char *text, size_t len)
{
	char *copy = len + 1 ? isx_arena_bytes(arena, len + 1) : NULL;
	if (copy && len)
		memcpy(copy, text, len);
	return copy; /* arena memory is zeroed: the NUL is there */
}

/* Free blocks down to `oldest`, which stays. */
static void free_blocks(struct isx_arena *arena, const struct isx_arena_block *oldest)
{
	while (arena->blocks != oldest) {
		struct isx_arena_block *block = arena->blocks;
		arena->blocks = block->older;
		free(block);
	}
}

/* Blocks that were added since are freed; of the block that was the newest then, the bytes used
 * since are cleared, up to its end if a later block was begun. `block_bytes` goes back with the
 * copy. */
void isx_arena_rewind(struct isx_arena *arena, const struct isx_arena *then)
{
	size_t used = arena->blocks == then->blocks ? then->left - arena->left : then->left;
	free_blocks(arena, then->blocks);
	*arena = *then;
	if (used)
		memset(arena->next, 0, used);
}

void isx_arena_release(struct isx_arena *arena)
{
	free_blocks(arena, NULL);
	*arena = (struct isx_arena){ 0 };
}
