/*
 * shell.h - words and command lines as a POSIX shell reads them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SHELL_H
#define ISX_SHELL_H

#include "cli/args.h"

/* Append a word that the shell takes as it stands: in single quotes if it needs any. */
void shell_add_word(struct isx_buf *buf, const char *word);

/* Append the command line of `args`, a command of the first level, to be run again with something
 * added.
 *   without  an option that is left out, NULL: none */
void shell_add_command(struct isx_buf *buf, const struct cli_args *args, const char *without);

#endif
