/*
 * id_list.c - reads the ISCC-IDs of a command line.
 *
 * Built for some thousand ISCC-IDs: all are in memory, as they are asked for or removed in one
 * call. Must not know the index.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/id_list.h"

#include "base/span.h"
#include "cli/iscc_word.h"
#include "cli/say.h"
#include "iscc/iscc_id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Append the ISCC-ID of a word. */
static enum isx_status add_word(struct id_list *ids, size_t *room, const char *word,
				struct isx_err *err)
{
	struct isx_header header;
	struct isx_iscc_id id;
	if (ids->count == *room) {
		size_t wanted = *room ? *room * 2 : 64;
		const char **grown = isx_mem_resize(ids->texts, wanted, sizeof *grown);
		if (!grown)
			return isx_fail_memory(err);
		ids->texts = grown;
		*room = wanted;
	}
	enum isx_status st = iscc_word_read(word, "not an ISCC-ID", &ids->arena,
					    &ids->texts[ids->count], &header, err);
	/* Here and not only by the engine, which knows no lines. */
	if (!st)
		st = isx_iscc_id_parse(isx_span_of(ids->texts[ids->count]), &id, err);
	ids->count += !st;
	return st;
}

/* Lines are short: one that is longer than any ISCC is wrong. */
static enum isx_status add_lines(struct id_list *ids, size_t *room, struct isx_err *err)
{
	char line[1024];
	enum isx_status st = ISX_OK;
	for (size_t number = 1; !st && fgets(line, sizeof line, stdin); number++) {
		struct isx_span word = isx_span_trim(isx_span_of(line));
		line[word.ptr - line + (ptrdiff_t)word.len] = '\0';
		if (word.len)
			st = add_word(ids, room, word.ptr, err);
		if (st == ISX_INVALID)
			isx_err_at(err, st, "standard input:%zu", number);
	}
	if (!st && ferror(stdin))
		st = isx_fail(err, ISX_IO, "standard input: %s", strerror(errno));
	return st;
}

enum isx_status id_list_read(const struct cli_args *args, struct id_list *ids, struct isx_err *err)
{
	size_t room = 0;
	enum isx_status st = ISX_OK;
	*ids = (struct id_list){ 0 };
	for (size_t i = 0; !st && i < args->word_count; i++)
		st = strcmp(args->words[i], "-") == 0 ? add_lines(ids, &room, err)
						      : add_word(ids, &room, args->words[i], err);
	if (!st && ids->count == 0)
		say_line(stderr, "No ISCC-IDs on standard input: there is nothing to do");
	return st;
}

void id_list_release(struct id_list *ids)
{
	isx_arena_release(&ids->arena);
	isx_mem_free(ids->texts);
}
