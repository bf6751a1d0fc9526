/*
 * files.c - reads, replaces and finds files.
 *
 * Messages have no path if the caller knows it: callers add it with their own prefix.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/files.h"

#include "base/array.h"
#include "base/limits.h"
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

/* errno as an error, without the path. */
static enum isx_status fail_system(struct isx_err *err)
{
	return isx_fail(err, errno == ENOENT ? ISX_NOT_FOUND : ISX_IO, "%s", strerror(errno));
}

/* The same with the path, for files that the caller did not name itself. */
static enum isx_status fail_file(struct isx_err *err, const char *path)
{
	enum isx_status st = fail_system(err);
	return isx_err_at(err, st, "%s", path);
}

bool files_is_descriptor(const char *path)
{
	return strcmp(path, "/dev/stdin") == 0 || strncmp(path, "/dev/fd/", 8) == 0 ||
	       strncmp(path, "/proc/self/fd/", 14) == 0;
}

/* A FIFO or a device may block its reader for ever. */
static bool may_open(mode_t mode, enum files_kind kind)
{
	return S_ISREG(mode) || (kind == FILES_ALSO_FIFO && S_ISFIFO(mode));
}

/* Only for modes that may_open() has refused. */
static enum isx_status fail_kind(struct isx_err *err, mode_t mode)
{
	const char *what = S_ISDIR(mode)    ? "a folder"
			   : S_ISFIFO(mode) ? "a FIFO"
			   : S_ISSOCK(mode) ? "a socket"
					    : "a device";
	return isx_fail(err, ISX_IO, "expected a regular file, this is %s", what);
}

enum isx_status files_open(const char *path, enum files_kind kind, int *fd, struct isx_err *err)
{
	struct stat info;
	bool any = files_is_descriptor(path);
	/* The type is checked before opening, because opening some devices has effects, and again
	 * after it, because the name may lead to another file by then. O_NONBLOCK has no effect on
	 * a regular file, but open() does not wait if a FIFO has taken its place. */
	if (stat(path, &info) != 0)
		return fail_system(err);
	if (S_ISDIR(info.st_mode) && access(path, R_OK | X_OK) != 0)
		return fail_system(err);
	if (!any && !may_open(info.st_mode, kind))
		return fail_kind(err, info.st_mode);
	bool waits = any || S_ISFIFO(info.st_mode);
	int opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (waits ? 0 : O_NONBLOCK));
	if (opened < 0)
		return fail_system(err);
	if (!any && (fstat(opened, &info) != 0 || !may_open(info.st_mode, kind))) {
		close(opened);
		return fail_kind(err, info.st_mode);
	}
	*fd = opened;
	return ISX_OK;
}

enum isx_status files_read(const char *path, enum files_kind kind, struct isx_buf *text,
			   struct isx_err *err)
{
	/* The size of a FIFO is unknown, so every file is read until its end. */
	enum { CHUNK_BYTES = 64 * 1024 };
	int fd;
	enum isx_status st = files_open(path, kind, &fd, err);
	if (st)
		return st;
	for (;;) {
		char *room = isx_buf_reserve(text, CHUNK_BYTES);
		ssize_t got = room ? read(fd, room, CHUNK_BYTES) : 0;
		if (got < 0)
			st = fail_system(err);
		if (got <= 0)
			break;
		isx_buf_commit(text, (size_t)got);
		if (text->len > ISX_FILE_BYTES_MAX) {
			st = isx_fail(err, ISX_TOO_LARGE, "larger than %d MiB",
				      ISX_FILE_BYTES_MAX >> 20);
			break;
		}
	}
	close(fd);
	return st ? st : isx_buf_status(text, err);
}

enum isx_status files_make_folder_of(const char *path, struct isx_err *err)
{
	char folder[PATH_MAX];
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
		if (mkdir(folder, 0755) != 0 && errno != EEXIST)
			return fail_file(err, folder);
	}
	return ISX_OK;
}

