/*
 * web_files.h - the files of web/, embedded into the program.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_WEB_FILES_H
#define ISX_WEB_FILES_H

#include "base/span.h"

struct isx_web_file {
	const char *path; /* below web/ */
	const char *content_type;
	const char *start;
	const char *end;
};

/* The file called `name` in `folder` ("" or with a slash at its end), or NULL. */
const struct isx_web_file *isx_web_file_find(const char *folder, const char *name);

#endif
