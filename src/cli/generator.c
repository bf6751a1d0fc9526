/*
 * generator.c - runs the command that makes the ISCC of a file.
 *
 * Its output goes into files in memory (memfd), so several commands run without a thread that reads from each.
 * A command is a process group of its own, all of which is ended with the command, or after its time; the command
 * is also ended when this program dies.
 * Built for commands that take from a part of a second to minutes: one process per file, at most
 * GENERATIONS_MAX at a time. Must not know ISCCs and assets: what a command prints is read by
 * iscc_file.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/generator.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/span.h"
#include "cli/lines.h"
#include "cli/shell.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Upper and lower case differ, as names of files do. */
static bool ends_with(const char *path, const char *suffix)
{
	size_t len = strlen(path), wanted = strlen(suffix);
	return len >= wanted && strcmp(path + len - wanted, suffix) == 0;
}

bool generator_is_for(const char *path)
{
	static const char *const others[] = { ".json",      ".jsonl.gz",   ".ndjson.gz",
					      ".jsonl.zst", ".ndjson.zst", ".parquet" };
	bool is_for = !lines_are_in(path);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		is_for &= !ends_with(path, others[i]);
	return is_for;
}

/* "photo.jpg.iscc.json", or "photo.iscc.json": iscc-sdk writes the one, other programs the other. */
bool generator_is_done(const char *path)
{
	char beside[PATH_MAX];
	const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
	int whole = snprintf(beside, sizeof beside, "%s.iscc.json", path);
	if (ends_with(path, ".iscc.utf8") ||
	    (whole < (int)sizeof beside && access(beside, F_OK) == 0))
		return true;
	if (!dot || (slash && dot < slash))
		return false;
	snprintf(beside, sizeof beside, "%.*s.iscc.json", (int)(dot - path), path);
	return access(beside, F_OK) == 0;
}

/* A path that begins with - is no option of the command: "./-x". */
static enum isx_status compose(const char *command, const char *path, struct isx_buf *line,
			       struct isx_err *err)
{
	struct isx_buf word = { 0 };
	bool is_placed = false;
	isx_buf_text(&word, path[0] == '-' ? "./" : "");
	shell_add_word(&word, path);
	isx_buf_char(&word, '\0');
	enum isx_status st = isx_buf_status(&word, err);
	for (const char *at = command; !st && *at; at++) {
		if (strncmp(at, "{}", 2) == 0) {
			isx_buf_text(line, word.ptr);
			is_placed = true;
			at++;
		} else {
			isx_buf_char(line, *at);
		}
	}
	if (!st && !is_placed) {
		isx_buf_char(line, ' ');
		isx_buf_text(line, word.ptr);
	}
	isx_buf_char(line, '\0');
	isx_buf_release(&word);
	return st ? st : isx_buf_status(line, err);
}

/* The child, from fork() to exec(): only what may be called between them. Signals that this program blocks to
 * wait for them (cli/interrupt.h) are not blocked there. */
static void run_child(const char *line, int out_fd, int err_fd)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out_fd, STDOUT_FILENO);
	dup2(err_fd, STDERR_FILENO);
	execl("/bin/sh", "sh", "-c", line, (char *)NULL);
	_exit(127);
}

/* The time runs from here on. Parent and child both make the process group, as either may run
 * first, and kill() needs the group. memfd descriptors are closed by exec(); dup2() makes copies
 * that are not. */
