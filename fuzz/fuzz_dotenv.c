/*
 * fuzz_dotenv.c - .env files: no crash, and values that are written in quotes again read the same.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "cli/dotenv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *look_up(const char *name)
{
	return strcmp(name, "HOME") == 0 ? "/home/${HOME}" : NULL;
}

/* End the process if a property does not hold: fuzzers and replay_main.c look for crashes. */
static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* Can this value be written in quotes and read unchanged? Not with ${NAME}, which would be
 * replaced again, nor with line ends that reading changes. */
static bool is_plain(const char *value)
{
	return !strstr(value, "${") && !strchr(value, '\r');
}

/* Write NAME='VALUE' for each entry. */
static void write_entries(struct isx_buf *out, const struct isx_dotenv *file)
{
	for (size_t i = 0; i < file->entry_count; i++) {
		const struct isx_dotenv_entry *entry = &file->entries[i];
		isx_buf_printf(out, "'%s'", entry->name);
		if (entry->value) {
			isx_buf_text(out, "='");
			for (const char *p = entry->value; *p; p++) {
				if (*p == '\'' || *p == '\\')
					isx_buf_char(out, '\\');
				isx_buf_char(out, *p);
			}
			isx_buf_char(out, '\'');
		}
		isx_buf_char(out, '\n');
	}
}

static void check_written(const struct isx_dotenv *file)
{
	struct isx_buf text = { 0 };
	struct isx_arena arena = { 0 };
	struct isx_dotenv again;
	for (size_t i = 0; i < file->entry_count; i++)
		if (strchr(file->entries[i].name, '\'') ||
		    (file->entries[i].value && !is_plain(file->entries[i].value)))
			return;
	write_entries(&text, file);
	struct isx_span written = { text.ptr, text.len };
	expect(isx_dotenv_parse(written, look_up, &arena, &again, NULL) == ISX_OK);
	expect(again.bad_count == 0 && again.entry_count == file->entry_count);
	for (size_t i = 0; i < again.entry_count; i++) {
		const struct isx_dotenv_entry *is = &again.entries[i], *was = &file->entries[i];
		expect(strcmp(is->name, was->name) == 0);
		expect(is->value && was->value ? strcmp(is->value, was->value) == 0
					       : is->value == was->value);
	}
	isx_buf_release(&text);
	isx_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct isx_span text = { (const char *)data, size };
	struct isx_arena arena = { 0 };
	struct isx_dotenv file;
	struct isx_err err = { 0 };
	if (isx_dotenv_parse(text, look_up, &arena, &file, &err) == ISX_OK)
		check_written(&file);
	else
		expect(err.msg[0] != '\0');
	isx_arena_release(&arena);
	return 0;
}
