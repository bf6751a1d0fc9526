/*
 * buf.h - a growing byte buffer.
 *
 * Appending reports nothing: a buffer that cannot grow drops what follows and stays *failed*, and
 * the caller checks once, at the end, with isx_buf_status(). So code that composes text has no
 * error paths.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_BUF_H
#define ISX_BUF_H

#include "base/mem.h"
#include "base/span.h"
#include "base/status.h"

/* `{ 0 }` is an empty buffer. */
struct isx_buf {
	char *ptr;
	size_t len;
	size_t cap;
	bool failed;
	struct isx_quota *quota; /* asked before the buffer grows; NULL: no ceiling. Borrowed */
};

/* Append bytes, a text, a character, or what printf would print. */
void isx_buf_add(struct isx_buf *buf, const void *bytes, size_t len);
void isx_buf_text(struct isx_buf *buf, const char *text);
void isx_buf_char(struct isx_buf *buf, char c);
void isx_buf_printf(struct isx_buf *buf, const char *format, ...) ISX_PRINTF(2, 3);

/* Make room for `len` more bytes at the end and return its address, or NULL. The caller writes
 * there and calls isx_buf_commit() with the number of bytes written. The address is valid until
 * the next append. */
char *isx_buf_reserve(struct isx_buf *buf, size_t len);
void isx_buf_commit(struct isx_buf *buf, size_t len);

/* ISX_OK if every append succeeded; otherwise ISX_NO_MEMORY, or the error of the quota. */
ISX_MUST_CHECK enum isx_status isx_buf_status(const struct isx_buf *buf, struct isx_err *err);

/* Drop the content and clear `failed`; the memory stays for the next content. */
void isx_buf_clear(struct isx_buf *buf);

/* The content as a new terminated text, free with isx_mem_free(); NULL if the buffer has failed.
 * Leaves the buffer empty; its quota stays. */
char *isx_buf_take(struct isx_buf *buf);

/* Shrink the memory to the content and a NUL behind it. The quota is neither asked nor told. */
void isx_buf_trim(struct isx_buf *buf);

/* Free its memory; the buffer is empty and usable again, with the same quota. */
void isx_buf_release(struct isx_buf *buf);

#endif