/* Includes fsync(): rename() must not publish a file whose content is not on disk. */
static bool write_all(int fd, struct isx_span text)
{
	while (text.len) {
		ssize_t done = write(fd, text.ptr, text.len);
		/* After EINTR nothing is written, and the loop tries again. */
		if (done < 0 && errno != EINTR)
			return false;
		text = isx_span_skip(text, done > 0 ? (size_t)done : 0);
	}
	return fsync(fd) == 0;
}

/* The file behind `path`, `real` (filled, PATH_MAX): `path` itself, or the target of a link. */
static enum isx_status follow_link(const char *path, char *real, struct isx_err *err)
{
	struct stat info;
	if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode))
		return realpath(path, real) ? ISX_OK : fail_file(err, path);
	if (snprintf(real, PATH_MAX, "%s", path) >= PATH_MAX)
		return isx_fail(err, ISX_INVALID, "%s: the path is too long", path);
	return ISX_OK;
}

/* On failure the new file is removed, and the old one is unchanged. */
enum isx_status files_replace(const char *path, struct isx_span text, struct isx_err *err)
{
	char real[PATH_MAX], made[PATH_MAX];
	enum isx_status st = files_make_folder_of(path, err);
	if (!st)
		st = follow_link(path, real, err);
	if (st)
		return st;
	if (snprintf(made, sizeof made, "%s.XXXXXX", real) >= (int)sizeof made)
		return isx_fail(err, ISX_INVALID, "%s: the path is too long", path);
	int fd = mkostemp(made, O_CLOEXEC); /* O_EXCL, mode 0600, and an unpredictable name */
	if (fd < 0)
		return fail_file(err, path);
	bool written = write_all(fd, text);
	/* close() may change errno */
	int cause = errno;
	bool closed = close(fd) == 0;
	if (!written)
		errno = cause;
	if (!written || !closed || rename(made, real) != 0) {
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

/* The path behind its first component; "" behind the last one. */
static const char *next_component(const char *path)
{
	const char *slash = strchr(path, '/');
	return slash ? slash + 1 : path + strlen(path);
}

/* "**" counts only as a whole component, as in the glob of Python; in "a**b" it is two "*". */
static bool is_stars(const char *pattern)
{
	return strncmp(pattern, "**", 2) == 0 && (pattern[2] == '/' || pattern[2] == '\0');
}

/* fnmatch() wants terminated texts, so both components are copied. */
static bool component_matches(const char *pattern, const char *path)
{
	char wanted[PATH_MAX], name[PATH_MAX];
	snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(pattern, "/"), pattern);
	snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "/"), path);
	return fnmatch(wanted, name, 0) == 0;
}

/* Match a path with a pattern, component by component; ** matches any number of folders, also none.
 * If a component does not match, the last ** takes one more folder. Only the last one has to be
 * retried: an earlier ** has matched as little as possible. So the time is at most quadratic. */
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

/* A walk through folders. All levels share one path: PATH_MAX bytes per level would exhaust the
 * stack in a deep tree. */
struct walk {
	struct files_list *list;
	const char *pattern; /* for what follows the first `root` bytes of the path */
	size_t root;
	char path[PATH_MAX];
};

/* The entries of a folder: names, each behind its type (DT_...), and where they begin. */
struct entries {
	struct isx_buf names;
	size_t *starts;
	size_t count, room;
};

static bool add_entry(struct entries *entries, const struct dirent *entry)
{
	const char *name = entry->d_name;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	if (isx_array_room(&entries->starts, &entries->room, entries->count + 1,
			   sizeof *entries->starts, NULL, NULL))
		return false;
	entries->starts[entries->count++] = entries->names.len;
	isx_buf_char(&entries->names, (char)entry->d_type);
	isx_buf_add(&entries->names, name, strlen(name) + 1);
	return !entries->names.failed;
}

