/*
 * test_dotenv.c - .env files are read as python-dotenv reads them, but for ceilings that it does
 *                 not have.
 *
 * tests/golden/make_dotenv.py makes the vectors and describes their fields.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "base/limits.h"
#include "cli/dotenv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FILES_MIN = 700 };

static const char *look_up(const char *name)
{
	return strcmp(name, "ENV") == 0 ? "env" : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

/* Escape a text like the vectors. */
static void add_escaped(struct isx_buf *out, struct isx_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.ptr[i];
		if (byte >= ' ' && byte < 0x7F && byte != '\\')
			isx_buf_char(out, (char)byte);
		else
			isx_buf_printf(out, "\\x%02x", byte);
	}
}

/* Unescape a text in place. */
static struct isx_span unescape(char *text)
{
	size_t len = 0;
	for (const char *p = text; *p; p++) {
		char byte = *p;
		if (byte == '\\') {
			char digits[3] = { p[2], p[3], '\0' };
			byte = (char)strtoul(digits, NULL, 16);
			p += 3;
		}
		text[len++] = byte;
	}
	return (struct isx_span){ text, len };
}

/* Compose the fields of a vector from what this program reads. */
static void describe(struct isx_buf *out, const struct isx_dotenv *file)
{
	for (size_t i = 0; i < file->bad_count; i++)
		isx_buf_printf(out, "%s%zu", i ? "," : "", file->bad[i].line);
	isx_buf_text(out, file->bad_count ? "" : "-");
	for (size_t i = 0; i < file->entry_count; i++) {
		isx_buf_char(out, '\t');
		add_escaped(out, isx_span_of(file->entries[i].name));
		if (file->entries[i].value) {
			isx_buf_char(out, '=');
			add_escaped(out, isx_span_of(file->entries[i].value));
		}
	}
}

static void test_dotenv__reads_what_python_dotenv_reads(void **state)
{
	(void)state;
	FILE *vectors = fopen("tests/golden/dotenv.tsv", "r");
	char *line = NULL;
	size_t cap = 0, count = 0;
	assert_non_null(vectors);
	while (getline(&line, &cap, vectors) > 0) {
		struct isx_arena arena = { 0 };
		struct isx_dotenv file;
		struct isx_buf described = { 0 };
		struct isx_err err;
		line[strcspn(line, "\n")] = '\0';
		char *wanted = strchr(line, '\t');
		assert_non_null(wanted);
		*wanted++ = '\0';
		assert_int_equal(isx_dotenv_parse(unescape(line), look_up, &arena, &file, &err),
				 ISX_OK);
		describe(&described, &file);
		isx_buf_char(&described, '\0');
		if (strcmp(described.ptr, wanted) != 0)
			fail_msg("vector %zu: expected %s, got %s", count + 1, wanted,
				 described.ptr);
		isx_buf_release(&described);
		isx_arena_release(&arena);
		count++;
	}
	assert_true(count >= FILES_MIN);
	free(line);
	fclose(vectors);
}

static enum isx_status parse(const char *text, struct isx_arena *arena, struct isx_dotenv *file,
			     struct isx_err *err)
{
	return isx_dotenv_parse(isx_span_of(text), look_up, arena, file, err);
}

static void test_dotenv__a_bad_statement_is_handed_out_whole(void **state)
{
	(void)state;
	struct isx_arena arena = { 0 };
	struct isx_dotenv file;
	assert_int_equal(parse("A=1\nB=\"x\nC=\"y\"\nD=2\n", &arena, &file, NULL), ISX_OK);
	assert_int_equal(file.bad_count, 1);
	assert_true(isx_span_is(file.bad[0].text, "B=\"x\nC=\"y\""));
	assert_int_equal(file.bad[0].line, 2);
	assert_int_equal(file.entry_count, 2);
	isx_arena_release(&arena);
}

static void test_dotenv__values_do_not_grow_without_end(void **state)
{
	(void)state;
	struct isx_arena arena = { 0 };
	struct isx_dotenv file;
	struct isx_buf text = { 0 };
	struct isx_err err;
	isx_buf_text(&text, "A=0123456789\n");
	for (int i = 0; i < 64; i++)
		isx_buf_text(&text, "A=${A}${A}\n");
	struct isx_span all = { text.ptr, text.len };
	assert_int_equal(isx_dotenv_parse(all, look_up, &arena, &file, &err), ISX_TOO_LARGE);
	assert_non_null(strstr(err.msg, "line 14: "));
	isx_buf_release(&text);
	isx_arena_release(&arena);
}

static void test_dotenv__refuses_what_is_no_text(void **state)
{
	(void)state;
	struct isx_arena arena = { 0 };
	struct isx_dotenv file;
	struct isx_err err;
	struct isx_span wide = { "A\0=\0001\0", 6 };
	assert_int_equal(isx_dotenv_parse(wide, look_up, &arena, &file, &err), ISX_INVALID);
	isx_arena_release(&arena);
}

static void test_dotenv__says_when_memory_runs_out(void **state)
{
	(void)state;
	enum isx_status st = ISX_NO_MEMORY;
	for (size_t n = 1; st; n++) {
		struct isx_arena arena = { 0 };
		struct isx_dotenv file;
		assert_true(n < 1000);
		isx_mem_fail_after(n);
		st = parse("A=1\nB=\"x\\n${A}${NO:-y}${ENV}\"\nA=2\nbad line\n", &arena, &file,
			   NULL);
		isx_mem_fail_after(0);
		assert_true(st == ISX_OK || st == ISX_NO_MEMORY);
		isx_arena_release(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dotenv__reads_what_python_dotenv_reads),
		cmocka_unit_test(test_dotenv__a_bad_statement_is_handed_out_whole),
		cmocka_unit_test(test_dotenv__values_do_not_grow_without_end),
		cmocka_unit_test(test_dotenv__refuses_what_is_no_text),
		cmocka_unit_test(test_dotenv__says_when_memory_runs_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
