/*
 * args.h - commands and options as tables. Parsing and every --help use the same tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ARGS_H
#define ISX_ARGS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	CLI_OK = 0,
	CLI_ERROR = 1,
	CLI_USAGE = 2,
	CLI_BAD_BITS = 3,
	CLI_BAD_URI = 3,
	CLI_NOTHING_ADDED = 4,
	CLI_NONE = 5 /* search --fail-if-none */
};
enum { CLI_OPTIONS_MAX = 24, CLI_WORDS_MAX = 4096 };

struct cli_option {
	const char *name; /* "--limit" */
	char letter;      /* 'l', or 0 */
	const char *
		value; /* "N": it takes a value; NULL: it is a flag. NAME and INDEX are index names */
	const char *help;
};

struct cli_args;
typedef int cli_run_fn(const struct cli_args *args);

struct cli_command {
	const char *name;
	const char *words; /* "PATTERN..." for the usage line; NULL: takes none. NAME is an index */
	size_t words_least, words_most;
	const char *summary; /* one line */
	const char *text;    /* end of --help: paragraphs and examples */
	const struct cli_option *options;
	size_t option_count;
	cli_run_fn *run;                           /* NULL: `commands` has the next level */
	const struct cli_command *const *commands; /* NULL-terminated */
	cli_run_fn *const *option_runs;            /* of the root: what each of its options runs */
};

/* A parsed command line. All texts are borrowed from argv. */
struct cli_args {
	const struct cli_command *root, *command;
	const char *values[CLI_OPTIONS_MAX]; /* by option; NULL: not given; "" for a flag */
	const char *const *words;
	size_t word_count;
	/* All options in the order they were given, for those that may be given several times. */
	const struct cli_given {
		const struct cli_option *option;
		const char *value;
	} * given;
	size_t given_count;
};

/* The value of an option, NULL if it was not given. */
const char *cli_option_value(const struct cli_args *args, const char *name);

/* Append all values of an option that may be given several times, with commas between them. Returns
 * how often it was given. */
size_t cli_option_list(const struct cli_args *args, const char *name, struct isx_buf *list);

/* The whole number of an option, or `fallback` without the option. Returns false after a message on
 * standard error if it is not a number from `least` to `most`. */
bool cli_option_number(const struct cli_args *args, const char *name, unsigned long least,
		       unsigned long most, unsigned long fallback, unsigned long *number);

/* Find the command, parse its options, run it. Returns the exit code; usage errors go to standard
 * error, with the name that was probably meant. Before a command the options of the root are taken,
 * of which each is a command of its own: --version runs it, and what follows is its words. */
int cli_main(const struct cli_command *root, int argc, char **argv);

/* The command `help`: print the help of the command that the words of `args` name. */
int cli_run_help(const struct cli_args *args);

/* The option of a command that `word` names: "--name", "--name=value", "-l" or "-l5"; NULL: none.
 *   value  filled: the value in the word, or NULL */
const struct cli_option *cli_option_find(const struct cli_command *command, const char *word,
					 const char **value);

/* The command of a level that is named `name`, or NULL. */
const struct cli_command *cli_command_find(const struct cli_command *level, const char *name);

/* Has the command an option of this letter? Then -h is not its help: serve takes -h as --host, as 0.3.3
 * does. */
bool cli_has_letter(const struct cli_command *command, char letter);

#endif
