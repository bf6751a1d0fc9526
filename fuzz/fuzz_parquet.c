/*
 * fuzz_parquet.c - Parquet files: no crash, never more memory than the ceilings, and no more rows than
 *                  the footer announces.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "parquet/parquet.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Rows that are read of a file: a few bytes can announce 2^32 nulls. */
enum { ROWS_MAX = 10000 };

/* A sum of all bytes of a value: a sanitizer sees each of them being read. */
static unsigned touch(const struct isx_parquet_value *value)
{
	unsigned sum = value->kind;
	bool has_bytes = value->kind == ISX_PARQUET_TEXT || value->kind == ISX_PARQUET_BYTES;
	for (size_t i = 0; has_bytes && i < value->bytes.len; i++)
		sum += (unsigned char)value->bytes.ptr[i];
	return sum;
}

static void read_rows(struct isx_parquet *file)
{
	size_t count;
	uint64_t rows = 0;
	bool has_row = true;
	static volatile unsigned sink;
	struct isx_parquet_column *columns = isx_parquet_columns(file, &count);
	struct isx_parquet_value *values = isx_mem_array(count + 1, sizeof *values);
	for (size_t i = 0; i < count; i++)
		columns[i].is_wanted = true;
	while (values && has_row && rows < ROWS_MAX) {
		struct isx_err err = { 0 };
		enum isx_status st = isx_parquet_next(file, values, &has_row, &err);
		if ((st && (has_row || !err.msg[0])) ||
		    (!st && !has_row && rows != isx_parquet_rows(file)))
			abort();
		rows += has_row;
		for (size_t i = 0; has_row && i < count; i++)
			sink += touch(&values[i]);
	}
	isx_mem_free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct isx_parquet *file;
	struct isx_err err = { 0 };
	int fd = memfd_create("parquet", MFD_CLOEXEC);
	if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (!isx_parquet_open(fd, &file, &err)) {
		read_rows(file);
		isx_parquet_close(file);
	} else if (!err.msg[0]) {
		abort();
	}
	close(fd);
	return 0;
}
