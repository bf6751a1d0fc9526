/*
 * completion.h - completes command lines in bash, zsh and fish, by the tables of commands.
 *
 * The script of a shell is the same for every version: it calls `iscc-search --complete WORD...`, which
 * prints what the last word may become. So names of indexes are those of the moment.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_COMPLETION_H
#define ISX_COMPLETION_H

#include "cli/args.h"

/* Print what the last of `words` may become, one candidate a line, with a tab and a description behind
 * it. Nothing: the shell completes names of files.
 *   words  the command line without the program; the last one is being typed, and may be empty */
int completion_print(const struct cli_command *root, const char *const *words, size_t count);

/* The options --show-completion and --install-completion of the root. The first word of `args` names the
 * shell, by default the one that has started the program. */
int completion_show(const struct cli_args *args);
int completion_install(const struct cli_args *args);

#endif
