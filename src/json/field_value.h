/*
 * field_value.h - the values of a field in the metadata of an asset, as keys that sort like the values.
 *
 * A *key* is what equality and ranges of filters compare, in memory and in tables: two values are equal
 * if the bytes of their keys are, and of two numbers, or two strings, the lesser value has the lesser
 * key. The first byte is the kind:
 *
 *	OTHER	an object, or an array in the array at the place, or an empty array: present, and
 *		equal to no value of a filter
 *	NULL, FALSE, TRUE	nothing follows
 *	NUMBER	the exact decimal value: 1, 1.0 and 1e0 are equal, and 9007199254740993 is not
 *		9007199254740992, as no number is rounded to a double. -0 is 0. An exponent beyond a
 *		billion counts as a billion
 *	STRING	its text, decoded, in UTF-8
 *
 * A key is as long as its value, which may be any length.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_FIELD_VALUE_H
#define ISX_FIELD_VALUE_H

#include "base/buf.h"
#include "json/json_text.h"

enum isx_value_kind {
	ISX_VALUE_OTHER,
	ISX_VALUE_NULL,
	ISX_VALUE_FALSE,
	ISX_VALUE_TRUE,
	ISX_VALUE_NUMBER,
	ISX_VALUE_STRING
};

/* Append the key of a value, which stands in a text that has passed isx_json_check() and has no blanks
 * around it. An array has the kind OTHER. */
void isx_value_key(struct isx_buf *key, struct isx_span value);

/* Compare two keys: less than 0, 0, or more than 0. Keys of different kinds stand in the order of enum
 * isx_value_kind. */
int isx_value_compare(struct isx_span a, struct isx_span b);

/* Append the value of a key as JSON: numbers in their shortest form (2020, 0.5, 1e30). OTHER gives
 * null. */
void isx_value_to_json(struct isx_buf *json, struct isx_span key);

/* A walk over the values of one field of an asset. The elements of an array at the place are values of
 * the field, one by one; any other value is the only one. */
struct isx_field_walk {
	struct isx_json_walk elements;
	struct isx_span single; /* the value of a field that is no array, until it was handed out */
};

/* Begin a walk.
 *   metadata  a text that has passed isx_json_check(), borrowed; empty: none
 *   pointer   of the field, from isx_pointer_read() */
struct isx_field_walk isx_field_walk_start(struct isx_span metadata, const char *pointer);

/* The next value.
 *   key  filled: replaced by the key of the value; the caller looks at isx_buf_status()
 * False at the end. A field that is present has one value at least, and may have one several times. */
bool isx_field_walk_next(struct isx_field_walk *walk, struct isx_buf *key);

#endif
