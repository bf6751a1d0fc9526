/*
 * json.c - the only file that sees json-c.
 *
 * Its trees are used, not its parser: that of 0.16 does not look whether it got memory, so that a
 * name that finds none ends the process, and a string that finds none is cut. Text is checked before
 * (json_text.c), so little is left to parse.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/json.h"

#include "base/limits.h"
#include "base/mem.h"
#include "json/json_text.h"

#include <json-c/json.h>
#include <stdlib.h>

/* json-c's objects under our name: both directions are casts of one pointer. */
static struct json_object *tree(const struct isx_json *value)
{
	return (struct json_object *)(uintptr_t)value;
}

/* --- from text to tree ------------------------------------------------------------------------ */

/* A tree that grows along its text, which has been checked: brackets match, and in an object a name
 * comes before each value. */
struct builder {
	const char *p;
	const char *end;
	struct json_object *root;
	struct json_object *open[ISX_JSON_DEPTH_MAX]; /* containers, borrowed from the tree */
	size_t depth;
	struct isx_buf name; /* of the member whose value comes next, terminated; or empty */
	struct isx_buf text; /* of the last string or number that had to be copied */
};

/* Step over a string; returns what is between its quotes. */
static struct isx_span take_string(struct builder *b)
{
	const char *start = b->p + 1;
	b->p = isx_json_skip_string(b->p, b->end);
	return (struct isx_span){ start, (size_t)(b->p - start) - 1 };
}

static bool take_name(struct builder *b)
{
	isx_json_unescape(&b->name, take_string(b));
	for (size_t i = 0; i < b->name.len; i++)
		if (!b->name.ptr[i])
			b->name.ptr[i] = '\1'; /* json-c would end the name here: another one */
	isx_buf_char(&b->name, '\0');
	return !b->name.failed;
}

static bool make_string(struct builder *b, struct json_object **made)
{
	struct isx_span text = take_string(b);
	if (text.len && memchr(text.ptr, '\\', text.len)) {
		isx_buf_clear(&b->text);
		isx_json_unescape(&b->text, text);
		text = (struct isx_span){ b->text.ptr, b->text.len };
	}
	*made = b->text.failed ? NULL : json_object_new_string_len(text.ptr, (int)text.len);
	return *made;
}

/* An integer that is too large becomes the largest there is; a double keeps its text. */
static bool make_number(struct builder *b, struct json_object **made)
{
	bool is_whole = true;
	isx_buf_clear(&b->text);
	for (; b->p < b->end && strchr("+-.0123456789Ee", *b->p); b->p++) {
		is_whole &= *b->p == '-' || (*b->p >= '0' && *b->p <= '9');
		isx_buf_char(&b->text, *b->p);
	}
	isx_buf_char(&b->text, '\0');
	if (b->text.failed)
		return false;
	*made = is_whole ? json_object_new_int64(strtoll(b->text.ptr, NULL, 10))
			 : json_object_new_double_s(strtod(b->text.ptr, NULL), b->text.ptr);
	return *made;
}

/* Step over a value, or over the bracket of a container. False: no memory. */
static bool make_value(struct builder *b, struct json_object **made)
{
	*made = NULL;
	switch (*b->p) {
	case '{':
	case '[':
		*made = *b->p == '{' ? json_object_new_object() : json_object_new_array();
		b->p++;
		return *made;
	case '"':
		return make_string(b, made);
	case 't':
	case 'f':
		*made = json_object_new_boolean(*b->p == 't');
		b->p += *b->p == 't' ? strlen("true") : strlen("false");
		return *made;
	case 'n':
		b->p += strlen("null");
		return true;
	default:
		return make_number(b, made);
	}
}

/* Put a value, which is taken, where it belongs. */
static bool attach(struct builder *b, struct json_object *value)
{
	struct json_object *outer = b->depth ? b->open[b->depth - 1] : NULL;
	int failed = 0;
	if (!outer)
		b->root = value;
	else if (json_object_get_type(outer) == json_type_array)
		failed = json_object_array_add(outer, value);
	else
		failed = json_object_object_add(outer, b->name.ptr, value);
	isx_buf_clear(&b->name);
	if (failed)
		json_object_put(value);
	return !failed;
}

static bool is_container(const struct json_object *value)
{
	enum json_type type = json_object_get_type(value);
	return type == json_type_object || type == json_type_array;
}

/* Take what comes next: a name, a value, or what is between values. */
static bool build_step(struct builder *b)
{
	struct json_object *value;
	bool in_object = b->depth &&
			 json_object_get_type(b->open[b->depth - 1]) == json_type_object;
	if (strchr(" \t\r\n,:", *b->p)) {
		b->p++;
		return true;
	}
	if (*b->p == '}' || *b->p == ']') {
		b->p++;
		b->depth--;
		return true;
	}
	if (in_object && b->name.len == 0)
		return take_name(b);
	if (!make_value(b, &value) || !attach(b, value))
		return false;
	if (is_container(value))
		b->open[b->depth++] = value;
	return true;
}

enum isx_status isx_json_parse_checked(struct isx_span text, struct isx_json **value,
				       struct isx_err *err)
{
	struct builder b = { .p = text.ptr, .end = text.ptr + text.len };
	if (text.len > INT32_MAX)
		return isx_fail(err, ISX_TOO_LARGE, "JSON: a value of %zu bytes, at most 2 GiB",
				text.len);
	bool complete = true;
	while (complete && b.p < b.end)
		complete = build_step(&b);
	isx_buf_release(&b.name);
	isx_buf_release(&b.text);
	if (!complete) {
		json_object_put(b.root);
		return isx_fail_memory(err);
	}
	*value = (struct isx_json *)b.root;
	return ISX_OK;
}

enum isx_status isx_json_parse(struct isx_span text, struct isx_json **value, struct isx_err *err)
{
	size_t offset;
	enum isx_status st = isx_json_check(text, &offset, err);
	return st ? st : isx_json_parse_checked(text, value, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

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