enum isx_status generator_start(const char *command, const char *path, unsigned long timeout_s,
				struct generator *generator, struct isx_err *err)
{
	struct isx_buf line = { 0 };
	*generator = (struct generator){
		.out_fd = memfd_create("iscc-search-out", MFD_CLOEXEC),
		.err_fd = memfd_create("iscc-search-err", MFD_CLOEXEC),
		.deadline_ns = isx_clock_after_ms((uint64_t)timeout_s * 1000),
		.timeout_s = timeout_s,
	};
	enum isx_status st = compose(command, path, &line, err);
	if (!st && generator->out_fd >= 0 && generator->err_fd >= 0) {
		generator->pid = fork();
		if (generator->pid == 0)
			run_child(line.ptr, generator->out_fd, generator->err_fd);
		if (generator->pid > 0)
			setpgid(generator->pid, generator->pid); /* whoever is first */
	}
	if (!st && generator->pid <= 0)
		st = isx_fail(err, ISX_IO, "the generator cannot be started: %s", strerror(errno));
	if (st) {
		generator->pid = 0;
		generator_cancel(generator);
	}
	isx_buf_release(&line);
	return st;
}

/* 0 if the size cannot be found out, which is reported as no output. */
static size_t size_of(int fd)
{
	struct stat info;
	return fstat(fd, &info) == 0 ? (size_t)info.st_size : 0;
}

/* Fail if the command has printed more than one asset can be. */
static enum isx_status check_room(const struct generator *generator, struct isx_err *err)
{
	if (size_of(generator->out_fd) <= ISX_FILE_BYTES_MAX)
		return ISX_OK;
	return isx_fail(err, ISX_INVALID,
			"the generator printed more than %d MiB: expected the JSON of one asset",
			ISX_FILE_BYTES_MAX >> 20);
}

/* End the process group of a command, and return its status. The shell may have started the command as a child,
 * and a command that has ended may have left others running, whose output is not read. No other program can have
 * the number of the group yet: it is free after waitpid(). */
static int end_group(struct generator *generator)
{
	int status = 0;
	kill(-generator->pid, SIGKILL);
	waitpid(generator->pid, &status, 0);
	generator->pid = 0;
	return status;
}

/* Wait until the command has ended, or has had its time or its room, and is ended. */
static enum isx_status wait_for(struct generator *generator, int *status, struct isx_err *err)
{
	enum { STEP_US = 5000 };
	for (;;) {
		/* Asked before the time is looked at: a command that has ended in time counts,
		 * however late that is found out. */
		siginfo_t ended = { 0 };
		if (waitid(P_PID, (id_t)generator->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    ended.si_pid == generator->pid) {
			*status = end_group(generator);
			return check_room(generator, err);
		}
		enum isx_status st = check_room(generator, err);
		if (st)
			return st;
		if (isx_clock_ns() > generator->deadline_ns)
			return isx_fail(err, ISX_INVALID,
					"the generator took longer than %lu s "
					"(ISCC_SEARCH_GENERATOR_TIMEOUT)",
					generator->timeout_s);
		usleep(STEP_US);
	}
}

/* The last line of what the command wrote to standard error. */
static struct isx_span last_line(int fd, char *room, size_t size)
{
	size_t total = size_of(fd), from = total > size ? total - size : 0;
	ssize_t got = pread(fd, room, size, (off_t)from);
	struct isx_span line = isx_span_trim((struct isx_span){ room, got > 0 ? (size_t)got : 0 });
	for (size_t i = line.len; i-- > 0;)
		if (line.ptr[i] == '\n')
			return isx_span_skip(line, i + 1);
	return line;
}

/* Append all that the command has printed: it has ended, so the size does not change. */
static enum isx_status read_output(struct generator *generator, struct isx_buf *text,
				   struct isx_err *err)
{
	size_t size = size_of(generator->out_fd), done = 0;
	char *room = isx_buf_reserve(text, size);
	if (!room)
		return isx_fail_memory(err);
	while (done < size) {
		ssize_t got = pread(generator->out_fd, room + done, size - done, (off_t)done);
		if (got <= 0)
			return isx_fail(err, ISX_IO, "the generator's output cannot be read: %s",
					strerror(errno));
		done += (size_t)got;
	}
	isx_buf_commit(text, done);
	return ISX_OK;
}

/* Success is status 0 and some output; whether that is an asset is checked by its reader. All
 * failures are ISX_INVALID: errors of this file, and the next one may succeed. */
static enum isx_status check_end(struct generator *generator, int status, struct isx_err *err)
{
	char room[512];
	struct isx_span said = last_line(generator->err_fd, room, 200);
	const char *colon = said.len ? ": " : "";
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && size_of(generator->out_fd))
		return ISX_OK;
	if (WIFSIGNALED(status))
		return isx_fail(err, ISX_INVALID, "the generator was ended by signal %d%s%.*s",
				WTERMSIG(status), colon, (int)said.len, said.ptr);
	if (WEXITSTATUS(status))
		return isx_fail(err, ISX_INVALID, "the generator ended with status %d%s%.*s",
				WEXITSTATUS(status), colon, (int)said.len, said.ptr);
	return isx_fail(err, ISX_INVALID,
			"the generator printed nothing: expected the JSON of an asset%s%.*s", colon,
			(int)said.len, said.ptr);
}

