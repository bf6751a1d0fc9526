/*
 * test_mem.c - arenas: alignment, texts without gaps, and going back.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool is_zero(const char *bytes, size_t len)
{
	while (len && bytes[len - 1] == 0)
		len--;
	return len == 0;
}

static void test_mem__texts_have_no_gaps_and_what_follows_is_aligned(void **state)
{
	struct isx_arena arena = { 0 };
	(void)state;
	char *first = isx_arena_text(&arena, "abc", 3);
	char *second = isx_arena_text(&arena, "", 0);
	assert_string_equal(first, "abc");
	assert_string_equal(second, "");
	assert_ptr_equal(second, first + 4);
	for (size_t bytes = 0; bytes < 3000; bytes++) {
		char *memory = isx_arena_alloc(&arena, bytes, 1);
		assert_non_null(memory);
		assert_int_equal((uintptr_t)memory % alignof(max_align_t), 0);
		assert_true(is_zero(memory, bytes));
		memset(memory, 0xFF, bytes);
		assert_non_null(isx_arena_text(&arena, "abcdefghijklmnop", bytes % 17));
	}
	assert_string_equal(first, "abc");
	assert_null(isx_arena_alloc(&arena, SIZE_MAX / 2, 3));
	isx_arena_release(&arena);
}

static void test_mem__a_rewound_arena_is_as_it_was(void **state)
{
	static const size_t sizes[] = { 1, 100, 16 * 1024, 100 * 1024, 3 << 20 };
	struct isx_arena arena = { 0 };
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const struct isx_arena before = arena;
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			char *memory = isx_arena_alloc(&arena, sizes[k], 1);
			assert_true(is_zero(memory, sizes[k]));
			memset(memory, 0xFF, sizes[k]);
		}
		isx_arena_rewind(&arena, &before);
		assert_ptr_equal(arena.blocks, before.blocks);
		assert_int_equal(arena.left, before.left);
		char *memory = isx_arena_alloc(&arena, sizes[i], 1);
		assert_true(is_zero(memory, sizes[i]));
		memset(memory, 0xFF, sizes[i]);
	}
	isx_arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mem__texts_have_no_gaps_and_what_follows_is_aligned),
		cmocka_unit_test(test_mem__a_rewound_arena_is_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
