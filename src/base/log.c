/*
 * log.c - one line for each event, written with a single write(), so that lines of threads and
 *         processes do not mix.
 *
 * A line is composed on the stack; whatever does not fit is left out: whole fields, or the end of a
 * message. No thread waits for the reader of the log: when a pipe is full, lines are dropped and
 * counted, and the count is logged when the pipe has room again.
 *
 * Reopening keeps the number of the descriptor (dup3()), so that a thread that has just read log_fd
 * never writes to a closed descriptor, or to a connection that has got its number.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"

#include "base/shown.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	LINE_BYTES = 4096,   /* PIPE_BUF: a pipe takes up to so many bytes in one piece */
	MESSAGE_BYTES = 768, /* escaped, a byte takes 5 at most ("\\x1B" in JSON): fits in a line */
	CLOSING_BYTES = 2    /* "}\n" */
};

static atomic_int log_level = ISX_LOG_WARNING;
static atomic_int log_format = ISX_LOG_TEXT;
static atomic_int log_fd = STDERR_FILENO;
static const char *log_path; /* set once, before there are threads */
/* Held over poll() and write(): otherwise two threads could find room for one line each where
 * there is room for one, and the second write() would block. Innermost lock: nothing is called
 * under it. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long long lost_lines; /* since the last line that was written; under log_lock */

void isx_log_set_level(enum isx_log_level level)
{
	atomic_store(&log_level, (int)level);
}

void isx_log_set_format(enum isx_log_format format)
{
	atomic_store(&log_format, (int)format);
}

/* O_APPEND: worker processes write to one file. 0640, as other users have no business in a log.
 * O_NONBLOCK: the open of a FIFO that no program reads fails with ENXIO, and does not wait. The flag is
 * cleared again, so that no line is cut short. Returns -1 on failure, with the reason in *why. */
static int open_file(const char *path, const char **why)
{
	struct stat file;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
	if (fd >= 0 && fcntl(fd, F_SETFL, O_APPEND) == 0)
		return fd;
	*why = strerror(errno);
	if (fd >= 0)
		close(fd);
	else if (errno == ENXIO && stat(path, &file) == 0 && S_ISFIFO(file.st_mode))
		*why = "no program reads this FIFO: start the reader of the log first";
	return -1;
}

enum isx_status isx_log_open(const char *path, struct isx_err *err)
{
	const char *why;
	int fd = open_file(path, &why);
	if (fd < 0)
		return isx_fail(err, ISX_IO, "%s: %s", path, why);
	log_path = path;
	atomic_store(&log_fd, fd);
	return ISX_OK;
}

/* Called by the thread that waits for SIGHUP, in each worker process and in their parent. */
void isx_log_reopen(void)
{
	if (!log_path)
		return;
	const char *why = NULL;
	int fd = open_file(log_path, &why);
	if (fd >= 0 && dup3(fd, atomic_load(&log_fd), O_CLOEXEC) < 0)
		why = strerror(errno);
	if (why)
		isx_log(ISX_LOG_ERROR, "the log could not be opened again: %s: %s", log_path, why);
	if (fd >= 0)
		close(fd);
}

bool isx_log_level_parse(const char *name, enum isx_log_level *level)
{
	/* "critical" and "trace" are levels of Python programs: configurations may have them */
	static const struct {
		const char *name;
		enum isx_log_level level;
	} levels[] = {
		{ "debug", ISX_LOG_DEBUG },     { "info", ISX_LOG_INFO },
		{ "warning", ISX_LOG_WARNING }, { "error", ISX_LOG_ERROR },
		{ "critical", ISX_LOG_ERROR },  { "trace", ISX_LOG_DEBUG },
	};
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		if (strcasecmp(name, levels[i].name) == 0) {
			*level = levels[i].level;
			return true;
		}
	}
	return false;
}

bool isx_log_format_parse(const char *name, enum isx_log_format *format)
{
	bool is_json = strcasecmp(name, "json") == 0;
	if (!is_json && strcasecmp(name, "text") != 0)
		return false;
	*format = is_json ? ISX_LOG_JSON : ISX_LOG_TEXT;
	return true;
}

