/*
 * pg_values.h - parameters of statements and fields of results, in PostgreSQL's binary form.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_VALUES_H
#define ISX_PG_VALUES_H

#include "base/buf.h"
#include "base/limits.h"

#include <libpq-fe.h>

enum { ISX_PG_PARAMS_MAX = 8 };

/* The parameters of one statement; `{ 0 }` has none. Value i is lengths[i] bytes at starts[i] of
 * `bytes`. A failed allocation is kept in `bytes`: isx_buf_status() tells it, at the latest when
 * they are sent. */
struct isx_pg_params {
	struct isx_buf bytes;
	int count;
	size_t starts[ISX_PG_PARAMS_MAX];
	int lengths[ISX_PG_PARAMS_MAX]; /* -1: null */
};

/* Append the next parameter: $1 first. Values are copied. End with isx_pg_params_release(), which
 * leaves an empty list that may be used again. */
void isx_pg_add_bytes(struct isx_pg_params *params, const void *bytes, size_t len);
void isx_pg_add_text(struct isx_pg_params *params, const char *text);
void isx_pg_add_i64(struct isx_pg_params *params, int64_t value);
void isx_pg_add_f64(struct isx_pg_params *params, double value);
void isx_pg_add_null(struct isx_pg_params *params);
void isx_pg_params_release(struct isx_pg_params *params);

/* Append an array: open it, append elements of the one type `of`, close it. The values of the
 * enum are PostgreSQL's numbers of the types (pg_type.oid). */
enum isx_pg_type {
	ISX_PG_INT8 = 20,
	ISX_PG_BYTEA = 17,
	ISX_PG_TEXT = 25,
	ISX_PG_JSON = 114,
	ISX_PG_FLOAT8 = 701,
	ISX_PG_VARBIT = 1562
};
void isx_pg_array_open(struct isx_pg_params *params, enum isx_pg_type of);
void isx_pg_array_bytes(struct isx_pg_params *params, const void *bytes, size_t len);
void isx_pg_array_i64(struct isx_pg_params *params, int64_t value);
void isx_pg_array_f64(struct isx_pg_params *params, double value);
void isx_pg_array_bits(struct isx_pg_params *params, const void *bytes, size_t len);
void isx_pg_array_null(struct isx_pg_params *params);
void isx_pg_array_close(struct isx_pg_params *params);

/* A field of a result in binary form. NULL, and a field whose length is not that of the type,
 * are an empty span, 0 or false: rows are data from outside that an administrator may have
 * changed. The span is borrowed from the result. */
struct isx_span isx_pg_field(const PGresult *result, int row, int column);
int64_t isx_pg_i64(const PGresult *result, int row, int column);
double isx_pg_f64(const PGresult *result, int row, int column);
bool isx_pg_bool(const PGresult *result, int row, int column);

/* Read a number that counts something. False if it is NULL or not in 0 to ISX_PG_COUNT_MAX, a
 * range in which sums of counts do not overflow. */
bool isx_pg_count(const PGresult *result, int row, int column, int64_t *count);

#endif
