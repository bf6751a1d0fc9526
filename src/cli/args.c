/*
 * args.c - parses a command line by tables of commands, and prints help from the same tables.
 *
 * Must not know any command. A command line is read once, at a cost that does not matter; texts
 * are borrowed from argv. Usage errors end with status 2, as in 0.3.3, and go to standard error;
 * help that was asked for goes to standard output.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/args.h"

#include "base/span.h"
#include "cli/say.h"
#include "cli/suggestion.h"
#include "cli/term.h"

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

bool cli_has_letter(const struct cli_command *command, char letter)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].letter == letter)
			return true;
	return false;
}

/* "-l, --limit N": filled. Returns its length. */
static size_t print_left(const struct cli_option *option, char left[64])
{
	char letter[8] = "";
	if (option->letter)
		snprintf(letter, sizeof letter, "-%c, ", option->letter);
	return (size_t)snprintf(left, 64, "%s%s%s%s", letter, option->name,
				option->value ? " " : "", option->value ? option->value : "");
}

/* -h is --help, unless the command has an option of that letter (serve: --host, as in 0.3.3). What the
 * options are for begins in one column. */
static void print_options(const struct cli_command *command)
{
	char left[64], letter = cli_has_letter(command, 'h') ? '\0' : 'h';
	const struct cli_option help = { "--help", letter, NULL, "Show this text" };
	size_t widest = 26;
	for (size_t i = 0; i < command->option_count; i++) {
		size_t width = print_left(&command->options[i], left);
		widest = width > widest ? width : widest;
	}
	printf("\nOptions:\n");
	for (size_t i = 0; i <= command->option_count; i++) {
		const struct cli_option *option = i < command->option_count ? &command->options[i]
									    : &help;
		print_left(option, left);
		printf("  %-*s ", (int)widest, left);
		term_wrap(isx_span_of(option->help), widest + 3, widest + 3, term_text_width());
	}
}

/* Summaries begin in one column, behind the longest name. */
static void print_commands(const struct cli_command *const *commands)
{
	size_t widest = 0;
	for (size_t i = 0; commands[i]; i++)
		if (strlen(commands[i]->name) > widest)
			widest = strlen(commands[i]->name);
	printf("\nCommands:\n");
	for (size_t i = 0; commands[i]; i++) {
		printf("  %-*s ", (int)widest, commands[i]->name);
		term_wrap(isx_span_of(commands[i]->summary), widest + 3, widest + 3,
			  term_text_width());
	}
}

/* Lines are fitted to the terminal (term.h), so help that is piped is the same everywhere.
 * Returns CLI_OK. */
static int print_help(const struct cli_command *command, const struct path *path)
{
	term_wrap(isx_span_of(command->summary), 0, 0, term_text_width());
	printf("\n");
	print_usage(stdout, command, path);
	if (command->commands)
		print_commands(command->commands);
	if (command->run || command->option_count)
		print_options(command);
	if (command->text) {
		printf("\n");
		term_print_paragraphs(command->text);
	}
	return CLI_OK;
}

/* The second line names what was probably meant, if a name of the table is close. */
static int usage_error(const struct cli_command *command, const struct path *path, const char *what,
		       const char *which, const char *meant)
{
	say_line(stderr, "Error: %s '%s'", what, which);
	if (meant)
		fprintf(stderr, "Did you mean '%s'?\n", meant);
	print_usage(stderr, command, path);
	fprintf(stderr, "Try '");
	print_path(stderr, path);
	fprintf(stderr, " --help' for help.\n");
	return CLI_USAGE;
}

/* The command of this level that is spelled most like `word`; NULL if none is close
 * (suggestion.h). */
static const char *nearest_command(const struct cli_command *level, const char *word)
{
	struct suggestion suggestion = suggestion_for(word);
	for (size_t i = 0; level->commands[i]; i++)
		suggestion_offer(&suggestion, level->commands[i]->name);
	return suggestion.name;
}

/* The same for options. Letters have no neighbours: every other letter would be as close. */
static const char *nearest_option(const struct cli_command *command, const char *word)
{
	struct suggestion suggestion = suggestion_for(word);
	const char *equals = strchr(word, '=');
	if (equals)
		suggestion.word.len = (size_t)(equals - word);
	for (size_t i = 0; i < command->option_count; i++)
		suggestion_offer(&suggestion, command->options[i].name);
	suggestion_offer(&suggestion, "--help");
	return strncmp(word, "--", 2) == 0 ? suggestion.name : NULL;
}

