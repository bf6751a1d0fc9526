/*
 * output.c - writes a file piece by piece, compressed by its name.
 *
 * Memory is that of one piece, whatever is written. A file that is replaced is truncated at once:
 * after a failure it has the beginning of the new content. Standard output is never compressed, as
 * a pipe does that.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 18 };

enum isx_status output_open(const char *path, bool replace, struct output *output,
			    struct isx_err *err)
{
	bool is_stdout = strcmp(path, "-") == 0;
	*output = (struct output){ .fd = STDOUT_FILENO };
	if (!is_stdout)
		output->fd = open(
			path, O_WRONLY | O_CREAT | O_CLOEXEC | (replace ? O_TRUNC : O_EXCL), 0644);
	if (output->fd < 0 && errno == EEXIST)
		return isx_fail(err, ISX_EXISTS, "%s exists already", path);
	if (output->fd < 0)
		return isx_fail(err, ISX_IO, "%s: %s", path, strerror(errno));
	return isx_packer_new(isx_packing_by_name(path), &output->packer, err);
}

/* Pack what is there, and write it. */
static enum isx_status write_piece(struct output *output, bool is_end, struct isx_err *err)
{
	struct isx_span left = { output->text.ptr, output->text.len };
	enum isx_status st = isx_buf_status(&output->text, err);
	isx_buf_clear(&output->packed);
	if (!st)
		st = isx_packer_add(output->packer, left, is_end, &output->packed, err);
	left = (struct isx_span){ output->packed.ptr, output->packed.len };
	while (!st && left.len) {
		ssize_t done = write(output->fd, left.ptr, left.len);
		/* After EINTR nothing is written, and the loop tries again. */
		if (done < 0 && errno != EINTR)
			st = isx_fail(err, errno == ENOSPC ? ISX_FULL : ISX_IO, "write: %s",
				      strerror(errno));
		left = isx_span_skip(left, done > 0 ? (size_t)done : 0);
	}
	isx_buf_clear(&output->text);
	return st;
}

enum isx_status output_write(struct output *output, struct isx_err *err)
{
	return output->text.len < PIECE_BYTES && !output->text.failed
		       ? ISX_OK
		       : write_piece(output, false, err);
}

/* A pipe and a terminal cannot be synced, which is no fault. */
enum isx_status output_end(struct output *output, struct isx_err *err)
{
	enum isx_status st = write_piece(output, true, err);
	if (!st && output->fd != STDOUT_FILENO && fsync(output->fd) != 0 && errno != EINVAL)
		st = isx_fail(err, ISX_IO, "write: %s", strerror(errno));
	return st;
}

void output_close(struct output *output)
{
	if (output->fd > STDERR_FILENO)
		close(output->fd);
	isx_packer_free(output->packer);
	isx_buf_release(&output->text);
	isx_buf_release(&output->packed);
}
