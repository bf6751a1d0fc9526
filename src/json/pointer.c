/*
 * pointer.c - read JSON pointers, and follow them through a text.
 *
 * The text is walked member by member, without a tree, and names are compared without memory from the
 * heap: a pointer is followed for each asset that is added. Must not know filters.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/pointer.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "json/json_text.h"

/* RFC 6901, section 3: '~' is followed by 0 or 1. NUL cannot be in a C text, and other control
 * characters would spoil messages. */
static bool is_name(struct isx_span name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];
		bool is_escape = c == '~' && i + 1 < name.len &&
				 (name.ptr[i + 1] == '0' || name.ptr[i + 1] == '1');
		if (c < 0x20 || (c == '~' && !is_escape))
			return false;
	}
	for (struct isx_span rest = name; rest.len;) {
		size_t len = isx_utf8_length(rest);
		if (len == 0)
			return false;
		rest = isx_span_skip(rest, len);
	}
	return name.len > 0;
}

/* "~" has one spelling in a pointer, and so has "/": equal pointers are equal texts. */
enum isx_status isx_pointer_read(struct isx_span name, struct isx_arena *arena,
				 const char **pointer, struct isx_err *err)
{
	bool is_short = name.len && name.ptr[0] != '/';
	*pointer = NULL;
	if (!is_name(name) || name.len + is_short > ISX_FIELD_NAME_MAX)
		return ISX_OK;
	char *text = isx_arena_bytes(arena, name.len + is_short + 1);
	if (!text)
		return isx_fail_memory(err);
	text[0] = '/';
	memcpy(text + is_short, name.ptr, name.len);
	*pointer = text;
	return ISX_OK;
}

/* Each is compared with those before it: there are few. */
enum isx_status isx_pointers_read(const char *const *names, size_t count, struct isx_arena *arena,
				  const char *const **pointers, size_t *wrong, struct isx_err *err)
{
	size_t none = 0, at = 0;
	enum isx_status st = ISX_OK;
	wrong = wrong ? wrong : &none;
	*wrong = SIZE_MAX; /* of the list as a whole */
	if (count > ISX_FIELDS_MAX)
		return isx_fail(err, ISX_INVALID, "expected at most %d fields, found %zu",
				ISX_FIELDS_MAX, count);
	const char **made = isx_arena_alloc(arena, count, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	for (; !st && at < count; at++) {
		*wrong = at;
		st = isx_pointer_read(isx_span_of(names[at]), arena, &made[at], err);
		if (!st && !made[at])
			st = isx_fail(err, ISX_INVALID, "expected a field: " ISX_POINTER_RULE);
		for (size_t i = 0; !st && i < at; i++)
			if (strcmp(made[i], made[at]) == 0)
				st = isx_fail(err, ISX_INVALID, "the field %.100s is there twice",
					      made[at]);
	}
	*pointers = made;
	return st;
}

/* Is a decoded name the one that a token of a pointer spells? */
static bool is_token(struct isx_span name, struct isx_span token)
{
	size_t at = 0;
	for (size_t i = 0; i < token.len; i++, at++) {
		char c = token.ptr[i];
		if (c == '~') /* the check has seen 0 or 1 behind it */
			c = token.ptr[++i] == '0' ? '~' : '/';
		if (at == name.len || name.ptr[at] != c)
			return false;
	}
	return at == name.len;
}

/* A key of a walk is decoded only if it has escapes. No escape is more than six times as long as what
 * it stands for, so a longer key cannot be the name. */
static bool is_key(struct isx_span key, struct isx_span token)
{
	char decoded[6 * ISX_FIELD_NAME_MAX];
	struct isx_buf buf = { .ptr = decoded, .cap = sizeof decoded };
	if (!key.len || !memchr(key.ptr, '\\', key.len))
		return is_token(key, token);
	if (key.len > sizeof decoded)
		return false;
	isx_json_unescape(&buf, key); /* never grows: decoded text is not longer than its key */
	return is_token((struct isx_span){ buf.ptr, buf.len }, token);
}

/* The last member of an object that has this name. */
static struct isx_span find_member(struct isx_span object, struct isx_span token)
{
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value, found = { 0 };
	while (isx_json_next_member(&walk, &key, &value))
		if (is_key(key, token))
			found = value;
	return found;
}

/* RFC 6901, section 4: decimal digits without leading zeros; "-", the place behind the last element, has
 * no value. */
static struct isx_span find_element(struct isx_span array, struct isx_span token)
{
	struct isx_json_walk walk = isx_json_walk_start(array);
	struct isx_span element;
	uint64_t position;
	if (!isx_span_uint(token, SIZE_MAX - 1, &position) ||
	    (token.ptr[0] == '0' && token.len > 1))
		return (struct isx_span){ 0 };
	while (isx_json_next_element(&walk, &element))
		if (position-- == 0)
			return element;
	return (struct isx_span){ 0 };
}

struct isx_span isx_pointer_find(struct isx_span text, const char *pointer)
{
	struct isx_span value = isx_span_trim(text);
	struct isx_span rest = isx_span_skip(isx_span_of(pointer), 1); /* the '/' in front */
	while (value.len && rest.ptr) { /* a token may be empty: "/" is the member "" */
		struct isx_span token = isx_span_cut(rest, '/', &rest);
		if (value.ptr[0] == '{')
			value = find_member(value, token);
		else if (value.ptr[0] == '[')
			value = find_element(value, token);
		else
			value = (struct isx_span){ 0 };
	}
	return value;
}
