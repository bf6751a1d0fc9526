/*
 * completion.c - what a word of a command line may become, and the scripts by which shells ask.
 *
 * A shell runs this at each press of the Tab key. So no store is opened and no server asked: the
 * names of indexes come from config.json and the folders beside it, and a failure gives no
 * candidates. Must not know any command: tables and the names of values in them (NAME, INDEX,
 * FILE) decide.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/completion.h"

#include "base/span.h"
#include "cli/config.h"
#include "cli/files.h"
#include "cli/say.h"
#include "cli/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- candidates ------------------------------------------------------------------------------- */

/* Print a candidate if it begins with the word that is being typed. */
static void offer(struct isx_span word, const char *prefix, const char *name, const char *about)
{
	struct isx_buf line = { 0 };
	isx_buf_text(&line, prefix);
	isx_buf_text(&line, name);
	struct isx_span candidate = { line.ptr, line.len };
	if (!line.failed && candidate.len >= word.len && memcmp(line.ptr, word.ptr, word.len) == 0)
		printf("%.*s\t%s\n", (int)line.len, line.ptr, about);
	isx_buf_release(&line);
}

/* The indexes of the configuration. A configuration that cannot be read has none: a shell shows no
 * messages while a word is typed. A missing one is not created. */
static void offer_indexes(struct isx_span word, const char *prefix)
{
	char path[PATH_MAX];
	struct config config = { 0 };
	int len = snprintf(path, sizeof path, "%s/config.json", settings_data_folder());
	if (len < 0 || len >= (int)sizeof path || access(path, R_OK) != 0 ||
	    config_load(settings_data_folder(), false, &config, NULL)) {
		config_release(&config);
		return;
	}
	for (size_t i = 0; i < config.count; i++) {
		const struct config_index *index = &config.indexes[i];
		/* what a shell could take for more than a word is not offered */
		if (!index->is_strange && !strpbrk(index->name, " \t\n\r\\'\"$`;&|<>(){}[]*?!#~"))
			offer(word, prefix, index->name,
			      index->is_remote ? "remote index" : "local index");
	}
	config_release(&config);
}

/* What the value of an option, or a word of a command, is called tells what it may be. */
static bool offer_values(const char *value, struct isx_span word, const char *prefix)
{
	static const char *const indexes[] = { "NAME", "[NAME]", "INDEX", "FROM", "TO" };
	static const struct {
		const char *value, *word, *about;
	} choices[] = {
		{ "[SHELL]", "bash", "shell" },
		{ "[SHELL]", "zsh", "shell" },
		{ "[SHELL]", "fish", "shell" },
		{ "BY", "score", "the highest score first" },
		{ "BY", "significance", "first what chance explains least" },
		{ "BY", "tiered", "the best kind of match first" },
	};
	for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
		if (strcmp(value, indexes[i]) == 0) {
			offer_indexes(word, prefix);
			return true;
		}
	}
	for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
		if (strcmp(value, choices[i].value) == 0)
			offer(word, prefix, choices[i].word, choices[i].about);
	return false;
}

/* The commands of a level, and nothing for a command that has none below it. */
static void offer_commands(const struct cli_command *level, struct isx_span word)
{
	for (size_t i = 0; level->commands && level->commands[i]; i++)
		offer(word, "", level->commands[i]->name, level->commands[i]->summary);
}

/* Long names only: a letter is typed faster than it is completed. --help stands in no table, as
 * the parser takes it at every level. */
static void offer_options(const struct cli_command *command, struct isx_span word)
{
	for (size_t i = 0; i < command->option_count; i++)
		offer(word, "", command->options[i].name, command->options[i].help);
	offer(word, "", "--help", "Show this text");
}

/* The option whose value is being typed: the word before is "--limit", or "--limit" and "=", which bash
 * hands over as a word of its own. NULL: none. */
static const struct cli_option *pending_option(const struct cli_command *command,
					       const char *const *words, size_t count)
{
	const char *value;
	size_t before = count;
	if (before && strcmp(words[before - 1], "=") == 0)
		before--;
	if (before == 0 || words[before - 1][0] != '-')
		return NULL;
	const struct cli_option *option = cli_option_find(command, words[before - 1], &value);
	return option && option->value && !value ? option : NULL;
}

/* What the next word of a command is called: "FILE" of "NAME FILE" behind one word. Words before it that
 * begin with - are options; their values are taken for words, as the shell does not tell them apart. */
