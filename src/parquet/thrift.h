/*
 * thrift.h - reads the compact protocol of Apache Thrift, in which Parquet writes its footer and page
 *            headers.
 *
 * The bytes come from outside: every read is checked against their end. A reader that has failed stays
 * failed and returns zeros, so a caller checks once, behind a whole structure.
 * Format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_THRIFT_H
#define ISX_THRIFT_H

#include "base/span.h"

/* Types of fields and of elements. The value of a bool field is its type. */
enum isx_thrift_type {
	ISX_THRIFT_TRUE = 1,
	ISX_THRIFT_FALSE = 2,
	ISX_THRIFT_I8 = 3,
	ISX_THRIFT_I16 = 4,
	ISX_THRIFT_I32 = 5,
	ISX_THRIFT_I64 = 6,
	ISX_THRIFT_DOUBLE = 7,
	ISX_THRIFT_BINARY = 8,
	ISX_THRIFT_LIST = 9,
	ISX_THRIFT_SET = 10,
	ISX_THRIFT_MAP = 11,
	ISX_THRIFT_STRUCT = 12,
	ISX_THRIFT_UUID = 13
};

/* The bytes are borrowed. */
struct isx_thrift {
	const uint8_t *at, *end;
	bool failed;
	bool is_cut; /* failed because the bytes end too early */
};

/* A field of a struct. `{ 0 }` before the first one: numbers of fields are differences. */
struct isx_thrift_field {
	int id;
	enum isx_thrift_type type;
};

/* Step to the next field of a struct, whose value must be read or skipped before the next call. False at
 * the end of the struct, and when the reader has failed. */
bool isx_thrift_next(struct isx_thrift *thrift, struct isx_thrift_field *field);

/* The value of a field or an element of type `type`: a whole number of at most 64 bits, a bool, or
 * bytes (borrowed). Fails for values of other types. */
int64_t isx_thrift_int(struct isx_thrift *thrift, enum isx_thrift_type type);
bool isx_thrift_bool(struct isx_thrift *thrift, enum isx_thrift_type type);
struct isx_span isx_thrift_bytes(struct isx_thrift *thrift, enum isx_thrift_type type);

/* A whole number without a sign, as lengths and counts have: 7 bits in each byte, the lowest ones first. */
uint64_t isx_thrift_varint(struct isx_thrift *thrift);

/* Begin a list of structs: the number of its elements, which is at most that of the bytes that are
 * left. Fails for values and elements of other types. */
size_t isx_thrift_structs(struct isx_thrift *thrift, enum isx_thrift_type type);

/* Skip a value. Structures within each other fail beyond a depth of 16. */
void isx_thrift_skip(struct isx_thrift *thrift, enum isx_thrift_type type);

/* Begin the struct of a field or element; fails for values of other types. */
void isx_thrift_struct(struct isx_thrift *thrift, enum isx_thrift_type type);

#endif
