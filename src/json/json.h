/*
 * json.h - JSON as a tree, read with json-c. json.c is the only file that sees the library.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_JSON_H
#define ISX_JSON_H

#include "base/span.h"
#include "base/status.h"

enum isx_json_kind {
	ISX_JSON_NULL,
	ISX_JSON_BOOL,
	ISX_JSON_INT,
	ISX_JSON_DOUBLE,
	ISX_JSON_STRING,
	ISX_JSON_ARRAY,
	ISX_JSON_OBJECT
};

struct isx_json; /* a value of a tree; NULL is JSON null */

/* Parse one value. Text that has not passed isx_json_check() is checked here.
 *   value  new, free with isx_json_free() */
ISX_MUST_CHECK enum isx_status isx_json_parse(struct isx_span text, struct isx_json **value,
					      struct isx_err *err);

/* The same for text that has passed isx_json_check() already. */
ISX_MUST_CHECK enum isx_status isx_json_parse_checked(struct isx_span text, struct isx_json **value,
						      struct isx_err *err);
void isx_json_free(struct isx_json *value);

/* What a value is. */
enum isx_json_kind isx_json_kind(const struct isx_json *value);

/* The text of a string (terminated after its length); an empty span for other kinds. Borrowed. */
struct isx_span isx_json_string(const struct isx_json *value);

/* A number: of INT (clamped), DOUBLE and BOOL. */
int64_t isx_json_int(const struct isx_json *value);
double isx_json_number(const struct isx_json *value);

/* Is the object's member called `name` there? *member is borrowed, and NULL for a null. */
bool isx_json_get(const struct isx_json *object, const char *name, struct isx_json **member);

/* The value as compact JSON text; borrowed until the value is freed or asked again. */
struct isx_span isx_json_source(struct isx_json *value);

/* The elements of an array: how many (0 for other kinds), and one of them, borrowed. */
size_t isx_json_length(const struct isx_json *array);
struct isx_json *isx_json_at(const struct isx_json *array, size_t i);

/* Visit the members of an object in order. Start with *cursor = NULL; false at the end. */
bool isx_json_each(const struct isx_json *object, void **cursor, const char **name,
		   struct isx_json **member);

#endif
