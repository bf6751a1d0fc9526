/*
 * buf.h - a growing byte buffer.
 *
 * Appending never reports: a buffer that ran out of memory drops what follows and stays *failed*,
 * and the writer asks once, at the end, with isx_buf_status(). So composing code has no error
 * paths.
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
	struct isx_quota *quota; /* asked before it grows; NULL: nobody. Borrowed */
};

/* Append bytes, a text, a character, or what printf would print. */
void isx_buf_add(struct isx_buf *buf, const void *bytes, size_t len);
void isx_buf_text(struct isx_buf *buf, const char *text);
void isx_buf_char(struct isx_buf *buf, char c);
void isx_buf_printf(struct isx_buf *buf, const char *format, ...) ISX_PRINTF(2, 3);

/* Room for `len` more bytes at the end, or NULL; they count once isx_buf_commit() says so. */
char *isx_buf_reserve(struct isx_buf *buf, size_t len);
void isx_buf_commit(struct isx_buf *buf, size_t len);

/* ISX_OK, or, if any append was dropped, ISX_NO_MEMORY or what the quota said. */
ISX_MUST_CHECK enum isx_status isx_buf_status(const struct isx_buf *buf, struct isx_err *err);

/* Forget the content, keep the memory; clears `failed`. */
void isx_buf_clear(struct isx_buf *buf);

/* The content as a new terminated text, free with isx_mem_free(); NULL if it failed. Leaves the
 * buffer empty; its quota stays. */
char *isx_buf_take(struct isx_buf *buf);

/* Give back the memory that the content, and a NUL behind it, do not need. Asks no quota. */
void isx_buf_trim(struct isx_buf *buf);

/* Free its memory; the buffer is empty and usable again, with the same quota. */
void isx_buf_release(struct isx_buf *buf);

#endif
