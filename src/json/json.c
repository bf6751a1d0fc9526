/*
 * json.c - the only file that sees json-c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/json.h"

#include "base/limits.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <json-c/json.h>

/* json-c's objects under our name: both directions are casts of one pointer. */
static struct json_object *tree(const struct isx_json *value)
{
	return (struct json_object *)(uintptr_t)value;
}

enum isx_status isx_json_parse(struct isx_span text, struct isx_json **value, struct isx_err *err)
{
	size_t offset;
	enum isx_status st = isx_json_check(text, &offset, err);
	return st ? st : isx_json_parse_checked(text, value, err);
}

static enum isx_status parse_text(struct isx_span text, struct isx_json **value,
				  struct isx_err *err)
{
	if (text.len > INT32_MAX)
		return isx_fail(err, ISX_TOO_LARGE, "JSON: a value of %zu bytes, at most 2 GiB",
				text.len);
	struct json_tokener *tokener = json_tokener_new_ex(ISX_JSON_DEPTH_MAX + 1);
	if (!tokener)
		return isx_fail_memory(err);
	struct json_object *root = json_tokener_parse_ex(tokener, text.ptr, (int)text.len);
	enum json_tokener_error code = json_tokener_get_error(tokener);
	if (code == json_tokener_continue) { /* a number at the very end could go on */
		root = json_tokener_parse_ex(tokener, " ", 1);
		code = json_tokener_get_error(tokener);
	}
	json_tokener_free(tokener);
	if (code != json_tokener_success)
		return isx_fail(err, ISX_SCHEMA, "JSON: %s", json_tokener_error_desc(code));
	*value = (struct isx_json *)root;
	return ISX_OK;
}

enum isx_status isx_json_parse_checked(struct isx_span text, struct isx_json **value,
				       struct isx_err *err)
{
	struct isx_buf masked = { 0 };
	if (!memmem(text.ptr, text.len, "\\u0000", 6))
		return parse_text(text, value, err);
	isx_json_mask_names(&masked, text); /* json-c ends a name at its NUL */
	enum isx_status st = isx_buf_status(&masked, err);
	if (!st)
		st = parse_text((struct isx_span){ masked.ptr, masked.len }, value, err);
	isx_buf_release(&masked);
	return st;
}

void isx_json_free(struct isx_json *value)
{
	json_object_put(tree(value));
}

enum isx_json_kind isx_json_kind(const struct isx_json *value)
{
	switch (json_object_get_type(tree(value))) {
	case json_type_boolean:
		return ISX_JSON_BOOL;
	case json_type_int:
		return ISX_JSON_INT;
	case json_type_double:
		return ISX_JSON_DOUBLE;
	case json_type_string:
		return ISX_JSON_STRING;
	case json_type_array:
		return ISX_JSON_ARRAY;
	case json_type_object:
		return ISX_JSON_OBJECT;
	case json_type_null:
		break;
	}
	return ISX_JSON_NULL;
}

struct isx_span isx_json_string(const struct isx_json *value)
{
	if (isx_json_kind(value) != ISX_JSON_STRING)
		return (struct isx_span){ 0 };
	return (struct isx_span){ json_object_get_string(tree(value)),
				  (size_t)json_object_get_string_len(tree(value)) };
}

int64_t isx_json_int(const struct isx_json *value)
{
	return json_object_get_int64(tree(value));
}

double isx_json_number(const struct isx_json *value)
{
	return json_object_get_double(tree(value));
}

bool isx_json_get(const struct isx_json *object, const char *name, struct isx_json **member)
{
	struct json_object *found = NULL;
	if (isx_json_kind(object) != ISX_JSON_OBJECT ||
	    !json_object_object_get_ex(tree(object), name, &found))
		return false;
	*member = (struct isx_json *)found;
	return true;
}

struct isx_span isx_json_source(struct isx_json *value)
{
	return isx_span_of(value ? json_object_to_json_string_ext(
					   tree(value),
					   JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
				 : "null");
}

size_t isx_json_length(const struct isx_json *array)
{
	return isx_json_kind(array) == ISX_JSON_ARRAY ? json_object_array_length(tree(array)) : 0;
}

struct isx_json *isx_json_at(const struct isx_json *array, size_t i)
{
	return (struct isx_json *)json_object_array_get_idx(tree(array), i);
}

bool isx_json_each(const struct isx_json *object, void **cursor, const char **name,
		   struct isx_json **member)
{
	if (isx_json_kind(object) != ISX_JSON_OBJECT)
		return false;
	struct lh_entry *entry = *cursor ? ((struct lh_entry *)*cursor)->next
					 : json_object_get_object(tree(object))->head;
	*cursor = entry;
	if (!entry)
		return false;
	*name = (const char *)lh_entry_k(entry);
	*member = (struct isx_json *)(uintptr_t)lh_entry_v(entry);
	return true;
}
