/*
 * args.c - parses a command line by tables of commands, and prints help from the same tables.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/args.h"

#include "base/span.h"
#include "cli/say.h"

#include <stdio.h>
#include <string.h>

/* Linear: a command has at most CLI_OPTIONS_MAX options. An option that the command does not have
 * has no value. */
const char *cli_option_value(const struct cli_args *args, const char *name)
{
	for (size_t i = 0; i < args->command->option_count; i++)
		if (strcmp(args->command->options[i].name, name) == 0)
			return args->values[i];
	return NULL;
}

size_t cli_option_list(const struct cli_args *args, const char *name, struct isx_buf *list)
{
	size_t count = 0;
	for (size_t i = 0; i < args->given_count; i++) {
		if (strcmp(args->given[i].option->name, name) != 0)
			continue;
		isx_buf_text(list, count++ ? "," : "");
		isx_buf_text(list, args->given[i].value);
	}
	return count;
}

bool cli_option_number(const struct cli_args *args, const char *name, unsigned long least,
		       unsigned long most, unsigned long fallback, unsigned long *number)
{
	const char *text = cli_option_value(args, name);
	uint64_t value = fallback;
	if (text && (!isx_span_uint(isx_span_of(text), most, &value) || value < least)) {
		say_line(stderr, "Error: %s %s: expected a whole number from %lu to %lu", name,
			 text, least, most);
		return false;
	}
	*number = (unsigned long)value;
	return true;
}

/* --- help ------------------------------------------------------------------------------------- */

/* The names of the program and its commands so far, for usage lines: at most "iscc-search index
 * add". */
struct path {
	const char *names[4];
	size_t count;
};

/* The words of the command line that lead to this command. */
static void print_path(FILE *out, const struct path *path)
{
	for (size_t i = 0; i < path->count; i++)
		fprintf(out, "%s%s", i ? " " : "", path->names[i]);
}

/* The line that follows "Usage:" and every usage error. */
static void print_usage(FILE *out, const struct cli_command *command, const struct path *path)
{
	fprintf(out, "Usage: ");
	print_path(out, path);
	fprintf(out, "%s%s%s%s\n", command->commands ? " COMMAND" : "",
		command->option_count ? " [OPTIONS]" : "", command->words ? " " : "",
		command->words ? command->words : "");
}

static void print_option(const struct cli_option *option)
{
	char left[64];
	char letter[8] = "";
	if (option->letter)
		snprintf(letter, sizeof letter, "-%c, ", option->letter);
	snprintf(left, sizeof left, "%s%s%s%s", letter, option->name, option->value ? " " : "",
		 option->value ? option->value : "");
	printf("  %-26s %s\n", left, option->help);
}

/* -h is --help, unless the command has an option of that letter (serve: --host, as in 0.3.3). */
static int print_help(const struct cli_command *command, const struct path *path)
{
	printf("%s\n\n", command->summary);
	print_usage(stdout, command, path);
	if (command->commands) {
		printf("\nCommands:\n");
		for (size_t i = 0; command->commands[i]; i++)
			printf("  %-10s %s\n", command->commands[i]->name,
			       command->commands[i]->summary);
	}
	if (command->run || command->option_count) {
		static const struct cli_option help = { "--help", 'h', NULL, "Show this text" };
		/* A command may use -h itself: then only --help shows the help. */
		bool taken = false;
		printf("\nOptions:\n");
		for (size_t i = 0; i < command->option_count; i++) {
			print_option(&command->options[i]);
			taken |= command->options[i].letter == 'h';
		}
		print_option(taken ? &(struct cli_option){ "--help", 0, NULL, help.help } : &help);
	}
	if (command->text)
		printf("\n%s", command->text);
	return CLI_OK;
}

static int usage_error(const struct cli_command *command, const struct path *path, const char *what,
		       const char *which)
{
	say_line(stderr, "Error: %s '%s'", what, which);
	print_usage(stderr, command, path);
	fprintf(stderr, "Try '");
	print_path(stderr, path);
	fprintf(stderr, " --help' for help.\n");
	return CLI_USAGE;
}

/* --- parsing ---------------------------------------------------------------------------------- */

/* Find the option of `word`: "--name", "--name=value", "-l" or "-l5". *value is the value in the
 * word, or NULL. */
static const struct cli_option *find_option(const struct cli_command *command, const char *word,
					    const char **value)
{
	const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	*value = equals ? equals + 1 : NULL;
	if (word[1] != '-' && len > 2) { /* a letter and its value in one word: -l5 */
		*value = word + 2;
		len = 2;
	}
	for (size_t i = 0; i < command->option_count; i++) {
		const struct cli_option *option = &command->options[i];
		bool by_letter = len == 2 && option->letter && word[1] == option->letter;
		bool by_name = strlen(option->name) == len && strncmp(option->name, word, len) == 0;
		if (by_letter || by_name)
			return option;
	}
	return NULL;
}

/* Parse the options and words of one command, and run it. Everything after "--" is a word, and so
 * is "-" (standard input). Flags have the value "". */
static int parse_and_run(const struct cli_command *command, const struct path *path, int argc,
			 char **argv)
{
	/* static: 96 KiB, and one command runs per process */
	static const char *words[CLI_WORDS_MAX];
	static struct cli_given given[CLI_WORDS_MAX];
	struct cli_args args = { .command = command, .words = words, .given = given };
	bool only_words = false;
	for (int i = 0; i < argc; i++) {
		const char *value;
		const struct cli_option *option;
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
			continue;
		}
		if (only_words || argv[i][0] != '-' || argv[i][1] == '\0') {
			/* words_most of a command without words is 0. */
			if (args.word_count == command->words_most ||
			    args.word_count == CLI_WORDS_MAX)
				return usage_error(command, path, "unexpected argument", argv[i]);
			words[args.word_count++] = argv[i];
			continue;
		}
		/* The table comes first: a command may have its own -h. */
		option = find_option(command, argv[i], &value);
		if (!option && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
			return print_help(command, path);
		if (!option)
			return usage_error(command, path, "no such option", argv[i]);
		if (!option->value && value)
			return usage_error(command, path, "no value expected for option",
					   option->name);
		if (option->value && !value && ++i == argc)
			return usage_error(command, path, "a value is missing after option",
					   option->name);
		if (option->value && !value)
			value = argv[i];
		if (args.given_count == CLI_WORDS_MAX)
			return usage_error(command, path, "too many options at", argv[i]);
		args.values[option - command->options] = option->value ? value : "";
		given[args.given_count++] =
			(struct cli_given){ option, args.values[option - command->options] };
	}
	if (args.word_count < command->words_least)
		return usage_error(command, path, "missing argument", command->words);
	return command->run(&args);
}

/* Descend through the tables until a command has no commands of its own. */
int cli_main(const struct cli_command *root, int argc, char **argv)
{
	const struct cli_command *command = root;
	struct path path = { { root->name }, 1 };
	int at = 1;
	while (command->commands) {
		const struct cli_command *found = NULL;
		if (at == argc) {
			print_help(command, &path);
			return CLI_USAGE;
		}
		if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
			return print_help(command, &path);
		for (size_t i = 0; command->commands[i]; i++)
			if (strcmp(command->commands[i]->name, argv[at]) == 0)
				found = command->commands[i];
		if (!found)
			return usage_error(command, &path, "no such command", argv[at]);
		path.names[path.count++] = found->name;
		command = found;
		at++;
	}
	return parse_and_run(command, &path, argc - at, argv + at);
}
