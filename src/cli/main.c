/*
 * main.c - the program: the table of its commands.
 *
 * Must not know what a command does. Whatever the commands have printed, the exit status says at
 * the end whether standard output took it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/commands.h"
#include "cli/completion.h"

#include "iscc_search.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int run_version(const struct cli_args *args)
{
	(void)args;
	printf("iscc-search version %s\n", isx_version());
	return CLI_OK;
}

static const struct cli_command command_version = { .name = "version",
						    .summary = "Show the version",
						    .run = run_version };

static const struct cli_command command_help = { .name = "help",
						 .words = "[COMMAND...]",
						 .words_most = 2,
						 .summary = "Show the help of a command",
						 .run = cli_run_help };

static const struct cli_command *const commands[] = {
	&command_add,      &command_search,  &command_duplicates,
	&command_get,      &command_list,    &command_remove,
	&command_export,   &command_import,  &command_hub,
	&command_datasets, &command_stats,   &command_inspect,
	&command_compare,  &command_index,   &command_serve,
	&command_help,     &command_version, NULL
};

static const struct cli_option root_options[] = {
	{ "--version", 'V', NULL, "Show the version" },
	{ "--show-completion", 0, "[SHELL]", "Print the completion of bash, zsh or fish" },
	{ "--install-completion", 0, "[SHELL]", "Install it for the shell that is running" },
};
static cli_run_fn *const option_runs[] = { run_version, completion_show, completion_install };

static const struct cli_command root = {
	.name = "iscc-search",
	.summary = "Exact similarity search among millions of ISCCs (ISO 24138).",
	.text = "First steps:\n"
		"  iscc-search add examples/assets.jsonl     put assets into the default index\n"
		"  iscc-search search ISCC:MAIGHXLN555Y2DFF  what is similar to one of them?\n"
		"  iscc-search serve                         the same index over HTTP\n\n"
		"The folder examples/ of the source has the ISCCs of 2,400 real documents.\n"
		"'iscc-search COMMAND --help' shows the options of a command, with examples.\n",
	.options = root_options,
	.option_count = sizeof root_options / sizeof root_options[0],
	.commands = commands,
	.option_runs = option_runs,
};

/* Open /dev/null for those of the descriptors 0 to 2 that are closed. Otherwise the next open()
 * returns one of them, and messages are written into an index. */
static void fill_standard_streams(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* SIGPIPE: something was written to a pipe or a connection that has no reader any more. If that is
 * standard output, as of `iscc-search list | head`, the signal ends the command, without a message,
 * as it ends cat(1). Otherwise, for a connection to a server, write() fails with EPIPE. poll() may
 * be called in a handler (POSIX.1-2008, 2.4.3). */
static void end_without_reader(int which)
{
	struct pollfd output = { .fd = STDOUT_FILENO };
	int cause = errno;
	if (poll(&output, 1, 0) == 1 && output.revents & (POLLERR | POLLHUP)) {
		signal(which, SIG_DFL);
		raise(which); /* delivered when this handler returns */
	}
	errno = cause;
}

/* A caller that ignores SIGPIPE, as systemd does, gets an error of standard output instead. */
static void watch_readers(void)
{
	struct sigaction now;
	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, end_without_reader);
}

/* Flush standard output. A failure changes the exit code: a full disk must not look like
 * success. */
static int end_output(int code)
{
	bool failed = ferror(stdout);
	errno = 0;
	if (fflush(stdout) == 0 && !failed)
		return code;
	if (!errno &&
	    write(STDOUT_FILENO, "\n", 1) == 1) /* errno is lost: write again to get the cause */
		errno = EIO;
	fprintf(stderr, "Error: standard output: %s\n", strerror(errno));
	return code == CLI_OK ? CLI_ERROR : code;
}

int main(int argc, char **argv)
{
	fill_standard_streams();
	watch_readers();
	signal(SIGXFSZ, SIG_IGN); /* a file at the limit of ulimit -f: write() fails with EFBIG */
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) /* scripts of completion.c call this */
		return end_output(
			completion_print(&root, (const char *const *)argv + 2, (size_t)argc - 2));
	return end_output(cli_main(&root, argc, argv));
}