/* --- parsing ---------------------------------------------------------------------------------- */

const struct cli_option *cli_option_find(const struct cli_command *command, const char *word,
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
static int parse_and_run(const struct cli_command *root, const struct cli_command *command,
			 const struct path *path, int argc, char **argv)
{
	/* static: 96 KiB, and one command runs per process */
	static const char *words[CLI_WORDS_MAX];
	static struct cli_given given[CLI_WORDS_MAX];
	struct cli_args args = { .root = root, .command = command, .words = words, .given = given };
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
				return usage_error(command, path, "unexpected argument", argv[i],
						   NULL);
			words[args.word_count++] = argv[i];
			continue;
		}
		/* The table comes first: a command may have its own -h. */
		option = cli_option_find(command, argv[i], &value);
		if (!option && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
			return print_help(command, path);
		if (!option)
			return usage_error(command, path, "no such option", argv[i],
					   nearest_option(command, argv[i]));
		if (!option->value && value)
			return usage_error(command, path, "no value expected for option",
					   option->name, NULL);
		if (option->value && !value && ++i == argc)
			return usage_error(command, path, "a value is missing after option",
					   option->name, NULL);
		if (option->value && !value)
			value = argv[i];
		if (args.given_count == CLI_WORDS_MAX)
			return usage_error(command, path, "too many options at", argv[i], NULL);
		args.values[option - command->options] = option->value ? value : "";
		given[args.given_count++] =
			(struct cli_given){ option, args.values[option - command->options] };
	}
	if (args.word_count < command->words_least)
		return usage_error(command, path, "missing argument", command->words, NULL);
	return command->run(&args);
}

const struct cli_command *cli_command_find(const struct cli_command *level, const char *name)
{
	for (size_t i = 0; level->commands && level->commands[i]; i++)
		if (strcmp(level->commands[i]->name, name) == 0)
			return level->commands[i];
	return NULL;
}

/* Descend through the tables by `words`. Returns 0, or the exit code after a message.
 *   command  the root; filled: the command
 *   used     filled: the number of words that name it */
static int descend(const struct cli_command **command, struct path *path, const char *const *words,
		   size_t count, size_t *used)
{
	for (*used = 0; *used < count && (*command)->commands; (*used)++) {
		const struct cli_command *found = cli_command_find(*command, words[*used]);
		if (!found)
			return usage_error(
				*command, path,
				words[*used][0] == '-' ? "no such option" : "no such command",
				words[*used],
				words[*used][0] == '-' ? nearest_option(*command, words[*used])
						       : nearest_command(*command, words[*used]));
		path->names[path->count++] = found->name;
		*command = found;
	}
	return CLI_OK;
}

int cli_run_help(const struct cli_args *args)
{
	const struct cli_command *command = args->root;
	struct path path = { { command->name }, 1 };
	size_t used;
	int code = descend(&command, &path, args->words, args->word_count, &used);
	if (!code && used < args->word_count)
		code = usage_error(command, &path, "no such command", args->words[used], NULL);
	return code ? code : print_help(command, &path);
}

/* An option of the root, such as --version, is a command: its value and the words behind it are the words
 * of that. */
static int run_root_option(const struct cli_command *root, const struct cli_option *option,
			   const char *value, int argc, char **argv)
{
	static const char *words[CLI_WORDS_MAX];
	struct cli_args args = { .root = root, .command = root, .words = words };
	if (value)
		words[args.word_count++] = value;
	for (int i = 0; i < argc && args.word_count < CLI_WORDS_MAX; i++)
		words[args.word_count++] = argv[i];
	return root->option_runs[option - root->options](&args);
}

/* -h and --help are taken at every level. */
int cli_main(const struct cli_command *root, int argc, char **argv)
{
	const struct cli_command *command = root;
	struct path path = { { root->name }, 1 };
	const struct cli_option *option;
	const char *value;
	size_t used = 0;
	int at = 1;
	option = argc > 1 ? cli_option_find(root, argv[1], &value) : NULL;
	if (option)
		return run_root_option(root, option, value, argc - 2, argv + 2);
	for (; command->commands; at++) {
		if (at >= argc) {
			print_help(command, &path);
			return CLI_USAGE;
		}
		if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
			return print_help(command, &path);
		int code = descend(&command, &path, (const char *const *)&argv[at], 1, &used);
		if (code)
			return code;
	}
	return parse_and_run(root, command, &path, argc - at, argv + at);
}
