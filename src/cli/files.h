/*
 * files.h - read, replace and find files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_FILES_H
#define ISX_FILES_H

#include "base/buf.h"

/* What may be opened: a FIFO or a device may make whoever reads it wait for ever. */
enum files_kind { FILES_REGULAR, FILES_ALSO_FIFO };

/* Does `path` name a descriptor that this process was given: /dev/stdin, /dev/fd/N or
 * /proc/self/fd/N? Such a one may be opened whatever it leads to. */
bool files_is_descriptor(const char *path);

/* Open a file to read it.
 *   fd  new, close it
 * ISX_NOT_FOUND, or ISX_IO: the system's reason, or what is there instead of a file; the caller says
 * which file that is. */
ISX_MUST_CHECK enum isx_status files_open(const char *path, enum files_kind kind, int *fd,
					  struct isx_err *err);

/* Append the content of a file. Fails as files_open() does; ISX_TOO_LARGE above ISX_FILE_BYTES_MAX. */
ISX_MUST_CHECK enum isx_status files_read(const char *path, enum files_kind kind,
					  struct isx_buf *text, struct isx_err *err);

/* Write a file in one step, making its folder if need be: a new one, under a name that nothing has, is
 * renamed over it. Where `path` is a link, the link stays and what it leads to is replaced. Only its
 * owner may read the file: it may hold keys. On failure the old one is as it was. */
ISX_MUST_CHECK enum isx_status files_replace(const char *path, struct isx_span text,
					     struct isx_err *err);

/* Paths, one after the other with a NUL each. */
struct files_list {
	struct isx_buf paths;
	size_t count;
};

/* Add what `pattern` stands for, in the order of names: a file; a folder: every *.iscc.json below
 * it, or else every *.json; or a glob, in which ** stands for any folders. None is no error. Whether
 * each can be read is seen when it is opened; so a folder that cannot be listed is added itself. */
ISX_MUST_CHECK enum isx_status files_expand(const char *pattern, struct files_list *list,
					    struct isx_err *err);

/* Add a path (copied). Ask isx_buf_status(&list->paths) whether there was memory. */
void files_list_add(struct files_list *list, const char *path);
void files_list_release(struct files_list *list);

/* The absolute form of a path, `path` (filled, PATH_MAX); the file need not be there. */
void files_absolute(const char *given, char *path);

#endif
