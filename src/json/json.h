/*
 * json.h - JSON values, each a piece of a text that has passed isx_json_check().
 *
 * No tree is made of a text: a value stays where it stands and is read when it is wanted, so that a
 * text of n bytes takes no memory but its own, whatever it is made of. A value is a span without
 * blanks around it, as the walks of json_text.h hand it out (a whole text wants isx_span_trim()); an
 * empty span is a value that is not there.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_JSON_H
#define ISX_JSON_H

#include "base/mem.h"
#include "json/json_text.h"

enum isx_json_kind {
	ISX_JSON_NULL, /* or not there */
	ISX_JSON_BOOL,
	ISX_JSON_INT,
	ISX_JSON_DOUBLE,
	ISX_JSON_STRING,
	ISX_JSON_ARRAY,
	ISX_JSON_OBJECT
};

/* What a value is. */
enum isx_json_kind isx_json_kind(struct isx_span value);

/* Read a string.
 *   text  filled: in `arena`, terminated after its length; it may hold NUL. Empty for other kinds
 * False when memory ran out. */
bool isx_json_string(struct isx_span value, struct isx_arena *arena, struct isx_span *text);

/* Read the name of a member, as a walk hands it out.
 * Returns a terminated text in `arena`, where U+0001 stands for each NUL, so that it is no other
 * name; NULL when memory ran out. */
const char *isx_json_name(struct isx_span key, struct isx_arena *arena);

/* A whole number, clamped; true and false are 1 and 0; 0 for other kinds. */
int64_t isx_json_int(struct isx_span value);

/* Any number: of INT, DOUBLE and BOOL; 0 for other kinds. False when memory ran out, which numbers
 * of more than 63 characters take. */
bool isx_json_number(struct isx_span value, double *number);

/* How many elements an array has; 0 for other kinds. */
size_t isx_json_length(struct isx_span array);

#endif
