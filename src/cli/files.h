/*
 * files.h - read, replace and find files.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_FILES_H
#define ISX_FILES_H

#include "base/buf.h"

/* Append the content of a file. ISX_NOT_FOUND, or ISX_IO with the system's reason. */
ISX_MUST_CHECK enum isx_status files_read(const char *path, struct isx_buf *text,
					  struct isx_err *err);

/* Write a file in one step (a new one renamed over it), making its folder if need be. Only its
 * owner may read it: it may hold keys. */
ISX_MUST_CHECK enum isx_status files_replace(const char *path, struct isx_span text,
					     struct isx_err *err);

/* Paths, one after the other with a NUL each. */
struct files_list {
	struct isx_buf paths;
	size_t count;
};

/* Add what `pattern` stands for, in the order of names: a file; a folder: every *.iscc.json below
 * it, or else every *.json; or a glob, in which ** stands for any folders. None is no error. */
ISX_MUST_CHECK enum isx_status files_expand(const char *pattern, struct files_list *list,
					    struct isx_err *err);

/* Add a path (copied). Ask isx_buf_status(&list->paths) whether there was memory. */
void files_list_add(struct files_list *list, const char *path);
void files_list_release(struct files_list *list);

/* The absolute form of a path, `path` (filled, PATH_MAX); the file need not be there. */
void files_absolute(const char *given, char *path);

#endif