static void next_word(const struct cli_command *command, const char *const *words, size_t count,
		      char called[32])
{
	struct isx_span left = isx_span_of(command->words), one = { 0 };
	for (size_t i = 0; i <= count; i++)
		if (i == count || words[i][0] != '-')
			one = isx_span_cut(left, ' ', &left);
	snprintf(called, 32, "%.*s", (int)one.len, one.len ? one.ptr : "");
}

/* Complete a word behind the name of a command. `words` are those behind the name. */
static void complete_word(const struct cli_command *command, const char *const *words, size_t count,
			  struct isx_span word)
{
	const struct cli_option *option = pending_option(command, words, count);
	const char *value = NULL;
	char called[32];
	next_word(command, words, count, called);
	if (isx_span_is(word, "=")) /* bash: the cursor is behind "--index=" */
		word = (struct isx_span){ "", 0 };
	else if (!option && isx_span_has_prefix(word, "--") && memchr(word.ptr, '=', word.len))
		option = cli_option_find(command, word.ptr, &value);
	if (value) { /* zsh and fish: "--index=de" is one word */
		char prefix[64];
		size_t len = (size_t)(value - word.ptr);
		if (len < sizeof prefix && option->value) {
			snprintf(prefix, sizeof prefix, "%.*s", (int)len, word.ptr);
			offer_values(option->value, word, prefix);
		}
	} else if (option) {
		offer_values(option->value, word, "");
	} else if (isx_span_has_prefix(word, "-")) {
		offer_options(command, word);
	} else if (!offer_values(called, word, "") && !word.len && !strstr(called, "FILE") &&
		   !strstr(called, "PATTERN") && !command->commands) {
		offer_options(command, word);
	}
}

int completion_print(const struct cli_command *root, const char *const *words, size_t count)
{
	const struct cli_command *command = root, *found;
	struct isx_span word = isx_span_of(count ? words[count - 1] : "");
	size_t at = 0, before = count ? count - 1 : 0;
	bool helps = before && strcmp(words[0], "help") == 0;
	for (at = helps; at < before && (found = cli_command_find(command, words[at])); at++)
		command = found;
	if (command->commands && at == before && !isx_span_has_prefix(word, "-"))
		offer_commands(command, word);
	else if (!helps)
		complete_word(command, words + at, before - at, word);
	return CLI_OK;
}

/* --- scripts ---------------------------------------------------------------------------------- */

/* Each shell: its script, the file that --install-completion writes, the file of its settings that is
 * extended (NULL: the shell finds the script itself), and how. Those of bash and zsh are the places of
 * 0.3.3. */
static const struct shell {
	const char *name;
	const char *file;
	const char *settings;
	const char *addition;
	const char *script;
} shells[] = {
	{ "bash", ".bash_completions/iscc-search.sh", ".bashrc",
	  "source \"$HOME/.bash_completions/iscc-search.sh\"\n",
	  "# Completion of iscc-search for bash: source this file.\n"
	  "_iscc_search() {\n"
	  "\tlocal line\n"
	  "\tCOMPREPLY=()\n"
	  "\twhile IFS= read -r line; do\n"
	  "\t\tCOMPREPLY+=(\"${line%%$'\\t'*}\")\n"
	  "\tdone < <(\"${COMP_WORDS[0]}\" --complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
	  "2>/dev/null)\n"
	  "}\n"
	  "complete -o default -o bashdefault -F _iscc_search iscc-search\n" },
	{ "zsh", ".zfunc/_iscc-search", ".zshrc",
	  "fpath+=(\"$HOME/.zfunc\"); autoload -Uz compinit; compinit\n",
	  "#compdef iscc-search\n"
	  "# Completion of iscc-search for zsh: a file _iscc-search in a folder of $fpath.\n"
	  "_iscc_search() {\n"
	  "\tlocal -a found candidates\n"
	  "\tlocal line\n"
	  "\tfound=(\"${(@f)$(\"${words[1]}\" --complete \"${(@)words[2,CURRENT]}\" "
	  "2>/dev/null)}\")\n"
	  "\tfor line in $found; do\n"
	  "\t\tcandidates+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
	  "\tdone\n"
	  "\tif (( ${#candidates} )); then\n"
	  "\t\t_describe -V iscc-search candidates\n"
	  "\telse\n"
	  "\t\t_files\n"
	  "\tfi\n"
	  "}\n"
	  "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
	  "\t_iscc_search \"$@\"\n"
	  "else\n"
	  "\tcompdef _iscc_search iscc-search\n"
	  "fi\n" },
	{ "fish", ".config/fish/completions/iscc-search.fish", NULL, NULL,
	  "# Completion of iscc-search for fish: a file in ~/.config/fish/completions.\n"
	  "function __iscc_search_complete\n"
	  "\tset -l typed (commandline -opc)\n"
	  "\tset -l current (commandline -ct)\n"
	  "\t$typed[1] --complete $typed[2..-1] \"$current\" 2>/dev/null\n"
	  "end\n"
	  "function __iscc_search_has_candidates\n"
	  "\tset -l found (__iscc_search_complete)\n"
	  "\ttest (count $found) -gt 0\n"
	  "end\n"
	  "complete -c iscc-search -n __iscc_search_has_candidates -f -k -a "
	  "'(__iscc_search_complete)'\n" },
};