enum isx_status generator_finish(struct generator *generator, struct isx_buf *text,
				 struct isx_err *err)
{
	int status = 0;
	enum isx_status st = wait_for(generator, &status, err);
	if (!st)
		st = check_end(generator, status, err);
	if (!st)
		st = read_output(generator, text, err);
	generator_cancel(generator);
	return st;
}

/* After a normal end pid is 0. */
void generator_cancel(struct generator *generator)
{
	if (generator->pid > 0)
		(void)end_group(generator);
	if (generator->out_fd > STDERR_FILENO)
		close(generator->out_fd);
	if (generator->err_fd > STDERR_FILENO)
		close(generator->err_fd);
	*generator = (struct generator){ 0 };
}

/* --- many files ------------------------------------------------------------------------------- */

void generation_init(struct generation *generation, const char *command, unsigned long timeout_s,
		     const char *paths, size_t count)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	*generation = (struct generation){ .command = command && command[0] ? command : NULL,
					   .timeout_s = timeout_s,
					   .ahead = paths,
					   .ahead_count = count };
	generation->jobs_max = processors < 1                 ? 1
			       : processors > GENERATIONS_MAX ? GENERATIONS_MAX
							      : (size_t)processors;
}

/* Start commands for the next files that have no ISCC. Whether one has is decided here, once: the command may
 * write an .iscc.json itself. */
static void start_ahead(struct generation *generation)
{
	while (generation->count < generation->jobs_max && generation->ahead_count) {
		const char *path = generation->ahead;
		size_t slot = (generation->first + generation->count) % GENERATIONS_MAX;
		generation->ahead += strlen(path) + 1;
		generation->ahead_count--;
		if (!generator_is_for(path) || generator_is_done(path))
			continue;
		generation->jobs[slot].path = path;
		generation->jobs[slot].status = generator_start(
			generation->command, path, generation->timeout_s,
			&generation->jobs[slot].generator, &generation->jobs[slot].why);
		generation->count++;
	}
}

/* Paths are compared as pointers: a list may have one path twice. */
enum isx_status generation_take(struct generation *generation, const char *path,
				struct isx_buf *text, bool *is_done, struct isx_err *err)
{
	/* Jobs are a ring in the order of the list, which is also the order in which files are
	 * taken. */
	start_ahead(generation);
	size_t slot = generation->first;
	*is_done = generation->count == 0 || generation->jobs[slot].path != path;
	if (*is_done)
		return ISX_OK;
	enum isx_status st = generation->jobs[slot].status;
	st = st ? isx_err_pass(err, &generation->jobs[slot].why)
		: generator_finish(&generation->jobs[slot].generator, text, err);
	generation->first = (slot + 1) % GENERATIONS_MAX;
	generation->count--;
	return st;
}

void generation_release(struct generation *generation)
{
	for (; generation->count; generation->count--) {
		generator_cancel(&generation->jobs[generation->first].generator);
		generation->first = (generation->first + 1) % GENERATIONS_MAX;
	}
}
