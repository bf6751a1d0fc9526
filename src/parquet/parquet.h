/*
 * parquet.h - reads the flat columns of a Parquet file, row by row.
 *
 * Flat columns are those of strings, bytes, whole numbers, floats and bools that are not within a list, a
 * map or a struct. All others (lists, structs, dates, decimals, ...) are not listed. Read are all encodings
 * that the format has for such values (PLAIN, dictionary, RLE of bools, DELTA_BINARY_PACKED,
 * DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT), in data pages of versions 1 and 2, uncompressed or
 * with snappy, gzip or zstd. What else a file has is refused by its name.
 *
 * A file may come from anywhere. All of its footer is checked when it is opened; memory is bounded by
 * ISX_PARQUET_FOOTER_BYTES_MAX and ISX_PARQUET_PAGES_BYTES_MAX, whatever the file announces.
 * Format: https://github.com/apache/parquet-format
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PARQUET_H
#define ISX_PARQUET_H

#include "base/span.h"
#include "base/status.h"

/* An open file; has the position of one reader. */
struct isx_parquet;

enum isx_parquet_kind {
	ISX_PARQUET_NULL, /* of a value: there is none */
	ISX_PARQUET_BOOL,
	ISX_PARQUET_INT,   /* signed */
	ISX_PARQUET_UINT,  /* unsigned */
	ISX_PARQUET_FLOAT, /* of 16, 32 or 64 bits */
	ISX_PARQUET_TEXT,  /* UTF-8 according to the file; not checked */
	ISX_PARQUET_BYTES
};

struct isx_parquet_column {
	const char *name; /* of the file, unique; until isx_parquet_close() */
	enum isx_parquet_kind kind;
	bool is_wanted; /* set by the caller before the first row: others are not read */
};

struct isx_parquet_value {
	enum isx_parquet_kind kind; /* ISX_PARQUET_NULL or that of the column */
	union {
		bool truth;
		int64_t number;
		uint64_t count;
		double real;
		struct isx_span bytes; /* of a TEXT or BYTES: borrowed until the next row */
	};
};

/* Open a file and check its footer.
 *   fd    of a regular file; borrowed until isx_parquet_close()
 *   file  new, isx_parquet_close()
 * ISX_INVALID says what is wrong with the file; ISX_TOO_LARGE which ceiling it exceeds. Messages have no
 * path: the caller adds it. */
ISX_MUST_CHECK enum isx_status isx_parquet_open(int fd, struct isx_parquet **file,
						struct isx_err *err);

/* NULL is allowed. */
void isx_parquet_close(struct isx_parquet *file);

/* The flat columns in the order of the file, to be marked as wanted; at first none is. */
struct isx_parquet_column *isx_parquet_columns(struct isx_parquet *file, size_t *count);

/* The rows that the footer announces. */
uint64_t isx_parquet_rows(const struct isx_parquet *file);

/* Read the next row.
 *   values   filled: one for each column of isx_parquet_columns(); ISX_PARQUET_NULL for those that are
 *            not wanted
 *   has_row  filled: false at the end of the file
 * After a failure, which names the column, nothing more can be read. */
ISX_MUST_CHECK enum isx_status isx_parquet_next(struct isx_parquet *file,
						struct isx_parquet_value *values, bool *has_row,
						struct isx_err *err);

#endif
