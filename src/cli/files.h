/*
 * files.h - reads, replaces and finds files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_FILES_H
#define ISX_FILES_H

#include "base/buf.h"

/* What may be opened. A FIFO may block its reader for ever, so only names that the user gives may
 * be one. */
enum files_kind { FILES_REGULAR, FILES_ALSO_FIFO };

/* Does `path` name a descriptor that this process was given: /dev/stdin, /dev/fd/N or
 * /proc/self/fd/N? Such a file may be opened whatever its type is. */
bool files_is_descriptor(const char *path);

/* Open a file to read it.
 *   fd  new, close it
 * ISX_NOT_FOUND, or ISX_IO with the error of the system or the type of the file. The message has no
 * path: the caller adds it. */
ISX_MUST_CHECK enum isx_status files_open(const char *path, enum files_kind kind, int *fd,
					  struct isx_err *err);

/* Append the content of a file. Fails as files_open() does; ISX_TOO_LARGE above
 * ISX_FILE_BYTES_MAX. */
ISX_MUST_CHECK enum isx_status files_read(const char *path, enum files_kind kind,
					  struct isx_buf *text, struct isx_err *err);

/* Create the folder of the file `path`, and those above it, as far as they are missing. */
ISX_MUST_CHECK enum isx_status files_make_folder_of(const char *path, struct isx_err *err);

/* Replace a file atomically, creating its folder if needed: a new file with an unused name is
 * written, synced, and renamed. If `path` is a link, its target is replaced. The mode is 0600,
 * because the file may contain keys. On failure the old file is unchanged. */
ISX_MUST_CHECK enum isx_status files_replace(const char *path, struct isx_span text,
					     struct isx_err *err);

/* Paths, one behind the other, each with a NUL. */
struct files_list {
	struct isx_buf paths;
	size_t count;
};

/* Add the files of `pattern`, sorted by name: a file; a folder: every *.iscc.json below it, or else
 * every *.json; or a glob, in which ** matches any number of folders. No match is no error. Files
 * are not opened here, so a folder that cannot be listed is added itself, and opening it reports
 * the error. */
ISX_MUST_CHECK enum isx_status files_expand(const char *pattern, struct files_list *list,
					    struct isx_err *err);

/* Add a path, which is copied. Check isx_buf_status(&list->paths) afterwards for a lack of
 * memory. */
void files_list_add(struct files_list *list, const char *path);
void files_list_release(struct files_list *list);

/* The absolute form of a path, `path` (filled, PATH_MAX); the file need not be there. */
void files_absolute(const char *given, char *path);

#endif
