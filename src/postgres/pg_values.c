/*
 * pg_values.c - values in the binary form of PostgreSQL's protocol: numbers are big-endian.
 *
 * The server's functions *_recv and *_send define the form of each type. An array is five 32-bit
 * numbers (dimensions, whether there may be NULLs, type of the elements, count, first index) and
 * for each element its length (-1: NULL) and bytes. A varbit is a 32-bit count of bits and the
 * bits.
 *
 * Parameters share one growing buffer, so they are kept as offsets until they are sent. A failed
 * allocation is noted in the buffer; isx_buf_status() reports it before the values are sent.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_values.h"

#include <string.h>

/* Append the low `bytes` bytes of a number, most significant first. */
static void put_be(struct isx_buf *buf, uint64_t value, size_t bytes)
{
	uint8_t number[8];
	isx_store_be64(number, value);
	isx_buf_add(buf, number + 8 - bytes, bytes);
}

void isx_pg_add_bytes(struct isx_pg_params *params, const void *bytes, size_t len)
{
	params->starts[params->count] = params->bytes.len;
	params->lengths[params->count++] = (int)len;
	isx_buf_add(&params->bytes, bytes, len);
	isx_buf_char(&params->bytes, '\0'); /* an empty value has an address, too */
}

void isx_pg_add_text(struct isx_pg_params *params, const char *text)
{
	isx_pg_add_bytes(params, text, strlen(text));
}

void isx_pg_add_i64(struct isx_pg_params *params, int64_t value)
{
	uint8_t number[8];
	isx_store_be64(number, (uint64_t)value);
	isx_pg_add_bytes(params, number, sizeof number);
}

void isx_pg_add_f64(struct isx_pg_params *params, double value)
{
	int64_t bits;
	memcpy(&bits, &value, sizeof bits);
	isx_pg_add_i64(params, bits);
}

void isx_pg_add_null(struct isx_pg_params *params)
{
	params->starts[params->count] = params->bytes.len;
	params->lengths[params->count++] = -1;
}

void isx_pg_params_release(struct isx_pg_params *params)
{
	isx_buf_release(&params->bytes);
	*params = (struct isx_pg_params){ 0 };
}

/* The five numbers of a one-dimensional array, and where the count is among them. */
enum { ARRAY_HEADER_BYTES = 20, ARRAY_COUNT_AT = 12 };

void isx_pg_array_open(struct isx_pg_params *params, enum isx_pg_type of)
{
	params->starts[params->count] = params->bytes.len;
	params->lengths[params->count] = 0; /* counts the elements until the array is closed */
	put_be(&params->bytes, 1, 4);       /* dimensions */
	put_be(&params->bytes, 1, 4);       /* there may be NULLs */
	put_be(&params->bytes, (uint64_t)of, 4);
	put_be(&params->bytes, 0, 4); /* the count, set by isx_pg_array_close() */
	put_be(&params->bytes, 1, 4); /* the first index */
}

void isx_pg_array_bytes(struct isx_pg_params *params, const void *bytes, size_t len)
{
	put_be(&params->bytes, len, 4);
	isx_buf_add(&params->bytes, bytes, len);
	params->lengths[params->count]++;
}

void isx_pg_array_i64(struct isx_pg_params *params, int64_t value)
{
	put_be(&params->bytes, 8, 4);
	put_be(&params->bytes, (uint64_t)value, 8);
	params->lengths[params->count]++;
}

void isx_pg_array_f64(struct isx_pg_params *params, double value)
{
	int64_t bits;
	memcpy(&bits, &value, sizeof bits);
	isx_pg_array_i64(params, bits);
}

/* A varbit element; `len` is in bytes. */
void isx_pg_array_bits(struct isx_pg_params *params, const void *bytes, size_t len)
{
	put_be(&params->bytes, len + 4, 4);
	put_be(&params->bytes, len * 8, 4);
	isx_buf_add(&params->bytes, bytes, len);
	params->lengths[params->count]++;
}

void isx_pg_array_null(struct isx_pg_params *params)
{
	put_be(&params->bytes, UINT32_MAX, 4);
	params->lengths[params->count]++;
}

void isx_pg_array_close(struct isx_pg_params *params)
{
	size_t start = params->starts[params->count];
	int elements = params->lengths[params->count];
	if (params->bytes.failed) /* what was composed is incomplete; the caller finds that out */
		return;
	if (elements > 0) {
		isx_store_be32(params->bytes.ptr + start + ARRAY_COUNT_AT, (uint32_t)elements);
	} else { /* an empty array has no dimension, and so no count and index */
		isx_store_be32(params->bytes.ptr + start, 0);
		params->bytes.len = start + ARRAY_COUNT_AT;
	}
	params->lengths[params->count++] = (int)(params->bytes.len - start);
}

struct isx_span isx_pg_field(const PGresult *result, int row, int column)
{
	if (PQgetisnull(result, row, column))
		return (struct isx_span){ 0 };
	return (struct isx_span){ PQgetvalue(result, row, column),
				  (size_t)PQgetlength(result, row, column) };
}

int64_t isx_pg_i64(const PGresult *result, int row, int column)
{
	struct isx_span field = isx_pg_field(result, row, column);
	return field.len == 8 ? (int64_t)isx_load_be64(field.ptr) : 0;
}

double isx_pg_f64(const PGresult *result, int row, int column)
{
	int64_t bits = isx_pg_i64(result, row, column);
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

bool isx_pg_count(const PGresult *result, int row, int column, int64_t *count)
{
	struct isx_span field = isx_pg_field(result, row, column);
	*count = isx_pg_i64(result, row, column);
	return field.len == 8 && *count >= 0 && *count <= ISX_PG_COUNT_MAX;
}

bool isx_pg_bool(const PGresult *result, int row, int column)
{
	struct isx_span field = isx_pg_field(result, row, column);
	return field.len == 1 && field.ptr[0];
}
