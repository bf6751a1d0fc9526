/*
 * buf.c - a growing byte buffer: the capacity doubles, so that appending n bytes costs O(n).
 *
 * One thread at a time uses a buffer; only its quota may be shared.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_BYTES = 256 }; /* holds most log lines and short answers without growing */

/* The only place that allocates, asks the quota, and sets `failed` for want of room. A failed
 * buffer keeps its content: the caller may still want to log it, and releases it as usual. */
char *isx_buf_reserve(struct isx_buf *buf, size_t len)
{
	size_t need;
	if (buf->failed)
		return NULL;
	if (__builtin_add_overflow(buf->len, len, &need)) {
		buf->failed = true;
		return NULL;
	}
	if (need > buf->cap) {
		size_t cap = buf->cap > FIRST_BYTES / 2 ? buf->cap * 2 : FIRST_BYTES;
		if (cap < need)
			cap = need;
		/* The quota counts growth only; the old block is free again when realloc()
		 * moves. */
		char *grown = isx_quota_allows(buf->quota, cap - buf->cap)
				      ? isx_mem_resize(buf->ptr, cap, 1)
				      : NULL;
		if (!grown) {
			buf->failed = true;
			return NULL;
		}
		buf->ptr = grown;
		buf->cap = cap;
	}
	return buf->ptr + buf->len;
}

void isx_buf_commit(struct isx_buf *buf, size_t len)
{
	buf->len += len;
}

void isx_buf_add(struct isx_buf *buf, const void *bytes, size_t len)
{
	char *room = len ? isx_buf_reserve(buf, len) : NULL; /* `bytes` may be NULL when len is 0 */
	if (room) {
		memcpy(room, bytes, len);
		buf->len += len;
	}
}

void isx_buf_text(struct isx_buf *buf, const char *text)
{
	isx_buf_add(buf, text, strlen(text));
}

void isx_buf_char(struct isx_buf *buf, char c)
{
	isx_buf_add(buf, &c, 1);
}

/* Formats twice, to measure and to write: the arguments are short, and a second pass costs less
 * than a guess that is wrong. */
void isx_buf_printf(struct isx_buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	/* vsnprintf() writes a NUL behind the text; it is overwritten by what is appended next. */
	char *room = len < 0 ? NULL : isx_buf_reserve(buf, (size_t)len + 1);
	if (!room) {
		buf->failed = true;
		return;
	}
	va_start(args, format);
	vsnprintf(room, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
}

enum isx_status isx_buf_status(const struct isx_buf *buf, struct isx_err *err)
{
	return buf->failed ? isx_quota_fail(buf->quota, err) : ISX_OK;
}

void isx_buf_clear(struct isx_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

/* The text owns the memory from here on; a failed buffer is released, so that callers need no
 * branch. */
char *isx_buf_take(struct isx_buf *buf)
{
	isx_buf_char(buf, '\0');
	char *text = buf->failed ? NULL : buf->ptr;
	if (text)
		*buf = (struct isx_buf){ .quota = buf->quota };
	else
		isx_buf_release(buf);
	return text;
}

void isx_buf_trim(struct isx_buf *buf)
{
	size_t cap = buf->len + 1; /* with the NUL that isx_buf_take() appends */
	char *trimmed = buf->ptr && buf->cap != cap ? isx_mem_resize(buf->ptr, cap, 1) : NULL;
	if (trimmed) {
		buf->ptr = trimmed;
		buf->cap = cap;
	}
}

void isx_buf_release(struct isx_buf *buf)
{
	isx_mem_free(buf->ptr);
	*buf = (struct isx_buf){ .quota = buf->quota };
}
