/*
 * parquet_parts.h - what the files of this room share: the schema, a chunk of a column, and the reader of
 *                   a column.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PARQUET_PARTS_H
#define ISX_PARQUET_PARTS_H

#include "base/mem.h"
#include "parquet/bit_runs.h"
#include "parquet/codec.h"
#include "parquet/delta.h"
#include "parquet/parquet.h"
#include "parquet/thrift.h"

/* How values are stored, by the numbers of the format. */
enum isx_physical {
	ISX_PHYSICAL_BOOL = 0,
	ISX_PHYSICAL_INT32 = 1,
	ISX_PHYSICAL_INT64 = 2,
	ISX_PHYSICAL_INT96 = 3,
	ISX_PHYSICAL_FLOAT = 4,
	ISX_PHYSICAL_DOUBLE = 5,
	ISX_PHYSICAL_BYTES = 6,
	ISX_PHYSICAL_FIXED = 7
};

/* A leaf of the schema, which has a chunk in each row group. */
struct isx_leaf {
	const char *name;
	enum isx_physical physical;
	enum isx_parquet_kind
		kind;     /* ISX_PARQUET_NULL: it is not flat, or not of a kind that is read */
	bool is_optional; /* values may be null: pages have definition levels */
	/* Of any of its chunks; isx_leaf_check() refuses the column if one cannot be read. */
	bool is_encrypted;
	bool is_elsewhere; /* in another file */
	int64_t codec;     /* one that is not read, or 0 */
};

/* ISX_INVALID if the values of the column cannot be read, and why. Asked of columns that are wanted alone: one of pictures that
 * is not read may be compressed or encrypted in any way. */
ISX_MUST_CHECK enum isx_status isx_leaf_check(const struct isx_leaf *leaf, struct isx_err *err);

/* The values of a column in one row group. */
struct isx_column_chunk {
	enum isx_codec codec;
	uint64_t begin, end; /* of its pages in the file */
};

/* The footer of a file, checked. Everything lives in its arena. */
struct isx_footer {
	struct isx_arena arena;
	struct isx_leaf *leaves;
	size_t leaf_count;
	uint64_t rows;
	uint64_t data_end;        /* where the footer begins */
	struct isx_thrift groups; /* at the next row group */
	size_t groups_left;
};

/* Read and check the footer of a file of `size` bytes, all row groups included. Release it also on
 * failure, by its arena. */
ISX_MUST_CHECK enum isx_status isx_footer_read(int fd, uint64_t size, struct isx_footer *footer,
					       struct isx_err *err);

/* Step to the next row group, of which there must be one.
 *   chunks  filled: one for each leaf; only those of leaves with a kind */
ISX_MUST_CHECK enum isx_status isx_footer_next_group(struct isx_footer *footer,
						     struct isx_column_chunk *chunks,
						     uint64_t *rows, struct isx_err *err);

/* Read exactly `len` bytes at `offset`. ISX_INVALID: the file is shorter. */
ISX_MUST_CHECK enum isx_status isx_parquet_read_at(int fd, uint64_t offset, void *bytes, size_t len,
						   struct isx_err *err);

/* Memory that grows to the largest page. */
struct isx_page_room {
	uint8_t *bytes;
	size_t cap;
};

/* The bytes that all readers of a file may still take for pages. */
struct isx_page_budget {
	size_t left;
	struct isx_page_room
		packed; /* the compressed page that is being read; shared by all columns */
};

/* How the values of a page are stored. */
enum isx_layout {
	ISX_LAYOUT_PLAIN,
	ISX_LAYOUT_INDEXED, /* indexes into the dictionary */
	ISX_LAYOUT_RUNS,    /* runs of bools */
	ISX_LAYOUT_DELTAS,  /* differences of whole numbers */
	ISX_LAYOUT_TEXTS,   /* lengths of texts, as differences, and behind them all texts */
	ISX_LAYOUT_SUFFIXES, /* the same, of what follows a beginning that a text shares with the one before */
	ISX_LAYOUT_STREAMS /* the first bytes of all values, then their second bytes, ... */
};

/* Reads the values of one column, page by page. */
struct isx_column_reader {
	int fd;
	const struct isx_leaf *leaf;
	struct isx_page_budget *budget; /* borrowed */
	struct isx_column_chunk chunk;  /* from the next page on */
	uint64_t rows_left;             /* of the chunk, without those of this page */
	struct isx_page_room dictionary, page;
	struct isx_page_room offsets; /* of texts in the dictionary: uint32_t */
	struct isx_span entries;      /* of the dictionary, as it stands in the file */
	size_t entry_count;
	uint32_t page_rows; /* left of this page */
	enum isx_layout layout;
	struct isx_bit_runs levels, runs;
	struct isx_delta deltas;   /* whole numbers, or lengths of texts */
	struct isx_delta prefixes; /* bytes that a text shares with the one before it */
	struct isx_page_room text; /* the last text of ISX_LAYOUT_SUFFIXES */
	size_t text_len;
	struct isx_span plain; /* values that are left of this page; of ISX_LAYOUT_STREAMS, all */
	size_t stream_at;      /* the next value of ISX_LAYOUT_STREAMS */
	unsigned bit;          /* of plain bools: the next one in the first byte of `plain` */
};

/* Start to read a chunk of `rows` values. */
void isx_column_begin(struct isx_column_reader *column, const struct isx_column_chunk *chunk,
		      uint64_t rows);

/* Read the next value; the caller has counted the rows.
 *   value  filled; bytes are borrowed until the next call */
ISX_MUST_CHECK enum isx_status isx_column_next(struct isx_column_reader *column,
					       struct isx_parquet_value *value,
					       struct isx_err *err);
void isx_column_release(struct isx_column_reader *column);

#endif
