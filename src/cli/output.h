/*
 * output.h - a file, or standard output, that is written piece by piece, compressed by its name.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CLI_OUTPUT_H
#define ISX_CLI_OUTPUT_H

#include "base/buf.h"
#include "http/packing.h"

struct output {
	int fd;
	struct isx_packer *packer;
	struct isx_buf text;   /* appended by the caller; written when it is large */
	struct isx_buf packed; /* what the packer has made of it */
};

/* Open a file for writing; "-" is standard output, as it is. A name that ends in .gz or .zst is
 * compressed. Close it also on failure.
 *   replace  an existing file is replaced; without it ISX_EXISTS */
ISX_MUST_CHECK enum isx_status output_open(const char *path, bool replace, struct output *output,
					   struct isx_err *err);

/* Write output->text if it is large. Call after each line. */
ISX_MUST_CHECK enum isx_status output_write(struct output *output, struct isx_err *err);

/* Write the rest, and wait until a file is on disk. */
ISX_MUST_CHECK enum isx_status output_end(struct output *output, struct isx_err *err);
void output_close(struct output *output);

#endif
