/*
 * shell.c - writes words and command lines for a POSIX shell.
 *
 * Messages tell the command to go on with, and generators get the path of a file: both must reach
 * the program unchanged, whatever characters they have.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/shell.h"

#include <stdbool.h>
#include <string.h>

/* Characters that no shell interprets, wherever they stand in a word. */
static bool is_plain(const char *word)
{
	return *word && word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					  "0123456789_-+.,:/@%")] == '\0';
}

void shell_add_word(struct isx_buf *buf, const char *word)
{
	if (is_plain(word)) {
		isx_buf_text(buf, word);
		return;
	}
	isx_buf_char(buf, '\'');
	/* Within single quotes the shell interprets nothing. A single quote ends them, stands
	 * escaped, and begins them again. */
	for (; *word; word++)
		isx_buf_text(buf, *word == '\'' ? "'\\''" : (const char[]){ *word, '\0' });
	isx_buf_char(buf, '\'');
}

/* A word that begins with "-" stood behind "--": it is the name of a file. */
void shell_add_command(struct isx_buf *buf, const struct cli_args *args, const char *without)
{
	isx_buf_printf(buf, "%s %s", args->root->name, args->command->name);
	for (size_t i = 0; i < args->given_count; i++) {
		const struct cli_option *option = args->given[i].option;
		if (without && strcmp(option->name, without) == 0)
			continue;
		isx_buf_printf(buf, " %s", option->name);
		if (!option->value)
			continue;
		isx_buf_char(buf, ' ');
		shell_add_word(buf, args->given[i].value);
	}
	for (size_t i = 0; i < args->word_count; i++) {
		const char *word = args->words[i];
		bool is_file = word[0] == '-' && word[1];
		isx_buf_text(buf, is_file ? " ./" : " ");
		shell_add_word(buf, word);
	}
}
