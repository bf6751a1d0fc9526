/*
 * spool.h - the body of a request that is read line by line and may be larger than memory: what does
 *           not fit into a small buffer waits in a file without a name.
 *
 * A client that sends a million lines mostly reads nothing until it has sent the last one. So lines are
 * not answered while they arrive: either side would wait for the other one.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_HTTP_SPOOL_H
#define ISX_HTTP_SPOOL_H

#include "http/packing.h"

struct isx_spool {
	const char *directory; /* of the file; borrowed */
	int fd;                /* -1: everything is in memory */
	struct isx_buf bytes;  /* not written to the file yet; then, those that were read from it */
	size_t at;             /* in `bytes`: the next line begins here */
	bool is_marked;        /* `bytes` keeps what is behind the mark: isx_spool_rewind() */
	size_t mark;           /* in `bytes` */
	bool mark_has_read;    /* has_read at the mark */
	/* How the body is packed: may be set before the first line is read. The file has the bytes as
	 * they were sent. */
	enum isx_packing packing;
	struct isx_unpacker *unpacker;
	struct isx_buf packed;                 /* bytes of a packed body that were read */
	struct isx_span to_unpack;             /* the rest of them */
	uint64_t packed_bytes, unpacked_bytes; /* so far */
	/* May be set before the first line is read. Asked whether to go on where more bytes come without
	 * a line than any line has: a small packed body may unpack to gigabytes of line ends. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	void *cancel_arg;
	uint64_t without_line; /* bytes that were read since the last line */
	bool is_reading;
	bool has_read; /* the first line, before which a byte order mark may stand */
};

/* Begin to write.
 *   directory  borrowed until the spool is closed
 *   quota      asked for memory, of which a spool takes little; borrowed, may be NULL */
void isx_spool_begin(struct isx_spool *spool, const char *directory, struct isx_quota *quota);

/* Append bytes, in memory. */
ISX_MUST_CHECK enum isx_status isx_spool_add(struct isx_spool *spool, const char *bytes, size_t len,
					     struct isx_err *err);

/* Is it time for isx_spool_flush()? */
bool isx_spool_is_due(const struct isx_spool *spool);

/* Write to the file what is in memory. May wait for the disk.
 * ISX_FULL: the disk is full. */
ISX_MUST_CHECK enum isx_status isx_spool_flush(struct isx_spool *spool, struct isx_err *err);

/* The next line that is not blank, without its end and the blanks around it; an empty span at the end of
 * the body. The first call ends the writing.
 *   line  borrowed until the next call
 * ISX_TOO_LARGE: this line is longer than ISX_LINE_BYTES_MAX; the next call gets the one after it.
 * ISX_INVALID: the body cannot be unpacked from here on. What cancel_check() fails with is passed on. */
ISX_MUST_CHECK enum isx_status isx_spool_line(struct isx_spool *spool, struct isx_span *line,
					      struct isx_err *err);

/* Keep the lines from here on in memory, for isx_spool_rewind(). The mark before is forgotten. */
void isx_spool_mark(struct isx_spool *spool);

/* Read again from the mark on. False: too much was read since to be kept, more than 2 MiB or a line that is
 * too long; nothing has changed then. */
ISX_MUST_CHECK bool isx_spool_rewind(struct isx_spool *spool);

/* Free everything. Also of a spool that is `{ 0 }`. */
void isx_spool_close(struct isx_spool *spool);

#endif
