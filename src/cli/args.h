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
	CLI_NOTHING_ADDED = 4
};
enum { CLI_OPTIONS_MAX = 12, CLI_WORDS_MAX = 4096 };

struct cli_option {
	const char *name;  /* "--limit" */
	char letter;       /* 'l', or 0 */
	const char *value; /* "N": it takes a value; NULL: it is a flag */
	const char *help;
};

struct cli_args;
typedef int cli_run_fn(const struct cli_args *args);

struct cli_command {
	const char *name;
	const char *words; /* "PATTERN..." for the usage line; NULL: takes none */
	size_t words_least, words_most;
	const char *summary; /* one line */
	const char *text;    /* end of --help: paragraphs and examples */
	const struct cli_option *options;
	size_t option_count;
	cli_run_fn *run;                           /* NULL: `commands` has the next level */
	const struct cli_command *const *commands; /* NULL-terminated */
};

/* A parsed command line. All texts are borrowed from argv. */
struct cli_args {
	const struct cli_command *command;
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
 * error. */
int cli_main(const struct cli_command *root, int argc, char **argv);

#endif
