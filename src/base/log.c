/*
 * log.c - one line an event, written with a single write() so that lines of threads and processes
 *         do not mix.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static atomic_int log_level = ISX_LOG_WARNING;

void isx_log_set_level(enum isx_log_level level)
{
	atomic_store(&log_level, (int)level);
}

bool isx_log_level_parse(const char *name, enum isx_log_level *level)
{
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

void isx_log(enum isx_log_level level, const char *format, ...)
{
	static const char *const names[] = { "DEBUG", "INFO", "WARNING", "ERROR" };
	if ((int)level < atomic_load_explicit(&log_level, memory_order_relaxed) ||
	    level >= ISX_LOG_NOTHING)
		return;
	char line[1024];
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t len = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
	len += (size_t)snprintf(line + len, sizeof line - len, ".%03ldZ %s ", now.tv_nsec / 1000000,
				names[level]);
	va_list args;
	va_start(args, format);
	int more = vsnprintf(line + len, sizeof line - len - 1, format, args);
	va_end(args);
	if (more > 0)
		len += (size_t)more < sizeof line - len - 1 ? (size_t)more : sizeof line - len - 2;
	for (size_t i = 0; i < len; i++) /* one line: what came from outside cannot start another */
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to say it */
}
