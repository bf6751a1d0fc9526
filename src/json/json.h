/*
 * json.h - JSON values, each a span of a text that has passed isx_json_check().
 *
 * No tree is built: a value stays in its text and is decoded when a caller reads it, so that a text
 * of n bytes takes no more memory than n bytes, whatever is in it. A value is a span without blanks
 * around it, as the walks of json_text.h hand it out; a whole text needs isx_span_trim() first. An
 * empty span stands for a value that is missing. The functions rely on the check and must not be
 * given other text.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_JSON_H
#define ISX_JSON_H

#include "base/mem.h"
#include "json/json_text.h"

enum isx_json_kind {
	ISX_JSON_NULL, /* or missing */
	ISX_JSON_BOOL,
	ISX_JSON_INT,
	ISX_JSON_DOUBLE,
	ISX_JSON_STRING,
	ISX_JSON_ARRAY,
	ISX_JSON_OBJECT
};

/* The kind of a value, by its first character; of a number by its form: 1.0 and 1e0 are DOUBLE. */
enum isx_json_kind isx_json_kind(struct isx_span value);

/* Decode a string.
 *   text  filled: in `arena`, with a NUL behind it; the text may contain NUL itself. Empty if the
 *         value is of another kind
 * False: memory ran out. */
bool isx_json_string(struct isx_span value, struct isx_arena *arena, struct isx_span *text);

/* Decode the name of a member, as a walk hands it out. Returns a terminated text in `arena`, in
 * which U+0001 replaces each NUL: cut off there it would be another name. NULL: memory ran out. */
const char *isx_json_name(struct isx_span key, struct isx_arena *arena);

/* A whole number, clamped to the range of int64_t; true is 1 and false 0; other kinds give 0. */
int64_t isx_json_int(struct isx_span value);

/* Any number of kind INT, DOUBLE or BOOL; other kinds give 0. False: memory ran out, which only
 * a number of more than 63 characters takes. */
bool isx_json_number(struct isx_span value, double *number);

/* How many elements an array has; 0 for other kinds. */
size_t isx_json_length(struct isx_span array);

#endif