/* The name of the program that has started this one, from /proc; empty if it cannot be read. */
static void read_parent(char name[32])
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%ld/comm", (long)getppid());
	FILE *file = fopen(path, "r");
	name[0] = '\0';
	if (!file)
		return;
	if (fgets(name, 32, file))
		name[strcspn(name, "\n")] = '\0';
	fclose(file);
}

/* By the word of the command line, the parent process, or $SHELL. NULL after a message. */
static const struct shell *find_shell(const struct cli_args *args)
{
	char parent[32];
	const char *login = getenv("SHELL"), *slash = login ? strrchr(login, '/') : NULL;
	read_parent(parent);
	const char *tried[] = { args->word_count ? args->words[0] : parent, args->word_count ? NULL
									    : slash ? slash + 1
										    : login };
	for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++)
		for (size_t k = 0; k < sizeof shells / sizeof shells[0]; k++)
			if (tried[i] && strcmp(tried[i], shells[k].name) == 0)
				return &shells[k];
	say_line(stderr, "Error: Shell %s not supported: expected bash, zsh or fish",
		 args->word_count ? args->words[0] : parent);
	return NULL;
}

/* The script alone on standard output: `iscc-search --show-completion bash >FILE` must give a
 * file that a shell can source. */
int completion_show(const struct cli_args *args)
{
	const struct shell *shell = find_shell(args);
	if (!shell)
		return CLI_ERROR;
	fputs(shell->script, stdout);
	return CLI_OK;
}

/* The settings of the shell get the line once: a second installation changes nothing. They keep their
 * mode, so they are appended to and not replaced. */
static enum isx_status extend_settings(const struct shell *shell, const char *home,
				       struct isx_err *err)
{
	char path[PATH_MAX];
	struct isx_buf text = { 0 };
	snprintf(path, sizeof path, "%s/%s", home, shell->settings);
	enum isx_status st = access(path, F_OK) == 0 ? files_read(path, FILES_REGULAR, &text, err)
						     : ISX_OK;
	isx_buf_char(&text, '\0');
	if (!st)
		st = isx_buf_status(&text, err);
	if (!st && !strstr(text.ptr, shell->addition)) {
		FILE *file = fopen(path, "a");
		bool is_written = file && fprintf(file, "\n%s", shell->addition) > 0;
		if (!file || fclose(file) != 0 || !is_written)
			st = isx_fail(err, ISX_IO, "it cannot be written");
	}
	isx_buf_release(&text);
	return st ? isx_err_at(err, st, "%s", path) : ISX_OK;
}

/* The script is replaced, as it may be that of an older version; the settings of the shell are
 * only extended, as they are the user's. */
int completion_install(const struct cli_args *args)
{
	char path[PATH_MAX];
	struct isx_err err = { 0 };
	const struct shell *shell = find_shell(args);
	const char *home = getenv("HOME");
	if (!shell)
		return CLI_ERROR;
	if (!home || !home[0]) {
		fprintf(stderr, "Error: HOME is not set: expected the folder of the user\n");
		return CLI_ERROR;
	}
	snprintf(path, sizeof path, "%s/%s", home, shell->file);
	enum isx_status st = files_replace(path, isx_span_of(shell->script), &err);
	if (!st && shell->settings)
		st = extend_settings(shell, home, &err);
	if (st) {
		say_line(stderr, "Error: %s", err.msg);
		return CLI_ERROR;
	}
	say_line(stdout, "%s completion installed in %s", shell->name, path);
	printf("Completion will take effect once you restart the terminal\n");
	return CLI_OK;
}