bool isx_log_is_on(enum isx_log_level level)
{
	return (int)level >= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* --- a line ----------------------------------------------------------------------------------- */

struct line {
	char text[LINE_BYTES]; /* not terminated */
	size_t len;            /* at most LINE_BYTES - CLOSING_BYTES until the line is closed */
	bool is_full;          /* an addition was refused: later ones are, too */
};

/* Add all of `bytes` or nothing. */
static void add(struct line *line, const char *bytes, size_t len)
{
	if (line->is_full || len > sizeof line->text - CLOSING_BYTES - line->len) {
		line->is_full = true;
		return;
	}
	memcpy(line->text + line->len, bytes, len);
	line->len += len;
}

static void add_text(struct line *line, const char *text)
{
	add(line, text, strlen(text));
}

/* Add a text from outside, which must not begin another line, end a string of JSON, or reach the
 * terminal as an escape sequence. */
static void add_clean(struct line *line, const char *text, bool is_json)
{
	char shown[ISX_SHOWN_BYTES];
	struct isx_span left = isx_span_of(text);
	while (left.len) {
		left = isx_span_skip(left, isx_shown_next(left, shown));
		if (is_json && (shown[0] == '"' || shown[0] == '\\'))
			add(line, "\\", 1);
		add(line, shown, strlen(shown));
	}
}

/* Add a field, or nothing of it when it does not fit. */
static void add_field(struct line *line, const struct isx_log_field *field, bool is_json)
{
	char number[24];
	size_t before = line->len;
	add_text(line, is_json ? ",\"" : " ");
	add_text(line, field->name);
	add_text(line, is_json ? "\":" : "=");
	if (field->text) {
		add_text(line, is_json ? "\"" : "");
		add_clean(line, field->text, is_json);
		add_text(line, is_json ? "\"" : "");
	} else {
		snprintf(number, sizeof number, "%llu", (unsigned long long)field->number);
		add_text(line, number);
	}
	if (line->is_full)
		line->len = before;
	line->is_full = false; /* the next field may be shorter */
}

/* Add time, level and what opens the message. */
static void begin_line(struct line *line, enum isx_log_level level, bool is_json)
{
	static const char *const names[][2] = { { "DEBUG", "debug" },
						{ "INFO", "info" },
						{ "WARNING", "warning" },
						{ "ERROR", "error" } };
	struct timespec now;
	struct tm utc;
	char second[24], fraction[8];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(fraction, sizeof fraction, ".%03dZ", (int)(now.tv_nsec / 1000000));
	add_text(line, is_json ? "{\"time\":\"" : "");
	add_text(line, second);
	add_text(line, fraction);
	add_text(line, is_json ? "\",\"level\":\"" : " ");
	add_text(line, names[level][is_json]);
	add_text(line, is_json ? "\",\"message\":\"" : " ");
}

/* Write a line, unless write() would block. A pipe that poll() reports as writable has room for
 * PIPE_BUF bytes, which is a whole line. Returns how many lines were lost since the last one
 * that was written, or 0 if this one is lost. */
static unsigned long long write_line(const char *text, size_t len)
{
	struct pollfd file = { .fd = atomic_load_explicit(&log_fd, memory_order_relaxed),
			       .events = POLLOUT };
	unsigned long long lost = 0;
	pthread_mutex_lock(&log_lock);
	if (poll(&file, 1, 0) == 1 && write(file.fd, text, len) == (ssize_t)len) {
		lost = lost_lines;
		lost_lines = 0;
	} else {
		lost_lines++; /* also on a full disk: there is no other place to report it */
	}
	pthread_mutex_unlock(&log_lock);
	return lost;
}

void isx_log_fields(enum isx_log_level level, const char *message,
		    const struct isx_log_field *fields, size_t count)
{
	struct line line;
	if (!isx_log_is_on(level))
		return;
	bool is_json = atomic_load_explicit(&log_format, memory_order_relaxed) == ISX_LOG_JSON;
	line.len = 0;
	line.is_full = false;
	begin_line(&line, level, is_json);
	add_clean(&line, message, is_json);
	add_text(&line, is_json ? "\"" : "");
	for (size_t i = 0; i < count; i++)
		add_field(&line, &fields[i], is_json);
	if (is_json)
		line.text[line.len++] = '}';
	line.text[line.len++] = '\n';
	unsigned long long lost = write_line(line.text, line.len);
	if (lost) /* ends there: a line that is itself lost is counted, and returns 0 */
		isx_log(ISX_LOG_WARNING, "%llu lines before this one could not be written", lost);
}

void isx_log(enum isx_log_level level, const char *format, ...)
{
	char message[MESSAGE_BYTES];
	va_list args;
	if (!isx_log_is_on(level))
		return;
	va_start(args, format);
	int len = vsnprintf(message, sizeof message, format, args);
	va_end(args);
	isx_log_fields(level, len < 0 ? format : message, NULL, 0);
}

void isx_log_message(enum isx_log_level level, const char *message, void *arg)
{
	(void)arg;
	isx_log_fields(level, message, NULL, 0);
}

/* Escapes as the log does, as the host program may print the message to a terminal. */
void isx_log_to(const struct isx_logger *logger, enum isx_log_level level, const char *format, ...)
{
	char message[MESSAGE_BYTES];
	struct line line = { .len = 0 };
	va_list args;
	if (!logger->fn)
		return;
	va_start(args, format);
	int len = vsnprintf(message, sizeof message, format, args);
	va_end(args);
	add_clean(&line, len < 0 ? format : message, false);
	line.text[line.len] = '\0';
	logger->fn(level, line.text, logger->arg);
}
