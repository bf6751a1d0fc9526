/*
 * files.c - read, replace and find files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/files.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum isx_status fail_file(struct isx_err *err, const char *path)
{
	return isx_fail(err, errno == ENOENT ? ISX_NOT_FOUND : ISX_IO, "%s: %s", path,
			strerror(errno));
}

enum isx_status files_read(const char *path, struct isx_buf *text, struct isx_err *err)
{
	enum { CHUNK_BYTES = 64 * 1024 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_file(err, path);
	enum isx_status st = ISX_OK;
	for (;;) {
		char *room = isx_buf_reserve(text, CHUNK_BYTES);
		ssize_t got = room ? read(fd, room, CHUNK_BYTES) : 0;
		if (got < 0)
			st = fail_file(err, path);
		if (got <= 0)
			break;
		isx_buf_commit(text, (size_t)got);
	}
	close(fd);
	return st ? st : isx_buf_status(text, err);
}

/* Make the folder that `path` is in, and those above it. */
static enum isx_status make_folder_of(const char *path, struct isx_err *err)
{
	char folder[PATH_MAX];
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
		if (mkdir(folder, 0755) != 0 && errno != EEXIST)
			return fail_file(err, folder);
	}
	return ISX_OK;
}

static bool write_all(int fd, struct isx_span text)
{
	while (text.len) {
		ssize_t done = write(fd, text.ptr, text.len);
		if (done < 0 && errno != EINTR)
			return false;
		text = isx_span_skip(text, done > 0 ? (size_t)done : 0);
	}
	return fsync(fd) == 0;
}

enum isx_status files_replace(const char *path, struct isx_span text, struct isx_err *err)
{
	char made[PATH_MAX];
	enum isx_status st = make_folder_of(path, err);
	if (st)
		return st;
	if (snprintf(made, sizeof made, "%s.%ld", path, (long)getpid()) >= (int)sizeof made)
		return isx_fail(err, ISX_INVALID, "%s: the path is too long", path);
	int fd = open(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_file(err, made);
	bool written = write_all(fd, text);
	if (close(fd) != 0 || !written || rename(made, path) != 0) {
		st = fail_file(err, path);
		unlink(made);
	}
	return st;
}

/* --- finding ---------------------------------------------------------------------------------- */

void files_list_add(struct files_list *list, const char *path)
{
	isx_buf_add(&list->paths, path, strlen(path) + 1);
	list->count++;
}

static int no_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* What follows the first component of a path, "" after the last one. */
static const char *next_component(const char *path)
{
	const char *slash = strchr(path, '/');
	return slash ? slash + 1 : path + strlen(path);
}

static bool is_stars(const char *pattern)
{
	return strncmp(pattern, "**", 2) == 0 && (pattern[2] == '/' || pattern[2] == '\0');
}

static bool component_matches(const char *pattern, const char *path)
{
	char wanted[PATH_MAX], name[PATH_MAX];
	snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(pattern, "/"), pattern);
	snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "/"), path);
	return fnmatch(wanted, name, 0) == 0;
}

/* Match a path with a pattern, component by component; ** stands for any folders, also none. When
 * a component does not match, the last ** takes one folder more. */
static bool path_matches(const char *pattern, const char *path)
{
	const char *after_stars = NULL, *retry = NULL;
	while (*path) {
		if (is_stars(pattern)) {
			pattern = after_stars = next_component(pattern);
			retry = path;
		} else if (*pattern && component_matches(pattern, path)) {
			pattern = next_component(pattern);
			path = next_component(path);
		} else if (after_stars) {
			pattern = after_stars;
			path = retry = next_component(retry);
		} else {
			return false;
		}
	}
	return *pattern == '\0';
}

/* Add the files below `folder` whose path below `root` matches the pattern. */
static void add_below(struct files_list *list, const char *folder, size_t root, const char *pattern)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, no_dots, alphasort);
	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];
		struct stat info;
		int len = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
		if (len < (int)sizeof path && lstat(path, &info) == 0) {
			if (S_ISDIR(info.st_mode))
				add_below(list, path, root, pattern);
			else if (path_matches(pattern, path + root))
				files_list_add(list, path);
		}
		isx_mem_free(entries[i]);
	}
	if (count >= 0)
		isx_mem_free(entries);
}

/* A pattern with **: walk from the folder before the first component with a wildcard. */
static void add_deep(struct files_list *list, const char *pattern)
{
	char folder[PATH_MAX];
	size_t head = strcspn(pattern, "*?[");
	while (head && pattern[head - 1] != '/')
		head--;
	snprintf(folder, sizeof folder, "%.*s", (int)head, pattern);
	for (size_t len = strlen(folder); len > 1 && folder[len - 1] == '/'; len--)
		folder[len - 1] = '\0';
	if (head == 0)
		snprintf(folder, sizeof folder, ".");
	add_below(list, folder, strlen(folder) + 1, pattern + head);
}

enum isx_status files_expand(const char *pattern, struct files_list *list, struct isx_err *err)
{
	struct stat info;
	glob_t found;
	if (stat(pattern, &info) == 0 && S_ISDIR(info.st_mode)) {
		size_t before = list->count;
		add_below(list, pattern, strlen(pattern) + 1, "**/*.iscc.json");
		if (list->count == before)
			add_below(list, pattern, strlen(pattern) + 1, "**/*.json");
	} else if (stat(pattern, &info) == 0) {
		files_list_add(list, pattern);
	} else if (strstr(pattern, "**")) {
		add_deep(list, pattern);
	} else if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			files_list_add(list, found.gl_pathv[i]);
		globfree(&found);
	}
	return isx_buf_status(&list->paths, err);
}

void files_list_release(struct files_list *list)
{
	isx_buf_release(&list->paths);
	list->count = 0;
}

void files_absolute(const char *given, char *path)
{
	char folder[PATH_MAX] = "";
	size_t len = 0;
	if (given[0] != '/' && !getcwd(folder, sizeof folder))
		folder[0] = '\0';
	memcpy(path, folder, strlen(folder) + 1);
	len = strlen(folder) > 1 ? strlen(folder) : 0; /* the root is its slash */
	for (const char *part = given; *part; part = next_component(part)) {
		size_t count = strcspn(part, "/");
		if (count == 0 || (count == 1 && part[0] == '.'))
			continue;
		if (len + 1 + count >= PATH_MAX)
			break;
		path[len++] = '/';
		memcpy(path + len, part, count);
		len += count;
	}
	if (len == 0)
		path[len++] = '/';
	path[len] = '\0';
}
