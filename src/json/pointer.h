/*
 * pointer.h - JSON pointers (RFC 6901): the names of fields in the metadata of assets.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_POINTER_H
#define ISX_POINTER_H

#include "base/mem.h"
#include "base/span.h"

/* What isx_pointer_read() takes, for messages. */
#define ISX_POINTER_RULE                                                                           \
	"a member of the metadata (license) or a JSON pointer (/creator/name; ~1 is /, ~0 is ~), " \
	"at most 256 bytes"

/* Read the name of a field: a JSON pointer. A name without '/' in front gets one: "license" is short
 * for "/license". Two names are of the same field only if their pointers are equal byte by byte.
 *   pointer  filled: in `arena`; NULL: `name` is no JSON pointer, or empty, or longer than
 *            ISX_FIELD_NAME_MAX with its '/'
 * ISX_NO_MEMORY. */
ISX_MUST_CHECK enum isx_status isx_pointer_read(struct isx_span name, struct isx_arena *arena,
						const char **pointer, struct isx_err *err);

/* Read a list of fields, at most ISX_FIELDS_MAX, each once.
 *   pointers  filled: `count` of them, in `arena`
 *   wrong     filled on failure: the position of the name that is wrong, SIZE_MAX: there are too many;
 *             may be NULL
 * ISX_INVALID says what is wrong with it, without its place. */
ISX_MUST_CHECK enum isx_status isx_pointers_read(const char *const *names, size_t count,
						 struct isx_arena *arena,
						 const char *const **pointers, size_t *wrong,
						 struct isx_err *err);

/* Find the value that a pointer leads to in a text that has passed isx_json_check(). Of several
 * members with one name the last one counts. An element of an array is found by its position:
 * "/creators/0/name".
 *   pointer  from isx_pointer_read()
 * Returns an empty span if there is no such value. */
struct isx_span isx_pointer_find(struct isx_span text, const char *pointer);

#endif