static int compare_entries(const void *a, const void *b, void *names)
{
	const char *text = names;
	return strcmp(text + *(const size_t *)a + 1, text + *(const size_t *)b + 1);
}

static void release_entries(struct entries *entries)
{
	isx_buf_release(&entries->names);
	isx_mem_free(entries->starts);
}

/* Read a folder, sorted by name. Not scandir(): a folder may have a million files, and for each of
 * them that allocates a struct of some 50 bytes beside its name. False with errno. */
static bool read_entries(const char *path, struct entries *entries)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	bool good = folder != NULL;
	*entries = (struct entries){ 0 };
	while (good && (errno = 0, entry = readdir(folder))) {
		good = add_entry(entries, entry);
		if (!good)
			errno = ENOMEM;
	}
	int cause = errno;
	if (folder)
		closedir(folder);
	errno = cause;
	good = good && !cause;
	if (!good)
		entries->count = 0;
	if (entries->count)
		qsort_r(entries->starts, entries->count, sizeof *entries->starts, compare_entries,
			entries->names.ptr);
	return good;
}

/* Not of every file system is the type in the entry of the folder. */
static bool is_folder(const char *path, unsigned char type)
{
	struct stat info;
	return type == DT_DIR ||
	       (type == DT_UNKNOWN && lstat(path, &info) == 0 && S_ISDIR(info.st_mode));
}

/* Add the files below the folder `walk->path` whose path below the root matches. Links to folders
 * are not followed, so the walk ends. A folder that cannot be listed is added itself: opening it
 * reports the error. */
static void add_below(struct walk *walk)
{
	struct entries entries;
	size_t len = strlen(walk->path);
	if (!read_entries(walk->path, &entries) && errno != ENOENT && errno != ENOTDIR)
		files_list_add(walk->list, walk->path);
	for (size_t i = 0; i < entries.count; i++) {
		const char *entry = entries.names.ptr + entries.starts[i];
		int added = snprintf(walk->path + len, sizeof walk->path - len, "/%s", entry + 1);
		if (added < (int)(sizeof walk->path - len)) {
			if (is_folder(walk->path, (unsigned char)entry[0]))
				add_below(walk);
			else if (path_matches(walk->pattern, walk->path + walk->root))
				files_list_add(walk->list, walk->path);
		}
		walk->path[len] = '\0';
	}
	release_entries(&entries);
}

/* A path that is too long for this system cannot exist, so it adds nothing. */
static void add_folder(struct files_list *list, const char *folder, const char *pattern)
{
	struct walk walk = { .list = list, .pattern = pattern, .root = strlen(folder) + 1 };
	if (snprintf(walk.path, sizeof walk.path, "%s", folder) < (int)sizeof walk.path)
		add_below(&walk);
}

/* A pattern with **: walk from the folder in front of the first component with a wildcard. */
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
	add_folder(list, folder, pattern + head);
}

/* A name that exists is taken literally, even if it contains wildcards. */
enum isx_status files_expand(const char *pattern, struct files_list *list, struct isx_err *err)
{
	struct stat info;
	glob_t found;
	/* A folder is scanned twice at most: *.json only if there is no *.iscc.json. */
	if (stat(pattern, &info) == 0 && S_ISDIR(info.st_mode)) {
		size_t before = list->count;
		add_folder(list, pattern, "**/*.iscc.json");
		if (list->count == before)
			add_folder(list, pattern, "**/*.json");
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

/* Removes "." and doubled slashes, but keeps "..": resolving it needs the file, which may not
 * exist. */
void files_absolute(const char *given, char *path)
{
	char folder[PATH_MAX] = "";
	size_t len = 0;
	if (given[0] != '/' && !getcwd(folder, sizeof folder))
		folder[0] = '\0';
	memcpy(path, folder, strlen(folder) + 1);
	len = strlen(folder) > 1 ? strlen(folder)
				 : 0; /* "/" has no name behind which to add a slash */
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
