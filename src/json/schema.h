/*
 * schema.h - the problems a body has, each with its place, as clients of 0.3.3 read them:
 *            [{"type": ..., "loc": ["body", 0, "units"], "msg": ..., "input": ...}, ...]
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SCHEMA_JSON_H
#define ISX_SCHEMA_JSON_H

#include "base/buf.h"

/* Where in a request something stands: a list from the inside out, on the callers' stacks. */
struct isx_place {
	const struct isx_place *outer; /* NULL: this is the root, "body" or "query" */
	const char *name;              /* a member, or NULL for a position */
	size_t position;
};

/* All problems of one request, of which ISX_PROBLEMS_MAX are kept. `{ 0 }` is none. */
struct isx_problems {
	struct isx_buf items; /* JSON objects with commas between */
	size_t count;
	char first[160]; /* the first one in words: "body.0.units: expected ..." */
};

/* Add a problem.
 *   type   one of pydantic's error types, as in contract: "missing", "string_type", ...
 *   input  the value that is wrong as JSON text, or an empty span */
void isx_problem_add(struct isx_problems *problems, const char *type, const struct isx_place *place,
		     const char *msg, struct isx_span input);

/* Append the problems as a JSON array; the last element says how many more there are, if not all were
 * kept. */
void isx_problems_to_json(struct isx_buf *buf, const struct isx_problems *problems);

/* ISX_OK if there is no problem; otherwise ISX_SCHEMA with the first one as message. */
ISX_MUST_CHECK enum isx_status isx_problems_status(const struct isx_problems *problems,
						   struct isx_err *err);

/* Forget all problems and free their memory. */
void isx_problems_release(struct isx_problems *problems);

#endif
